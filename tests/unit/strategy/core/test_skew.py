"""Stage 9: sizes lean against an allocation that has left its target."""

from __future__ import annotations

import msgspec
import pytest

from strategy.core.skew import tilt
from tests.unit.strategy.core.build import CONFIG, make_plan

RANGE = msgspec.structs.replace(CONFIG.regime.range_bound, btc_min_pct=0.4, btc_max_pct=0.6)


@pytest.mark.parametrize(
    ("coins", "buy", "sell"),
    [
        (0.50, 1.0, 1.0),
        (0.51, 1.0, 1.0),  # in quarters upward: sizes seldom change
        (0.56, 0.75, 1.0),
        (0.60, 0.5, 1.0),
        (0.99, 0.5, 1.0),
        (0.44, 1.0, 0.75),
        (0.40, 1.0, 0.5),
        (0.0, 1.0, 0.5),
    ],
)
def test_the_heavy_side_shrinks(coins: float, buy: float, sell: float) -> None:
    plan = tilt(make_plan(), coins, RANGE)
    assert (plan.buy_scale, plan.sell_scale) == (buy, sell)


def test_a_target_at_its_limit_divides_by_nothing() -> None:
    assert tilt(make_plan(), 0.0, CONFIG.regime.chaos).sell_scale == 1.0
