"""Stage 10 to the last Sat: the table by its meaning, tolerances, ages and sizes at their edges."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shared.orders import AddOrder, AmendOrder
from shared.units import Ns, Sats, Side, Ticks
from strategy.core.slots import (
    IN_FLIGHT,
    TRANSITIONS,
    Add,
    Cancel,
    Input,
    State,
    added,
    amended,
    move,
    reduces,
)
from tests.unit.strategy.core.build import MID, asked, make_slot, rung
from tests.unit.strategy.core.test_slots import NOW, OLD, QTY, RULES, kinds, live, wish

# The table by its meaning, so that no row may say anything else.

MEANS: dict[Input, tuple[dict[State, State], frozenset[State]]] = {
    # what it changes, and where it changes nothing
    Input.ADD: ({State.EMPTY: State.PENDING_NEW}, frozenset()),
    Input.AMEND: ({State.LIVE: State.AMEND_PENDING}, frozenset()),
    Input.CANCEL: ({State.LIVE: State.CANCEL_PENDING}, frozenset()),
    Input.ACK: (
        {State.PENDING_NEW: State.LIVE, State.AMEND_PENDING: State.LIVE},
        frozenset((State.LIVE, State.CANCEL_PENDING, State.LOST)),
    ),
    Input.REJECT: (
        {
            State.PENDING_NEW: State.EMPTY,
            State.AMEND_PENDING: State.LIVE,
            State.CANCEL_PENDING: State.LOST,
        },
        frozenset((State.LIVE, State.LOST)),
    ),
    Input.UNSURE: (
        dict.fromkeys(IN_FLIGHT, State.LOST),
        frozenset((State.LIVE, State.LOST)),
    ),
    Input.TIMEOUT: (dict.fromkeys(IN_FLIGHT, State.LOST), frozenset()),
    Input.PART: ({}, frozenset((*IN_FLIGHT, State.LIVE, State.LOST))),
    Input.GONE: (dict.fromkeys((*IN_FLIGHT, State.LIVE, State.LOST), State.EMPTY), frozenset()),
    Input.CUT: (
        dict.fromkeys((*IN_FLIGHT, State.LIVE), State.LOST),
        frozenset((State.EMPTY, State.LOST)),
    ),
    Input.FOUND: (
        {State.LOST: State.LIVE, State.PENDING_NEW: State.LIVE},
        frozenset((State.LIVE, State.AMEND_PENDING, State.CANCEL_PENDING)),
    ),
    Input.ABSENT: ({State.LOST: State.EMPTY}, frozenset()),
}


@pytest.mark.parametrize("what", list(Input))
def test_each_word_changes_what_it_means_and_nothing_else(what: Input) -> None:
    changes, leaves = MEANS[what]
    rows = {before: after for (before, heard), after in TRANSITIONS.items() if heard is what}
    assert rows == changes | {state: state for state in leaves}


def test_in_flight_is_what_waits_for_an_answer() -> None:
    assert IN_FLIGHT == (State.PENDING_NEW, State.AMEND_PENDING, State.CANCEL_PENDING)


def test_what_is_found_again_is_trusted_anew() -> None:
    lost = make_slot("b1", State.LOST, misses=2, doubts=1, rejects=3, price=Ticks(7), qty=Sats(9))
    lost = replace(lost, was_price=Ticks(5), was_qty=Sats(6))
    found = move(lost, Input.FOUND, NOW)
    assert (found.state, found.since) == (State.LIVE, NOW)
    assert (found.misses, found.doubts, found.rejects) == (0, 0, 0)
    assert (found.price, found.qty, found.was_price, found.was_qty) == (7, 9, 0, 0)
    assert move(replace(lost, state=State.PENDING_NEW), Input.FOUND, NOW).rejects == 3


def test_what_is_lost_keeps_all_that_may_still_fill() -> None:
    pending = amended(live("s1", 1), AmendOrder("g", "BTC/EUR", Ticks(1), Sats(2), Ns(3)), OLD)
    lost = move(pending, Input.TIMEOUT, NOW)
    assert lost == replace(pending, state=State.LOST, since=NOW)
    assert lost.high_price == live("s1", 1).price
    assert lost.open_qty == QTY


@pytest.mark.parametrize("case", ["whole side", "a rung too many"])
def test_a_side_that_is_withdrawn_as_a_whole_goes_at_once_and_a_rung_too_many_waits(
    case: str,
) -> None:
    slots = [live("b1", -1), live("b2", -2)]
    wishes = [] if case == "whole side" else [wish(-1)]
    found = asked(slots, wishes, NOW, RULES)
    assert all(isinstance(each, Cancel) and each.urgent is (not wishes) for each in found)
    assert len(found) == 2 - len(wishes)


@pytest.mark.parametrize(
    ("k", "qty", "takes_risk_away"),
    [
        (-1, QTY, True), (-1, QTY + 1, False), (-2, QTY, True), (-0.5, QTY, False),
        (-0.5, QTY - 1, False), (-2, QTY - 1, True), (-2, QTY + 1, False),
    ],
)  # fmt: skip
def test_risk_is_taken_away_by_what_is_no_larger_and_no_nearer(
    k: float, qty: int, takes_risk_away: bool
) -> None:
    assert reduces(live("b1", -1), wish(k, qty)) is takes_risk_away
    assert reduces(live("s1", 1), wish(-k, qty)) is takes_risk_away


@pytest.mark.parametrize(
    ("name", "price", "on_its_way"),
    [
        ("b1", MID + 4, False), ("b1", MID + 5, True), ("b1", MID + 9, True),
        ("s1", MID - 4, False), ("s1", MID - 5, True), ("s1", MID - 9, True),
    ],
)  # fmt: skip
def test_an_order_at_the_other_sides_price_is_being_filled(
    name: str, price: int, on_its_way: bool
) -> None:
    assert RULES.filling(make_slot(name, State.LIVE, price=Ticks(price))) is on_its_way


@pytest.mark.parametrize(
    ("qty", "expected"),
    [
        (QTY, []),
        (QTY * 5 // 6, []),
        (QTY * 5 // 6 - 1, ["Amend b1"]),
        (QTY * 5 // 4, []),
        (QTY * 5 // 4 + 1, ["Amend b1"]),
    ],
)
def test_a_size_is_kept_to_a_fifth_on_both_sides(qty: int, expected: list[str]) -> None:
    assert kinds(asked([live("b1", -1)], [wish(-1, qty)], NOW, RULES)) == expected


def test_the_nearer_of_two_orders_within_the_tolerance_keeps_the_wish() -> None:
    near, nearer = live("b1", -1.12), live("b2", -1.05)
    for slots in ([near, nearer], [nearer, near]):
        assert kinds(asked(slots, [wish(-1)], NOW, RULES)) == ["Cancel b1"]


def test_the_age_at_which_an_order_may_move_is_reached_to_the_moment() -> None:
    for early, expected in ((0, ["Amend b1"]), (1, [])):
        slot = live("b1", -2, changed=Ns(NOW - RULES.least_age + early))
        assert kinds(asked([slot], [wish(-1)], NOW, RULES)) == expected
    for late, expected in ((0, ["Amend b1"]), (1, [])):
        slot = live("b1", -2, not_before=Ns(NOW + late))
        assert kinds(asked([slot], [wish(-1)], NOW, RULES)) == expected
        free = make_slot("b1", not_before=Ns(NOW + late))
        assert bool(asked([free], [wish(-1)], NOW, RULES)) is (late == 0)


def test_a_wish_as_large_as_what_has_filled_has_nothing_left_to_fill() -> None:
    slot = live("b1", -1, filled=Sats(300_000))
    assert kinds(asked([slot], [wish(-1, 300_000)], NOW, RULES)) == ["Cancel b1"]
    assert kinds(asked([slot], [wish(-1, 300_001)], NOW, RULES)) == ["Amend b1"]


def test_what_is_filled_beyond_its_size_has_nothing_open() -> None:
    assert live("b1", -1, filled=Sats(QTY + 5)).open_qty == 0


def test_what_is_sent_is_remembered_with_its_deadline_and_whether_it_is_an_exit() -> None:
    order = AddOrder("gx", "BTC/EUR", Side.SELL, Ticks(5), Sats(6), Ns(7), True)
    slot = added(make_slot("s1"), order, NOW)
    assert slot.exit_order
    changed = amended(live("s1", 1), AmendOrder("g", "BTC/EUR", Ticks(1), Sats(2), Ns(3)), NOW)
    assert (changed.deadline, changed.changed, changed.was_qty) == (3, NOW, QTY)


def test_an_order_whose_fate_is_open_keeps_its_rung_and_the_others_theirs() -> None:
    slots = [
        make_slot("b1", State.LOST, price=Ticks(int(rung(-1))), qty=Sats(7)),
        make_slot("b2"),
        make_slot("b3"),
    ]
    found = asked(slots, [wish(-1), wish(-2), wish(-3)], NOW, RULES)
    assert found == [Add(slots[1], wish(-2)), Add(slots[2], wish(-3))]


def test_an_amend_upward_may_still_fill_below() -> None:
    change = AmendOrder("g", "BTC/EUR", Ticks(int(rung(2))), Sats(QTY), Ns(3))
    pending = amended(live("s1", 1), change, NOW)
    assert (pending.low_price, pending.high_price) == (live("s1", 1).price, change.price)


def test_a_refused_amend_forgives_no_earlier_refusal() -> None:
    change = AmendOrder("g", "BTC/EUR", Ticks(1), Sats(2), Ns(3))
    assert move(amended(live("b1", -1, rejects=2), change, NOW), Input.REJECT, NOW).rejects == 2


def test_a_wish_that_an_order_moves_to_is_not_added_as_well() -> None:
    slots = [live("b1", -2), make_slot("b2"), make_slot("b3")]
    assert kinds(asked(slots, [wish(-1)], NOW, RULES)) == ["Amend b1"]


def test_the_second_of_two_orders_at_one_price_is_one_too_many() -> None:
    assert kinds(asked([live("b1", -1), live("b2", -1)], [wish(-1)], NOW, RULES)) == ["Cancel b2"]
