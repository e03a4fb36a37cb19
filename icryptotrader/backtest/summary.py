"""A backtest's figures as text for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from icryptotrader.backtest.figures import Figures
from icryptotrader.backtest.pairs import doubts
from sim.backtest.data import Findings
from sim.backtest.packed import Packed

SHOWN: Final = 5


def as_json(figures: Figures) -> Iterator[bytes]:
    """Money as strings, exact; the same figures give the same bytes. In pieces: it may be long."""
    sign = b"{"
    for name in figures.__struct_fields__:
        value = getattr(figures, name)
        yield sign + b'\n "' + name.encode() + b'": '
        if isinstance(value, Packed):
            yield from _listed(value)
        else:
            yield _indented(value, b"\n ")
        sign = b","
    yield b"\n}"


def _listed(rows: Packed[Any]) -> Iterator[bytes]:
    sign = b"["
    for row in rows:
        yield sign + b"\n  " + _indented(row, b"\n  ")
        sign = b","
    yield b"\n ]" if rows else b"[]"


def _indented(value: object, line: bytes) -> bytes:
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1)
    return text.replace(b"\n", line)  # there is no other end of line: within texts they are escaped


def summary(figures: Figures) -> str:
    """A screen of text."""
    f = figures
    lines = [
        f"{f.pair}, {f.kind}, {f.rows:,} rows, {f.first} to {f.last}"
        + ("" if f.whole else "  (interrupted: what was played so far)"),
        *found_lines(f.data),
        "",
        f"{'':16}{'at the end':>16}{'tax':>14}{'after tax':>16}{'sold at the end':>18}",
    ]
    lines += [
        f"{each.name:16}{_money(each.equity):>16}{_money(each.tax):>14}"
        f"{_money(each.after_tax):>16}{_money(each.sold_out):>18}"
        for each in f.outcomes
    ]
    lines += [
        f"{'(at the start)':16}{_money(f.start_equity):>16} {f.currency}; tax at "
        f"{float(f.tax_rate):.0%} of taxable gains",
        "",
        f"fills       {f.fills} ({f.buys} buys, {f.fills - f.buys} sells), "
        f"turnover {_money(f.turnover)}, fees {_money(f.profit.fees)}",
        f"result      grid {_money(f.profit.grid)} in {f.profit.round_trips} round trips, "
        f"inventory {_money(f.profit.inventory)}",
        f"drawdown    {f.drawdown_pct:.2f} %{f.drawdown_at and f' on {f.drawdown_at}'}",
        f"left        {f.coins} coins and {_money(f.money)} {f.currency}",
    ]
    lasts = "over a year" if f.days_until_locked is None else f"{f.days_until_locked} days"
    lines.append(f"tax         {f.free_coins:f} coins free of tax, at the last pace for {lasts}")
    if f.halted:
        lines.append(f"halted      {f.halted}")
    if len(f.bias_band) > 1:
        told = ", ".join(f"{name.replace('_', ' ')} {_money(end)}" for name, end in f.bias_band)
        lines.append(f"bias band   {told}; shown: {f.path.replace('_', ' ')}")
    lines += _pair_lines(f)
    lines += ["", "It assumes:", *(f"  - {each}" for each in f.assumptions), ""]
    lines.append(f"digest {f.digest}")
    return "\n".join(lines)


def _pair_lines(f: Figures) -> list[str]:
    """Both pairs side by side; nothing where one was played."""
    if not f.pairs:
        return []
    lines = [
        "",
        f"{'in EUR':16}{'at the end':>16}{'tax':>14}{'after tax':>16}{'all sold, in EUR':>18}",
    ]
    lines += [
        f"{each.pair:16}{_money(each.equity):>16}{_money(each.tax_all):>14}"
        f"{_money(each.after_tax):>16}{_money(each.sold_out):>18}"
        for each in f.pairs
    ]
    lines.append(f"{'(at the start)':16}{_money(f.pairs[0].start):>16}")
    lines += [
        f"{each.pair}: a euro was {each.rate_first} and became {each.rate_last}; the dollars "
        f"themselves brought {_money(each.dollars)}, without which the tax were {_money(each.tax)}"
        for each in f.pairs
        if each.pair.endswith("/USD")
    ]
    return lines + doubts(f.pairs)


def found_lines(found: Findings) -> list[str]:
    """What is wrong with the data, worst first; empty where nothing is."""
    lines = []
    if found.bad_rows:
        lines.append(f"left out: {found.bad_rows} bad rows")
        lines += [f"  {text}" for text in found.bad[:SHOWN]]
    if found.overlap_rows:
        lines.append(f"left out: {found.overlap_rows} rows that an earlier file has too")
    if found.gap_count:
        lines.append(
            f"gaps: {found.gap_count}, the longest {found.longest_gap / 60e9:,.0f} minutes; the "
            "market counts as quiet there"
        )
        lines += [f"  {text}" for text in found.gaps[:SHOWN]]
    return lines + [f"note: {text}" for text in found.notes]


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"
