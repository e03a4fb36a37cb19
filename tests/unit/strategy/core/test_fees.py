"""The least profitable spacing."""

from __future__ import annotations

import pytest

from strategy.core.fees import floor_bps
from tests.unit.strategy.core.build import CONFIG, make_config

NOTHING = make_config(
    grid={"min_spacing_bps": "0", "adverse_selection_bps": "0", "least_edge_bps": "0"}
).grid


@pytest.mark.parametrize(
    ("maker", "floor"),
    [
        (0.0025, 65.0),
        (0.0020, 55.0),
        (0.0014, 43.0),
        (0.0012, 39.0),  # two fees of 12 bps, 10 of adverse selection, 5 of edge
        (0.0004, 23.0),
        (0.0, 15.0),
        (0.004, 95.0),
    ],
)
def test_the_floor_is_two_fees_adverse_selection_and_the_least_edge(
    maker: float, floor: float
) -> None:
    assert floor_bps(maker, CONFIG.grid) == pytest.approx(floor)


def test_rungs_stand_apart_even_where_nothing_is_charged_and_nothing_asked_for() -> None:
    assert floor_bps(0.0, NOTHING) == 1.0
