"""What a client asked for: checked params of both APIs as Requests of the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from shared.units import SECOND, Ns
from sim.engine.instruments import Listing
from sim.engine.values import Refused, Request
from sim.kraken.wire import read_stamp

_SHORT_ID: Final = re.compile(r"[ -~]{1,18}")
_HEX_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST: Final = 2_678_400 * SECOND  # an order may expire a month ahead
_LARGEST: Final = 1 << 62
_INT32: Final = 1 << 31

ORDER_TYPES: Final = ("limit", "market")
STP_TYPES: Final = ("cancel_newest", "cancel_oldest", "cancel_both")

# Order features that Kraken has and this exchange refuses by name instead of ignoring.
NOT_SIMULATED: Final = (
    *("cash_order_qty", "triggers", "conditional", "display_qty", "effective_time"),
    *("reduce_only", "margin", "sender_sub_id"),
)

ORDER_FIELDS: Final = frozenset(
    (
        *("order_type", "side", "order_qty", "limit_price", "limit_price_type", "time_in_force"),
        *("post_only", "expire_time", "cl_ord_id", "order_userref", "fee_preference", "stp_type"),
        *("no_mpp", *NOT_SIMULATED),
    )
)


def bad(what: str) -> Refused:
    """Kraken's answer to an argument that makes no sense."""
    return Refused(f"EGeneral:Invalid arguments:{what}")


def read_order(
    params: Mapping[str, Any], listing: Listing, wall: Ns, *, bare_integers: bool = True
) -> Request:
    """A WS order as the engine understands it."""
    for name in NOT_SIMULATED:
        if params.get(name) not in (None, False):
            raise bad(f"{name} is not available on this exchange")
    side, kind = params.get("side"), params.get("order_type")
    if side not in ("buy", "sell"):
        raise bad("side")
    if kind not in ORDER_TYPES:
        raise bad("order_type")
    if params.get("no_mpp") and kind != "market":
        raise bad("no_mpp order option is only available when ordertype = market")
    if params.get("fee_preference", "quote") != "quote":
        raise bad("fee_preference base is not available on this exchange")
    if params.get("limit_price_type", "static") != "static":
        raise bad("limit_price_type")
    price = 0
    if kind == "limit":
        price = read_price(params, listing, bare_integers=bare_integers)
    elif params.get("limit_price") is not None:
        raise bad("limit_price")
    tif, expire_wall = _read_tif(params, wall)
    stp = params.get("stp_type", "cancel_newest")
    if stp not in STP_TYPES:
        raise bad("stp_type")
    post_only = params.get("post_only", False)
    if not isinstance(post_only, bool) or (post_only and (kind != "limit" or tif == "ioc")):
        raise bad("post_only")
    cl_ord_id, userref = read_ids(params)
    return Request(
        *(listing.pair.symbol, side, kind, price, read_qty(params, listing), tif, post_only),
        *(cl_ord_id, userref, stp, expire_wall, read_deadline(params)),
    )


def read_price(params: Mapping[str, Any], listing: Listing, *, bare_integers: bool = True) -> int:
    """limit_price in Ticks."""
    value = params.get("limit_price")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("Limit_price field must be a number_float")
    if isinstance(value, int) and not bare_integers:
        raise Refused("Limit_price field must be a number_float")
    return exact(Decimal(value), listing.pair.price_decimals, "EOrder:Invalid price")


def read_qty(params: Mapping[str, Any], listing: Listing) -> int:
    """order_qty in Sats."""
    value = params.get("order_qty")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("Order_qty field must be a number_float")
    return exact(Decimal(value), listing.pair.qty_decimals, "EGeneral:Invalid arguments:volume")


def exact(value: Decimal, decimals: int, error: str) -> int:
    """A positive number as a count of 10 ** -decimals; Refused where it has more digits."""
    if not value.is_finite() or value <= 0 or value.adjusted() > 15 or value.adjusted() < -15:
        raise Refused(error)
    scaled = value.scaleb(decimals)
    units = int(scaled)
    if units != scaled or units >= _LARGEST:
        raise Refused(error)
    return units


def read_deadline(params: Mapping[str, Any]) -> Ns:
    """deadline as wall ns; 0 where none was given."""
    given = params.get("deadline")
    return Ns(read_stamp(given, "deadline")) if given is not None else Ns(0)


def read_ids(params: Mapping[str, Any]) -> tuple[str, int]:
    """cl_ord_id and order_userref, of which one at most may be given."""
    cl_ord_id, userref = params.get("cl_ord_id"), params.get("order_userref")
    if cl_ord_id is not None and userref is not None:
        raise bad("cl_ord_id and order_userref are mutually exclusive")
    if cl_ord_id is not None:
        return read_client_id(cl_ord_id), 0
    return "", read_userref(userref) if userref is not None else 0


def read_client_id(value: object) -> str:
    """A cl_ord_id: a UUID, 32 hex digits, or up to 18 ASCII characters."""
    if not isinstance(value, str):
        raise bad("cl_ord_id")
    if not any(form.fullmatch(value) for form in (_SHORT_ID, _HEX_ID, _UUID)):
        raise bad("cl_ord_id")
    return value


def read_userref(value: object) -> int:
    """An order_userref: a 32-bit int."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT32 <= value < _INT32:
        raise bad("order_userref")
    return value


def _read_tif(params: Mapping[str, Any], wall: Ns) -> tuple[str, Ns]:
    tif = params.get("time_in_force", "gtc")
    expires = params.get("expire_time")
    if tif not in ("gtc", "gtd", "ioc"):
        raise bad("time_in_force")
    if (tif == "gtd") != (expires is not None):
        raise bad("expire_time")
    if expires is None:
        return tif, Ns(0)
    expire_wall = read_stamp(expires, "expire_time")
    if expire_wall - wall > _LONGEST:
        raise bad("expire_time")
    return tif, Ns(expire_wall)
