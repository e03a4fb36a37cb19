"""The strategy's answers as tables for people; what it did not say is shown as a dash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Shown = list[RenderableType]

FILLS_SHOWN: Final = 5

PAIRED: Final = ("balances", "counters")
"""Lists of (name, value) that are an object in JSON."""

_COLOURS: Final = {
    "trading": "green",
    "ACTIVE_TRADING": "green",
    "halted": "red",
    "critical": "red",
    "error": "red",
    "warning": "yellow",
    "buy": "green",
    "sell": "red",
}


def as_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's data with lists of (name, value) as objects."""
    return {name: dict(v) if name in PAIRED else v for name, v in data.items()}


def nothing(_data: Mapping[str, Any]) -> Shown:
    """For requests that are answered by a sentence alone."""
    return []


def status(data: Mapping[str, Any]) -> Shown:
    """The whole view on one screen."""
    shown: Shown = [_state(data)]
    shown += [_pair(pair) for pair in _rows(data, "pairs")]
    shown += _advice(data.get("advice") or {})
    shown.append(_grid(_rows(data, "slots")))
    if fills := _rows(data, "last_fills")[:FILLS_SHOWN]:
        shown.append(_fills(fills))
    shown += [_line(f"waits for: {reason}", "yellow") for reason in data.get("waits_for") or ()]
    shown += [_line(f"{level}: {text}", level) for level, text in data.get("alerts") or ()]
    return shown


def orders(data: Mapping[str, Any]) -> Shown:
    """Each slot with its order."""
    return [_grid(_rows(data, "orders"))]


def lots(data: Mapping[str, Any]) -> Shown:
    """The open lots, oldest first, and what of them is free."""
    table = _table("acquired", "left", "of", "cost", "", "free of tax from")
    for lot in _rows(data, "lots"):
        acquired, free_from = (Text(_day(lot.get(key))) for key in ("acquired", "free_from"))
        table.add_row(acquired, *_cells(lot, "left", "qty", "cost", "currency"), free_from)
    return [table, _line(f"total {_say(data.get('total'))}, free {_say(data.get('free'))}", "")]


def explain(data: Mapping[str, Any]) -> Shown:
    """A slot's reasons, one to a line."""
    reasons = [Text(f"- {reason}") for reason in data.get("why") or ()]
    figures = [
        Text(f"{name.replace('_', ' ')}: {_say(value)}", "dim")
        for name, value in (data.get("figures") or {}).items()
        if not isinstance(value, dict)
    ]
    return [_line(_say(data.get("slot")), "bold"), *reasons, *figures]


def reconcile(data: Mapping[str, Any]) -> Shown:
    """Balance and ledger, then what is in doubt."""
    table = Table.grid(padding=(0, 2))
    coin = _say(data.get("coin"))
    for name in ("balance", "ledger", "external", "drift"):
        table.add_row(Text(name, "dim"), Text(f"{_say(data.get(name))} {coin}"))
    for name in ("sells_held", "listed_s", "lost", "orphans", "foreign", "history_from"):
        value = data.get(name)
        told = ", ".join(map(str, value)) if isinstance(value, list) else value
        table.add_row(Text(name.replace("_", " "), "dim"), _coloured(told))
    return [table]


def _state(data: Mapping[str, Any]) -> RenderableType:
    balances = ", ".join(f"{asset} {total}" for asset, total in data.get("balances") or ())
    rows = [
        ("mode", data.get("mode"), "line", data.get("line")),
        ("phase", data.get("phase"), "exchange", data.get("system")),
        ("pause", data.get("pause"), "feed age", _seconds(data.get("feed_age_s"))),
        ("hold", data.get("hold"), "switch fires in", _seconds(data.get("switch_left_s"))),
        ("regime", data.get("regime"), "orders", data.get("orders")),
        ("equity", data.get("equity"), "fills", data.get("fills")),
        ("drawdown", _percent(data.get("drawdown_pct")), "lost, foreign", _odd_orders(data)),
        ("balances", balances, "ledger", _ledger(data)),
    ]
    table = Table.grid(padding=(0, 2))
    for left, value, right, other in rows:
        table.add_row(Text(left, "dim"), _coloured(value), Text(right, "dim"), _coloured(other))
    return Panel(table, title="strategy", title_align="left", expand=False)


