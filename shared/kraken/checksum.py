"""The checksum of a book: CRC32 over the text of its ten best levels (Kraken v2, book).

Written for clarity: the feed keeps the same text in pieces and joins only what has changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import islice
from typing import Final

TOP: Final = 10
"""Levels of each side that the checksum covers, whatever depth was subscribed."""

Levels = Iterable[tuple[int, int]]
"""(Ticks, Sats) of one side, best first."""


def level_text(ticks: int, sats: int) -> str:
    """Price and quantity without point and leading zeros: just the digits of the two counts."""
    return f"{ticks}{sats}"


def side_text(levels: Levels) -> str:
    """The text of the ten best levels, or of as many as there are."""
    return "".join(level_text(ticks, sats) for ticks, sats in islice(levels, TOP))


def book_checksum(asks: Levels, bids: Levels) -> int:
    """Unsigned 32 bits over asks, then bids; 0 for an empty book."""
    return zlib.crc32((side_text(asks) + side_text(bids)).encode())
