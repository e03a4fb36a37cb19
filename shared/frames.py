"""What is published on the bus: frames, each a whole fact.

Rule 1: no delta crosses a process boundary; whoever comes late is healed by the next frame.
Rule 2: fields are appended with defaults, never reordered, never retyped. Anything else is a new
WIRE version, which old subscribers do not hear: silence is stale, and stale does not quote.

A message has two parts: topic (`1/book/BTC/EUR`) and payload (msgpack, array-like, tagged).
Lists of levels are parallel arrays of ints: they encode in 0.4 of the time of structs.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from shared.units import Ns, Pair

WIRE: Final = "1"

# Where each binds, from inside the home folder (a Unix socket's path is short).
FEED_PUB: Final = "run/feed.pub"
STRATEGY_PUB: Final = "run/strategy.pub"
STRATEGY_CTL: Final = "run/strategy.ctl"


class Frame(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What every frame says first."""

    boot: Ns  # which life of the publisher: the boot time at which it started
    seq: int  # counted per topic; a gap is counted and heals by itself
    heard_at: Ns  # boot time at which the last byte came from the exchange
    changed_at: Ns  # boot time at which this fact last changed


class Instrument(Frame, frozen=True, array_like=True, tag="instrument", gc=False):
    """`1/instrument/PAIR`: precisions, minima and state of a pair, each 5 s and on change."""

    pair: Pair


class Book(Frame, frozen=True, array_like=True, tag="book", gc=False):
    """`1/book/PAIR`: the best levels of both sides, best first. On change, at least each second.

    While `valid` is false both sides are empty and `why` says what is wrong: nothing false is
    ever published. Prices in Ticks, quantities in Sats.
    """

    pair: str
    valid: bool
    why: str
    bids: tuple[int, ...]
    bid_qtys: tuple[int, ...]
    asks: tuple[int, ...]
    ask_qtys: tuple[int, ...]
    exchange_wall: Ns  # the exchange's own timestamp of the last change; 0 where it gave none


class Trade(Struct, frozen=True, array_like=True, gc=False):
    """One trade on the public tape."""

    trade_id: int
    taker: str  # "buy" | "sell": the side of the aggressor
    price: int  # Ticks
    qty: int  # Sats
    wall: Ns  # the exchange's timestamp


class Trades(Frame, frozen=True, array_like=True, tag="trades", gc=False):
    """`1/trades/PAIR`: the last trades, oldest first; an overlap is harmless by id."""

    pair: str
    trades: tuple[Trade, ...]


class VwapWindow(Struct, frozen=True, array_like=True, gc=False):
    seconds: int
    vwap: float  # quote currency; 0.0 where nothing traded in the window
    volume: int  # Sats
    trades: int


class Vwap(Frame, frozen=True, array_like=True, tag="vwap", gc=False):
    """`1/vwap/PAIR`: volume-weighted average prices. On trade, at least each second."""

    pair: str
    windows: tuple[VwapWindow, ...]


class Candle(Frame, frozen=True, array_like=True, tag="candle", gc=False):
    """`1/candle/PAIR`: the running candle, each second. Prices in Ticks, volume in Sats."""

    pair: str
    interval_s: int
    begin_wall: Ns
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class Beat(Frame, frozen=True, array_like=True, tag="beat", gc=False):
    """`1/feed`: the feed's own state, each second."""

    phase: str  # connecting | subscribing | live | waiting
    system: str  # the exchange's status: online, post_only, cancel_only, maintenance, ""
    connects: int
    resubscribes: int
    checksums: int  # verified
    checksum_faults: int
    dropped: int  # messages that could not be understood
    lag_ns: int  # local: oldest message waiting when it was taken
    note: str  # what it waits for, in words; "" when all is well
    tickers: tuple[tuple[str, int, int, int], ...] = ()  # pair, bid, ask, last (Ticks) of ticker


FeedFrame = Instrument | Book | Trades | Vwap | Candle | Beat


class SlotView(Struct, frozen=True, gc=False):
    """One order slot as people are shown it."""

    slot: str  # "b1" the buy next to the mid, "s3" the third sell, "x" the exit
    pair: str
    side: str
    state: str
    cl_ord_id: str
    price: str
    qty: str
    filled: str
    why: str  # why it is as it is: the wish, what withholds it, what it waits for


