"""What a fill changes: lots, books, the grid's own buys, and what is told of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.units import Ns, Side
from strategy.core.books import opened
from strategy.core.memory import EXIT_SLOT
from strategy.core.out import Booked
from strategy.core.slots import State
from strategy.ledger.entries import FillEntry
from strategy.ledger.lots import Lots
from tests.unit.strategy.core.build import MAKER, MID, make_memory, old_lots
from tests.unit.strategy.core.test_gate import one, ready
from tests.unit.strategy.core.test_hear import (
    NAME,
    NOW,
    b1,
    booked,
    facts,
    fill,
    gone,
    holding,
    tells,
)


def test_a_fill_is_booked_once_everywhere() -> None:
    memory = holding(State.LIVE)
    memory.books = opened({"EUR": Decimal(1_000), "BTC": Decimal(1)})
    held, before = memory.held(), memory.lots.total()
    out = booked(memory, fill())
    assert memory.held() - held == memory.lots.total() - before == 88_000
    assert [item.slot for item in out if isinstance(item, FillEntry)] == ["b1"]
    assert [type(item) for item in out].count(Booked) == 1
    assert (b1(memory).filled, b1(memory).traded, b1(memory).state) == (88_000, MID - 7, State.LIVE)
    assert b1(memory).order_id == f"O-{NAME}"
    assert list(memory.fill_times) == [NOW]
    assert (memory.fills, len(memory.last_fills)) == (1, 1)
    cost = fill().cost * (1 + MAKER)
    assert memory.books.expected == {"EUR": 1_000 - cost, "BTC": Decimal("1.00088")}
    told = facts(out)
    assert told["unmatched:BTC/EUR"] == [[MID - 7, 88_000]]
    assert told["books"] == {asset: str(held) for asset, held in memory.books.expected.items()}
    assert booked(memory, fill()) == []
    assert memory.fills == 1


def test_before_the_first_sync_no_books_are_kept() -> None:
    memory = holding(State.LIVE)
    assert "books" not in facts(booked(memory, fill()))
    assert memory.books.expected == {}


def test_a_sell_answers_the_buys_that_wait() -> None:
    memory = holding(State.LIVE, "s1")
    one(memory).unmatched = ((MID - 90, 50_000), (MID - 80, 90_000))
    booked(memory, fill(Side.SELL))
    assert one(memory).unmatched == ((MID - 80, 52_000),)


def test_without_a_ledger_the_waiting_buys_are_known_and_not_written() -> None:
    memory = holding(State.LIVE)
    memory.kept = False
    assert "unmatched:BTC/EUR" not in facts(booked(memory, fill()))
    assert one(memory).unmatched == ((MID - 7, 88_000),)


def test_without_a_ledger_a_fill_is_booked_and_put_into_no_words() -> None:
    memory = holding(State.LIVE)
    memory.kept = False
    memory.books = opened({"EUR": Decimal(1_000), "BTC": Decimal(1)})
    out = booked(memory, fill())
    assert [type(item) for item in out] == [FillEntry]
    assert memory.fills == 1
    assert memory.books.expected["BTC"] == Decimal("1.00088")
    assert not memory.last_fills


def test_a_fill_of_an_order_that_is_over_is_still_the_grids() -> None:
    memory = holding(State.LIVE)
    gone(memory, "filled", 588_000)
    out = booked(memory, fill())
    assert [item.slot for item in out if isinstance(item, FillEntry)] == ["b1"]
    assert "unmatched:BTC/EUR" in facts(out)
    assert len(memory.fill_times) == 1


def test_an_exit_and_a_trade_of_somebody_else_are_no_part_of_the_grid() -> None:
    memory = holding(State.LIVE, EXIT_SLOT)
    out = booked(memory, fill(Side.SELL))
    assert "unmatched:BTC/EUR" not in facts(out)
    assert len(memory.fill_times) == 1
    out = booked(memory, fill(Side.SELL, name="", number=2))
    assert [item.slot for item in out if isinstance(item, FillEntry)] == [""]
    assert len(memory.fill_times) == 1, "an owner's trades halt nothing"


def test_coins_of_which_no_purchase_is_known_are_told() -> None:
    memory = ready(make_memory(lots=Lots("BTC")))
    out = booked(memory, fill(Side.SELL))
    assert ("error", "unknown_coins") in tells(out)
    assert ("error", "unknown_coins") not in tells(booked(ready(), fill(Side.SELL)))


def test_a_fill_that_contradicts_a_known_one_is_an_error_and_not_booked() -> None:
    memory = ready(make_memory(lots=old_lots()))
    booked(memory, fill())
    held = memory.held()
    assert tells(booked(memory, fill(qty=99_000))) == [("error", "fill_conflict")]
    strange = msgspec.structs.replace(fill(number=3), wall=Ns(-5))
    ((level, key),) = tells(booked(memory, strange))
    assert (level, key.startswith("fill_")) == ("warning", True)
    assert (memory.held(), memory.fills) == (held, 1)
