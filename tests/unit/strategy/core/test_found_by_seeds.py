"""What the simulator found in the core, each as the smallest case; the seed is in the name."""

from __future__ import annotations

from strategy.core.plan import _take_floors


def test_an_order_that_filled_more_than_its_rung_is_worth_now_needs_no_floor_suite_255() -> None:
    bound = [(100, 5)]

    assert _take_floors(bound, 200, -3)
    assert bound == [(100, 5)]


def test_no_floor_at_all_and_nothing_to_sell_suite_255() -> None:
    bound: list[tuple[int, int]] = []

    assert _take_floors(bound, 200, -1)
    assert bound == []