class PairView(Struct, frozen=True, gc=False):
    """One pair as people are shown it. Prices and quantities as fixed-point text."""

    pair: str
    bid: str
    ask: str
    anchor: str
    vwap: str
    regime: str
    feed_age_s: float
    book_valid: bool
    breaker: str  # "" or why it is frozen
    buy_spacing_bps: float
    sell_spacing_bps: float
    why: tuple[str, ...]  # the plan's reasons, stage by stage
    volatility_pct: float = 0.0  # annualised
    move_60s_pct: float = 0.0
    advice_bps: float = 0.0  # what advice leans the prices by now; above 0 leans to buying
    lean_bps: float = 0.0  # what the prices lean by in all


class AdviceView(Struct, frozen=True, gc=False):
    """What a model said last and what is left of it; empty where nothing stands."""

    enabled: bool = False
    off: str = ""  # why the operator switched it off; "" while it is heard
    verdict: str = ""  # STRONG_BUY | BUY | NEUTRAL | SELL | STRONG_SELL
    confidence: float = 0.0
    regime_hint: str = ""  # shown; it changes no regime
    source: str = ""
    bias_bps: float = 0.0  # weighed and capped, when it came; above 0 leans to buying
    age_s: float = 0.0
    left_s: float = 0.0  # until it has faded


class FillView(Struct, frozen=True, gc=False):
    exec_id: str
    cl_ord_id: str
    pair: str
    side: str
    price: str
    qty: str
    cost: str
    fee: str
    time: str  # RFC 3339 UTC, as the exchange dated it


class Status(Frame, frozen=True, array_like=True, tag="status", gc=False):
    """`1/status`: the whole view of the strategy, each second and on change.

    `strategy-ctl status --json` prints the same fields as an object.
    """

    mode: str  # demo | paper | live
    phase: str  # starting | syncing | trading | draining | stopped | halted
    hold: bool
    pause: str
    regime: str
    pairs: tuple[PairView, ...]
    slots: tuple[SlotView, ...]
    orders: int  # resting at the exchange, as far as we know
    lost: int  # orders we cannot speak about
    foreign_orders: int
    fills: int  # booked in the ledger
    last_fills: tuple[FillView, ...]
    balances: tuple[tuple[str, str], ...]  # asset, total, as the exchange said last
    ledger_base: str  # sum of the open lots
    free_base: str  # of these, free of tax today
    drift: str  # balance less ledger; "0" when they agree
    equity: str  # quote currency, estimated
    drawdown_pct: float
    switch_left_s: float  # seconds until the dead man's switch fires; 0 = not armed
    rate_used: float
    rate_limit: float
    feed_age_s: float
    line: str  # private line: down | up | rest (away, orders go by REST: orders.rest_fallback)
    system: str  # the exchange's status
    maker_pct: float
    taker_pct: float
    waits_for: tuple[str, ...]  # what keeps us from trading, in words
    counters: tuple[tuple[str, int], ...]  # adds, amends, cancels, rejects, ticks ...
    uptime_s: float
    tick_us: float  # duration of the last step, measured by the shell
    alerts: tuple[tuple[str, str], ...] = ()  # level, text: the open ones
    advice: AdviceView = AdviceView()
    tax_room: str = ""  # EUR that may still be gained this year before it is taxed
    tax: str = ""  # the year's net and room, and what may be sold, in a line
    build: str = ""  # of the program that runs: its version and commit


class Fill(Frame, frozen=True, array_like=True, tag="fill", gc=False):
    """`1/fill`: one fill of ours, after it was booked."""

    fill: FillView


class Alert(Frame, frozen=True, array_like=True, tag="alert", gc=False):
    """`1/alert`: something a person should know. Same `key`, same matter."""

    level: str  # info | warning | error | critical
    key: str
    text: str


StrategyFrame = Status | Fill | Alert
AnyFrame = Instrument | Book | Trades | Vwap | Candle | Beat | Status | Fill | Alert


def topic(kind: str, pair: str = "") -> bytes:
    """`1/book/BTC/EUR`, `1/feed`: what a subscriber asks for by prefix."""
    return f"{WIRE}/{kind}/{pair}".encode() if pair else f"{WIRE}/{kind}".encode()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: Frame) -> bytes:
    return _encoder.encode(frame)


def decode(payload: bytes | memoryview) -> AnyFrame | None:
    """A frame, or None where the bytes are none of ours (they are dropped and counted)."""
    try:
        frame: AnyFrame = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return frame
