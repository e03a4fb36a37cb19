"""Harvesting: when it looks, how much at most, and what keeps it from looking."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import DAY, SECOND, Ns, Side
from strategy.core.harvesting import consider, sent, under_way
from strategy.core.market import Freshness
from strategy.core.memory import Memory
from strategy.core.taxdesk import PER_SAT
from strategy.ledger.entries import Remember
from strategy.ledger.events import KRAKEN, Exchanged, Units
from strategy.ledger.tax import berlin_day
from tests.unit.strategy.core.build import BOOT, MID, WALL, make_config
from tests.unit.strategy.core.test_gate import one, set_view
from tests.unit.strategy.core.test_taxgate import bought, of

DEAR = MID + 50_000  # 90,000 EUR: at 85,000 a coin has lost 5,000
BID = MID - 5
PIECE = 2_000 * 10**9 // BID
"""Sats of limits.order_quote at the bid."""


def losing(grid: dict[str, Any] | None = None, **tax: Any) -> Memory:
    """0.16 coins at a loss of 5,000 EUR each, in a year that is 9,000 EUR in the black."""
    said = {"harvest_enabled": True, "external_s23_net_eur": "9000"} | tax
    memory = of(bought((100, 16 * 10**6, DEAR), named="L"), **said)
    memory.config = replace(memory.config, grid=make_config(grid=grid or {}).grid)
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.16")}
    one(memory).taker = 0.0025
    return memory


def found(memory: Memory, now: Ns = BOOT) -> int:
    """Whole Sats that are to be harvested."""
    consider(memory, now)
    harvest = under_way(memory)
    return 0 if harvest is None else int(harvest.qty) // PER_SAT


def why(memory: Memory) -> str:
    consider(memory, BOOT)
    assert memory.taxes.harvest is not None
    return memory.taxes.harvest.why


@pytest.mark.parametrize(("after", "looks"), [(59.9, False), (60, True)])
def test_it_looks_once_a_minute(after: float, looks: bool) -> None:
    memory = losing()
    assert found(memory)
    before = memory.taxes
    assert before.harvest_at == BOOT
    consider(memory, Ns(BOOT + int(after * SECOND)))
    assert (memory.taxes is not before) is looks


def test_it_looks_again_after_a_fill_and_after_an_order() -> None:
    memory = losing()
    found(memory)
    memory.fills += 1
    consider(memory, Ns(BOOT + SECOND))
    assert (memory.taxes.harvest_at, memory.taxes.harvest_fills) == (BOOT + SECOND, 1)
    sent(memory)
    consider(memory, Ns(BOOT + 2 * SECOND))
    assert memory.taxes.harvest_at == BOOT + 2 * SECOND


def test_orders_are_counted_by_the_german_day() -> None:
    memory = losing()
    today = berlin_day(WALL).isoformat()
    memory.taxes = replace(memory.taxes, harvested=("2020-01-01", 9))
    assert sent(memory) == Remember("harvested", f"{today} 1")
    assert sent(memory) == Remember("harvested", f"{today} 2")
    assert memory.taxes.harvested == (today, 2)
    assert memory.taxes.harvest_at == 0
    memory.wall = Ns(WALL + DAY)
    tomorrow = berlin_day(Ns(WALL + DAY)).isoformat()
    assert sent(memory) == Remember("harvested", f"{tomorrow} 1")


@pytest.mark.parametrize("done", [0, 1, 2])
def test_never_more_than_the_orders_left_of_the_day_can_sell(done: int) -> None:
    memory = losing(harvest_max_per_day=3)
    memory.taxes = replace(memory.taxes, harvested=(berlin_day(WALL).isoformat(), done))
    assert found(memory) == (3 - done) * PIECE
    old = losing(harvest_max_per_day=3)
    old.taxes = replace(old.taxes, harvested=("2020-01-01", done))
    assert found(old) == 3 * PIECE


def test_more_orders_than_the_day_has_leave_nothing() -> None:
    memory = losing(harvest_max_per_day=3)
    memory.taxes = replace(memory.taxes, harvested=(berlin_day(WALL).isoformat(), 5))
    assert found(memory) == 0


@pytest.mark.parametrize(
    ("reserve", "coins", "most"),
    [("0.15", "0.16", 10**6), ("0.16", "0.16", 0), ("0.2", "0.16", 0), ("0", "0.005", 5 * 10**5)],
)
def test_the_reserve_is_never_touched_and_no_more_is_sold_than_is_there(
    reserve: str, coins: str, most: int
) -> None:
    memory = losing({"base_reserve": reserve}, harvest_min_loss_eur="1")
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal(coins)}
    assert found(memory) == most


def test_without_market_fees_or_precision_it_does_not_look() -> None:
    memory = losing()
    one(memory).taker = None
    assert found(memory) == 0
    memory = losing()
    set_view(memory, freshness=Freshness.STALE)
    assert found(memory) == 0
    memory = losing()
    one(memory).view = None
    assert found(memory) == 0
    memory = losing()
    one(memory).tape.pair = None
    assert found(memory) == 0
    assert memory.taxes.harvest is None
    assert memory.taxes.harvest_at == 0, "it looks as soon as it can"


def test_a_year_that_cannot_be_valued_is_not_harvested() -> None:
    memory = losing()
    swap = Exchanged(
        "E1", Ns(WALL - DAY), 0, KRAKEN, "ETH", Side.BUY, Units(10**10), "GBP", Decimal(10)
    )
    memory.desk.hear(swap)
    assert why(memory) == "a rate is missing: what a sale loses is not known"
    assert under_way(memory) is None


def test_switched_off_it_does_not_look() -> None:
    memory = losing(harvest_enabled=False)
    assert found(memory) == 0
    assert memory.taxes.harvest is None
