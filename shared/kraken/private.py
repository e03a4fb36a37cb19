"""Kraken's private WebSocket v2: our requests as bytes, its frames as values.

Rule 1: a number is sent as fixed-point text with a decimal point, made from an int.
Rule 2: a number is read as a Decimal, and only if arithmetic survives it.
Rule 3: `decode_or_drop` never raises: what cannot be read is `Garbage`, what is new is `Other`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from shared.kraken.values import DECODE_FAULTS, is_sane, wall_of, wall_text
from shared.orders import AddOrder, AmendOrder, CancelOrder
from shared.units import Ns, Pair, price_text, qty_text

# Requests.


def add_order(order: AddOrder, pair: Pair, token: str, req_id: int) -> bytes:
    """A post-only limit order, or an immediate-or-cancel one for an exit."""
    style = (
        {"time_in_force": "ioc"}
        if order.exit_order
        else {"time_in_force": "gtc", "post_only": True}
    )
    return _request(
        "add_order",
        {
            "order_type": "limit",
            "side": order.side.value,
            "order_qty": Raw(qty_text(pair, order.qty).encode()),
            "symbol": order.pair,
            "limit_price": Raw(price_text(pair, order.price).encode()),
            **style,
            "cl_ord_id": order.cl_ord_id,
            # The default differs by side; a fee in coins would shrink what the paired sell sells.
            "fee_preference": "quote",
            "stp_type": "cancel_newest",
            "deadline": wall_text(order.deadline),
            "token": token,
        },
        req_id,
    )


def amend_order(order: AmendOrder, pair: Pair, token: str, req_id: int) -> bytes:
    return _request(
        "amend_order",
        {
            "cl_ord_id": order.cl_ord_id,
            "order_qty": Raw(qty_text(pair, order.qty).encode()),
            "limit_price": Raw(price_text(pair, order.price).encode()),
            # Not remembered from the add: without it the amended order may take.
            "post_only": True,
            "deadline": wall_text(order.deadline),
            "token": token,
        },
        req_id,
    )


def cancel_order(order: CancelOrder, token: str, req_id: int) -> bytes:
    named = {"cl_ord_id": [order.cl_ord_id]} if order.cl_ord_id else {"order_id": [order.order_id]}
    return _request("cancel_order", {**named, "token": token}, req_id)


def cancel_all(token: str, req_id: int) -> bytes:
    return _request("cancel_all", {"token": token}, req_id)


def cancel_all_orders_after(timeout_s: int, token: str, req_id: int) -> bytes:
    """The dead man's switch of the account; 0 disarms it."""
    return _request("cancel_all_orders_after", {"timeout": timeout_s, "token": token}, req_id)


def subscribe_executions(token: str, req_id: int) -> bytes:
    # Every default is written out: schema and prose of the exchange disagree about them.
    return _request(
        "subscribe",
        {
            "channel": "executions",
            "token": token,
            "snap_orders": True,
            "snap_trades": True,
            "order_status": True,
            "ratecounter": True,
        },
        req_id,
    )


def subscribe_balances(token: str, req_id: int) -> bytes:
    return _request("subscribe", {"channel": "balances", "token": token, "snapshot": True}, req_id)


def ping(req_id: int) -> bytes:
    return msgspec.json.encode({"method": "ping", "req_id": req_id})


def _request(method: str, params: dict[str, Any], req_id: int) -> bytes:
    return msgspec.json.encode({"method": method, "params": params, "req_id": req_id})


# What comes.


class SystemStatus(Struct, frozen=True):
    """The first frame of a connection, and each change of the engine's state."""

    system: str


class Heartbeat(Struct, frozen=True):
    """Once a second as soon as anything is subscribed."""


class Ack(Struct, frozen=True):
    """The answer to one request (pong included); `req_id` 0 where it names none.

    count: cancelled orders. threshold: the account's rate limit, told by a subscription.
    """

    method: str
    req_id: int
    success: bool
    error: str = ""
    channel: str = ""
    order_id: str = ""
    cl_ord_id: str = ""
    count: int = 0
    threshold: int = 0
    time_in: Ns | None = None
    time_out: Ns | None = None