def _pair(pair: Mapping[str, Any]) -> RenderableType:
    lines = [
        f"{_say(pair.get('bid'))} / {_say(pair.get('ask'))}   anchor {_say(pair.get('anchor'))}   "
        f"VWAP {_say(pair.get('vwap'))}",
        f"spacing {_number(pair.get('buy_spacing_bps'))} / "
        f"{_number(pair.get('sell_spacing_bps'))} bps   "
        f"volatility {_percent(pair.get('volatility_pct'))} a year   "
        f"60 s {_percent(pair.get('move_60s_pct'))}",
    ]
    if pair.get("breaker"):
        lines.append(f"frozen: {pair['breaker']}")
    lines += [f"- {reason}" for reason in pair.get("why") or ()]
    title = _say(pair.get("pair"))
    return Panel(Group(*map(Text, lines)), title=title, title_align="left", expand=False)


def _advice(advice: Mapping[str, Any]) -> Shown:
    """A line where a model is listened to."""
    if not advice.get("enabled"):
        return []
    if advice.get("off"):
        return [_line(f"advice: switched off: {advice['off']}", "dim")]
    if not advice.get("verdict"):
        return [_line("advice: none stands", "dim")]
    hint = f", expects {advice['regime_hint']}" if advice.get("regime_hint") else ""
    text = (
        f"advice: {advice['verdict']} by {_say(advice.get('source'))}{hint}, worth "
        f"{_number(advice.get('bias_bps'))} bps when it came, faded in "
        f"{_seconds(advice.get('left_s'))}"
    )
    return [_line(text, "dim")]


def _grid(slots: Iterable[Mapping[str, Any]]) -> RenderableType:
    table = _table("slot", "pair", "side", "state", "price", "qty", "why")
    for slot in slots:
        filled = str(slot.get("filled") or "")
        part = f"filled {filled}; " if filled.strip("0.") else ""
        why = Text(part + _say(slot.get("why")))
        table.add_row(*_cells(slot, "slot", "pair", "side", "state", "price", "qty"), why)
    return table


def _fills(fills: Iterable[Mapping[str, Any]]) -> RenderableType:
    table = _table("filled at (UTC)", "pair", "side", "price", "qty", "fee")
    for fill in fills:
        when = Text(_say(fill.get("time"))[:19].replace("T", " "))
        table.add_row(when, *_cells(fill, "pair", "side", "price", "qty", "fee"))
    return table


def _ledger(data: Mapping[str, Any]) -> str:
    drift = _say(data.get("drift"))
    # "0", "0.00000000" and the dash of an answer without it: the ledger and the exchange agree.
    parted = f", off by {drift}" if drift.strip("-0.") else ""
    return f"{_say(data.get('ledger_base'))}, free {_say(data.get('free_base'))}{parted}"


def _odd_orders(data: Mapping[str, Any]) -> str:
    return f"{_say(data.get('lost'))}, {_say(data.get('foreign_orders'))}"


def _rows(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [row for row in data.get(key) or () if isinstance(row, Mapping)]


def _cells(row: Mapping[str, Any], *keys: str) -> list[Text]:
    return [_coloured(row.get(key)) for key in keys]


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column != "why")
    return table


def _coloured(value: object) -> Text:
    text = _say(value)
    return Text(text, _COLOURS.get(text, ""))


def _line(text: str, style: str) -> Text:
    return Text(text, _COLOURS.get(style, style))


def _say(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _day(value: object) -> str:
    """The date of a moment: a lot's hour of the day plays no part in its year."""
    return _say(value)[:10]


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "-"


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, (int, float)) else "-"


def _percent(value: object) -> str:
    """A ratio (0.15) as people read it (15.00 %)."""
    return f"{value * 100:.2f} %" if isinstance(value, (int, float)) else "-"
