"""The private WebSocket: executions, balances and the order methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from shared.units import Ns
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS, Listing
from sim.engine.values import Event, Exec, LedgerRow, Order, Refused, Request, is_order_id
from sim.kraken.public import CHANNELS, PUBLIC_ELSEWHERE, Send
from sim.kraken.reports import (
    WARNINGS,
    balance_row,
    ledger_row,
    report,
    snapshot_order,
    snapshot_trade,
)
from sim.kraken.requests import (
    ORDER_FIELDS,
    bad,
    read_client_id,
    read_deadline,
    read_order,
    read_price,
    read_qty,
    read_userref,
)
from sim.kraken.tokens import INVALID_SESSION, Tokens
from sim.kraken.wire import Ask, answer, check_fields, flag, quote, refusal, stamp_s, word

_SNAPSHOT_TRADES: Final = 50
_STATUS_KINDS: Final = frozenset(("pending_new", "amended"))  # left out with order_status false

_EXECUTIONS: Final = frozenset(
    (
        *("channel", "token", "snap_orders", "snap_trades", "order_status", "ratecounter"),
        *("users", "rebased", "snapshot", "snapshot_trades"),
    )
)
_BALANCES: Final = frozenset(("channel", "token", "snapshot", "users", "rebased"))
_ADD: Final = ORDER_FIELDS | {"symbol", "deadline", "validate", "token"}
_AMEND: Final = frozenset(
    (
        *("order_id", "cl_ord_id", "order_qty", "limit_price", "limit_price_type", "post_only"),
        *("display_qty", "trigger_price", "trigger_price_type", "deadline", "symbol", "token"),
    )
)
_CANCEL: Final = frozenset(("order_id", "cl_ord_id", "order_userref", "token"))
_BATCH_ADD: Final = frozenset(("symbol", "orders", "deadline", "validate", "token"))
_BATCH_CANCEL: Final = frozenset(("orders", "cl_ord_id", "token"))

Result = tuple[str | None, dict[str, str]]
"""The JSON of `result`, and further top-level keys."""


class Terms(Struct):
    """One private subscription; its sequence counts its messages from the snapshot, 1."""

    order_status: bool = True
    ratecounter: bool = False
    sequence: int = 0


class PrivateFace:
    """Subscriptions of all private connections, and the order methods."""

    def __init__(self, exchange: Exchange, tokens: Tokens, send: Send) -> None:
        self._exchange = exchange
        self._tokens = tokens
        self._send = send
        self._subs: dict[int, dict[str, Terms]] = {}
        self._methods: Mapping[str, Callable[[Ask, int], list[Result]]] = {
            "add_order": self._add,
            "amend_order": self._amend,
            "cancel_order": self._cancel,
            "cancel_all": self._cancel_all,
            "cancel_all_orders_after": self._cancel_after,
            "batch_add": self._batch_add,
            "batch_cancel": self._batch_cancel,
            "edit_order": self._edit,
        }

    def subscribed(self, conn: int) -> bool:
        return bool(self._subs.get(conn))

    def drop(self, conn: int) -> None:
        """A connection is gone; its orders stay."""
        self._subs.pop(conn, None)
        self._tokens.leave(conn)

    def handle(self, conn: int, ask: Ask, wall: int) -> list[str]:
        """One request: its answers, which the caller sends before or after what it caused."""
        params = ask.params or {}
        if ask.method in ("subscribe", "unsubscribe"):
            return self._handle_channel(conn, ask, wall)
        try:
            method = self._methods.get(ask.method)
            if method is None:
                raise Refused("Unsupported event")
            self._tokens.check(params.get("token"), conn, wall)
            return [answer(ask, wall, result, **more) for result, more in method(ask, wall)]
        except Refused as refused:
            return [refusal(ask, wall, refused.text)]

    def publish(self, events: Iterable[Event], wall: int) -> None:
        """Tell the subscribers what happened to the account."""
        for event in events:
            if isinstance(event, Exec):
                self._publish_exec(event, wall)
            elif isinstance(event, LedgerRow):
                self._emit("balances", ledger_row(event))

    # Channels.

    def _handle_channel(self, conn: int, ask: Ask, wall: int) -> list[str]:
        channel = (ask.params or {}).get("channel")
        try:
            if isinstance(channel, str) and channel in CHANNELS:
                raise Refused(PUBLIC_ELSEWHERE)
            if channel not in ("executions", "balances"):
                raise Refused("Unsupported event")
            params = check_fields(ask, _EXECUTIONS if channel == "executions" else _BALANCES)
            self._tokens.check(params.get("token"), conn, wall)
            mine = self._subs.setdefault(conn, {})
            if ask.method == "unsubscribe":
                if mine.pop(channel, None) is None:
                    raise Refused("Subscription Not Found")
                return [answer(ask, wall, f'{{"channel":"{channel}"}}')]
            if channel in mine:
                raise Refused("Already subscribed")
            self._tokens.enter(params["token"], conn)
            if channel == "executions":
                return self._open_executions(mine, ask, params, wall)
            return self._open_balances(mine, ask, params, wall)
        except Refused as refused:
            more = {}
            if refused.text == INVALID_SESSION:
                more = {"channel": quote(str(channel)), "status": '"error"'}
            return [refusal(ask, wall, refused.text, **more)]

    def _open_executions(
        self, mine: dict[str, Terms], ask: Ask, params: Mapping[str, Any], wall: int
    ) -> list[str]:
        orders = flag(params, "snap_orders", flag(params, "snapshot", default=True))
        trades = flag(params, "snap_trades", flag(params, "snapshot_trades", default=False))
        terms = Terms(
            order_status=flag(params, "order_status", default=True),
            ratecounter=flag(params, "ratecounter", default=False),
        )
        mine["executions"] = terms
        result = (
            f'{{"channel":"executions","maxratecount":{self._exchange.tier.threshold},'
            f'"snap_orders":{word(orders)},"snap_trades":{word(trades)},"snapshot":true,'
            f'"warnings":{WARNINGS}}}'
        )
        rows = []
        if orders:
            rows += [snapshot_order(order) for order in self._exchange.open.values()]
        if trades:
            last = list(self._exchange.trades.values())[-_SNAPSHOT_TRADES:]
            rows += [snapshot_trade(trade) for trade in reversed(last)]
        return [
            answer(ask, wall, result),
            _message("executions", "snapshot", ",".join(rows), terms),
        ]

    def _open_balances(
        self, mine: dict[str, Terms], ask: Ask, params: Mapping[str, Any], wall: int
    ) -> list[str]:
        snapshot = flag(params, "snapshot", default=True)
        terms = mine["balances"] = Terms()
        found = [answer(ask, wall, f'{{"channel":"balances","snapshot":{word(snapshot)}}}')]
        if snapshot:
            balances = self._exchange.account.balances
            rows = ",".join(balance_row(asset, units) for asset, units in balances.items())
            found.append(_message("balances", "snapshot", rows, terms))
        return found

    def _publish_exec(self, event: Exec, wall: int) -> None:
        row = ""
        for conn, mine in self._subs.items():
            terms = mine.get("executions")
            if terms is None or (event.kind in _STATUS_KINDS and not terms.order_status):
                continue
            row = row or report(event, self._exchange.switches)
            text = row
            if terms.ratecounter:
                rate = self._exchange.rate(event.order.pair, Ns(wall))
                text = f'{row[:-1]},"{self._exchange.switches.rate_key}":{rate:.2f}}}'
            self._send(conn, _message("executions", "update", text, terms))

    def _emit(self, channel: str, row: str) -> None:
        for conn, mine in self._subs.items():
            if (terms := mine.get(channel)) is not None:
                self._send(conn, _message(channel, "update", row, terms))

    # Orders.

    def _add(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, _ADD)
        request = self._read_request(params, _listing(params), wall)
        order = self._exchange.add(request, Ns(wall), validate=flag(params, "validate", False))
        return [(_placed(order, request), {})]

    def _batch_add(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, _BATCH_ADD)
        listing = _listing(params)
        rows = params.get("orders")
        if not isinstance(rows, list) or not 2 <= len(rows) <= 15:
            raise bad("orders")
        deadline = {"deadline": params["deadline"]} if "deadline" in params else {}
        requests = []
        for row in rows:
            if not isinstance(row, dict):
                raise bad("orders")
            check_fields(Ask(ask.method, row, None, wall), ORDER_FIELDS)
            requests.append(self._read_request({**row, **deadline}, listing, wall))
        placed = self._exchange.add_batch(
            requests, Ns(wall), validate=flag(params, "validate", False)
        )
        results = []
        for found, request in zip(placed, requests, strict=True):
            if isinstance(found, Refused):
                mine = f'"cl_ord_id":{quote(request.cl_ord_id)},' if request.cl_ord_id else ""
                results.append(f'{{{mine}"error":{quote(found.text)}}}')
            else:
                results.append(_placed(found, request))
        return [("[" + ",".join(results) + "]", {})]

    def _amend(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, _AMEND)
        order_id, cl_ord_id = params.get("order_id"), params.get("cl_ord_id")
        if (order_id is None) == (cl_ord_id is None):
            raise bad("order_id or cl_ord_id")
        for name in ("display_qty", "trigger_price", "trigger_price_type"):
            if params.get(name) is not None:
                raise bad(f"{name} is not available on this exchange")
        order = self._find(order_id, cl_ord_id)
        listing = LISTINGS[order.pair]
        bare = self._exchange.switches.bare_integers
        qty = read_qty(params, listing) if "order_qty" in params else None
        price = read_price(params, listing, bare_integers=bare) if "limit_price" in params else None
        if qty is None and price is None:
            raise bad("order_qty or limit_price")
        amend_id = self._exchange.amend(
            order,
            Ns(wall),
            qty=qty,
            price=price,
            post_only=flag(params, "post_only", default=False),
            deadline_wall=read_deadline(params),
        )
        name = f'"order_id":"{order.order_id}"'
        if cl_ord_id is not None:
            name = f'"cl_ord_id":{quote(str(cl_ord_id))}'
        return [(f'{{"amend_id":"{amend_id}",{name}}}', {})]

    def _edit(self, ask: Ask, wall: int) -> list[Result]:
        raise Refused("EGeneral:Invalid arguments:edit_order is legacy; use amend_order")

    def _cancel(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, _CANCEL)
        wanted = _names(params)
        results: list[Result] = []
        refused: Refused | None = None
        for key, value in wanted:
            try:
                orders = self._named(key, value)
                for order in orders:
                    self._exchange.cancel(order, Ns(wall))
                results.append((f'{{"{key}":{_json(value)}}}', {}))
            except Refused as refusal_:
                if len(wanted) == 1:
                    raise
                refused = refusal_
                more = {"error": quote(refusal_.text), "success": "false"}
                results.append((None, more))
        if refused is not None and all(result is None for result, _ in results):
            raise refused
        return results

    def _cancel_all(self, ask: Ask, wall: int) -> list[Result]:
        check_fields(ask, frozenset(("token",)))
        return [(f'{{"count":{self._exchange.cancel_all(Ns(wall))}}}', {})]

    def _cancel_after(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, frozenset(("timeout", "token")))
        timeout = params.get("timeout")
        if isinstance(timeout, bool) or not isinstance(timeout, int):
            raise bad("timeout")
        due = self._exchange.cancel_after(timeout, Ns(wall))
        trigger = stamp_s(due) if due else self._exchange.switches.trigger_off
        return [(f'{{"currentTime":"{stamp_s(wall)}","triggerTime":"{trigger}"}}', {})]

    def _batch_cancel(self, ask: Ask, wall: int) -> list[Result]:
        params = check_fields(ask, _BATCH_CANCEL)
        ids, clients = params.get("orders", []), params.get("cl_ord_id", [])
        if not isinstance(ids, list) or not isinstance(clients, list):
            raise bad("orders")
        if not 2 <= len(ids) + len(clients) <= 50:
            raise bad("orders")
        wanted: list[tuple[str, object]] = [
            ("order_userref" if isinstance(value, int) else "order_id", value) for value in ids
        ]
        wanted += [("cl_ord_id", value) for value in clients]
        count = 0
        for key, value in wanted:
            try:
                for order in self._named(key, value):
                    self._exchange.cancel(order, Ns(wall))
                    count += 1
            except Refused:
                # Kraken counts what it cancelled; an order that is gone is not an error here.
                continue
        if self._exchange.switches.batch_cancel_form == "count":
            return [(f'{{"count":{count}}}', {})]
        return [(None, {"orders_cancelled": str(count)})]

    def _read_request(self, params: Mapping[str, Any], listing: Listing, wall: int) -> Request:
        bare = self._exchange.switches.bare_integers
        return read_order(params, listing, Ns(wall), bare_integers=bare)

    def _find(self, order_id: object, cl_ord_id: object) -> Order:
        if order_id is not None:
            if not is_order_id(str(order_id)):
                raise Refused("EOrder:Invalid order")
            return self._exchange.find(order_id=str(order_id))
        return self._exchange.find(cl_ord_id=read_client_id(cl_ord_id))

    def _named(self, key: str, value: object) -> list[Order]:
        """The open orders of one name: one, or all of a userref."""
        if key != "order_userref":
            return [
                self._find(
                    value if key == "order_id" else None, value if key == "cl_ord_id" else None
                )
            ]
        userref = read_userref(value)
        found = [order for order in self._exchange.open.values() if order.userref == userref]
        if not found or not userref:
            raise Refused("EOrder:Unknown order")
        return found


def _listing(params: Mapping[str, Any]) -> Listing:
    symbol = params.get("symbol")
    if symbol is None:
        raise Refused("Symbol(s) not found")
    found = LISTINGS.get(str(symbol))
    if found is None:
        raise Refused(f"Currency pair not supported {symbol}")
    return found


def _placed(order: Order | None, request: Request) -> str:
    """The result of an add; a mere check has no order id."""
    fields = []
    if request.cl_ord_id:
        fields.append(f'"cl_ord_id":{quote(request.cl_ord_id)}')
    if order is not None:
        fields.append(f'"order_id":"{order.order_id}"')
    if request.userref:
        fields.append(f'"order_userref":{request.userref}')
    return "{" + ",".join(fields) + "}"


def _names(params: Mapping[str, Any]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key in ("order_id", "cl_ord_id", "order_userref"):
        values = params.get(key, [])
        if not isinstance(values, list):
            raise bad(key)
        found += [(key, value) for value in values]
    if not 1 <= len(found) <= 50:
        raise bad("order_id")
    return found


def _json(value: object) -> str:
    return str(value) if isinstance(value, int) else quote(str(value))


def _message(channel: str, kind: str, rows: str, terms: Terms) -> str:
    terms.sequence += 1
    return f'{{"channel":"{channel}","type":"{kind}","data":[{rows}],"sequence":{terms.sequence}}}'
