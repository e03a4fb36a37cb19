"""A backtest's figures as one HTML file that opens from disk: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Final

from icryptotrader.backtest.charts import Line, Mark, Stripe, chart
from icryptotrader.backtest.figures import Figures
from icryptotrader.backtest.summary import found_lines

MOST_MARKS: Final = 3_000
MOST_ROWS: Final = 500
_REGIMES: Final = {
    "range_bound": "",
    "trending_up": "up",
    "trending_down": "down",
    "chaos": "chaos",
}

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:14px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .3rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.15rem .5rem;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:currentColor;opacity:.7}
.left{text-anchor:end}.grid{stroke:#8884;stroke-width:1}
polyline{fill:none;stroke-width:1.4}
polyline.equity{stroke:#1769aa}polyline.hold{stroke:#999}polyline.price{stroke:#777}
polyline.fall{stroke:#b3261e}
polyline.coins{stroke:#8a6d00}polygon.coins{fill:#8a6d0022}
circle.buy{fill:#1b8a3a}circle.sell{fill:#b3261e}
rect.up{fill:#1b8a3a18}rect.down{fill:#b3261e18}rect.chaos{fill:#8e24aa30}
rect.stop{fill:#b3261e55}rect.pause{fill:#f9a82540}
.key{font-weight:400;font-size:.8rem;margin-left:.8rem}.key::before{content:"\\2014 "}
.key.equity::before{color:#1769aa}.key.hold::before,.key.price::before{color:#888}
.warn{background:#f9a82530;padding:.4rem .8rem}code{font-size:.9em}
"""


def write_page(figures: Figures) -> str:
    """The whole page. Every text out of the data is escaped."""
    f = figures
    title = f"Backtest {f.pair}, {f.first[:10]} to {f.last[:10]}"
    warns = found_lines(f.data)
    if not f.whole:
        warns.insert(0, "Interrupted: what was played until then.")
    if f.halted:
        warns.insert(0, f"The bot halted itself: {f.halted}")
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(', '.join(f.files))}: {f.rows:,} rows of {escape(f.kind)}. "
        f"iCryptoTrader {escape(f.product)}, digest <code>{f.digest}</code></p>",
        *(f'<p class="warn">{escape(text)}</p>' for text in warns),
        _outcomes(f),
        _key_figures(f),
        *_charts(f),
        _table("Months", ("month", "begin", "end", "change", "fills"), [
            (row.month, _money(row.begin), _money(row.end), f"{row.change_pct:+.2f} %", row.fills)
            for row in f.months
        ]),
        _years(f),
        _table("Open lots", ("bought", "coins", f"cost {f.currency}", "free of tax from"), [
            (row.bought, row.qty, _money(row.cost), row.free_from) for row in f.lots[:MOST_ROWS]
        ]),
        _table("Fills", ("time", "side", "price", "coins", "cost", "fee"), [
            (row.time, row.side, row.price, row.qty, _money(row.cost), row.fee)
            for row in f.fill_rows[:MOST_ROWS]
        ]),
        "<h2>What these figures assume</h2><ul>",
        *(f"<li>{escape(text)}</li>" for text in f.assumptions),
        "</ul>",
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _outcomes(f: Figures) -> str:
    rows = [
        (each.name, _money(each.equity), _money(each.tax), _money(each.after_tax),
         _money(each.sold_out), _gain(each.sold_out, f.start_equity))
        for each in f.outcomes
    ]  # fmt: skip
    head = (f"from {_money(f.start_equity)} {f.currency}", "at the end", "tax", "after tax",
            "sold at the end, after tax", "change")  # fmt: skip
    return _table("Result beside doing something simpler", head, rows)


def _key_figures(f: Figures) -> str:
    rows: list[Sequence[object]] = [
        ("grid profit (sells against cheaper buys, after fees)", _money(f.profit.grid)),
        ("inventory (what the coins held gained or lost)", _money(f.profit.inventory)),
        ("round trips", f.profit.round_trips),
        ("fees", _money(f.profit.fees)),
        ("turnover", _money(f.turnover)),
        ("fills", f"{f.fills} ({f.buys} buys)"),
        ("largest drawdown", f"{f.drawdown_pct:.2f} % {f.drawdown_at}"),
        ("left", f"{f.coins} coins, {_money(f.money)} {f.currency}"),
        ("free of tax", f"{f.free_coins} coins"),
        ("days until locked, at the last fortnight's pace", f.days_until_locked or "over a year"),
    ]
    if len(f.bias_band) > 1:
        told = ", ".join(f"{name.replace('_', ' ')}: {_money(end)}" for name, end in f.bias_band)
        rows.append(("both ways through each bar, before tax (shown: the lower)", told))
    return _table("Figures", ("", f.currency), rows)


def _charts(f: Figures) -> list[str]:
    if not f.points:
        return []
    start = f.points[0]
    hold = start.equity / start.price if start.price else 0.0
    peak, falls = 0.0, []
    for point in f.points:
        peak = max(peak, point.equity)
        falls.append((float(point.at), (point.equity / peak - 1.0) * 100 if peak else 0.0))
    marks = [
        Mark(_seconds(row.time), float(row.price), row.side, f"{row.side} {row.qty} at {row.price}")
        for row in f.fill_rows[:MOST_MARKS]
    ]
    equity = Line("this bot", "equity", [(p.at, p.equity) for p in f.points])
    alone = Line("all in coins", "hold", [(p.at, p.price * hold) for p in f.points])
    price = Line("", "price", [(p.at, p.price) for p in f.points])
    coins = Line("", "coins", [(p.at, p.coins) for p in f.points], filled=True)
    return [
        chart(f"Equity, {f.currency}", [equity, alone], 260, stripes=_stops(f)),
        chart("Drawdown, %", [Line("", "fall", falls)], 130),
        chart("Price, fills (green: buys) and regimes", [price], 300, marks, _regimes(f)),
        chart("Coins held", [coins], 130),
    ]


def _regimes(f: Figures) -> list[Stripe]:
    return _stripes(f, [(band.at, _REGIMES.get(band.regime, ""), band.regime) for band in f.bands])


def _stops(f: Figures) -> list[Stripe]:
    found = []
    for band in f.bands:
        css = "stop" if band.stop else "pause" if band.pause != "ACTIVE_TRADING" else ""
        found.append((band.at, css, band.stop or band.pause))
    return _stripes(f, found)


def _stripes(f: Figures, bands: list[tuple[int, str, str]]) -> list[Stripe]:
    """(at, css, word) as stretches; those without a colour are left out, equal ones joined."""
    found: list[Stripe] = []
    ends = [at for at, _, _ in bands[1:]] + [f.points[-1].at]
    for (at, css, word), end in zip(bands, ends, strict=True):
        if not css:
            continue
        if found and found[-1].end == at and found[-1].word == word:
            at = int(found.pop().begin)
        found.append(Stripe(at, end, css, word))
    return found


def _years(f: Figures) -> str:
    mine = f.outcomes[0]
    return _table(f"Tax on what was sold, EUR, at {float(f.tax_rate):.0%}",
                  ("year", "net", "", "taxable", "tax"),
                  [(year.year, _money(year.net), "exempt" if year.exempt else "",
                    _money(year.taxable), _money(year.tax)) for year in mine.years])  # fmt: skip


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<h2>{escape(title)}</h2><table><tr>{top}</tr>{body}</table>"


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _gain(end: Decimal, start: Decimal) -> str:
    return f"{(end / start - 1) * 100:+.2f} %" if start else ""
