"""What the exchange's list says about a slot, by what the slot was and when it was asked."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from shared.orders import AskEach, AskFailed, AskOrders, Listed, Looked, RestingOrder
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import reconcile
from strategy.core.memory import Asking, Memory
from strategy.core.out import Tell
from strategy.core.slots import IN_FLIGHT, Slot, State
from strategy.ledger.entries import IntentDone, Remember
from tests.unit.strategy.core.build import BOOT, MID, STAMP, WALL, make_slot
from tests.unit.strategy.core.test_gate import one, put, ready

NAME = f"g{STAMP}0bb1"
ORDER = RestingOrder("O1", NAME, "BTC/EUR", Side.BUY, Ticks(MID - 7), Sats(600_000), Sats(9))
HELD = [state for state in State if state is not State.EMPTY]


def at(seconds: float) -> Ns:
    return Ns(BOOT + int(seconds * SECOND))


def holding(state: State, **fields: Any) -> Memory:
    """A memory 100 s old whose b1 has been in this state since second 50."""
    memory = ready()
    memory.line_up_at, memory.now, memory.wall = BOOT, at(100), Ns(WALL + 100 * SECOND)
    values = {"since": at(50), "changed": at(50), "deadline": Ns(WALL + 54 * SECOND)} | fields
    put(memory, make_slot("b1", state, cl_ord_id=NAME, price=Ticks(MID - 7), **values))
    memory.index[NAME] = ("BTC/EUR", 0)
    return memory


def b1(memory: Memory) -> Slot:
    return one(memory).slots[0]


def listed(memory: Memory, asked: float, *orders: RestingOrder) -> Slot:
    reconcile.listed(memory, Listed(at(asked), orders, memory.wall), memory.now)
    return b1(memory)


@pytest.mark.parametrize("state", HELD)
def test_an_order_on_the_list_is_found_whatever_we_believed(state: State) -> None:
    slot = listed(holding(state), 90, ORDER)
    still = state in (State.AMEND_PENDING, State.CANCEL_PENDING)
    assert slot.state is (state if still else State.LIVE)
    assert slot.order_id == "O1"
    if not still:
        assert (slot.price, slot.qty, slot.filled) == (ORDER.price, ORDER.qty, ORDER.filled)


@pytest.mark.parametrize("state", [state for state in HELD if state is not State.LOST])
def test_a_list_older_than_what_we_sent_or_heard_says_nothing(state: State) -> None:
    memory = holding(state)
    before = b1(memory)
    assert listed(memory, 49, ORDER) == before
    assert listed(memory, 49) == before


@pytest.mark.parametrize("state", IN_FLIGHT)
def test_an_order_in_flight_is_never_missed(state: State) -> None:
    memory = holding(state)
    before = b1(memory)
    assert listed(memory, 90) == before


def test_a_live_order_missed_twice_is_lost_and_then_asked_about() -> None:
    memory = holding(State.LIVE)
    assert (listed(memory, 80).state, b1(memory).misses) == (State.LIVE, 1)
    assert (listed(memory, 90).state, b1(memory).misses) == (State.LOST, 2)
    commands = reconcile.ask(memory, memory.now)
    asked = AskEach(((NAME, b1(memory).order_id),))
    assert asked in commands
    assert asked not in reconcile.ask(memory, memory.now), "one question at a time"


@pytest.mark.parametrize(("asked", "misses"), [(54, 0), (55, 0), (55.1, 1), (90, 1)])
def test_a_miss_counts_only_after_the_deadline(asked: float, misses: int) -> None:
    assert listed(holding(State.LOST), asked).misses == misses


@pytest.mark.parametrize(
    ("status", "order", "state"),
    [
        ("open", ORDER, State.LIVE),
        ("canceled", None, State.EMPTY),
        ("filled", None, State.EMPTY),
        ("", None, State.EMPTY),
    ],
)
def test_the_answer_to_a_question_about_one_order(
    status: str, order: RestingOrder | None, state: State
) -> None:
    memory = holding(State.LOST, misses=2)
    out = reconcile.looked(memory, Looked(at(90), NAME, order, status, Sats(0)), memory.now)
    assert b1(memory).state is state
    done = [item.outcome for item in out if isinstance(item, IntentDone)]
    assert done == ([] if state is State.LIVE else [status or "never"])
    assert (NAME in memory.index) is (state is State.LIVE)


@pytest.mark.parametrize("state", [State.LIVE, *IN_FLIGHT])
def test_an_answer_about_an_order_that_is_not_lost_any_more_changes_nothing(state: State) -> None:
    memory = holding(state)
    before = b1(memory)
    assert reconcile.looked(memory, Looked(at(90), NAME, None, "", Sats(0)), memory.now) == []
    assert b1(memory) == before


def test_the_cursor_stays_behind_and_never_goes_back() -> None:
    memory = holding(State.LIVE)
    reconcile.listed(memory, Listed(at(90), (ORDER,), memory.wall), memory.now)
    assert memory.cursor == memory.wall - 30 * SECOND
    out = reconcile.listed(memory, Listed(at(91), (ORDER,), Ns(5)), memory.now)
    assert memory.cursor == memory.wall - 30 * SECOND
    assert not [item for item in out if isinstance(item, Remember)]


def test_a_wish_for_a_list_that_came_up_meanwhile_is_still_met() -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking(asked_at=at(90), wanted=True)
    listed(memory, 90, ORDER)
    assert [type(item) for item in reconcile.ask(memory, memory.now)] == [AskOrders]


def test_a_question_that_failed_is_asked_again_later_each_time() -> None:
    memory = holding(State.LIVE)
    waits = []
    for _ in range(7):
        reconcile.ask_failed(memory, AskFailed("busy"), memory.now)
        waits.append((memory.asking.not_before - memory.now) // SECOND)
        assert reconcile.ask(memory, memory.now) == []
    assert waits == [2, 4, 8, 16, 30, 30, 30]


def test_a_question_that_is_never_answered_is_asked_again() -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking()
    assert reconcile.ask(memory, memory.now) == [AskOrders(memory.cursor)]
    assert reconcile.ask(memory, Ns(memory.now + 60 * SECOND)) == []
    assert reconcile.ask(memory, Ns(memory.now + 61 * SECOND)) == [AskOrders(memory.cursor)]


@pytest.mark.parametrize("state", IN_FLIGHT)
def test_patience_ends_after_the_acknowledgements_time(state: State) -> None:
    memory = holding(state)
    assert reconcile.time_out(memory, one(memory), at(54.9)) == []
    assert b1(memory).state is state
    assert reconcile.time_out(memory, one(memory), at(55))
    assert b1(memory).state is State.LOST
    assert memory.asking.wanted


def test_answers_that_never_came_are_told_in_the_order_of_the_places() -> None:
    """Whichever amend was sent first."""
    memory = ready()
    pair = one(memory)
    for name in ("s1", "b2", "b1"):
        slot = make_slot(name, State.LIVE, cl_ord_id=name, price=Ticks(MID))
        put(memory, slot)
        waits = replace(slot, state=State.AMEND_PENDING, was_price=slot.price, since=at(50))
        pair.amend(pair.place(name), waits)
    out = reconcile.time_out(memory, pair, at(55))
    assert [item.text.split(":")[0] for item in out if isinstance(item, Tell)] == ["b1", "b2", "s1"]
