"""What the simulator found in the core, each as the smallest case; the seed is in the name."""

from __future__ import annotations

from shared.orders import Balances
from strategy.core.unanswered import Unanswered
from tests.unit.strategy.core.desk import Desk


def test_an_order_that_filled_more_than_its_rung_is_worth_now_needs_no_floor_suite_255() -> None:
    bound = Unanswered([(100, 5)])

    assert bound.answered(1, -3, 0.01, 1) == (1, "")
    assert bound.answered(1, 1, 0.01, 1) == (1, "below an unmatched buy plus fees")
    assert bound.answered(100, 4, 0.01, 1) == (100, "")
    assert bound.answered(100, -3, 0.01, 1) == (100, "")
    assert bound.answered(100, 1, 0.01, 1) == (100, "")
    assert bound.answered(1, 1, 0.01, 1) == (1, ""), "all are answered, and none of them twice"


def test_no_floor_at_all_and_nothing_to_sell_suite_255() -> None:
    bound = Unanswered([])

    assert bound.answered(1, -1, 0.01, 1) == (1, "")


def test_a_life_after_a_withdrawal_does_not_take_it_for_the_days_loss_suite_8() -> None:
    desk = Desk()
    desk.begin()
    before = desk.memory.day.equity
    desk.totals["EUR"] -= 7_000
    desk.run(1, Balances(dict(desk.totals)))
    desk.run(60)

    desk.restart()

    assert 0 < desk.memory.day.equity < before - 6_900
