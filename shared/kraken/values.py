"""What Kraken's private line and its REST write alike: numbers, moments, asset names, error texts.

Rule 1: nothing here raises for what came from outside; a fault is None, False or UNKNOWN.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from shared.orders import Verdict
from shared.units import Ns

DECODE_FAULTS: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""All that decoding hostile bytes may raise: UnicodeDecodeError is a ValueError, what Decimal
cannot compute is an ArithmeticError, and deep nesting ends in RecursionError."""

_MOST_DIGITS: Final = 18
_LEAST_EXPONENT: Final = -24

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?(?:Z|\+00:00)", re.ASCII
)

# Names of the time before v2; every other asset has one name everywhere.
_LEGACY_ASSETS: Final = {
    "XXBT": "BTC",
    "XBT": "BTC",
    "XXDG": "DOGE",
    "XDG": "DOGE",
    "XETC": "ETC",
    "XETH": "ETH",
    "XLTC": "LTC",
    "XMLN": "MLN",
    "XREP": "REP",
    "XXLM": "XLM",
    "XXMR": "XMR",
    "XXRP": "XRP",
    "XZEC": "ZEC",
    "ZAUD": "AUD",
    "ZCAD": "CAD",
    "ZEUR": "EUR",
    "ZGBP": "GBP",
    "ZJPY": "JPY",
    "ZUSD": "USD",
}

# Kraken v2, errors. The first prefix that fits decides; a text that fits none is UNKNOWN.
_VERDICTS: Final = (
    ("EOrder:Rate limit exceeded", Verdict.LIMIT),
    ("EOrder:Domain rate limit exceeded", Verdict.LIMIT),
    ("EAPI:Rate limit exceeded", Verdict.LIMIT),
    ("EAuth:Rate limit exceeded", Verdict.LIMIT),
    ("EAuth:Too many requests", Verdict.LIMIT),
    ("EGeneral:Too many requests", Verdict.LIMIT),
    ("EGeneral:Temporary lockout", Verdict.LIMIT),
    ("EService:Throttled", Verdict.LIMIT),
    ("Exceeded msg rate", Verdict.LIMIT),
    ("EService:Market in ", Verdict.MARKET),
    ("EOrder:Unknown order", Verdict.GONE),
    # A cancel of an order id that was never given out; asking is right for whatever else it means.
    ("EOrder:Invalid order", Verdict.GONE),
    ("EOrder:", Verdict.NOT_DONE),
    ("EGeneral:Invalid arguments", Verdict.NOT_DONE),
    ("EGeneral:Permission denied", Verdict.NOT_DONE),
    ("EGeneral:Unknown method", Verdict.NOT_DONE),
    ("EAPI:", Verdict.NOT_DONE),
    ("EAuth:", Verdict.NOT_DONE),
    ("EAccount:", Verdict.NOT_DONE),
    ("ESession:", Verdict.NOT_DONE),
    ("EQuery:", Verdict.NOT_DONE),
    ("ETrade:Invalid request", Verdict.NOT_DONE),
    # The gateway's own refusals: the engine never saw the request.
    ("Malformed request", Verdict.NOT_DONE),
    ("Unsupported ", Verdict.NOT_DONE),
    ("Currency pair not supported", Verdict.NOT_DONE),
    ("Token(s) not found", Verdict.NOT_DONE),
    ("Private data and trading are unavailable", Verdict.NOT_DONE),
)

_NOT_A_NUMBER: Final = "field must be a number"


def verdict_of(error: str) -> Verdict:
    """What a failed answer lets us conclude; UNKNOWN for a text we have never heard of."""
    if _NOT_A_NUMBER in error:
        return Verdict.NOT_DONE
    for prefix, verdict in _VERDICTS:
        if error.startswith(prefix):
            return verdict
    return Verdict.UNKNOWN


def is_sane(value: Decimal) -> bool:
    """False for NaN, infinities and magnitudes that no market has (1e999999)."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return value.adjusted() < _MOST_DIGITS and int(exponent) >= _LEAST_EXPONENT


def wall_of(text: str) -> Ns | None:
    """RFC 3339 in UTC, up to nine decimals, as ns since 1970; None where it is no such moment."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    *parts, fraction = found.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    try:
        seconds = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None
    return Ns(seconds * 10**9 + int((fraction or "0").ljust(9, "0")))


def wall_text(wall: int) -> str:
    """ns since 1970 as RFC 3339 in UTC with six decimals, cut off, never rounded up."""
    seconds, rest = divmod(wall, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def wall_of_seconds(seconds: Decimal) -> Ns:
    """REST's unix seconds with a fraction as ns, exact; ValueError beyond the year 5000."""
    if not (seconds.is_finite() and 0 <= seconds < 10**11):
        raise ValueError("not a moment")
    return Ns(int(seconds * 10**9))


def asset_name(name: str) -> str:
    """An asset of REST (XXBT, ZEUR, XBT.F) in v2 names; earning variants stay apart (BTC.F)."""
    stem, dot, variant = name.partition(".")
    return _LEGACY_ASSETS.get(stem, stem) + dot + variant