class Report(Struct, frozen=True):
    """One row of executions, a delta: "" and None mean that the row does not say."""

    exec_type: str
    order_id: str = ""
    cl_ord_id: str = ""
    symbol: str = ""
    side: str = ""
    order_status: str = ""
    time_in_force: str = ""  # lower case, as in requests
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    cum_qty: Decimal | None = None
    exec_id: str = ""
    trade_id: int = 0
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    maker: bool = False
    fees: tuple[tuple[str, Decimal], ...] = ()
    wall: Ns | None = None
    reason: str = ""
    rate_counter: float | None = None


class Executions(Struct, frozen=True):
    """`sequence` counts this subscription's messages from 1; None where it was left out."""

    snapshot: bool
    rows: tuple[Report, ...]
    sequence: int | None
    rate_counter: float | None = None


class Wallet(Struct, frozen=True):
    """One wallet's new total. Trading spends the spot wallet only; holds are included."""

    asset: str
    kind: str  # spot | earn
    name: str  # main, flex, bonded, ...
    balance: Decimal


class Balances(Struct, frozen=True):
    snapshot: bool
    rows: tuple[Wallet, ...]
    sequence: int | None


class Other(Struct, frozen=True):
    """A well-formed frame we have no use for."""

    what: str


class Garbage(Struct, frozen=True):
    """A frame that could not be read. `channel` is "" where not even that was readable."""

    why: str
    channel: str = ""


Message = SystemStatus | Heartbeat | Ack | Executions | Balances | Other | Garbage

# The wire's own shapes: all that may be missing or null is optional, what we do not use is absent.

Text = str | None


class _Frame(Struct):
    channel: Text = None
    type: Text = None
    method: Text = None
    data: Raw | UnsetType = UNSET
    sequence: int | None = None
    success: bool | None = None
    error: Text = None
    req_id: int | None = None
    result: Raw | UnsetType = UNSET
    time_in: Text = None
    time_out: Text = None
    orders_cancelled: int | None = None
    ratecount: float | None = None
    ratecounter: float | None = None
    rate_count: float | None = None
    rate_counter: float | None = None


class _Result(Struct):
    channel: Text = None
    order_id: Text = None
    cl_ord_id: Text = None
    count: int | None = None
    maxratecount: int | None = None


class _System(Struct):
    system: str


class _Fee(Struct):
    asset: str
    qty: Decimal


class _Row(Struct):
    exec_type: str
    order_id: Text = None
    cl_ord_id: Text = None
    symbol: Text = None
    side: Text = None
    order_status: Text = None
    time_in_force: Text = None
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    cum_qty: Decimal | None = None
    exec_id: Text = None
    trade_id: int | None = None
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    liquidity_ind: Text = None
    fees: list[_Fee] | None = None
    timestamp: Text = None
    reason: Text = None
    cancel_reason: Text = None
    ratecount: float | None = None
    ratecounter: float | None = None
    rate_count: float | None = None
    rate_counter: float | None = None


class _WalletRow(Struct):
    balance: Decimal
    type: Text = None
    id: Text = None


class _BalanceRow(Struct):
    asset: str
    balance: Decimal
    wallets: list[_WalletRow] | None = None
    wallet_type: Text = None
    wallet_id: Text = None


_FRAME: Final = msgspec.json.Decoder(_Frame)
_RESULT: Final = msgspec.json.Decoder(_Result)
_SYSTEMS: Final = msgspec.json.Decoder(list[_System])
_ROWS: Final = msgspec.json.Decoder(list[_Row])
_BALANCE_ROWS: Final = msgspec.json.Decoder(list[_BalanceRow])


def decode_or_drop(text: bytes) -> Message:
    """One frame as a value, whatever was sent."""
    try:
        frame = _FRAME.decode(text)
    except DECODE_FAULTS as error:
        return Garbage(_say(error))
    try:
        return _read(frame)
    except DECODE_FAULTS as error:
        return Garbage(_say(error), frame.channel or frame.method or "")


