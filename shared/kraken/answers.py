"""What Kraken's REST answers, as values.

Rule 1: an answer is never an exception: whatever came (HTML, 5xx, half a body) is a `Failure`.
Rule 2: no error text repeats what was received: it may hold a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from shared.kraken.values import (
    DECODE_FAULTS,
    asset_name,
    is_sane,
    verdict_of,
    wall_of_seconds,
)
from shared.orders import Fees, Filled, RestingOrder, Verdict
from shared.units import Ns, Pair, Sats, Side, Ticks, to_sats, to_ticks

T = TypeVar("T")


class Failure(Struct, frozen=True):
    """No answer, or one that says no. `error` is the exchange's text, or what was wrong with it."""

    error: str
    verdict: Verdict


class _Envelope(Struct):
    error: list[str] = []
    result: Raw = Raw(b"null")


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def answer(status: int, body: bytes, parse: Callable[[bytes], T]) -> T | Failure:
    """What `parse` makes of the result, or why there is none.

    The HTTP status says little: refusals come with 200, outages as HTML with any 5xx.
    """
    try:
        envelope = _ENVELOPE.decode(body)
    except DECODE_FAULTS:
        return Failure(f"HTTP {status} without readable JSON", Verdict.UNKNOWN)
    # A text that begins with W is a warning beside a result.
    errors = [text for text in envelope.error if not text.startswith("W")]
    if errors:
        return Failure(", ".join(errors)[:300], verdict_of(errors[0]))
    if bytes(envelope.result) == b"null" or status >= 400:
        return Failure(f"HTTP {status} without a result", Verdict.UNKNOWN)
    try:
        return parse(bytes(envelope.result))
    except DECODE_FAULTS as error:
        return Failure(f"unreadable result ({type(error).__name__})", Verdict.UNKNOWN)


class Listing(Struct, frozen=True):
    """A pair, and every name under which REST may speak of it. The first one is its key."""

    pair: Pair
    names: tuple[str, ...]


def by_name(listings: tuple[Listing, ...]) -> dict[str, Pair]:
    return {name: listing.pair for listing in listings for name in listing.names}


class KeyInfo(Struct, frozen=True):
    """What a key says of itself. valid_until: seconds since 1970, 0 = for ever."""

    permissions: tuple[str, ...] = ()
    name: str = ""
    nonce_window: int = 0
    valid_until: int = 0
    ip_allowlist: tuple[str, ...] = ()


class ListedOrder(Struct, frozen=True):
    """An order as REST lists it. status: pending, open, closed, canceled, expired."""

    order: RestingOrder
    status: str
    opened: Ns


class TradePage(Struct, frozen=True):
    """count: rows of the whole history asked for; -1 where it was not told.

    strange: ids of rows that today's listing cannot express (a pair that is gone); only named.
    """

    fills: tuple[Filled, ...]
    strange: tuple[str, ...]
    count: int

    @property
    def rows(self) -> int:
        return len(self.fills) + len(self.strange)


class _Pair(Struct):
    wsname: str
    altname: str
    pair_decimals: int
    lot_decimals: int
    cost_decimals: int
    ordermin: Decimal
    costmin: Decimal = Decimal(0)
    tick_size: Decimal | None = None
    status: str = "online"


class _Unix(Struct):
    unixtime: int


class _Status(Struct):
    status: str


class _Token(Struct):
    token: str


class _KeyInfo(Struct):
    """Kraken's page writes camel case, recordings have snake case: both are read."""

    permissions: list[str] = []
    api_key_name: str = ""
    apiKeyName: str = ""  # noqa: N815 - as on the wire
    nonce_window: int | str = 0
    nonceWindow: int | str = 0  # noqa: N815 - as on the wire
    valid_until: int | str = 0
    validUntil: int | str = 0  # noqa: N815 - as on the wire
    ip_allowlist: list[str] = []
    ipAllowlist: list[str] = []  # noqa: N815 - as on the wire


class _Balance(Struct):
    balance: Decimal


class _Description(Struct):
    pair: str
    type: str
    price: Raw = Raw(b'"0"')


class _Order(Struct):
    status: str
    descr: _Description
    vol: Decimal
    vol_exec: Decimal
    opentm: Decimal = Decimal(0)
    cl_ord_id: str | None = None


class _Open(Struct):
    open: dict[str, _Order]


class _Closed(Struct):
    closed: dict[str, _Order]


