"""Answers of exchanges as the lines of a table: JSON that people keep in files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

MOST: Final = 16_000_000
"""Characters of a file: an answer holds a thousand rows, in some 100,000."""

_OTHER: Final = (
    "JSON is read as an exchange's answer alone, a list of bars or of Kraken's trades: write a CSV "
    "whose header names the columns"
)
_TRADES: Final = "time,price,amount,side"
_BARS: Final = "time,open,high,low,close,vwap,volume,trades"
_KRAKEN_BAR, _LEAST_BAR = 8, 5  # cells


def lines_of(text: str) -> Iterator[str]:
    """A line for each trade or bar, below a header where it is Kraken's; ValueError for other JSON.

    Kraken: Trades [price, volume, time, side, type, misc, id], OHLC [time, open, high, low, close,
    vwap, volume, count]. Elsewhere: rows that begin with a time and four prices, in any wrapping.
    """
    try:
        found: Any = msgspec.json.decode(text, strict=False)
        rows = _rows_in(found)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{_OTHER} ({error})") from None
    if all(len(row) > 3 and row[3] in ("b", "s") for row in rows):
        yield _TRADES
        rows = [[row[2], row[0], row[1], row[3]] for row in rows]
    elif isinstance(found, dict) and "result" in found and len(rows[0]) == _KRAKEN_BAR:
        yield _BARS
    elif not all(len(row) >= _LEAST_BAR for row in rows):
        raise ValueError(_OTHER)
    for row in rows:
        yield ",".join(map(str, row))


def _rows_in(found: Any) -> list[list[Any]]:
    """The first list of lists, wherever it stands; ValueError."""
    waiting = [found]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list) and part and all(isinstance(row, list) for row in part):
            return part
    raise ValueError(_OTHER)
