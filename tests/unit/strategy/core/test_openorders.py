"""What may be at the exchange of one pair, by what is asked of its slots."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import Sats, Side, Ticks
from strategy.core.openorders import NO_SELL, after_amend, look_through, places_of
from strategy.core.slots import IN_FLIGHT, Slot, State
from tests.unit.strategy.core.build import MID, make_slot

HELD = [state for state in State if state is not State.EMPTY]


@pytest.mark.parametrize("state", HELD)
def test_what_may_still_be_there_counts_whatever_its_state(state: State) -> None:
    found = look_through([make_slot("b1", state), make_slot("s1", state), make_slot("s2")])
    assert [slot.name for slot in found.buys] == ["b1"]
    assert [slot.name for slot in found.sells] == ["s1"]
    assert found.busy == 2
    assert [slot.name for slot in found.lost] == (["b1", "s1"] if state is State.LOST else [])
    assert [slot.name for slot in found.in_flight] == (["b1", "s1"] if state in IN_FLIGHT else [])
    assert len(found.slots) == 3


def test_nothing_is_busy_where_all_is_empty() -> None:
    found = look_through([make_slot("b1"), make_slot("s1")])
    assert (found.busy, found.sell_sats, found.filled, found.in_flight) == (0, 0, {}, ())


def test_the_sells_hand_over_what_is_open_and_what_has_filled_is_found_by_side_and_price() -> None:
    at = Ticks(MID)
    found = look_through(
        [
            make_slot("s1", State.LIVE, price=at, qty=Sats(1_000), filled=Sats(400)),
            make_slot(
                "s2", State.AMEND_PENDING, price=Ticks(MID + 1), qty=Sats(5), was_qty=Sats(9)
            ),
            make_slot("b1", State.LIVE, price=at, qty=Sats(1_000), filled=Sats(7)),
        ]
    )
    assert found.sell_sats == 600 + 9
    assert found.filled == {(Side.SELL, at): 400, (Side.BUY, at): 7}
    assert (found.busy, [slot.name for slot in found.in_flight]) == (3, ["s2"])


def test_the_nearest_to_the_other_side_is_known_whichever_amend_stands() -> None:
    found = look_through(
        [
            make_slot("b1", State.LIVE, price=Ticks(90)),
            make_slot("b2", State.AMEND_PENDING, price=Ticks(80), was_price=Ticks(95)),
            make_slot("b3"),
            make_slot("s1", State.LIVE, price=Ticks(110)),
            make_slot("s2", State.AMEND_PENDING, price=Ticks(120), was_price=Ticks(105)),
        ]
    )
    assert (found.highest_buy, found.lowest_sell) == (95, 105)
    none = look_through([make_slot("b1"), make_slot("s1")])
    assert (none.highest_buy, none.lowest_sell) == (0, NO_SELL)


def test_a_slot_is_found_by_its_name_and_a_side_without_the_one_apart() -> None:
    places = places_of([make_slot(name) for name in ("b1", "b2", "s1", "x", "s9")], "x")
    assert places.names == {"b1": 0, "b2": 1, "s1": 2, "x": 3, "s9": 4}
    assert places.sides == {Side.BUY: [0, 1], Side.SELL: [2, 4]}
    assert places.count == 5


def ladder(**first: Any) -> list[Slot]:
    """Two orders on each side, one lost, one empty; the first buy and the first sell are these."""
    return [
        make_slot("b1", **{"state": State.LIVE, "price": Ticks(90), "qty": Sats(8), **first}),
        make_slot("b2", State.LIVE, price=Ticks(80), qty=Sats(5)),
        make_slot("b3", State.LOST, price=Ticks(70), qty=Sats(4)),
        make_slot("s1", **{"state": State.LIVE, "price": Ticks(110), "qty": Sats(8), **first}),
        make_slot("s2", State.AMEND_PENDING, price=Ticks(120), qty=Sats(3), was_price=Ticks(105)),
        make_slot("s3"),
    ]


BEFORE: dict[str, dict[str, Any]] = {
    "at rest": {},
    "filled in part": {"filled": Sats(2)},
    "with another amend under way": {"was_price": Ticks(95), "was_qty": Sats(9)},
    "lost": {"state": State.LOST},
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize(("price", "qty"), [(60, 8), (100, 5), (140, 11)])
def test_what_is_open_after_an_amend_is_what_looking_through_all_would_find(
    before: str, place: int, price: int, qty: int
) -> None:
    slots = ladder(**BEFORE[before])
    was, known = slots[place], look_through(slots)
    asked = {"price": Ticks(price), "qty": Sats(qty), "was_price": was.price, "was_qty": was.qty}
    slots[place] = replace(was, state=State.AMEND_PENDING, **asked)
    found, wanted = after_amend(known, place, slots[place]), look_through(slots)
    assert set(slot.name for slot in found.in_flight) == {slot.name for slot in wanted.in_flight}
    assert replace(found, in_flight=()) == replace(wanted, in_flight=())
    assert known.slots[place] == was, "what was known before stays as it was"