class _Trade(Struct):
    ordertxid: str
    pair: str
    time: Decimal
    type: Side
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    trade_id: int = 0
    maker: bool = False


class _Trades(Struct):
    trades: dict[str, _Trade]
    count: int = -1


class _Rate(Struct):
    fee: Decimal


class _Volume(Struct):
    fees: dict[str, _Rate] | None = None
    fees_maker: dict[str, _Rate] | None = None


class _Count(Struct):
    count: int = 0


class _Placed(Struct):
    txid: list[str] = []


def parse_time(result: bytes) -> Ns:
    """Whole seconds only: good for a warning, too coarse for a skew."""
    return Ns(msgspec.json.decode(result, type=_Unix).unixtime * 10**9)


def parse_status(result: bytes) -> str:
    return msgspec.json.decode(result, type=_Status).status


def parse_token(result: bytes) -> str:
    token = msgspec.json.decode(result, type=_Token).token
    if not token:
        raise ValueError("no token")
    return token


def parse_key_info(result: bytes) -> KeyInfo:
    row = msgspec.json.decode(result, type=_KeyInfo)
    return KeyInfo(
        tuple(row.permissions),
        row.apiKeyName or row.api_key_name,
        max(int(row.nonceWindow), int(row.nonce_window)),
        max(int(row.validUntil), int(row.valid_until)),
        tuple(address for address in (*row.ipAllowlist, *row.ip_allowlist) if address),
    )


def parse_count(result: bytes) -> int:
    """How many orders a cancel hit. The switch answers with two moments instead, which count 0."""
    return msgspec.json.decode(result, type=_Count).count


def parse_placed(result: bytes) -> str:
    """The exchange's id of a new order; an amend names none and gives ""."""
    return next(iter(msgspec.json.decode(result, type=_Placed).txid), "")


def parse_pairs(result: bytes) -> tuple[Listing, ...]:
    """Every pair that can be read; one that cannot is as good as not listed."""
    found = []
    for key, raw in msgspec.json.decode(result, type=dict[str, Raw]).items():
        try:
            found.append(_listing(key, msgspec.json.decode(raw, type=_Pair)))
        except DECODE_FAULTS:
            continue
    if not found:
        raise ValueError("no pair")
    return tuple(found)


def _listing(key: str, row: _Pair) -> Listing:
    base, _, quote = (asset_name(part) for part in row.wsname.partition("/"))
    _check(row.ordermin, row.costmin, row.tick_size or Decimal(1))
    if not (base and quote and 0 <= row.pair_decimals <= 18 and 0 <= row.lot_decimals <= 18):
        raise ValueError("no pair")
    symbol = f"{base}/{quote}"
    step = row.tick_size.scaleb(row.pair_decimals) if row.tick_size else Decimal(1)
    pair = Pair(
        symbol=symbol,
        base=base,
        quote=quote,
        price_decimals=row.pair_decimals,
        qty_decimals=row.lot_decimals,
        cost_decimals=row.cost_decimals,
        price_step=max(int(step), 1),
        qty_step=1,
        qty_min=Sats(int(row.ordermin.scaleb(row.lot_decimals))),
        cost_min=row.costmin,
        status=row.status,
    )
    return Listing(pair, (key, row.altname, row.wsname, symbol))


def parse_balances(result: bytes) -> dict[str, Decimal]:
    """Totals, holds included, in v2 names."""
    totals: dict[str, Decimal] = {}
    for name, row in msgspec.json.decode(result, type=dict[str, _Balance]).items():
        if not is_sane(row.balance):
            raise ValueError("a balance out of range")
        asset = asset_name(name)
        totals[asset] = totals.get(asset, Decimal(0)) + row.balance
    return totals


def parse_open(result: bytes, pairs: Mapping[str, Pair]) -> tuple[ListedOrder, ...]:
    return _listed(msgspec.json.decode(result, type=_Open).open, pairs)


def parse_closed(result: bytes, pairs: Mapping[str, Pair]) -> tuple[ListedOrder, ...]:
    return _listed(msgspec.json.decode(result, type=_Closed).closed, pairs)


def parse_queried(result: bytes, pairs: Mapping[str, Pair]) -> tuple[ListedOrder, ...]:
    return _listed(msgspec.json.decode(result, type=dict[str, _Order]), pairs)


def _listed(rows: Mapping[str, _Order], pairs: Mapping[str, Pair]) -> tuple[ListedOrder, ...]:
    return tuple(
        ListedOrder(_resting(order_id, row, pairs), row.status, wall_of_seconds(row.opentm))
        for order_id, row in rows.items()
    )


