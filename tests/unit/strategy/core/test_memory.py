"""What a new life remembers, and the names of its orders."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.memory import Memory, Start, base36, is_ours, stamp_of
from strategy.core.slots import State
from strategy.ledger.entries import IntentEntry
from tests.unit.strategy.core.build import BOOT, BTC_EUR, CONFIG, STAMP, WALL, old_lots


def intent(cl_ord_id: str, slot: str, *, pair: str = "BTC/EUR") -> IntentEntry:
    side = Side.BUY if slot.startswith("b") else Side.SELL
    return IntentEntry(cl_ord_id, slot, pair, side, Ticks(7), Sats(8), Ns(9), WALL)


def born(*intents: IntentEntry, **facts: str) -> Memory:
    return Memory(CONFIG, Start(BOOT, WALL, STAMP, intents, facts), old_lots())


def test_every_order_of_an_earlier_life_is_lost_until_the_exchange_speaks() -> None:
    memory = born(intent("g1", "b2"), intent("g2", "x"))
    lost = {slot.name: slot for slot in memory.all_slots() if slot.state is not State.EMPTY}
    assert set(lost) == {"b2", "x"}
    assert all(slot.state is State.LOST for slot in lost.values())
    assert (lost["b2"].price, lost["b2"].qty, lost["b2"].deadline) == (7, 8, 9)
    assert lost["x"].exit_order
    assert set(memory.index) == {"g1", "g2"}
    assert memory.busy() == memory.lost() == 2


@pytest.mark.parametrize(
    "intents",
    [
        (intent("g1", "b9"), intent("g2", "s20")),  # fewer levels than there were
        (intent("g1", "b1"), intent("g2", "b1")),  # two orders of one place
    ],
)
def test_an_order_without_a_place_is_given_one_of_its_own(intents: tuple[IntentEntry, ...]) -> None:
    memory = born(*intents)
    names = [slot.name for slot in memory.all_slots()]
    assert len(names) == len(set(names))
    for each in intents:
        found = memory.slot_of(each.cl_ord_id)
        assert found is not None
        pair, place = found
        assert pair.slots[place].cl_ord_id == each.cl_ord_id
        assert pair.slots[place].side is each.side
        assert pair.slots[place] in pair.side(each.side)


def test_an_order_of_a_pair_that_is_not_traded_has_no_place() -> None:
    assert born(intent("g1", "b1", pair="BTC/USD")).index == {}


def test_facts_survive() -> None:
    memory = born(
        hold="lunch", halt="fills", peak="123.5", cursor="77",
        **{"anchor:BTC/EUR": '{"base":850000.5,"step":0.0039,"center":-3}',
           "unmatched:BTC/EUR": "[[1,2],[3,4]]"},
    )  # fmt: skip
    pair = memory.pairs["BTC/EUR"]
    assert (memory.hold, memory.halt, memory.risk.peak, memory.cursor) == (
        "lunch", "fills", 123.5, 77,
    )  # fmt: skip
    assert (pair.hung.anchor.base, pair.hung.anchor.center) == (850_000.5, -3)
    assert pair.unmatched == ((1, 2), (3, 4))


def test_ids_are_ours_short_and_never_repeated() -> None:
    memory = born()
    pair = memory.pairs["BTC/EUR"]
    names = [memory.next_id(pair, side) for _ in range(2_000) for side in Side]
    assert len(set(names)) == len(names)
    assert all(is_ours(name) and len(name) <= 18 and name.isalnum() for name in names)


@pytest.mark.parametrize(
    "name",
    ["", "g", "grid-007", "G1234567" + "0b1", "g12345670x1", "g1234567ab1", "6f0c2f3e-uuid",
     "g12345670b", "g12345670b1\n", "xg12345670b1"],
)  # fmt: skip
def test_what_does_not_bear_our_form_is_somebody_elses(name: str) -> None:
    assert not is_ours(name)


def test_a_stamp_is_above_every_earlier_one_even_if_the_clock_fell_back() -> None:
    first = stamp_of(WALL, "")
    assert len(first) == 7
    assert stamp_of(Ns(WALL - 3_600 * SECOND), first) > first
    assert stamp_of(Ns(WALL + 60 * SECOND), first) > first


def test_base_36() -> None:
    assert [base36(n) for n in (0, 35, 36, 1_295)] == ["0", "z", "10", "zz"]


def test_coins_and_money_are_counted_anew_with_other_balances_and_other_decimals() -> None:
    memory = born()
    pair = memory.pairs["BTC/EUR"]
    memory.balances = {"EUR": Decimal(2), "BTC": Decimal("0.5")}
    assert memory.totals(pair) == (0, 0)
    pair.tape.pair = BTC_EUR
    assert memory.totals(pair) == (5 * 10**7, 2 * 10**9)
    pair.tape.pair = replace(BTC_EUR, price_decimals=2)
    assert memory.totals(pair) == (5 * 10**7, 2 * 10**10)
    memory.balances = {"EUR": Decimal(3)}
    assert memory.totals(pair) == (0, 3 * 10**10)
