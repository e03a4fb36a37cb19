"""The least profitable spacing."""

from __future__ import annotations

import pytest

from shared import orders
from shared.units import DAY, Ns
from strategy.core.fees import SCHEDULES, floor_bps, scheduled
from tests.unit.strategy.core.build import CONFIG, make_config
from tests.unit.strategy.core.desk import Desk

NOTHING = make_config(
    grid={"min_spacing_bps": "0", "adverse_selection_bps": "0", "least_edge_bps": "0"}
).grid


@pytest.mark.parametrize(
    ("maker", "floor"),
    [
        (0.0025, 65.0),
        (0.0020, 55.0),
        (0.0014, 43.0),
        (0.0012, 39.0),  # two fees of 12 bps, 10 of adverse selection, 5 of edge
        (0.0004, 23.0),
        (0.0, 15.0),
        (0.004, 95.0),
    ],
)
def test_the_floor_is_two_fees_adverse_selection_and_the_least_edge(
    maker: float, floor: float
) -> None:
    assert floor_bps(maker, 0.0080, CONFIG.grid) == pytest.approx(floor)


def test_rungs_stand_apart_even_where_nothing_is_charged_and_nothing_asked_for() -> None:
    assert floor_bps(0.0, 0.0, NOTHING) == 1.0


def test_a_taker_leg_is_counted_where_it_is_wanted() -> None:
    one_taken = make_config(grid={"taker_leg": True}).grid
    assert floor_bps(0.0012, 0.0025, one_taken) == pytest.approx(12 + 25 + 15)


@pytest.mark.parametrize(
    ("day", "volume", "rates"),
    [
        (20_642, 0, (0.0025, 0.0040)),  # 2026-07-08
        (20_643, 0, (0.0040, 0.0080)),  # 2026-07-09
        (20_643, 2_499, (0.0040, 0.0080)),
        (20_643, 2_500, (0.0030, 0.0060)),
        (20_643, 100_000, (0.0012, 0.0025)),
        (20_643, 10**12, (0.0, 0.0005)),
        (0, 49_999, (0.0020, 0.0035)),
    ],
)
def test_the_schedule_in_force_on_the_day(
    day: int, volume: int, rates: tuple[float, float]
) -> None:
    cfg = make_config(fees={"fallback_volume_usd": volume}).fees
    assert scheduled(Ns(day * DAY), cfg) == pytest.approx(rates)


def test_no_tier_charges_more_than_a_smaller_one() -> None:
    for _, tiers in SCHEDULES:
        assert list(tiers) == sorted(tiers, key=lambda tier: (tier[0], -tier[1], -tier[2]))
        assert [maker for _, maker, _ in tiers] == sorted((m for _, m, _ in tiers), reverse=True)


def test_where_the_exchange_is_silent_about_fees_the_schedule_stands_in() -> None:
    desk = Desk()
    desk.connect()
    desk.mail = [item for item in desk.mail if not isinstance(item, orders.Fees)]
    desk.run(30)
    assert desk.memory.phase.value == "syncing"
    desk.run(40)
    assert desk.memory.phase.value == "trading"
    pair = next(iter(desk.memory.pairs.values()))
    assert pair.maker == pytest.approx(scheduled(desk.wall, CONFIG.fees)[0])
