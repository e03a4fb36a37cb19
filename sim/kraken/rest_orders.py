"""REST's order methods."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from shared.units import Ns
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS, find
from sim.engine.values import Order, Refused, Request, is_order_id
from sim.kraken.requests import STP_TYPES, bad, exact, read_client_id, read_userref
from sim.kraken.rest_fields import Fields, Method, truth, wall_of, words
from sim.kraken.wire import read_stamp, stamp_s


class OrderMethods:
    """Each method is one of REST; `table` names them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def table(self) -> Mapping[str, Method]:
        return {
            "AddOrder": self._add_order,
            "AddOrderBatch": self._add_batch,
            "AmendOrder": self._amend_order,
            "CancelOrder": self._cancel_order,
            "CancelAll": self._cancel_all,
            "CancelAllOrdersAfter": self._cancel_after,
        }

    def _add_order(self, fields: Fields, wall: int) -> object:
        listing_name = str(fields.get("pair") or "")
        request = _read_order(fields, listing_name, wall)
        order = self._exchange.add(request, Ns(wall), validate=truth(fields, "validate"))
        found: dict[str, object] = {"descr": {"order": _describe(request)}}
        if order is not None:
            found["txid"] = [order.order_id]
        return found

    def _add_batch(self, fields: Fields, wall: int) -> object:
        rows = fields.get("orders")
        if not isinstance(rows, list) or not 2 <= len(rows) <= 15:
            raise bad("orders")
        if not all(isinstance(row, dict) for row in rows):
            raise bad("orders")
        name = str(fields.get("pair") or "")
        shared = {key: fields[key] for key in ("deadline",) if key in fields}
        requests = [_read_order({**row, **shared}, name, wall) for row in rows]
        placed = self._exchange.add_batch(requests, Ns(wall), validate=truth(fields, "validate"))
        found: list[dict[str, object]] = []
        for result, request in zip(placed, requests, strict=True):
            if isinstance(result, Refused):
                found.append({"error": result.text})
            else:
                found.append({"descr": {"order": _describe(request)}})
                if result is not None:
                    found[-1]["txid"] = result.order_id
        return {"orders": found}

    def _amend_order(self, fields: Fields, wall: int) -> object:
        order = self._find(fields)
        pair = LISTINGS[order.pair].pair
        qty = price = None
        if fields.get("order_qty") not in (None, ""):
            qty = _units(fields, "order_qty", pair.qty_decimals, "volume")
        if fields.get("limit_price") not in (None, ""):
            price = _units(fields, "limit_price", pair.price_decimals, "price")
        if qty is None and price is None:
            raise bad("order_qty or limit_price")
        amend_id = self._exchange.amend(
            order,
            Ns(wall),
            qty=qty,
            price=price,
            post_only=truth(fields, "post_only"),
            deadline_wall=_deadline(fields),
        )
        return {"amend_id": amend_id}

    def _cancel_order(self, fields: Fields, wall: int) -> object:
        given = str(fields.get("txid") or "")
        if _is_int(given):
            userref = read_userref(int(given))
            orders = [o for o in self._exchange.open.values() if o.userref == userref]
            if not orders:
                raise Refused("EOrder:Unknown order")
        else:
            orders = [self._find(fields)]
        for order in orders:
            self._exchange.cancel(order, Ns(wall))
        return {"count": len(orders)}

    def _cancel_all(self, fields: Fields, wall: int) -> object:
        return {"count": self._exchange.cancel_all(Ns(wall))}

    def _cancel_after(self, fields: Fields, wall: int) -> object:
        given = str(fields.get("timeout", ""))
        if not (given.isascii() and given.isdigit() and len(given) <= 5):
            raise bad("timeout")
        due = self._exchange.cancel_after(int(given), Ns(wall))
        trigger = stamp_s(due) if due else self._exchange.switches.trigger_off
        return {"currentTime": stamp_s(wall), "triggerTime": trigger}

    def _find(self, fields: Fields) -> Order:
        order_id, cl_ord_id = fields.get("txid"), fields.get("cl_ord_id")
        if bool(order_id) == bool(cl_ord_id):
            raise bad("txid or cl_ord_id")
        if cl_ord_id:
            return self._exchange.find(cl_ord_id=read_client_id(cl_ord_id))
        if not is_order_id(str(order_id)):
            raise Refused("EOrder:Invalid order")
        return self._exchange.find(order_id=str(order_id))


def _read_order(fields: Fields, pair_name: str, wall: int) -> Request:
    """A REST order as the engine understands it; numbers are texts here."""
    listing = find(pair_name)
    if listing is None:
        raise Refused("EQuery:Unknown asset pair")
    side, kind = fields.get("type"), fields.get("ordertype")
    if side not in ("buy", "sell"):
        raise bad("type")
    if kind not in ("limit", "market"):
        raise bad("ordertype")
    flags = [flag for flag in str(fields.get("oflags") or "").split(",") if flag]
    if "fcib" in flags or "viqc" in flags:
        raise bad("oflags")
    tif = str(fields.get("timeinforce") or "GTC").lower()
    if tif not in ("gtc", "gtd", "ioc", "fok"):
        raise bad("timeinforce")
    stp = str(fields.get("stptype") or "cancel-newest").replace("-", "_")
    if stp not in STP_TYPES:
        raise bad("stptype")
    if fields.get("leverage") not in (None, "", "none") or truth(fields, "reduce_only"):
        raise Refused("EAccount:Invalid permissions")
    post_only = "post" in flags
    if post_only and (kind != "limit" or tif in ("ioc", "fok")):
        raise bad("oflags")
    price = 0
    if kind == "limit":
        price = _units(fields, "price", listing.pair.price_decimals, "price")
    client, userref = fields.get("cl_ord_id"), fields.get("userref")
    if client and userref:
        raise bad("cl_ord_id and userref are mutually exclusive")
    return Request(
        *(listing.pair.symbol, side, kind, price),
        *(_units(fields, "volume", listing.pair.qty_decimals, "volume"), tif, post_only),
        *(read_client_id(client) if client else "", _userref(userref), stp),
        *(_expiry(fields, tif, wall), _deadline(fields)),
    )


def _units(fields: Fields, name: str, decimals: int, what: str) -> int:
    try:
        value = Decimal(str(fields.get(name, "")))
    except InvalidOperation:
        raise bad(what) from None
    return exact(value, decimals, f"EGeneral:Invalid arguments:{what}")


def _userref(value: object) -> int:
    if value in (None, ""):
        return 0
    text = str(value)
    if not _is_int(text):
        raise bad("userref")
    return read_userref(int(text))


def _is_int(text: str) -> bool:
    return text.isascii() and text.lstrip("-").isdigit() and len(text) <= 11 and "-" not in text[1:]


def _expiry(fields: Fields, tif: str, wall: int) -> Ns:
    given = str(fields.get("expiretm") or "0")
    if tif != "gtd":
        return Ns(0)
    if given.startswith("+"):
        return Ns(wall + wall_of(given[1:], "expiretm"))
    found = wall_of(given, "expiretm")
    if not found:
        raise bad("expiretm")
    return Ns(found)


def _deadline(fields: Fields) -> Ns:
    given = fields.get("deadline")
    return Ns(read_stamp(given, "deadline")) if given else Ns(0)


def _describe(request: Request) -> str:
    return words(request.side, request.qty, request.pair, request.order_type, request.price)
