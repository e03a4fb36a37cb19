"""A backtest's figures as one HTML file that opens from disk: charts that zoom, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from itertools import islice
from pathlib import Path
from typing import Final

from icryptotrader.backtest.charts import charts
from icryptotrader.backtest.figures import Figures
from icryptotrader.backtest.pairs import doubts
from icryptotrader.backtest.summary import found_lines
from icryptotrader.document import section, table, write_document

MOST_ROWS: Final = 500


def write_page(figures: Figures, path: Path) -> None:
    """The whole page. Every text out of the data is escaped."""
    f = figures
    title = f"Backtest {f.pair}, {f.first[:10]} to {f.last[:10]}"
    warns = found_lines(f.data)
    if not f.whole:
        warns.insert(0, "Interrupted: what was played until then.")
    if f.halted:
        warns.insert(0, f"The bot halted itself: {f.halted}")
    shown, drawn = charts(f)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(', '.join(f.files))}: {f.rows:,} rows of {escape(f.kind)}. "
        f"iCryptoTrader {escape(f.product)}, digest <code>{f.digest}</code></p>",
        *(f'<p class="warn">{escape(text)}</p>' for text in warns),
        _outcomes(f),
        _pairs(f),
        _key_figures(f),
        shown,
        _table("Months", ("month", "begin", "end", "change", "fills"), [
            (row.month, _money(row.begin), _money(row.end), _percent(row.change_pct), row.fills)
            for row in f.months
        ]),
        _years(f),
        _folded("Open lots", ("bought", "coins", f"cost {f.currency}", "free of tax from"), [
            (row.bought, row.qty, _money(row.cost), row.free_from)
            for row in islice(f.lots, MOST_ROWS)
        ], len(f.lots)),
        _folded("Fills", ("time", "side", "price", "coins", "cost", "fee"), [
            (row.time, row.side, row.price, row.qty, _money(row.cost), row.fee)
            for row in islice(f.fill_rows, MOST_ROWS)
        ], f.fills),
        "<section><h2>What these figures assume</h2><ul>",
        *(f"<li>{escape(text)}</li>" for text in f.assumptions),
        "</ul></section>",
    ]  # fmt: skip
    write_document(path, title, "".join(parts), drawn)


def _outcomes(f: Figures) -> str:
    rows = [
        (each.name, _money(each.equity), _money(each.tax), _money(each.after_tax),
         _money(each.sold_out), _gain(each.sold_out, f.start_equity))
        for each in f.outcomes
    ]  # fmt: skip
    head = (f"from {_money(f.start_equity)} {f.currency}", "at the end", "tax", "after tax",
            "sold at the end, after tax", "change")  # fmt: skip
    return _table("Result beside doing something simpler", head, rows)


def _pairs(f: Figures) -> str:
    """The same run on both pairs; nothing where one was played."""
    if not f.pairs:
        return ""
    head = ("", "at the end", "tax on coins", "and on dollars", "after tax",
            "all sold, after tax", "change", "of it by the dollar", "fills", "of")  # fmt: skip
    rows = [
        (each.pair, _money(each.equity), _money(each.tax), _money(each.tax_all),
         _money(each.after_tax), _money(each.sold_out), _gain(each.sold_out, each.start),
         _money(each.dollars), each.fills, each.source)
        for each in f.pairs
    ]  # fmt: skip
    told = "".join(f'<p class="warn">{escape(text)}</p>' for text in doubts(f.pairs))
    title = (
        f"{' against '.join(each.pair for each in f.pairs)}, from {_money(f.pairs[0].start)} EUR"
    )
    return section(title, told + table(head, rows))


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
        ("free of tax", f"{f.free_coins:f} coins"),
        ("days until locked, at the last fortnight's pace", f.days_until_locked or "over a year"),
    ]
    if len(f.bias_band) > 1:
        told = ", ".join(f"{name.replace('_', ' ')}: {_money(end)}" for name, end in f.bias_band)
        rows.append(("both ways through each bar, before tax (shown: the lower)", told))
    return _table("Figures", ("", f.currency), rows)


def _years(f: Figures) -> str:
    mine = f.outcomes[0]
    return _table(f"Tax on what was sold, EUR, at {float(f.tax_rate):.0%}",
                  ("year", "net", "", "taxable", "tax"),
                  [(year.year, _money(year.net), "exempt" if year.exempt else "",
                    _money(year.taxable), _money(year.tax)) for year in mine.years])  # fmt: skip


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return section(title, table(head, rows))


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[object]], of: int) -> str:
    """A long table that opens on a click. of: how many rows there are in all."""
    if not rows:
        return ""
    told = f"the first {len(rows):,} of {of:,}" if of > len(rows) else f"all {of:,}"
    inside = f"<details><summary>{told}</summary>{table(head, rows)}</details>"
    return section(title, inside)


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _gain(end: Decimal, start: Decimal) -> str:
    return _percent(float(end / start - 1) * 100) if start else ""


def _percent(value: float) -> str:
    return f"{value:+.2f}\N{NO-BREAK SPACE}%"
