"""Kraken's REST answers (Trades, OHLC) as the lines of a table: JSON that people keep in files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

MOST: Final = 16_000_000
"""Characters of a file: an answer holds a thousand trades, in some 100,000."""

_OTHER: Final = (
    "JSON is read as Kraken's answers Trades and OHLC alone: write a CSV whose header names the "
    "columns"
)
_TRADES: Final = "time,price,amount,side"
_BARS: Final = "time,open,high,low,close,vwap,volume,trades"
_BAR_CELLS: Final = 8


def lines_of(text: str) -> Iterator[str]:
    """A header, then a line for each trade or bar; ValueError for any other JSON.

    {"result": {PAIR: [[price, volume, time, side, type, misc, id], ...], "last": ...}}, likewise
    [time, open, high, low, close, vwap, volume, count] of OHLC, or the list of trades alone.
    """
    try:
        found: Any = msgspec.json.decode(text, strict=False)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{_OTHER} ({error})") from None
    result = found.get("result") if isinstance(found, dict) else None
    if isinstance(result, dict):
        found = next((rows for key, rows in result.items() if key != "last"), None)
    if not isinstance(found, list) or not all(isinstance(row, list) for row in found):
        raise ValueError(_OTHER)
    if result is not None and all(len(row) == _BAR_CELLS for row in found):
        yield _BARS
        order = tuple(range(_BAR_CELLS))
    elif all(len(row) > 3 and row[3] in ("b", "s") for row in found):
        yield _TRADES
        order = (2, 0, 1, 3)
    else:
        raise ValueError(_OTHER)
    for row in found:
        yield ",".join(str(row[place]) for place in order)
