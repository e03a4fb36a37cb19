"""Charts: round figures at the lines, and an area that ends at its own base."""

from __future__ import annotations

import re

import pytest

from icryptotrader.backtest.charts import Line, chart


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((-20.29, 0.0), ["-25", "-20", "-15", "-10", "-5", "0"]),
        ((0.867, 8.0), ["0", "2", "4", "6", "8"]),
        ((70_576.0, 149_059.0), ["60,000", "80,000", "100,000", "120,000", "140,000", "160,000"]),
        ((5.0, 5.0), ["5"]),
    ],
)
def test_the_lines_stand_at_round_figures(values: tuple[float, float], expected: list[str]) -> None:
    shown = chart("t", [Line("", "equity", [(0.0, values[0]), (9e5, values[1])])], 100)
    told = re.findall(r'class="left">([^<]*)<', shown)
    assert told == expected


def test_an_area_goes_down_to_the_base_and_its_line_is_not_filled() -> None:
    shown = chart("t", [Line("", "fall", [(0.0, 1.0), (9e5, 3.0)], filled=True)], 100)
    polygon = re.search(r'<polygon class="fall area" points="([^"]*)"', shown)
    assert polygon is not None
    assert polygon.group(1).endswith("950.0,78 70,78")
