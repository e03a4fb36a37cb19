"""Charts of dashboard and reports: what plotly.js draws, as plain values, and where it stands.

Rule 1: a figure is data. Colours are names ("$buy") that the page's own style resolves, so one
figure serves light and dark.
Rule 2: the Python side of plotly is never imported (20 MB and a quarter of a second for what a
dict says as well): of the installed package one file is read, its script.
Rule 3: texts bear no markup: the dashboard's policy refuses the styles that would come with it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

Figure = dict[str, Any]
"""{"data": traces, "layout": layout}, as plotly.js takes it, but for the names of colours."""

Trace = dict[str, Any]

XY = tuple[float, float]
"""Seconds since 1970, and a value."""

MONEY: Final = ",.2f"
COINS: Final = ",.8~f"
PERCENT: Final = ",.2f"

Value = TypeVar("Value")

_HEAD: Final = 200
_SCRIPT_FILE: Final = "package_data/plotly.min.js"
_BAND_AXIS: Final = "y2"


class ChartsError(Exception):
    """The chart library is not installed as the lock says; the text names the remedy."""


class Mark(Struct, frozen=True):
    """A point with the text that is shown when the pointer is near."""

    at: float
    value: float
    text: str


def script_file() -> Path:
    """plotly.min.js of the installed package; ChartsError where it is not there."""
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _SCRIPT_FILE
        if path.is_file():
            return path
    raise ChartsError("the chart library (plotly) is not installed: run make setup")


def version_of(script: Path) -> str:
    """The version that plotly.min.js names in its first lines; ChartsError where it names none."""
    with script.open(encoding="utf-8") as opened:
        found = re.search(r"plotly\.js v([0-9.]+)", opened.read(_HEAD))
    if found is None:
        raise ChartsError(f"{script} is not plotly.js: run make setup")
    return found[1]


def line(
    name: str, points: Iterable[XY], colour: str, *, dash: str = "", filled: bool = False
) -> Trace:
    """A curve. filled: down (or up) to zero."""
    known = tuple(points)
    trace = _curve(name, [(_ms(at), value) for at, value in known], colour, dash)
    return trace | ({"fill": "tozeroy"} if filled else {})


def between(name: str, upper: Sequence[XY], lower: Sequence[XY], colour: str) -> Trace:
    """The area between two curves over the same moments."""
    around = [*upper, *reversed(lower)]
    trace = _curve(name, [(_ms(at), value) for at, value in around], colour, "")
    unlined = {"line": {"width": 0}, "fillcolor": colour, "opacity": 0.25}
    return trace | unlined | {"fill": "toself", "hoverinfo": "skip"}


def levels(name: str, values: Sequence[float], span: XY, colour: str, dash: str) -> Trace:
    """Level lines from the first to the second moment of a span."""
    points: list[tuple[int | None, float | None]] = []
    for value in values:
        points += [(_ms(span[0]), value), (_ms(span[1]), value), (None, None)]
    return _curve(name, points[:-1], colour, dash)


def marks(name: str, points: Sequence[Mark], colour: str, *, up: bool) -> Trace:
    """Triangles, so that a buy (up) differs from a sell by its form too."""
    return {
        "type": "scatter", "mode": "markers", "name": plain(name),
        "x": [_ms(mark.at) for mark in points], "y": [mark.value for mark in points],
        "text": [plain(mark.text) for mark in points], "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "triangle-up" if up else "triangle-down", "size": 9, "color": colour,
                   "line": {"width": 1, "color": "$card"}},
    }  # fmt: skip


def bands(name: str, spans: Sequence[XY], colour: str) -> Trace:
    """Stretches of time, coloured over the whole height: one trace however many there are."""
    xs: list[int | None] = []
    ys: list[int | None] = []
    for begin, end in spans:
        xs += [_ms(begin), _ms(begin), _ms(end), _ms(end), None]
        ys += [0, 1, 1, 0, None]
    return {
        "type": "scatter", "mode": "none", "name": plain(name), "x": xs[:-1], "y": ys[:-1],
        "fill": "toself", "fillcolor": colour, "opacity": 0.3, "hoverinfo": "skip",
        "yaxis": _BAND_AXIS,
    }  # fmt: skip


def bars(
    name: str, names: Sequence[str], values: Sequence[float], colour: str | list[str]
) -> Trace:
    """A bar for each name: of a category, or a day as YYYY-MM-DD. colour: of all, or of each."""
    return {
        "type": "bar", "name": plain(name), "x": [plain(each) for each in names], "y": values,
        "marker": {"color": colour},
    }  # fmt: skip


def over_time(
    traces: Sequence[Trace],
    form: str = MONEY,
    *,
    span: XY | None = None,
    now: tuple[float, str] | None = None,
) -> Figure:
    """Traces over moments of UTC. form: of the values; span: what is shown at first, else all.

    now: the last value, told at the right.
    """
    found = _figure(traces, form)
    layout = found["layout"]
    layout["xaxis"] |= {"type": "date", "hoverformat": "%Y-%m-%d %H:%M:%S", "tickformatstops": [
        {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
        {"dtickrange": [60_000, 86_400_000], "value": "%H:%M<br>%Y-%m-%d"},
        {"dtickrange": [86_400_000, "M1"], "value": "%Y-%m-%d"},
        {"dtickrange": ["M1", None], "value": "%Y-%m"},
    ]}  # fmt: skip
    layout["hovermode"] = "x unified"
    if any(trace.get("yaxis") == _BAND_AXIS for trace in traces):
        layout["yaxis2"] = {"range": [0, 1], "fixedrange": True, "visible": False}
        # An axis that lies over another one would take over that one's marks.
        layout["yaxis"] |= {"overlaying": _BAND_AXIS, "side": "left", "tickmode": "auto"}
    if span is not None:
        layout["xaxis"]["range"] = [_ms(at) for at in span]
    if now is not None:
        layout["annotations"] = [{
            "text": plain(now[1]), "x": 1, "xref": "paper", "xanchor": "right", "y": now[0],
            "showarrow": False, "bgcolor": "$card", "font": {"color": "$ink", "size": 13},
        }]  # fmt: skip
    return found


def by_name(traces: Sequence[Trace], form: str = COINS, *, days: bool = False) -> Figure:
    """Bars beside each other. days: their names are days, placed as the calendar has them."""
    found = _figure(traces, form)
    found["layout"]["hovermode"] = "x"
    form_of_days = {"type": "date", "tickformat": "%Y-%m-%d", "hoverformat": "%Y-%m-%d"}
    found["layout"]["xaxis"] |= form_of_days if days else {"type": "category"}
    return found


def framed(name: str, told: str, *, group: str = "", low: bool = False, more: str = "") -> str:
    """Where a figure of this name is drawn, as HTML; told: what it shows, in a sentence.

    group: charts of one group are zoomed together. low: it needs less height. more: HTML below it,
    such as its values as a table.
    """
    at = html.escape(name, quote=True)
    joined = f' data-group="{html.escape(group, quote=True)}"' if group else ""
    return (
        f'<figure class="plot"><figcaption>{html.escape(told)}</figcaption>'
        f'<div class="draw{" low" if low else ""}" data-plot="{at}"{joined}></div>{more}</figure>'
    )


def thinned(points: Sequence[Value], most: int) -> Sequence[Value]:
    """At most so many of them (2 at least), the first and the last among them."""
    if len(points) <= most:
        return points
    step = (len(points) - 1) / (most - 1)
    return [points[round(place * step)] for place in range(most)]


def stretches(states: Sequence[tuple[float, str]], end: float) -> dict[str, list[XY]]:
    """From when on which state held -> the spans of each state but "", in the order of first use.

    end: until when the last one holds. Spans of one state that touch are one.
    """
    found: dict[str, list[XY]] = {}
    for (begin, state), (until, _) in pairwise([*states, (end, "")]):
        if not state or until <= begin:
            continue
        known = found.setdefault(state, [])
        if known and known[-1][1] == begin:
            begin = known.pop()[0]
        known.append((begin, until))
    return found


def plain(text: str) -> str:
    """Text that plotly.js shows as it is: it would read a few tags."""
    return html.escape(text, quote=False)


def _curve(
    name: str, points: Sequence[tuple[int | None, float | None]], colour: str, dash: str
) -> Trace:
    drawn: dict[str, object] = {"color": colour, "width": 1.6}
    return {
        "type": "scatter", "mode": "lines", "name": plain(name), "x": [at for at, _ in points],
        "y": [value for _, value in points], "line": drawn | ({"dash": dash} if dash else {}),
    }  # fmt: skip


def _figure(traces: Sequence[Trace], form: str) -> Figure:
    clear, lines = "rgba(0,0,0,0)", {"gridcolor": "$line", "linecolor": "$line"}
    layout: dict[str, Any] = {
        "uirevision": "stay",  # what the visitor has zoomed to stays when values come in
        "autosize": True, "paper_bgcolor": clear, "plot_bgcolor": clear,
        "font": {"color": "$dim", "family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {"bgcolor": "$card", "bordercolor": "$line", "font": {"color": "$ink"}},
        "modebar": {"bgcolor": clear, "color": "$dim", "activecolor": "$ink"},
        "legend": {"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top"},
        "xaxis": {**lines, "zeroline": False, "tickangle": 0},
        "yaxis": {**lines, "zerolinecolor": "$line", "hoverformat": form, "exponentformat": "none",
                  "separatethousands": True},
        "showlegend": len(traces) > 1,
    }  # fmt: skip
    return {"data": list(traces), "layout": layout}


def _ms(at: float) -> int:
    return round(at * 1000)
