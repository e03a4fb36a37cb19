"""Stage 8: in a drawdown, buy less; never more."""

from __future__ import annotations

import pytest

from strategy.core.hedge import hedge
from tests.unit.strategy.core.build import CONFIG, make_config, make_plan

ON = make_config(hedge={"enabled": True}).hedge


@pytest.mark.parametrize(
    ("drawdown", "scale"),
    [(0.0, 1.0), (0.099, 1.0), (0.10, 1.0), (0.125, 0.75), (0.15, 0.5), (0.9, 0.5)],
)
def test_buys_shrink_from_the_trigger_to_the_risk_pause(drawdown: float, scale: float) -> None:
    plan = hedge(make_plan(), drawdown, 0.15, ON)
    assert plan.buy_scale == scale
    assert plan.sell_scale == 1.0


def test_it_is_off_by_default_and_says_why_when_it_acts() -> None:
    assert hedge(make_plan(), 0.5, 0.15, CONFIG.hedge) == make_plan()
    assert "hedge" in hedge(make_plan(), 0.15, 0.15, ON).why[-1]


INVERSE = make_config(hedge={"enabled": True, "strategy": "inverse_grid"}).hedge


@pytest.mark.parametrize(
    ("drawdown", "sells"), [(0.0, 1.0), (0.10, 1.0), (0.125, 1.25), (0.15, 1.5)]
)
def test_the_inverse_grid_grows_the_sells_by_what_it_takes_from_the_buys(
    drawdown: float, sells: float
) -> None:
    plan = hedge(make_plan(), drawdown, 0.15, INVERSE)
    assert plan.sell_scale == sells
    assert plan.buy_scale == 2.0 - sells


def test_no_boost_lifts_a_ceiling_or_a_budget_of_the_tax_gate() -> None:
    locked = make_plan(sell_sats=0).capped("tax", sell=0)
    boosted = hedge(locked, 0.15, 0.15, INVERSE)
    assert (boosted.sell_levels, boosted.sell_most, boosted.sell_sats) == (0, 0, 0)
