"""The status on one screen of 24 lines of 80 characters: what matters first, each on its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from rich.console import Group
from rich.text import Text

from strategy.ctl_view import (
    Shown,
    as_coloured,
    as_line,
    as_number,
    as_percent,
    as_seconds,
    as_text,
    rows_of,
)

LINES: Final = 23
"""Of 24: the last one is the prompt's."""

RUNGS_SHOWN: Final = 6
REASONS_SHOWN: Final = 2
NEWS_SHOWN: Final = 3
FILLS_LEAST: Final = 2
HEAD: Final = 9
HALF: Final = 40
USUAL: Final = "rests in the book"

Row = Mapping[str, Any]


def status(data: Row) -> Shown:
    """State, money, safety, price, what it waits for, grid, reasons; the newest fills last."""
    pairs, slots = rows_of(data, "pairs"), rows_of(data, "slots")
    lines = [*_state(data), *_news(data)]
    alone = len(pairs) == 1
    each = max(1, RUNGS_SHOWN // max(1, len(pairs)))
    for pair in pairs:
        own = [slot for slot in slots if slot.get("pair") == pair.get("pair")]
        lines += [*_price(pair)[: None if alone else 1], *_grid(own, each)]
    lines += _reasons(slots)[: REASONS_SHOWN if alone else 1]
    room = max(FILLS_LEAST, LINES - len(lines))
    lines += _fills(rows_of(data, "last_fills")[:room])
    return [Group(*lines)]  # As a group: alone each line keeps its own rule not to be wrapped.


def _state(data: Row) -> list[Text]:
    drift = as_text(data.get("drift"))
    # "0", "0.00000000" and the dash of an answer without it: the ledger and the exchange agree.
    parted = f"off by {drift}" if drift.strip("-0.") else "agrees with the exchange"
    balances = (f"{asset} {_trimmed(total)}" for asset, total in data.get("balances") or ())
    up_s = data.get("uptime_s")
    up = f"up {up_s / 60:.0f} min" if isinstance(up_s, (int, float)) else ""
    hold = "ON HOLD" if data.get("hold") else ""
    return [
        _row(
            as_coloured(data.get("phase")),
            as_text(data.get("mode")),
            hold,
            f"exchange {as_text(data.get('system'))}",
            f"line {as_text(data.get('line'))}",
            up,
            str(data.get("build") or ""),
        ),
        _row(
            "risk",
            as_coloured(data.get("pause")),
            f"market {as_text(data.get('regime'))}",
            f"tax room {as_text(data.get('tax_room'))} EUR",
        ),
        _row(
            "money",
            f"equity {as_text(data.get('equity'))}",
            f"drawdown {as_percent(data.get('drawdown_pct'))}",
            *balances,
        ),
        _row(
            "safety",
            f"switch fires in {as_seconds(data.get('switch_left_s'))}",
            f"market data {as_seconds(data.get('feed_age_s'))} old",
            f"rate {_whole(data.get('rate_used'))}/{_whole(data.get('rate_limit'))}",
        ),
        _row(
            "orders",
            f"{as_text(data.get('orders'))} own",
            f"{as_text(data.get('lost'))} lost",
            f"{as_text(data.get('foreign_orders'))} of others",
            f"{as_text(data.get('fills'))} fills booked",
        ),
        _row(
            "ledger",
            as_text(data.get("ledger_base")),
            f"free of tax {as_text(data.get('free_base'))}",
            parted,
        ),
    ]


def _news(data: Row) -> list[Text]:
    """What it waits for, then the alerts; how many are left out is said."""
    found = [as_line(f"waits for: {reason}", "yellow") for reason in data.get("waits_for") or ()]
    found += [as_line(f"{level}: {text}", level) for level, text in data.get("alerts") or ()]
    left = len(found) - NEWS_SHOWN
    shown = [_one(text) for text in found[:NEWS_SHOWN]]
    return [*shown, _one(Text(f"and {left} more: --json", "dim"))] if left > 0 else shown


def _price(pair: Row) -> list[Text]:
    why = "; ".join(str(reason) for reason in pair.get("why") or ())
    frozen = f"FROZEN: {pair['breaker']}" if pair.get("breaker") else ""
    lines = [
        _row(
            as_text(pair.get("pair")),
            f"{as_text(pair.get('bid'))} / {as_text(pair.get('ask'))}",
            f"anchor {as_text(pair.get('anchor'))}",
            f"VWAP {as_text(pair.get('vwap'))}",
            f"60 s {as_percent(pair.get('move_60s_pct'))}",
        ),
        _row(
            "spacing",
            f"{as_number(pair.get('buy_spacing_bps'))} / "
            f"{as_number(pair.get('sell_spacing_bps'))} bps",
            f"volatility {as_percent(pair.get('volatility_pct'))} a year",
            frozen,
        ),
    ]
    return [*lines, _row("why", why)] if why else lines


def _grid(slots: Sequence[Row], rungs: int) -> list[Text]:
    """Sells on the left, buys on the right, from the market outwards."""
    shown = [slot for slot in slots if slot.get("price") or slot.get("slot") != "x"]
    sells = sorted((s for s in shown if s.get("side") == "sell"), key=lambda s: _outwards(s, 1))
    buys = sorted((s for s in shown if s.get("side") == "buy"), key=lambda s: _outwards(s, -1))
    lines = []
    for sell, buy in list(zip_longest(sells, buys))[:rungs]:
        line = _rung(sell)
        line.pad_right(HALF - line.cell_len)
        lines.append(_one(line + _rung(buy)))
    left = max(len(sells), len(buys)) - rungs
    told = f"and {left} more rungs: strategy-ctl orders"
    return [*lines, _one(Text(told, "dim"))] if left > 0 else lines


def _outwards(slot: Row, away: int) -> tuple[bool, float]:
    """From the market outwards (away: +1 up, -1 down), the empty ones last."""
    try:
        return False, float(slot.get("price") or "") * away
    except ValueError:
        return True, 0.0


def _rung(slot: Row | None) -> Text:
    if slot is None:
        return Text()
    text = Text()
    text.append(f"{as_text(slot.get('slot')):4}", as_coloured(slot.get("side")).style)
    text.append(f"{as_text(slot.get('state')):10}")
    if slot.get("price"):
        text.append(f"{slot['price']:>10}  {as_text(slot.get('qty'))}")
    return text


def _reasons(slots: Iterable[Row]) -> list[Text]:
    """Why slots are as they are, where that is not the usual; slots of one reason together."""
    found: dict[str, list[str]] = {}
    for slot in slots:
        why = str(slot.get("why") or "")
        if why and why != USUAL and (slot.get("price") or slot.get("slot") != "x"):
            found.setdefault(why, []).append(as_text(slot.get("slot")))
    return [_row(",".join(names), why) for why, names in found.items()]


def _fills(fills: Iterable[Row]) -> list[Text]:
    return [
        _row(
            "fill",
            as_text(fill.get("time"))[:19].replace("T", " "),
            as_coloured(fill.get("side")),
            f"{as_text(fill.get('qty'))} at {as_text(fill.get('price'))}",
            f"fee {as_text(fill.get('fee'))}",
        )
        for fill in fills
    ]


def _row(head: str | Text, *cells: str | Text) -> Text:
    """A line: its name, then what there is to say."""
    name = head if isinstance(head, Text) else Text(head, "dim")
    name.pad_right(HEAD - name.cell_len)
    return _one(Text("  ").join([name, *(_text(cell) for cell in cells if cell)]))


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _one(text: Text) -> Text:
    """Never more than a line, however narrow the screen."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _trimmed(total: object) -> str:
    """Without the zeros that only fill up: 0.7085373400 is 0.70853734."""
    text = as_text(total)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, (int, float)) else "-"
