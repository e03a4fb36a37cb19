"""Kraken's public channels: JSON text to typed messages, and what we ask for to JSON text.

Rule 1: `decode` never raises. What cannot be understood is a `Dropped` with a reason.
Rule 2: unknown keys are ignored, unknown channels are an `Other`.
Rule 3: a book's numbers come as floats, which are exact after rounding to the pair's precision as
long as they have at most 15 significant digits; `decode_exact` is there for the rest. All other
numbers come as Decimal, from Kraken's own digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from shared.frames import Trade
from shared.units import Ns, Pair, Sats

MOST_DECIMALS: Final = 15
"""A pair that claims more is not believed: 10 ** 15 is exact as a float, and no market needs it."""

MOST_DIGITS: Final = 24
"""Integer digits of a price or quantity, in units of the pair; beyond it is nonsense."""

Kind = Literal["snapshot", "update"]

Number = TypeVar("Number", float, Decimal)


class Level(Struct, Generic[Number], gc=False):
    """A level of a book on the wire; qty 0 deletes it."""

    price: Number
    qty: Number


class BookRow(Struct, Generic[Number], gc=False):
    symbol: str
    checksum: int
    bids: list[Level[Number]] = []
    asks: list[Level[Number]] = []
    timestamp: str | None = None  # of the last change; snapshots before 2026 have none


class BookMessage(Struct, Generic[Number], gc=False):
    """`book`. Lists of an update are not sorted and may hold a price twice: the last one wins."""

    type: Kind
    data: list[BookRow[Number]]


class TradeRow(Struct):
    symbol: str
    side: Literal["buy", "sell"]  # of the taker
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: str


class TradeMessage(Struct):
    type: Kind
    data: list[TradeRow]


class TickerRow(Struct):
    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal


class TickerMessage(Struct):
    type: Kind
    data: list[TickerRow]


class CandleRow(Struct):
    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    interval_begin: str
    interval: int  # minutes


class CandleMessage(Struct):
    """`ohlc`. There is no close flag: a candle is final when a later one arrives."""

    type: Kind
    data: list[CandleRow]


class InstrumentMessage(Struct):
    """`instrument`: those pairs that can be used; `refused` counts the others."""

    type: Kind
    pairs: list[Pair]
    refused: int


class Status(Struct):
    """`status`: the state of the matching engine; the first frame of a line, and each change."""

    system: str
    connection_id: str  # 64 bits unsigned on the wire; recordings may hide it behind a word


class Heartbeat(Struct):
    """`heartbeat`: each second, as soon as something is subscribed."""


class Pong(Struct):
    req_id: int | None = None


class Ack(Struct):
    """The answer to subscribe or unsubscribe, one for each symbol; `error` is "" on success.

    channel, symbol: "" where the exchange did not say. depth: 0 where it did not say.
    """

    method: str
    error: str
    req_id: int | None
    channel: str
    symbol: str
    depth: int
    time_out: str


class Other(Struct):
    """Well-formed, but none of the public channels: ignored."""

    name: str


class Dropped(Struct):
    """Not understood."""

    why: str


Message = (
    BookMessage[float]
    | TradeMessage
    | TickerMessage
    | CandleMessage
    | InstrumentMessage
    | Status
    | Heartbeat
    | Pong
    | Ack
    | Other
    | Dropped
)


class Ask(Struct, frozen=True):
    """One channel of one or more symbols, as subscribed and unsubscribed.

    depth: of `book`; interval: minutes, of `ohlc`; both 0 elsewhere.
    """

    channel: str
    symbols: tuple[str, ...] = ()
    depth: int = 0
    interval: int = 0


def subscribe(ask: Ask, req_id: int) -> bytes:
    """With a snapshot for every channel; Kraken sends none for trades unless asked."""
    return _request("subscribe", _params(ask) | {"snapshot": True}, req_id)


def unsubscribe(ask: Ask, req_id: int) -> bytes:
    return _request("unsubscribe", _params(ask), req_id)


def ping(req_id: int) -> bytes:
    """Without `params`: Kraken refuses a ping that has them."""
    return msgspec.json.encode({"method": "ping", "req_id": req_id})


def decode(raw: bytes) -> Message:
    """One frame of the public line, whatever its order of keys."""
    try:
        if raw.startswith(_BOOK_START):
            return _book.decode(raw)
        head = _head.decode(raw)
        if head.method:
            return _decode_answer(head.method, raw)
        match head.channel:
            case "heartbeat":
                return Heartbeat()
            case "book":
                return _book.decode(raw)
            case "trade":
                return _trade.decode(raw)
            case "ticker":
                return _ticker.decode(raw)
            case "ohlc":
                return _candle.decode(raw)
            case "status":
                return _decode_status(raw)
            case "instrument":
                return _decode_instrument(raw)
            case "":
                return Dropped("neither a channel nor a method")
            case other:
                return Other(other)
    except _FAULTS as error:
        return Dropped(f"{type(error).__name__}: {error}"[:200])


def decode_exact(raw: bytes) -> BookMessage[Decimal] | Dropped:
    """A book message with all digits; Dropped where a number is not one or is out of range."""
    try:
        message = _exact_book.decode(raw)
    except _FAULTS as error:
        return Dropped(f"{type(error).__name__}: {error}"[:200])
    for row in message.data:
        for level in (*row.bids, *row.asks):
            if not (_in_range(level.price, 0) and _in_range(level.qty, 0)):
                return Dropped(f"a price or quantity of {row.symbol} is out of range")
    return message


def units(value: Decimal, decimals: int) -> int | None:
    """A public number as a count of 10 ** -decimals, rounded half up; None where it is no number.

    Negative numbers and those of absurd size are none either.
    """
    if not _in_range(value, decimals):
        return None
    return int(value.scaleb(decimals).to_integral_value(ROUND_HALF_UP))


def trade_of(pair: Pair, row: TradeRow) -> Trade | None:
    """A trade in the pair's units; None where a number or the time makes no sense."""
    price, qty = units(row.price, pair.price_decimals), units(row.qty, pair.qty_decimals)
    wall = wall_ns(row.timestamp)
    if not price or not qty or not wall or not 0 <= row.trade_id < 1 << 63:
        return None
    return Trade(row.trade_id, row.side, price, qty, wall)


