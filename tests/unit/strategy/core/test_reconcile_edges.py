"""Reconciliation at its edges: what may still take effect, whom to ask when, and what is told."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from msgspec.structs import replace

from shared.orders import AskEach, AskFailed, AskOrders, CancelOrder, Listed, Looked, RestingOrder
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import reconcile
from strategy.core.memory import Asking, Memory
from strategy.core.out import Tell
from strategy.core.slots import IN_FLIGHT, State
from strategy.ledger.entries import IntentDone, Remember
from tests.unit.strategy.core.build import BOOT, MID, STAMP, WALL, make_slot
from tests.unit.strategy.core.test_gate import one, put
from tests.unit.strategy.core.test_reconcile import NAME, ORDER, at, b1, holding, listed

OTHER = f"g{STAMP}0bb2"
FAR = Ns(WALL + 10**6 * SECOND)
"""A deadline that a step of our wall clock put far ahead."""


def heard(memory: Memory, asked: float, *resting: RestingOrder) -> list[Any]:
    return reconcile.listed(memory, Listed(at(asked), resting, memory.wall), memory.now)


def tells(out: list[Any]) -> list[str]:
    return [item.key for item in out if isinstance(item, Tell)]


# What may still take effect.


@pytest.mark.parametrize(
    ("changed", "deadline", "asked", "misses"),
    [
        (40, 54, 54, 0),  # by the exchange's clock, though it was sent long ago
        (40, 54, 55.5, 1),
        (50, 0, 52, 1),  # an order that was found rests: nothing of ours is under way
        (50, None, 90, 0),
        (50, None, 111, 0),  # no deadline lies further ahead than a minute
        (50, None, 111.5, 1),
        (None, None, 60.5, 0),  # of an earlier life: sent before this one began
        (None, None, 61.5, 1),
    ],
)
def test_a_miss_counts_once_nothing_of_ours_can_take_effect(
    changed: int | None, deadline: int | None, asked: float, misses: int
) -> None:
    until = FAR if deadline is None else Ns(deadline and WALL + deadline * SECOND)
    memory = holding(
        State.LOST, changed=Ns(0) if changed is None else at(changed), deadline=until, since=at(1)
    )
    memory.boot = BOOT
    memory.now, memory.wall = at(100), Ns(WALL + 100 * SECOND)
    assert listed(memory, asked).misses == misses


def test_a_list_from_before_an_order_was_heard_of_does_not_miss_it() -> None:
    memory = holding(State.LIVE, deadline=Ns(0))
    assert listed(memory, 49).misses == 0
    assert listed(memory, 50).misses == 0
    assert listed(memory, 50.5).misses == 1


@pytest.mark.parametrize(("asked", "misses"), [(55, 0), (55.1, 1)])
def test_a_wall_clock_that_stepped_ahead_does_not_shorten_a_deadline(
    asked: float, misses: int
) -> None:
    memory = holding(State.LOST)
    memory.wall = Ns(WALL + 10**4 * SECOND)
    assert listed(memory, asked).misses == misses


@pytest.mark.parametrize(("skew", "misses"), [(0, 1), (30, 1), (-10, 0)])
def test_the_deadline_is_read_by_the_exchanges_clock(skew: int, misses: int) -> None:
    """Ours says second 60; theirs, ten seconds behind, does not see the deadline of 54 passed."""
    memory = holding(State.LOST, changed=at(40))
    memory.skew = Ns(skew * SECOND)
    assert listed(memory, 60).misses == misses


def test_by_rest_one_miss_puts_a_live_order_in_doubt() -> None:
    memory = holding(State.LIVE)
    memory.line = "rest"
    slot = listed(memory, 90)
    assert (slot.state, slot.misses, slot.since) == (State.LOST, 1, at(50))


# What is found.


def test_what_the_list_says_of_an_order_is_taken_over() -> None:
    other = replace(ORDER, price=Ticks(MID - 90), filled=Sats(0))
    lost = holding(State.LOST, doubts=3, misses=1, filled=Sats(7))
    slot = listed(lost, 90, other)
    assert (slot.price, slot.qty, slot.filled) == (MID - 90, ORDER.qty, 7)
    assert (slot.misses, slot.doubts, slot.changed) == (0, 0, lost.now)
    live = holding(State.LIVE)
    assert listed(live, 90, other).changed == at(50), "it is as old as it was"


@pytest.mark.parametrize("state", [State.AMEND_PENDING, State.CANCEL_PENDING])
def test_what_is_under_way_is_not_undone_by_what_still_rests(state: State) -> None:
    memory = holding(state, was_price=Ticks(MID - 90), was_qty=Sats(500_000))
    slot = listed(memory, 90, replace(ORDER, price=Ticks(MID - 90), qty=Sats(500_000)))
    assert (slot.price, slot.qty) == (MID - 7, 588_000)


def test_a_lost_order_on_an_older_list_rests_all_the_same() -> None:
    memory = holding(State.LOST, since=at(95))
    assert listed(memory, 90, ORDER).state is State.LIVE


@pytest.mark.parametrize(
    ("was", "price", "asked", "state"),
    [
        (MID - 90, MID - 90, 53, State.LOST),  # the amend may still come
        (MID - 90, MID - 90, 60, State.LIVE),  # it cannot any more
        (MID - 90, MID - 7, 53, State.LIVE),  # it has come
        (0, MID - 90, 53, State.LIVE),  # there was none
    ],
)
def test_the_old_order_stands_while_a_lost_amend_may_still_take_effect(
    was: int, price: int, asked: float, state: State
) -> None:
    memory = holding(State.LOST, qty=ORDER.qty, was_price=Ticks(was), was_qty=Sats(was and 5))
    assert listed(memory, asked, replace(ORDER, price=Ticks(price))).state is state


@pytest.mark.parametrize(("asked", "orphan"), [(94, False), (95, False), (95.1, True)])
def test_an_order_that_ended_after_the_list_was_asked_for_is_no_orphan(
    asked: float, orphan: bool
) -> None:
    memory = holding(State.LIVE)
    memory.gone_at[OTHER] = at(95)
    heard(memory, asked, ORDER, replace(ORDER, cl_ord_id=OTHER, order_id="O2"))
    assert (OTHER in memory.orphans) is orphan


@pytest.mark.parametrize(
    ("sent", "asked", "named", "kept"),
    [
        (95, 90, False, True),
        (95, 95, False, True),
        (95, 96, False, False),
        (95, 96, True, True),
        (None, 96, False, True),
    ],
)
def test_an_orphan_is_dropped_once_a_later_list_does_not_name_it(
    sent: int | None, asked: float, named: bool, kept: bool
) -> None:
    memory = holding(State.LIVE)
    memory.orphans[OTHER] = Ns(0) if sent is None else at(sent)
    heard(memory, asked, ORDER, *([replace(ORDER, cl_ord_id=OTHER)] if named else []))
    assert (OTHER in memory.orphans) is kept


@pytest.mark.parametrize(("after", "again"), [(9.9, False), (10, True)])
def test_an_orphan_is_cancelled_again_after_ten_seconds(after: float, again: bool) -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking(wanted=False, listed_at=at(100))
    memory.orphans[OTHER] = Ns(0)
    assert CancelOrder(OTHER) in reconcile.ask(memory, at(100))
    assert (CancelOrder(OTHER) in reconcile.ask(memory, at(100 + after))) is again


# Whom to ask, and when.


def test_an_acknowledged_order_is_given_up_after_the_fifth_denial() -> None:
    memory = holding(State.LOST, order_id="O1", misses=2)
    for doubts in (1, 2, 3, 4):
        assert reconcile.looked(memory, Looked(at(90), NAME, None, "", Sats(0)), memory.now) == []
        assert (b1(memory).state, b1(memory).doubts, b1(memory).misses) == (State.LOST, doubts, 0)
    out = reconcile.looked(memory, Looked(at(90), NAME, None, "", Sats(0)), memory.now)
    assert [item.outcome for item in out if isinstance(item, IntentDone)] == ["never"]
    assert b1(memory).state is State.EMPTY


def asks(memory: Memory, seconds: float) -> list[type]:
    return [type(item) for item in reconcile.ask(memory, at(seconds))]


@pytest.mark.parametrize(("misses", "after"), [(0, 3.0), (1, 3.0), (2, None)])
def test_while_an_order_is_lost_lists_come_each_three_seconds_until_two_missed_it(
    misses: int, after: float | None
) -> None:
    memory = holding(State.LOST, misses=misses)
    memory.asking = Asking(wanted=False, listed_at=at(97), each=("busy",), each_at=at(97))
    assert asks(memory, 99.9) == []
    assert asks(memory, 100) == ([] if after is None else [AskOrders])


def test_an_answer_ends_the_pause_after_failures() -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking(wanted=False, listed_at=memory.now)
    for _ in range(3):
        out = reconcile.ask_failed(memory, AskFailed("busy"), memory.now)
    assert tells(out) == ["ask_failed"]
    assert (memory.asking.failures, memory.asking.listed_at) == (3, memory.now)
    assert asks(memory, 107.9) == []
    listed(memory, 90, ORDER)
    assert (memory.asking.failures, memory.asking.not_before) == (0, 0)
    memory.asking = replace(memory.asking, wanted=True)
    assert asks(memory, 101) == [AskOrders]


def test_what_a_question_left_out_is_asked_about_at_once() -> None:
    memory = holding(State.LOST, misses=2)
    place = make_slot("b2", State.LOST, cl_ord_id=OTHER, misses=2, order_id="O2")
    put(memory, place)
    memory.index[OTHER] = ("BTC/EUR", 1)
    memory.asking = Asking(wanted=False, listed_at=memory.now)
    assert reconcile.ask(memory, memory.now) == [AskEach(((NAME, ""), (OTHER, "O2")))]
    reconcile.looked(memory, Looked(at(99), NAME, None, "canceled", Sats(0)), memory.now)
    assert reconcile.ask(memory, memory.now) == [AskEach(((OTHER, "O2"),))]


def test_a_question_about_orders_without_an_answer_is_asked_again_after_a_minute() -> None:
    memory = holding(State.LOST, misses=2)
    memory.asking = Asking(wanted=False, listed_at=at(95))
    memory.now = at(100)
    assert asks(memory, 100) == [AskEach]
    memory.asking = replace(memory.asking, listed_at=at(155))
    assert asks(memory, 160) == []
    assert asks(memory, 160.5) == [AskEach]


def test_an_answer_about_an_unknown_order_changes_nothing() -> None:
    memory = holding(State.LOST, misses=2)
    assert reconcile.looked(memory, Looked(at(9), OTHER, None, "", Sats(0)), memory.now) == []
    assert b1(memory).state is State.LOST


@pytest.mark.parametrize(
    ("line", "order_id", "synced", "deadline", "asked"),
    [
        ("rest", "O1", True, 54, True),
        ("up", "O1", True, 54, False),
        ("rest", "", True, 54, False),
        ("rest", "O1", False, 54, False),
        ("rest", "O1", True, 100, False),
    ],
)
def test_by_rest_a_lost_order_whose_id_is_known_is_asked_about_without_two_lists(
    line: str, order_id: str, synced: bool, deadline: int, asked: bool
) -> None:
    memory = holding(
        State.LOST, order_id=order_id, deadline=Ns(WALL + deadline * SECOND), changed=at(50)
    )
    memory.line = line
    memory.line_up_at = at(90)
    memory.asking = Asking(listed_at=at(98 if synced else 89), not_before=at(0))
    assert (AskEach in asks(memory, 100)) is asked


@pytest.mark.parametrize(
    ("line", "asked", "status", "order", "state"),
    [
        ("up", 90, "open", ORDER, State.LIVE),
        ("up", 89, "open", ORDER, State.LOST),  # the line was cut since
        ("down", 95, "open", ORDER, State.LOST),
        ("up", 95, "canceled", ORDER, State.EMPTY),
    ],
)
def test_an_answer_that_an_order_rests_counts_for_the_line_it_was_asked_by(
    line: Literal["up", "down"], asked: float, status: str, order: RestingOrder, state: State
) -> None:
    memory = holding(State.LOST, misses=2)
    memory.line, memory.line_up_at = line, at(90)
    reconcile.looked(memory, Looked(at(asked), NAME, order, status, Sats(9)), memory.now)
    assert b1(memory).state is state


def test_while_the_exchange_is_left_in_peace_no_order_is_asked_about() -> None:
    memory = holding(State.LOST, misses=2)
    memory.asking = Asking(wanted=False, listed_at=at(100), not_before=at(101))
    assert asks(memory, 100.9) == []
    assert asks(memory, 101) == [AskEach]


def test_after_a_failure_the_list_is_wanted_again_at_the_end_of_the_pause() -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking(wanted=False, listed_at=at(99.5))
    reconcile.ask_failed(memory, AskFailed("busy"), at(100))
    assert asks(memory, 101.9) == []
    assert asks(memory, 102) == [AskOrders]


@pytest.mark.parametrize("state", IN_FLIGHT)
def test_a_request_without_an_answer_is_counted_told_and_asked_about(state: State) -> None:
    memory = holding(state)
    memory.asking = Asking(wanted=False)
    assert tells(reconcile.time_out(memory, one(memory), at(55))) == ["timeout"]
    assert memory.counters["timeouts"] == 1
    assert memory.asking.wanted


# What is told.


def test_the_cancel_of_an_orphan_is_told_and_counted() -> None:
    memory = holding(State.LIVE)
    memory.orphans[OTHER] = Ns(0)
    assert tells(reconcile.ask(memory, at(100))) == ["orphan"]
    assert memory.counters["orphans_cancelled"] == 1


def foreign(number: int) -> RestingOrder:
    return RestingOrder(f"F{number}", "", "BTC/EUR", Side.SELL, Ticks(MID + 9), Sats(1), Sats(0))


def test_orders_of_somebody_else_are_told_when_they_change_and_the_cursor_is_kept() -> None:
    memory = holding(State.LIVE)
    out = heard(memory, 90, ORDER, foreign(1))
    assert tells(out) == ["foreign_orders"]
    assert [item.key for item in out if isinstance(item, Remember)] == ["cursor"]
    assert memory.foreign == ("F1",)
    assert tells(heard(memory, 91, ORDER, foreign(1))) == []
    assert tells(heard(memory, 92, ORDER, foreign(1), foreign(2))) == ["foreign_orders"]
    assert tells(heard(memory, 93, ORDER)) == []
    assert not memory.foreign
