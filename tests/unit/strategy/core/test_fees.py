"""The least profitable spacing."""

from __future__ import annotations

import pytest

from strategy.core.fees import floor_bps, spacing
from tests.unit.strategy.core.build import CONFIG, make_config

NOTHING = make_config(
    grid={"min_spacing_bps": "0", "adverse_selection_bps": "0", "least_edge_bps": "0"}
).grid


@pytest.mark.parametrize(
    ("maker", "wanted", "step"),
    [
        (0.0012, 20.0, 0.0039),  # two fees of 12 bps, 10 of adverse selection, 5 of edge
        (0.0012, 50.0, 0.0050),
        (0.0, 0.0, 0.0015),
        (0.004, 20.0, 0.0095),
    ],
)
def test_spacing_is_what_is_wanted_but_never_below_the_floor(
    maker: float, wanted: float, step: float
) -> None:
    assert spacing(maker, wanted, CONFIG.grid) == pytest.approx(step)


def test_rungs_stand_apart_even_where_nothing_is_charged_and_nothing_asked_for() -> None:
    assert floor_bps(0.0, NOTHING) == 0.0
    assert spacing(0.0, 0.0, NOTHING) > 0.0
