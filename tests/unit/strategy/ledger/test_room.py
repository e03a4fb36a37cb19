"""The room of the gate: free prefix, the worst course of resting sells, near thresholds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy.ledger.events import Units, units_of
from strategy.ledger.room import (
    Resting,
    Stock,
    fits,
    most_at,
    near_threshold,
    preview,
    tax_free,
    taxable_room,
    unlocks,
    worst_gain,
)

COIN = 10**10
QUEUE = [
    Stock("b1", units_of(Decimal("0.3")), date(2023, 1, 10), Decimal(6000)),
    Stock("b2", units_of(Decimal("0.2")), date(2023, 9, 1), Decimal(5000)),
    Stock("b3", units_of(Decimal("0.1")), date(2024, 5, 1), Decimal(6000)),
]


@pytest.mark.parametrize(
    ("day", "reserved", "free", "coming"),
    [
        (date(2024, 1, 10), "0", "0", "b1"),
        (date(2024, 1, 11), "0", "0.3", "b2"),
        (date(2024, 9, 1), "0", "0.3", "b2"),
        (date(2024, 9, 2), "0", "0.5", "b3"),
        (date(2024, 6, 1), "0.25", "0.05", "b2"),
        (date(2024, 6, 1), "0.4", "0", "b2"),
        (date(2025, 5, 2), "0", "0.6", ""),
    ],
)
def test_what_is_free_is_the_front_less_what_is_reserved(
    day: date, reserved: str, free: str, coming: str
) -> None:
    found = tax_free(QUEUE, day, units_of(Decimal(reserved)), 0)
    assert found.qty == units_of(Decimal(free))
    assert (found.next_unlock.lot if found.next_unlock else "") == coming


def test_safety_days_lengthen_the_wait() -> None:
    assert tax_free(QUEUE, date(2024, 9, 5), 0, 4).qty == units_of(Decimal("0.3"))
    assert tax_free(QUEUE, date(2024, 9, 6), 0, 4).qty == units_of(Decimal("0.5"))
    assert [each.day for each in unlocks(QUEUE, date(2024, 9, 5), 4)] == [
        date(2024, 9, 6),
        date(2025, 5, 6),
    ]


def test_room_ends_a_cent_below_the_limit() -> None:
    assert taxable_room(2024, Decimal(800), Decimal(150), Decimal(5)) == Decimal("44.99")
    assert taxable_room(2023, Decimal(0), Decimal(0), Decimal(0)) == Decimal("599.99")
    assert taxable_room(2024, Decimal(0), Decimal(0), Decimal(0), Decimal(500)) == Decimal("499.99")
    assert taxable_room(2024, Decimal(0), Decimal(0), Decimal(0), Decimal(9999)) == Decimal(
        "999.99"
    )


def sat(count: int) -> Units:
    return Units(count * COIN)


@st.composite
def gates(draw: st.DrawFn) -> tuple[list[Resting], list[Stock], int]:
    """Up to four sells over up to four lots, in whole coins, so that all courses can be walked."""
    resting = [
        Resting(Decimal(draw(st.integers(1, 90))), sat(draw(st.integers(1, 2))))
        for _ in range(draw(st.integers(0, 3)))
    ]
    stock = [
        Stock(
            f"b{each}",
            sat(draw(st.integers(1, 3))),
            date(2024, 1, 1),
            Decimal(draw(st.integers(0, 200))),
        )
        for each in range(draw(st.integers(0, 4)))
    ]
    return resting, stock, draw(st.integers(0, 4)) * COIN


def by_brute_force(resting: list[Resting], stock: list[Stock], free: int) -> Decimal | None:
    """Every order in which the coins can be sold one by one; the worst taxable gain on the way."""
    coins = [order.price for order in resting for _ in range(order.qty // COIN)]
    costs = [lot.cost * COIN / lot.qty for lot in stock for _ in range(lot.qty // COIN)]
    if len(coins) * COIN <= free:
        return None
    worst = Decimal(0)
    for course in set(permutations(coins)):
        gain = Decimal(0)
        for place, price in enumerate(course):
            if place * COIN >= free:
                gain += price - (costs[place] if place < len(costs) else 0)
                worst = max(worst, gain)
    return worst


@given(gates())
@settings(max_examples=200)
def test_the_worst_course_is_the_worst_of_all_courses(
    gate: tuple[list[Resting], list[Stock], int],
) -> None:
    ours, brute = worst_gain(*gate), by_brute_force(*gate)
    assert (ours is None) is (brute is None)
    if ours is not None and brute is not None:
        assert Decimal("-1e-9") <= ours - brute < Decimal("0.011")


@given(gates(), st.integers(0, 300), st.integers(1, 90))
@settings(max_examples=100)
def test_one_more_sell_is_as_large_as_it_may_be_and_no_larger(
    gate: tuple[list[Resting], list[Stock], int], room: int, price: int
) -> None:
    resting, stock, free = gate
    if not fits(resting, stock, free, Decimal(room)):
        return
    most = most_at(Decimal(price), 3 * COIN, resting, stock, free, Decimal(room), COIN // 10)
    assert most % (COIN // 10) == 0
    assert fits([*resting, Resting(Decimal(price), most)], stock, free, Decimal(room))
    if most < 3 * COIN:
        larger = Resting(Decimal(price), Units(most + COIN // 10))
        assert not fits([*resting, larger], stock, free, Decimal(room))


def test_a_year_past_its_limit_has_room_for_no_taxable_coin_but_for_all_free_ones() -> None:
    free = units_of(Decimal("0.3"))
    assert fits([Resting(Decimal(1), free)], QUEUE, free, Decimal(-1))
    assert not fits([Resting(Decimal(1), Units(free + 1))], QUEUE, free, Decimal(-1))


def test_a_lot_near_its_free_day_is_kept_if_it_is_at_a_gain() -> None:
    guarded = near_threshold(QUEUE, date(2024, 8, 20), Decimal(50_000), 35, 0, Decimal("0.42"))
    assert guarded is not None
    assert (guarded.lot, guarded.days, guarded.saves) == ("b2", 13, Decimal("2100.00"))
    assert near_threshold(QUEUE, date(2024, 8, 20), Decimal(20_000), 35, 0, Decimal("0.42")) is None
    assert near_threshold(QUEUE, date(2024, 7, 1), Decimal(50_000), 35, 0, Decimal("0.42")) is None
    assert near_threshold(QUEUE, date(2026, 7, 1), Decimal(50_000), 35, 0, Decimal("0.42")) is None


def test_a_sale_that_breaks_the_gate_says_what_it_takes() -> None:
    seen = preview(QUEUE, units_of(Decimal("0.7")), Decimal(50_000), date(2024, 10, 1))
    assert [piece[0] for piece in seen.pieces] == ["b1", "b2", "b3"]
    assert (seen.free_gain, seen.taxable_gain) == (Decimal(14_000), Decimal(-1000) + 5000)
    assert seen.unknown == units_of(Decimal("0.1"))
    assert "0.10000000 of b3 (taxable -1000.00)" in seen.told()
    assert "no known lot" in preview([], 0, Decimal(1), date(2024, 1, 1)).told()
