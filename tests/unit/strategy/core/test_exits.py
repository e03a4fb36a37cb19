"""Exits: the only orders that may take, piece by piece, and only what is free of tax."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.units import Ns, Sats, Side, Ticks
from strategy.core import exits
from strategy.core.market import Freshness
from strategy.core.memory import EXIT_SLOT, Memory
from strategy.core.slots import Add, State
from tests.unit.strategy.core.build import BOOT, MID, make_config, make_memory, make_slot, old_lots
from tests.unit.strategy.core.test_gate import one, put, ready, set_view


def flattening(memory: Memory | None = None) -> Memory:
    memory = ready(memory)
    memory.flatten = True
    return memory


def decided(memory: Memory) -> list[Add]:
    found = exits.decide(memory, one(memory), BOOT)
    assert all(isinstance(intent, Add) for intent in found)
    return [intent for intent in found if isinstance(intent, Add)]


def test_a_piece_is_below_the_bid_and_within_the_largest_order() -> None:
    [add] = decided(flattening())
    assert (add.slot.name, add.wish.side) == (EXIT_SLOT, Side.SELL)
    assert int((MID - 5) * 0.995) - 1 <= add.wish.price <= (MID - 5) * 0.995
    assert 1_990 * 10**9 < (MID - 5) * add.wish.qty <= 2_000 * 10**9


@pytest.mark.parametrize(
    ("state", "name"), [(State.LIVE, "s1"), (State.CANCEL_PENDING, "s3"), (State.LOST, EXIT_SLOT)]
)
def test_it_waits_while_another_sell_may_still_fill(state: State, name: str) -> None:
    memory = flattening()
    put(memory, make_slot(name, state, price=Ticks(MID)))
    assert decided(memory) == []
    assert memory.flatten


def test_it_waits_for_a_fresh_book_and_for_its_cool_down() -> None:
    memory = flattening()
    set_view(memory, freshness=Freshness.STALE)
    assert decided(memory) == []
    memory = flattening()
    put(memory, make_slot(EXIT_SLOT, not_before=Ns(BOOT + 1)))
    assert decided(memory) == []
    assert memory.flatten


def test_nothing_is_sold_that_nobody_asked_to_sell() -> None:
    assert decided(ready()) == []


@pytest.mark.parametrize(
    "memory",
    [
        make_memory(lots=old_lots(days=300)),  # taxable
        make_memory(lots=old_lots("0.00004")),  # below the least quantity
        make_memory(make_config(grid={"base_reserve": "0.16"})),  # never to be sold
    ],
)
def test_it_ends_when_nothing_is_left_that_may_be_sold(memory: Memory) -> None:
    flattening(memory)
    memory.balances["BTC"] = Decimal("0.16")
    assert decided(memory) == []
    assert not memory.flatten


def test_the_last_piece_is_what_is_left() -> None:
    memory = flattening(make_memory(lots=old_lots("0.0100")))
    [add] = decided(memory)
    assert add.wish.qty == Sats(1_000_000)
