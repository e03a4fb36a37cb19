"""What everybody is shown: a fold over the frames of feed and strategy, with the times of arrival.

Rule 1: what is not heard is not known. A view says how long a process has been silent, and whoever
shows it says so beside the last known values, or leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from monitor.advisor.seen import AdvisorSeen
from shared.frames import (
    Alert,
    AnyFrame,
    Beat,
    Book,
    Candle,
    Fill,
    FillView,
    Instrument,
    Status,
    Trades,
    Vwap,
)
from shared.units import SECOND, Ns, Pair, price_text

Value = TypeVar("Value")

SILENT_AFTER: Final = Ns(3 * SECOND)
"""Feed and strategy speak each second; after this they count as silent."""

FILLS_KEPT: Final = 50
ALERTS_KEPT: Final = 30
PAIRS_KEPT: Final = 50
SAMPLE_EACH: Final = Ns(5 * SECOND)
SAMPLES_KEPT: Final = 1440
PAIRS_SAMPLED: Final = 4
PACE_OVER: Final = Ns(10 * SECOND)


class Heard(Struct, frozen=True):
    """What was heard of one process: when last (house time), and how often it began anew."""

    at: Ns | None = None  # None: never
    boot: Ns = Ns(0)
    lives: int = 0

    def silent_ns(self, now: Ns) -> Ns | None:
        """How long it has been silent; None where it was never heard."""
        return None if self.at is None else Ns(now - self.at)

    def up(self, now: Ns) -> bool:
        return self.at is not None and now - self.at <= SILENT_AFTER


class Told(Struct, frozen=True):
    """An alert and when it came (house wall time)."""

    wall: Ns
    level: str
    key: str
    text: str


class Sample(Struct, frozen=True, gc=False):
    """What a chart draws, of one pair at one moment. Quote currency; 0 where it is not known."""

    wall: Ns
    pair: str
    mid: float
    equity: float
    drawdown: float  # a ratio


class Pace(Struct, frozen=True):
    """How often the strategy ticks, in house time: counted over PACE_OVER at least."""

    boot: Ns = Ns(0)
    ticks: int = 0  # at the begin of the span
    at: Ns = Ns(0)
    per_s: float = 0.0
    known: bool = False


class RatesSeen(Struct, frozen=True):
    """The ECB's rates, as the fetcher last saw them. Days are ISO text, "" where none is known.

    until: the day up to which every currency is known; due: the day that should be. fetched: when
    the ECB last answered (the machine's wall time, 0: never). failures: since then, with why.
    """

    until: str = ""
    due: str = ""
    days_behind: int | None = None
    fetched: Ns = Ns(0)
    failures: int = 0
    why: str = ""


class Wire(Struct, frozen=True):
    """What the bus did to our frames, since the monitor's start."""

    frames: int = 0
    missed: int = 0  # dropped on the way, as the sequence tells
    old: int = 0  # of an earlier life, or heard before
    strange: int = 0  # no frames of ours


class View(Struct, frozen=True):
    """Everything the monitor knows."""

    feed: Heard = Heard()
    strategy: Heard = Heard()
    beat: Beat | None = None
    status: Status | None = None
    pairs: Mapping[str, Pair] = {}
    books: Mapping[str, Book] = {}
    fills: tuple[FillView, ...] = ()  # the newest first
    advisor: AdvisorSeen | None = None  # None where no model is asked
    alerts: tuple[Told, ...] = ()  # the newest first, one for each key
    samples: tuple[Sample, ...] = ()  # the oldest first
    pace: Pace = Pace()
    wire: Wire = Wire()
    rates: RatesSeen | None = None  # None where this house fetches none


def hear(view: View, frame: AnyFrame, now: Ns, wall: Ns) -> View:
    """The view after a frame. now, wall: house time of its arrival."""
    match frame:
        case Status() | Fill() | Alert():
            view = replace(view, strategy=_heard(view.strategy, frame.boot, now))
        case _:
            view = replace(view, feed=_heard(view.feed, frame.boot, now))
    match frame:
        case Beat():
            return replace(view, beat=frame)
        case Status():
            fills = _newest(frame.last_fills, view.fills)
            samples = _sampled(view.samples, frame, wall)
            pace = _paced(view.pace, frame, now)
            return replace(view, status=frame, fills=fills, samples=samples, pace=pace)
        case Fill():
            return replace(view, fills=_newest((frame.fill,), view.fills))
        case Alert():
            return replace(view, alerts=_told(view.alerts, frame, wall))
        case Book():
            return replace(view, books=_with(view.books, frame.pair, frame))
        case Instrument():
            return replace(view, pairs=_with(view.pairs, frame.pair.symbol, frame.pair))
        case Trades() | Vwap() | Candle():
            return view


def touch(view: View, pair: str) -> tuple[str, str] | None:
    """Best bid and ask as text; None where there is no valid book of a known pair."""
    book, spec = view.books.get(pair), view.pairs.get(pair)
    if book is None or spec is None or not book.valid or not book.bids or not book.asks:
        return None
    return price_text(spec, book.bids[0]), price_text(spec, book.asks[0])


def _heard(heard: Heard, boot: Ns, now: Ns) -> Heard:
    return Heard(now, boot, heard.lives + (boot != heard.boot))


def _newest(fresh: tuple[FillView, ...], known: tuple[FillView, ...]) -> tuple[FillView, ...]:
    """Newest first; each execution once, as it was told last."""
    by_id = {fill.exec_id: fill for fill in (*reversed(known), *reversed(fresh))}
    return tuple(sorted(by_id.values(), key=lambda fill: fill.time, reverse=True)[:FILLS_KEPT])


def _sampled(known: tuple[Sample, ...], status: Status, wall: Ns) -> tuple[Sample, ...]:
    """Every SAMPLE_EACH at most; when it is full, every second one is forgotten."""
    if known and wall - known[-1].wall < SAMPLE_EACH:
        return known
    if len(known) >= SAMPLES_KEPT:
        walls = sorted({sample.wall for sample in known})
        kept = set(walls[1::2])
        known = tuple(sample for sample in known if sample.wall in kept)
    equity = _number(status.equity)
    fresh = (
        Sample(wall, pair.pair, _mid(pair.bid, pair.ask), equity, status.drawdown_pct)
        for pair in status.pairs[:PAIRS_SAMPLED]
    )
    return (*known, *fresh)


def _mid(bid: str, ask: str) -> float:
    low, high = _number(bid), _number(ask)
    return (low + high) / 2 if low > 0 and high > 0 else 0.0


def _paced(pace: Pace, status: Status, now: Ns) -> Pace:
    ticks = dict(status.counters).get("ticks")
    if ticks is None:
        return pace
    if status.boot != pace.boot or ticks < pace.ticks:
        return Pace(status.boot, ticks, now)
    if now - pace.at < PACE_OVER:
        return pace
    return Pace(status.boot, ticks, now, (ticks - pace.ticks) / ((now - pace.at) / SECOND), True)


def _number(text: str) -> float:
    """For charts; 0 where the text is no number."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def _told(known: tuple[Told, ...], alert: Alert, wall: Ns) -> tuple[Told, ...]:
    others = (told for told in known if told.key != alert.key)
    return (Told(wall, alert.level, alert.key, alert.text), *others)[:ALERTS_KEPT]


def _with(known: Mapping[str, Value], name: str, value: Value) -> Mapping[str, Value]:
    if name not in known and len(known) >= PAIRS_KEPT:
        return known
    return {**known, name: value}
