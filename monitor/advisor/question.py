"""What a model is asked: numbers of the market, and in which form it must answer.

Rule 1: a question holds numbers that we measured ourselves, and words of our own. Nothing that
somebody else wrote gets into it, and nothing about the account: no balance, order, fill or name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from monitor.view import Sample, View
from shared.frames import Book, PairView
from shared.units import BPS, MINUTE, Ns

LEVELS: Final = 10
"""Of each side of the book that count for the imbalance."""

LATE: Final = Ns(2 * MINUTE)
"""A sample this much older than the moment that is wanted does not stand for it."""

VERDICTS: Final = ("STRONG_BUY", "BUY", "NEUTRAL", "SELL", "STRONG_SELL")
HINTS: Final = ("range_bound", "trending_up", "trending_down", "chaos", "none")
MOST_BIAS_BPS: Final = 100.0

INSTRUCTION: Final = f"""\
You judge the short-term direction of one market for a grid trader. He rests buy orders below and
sell orders above the mid price and earns the distance between them; your judgement may only move
all his prices a few basis points up or down for some minutes. He never sends market orders.

You are given one JSON object of numbers for each pair. mid: the mid price. spread_bps: best ask
less best bid. from_vwap_bps: mid against the volume-weighted average price. move_1_min_bps,
move_5_min_bps, move_15_min_bps, move_60_min_bps: how far the mid has moved in that time.
volatility: annualised standard deviation of returns (0.5 is 50 %). book_imbalance: -1 (only sell
orders near the mid) to 1 (only buy orders). spacing_bps: the distance between his orders. A value
that is not known is null.

Answer with one JSON object and nothing else:
verdict: one of {", ".join(VERDICTS)}.
confidence: 0 to 1, how sure you are. Be modest: with little to go by, say NEUTRAL.
bias_bps: -{MOST_BIAS_BPS:.0f} to {MOST_BIAS_BPS:.0f}, above 0 for rising prices, of the sign of the
verdict; 0 with NEUTRAL.
regime_hint: one of {", ".join(HINTS)}: the kind of market you expect next.
"""

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": list(VERDICTS)},
        "confidence": {"type": "number"},
        "bias_bps": {"type": "number"},
        "regime_hint": {"type": "string", "enum": list(HINTS)},
    },
    "required": ["verdict", "confidence", "bias_bps", "regime_hint"],
    "additionalProperties": False,
}
"""Of an answer. Bounds are not in it: not every provider takes them, and `opinion` holds them."""


class Figures(Struct, frozen=True):
    """One pair's market in numbers, and in nothing else. None: not known."""

    mid: float
    spread_bps: float
    from_vwap_bps: float | None
    move_1_min_bps: float
    move_5_min_bps: float | None
    move_15_min_bps: float | None
    move_60_min_bps: float | None
    volatility: float
    book_imbalance: float | None
    spacing_bps: float


def question(view: View, symbols: Iterable[str], wall: Ns) -> str:
    """The figures of each pair as JSON; "" where there is none to speak of.

    symbols: the pairs of the configuration. wall: house time, as the samples are dated.
    """
    shown = {pair.pair: pair for pair in view.status.pairs} if view.status else {}
    found = {}
    for symbol in symbols:
        figures = measure(view, shown[symbol], wall) if symbol in shown else None
        if figures is not None:
            found[symbol] = figures
    return msgspec.json.encode(found).decode() if found else ""


def measure(view: View, pair: PairView, wall: Ns) -> Figures | None:
    """None where there is no market to measure."""
    bid, ask, vwap = _number(pair.bid), _number(pair.ask), _number(pair.vwap)
    if bid <= 0.0 or ask < bid or not pair.book_valid:
        return None
    mid = (bid + ask) / 2
    own = [sample for sample in view.samples if sample.pair == pair.pair and sample.mid > 0.0]
    return Figures(
        round(mid, 2),
        _finite((ask - bid) / mid * BPS),
        _finite((mid / vwap - 1.0) * BPS) if vwap > 0.0 else None,
        _finite(pair.move_60s_pct * BPS),
        move_bps(own, mid, Ns(wall - 5 * MINUTE)),
        move_bps(own, mid, Ns(wall - 15 * MINUTE)),
        move_bps(own, mid, Ns(wall - 60 * MINUTE)),
        _finite(pair.volatility_pct),
        imbalance(view.books.get(pair.pair)),
        _finite(pair.buy_spacing_bps),
    )


def move_bps(samples: list[Sample], mid: float, since: Ns) -> float | None:
    """From the last sample at or before `since` to the mid; None where none is near enough."""
    before = [sample for sample in samples if since - LATE <= sample.wall <= since]
    return _finite((mid / before[-1].mid - 1.0) * BPS) if before else None


def imbalance(book: Book | None) -> float | None:
    """-1 (only asks) to 1 (only bids) of the best levels; None without a valid book."""
    if book is None or not book.valid:
        return None
    bids, asks = sum(book.bid_qtys[:LEVELS]), sum(book.ask_qtys[:LEVELS])
    return _finite((bids - asks) / (bids + asks)) if bids + asks > 0 else None


def _finite(value: float) -> float:
    """Two decimals are all that a judgement needs; what is no number is 0."""
    return round(value, 2) if math.isfinite(value) else 0.0


def _number(text: str) -> float:
    """0 where the text is no number."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