def wall_ns(text: str | None) -> Ns:
    """RFC 3339 UTC with any number of decimals, as ns since 1970; 0 where it is unreadable.

    Kraken writes six decimals in most places and nine in `ohlc`.
    """
    if text is None or len(text) > 40 or not text.isascii() or not text.endswith("Z"):
        return Ns(0)
    whole, _, fraction = text[:-1].partition(".")
    try:
        seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
        nanos = int(fraction.ljust(9, "0")[:9]) if fraction else 0
    except ValueError:
        return Ns(0)
    return Ns(max(seconds * 1_000_000_000 + nanos, 0))


class _Head(Struct):
    channel: str = ""
    method: str = ""


class _StatusRow(Struct):
    system: str
    connection_id: int | str = ""


class _StatusMessage(Struct):
    data: list[_StatusRow]


class _InstrumentData(Struct):
    pairs: list[msgspec.Raw] = []


class _InstrumentMessage(Struct):
    type: Kind
    data: _InstrumentData


class _PairRow(Struct):
    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    price_increment: Decimal
    qty_increment: Decimal
    qty_min: Decimal
    cost_min: Decimal
    cost_precision: int = 5
    status: str = "online"


class _AckResult(Struct):
    channel: str = ""
    symbol: str = ""
    depth: int = 0


class _Answer(Struct):
    error: str = ""
    req_id: int | None = None
    result: _AckResult | None = None
    channel: str = ""
    symbol: str = ""
    success: bool | None = None
    time_out: str = ""