def _read(frame: _Frame) -> Message:
    match frame.channel or "", frame.method or "":
        # A failed subscribe names a channel too: the method decides.
        case _, method if method:
            return _ack(frame)
        case "heartbeat", _:
            return Heartbeat()
        case "status", _:
            systems = _SYSTEMS.decode(_data(frame))
            return SystemStatus(systems[0].system) if systems else Other("status")
        case "executions", _:
            rows = tuple(_report(row) for row in _ROWS.decode(_data(frame)))
            counter = _counter(frame)
            return Executions(frame.type == "snapshot", rows, frame.sequence, counter)
        case "balances", _:
            found = _BALANCE_ROWS.decode(_data(frame))
            wallets = tuple(wallet for row in found for wallet in _wallets(row))
            return Balances(frame.type == "snapshot", wallets, frame.sequence)
        case channel, _:
            return Other(channel)


def _data(frame: _Frame) -> Raw:
    if isinstance(frame.data, UnsetType):
        raise ValueError("no data")
    return frame.data


def _ack(frame: _Frame) -> Ack:
    result = _Result()
    # A batch answers with an array; we send none, and its acks need no more than `success`.
    if not isinstance(frame.result, UnsetType) and bytes(frame.result).startswith(b"{"):
        result = _RESULT.decode(frame.result)
    pong = frame.method == "pong"
    return Ack(
        method=frame.method or "",
        req_id=frame.req_id or 0,
        success=pong or (frame.success is True and not frame.error),
        error=frame.error or "",
        channel=result.channel or frame.channel or "",
        order_id=result.order_id or "",
        cl_ord_id=result.cl_ord_id or "",
        count=result.count or frame.orders_cancelled or 0,
        threshold=result.maxratecount or 0,
        time_in=wall_of(frame.time_in or ""),
        time_out=wall_of(frame.time_out or ""),
    )


def _report(row: _Row) -> Report:
    # A foreign order's relative price may be negative; what was executed may not.
    for value in (row.order_qty, row.cum_qty, row.last_qty, row.last_price, row.cost):
        if value is not None and not (is_sane(value) and value >= 0):
            raise ValueError("a number out of range")
    if row.limit_price is not None and not is_sane(row.limit_price):
        raise ValueError("a price out of range")
    fees = tuple((fee.asset, fee.qty) for fee in row.fees or ())
    if not all(is_sane(qty) for _, qty in fees):
        raise ValueError("a fee out of range")
    return Report(
        exec_type=row.exec_type,
        order_id=row.order_id or "",
        cl_ord_id=row.cl_ord_id or "",
        symbol=row.symbol or "",
        side=row.side or "",
        order_status=row.order_status or "",
        time_in_force=(row.time_in_force or "").lower(),
        order_qty=row.order_qty,
        limit_price=row.limit_price,
        cum_qty=row.cum_qty,
        exec_id=row.exec_id or "",
        trade_id=row.trade_id or 0,
        last_qty=row.last_qty,
        last_price=row.last_price,
        cost=row.cost,
        maker=row.liquidity_ind == "m",
        fees=fees,
        wall=wall_of(row.timestamp or ""),
        reason=row.reason or row.cancel_reason or "",
        rate_counter=_counter(row),
    )


def _counter(named: _Frame | _Row) -> float | None:
    """The rate counter, whose name the exchange's schema leaves open."""
    for value in (named.rate_counter, named.ratecounter, named.ratecount, named.rate_count):
        if value is not None and 0 <= value < 1e6:
            return value
    return None


def _wallets(row: _BalanceRow) -> tuple[Wallet, ...]:
    """Snapshot rows list their wallets; an update names the one that moved."""
    found = (
        tuple(
            Wallet(row.asset, each.type or "spot", each.id or "main", each.balance)
            for each in row.wallets
        )
        if row.wallets
        else (Wallet(row.asset, row.wallet_type or "spot", row.wallet_id or "main", row.balance),)
    )
    if not all(is_sane(wallet.balance) for wallet in found):
        raise ValueError("a balance out of range")
    return found


def _say(error: BaseException) -> str:
    """The kind of fault; never the frame itself, which may name a token."""
    return f"{type(error).__name__}: {str(error)[:120]}"
