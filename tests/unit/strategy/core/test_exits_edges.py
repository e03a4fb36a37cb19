"""Exits to the last Sat: how much each sells, at which price, what it waits for and says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import exits
from strategy.core.exits import AGREES_WITHIN, BAND_FOR, why_not
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory, Permit
from strategy.core.out import Tell
from strategy.core.reference import SECOND_PRICE_AGE, Reference
from strategy.core.risk import Pause, Risk, Severity
from strategy.core.slots import Add, State, Wish
from strategy.core.taxdesk import PER_SAT
from strategy.ledger.entries import AuditEntry, Remember
from strategy.ledger.lots import Lots
from strategy.ledger.plans import Harvest
from tests.unit.strategy.core.build import (
    BTC_EUR,
    MID,
    WALL,
    make_config,
    make_memory,
    make_slot,
    old_lots,
)
from tests.unit.strategy.core.test_exits import decided, flattening
from tests.unit.strategy.core.test_gate import NOW, one, put, ready, set_view
from tests.unit.strategy.core.test_gate_edges import USD_MID, rest, two
from tests.unit.strategy.core.test_taxgate import bought

HELD = 16_000_000
ALLOWED = int(Decimal("0.8") * (HELD + 500 * 10**9 // MID))  # of coins and 500 EUR, range bound
WHOLE: dict[str, Any] = {"limits": {"order_quote": "100000"}}


def emergency(lots: Lots | None = None, *, drawdown: float = 0.2, **sections: Any) -> Memory:
    """An emergency in which nothing is waited for any more; one order may sell all of it."""
    memory = ready(make_memory(make_config(**WHOLE, **sections), lots=lots))
    memory.balances = {"EUR": Decimal(500), "BTC": Decimal("0.16")}
    memory.pause = Pause.EMERGENCY_SELL
    memory.risk = Risk(8.0, 10.0, drawdown, Severity.EMERGENCY, Ns(NOW - BAND_FOR))
    pair = one(memory)
    pair.permit = Permit(False, False, True, ("the pause", "the breaker"), exits=True)
    pair.reference = Reference(MID, NOW, MID, NOW)
    return memory


def sells(memory: Memory) -> list[int]:
    return [add.wish.qty for add in decided(memory)]


def set_reference(memory: Memory, **changes: Any) -> None:
    one(memory).reference = replace(one(memory).reference, **changes)


# How much.


def test_an_emergency_sells_what_is_above_the_regimes_share_and_nothing_more() -> None:
    memory = emergency()
    assert sells(memory) == [pytest.approx(HELD - ALLOWED, abs=1)]
    assert why_not(memory, one(memory), NOW) == "emergency: sells down to 80%"


def test_below_the_override_it_sells_free_coins_alone_and_from_it_on_taxable_ones_too() -> None:
    lots = bought((400, 1_000_000, MID), (100, 15_000_000, MID))
    assert sells(emergency(lots, drawdown=0.1999)) == [1_000_000]
    assert sells(emergency(lots, drawdown=0.2)) == [pytest.approx(HELD - ALLOWED, abs=1)]


def test_the_reserve_is_not_sold_in_an_emergency_either() -> None:
    assert sells(emergency(grid={"base_reserve": "0.15"})) == [1_000_000]
    assert sells(emergency(grid={"base_reserve": "0.17"})) == []


@pytest.mark.parametrize(("over", "sold"), [(4_998, []), (5_000, [5_000])])
def test_coins_over_the_share_by_less_than_the_least_quantity_stay(
    over: int, sold: list[int]
) -> None:
    """With 80 % allowed and no money at all, a fifth of the coins is over the share."""
    memory = emergency()
    memory.balances = {"EUR": Decimal(0), "BTC": Decimal(over * 5).scaleb(-8)}
    assert sells(memory) == sold
    assert ("which the regime allows" in why_not(memory, one(memory), NOW)) is (sold == [])


def test_a_harvest_waits_for_the_end_of_an_emergency() -> None:
    memory = emergency()
    memory.taxes = replace(memory.taxes, harvest=harvest_of(5_000))
    assert sells(memory) == [pytest.approx(HELD - ALLOWED, abs=1)]


def harvest_of(sats: int) -> Harvest:
    return Harvest(sats * PER_SAT, Decimal(-70), "brings the year below the limit")  # type: ignore[arg-type]


@pytest.mark.parametrize(("wanted", "sold"), [(7_000, 7_000), (17_000_000, HELD)])
def test_a_harvest_sells_what_it_wants_of_what_there_is(wanted: int, sold: int) -> None:
    memory = ready(make_memory(make_config(**WHOLE)))
    one(memory).permit = Permit(True, True, True)
    memory.taxes = replace(memory.taxes, harvest=harvest_of(wanted))
    assert sells(memory) == [sold]
    one(memory).permit = Permit(False, False, False)
    assert sells(memory) == []


def test_a_harvest_sells_on_the_first_pair_alone() -> None:
    memory, eur, usd = two()
    memory.balances["BTC"] = Decimal("0.16")
    memory.taxes = replace(memory.taxes, harvest=harvest_of(7_000))
    for pair in (eur, usd):
        pair.permit = Permit(True, True, True)
    assert exits.decide(memory, usd, NOW) == []
    assert len(exits.decide(memory, eur, NOW)) == 1


def test_a_piece_is_as_large_as_the_largest_order_at_the_bid() -> None:
    [add] = decided(flattening())
    assert add.wish.qty == 2_000 * 10**9 // (MID - 5)
    assert add.wish.rung == 0


def test_price_and_size_stand_on_the_steps_of_the_pair_on_the_near_side() -> None:
    memory = flattening()
    set_view(memory, pair=replace(BTC_EUR, price_step=50, qty_step=1_000))
    [add] = decided(memory)
    price, qty = int((MID - 5) * 0.995), 2_000 * 10**9 // (MID - 5)
    assert (add.wish.price, add.wish.qty) == (price - price % 50, qty - qty % 1_000)
    assert price % 50
    assert qty % 1_000


def test_the_least_quantity_is_sold_and_a_cool_down_ends_at_its_moment() -> None:
    memory = flattening(make_memory(lots=old_lots("0.00005")))
    put(memory, make_slot(EXIT_SLOT, not_before=NOW))
    assert sells(memory) == [5_000]


def test_a_sell_on_the_other_pair_is_waited_for() -> None:
    memory, eur, usd = two()
    memory.balances["BTC"] = Decimal("0.16")
    memory.flatten = True
    rest(usd, "s1", USD_MID + 3_000, 5_000)
    assert exits.decide(memory, eur, NOW) == []
    usd.slots[usd.place("s1")] = replace(make_slot("s1"), pair="BTC/USD")
    assert len(exits.decide(memory, eur, NOW)) == 1


# What an emergency waits for.

WAITS: dict[str, Callable[[Memory], object]] = {
    "waits for the end of: the pause, the breaker": lambda m: setattr(
        one(m), "permit", replace(one(m).permit, exits=False)
    ),
    "stood for 30 s": lambda m: setattr(
        m, "risk", replace(m.risk, emergency_since=Ns(NOW - BAND_FOR + 1))
    ),
    "for 30 s": lambda m: setattr(m, "risk", replace(m.risk, emergency_since=Ns(0))),
    "waits for a second price": lambda m: set_reference(
        m, second_at=Ns(NOW - SECOND_PRICE_AGE - 1)
    ),
    "for a second price": lambda m: set_reference(m, second=0.0),
    "are 2.0% apart": lambda m: set_reference(m, second=MID / 1.02),
    "ticker are 2.0% apart": lambda m: set_reference(m, second=MID / 0.98),
}


@pytest.mark.parametrize("words", list(WAITS))
def test_an_emergency_names_what_it_waits_for_and_sells_nothing(words: str) -> None:
    memory = emergency()
    WAITS[words](memory)
    assert sells(memory) == []
    said = why_not(memory, one(memory), NOW)
    assert said.startswith("emergency: ")
    assert words in said


@pytest.mark.parametrize(
    "changes",
    [
        {"second_at": Ns(NOW - SECOND_PRICE_AGE)},
        {"second": MID / (1 + AGREES_WITHIN - 1e-6)},
        {"second": MID / (1 - AGREES_WITHIN + 1e-6)},
    ],
)
def test_a_second_price_that_is_just_young_and_near_enough_lets_it_sell(
    changes: dict[str, Any],
) -> None:
    memory = emergency()
    set_reference(memory, **changes)
    assert len(sells(memory)) == 1


def test_where_no_exit_is_called_for_nothing_is_waited_for() -> None:
    memory = emergency()
    memory.pause = Pause.RISK_PAUSE_ACTIVE
    assert (sells(memory), why_not(memory, one(memory), NOW)) == ([], "")


def test_a_flatten_says_what_it_does() -> None:
    memory = flattening()
    assert why_not(memory, one(memory), NOW) == "flatten: sells what is free of tax"


# What is said of an exit.


def announced(memory: Memory, pair: PairMemory, qty: int = 2_000_000) -> list[object]:
    add = Add(pair.slots[pair.place(EXIT_SLOT)], Wish(Side.SELL, Ticks(MID), Sats(qty), 0))
    return list(exits.announce(memory, pair, add))


def test_a_flatten_is_on_record_with_its_lots_and_the_gain_to_expect() -> None:
    memory = flattening(make_memory(lots=bought((400, 10**6, MID - 50_000), (399, 10**9, MID))))
    memory.taxes = replace(memory.taxes, harvest=harvest_of(7_000))  # not what this sale is for
    entry, tell = announced(memory, one(memory))
    assert isinstance(entry, AuditEntry)
    assert (entry.wall, entry.who, entry.what) == (WALL, "bot", "exit")
    assert entry.why.startswith("exit (flatten): sells 0.02000000 BTC down to 85000.0, from 2 lots")
    assert "gain about 48.02 EUR" in entry.why
    assert tell == Tell("critical", "exit", entry.why)


def test_an_emergency_is_on_record_with_its_drawdown_whatever_a_harvest_would_do() -> None:
    memory = emergency(drawdown=0.234)
    memory.taxes = replace(memory.taxes, harvest=harvest_of(7_000))
    found = announced(memory, one(memory))
    assert len(found) == 2
    assert isinstance(found[1], Tell)
    assert found[1].text.startswith("exit (drawdown 23.4%): sells ")


def test_a_harvest_is_on_record_and_counted_as_one_of_the_day() -> None:
    memory = ready()
    memory.taxes = replace(memory.taxes, harvest=harvest_of(7_000))
    *_, tell, counted = announced(memory, one(memory), 7_000)
    assert isinstance(tell, Tell)
    assert tell.text.startswith("exit (harvest: brings the year below the limit): sells 0.00007")
    assert isinstance(counted, Remember)
    assert counted.value.endswith(" 1")


def test_without_a_rate_the_gain_is_unknown_and_the_lots_are_named() -> None:
    memory, _, usd = two()
    memory.flatten = True
    entry, _ = announced(memory, usd)
    assert isinstance(entry, AuditEntry)
    assert entry.why.endswith("from 1 lots, gain about unknown in EUR, no rate for USD: T-old")


def test_an_exit_order_that_is_lost_is_waited_for_before_the_next_piece() -> None:
    memory = emergency()
    put(memory, make_slot(EXIT_SLOT, State.LOST, price=Ticks(MID), since=Ns(NOW - 99 * SECOND)))
    assert sells(memory) == []