_BOOK_START: Final = b'{"channel":"book"'
_FAULTS: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""Invalid UTF-8 is a ValueError here, deep nesting a RecursionError, a number too large either."""

_head = msgspec.json.Decoder(_Head)
_book = msgspec.json.Decoder(BookMessage[float])
_exact_book = msgspec.json.Decoder(BookMessage[Decimal])
_trade = msgspec.json.Decoder(TradeMessage)
_ticker = msgspec.json.Decoder(TickerMessage)
_candle = msgspec.json.Decoder(CandleMessage)
_status = msgspec.json.Decoder(_StatusMessage)
_instrument = msgspec.json.Decoder(_InstrumentMessage)
_pair = msgspec.json.Decoder(_PairRow)
_answer = msgspec.json.Decoder(_Answer)


def _decode_answer(method: str, raw: bytes) -> Message:
    if method not in ("subscribe", "unsubscribe", "ping", "pong", "error"):
        return Other(method)
    answer = _answer.decode(raw)
    if method == "pong":
        return Pong(answer.req_id)
    if answer.success is None and not answer.error:
        return Other(method)  # A request, as recordings of both directions hold them.
    result = answer.result or _AckResult()
    return Ack(
        method=method,
        error=answer.error or ("" if answer.success else "refused without a reason"),
        req_id=answer.req_id,
        channel=result.channel or answer.channel,
        symbol=result.symbol or answer.symbol,
        depth=result.depth,
        time_out=answer.time_out,
    )


def _decode_status(raw: bytes) -> Message:
    rows = _status.decode(raw).data
    if not rows:
        return Dropped("a status without data")
    return Status(rows[-1].system, str(rows[-1].connection_id))


def _decode_instrument(raw: bytes) -> Message:
    message = _instrument.decode(raw)
    pairs = [_decode_pair(row) for row in message.data.pairs]
    usable = [pair for pair in pairs if pair is not None]
    return InstrumentMessage(message.type, usable, len(pairs) - len(usable))


def _decode_pair(raw: msgspec.Raw) -> Pair | None:
    """None where the row is faulty: one odd pair of a thousand must not cost us the others."""
    try:
        row = _pair.decode(raw)
    except _FAULTS:
        return None
    if not 0 <= row.price_precision <= MOST_DECIMALS or not 0 <= row.qty_precision <= MOST_DECIMALS:
        return None
    price_step = units(row.price_increment, row.price_precision)
    qty_step = units(row.qty_increment, row.qty_precision)
    qty_min = units(row.qty_min, row.qty_precision)
    if not price_step or not qty_step or qty_min is None or not _in_range(row.cost_min, 0):
        return None
    return Pair(
        symbol=row.symbol,
        base=row.base,
        quote=row.quote,
        price_decimals=row.price_precision,
        qty_decimals=row.qty_precision,
        cost_decimals=row.cost_precision,
        price_step=price_step,
        qty_step=qty_step,
        qty_min=Sats(qty_min),
        cost_min=row.cost_min,
        status=row.status,
    )


def _in_range(value: Decimal, decimals: int) -> bool:
    """Looks at the exponent first: to write 1e999999 out as an int would take seconds."""
    return (
        value.is_finite()
        and -1000 < value.adjusted() < MOST_DIGITS - decimals
        and (value >= 0 and len(value.as_tuple().digits) <= 100)
    )


def _params(ask: Ask) -> dict[str, str | int | bool | Sequence[str]]:
    params: dict[str, str | int | bool | Sequence[str]] = {"channel": ask.channel}
    if ask.symbols:
        params["symbol"] = ask.symbols
    if ask.depth:
        params["depth"] = ask.depth
    if ask.interval:
        params["interval"] = ask.interval
    return params


def _request(
    method: str, params: dict[str, str | int | bool | Sequence[str]], req_id: int
) -> bytes:
    return msgspec.json.encode({"method": method, "params": params, "req_id": req_id})
