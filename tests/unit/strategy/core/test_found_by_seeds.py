"""What the simulator found in the core, each as the smallest case; the seed is in the name."""

from __future__ import annotations

from strategy.core.plan import Unanswered


def test_an_order_that_filled_more_than_its_rung_is_worth_now_needs_no_floor_suite_255() -> None:
    bound = Unanswered([(100, 5)])

    assert bound.floor_of(-3) == 0
    bound.take(-3)
    assert bound.floor_of(1) == 100


def test_no_floor_at_all_and_nothing_to_sell_suite_255() -> None:
    bound = Unanswered([])

    bound.take(-1)
    assert bound.floor_of(-1) == 0
