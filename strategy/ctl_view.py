"""The strategy's answers as tables for people; what it did not say is shown as a dash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

Shown = list[RenderableType]

UNLOCKS_SHOWN: Final = 6
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


def orders(data: Mapping[str, Any]) -> Shown:
    """Each slot with its order."""
    return [_grid(rows_of(data, "orders"))]


def lots(data: Mapping[str, Any]) -> Shown:
    """The open lots, oldest first, and what of them is free."""
    table = _table("acquired", "left", "of", "cost", "", "free of tax from")
    for lot in rows_of(data, "lots"):
        acquired, free_from = (Text(_day(lot.get(key))) for key in ("acquired", "free_from"))
        table.add_row(acquired, *_cells(lot, "left", "qty", "cost", "currency"), free_from)
    return [
        table,
        as_line(f"total {as_text(data.get('total'))}, free {as_text(data.get('free'))}", ""),
    ]


def explain(data: Mapping[str, Any]) -> Shown:
    """A slot's reasons, one to a line."""
    reasons = [Text(f"- {reason}") for reason in data.get("why") or ()]
    figures = [
        Text(f"{name.replace('_', ' ')}: {as_text(value)}", "dim")
        for name, value in (data.get("figures") or {}).items()
        if not isinstance(value, dict)
    ]
    return [as_line(as_text(data.get("slot")), "bold"), *reasons, *figures]


TAX_ROWS: Final = (
    ("net", "net of the year, EUR"),
    ("external", "of these other results"),
    ("room", "room under the Freigrenze"),
    ("worst_resting", "resting sells may gain"),
    ("worst_spending", "dollars of buys may gain"),
    ("room_after_resting", "room left after them"),
    ("taxed", "taxable so far"),
    ("tax", "tax on it, at your rate"),
    ("gain_free", "gains free of tax"),
    ("total", "coins in the ledger"),
    ("free", "of these free of tax"),
    ("leaving", "kept for withdrawals"),
    ("resting_sells", "coins in resting sells"),
    ("taxable_at_risk", "of these would be taxable"),
    ("pace_per_day", "pace, coins a day"),
    ("pace_left", "left of it today"),
    ("days_until_locked", "days until locked"),
)
"""What of the tax is shown, and its words."""


def tax(data: Mapping[str, Any]) -> Shown:
    """The year, then why, then what comes free next."""
    table = Table.grid(padding=(0, 2))
    for key, words in TAX_ROWS:
        table.add_row(Text(words, "dim"), as_coloured(data.get(key)))
    notes = [Text(f"- {note}") for note in data.get("notes") or ()]
    coming = [f"{day} {coins}" for day, coins in (data.get("unlocks") or ())[:UNLOCKS_SHOWN]]
    told = [as_line(f"free of tax next: {', '.join(coming)}", "")] if coming else []
    return [as_line(f"tax year {as_text(data.get('year'))}", "bold"), table, *notes, *told]


def reconcile(data: Mapping[str, Any]) -> Shown:
    """Balance and ledger, then what is in doubt."""
    table = Table.grid(padding=(0, 2))
    coin = as_text(data.get("coin"))
    for name in ("balance", "ledger", "external", "drift"):
        table.add_row(Text(name, "dim"), Text(f"{as_text(data.get(name))} {coin}"))
    for name in ("sells_held", "listed_s", "lost", "orphans", "foreign", "history_from"):
        value = data.get(name)
        told = ", ".join(map(str, value)) if isinstance(value, list) else value
        table.add_row(Text(name.replace("_", " "), "dim"), as_coloured(told))
    return [table]


def _grid(slots: Iterable[Mapping[str, Any]]) -> RenderableType:
    table = _table("slot", "pair", "side", "state", "price", "qty", "why")
    for slot in slots:
        filled = str(slot.get("filled") or "")
        part = f"filled {filled}; " if filled.strip("0.") else ""
        why = Text(part + as_text(slot.get("why")))
        table.add_row(*_cells(slot, "slot", "pair", "side", "state", "price", "qty"), why)
    return table


def rows_of(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [row for row in data.get(key) or () if isinstance(row, Mapping)]


def _cells(row: Mapping[str, Any], *keys: str) -> list[Text]:
    return [as_coloured(row.get(key)) for key in keys]


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column != "why")
    return table


def as_coloured(value: object) -> Text:
    text = as_text(value)
    return Text(text, _COLOURS.get(text, ""))


def as_line(text: str, style: str) -> Text:
    return Text(text, _COLOURS.get(style, style))


def as_text(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _day(value: object) -> str:
    """The date of a moment: a lot's hour of the day plays no part in its year."""
    return as_text(value)[:10]


def as_number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "-"


def as_seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, (int, float)) else "-"


def as_percent(value: object) -> str:
    """A ratio (0.15) as people read it (15.00 %)."""
    return f"{value * 100:.2f} %" if isinstance(value, (int, float)) else "-"
