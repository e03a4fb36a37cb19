"""Matching by price first, against a naive one that compares all to all at each moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.decide import FOREVER, Rules, unsettled
from strategy.core.slots import Add, Slot, State, Wish
from tests.unit.strategy.core.build import MID, STEP, asked, make_slot, rung

NOW = Ns(10_000 * SECOND)
AGE = 600 * SECOND
RULES = Rules(STEP, 0.15, 15 * SECOND, MID - 5, MID + 5, AGE)
SIZES = (100, 119, 120, 121, 80, 79, 60, 200)
MOMENTS = (0, 300, 599, 600, 601, 100_000)

orders = st.builds(
    lambda state, k, off, qty, age: make_slot(
        "b0",
        state,
        price=Ticks(int(rung(-k)) + off),
        qty=Sats(qty),
        changed=Ns(NOW - age * SECOND),
    ),
    st.sampled_from((State.LIVE, State.LIVE, State.LIVE, State.AMEND_PENDING, State.LOST)),
    st.integers(1, 5),
    st.sampled_from((0, 0, 0, 3, -3, 700)),
    st.sampled_from(SIZES),
    st.sampled_from((0, 300, 599, 600, 5_000)),
)
sides = st.tuples(
    st.lists(orders, max_size=5).map(
        lambda found: [replace(slot, name=f"b{n}") for n, slot in enumerate(found)]
    ),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(SIZES)), unique_by=lambda each: each[0]),
)


def wishes_of(rungs: list[tuple[int, int]]) -> list[Wish]:
    return [Wish(Side.BUY, Ticks(int(rung(-k))), Sats(qty), k) for k, qty in sorted(rungs)]


def keeps(slot: Slot, wish: Wish, now: Ns) -> bool:
    """Whether its size is let be."""
    if slot.state is not State.LIVE or 4 * wish.qty <= 5 * slot.qty <= 6 * wish.qty:
        return True
    return slot.qty < wish.qty and now - slot.changed < AGE


def naive(slots: list[Slot], wishes: list[Wish], now: Ns) -> tuple[list[Wish], list[Slot]]:
    """Wish by wish: the nearest within the tolerance whose size is let be, the first of equals."""
    left, wanted = list(slots), []
    for wish in wishes:
        apart = [
            (abs(slot.price - wish.price) / max(slot.price, wish.price), place)
            for place, slot in enumerate(left)
            if keeps(slot, wish, now)
        ]
        nearest = min(apart, default=(1.0, 0))
        if nearest[0] < RULES.tolerance * STEP:
            del left[nearest[1]]
        else:
            wanted.append(wish)
    return wanted, left


@given(sides, st.sampled_from(MOMENTS))
def test_what_is_asked_of_a_side_is_asked_of_what_a_naive_matching_leaves(
    side: tuple[list[Slot], list[tuple[int, int]]], later: int
) -> None:
    slots, wishes, now = side[0], wishes_of(side[1]), Ns(NOW + later * SECOND)
    free = [make_slot("b8"), make_slot("b9")]
    wanted, left = naive(slots, wishes, now)
    moved = [slot for slot in left if slot.state is State.LIVE]
    found = asked([*slots, *free], wishes, now, RULES)
    spoken = [each.slot for each in found]
    assert all(slot in moved or slot in free for slot in spoken), "the others keep their wishes"
    if not wanted:
        assert spoken == sorted(moved, key=lambda slot: slot.price, reverse=True)
    if not moved:
        room = max(0, len(wanted) - len(left))
        assert spoken == free[:room]


@given(sides, st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_what_was_found_at_one_moment_holds_as_long_as_it_says(
    side: tuple[list[Slot], list[tuple[int, int]]], one: int, other: int
) -> None:
    slots, wishes = side[0], wishes_of(side[1])
    found = unsettled(slots, wishes, Ns(NOW + one * SECOND), AGE)
    later = Ns(NOW + other * SECOND)
    anew = unsettled(slots, wishes, later, AGE)
    assert found.since <= NOW + one * SECOND < found.until <= FOREVER
    if found.since <= later < found.until:
        assert anew == found


def test_two_wishes_at_one_price_are_both_left_to_be_matched() -> None:
    slots = [make_slot("s1", price=Ticks(10), qty=Sats(100)), make_slot("s2")]
    wishes = [Wish(Side.SELL, Ticks(10), Sats(100), k) for k in (1, 2)]
    held = [replace(slots[0], state=State.LIVE)]
    found = unsettled(held, wishes, NOW, AGE)
    assert (found.orders, found.wishes) == (held, wishes)
    [add] = asked([*held, slots[1]], wishes, NOW, RULES)
    assert add.slot == slots[1]


def test_a_wide_tolerance_gives_nobody_the_order_that_stands_where_another_is_wished() -> None:
    """A rung that yields to an unmatched buy stands nearer to its neighbour than half a step."""
    wide = replace(RULES, tolerance=0.9)
    stands = make_slot("s2", State.LIVE, price=Ticks(int(rung(2))), qty=Sats(100))
    yields = Wish(Side.SELL, Ticks(int(rung(1.4))), Sats(100), 1)
    wishes = [yields, Wish(Side.SELL, stands.price, Sats(100), 2)]
    free = make_slot("s1")
    assert asked([free, stands], wishes, NOW, wide) == [Add(free, yields)]
