"""What we ask Kraken's REST, as values: calls, and the signed requests made of them.

Rule 1: neither secret nor key appears in any repr or error text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from shared.kraken.values import wall_text
from shared.orders import AddOrder, AmendOrder
from shared.units import Ns, Pair, price_text, qty_text

PAGE: Final = 50
"""Rows of one page of ClosedOrders and TradesHistory; also the most ids of one QueryOrders."""


class Request(Struct, frozen=True):
    """What a shell sends: `path` holds the query, too; headers are (name, value)."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


class Call(Struct, frozen=True):
    """A question before it is signed. `weight`: what it costs of the REST counter (KRAKEN 6.3)."""

    name: str
    fields: tuple[tuple[str, str], ...] = ()
    private: bool = True
    weight: int = 1


class Signer(Struct, frozen=True):
    """An API key, its secret decoded."""

    key: str
    secret: bytes

    def __repr__(self) -> str:
        return "Signer(***)"


def make_signer(key: str, secret: str) -> Signer:
    """ValueError where the secret is not base64; it names no part of it."""
    try:
        return Signer(key, base64.b64decode(secret, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("the API secret is not base64 text: copy it again") from None


def sign(signer: Signer, path: str, nonce: int, body: bytes) -> str:
    """The API-Sign header of exactly these bytes."""
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    mac = hmac.new(signer.secret, path.encode() + digest, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


def request_of(call: Call, signer: Signer, nonce: int) -> Request:
    """nonce: higher than that of every request before it with this key."""
    if not call.private:
        query = f"?{urlencode(call.fields)}" if call.fields else ""
        return Request("GET", f"/0/public/{call.name}{query}")
    path = f"/0/private/{call.name}"
    body = urlencode((("nonce", str(nonce)), *call.fields)).encode()
    headers = (
        ("API-Key", signer.key),
        ("API-Sign", sign(signer, path, nonce, body)),
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    return Request("POST", path, body, headers)


TIME: Final = Call("Time", private=False, weight=0)
SYSTEM_STATUS: Final = Call("SystemStatus", private=False, weight=0)
ASSET_PAIRS: Final = Call("AssetPairs", private=False, weight=0)
TOKEN: Final = Call("GetWebSocketsToken")
KEY_INFO: Final = Call("GetApiKeyInfo")
BALANCES: Final = Call("BalanceEx")
OPEN_ORDERS: Final = Call("OpenOrders")
CLOSED_ORDERS: Final = Call("ClosedOrders", weight=2)
CANCEL_ALL: Final = Call("CancelAll")


def open_order(cl_ord_id: str) -> Call:
    return Call("OpenOrders", (("cl_ord_id", cl_ord_id),))


def closed_order(cl_ord_id: str) -> Call:
    return Call("ClosedOrders", (("cl_ord_id", cl_ord_id),), weight=2)


def query_orders(order_ids: tuple[str, ...]) -> Call:
    """At most PAGE ids."""
    return Call("QueryOrders", (("txid", ",".join(order_ids)),))


def withdraw_status(asset: str) -> Call:
    """Of one asset, the newest first. Kraken REST: a key that may query the ledger may ask it."""
    return Call("WithdrawStatus", (("asset", asset), ("limit", str(PAGE))))


def ledger_of_withdrawals(asset: str, since: Ns) -> Call:
    """The newest page of an asset's withdrawals since a wall time, to the second."""
    fields = (("asset", asset), ("type", "withdrawal"), ("start", str(since // 10**9 - 1)))
    return Call("Ledgers", fields, weight=2)


def trades_history(since: Ns, offset: int) -> Call:
    """A page of fills, newest first, of `since` (wall; 0 = from the beginning) or later."""
    # `start` excludes its own moment and may be cut to a second: one second earlier loses nothing.
    start = (("start", str(since // 10**9 - 1)),) if since > 2 * 10**9 else ()
    # Taker fills merged into one row would have other ids than the executions channel gave them.
    fields = (*start, ("ofs", str(offset)), ("consolidate_taker", "false"))
    return Call("TradesHistory", fields, weight=2)


def ticker(pairs: tuple[str, ...]) -> Call:
    """pairs: REST names."""
    return Call("Ticker", (("pair", ",".join(pairs)),), private=False, weight=0)


def trade_volume(pairs: tuple[str, ...]) -> Call:
    """pairs: REST names."""
    return Call("TradeVolume", (("pair", ",".join(pairs)),))


def add_order(order: AddOrder, pair: Pair, name: str) -> Call:
    """As private.add_order says it on the line. name: the pair's at REST. No cost here: the
    trading counter counts it."""
    style = (
        (("timeinforce", "IOC"), ("oflags", "fciq"))
        if order.exit_order
        else (("oflags", "post,fciq"),)
    )
    fields = (
        ("pair", name),
        ("type", order.side.value),
        ("ordertype", "limit"),
        ("price", price_text(pair, order.price)),
        ("volume", qty_text(pair, order.qty)),
        *style,
        ("cl_ord_id", order.cl_ord_id),
        ("stptype", "cancel-newest"),
        ("deadline", wall_text(order.deadline)),
    )
    return Call("AddOrder", fields, weight=0)


def amend_order(order: AmendOrder, pair: Pair) -> Call:
    fields = (
        ("cl_ord_id", order.cl_ord_id),
        ("order_qty", qty_text(pair, order.qty)),
        ("limit_price", price_text(pair, order.price)),
        ("post_only", "true"),
        ("deadline", wall_text(order.deadline)),
    )
    return Call("AmendOrder", fields, weight=0)


def cancel_order(cl_ord_id: str, order_id: str) -> Call:
    """By our own id, else by the exchange's."""
    named = ("cl_ord_id", cl_ord_id) if cl_ord_id else ("txid", order_id)
    return Call("CancelOrder", (named,), weight=0)


def cancel_all_orders_after(timeout_s: int) -> Call:
    return Call("CancelAllOrdersAfter", (("timeout", str(timeout_s)),))