def _resting(order_id: str, row: _Order, pairs: Mapping[str, Pair]) -> RestingOrder:
    """Foreign orders too: a pair not listed, or a price that is none ("+1.0%"), becomes 0."""
    _check(row.vol, row.vol_exec)
    pair = pairs.get(row.descr.pair)
    price, qty, filled = Ticks(0), Sats(0), Sats(0)
    if pair is not None:
        qty, filled = _whole_sats(pair, row.vol), _whole_sats(pair, row.vol_exec)
        price = price_or_zero(pair, bytes(row.descr.price).decode().strip('"'))
    symbol = pair.symbol if pair is not None else row.descr.pair
    side = Side(row.descr.type)
    return RestingOrder(order_id, row.cl_ord_id or "", symbol, side, price, qty, filled)


def price_or_zero(pair: Pair, text: str) -> Ticks:
    try:
        price = Decimal(text)
        return to_ticks(pair, price) if is_sane(price) and price > 0 else Ticks(0)
    except (ValueError, ArithmeticError):
        return Ticks(0)


def parse_trades(result: bytes, pairs: Mapping[str, Pair]) -> TradePage:
    page = msgspec.json.decode(result, type=_Trades)
    fills, strange = [], []
    for exec_id, row in page.trades.items():
        _check(row.vol)
        pair = pairs.get(row.pair)
        if pair is None or _whole_sats(pair, row.vol) != row.vol.scaleb(pair.qty_decimals):
            strange.append(exec_id)
        else:
            fills.append(_fill(exec_id, row, pair))
    return TradePage(tuple(fills), tuple(strange), page.count)


def _whole_sats(pair: Pair, qty: Decimal) -> Sats:
    """Cut off: a market may have lost decimals since, and a list of orders moves no money."""
    return Sats(int(qty.scaleb(pair.qty_decimals)))


def _fill(exec_id: str, row: _Trade, pair: Pair) -> Filled:
    _check(row.price, row.cost)
    if not is_sane(row.fee):
        raise ValueError("a fee out of range")
    return Filled(
        exec_id=exec_id,
        order_id=row.ordertxid,
        cl_ord_id="",
        pair=pair.symbol,
        side=row.type,
        price=nearest_ticks(pair, row.price),
        qty=to_sats(pair, row.vol),
        cost=row.cost,
        fees=((pair.quote, row.fee),) if row.fee else (),
        wall=wall_of_seconds(row.time),
        trade_id=row.trade_id,
        maker=row.maker,
    )


def nearest_ticks(pair: Pair, price: Decimal) -> Ticks:
    """An execution's price; old ones may be finer than today's tick, the money is in `cost`."""
    return Ticks(int(price.scaleb(pair.price_decimals).to_integral_value()))


def parse_fees(result: bytes, pairs: Mapping[str, Pair]) -> tuple[Fees, ...]:
    """Percent to ratios. A pair without a maker rate of its own pays the taker's."""
    volume = msgspec.json.decode(result, type=_Volume)
    makers = volume.fees_maker or {}
    found = []
    for name, taker in (volume.fees or {}).items():
        maker = makers.get(name, taker)
        _check(abs(maker.fee), taker.fee)
        if name in pairs:
            found.append(Fees(pairs[name].symbol, maker.fee / 100, taker.fee / 100))
    return tuple(found)


class _Touch(Struct):
    """Kraken REST, Ticker: [price, whole lot volume, lot volume]."""

    a: tuple[Decimal, Decimal, Decimal]
    b: tuple[Decimal, Decimal, Decimal]


def parse_ticker(result: bytes, pairs: Mapping[str, Pair]) -> dict[str, tuple[Ticks, Ticks]]:
    """Our symbol -> best bid and ask; a side that is empty or crossed leaves the pair out."""
    found = {}
    for name, touch in msgspec.json.decode(result, type=dict[str, _Touch]).items():
        bid, ask = touch.b[0], touch.a[0]
        _check(bid, ask)
        pair = pairs.get(name)
        if pair is not None and 0 < bid < ask:
            scale = pair.price_decimals
            found[pair.symbol] = (Ticks(int(bid.scaleb(scale))), Ticks(int(ask.scaleb(scale))))
    return found


def _check(*values: Decimal) -> None:
    if not all(is_sane(value) and value >= 0 for value in values):
        raise ValueError("a number out of range")
