"""The dashboard's charts: price with grid, anchor and fills; equity; lots by age; unlocks.

Rule 1: a chart has a sentence and a table that say the same, for whoever cannot see it, and where
the browser runs no script. Its figure goes to the browser on its own (monitor/web.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from monitor.around import Around, TaxSeen
from monitor.markup import decimal, t, table
from monitor.view import Sample, View
from monitor.words import Say
from shared import charts
from shared.charts import COINS, MONEY, Figure, Mark
from shared.frames import FillView, PairView, SlotView, Status
from shared.units import SECOND

FILLS_DRAWN: Final = 40
ROWS_TOLD: Final = 12

AGES: Final = "ages"
UNLOCKS: Final = "unlocks"
EQUITY: Final = "equity"


@cache
def library_at() -> str:
    """The address of the chart library: a new version has a new one, a browser asks once for each.

    ChartsError where the library is missing.
    """
    return f"/library/{charts.version_of(charts.script_file())}.js"


def figures(view: View, around: Around, say: Say) -> dict[str, Figure]:
    """Every figure that the page has a place for, by name."""
    found: dict[str, Figure] = {}
    for pair in view.status.pairs if view.status else ():
        if len(samples := _samples(view, pair.pair)) > 1 and view.status:
            found[_name(pair)] = _price(view, pair, samples, view.status, say)
    if len(equity := _equity_samples(view)) > 1:
        found[EQUITY] = _equity(equity, say)
    if around.tax is not None and around.tax.lots:
        found[AGES] = _ages(around.tax, say)
        if around.tax.unlocks:
            found[UNLOCKS] = _unlocks(around.tax, say)
    return found


def price_chart(view: View, pair: PairView, slots: Sequence[SlotView], say: Say) -> str:
    """The place of a pair's chart over time, with the sentence and the table; HTML."""
    samples = _samples(view, pair.pair)
    if len(samples) < 2:
        return _not_yet(say)
    mids = [sample.mid for sample in samples]
    told = (
        f"{pair.pair}: {say('price')} {_short(mids[-1])}, {say('from')} {_short(min(mids))} "
        f"{say('to')} {_short(max(mids))}; {len(_prices(slots))} {say('own orders')}"
    )
    rows = [(_clock(sample.wall), (_short(sample.mid),)) for sample in _some(samples)]
    more = _values(_name(pair), (say("time (UTC)"), say("price")), rows, say)
    return charts.framed(_name(pair), told, more=more)


def equity_chart(view: View, say: Say) -> str:
    """The place of the chart of equity and drawdown, with the sentence and the table; HTML."""
    samples = _equity_samples(view)
    if len(samples) < 2:
        return _not_yet(say)
    last = samples[-1]
    told = f"{say('equity')} {last.equity:,.2f}, {say('drawdown')} {last.drawdown * 100:.2f} %"
    rows = [
        (_clock(each.wall), (f"{each.equity:,.2f}", f"{each.drawdown * 100:.2f} %"))
        for each in _some(samples)
    ]
    heads = (say("time (UTC)"), say("equity"), say("drawdown"))
    return charts.framed(EQUITY, told, more=_values(EQUITY, heads, rows, say))


def lots_chart(name: str, told: str) -> str:
    """The place of a chart of lots, AGES or UNLOCKS; a table of its values stands below it."""
    return charts.framed(name, told, low=True)


