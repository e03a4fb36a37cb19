"""Figures as plotly.js takes them: times, bands, colours by name, texts without markup."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from shared import charts
from shared.chartscript import CHARTS, THEME


def colours(value: object) -> set[str]:
    """Every colour by name in a figure."""
    text = msgspec.json.encode(value).decode()
    return set(re.findall(r'"\$(\w+)"', text))


def test_the_library_is_read_from_the_package_as_it_is_installed() -> None:
    path = charts.script_file()
    with path.open(encoding="utf-8") as script:
        assert "plotly.js v" in script.read(100)


def test_the_library_may_stand_in_a_page() -> None:
    assert "</script" not in charts.script_file().read_text(encoding="utf-8").lower()


def test_a_missing_library_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    with pytest.raises(charts.ChartsError, match="make setup"):
        charts.script_file()


def test_a_moment_is_milliseconds_and_a_colour_is_a_name_of_the_theme() -> None:
    figure = charts.over_time(
        [
            charts.line("price", [(1_700_000_000.5, 30_000.0)], "$accent"),
            charts.bands("chaos", [(1.0, 2.0), (4.0, 5.0)], "$wild"),
            charts.marks("buys", [charts.Mark(1.0, 2.0, "buy 1")], "$buy", up=True),
            charts.levels("sells", [5.0, 6.0], (1.0, 2.0), "$sell", "dot"),
        ],
        now=(30_000.0, "30,000"),
    )
    curve, band, mark, level = figure["data"]
    assert curve["x"] == [1_700_000_000_500]
    assert band["x"] == [1000, 1000, 2000, 2000, None, 4000, 4000, 5000, 5000]
    assert band["y"] == [0, 1, 1, 0, None, 0, 1, 1, 0]
    assert figure["layout"]["yaxis2"]["range"] == [0, 1]
    assert mark["marker"]["symbol"] == "triangle-up"
    assert level["y"] == [5.0, 5.0, None, 6.0, 6.0]
    assert figure["layout"]["annotations"][0]["y"] == 30_000.0
    for name in colours(figure):
        assert f"--{name}:" in THEME
    json.dumps(figure)


def test_both_themes_name_the_same_colours() -> None:
    light, dark = THEME.split("@media")
    quiet = set(re.findall(r"--\w+", light))
    assert quiet == set(re.findall(r"--\w+", dark))


def test_markup_in_a_text_is_shown_and_not_read() -> None:
    nasty = '<b style="x">&'
    shown = msgspec.json.encode(
        charts.over_time(
            [
                charts.line(nasty, [(1.0, 1.0)], "$buy"),
                charts.marks(nasty, [charts.Mark(1.0, 1.0, nasty)], "$buy", up=False),
            ],
            now=(1.0, nasty),
        )
    ).decode()
    assert "<b s" not in shown
    assert "&lt;b" in shown
    assert "<b s" not in charts.framed(nasty, nasty, group=nasty)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], {}),
        ([(0.0, "")], {}),
        ([(0.0, "a"), (5.0, "b"), (7.0, "")], {"a": [(0.0, 5.0)], "b": [(5.0, 7.0)]}),
        ([(0.0, "a"), (5.0, "a"), (7.0, "b")], {"a": [(0.0, 7.0)], "b": [(7.0, 9.0)]}),
        ([(0.0, "a"), (5.0, ""), (7.0, "a")], {"a": [(0.0, 5.0), (7.0, 9.0)]}),
        ([(3.0, "a"), (3.0, "b")], {"b": [(3.0, 9.0)]}),
    ],
)
def test_states_become_spans(
    states: list[tuple[float, str]], expected: dict[str, list[charts.XY]]
) -> None:
    assert charts.stretches(states, 9.0) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 11, 12, 13, 500])
def test_thinning_keeps_the_first_and_the_last(count: int) -> None:
    points = [(float(n), 0.0) for n in range(count)]
    found = charts.thinned(points, 12)
    assert len(found) == min(count, 12)
    assert list(found[:1]) == points[:1]
    assert list(found[-1:]) == points[-1:]
    assert sorted(set(found)) == list(found)


def test_the_script_names_no_colour_and_no_address() -> None:
    assert not re.search(r"#[0-9a-f]{3}|https?:", CHARTS)


def test_days_stand_where_the_calendar_has_them() -> None:
    trace = charts.bars("coins", ["2027-01-01", "2027-02-01"], [1.0, 2.0], "$coin")
    assert charts.by_name([trace], days=True)["layout"]["xaxis"]["type"] == "date"
    assert charts.by_name([trace])["layout"]["xaxis"]["type"] == "category"
