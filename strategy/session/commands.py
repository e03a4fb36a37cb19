"""What the core commands, as the exchange reads it: a frame of the line, or a call by REST."""

from __future__ import annotations

from collections.abc import Mapping

from shared.kraken import private, rest
from shared.orders import AddOrder, AmendOrder, ArmDeadman, CancelAll, CancelOrder
from shared.units import Pair
from strategy.session.desk import Errand, Purpose

Placing = AddOrder | AmendOrder
Safer = CancelOrder | CancelAll | ArmDeadman
"""What makes the account safer, or keeps it so."""


def asks(command: Placing | Safer) -> tuple[str, str, int]:
    """What an acknowledgement will be about: method of the wire, cl_ord_id, seconds of a switch."""
    match command:
        case AddOrder(cl_ord_id=cl_ord_id):
            return "add_order", cl_ord_id, 0
        case AmendOrder(cl_ord_id=cl_ord_id):
            return "amend_order", cl_ord_id, 0
        case CancelOrder(cl_ord_id=cl_ord_id):
            return "cancel_order", cl_ord_id, 0
        case CancelAll():
            return "cancel_all", "", 0
        case ArmDeadman(timeout_s=timeout_s):
            return "cancel_all_orders_after", "", timeout_s


def frame(command: Placing | Safer, pairs: Mapping[str, Pair], token: str, req_id: int) -> bytes:
    """The JSON of the line. pairs: those known, by symbol."""
    match command:
        case AddOrder(pair=symbol):
            return private.add_order(command, pairs[symbol], token, req_id)
        case AmendOrder(pair=symbol):
            return private.amend_order(command, pairs[symbol], token, req_id)
        case CancelOrder():
            return private.cancel_order(command, token, req_id)
        case CancelAll():
            return private.cancel_all(token, req_id)
        case ArmDeadman(timeout_s=timeout_s):
            return private.cancel_all_orders_after(timeout_s, token, req_id)


def placing(command: Placing, pair: Pair, rest_names: Mapping[str, str]) -> Errand:
    """The call that places or amends. rest_names: what REST calls the pairs, by symbol."""
    match command:
        case AddOrder(cl_ord_id=cl_ord_id):
            call = rest.add_order(command, pair, rest_names[pair.symbol])
            return Errand(Purpose.ADD, call, cl_ord_id)
        case AmendOrder(cl_ord_id=cl_ord_id):
            return Errand(Purpose.AMEND, rest.amend_order(command, pair), cl_ord_id)


def errand(command: Safer) -> Errand:
    """The call that does the same by REST."""
    match command:
        case CancelOrder(cl_ord_id=cl_ord_id, order_id=order_id):
            return Errand(Purpose.CANCEL, rest.cancel_order(cl_ord_id, order_id), cl_ord_id)
        case CancelAll():
            return Errand(Purpose.CANCEL_ALL, rest.CANCEL_ALL)
        case ArmDeadman(timeout_s=timeout_s):
            call = rest.cancel_all_orders_after(timeout_s)
            return Errand(Purpose.ARM, call, timeout_s=timeout_s)