def _price(
    view: View, pair: PairView, samples: Sequence[Sample], status: Status, say: Say
) -> Figure:
    begin, end = samples[0].wall / SECOND, samples[-1].wall / SECOND
    slots = [slot for slot in status.slots if slot.pair == pair.pair]
    traces = [
        charts.levels(say(f"{side} orders"), found, (begin, end), f"${side}", "dot")
        for side in ("buy", "sell")
        if (found := _prices([slot for slot in slots if slot.side == side]))
    ]
    anchor = float(decimal(pair.anchor))
    if anchor > 0:
        drawn = charts.levels(say("anchor"), [anchor], (begin, end), "$waiting", "dash")
        traces.append(drawn)
    price = charts.line(say("price"), [(s.wall / SECOND, s.mid) for s in samples], "$accent")
    traces.append(price)
    fills = [fill for fill in view.fills if fill.pair == pair.pair][:FILLS_DRAWN]
    for side, name in (("buy", "bought"), ("sell", "sold")):
        points = [
            Mark(at, float(decimal(fill.price)), f"{say(fill.side)} {fill.qty} @ {fill.price}")
            for fill in fills
            if fill.side == side and (at := _time_of(fill)) is not None and begin <= at <= end
        ]
        if points:
            traces.append(charts.marks(say(name), points, f"${side}", up=side == "buy"))
    return charts.over_time(traces, MONEY, now=(samples[-1].mid, _short(samples[-1].mid)))


def _equity(samples: Sequence[Sample], say: Say) -> Figure:
    """Equity as a line, drawdown as the area between it and the peak."""
    line = [(s.wall / SECOND, s.equity) for s in samples]
    peak = [(s.wall / SECOND, s.equity / (1 - min(s.drawdown, 0.99))) for s in samples]
    traces = [
        charts.between(say("drawdown"), peak, line, "$bad"),
        charts.line(say("peak"), peak, "$quiet", dash="dot"),
        charts.line(say("equity"), line, "$accent"),
    ]
    return charts.over_time(traces, MONEY, now=(line[-1][1], f"{line[-1][1]:,.2f}"))


def _ages(tax: TaxSeen, say: Say) -> Figure:
    names = [name for name, _, _ in tax.ages]
    coins = [float(decimal(coins)) for _, _, coins in tax.ages]
    return charts.by_name([charts.bars(say("coins"), names, coins, "$coin")], COINS)


def _unlocks(tax: TaxSeen, say: Say) -> Figure:
    days = [day for day, _ in tax.unlocks]
    coins = [float(decimal(coins)) for _, coins in tax.unlocks]
    bars = charts.bars(say("coins"), days, coins, "$good")
    return charts.by_name([bars], COINS, days=True)


def _name(pair: PairView) -> str:
    return f"price {pair.pair}"


def _samples(view: View, pair: str) -> list[Sample]:
    return [sample for sample in view.samples if sample.pair == pair and sample.mid > 0]


def _equity_samples(view: View) -> list[Sample]:
    """Of one pair: the account is one."""
    known = [sample for sample in view.samples if sample.equity > 0]
    return [sample for sample in known if sample.pair == known[0].pair]


def _prices(slots: Sequence[SlotView]) -> list[float]:
    return [float(price) for slot in slots if (price := decimal(slot.price)) > 0]


def _some(samples: Sequence[Sample]) -> list[Sample]:
    """A few, the newest first."""
    return list(reversed(charts.thinned(samples, ROWS_TOLD)))


def _values(
    name: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], say: Say
) -> str:
    """The chart's values as a table that is folded up."""
    body = "".join(
        f"<tr><td>{t(at)}</td>{''.join(f'<td class=n>{t(each)}</td>' for each in values)}</tr>"
        for at, values in rows
    )
    columns = [(head, "n" if place else "") for place, head in enumerate(heads)]
    title = say("As a table")
    return (
        f'<details data-keep="{t(name)}"><summary>{t(title)}</summary>'
        f"{table(f'{title}: {name}', columns, body)}</details>"
    )


def _not_yet(say: Say) -> str:
    return f'<p class="dim">{t(say("The chart begins when two samples are known."))}</p>'


def _short(value: float) -> str:
    """Five digits at least, thousands apart."""
    whole = len(f"{abs(value):.0f}")
    return f"{value:,.{max(0, min(8, 5 - whole))}f}"


def _clock(wall: int) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%d %H:%M:%S}"


def _time_of(fill: FillView) -> float | None:
    try:
        found = datetime.fromisoformat(fill.time)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None
