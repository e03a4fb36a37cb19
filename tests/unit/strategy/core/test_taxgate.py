"""Stage 7: only the tax-free front of the queue is sold."""

from __future__ import annotations

import pytest

from shared.units import Sats
from strategy.core.taxgate import is_locked, withhold
from tests.unit.strategy.core.build import make_plan


@pytest.mark.parametrize(
    ("free", "levels", "budget"),
    [(0, 0, 0), (4_999, 0, 4_999), (5_000, 5, 5_000), (99_000_000, 5, 16_000_000)],
)
def test_free_coins_bound_the_sells_and_none_end_them(free: int, levels: int, budget: int) -> None:
    plan = withhold(make_plan(), Sats(free), Sats(5_000))
    assert (plan.sell_levels, plan.sell_sats) == (levels, budget)
    assert plan.buy_levels == 5


def test_no_later_stage_lifts_the_ceiling() -> None:
    plan = withhold(make_plan(), Sats(0), Sats(5_000))
    assert plan.capped("more", sell=5).sell_levels == 0
    assert plan.budgeted("more", sell_sats=10**9).sell_sats == 0


def test_locked_below_the_least_quantity() -> None:
    assert is_locked(Sats(4_999), Sats(5_000))
    assert not is_locked(Sats(5_000), Sats(5_000))
