"""Limits of the coins' share as budgets: worst case all buys fill, or all sells."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy.core.inventory import Rooms, confine, rooms, share
from tests.unit.strategy.core.build import CONFIG, MID, make_plan, make_view

UNIT = 10**9  # units in one EUR
RANGE = msgspec.structs.replace(CONFIG.regime.range_bound, btc_min_pct=0.4, btc_max_pct=0.6)
CHAOS = CONFIG.regime.chaos


@pytest.mark.parametrize(
    ("base", "quote_eur", "buy_eur", "sell_sats"),
    [
        (16_000_000, 13_600, 2_720, 3_200_000),  # half in coins: ten percent either way
        (0, 10_000, 6_000, 0),
        (20_000_000, 0, 0, 12_000_000),  # all in coins: no buys, sells down to the least share
        (8_000_000, 10_200, 3_400, 0),  # at the least share: no sells
        (0, 0, 0, 0),
    ],
)
def test_budgets_end_at_the_limits(base: int, quote_eur: int, buy_eur: int, sell_sats: int) -> None:
    plan = confine(make_plan(sell_sats=base), make_view(), (base, quote_eur * UNIT), 1.0, RANGE)
    assert plan.buy_units == pytest.approx(buy_eur * UNIT, abs=UNIT)
    assert plan.sell_sats == pytest.approx(sell_sats, abs=1)


def test_chaos_buys_nothing_beyond_its_small_share() -> None:
    plan = confine(make_plan(), make_view(), (16_000_000, 13_600 * UNIT), 1.0, CHAOS)
    assert plan.buy_units == 0


def test_budgets_are_rounded_down_to_whole_units_and_sats() -> None:
    """One Sat at 3 and 4 units: 60 % of 7 less 3 is 1.2 units, a cap of a quarter 1.75."""
    found = rooms(3.0, (1, 4), 0.25, RANGE)
    assert found == Rooms(buy=1, sell=0, buy_cap=1, sell_cap=0)


def test_share_of_the_coins() -> None:
    assert share(1, 0, 1.0) == 1.0
    assert share(16_000_000, 13_600 * UNIT, MID) == pytest.approx(0.5)
    assert share(0, 0, MID) == 0.0


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.floats(0.01, 1.0))
def test_whatever_fills_the_share_stays_inside_and_moves_by_the_cap_at_most(
    base: int, quote_eur: int, cap: float
) -> None:
    money = quote_eur * UNIT
    plan = make_plan(buy_units=money, sell_sats=base)
    plan = confine(plan, make_view(), (base, money), cap, RANGE)
    before = share(base, money, MID)
    bought = share(base + int(plan.buy_units / MID), money - plan.buy_units, MID)
    sold = share(base - plan.sell_sats, money + int(plan.sell_sats * MID), MID)
    assert bought <= max(before, RANGE.btc_max_pct) + 1e-6
    assert sold >= min(before, RANGE.btc_min_pct) - 1e-6
    assert bought - before <= cap + 1e-6
    assert before - sold <= cap + 1e-6
