"""What the methods of REST share: fields of a request, pages, times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from shared.units import SECOND, price_text, qty_text
from sim.engine.instruments import LISTINGS
from sim.kraken.requests import bad

Fields = Mapping[str, Any]
Method = Callable[[Fields, int], object]

Row = TypeVar("Row")

_PAGE: Final = 50
_LATEST_S: Final = 10**12


def truth(fields: Fields, name: str) -> bool:
    """A yes or no, in the forms that clients send."""
    return str(fields.get(name, "")).lower() in ("true", "1")


def count(fields: Fields, name: str, usual: int, most: int) -> int:
    """A positive number, at most so large; larger ones are lowered."""
    given = str(fields.get(name, usual))
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) > 0):
        raise bad(name)
    return min(int(given), most)


def page(rows: Sequence[Row], fields: Fields) -> Sequence[Row]:
    """Fifty rows from the offset `ofs`."""
    given = str(fields.get("ofs") or "0")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise bad("ofs")
    return rows[int(given) : int(given) + _PAGE]


def wall_of(text: str, name: str) -> int:
    """Unix seconds, with decimals or without, as ns."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise bad(name) from None
    if not value.is_finite() or abs(value) > _LATEST_S:
        raise bad(name)
    return int(value * SECOND)


def words(side: str, qty: int, symbol: str, order_type: str, price: int) -> str:
    """An order in words, as `descr` has it."""
    listing = LISTINGS[symbol]
    at = f"limit {price_text(listing.pair, price)}" if order_type == "limit" else "market"
    return f"{side} {qty_text(listing.pair, qty)} {listing.alt} @ {at}"
