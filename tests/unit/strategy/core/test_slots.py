"""Stage 10: the slot's table walked, and wishes held against orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.orders import AddOrder, AmendOrder, CancelOrder
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.decide import Rules, at_rest, unsettled
from strategy.core.slots import (
    IN_FLIGHT,
    TRANSITIONS,
    Add,
    Amend,
    Cancel,
    IllegalTransitionError,
    Input,
    Intent,
    Slot,
    State,
    Wish,
    added,
    amended,
    canceled,
    filled,
    move,
)
from tests.unit.strategy.core.build import MID, STEP, asked, make_slot, rung

NOW = Ns(10_000 * SECOND)
OLD = Ns(NOW - 60 * SECOND)
RULES = Rules(STEP, 0.15, 15 * SECOND, MID - 5, MID + 5)
QTY = 588_000
HEARD = tuple(what for what in Input if what not in (Input.ADD, Input.AMEND, Input.CANCEL))


def live(name: str, k: float, **fields: Any) -> Slot:
    values = {"price": Ticks(int(rung(k))), "changed": OLD, "qty": Sats(QTY)} | fields
    return make_slot(name, State.LIVE, **values)


def wish(k: float, qty: int = QTY) -> Wish:
    return Wish(Side.BUY if k < 0 else Side.SELL, Ticks(int(rung(k))), Sats(qty), int(abs(k)))


def rest(slots: Sequence[Slot], wishes: Sequence[Wish], rules: Rules) -> bool:
    held = [slot for slot in slots if slot.state is not State.EMPTY]
    return at_rest(unsettled(held, wishes, NOW, rules.enlarge_age), rules)


def kinds(intents: Sequence[Intent]) -> list[str]:
    return [f"{type(each).__name__} {each.slot.name}" for each in intents]


# The table.


@pytest.mark.parametrize(("row", "after"), list(TRANSITIONS.items()))
def test_each_row_leads_where_it_says(row: tuple[State, Input], after: State) -> None:
    state, what = row
    slot = make_slot("b1", state, since=OLD)
    moved = move(slot, what, NOW)
    assert moved.state is after
    assert moved.since == (OLD if after is state else NOW)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("what", list(Input))
def test_what_is_not_in_the_table_is_our_own_fault(state: State, what: Input) -> None:
    if (state, what) not in TRANSITIONS:
        with pytest.raises(IllegalTransitionError, match="b1"):
            move(make_slot("b1", state), what, NOW)


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_left_for_empty(state: State) -> None:
    reached = {state}
    while True:
        further = {after for (before, _), after in TRANSITIONS.items() if before in reached}
        if further <= reached:
            break
        reached |= further
    assert State.EMPTY in reached


@pytest.mark.parametrize("state", list(State))
def test_a_cut_line_loses_every_order(state: State) -> None:
    after = move(make_slot("b1", state), Input.CUT, NOW).state
    assert after is (State.EMPTY if state is State.EMPTY else State.LOST)


def test_only_the_exchanges_own_word_ends_or_finds_a_lost_order() -> None:
    ways = {what for (before, what), after in TRANSITIONS.items()
            if before is State.LOST and after is not State.LOST}  # fmt: skip
    assert ways == {Input.FOUND, Input.ABSENT, Input.GONE}


@pytest.mark.parametrize("state", IN_FLIGHT)
@pytest.mark.parametrize("what", [Input.TIMEOUT, Input.UNSURE, Input.CUT])
def test_silence_is_not_failure(state: State, what: Input) -> None:
    assert TRANSITIONS[state, what] is State.LOST


@pytest.mark.parametrize("state", [state for state in State if state is not State.EMPTY])
@pytest.mark.parametrize("what", [Input.PART, Input.GONE, Input.CUT, Input.FOUND])
def test_a_fill_the_end_a_cut_and_a_list_may_come_in_every_state(state: State, what: Input) -> None:
    assert (state, what) in TRANSITIONS


# What a slot knows.


def test_an_emptied_slot_keeps_nothing_of_its_order_but_its_cool_down() -> None:
    slot = live("b1", -1, filled=Sats(7), rejects=3, not_before=Ns(5), misses=2)
    assert move(slot, Input.GONE, NOW) == make_slot("b1", since=NOW, not_before=Ns(5), rejects=3)


def test_a_refused_amend_leaves_the_old_order_standing() -> None:
    slot = live("b1", -1)
    change = AmendOrder(slot.cl_ord_id, slot.pair, Ticks(1), Sats(2), Ns(3))
    pending = amended(slot, change, NOW)
    assert (pending.price, pending.qty, pending.was_price) == (1, 2, slot.price)
    back = move(pending, Input.REJECT, NOW)
    assert (back.state, back.price, back.qty) == (State.LIVE, slot.price, slot.qty)
    assert (back.was_price, back.was_qty) == (0, 0)


def test_an_accepted_amend_is_believed_and_forgives_earlier_refusals() -> None:
    slot = live("b1", -1, rejects=2)
    change = AmendOrder(slot.cl_ord_id, slot.pair, Ticks(1), Sats(2), Ns(3))
    after = move(amended(slot, change, NOW), Input.ACK, NOW)
    assert (after.price, after.qty, after.rejects) == (1, 2, 0)


def test_an_accepted_add_forgives_nothing_yet() -> None:
    """Kraken acknowledges a post-only order and may cancel it for crossing right after."""
    assert move(make_slot("b1", State.PENDING_NEW, rejects=2), Input.ACK, NOW).rejects == 2


def test_while_an_amend_is_under_way_either_order_may_fill() -> None:
    slot = live("s1", 1, qty=Sats(100), filled=Sats(30))
    change = AmendOrder(slot.cl_ord_id, slot.pair, Ticks(slot.price - 9), Sats(80), Ns(3))
    pending = amended(slot, change, NOW)
    assert pending.open_qty == 70
    assert (pending.low_price, pending.high_price) == (slot.price - 9, slot.price)
    assert (slot.low_price, slot.high_price) == (slot.price, slot.price)


def test_fills_and_the_list_overlap_and_neither_is_counted_twice() -> None:
    """What the list says has filled includes fills that this life books only later."""
    slot = live("b1", -1, filled=Sats(50))
    slot = filled(slot, Ticks(7), 20)
    assert (slot.filled, slot.heard, slot.traded) == (50, 20, 7)
    slot = filled(filled(slot, Ticks(7), 30), Ticks(8), 10)
    assert (slot.filled, slot.heard, slot.traded) == (60, 60, 8)


def test_what_is_sent_says_what_the_slot_remembers() -> None:
    order = AddOrder("gx", "BTC/EUR", Side.BUY, Ticks(5), Sats(6), Ns(7))
    slot = added(make_slot("b1"), order, NOW)
    assert (slot.state, slot.cl_ord_id, slot.price, slot.qty) == (State.PENDING_NEW, "gx", 5, 6)
    assert (slot.deadline, slot.changed) == (7, NOW)
    leaving, command = canceled(live("b1", -1, order_id="O1"), NOW)
    assert leaving.state is State.CANCEL_PENDING
    assert command == CancelOrder(leaving.cl_ord_id, "O1")


# Stage 10.


CASES: dict[str, tuple[list[Slot], list[Wish], list[str]]] = {
    "an empty side is filled": (
        [make_slot("b1"), make_slot("b2")],
        [wish(-1), wish(-2)],
        ["Add b1", "Add b2"],
    ),
    "what rests where it is wished is left alone": ([live("b1", -1)], [wish(-1)], []),
    "within the tolerance is where it is wished": ([live("b1", -1.14)], [wish(-1)], []),
    "beyond the tolerance it is moved": ([live("b1", -1.2)], [wish(-1)], ["Amend b1"]),
    "too young to be moved": ([live("b1", -1.5, changed=NOW)], [wish(-1)], []),
    "moving away from the market is allowed at any age": (
        [live("b1", -1, changed=NOW)],
        [wish(-2)],
        ["Amend b1"],
    ),
    "cooling down after a refused amend": (
        [live("b1", -2, not_before=Ns(NOW + 1))],
        [wish(-1)],
        [],
    ),
    "an order that no rung wants": ([live("b1", -1)], [], ["Cancel b1"]),
    "a size too large by more than a fifth": ([live("b1", -1)], [wish(-1, 480_000)], ["Amend b1"]),
    "a size within a fifth": ([live("b1", -1)], [wish(-1, 500_000)], []),
    "more filled than its rung shall have": (
        [live("b1", -1, filled=Sats(400_000))],
        [wish(-1, 300_000)],
        ["Cancel b1"],
    ),
    "a cancelled order keeps its wish waiting": (
        [live("b1", -1, filled=Sats(400_000)), make_slot("b2")],
        [wish(-1, 300_000)],
        ["Cancel b1"],
    ),
    "a cool-down after a reject": ([make_slot("b1", not_before=Ns(NOW + 1))], [wish(-1)], []),
    "an order in flight holds the place of a wish": (
        [make_slot("b1", State.PENDING_NEW, price=Ticks(1)), make_slot("b2")],
        [wish(-1)],
        [],
    ),
    "a lost order near a wish serves it": (
        [make_slot("b1", State.LOST, price=Ticks(int(rung(-1)))), make_slot("b2")],
        [wish(-1), wish(-2)],
        ["Add b2"],
    ),
    "a lost order serves its rung whatever its size": (
        [make_slot("b1", State.LOST, price=Ticks(int(rung(-1))), qty=Sats(7)), make_slot("b2")],
        [wish(-1)],
        [],
    ),
    "two wishes nearer than the tolerance are still two": (
        [live("b1", -1), make_slot("b2")],
        [wish(-1.05), wish(-1)],
        ["Add b2"],
    ),
    "the market stands at its price: its fill is on its way": (
        [live("b1", 1), make_slot("b2")],
        [wish(-1)],
        [],
    ),
    "price is matched before order, so a moved grid changes one order": (
        [live("b1", -3), live("b2", -1), live("b3", -2)],
        [wish(-2), wish(-3), wish(-4)],
        ["Amend b2"],
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_wishes_against_orders(case: str) -> None:
    slots, wishes, expected = CASES[case]
    assert kinds(asked(slots, wishes, NOW, RULES)) == expected


def test_sizes_change_in_place_whatever_the_slots_order() -> None:
    """Only the sizes are wished otherwise: no order is moved to another's price for it."""
    slots = [live("b1", -2), live("b2", -1), live("b3", -3)]
    found = asked(slots, [wish(-k, QTY // 2) for k in (1, 2, 3)], NOW, RULES)
    assert kinds(found) == ["Amend b2", "Amend b1", "Amend b3"]
    assert all(isinstance(each, Amend) and each.slot.price == each.wish.price for each in found)


def test_a_wider_lattice_keeps_the_orders_in_their_order() -> None:
    slots = [live("s1", 3), live("s2", 1), live("s3", 2)]
    found = asked(slots, [wish(1.5), wish(3.5), wish(4.5)], NOW, RULES)
    assert [
        (each.slot.name, int(each.wish.price)) for each in found if isinstance(each, Amend)
    ] == [
        ("s2", wish(1.5).price),
        ("s3", wish(3.5).price),
        ("s1", wish(4.5).price),
    ]


@pytest.mark.parametrize(
    ("age_s", "qty", "expected"),
    [
        (3_599, QTY * 2, []),
        (3_600, QTY * 2, ["Amend b1"]),
        (20, QTY // 2, ["Amend b1"]),  # smaller at once
        (3, QTY // 2, ["Amend b1"]),
    ],
)
def test_an_order_at_its_price_grows_late_and_shrinks_at_once(
    age_s: int, qty: int, expected: list[str]
) -> None:
    rules = replace(RULES, enlarge_age=3_600 * SECOND)
    slot = live("b1", -1, changed=Ns(NOW - age_s * SECOND))
    assert kinds(asked([slot], [wish(-1, qty)], NOW, rules)) == expected


orders = st.tuples(
    st.sampled_from([State.LIVE, State.LIVE, State.LIVE, *State]),
    st.sampled_from([-1.0, -1.1, -2.0, -3.0]),
    st.sampled_from([QTY // 2, QTY, QTY * 2]),
    st.sampled_from([0, 20, 4_000]),
)


@given(st.lists(orders, max_size=3), st.lists(st.sampled_from([-1, -2, -3]), unique=True))
def test_what_is_at_rest_asks_for_nothing_now_nor_later(
    found: list[tuple[State, float, int, int]], rungs: list[int]
) -> None:
    """The pipeline does not look again at what is at rest until it changes."""
    slots = [
        replace(live(f"b{n}", k, qty=Sats(qty), changed=Ns(NOW - age * SECOND)), state=state)
        for n, (state, k, qty, age) in enumerate(found)
    ]
    wishes = [wish(k) for k in sorted(rungs, reverse=True)]
    rules = replace(RULES, enlarge_age=3_600 * SECOND)
    if rest(slots, wishes, rules):
        for later in (0, 10, 1_000, 100_000):
            assert asked(slots, wishes, Ns(NOW + later * SECOND), rules) == []


def test_at_rest_is_what_stands_where_it_is_wished() -> None:
    slots = [live("b1", -1), live("b2", -2)]
    assert rest(slots, [wish(-1), wish(-2)], RULES)
    assert not rest(slots, [wish(-1)], RULES)
    assert not rest(slots, [wish(-1), wish(-2), wish(-3)], RULES)
    small = [replace(slots[0], qty=Sats(QTY // 2), changed=NOW), slots[1]]
    assert not rest(small, [wish(-1), wish(-2)], replace(RULES, enlarge_age=3_600 * SECOND))


@pytest.mark.parametrize("state", [*IN_FLIGHT, State.LOST])
@pytest.mark.parametrize("wishes", [[], [wish(-1)], [wish(-5)]])
def test_it_never_speaks_about_an_order_in_flight_or_lost(state: State, wishes: list[Wish]) -> None:
    slot = make_slot("b1", state, price=Ticks(int(rung(-1))), changed=OLD)
    assert asked([slot], wishes, NOW, RULES) == []


def test_an_amend_takes_the_wish_whole() -> None:
    [intent] = asked([live("b1", -1)], [wish(-2)], NOW, RULES)
    assert isinstance(intent, Amend)
    assert intent.wish == wish(-2)


def test_intents_name_the_slot_as_it_was() -> None:
    slots = [live("b1", -1), make_slot("b2")]
    intents = asked(slots, [wish(-1), wish(-2)], NOW, RULES)
    assert intents == [Add(slots[1], wish(-2))]
    assert asked([slots[0]], [], NOW, RULES) == [Cancel(slots[0], "no rung wants it")]


def test_what_may_be_heard_has_a_row_for_a_lost_order() -> None:
    unheard = {what for what in HEARD if (State.LOST, what) not in TRANSITIONS}
    assert unheard == {Input.TIMEOUT}
