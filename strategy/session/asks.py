"""The two questions the core may ask, each as one dialogue with REST, read from top to bottom.

Rule 1: the history is read after the list of open orders: what left the list has its fill there.
Rule 2: a question is answered whole or not at all; only its asker asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from shared.kraken import rest
from shared.kraken.answers import (
    Failure,
    ListedOrder,
    TradePage,
    answer,
    parse_balances,
    parse_closed,
    parse_open,
    parse_queried,
    parse_status,
    parse_trades,
)
from shared.kraken.rest import Call
from shared.orders import (
    AskEach,
    AskOrders,
    Balances,
    Event,
    Filled,
    Listed,
    Looked,
    RestingOrder,
    System,
)
from shared.units import Ns, Pair, Sats

T = TypeVar("T")

MOST_PAGES: Final = 400
MOST_NAME_CALLS: Final = 4
MOST_WAITING: Final = 100

_STATUS: Final = {
    "pending": "open",
    "open": "open",
    "closed": "filled",
    "canceled": "canceled",
    "expired": "expired",
}


class Reply(Struct, frozen=True):
    """What came for one call, and when that call was sent (boot time, wall time)."""

    status: int
    body: bytes
    sent_at: Ns
    sent_wall: Ns


class AskError(Exception):
    """The question cannot be answered now."""


class Told(Struct, frozen=True):
    """The answer in events, in order, with all fills not told before.

    learned: (order_id, cl_ord_id) of orders met on the way. strange: fills in pairs not listed.
    """

    events: tuple[Event, ...]
    learned: tuple[tuple[str, str], ...]
    strange: tuple[str, ...] = ()


class Known(Struct, frozen=True):
    """What a dialogue may look up: pairs by REST name, our id of an order, fills told before."""

    pairs: Mapping[str, Pair]
    cl_of: Callable[[str], str]
    is_new: Callable[[str], bool]


Dialogue = Generator[Call, Reply, Told]
"""Yields what to call, is sent what came, returns the answer; raises AskError."""


def ask_orders(ask: AskOrders, known: Known) -> Dialogue:
    """Open orders, then the fills since `ask.since`, then balances; the engine's state last."""
    reply = yield rest.OPEN_ORDERS
    asked_at = reply.sent_at
    listed = _open(reply, known)
    orders = tuple(each.order for each in listed)

    fills, strange, until = yield from _history(ask.since, known)
    named = _names(orders)
    named |= yield from _owners(fills, named, known)
    told = [
        replace(fill, cl_ord_id=known.cl_of(fill.order_id) or named.get(fill.order_id, ""))
        for fill in fills
    ]

    reply = yield rest.BALANCES
    totals = _or_error("BalanceEx", reply, parse_balances)
    events: list[Event] = [*told, Balances(totals)]
    if ask.system:
        # Last, so that it is acted on as soon as it was heard.
        reply = yield rest.SYSTEM_STATUS
        events.append(System(_or_error("SystemStatus", reply, parse_status)))
    events.append(Listed(asked_at, orders, until))
    return Told(tuple(events), tuple(named.items()), strange)


def ask_each(ask: AskEach, known: Known) -> Dialogue:
    """Each order: open, else as it ended, else never heard of; the cheapest call first.

    Those that neither the exchange's own id nor the newest page of ended orders leads to are
    looked up one by one, a few at a time.
    """
    names = dict(ask.orders)
    only = next(iter(names)) if len(names) == 1 else ""
    reply = yield rest.open_order(only) if only else rest.OPEN_ORDERS
    asked_at = reply.sent_at
    found = _newest(_open(reply, known))
    order_ids = {names[name]: name for name in _left(names, found) if names[name]}
    if order_ids:
        reply = yield rest.query_orders(tuple(order_ids)[: rest.PAGE])
        rows = _or_error("QueryOrders", reply, lambda body: parse_queried(body, known.pairs))
        named = {order_ids.get(row.order.order_id): row for row in rows}
        found = {**{name: row for name, row in named.items() if name}, **found}
    if len(_left(names, found)) > 1:
        reply = yield rest.CLOSED_ORDERS
        found = {**_newest(_closed(reply, known)), **found}
    left = _left(names, found)
    for name in left[:MOST_NAME_CALLS]:
        found |= yield from _by_name(name, known, alone=bool(only))
    told = [name for name in names if name not in left[MOST_NAME_CALLS:]]
    events = tuple(_looked(asked_at, name, found.get(name)) for name in told)
    return Told(events, tuple((row.order.order_id, n) for n, row in found.items() if n in names))


def _by_name(
    name: str, known: Known, alone: bool
) -> Generator[Call, Reply, dict[str, ListedOrder]]:
    """One order by our own id. alone: it was asked for among the open ones just now.

    A list of all may omit what is there (RELIABILITY F77), so its silence is no answer.
    """
    found: dict[str, ListedOrder] = {}
    if not alone:
        reply = yield rest.open_order(name)
        found = _newest(_open(reply, known))
    if name not in found:
        reply = yield rest.closed_order(name)
        found = _newest(_closed(reply, known))
    return {key: row for key, row in found.items() if key == name}


def _left(names: Mapping[str, str], found: Mapping[str, ListedOrder]) -> list[str]:
    return [name for name in names if name not in found]


def _open(reply: Reply, known: Known) -> tuple[ListedOrder, ...]:
    return _or_error("OpenOrders", reply, lambda body: parse_open(body, known.pairs))


def _closed(reply: Reply, known: Known) -> tuple[ListedOrder, ...]:
    return _or_error("ClosedOrders", reply, lambda body: parse_closed(body, known.pairs))


def _newest(rows: tuple[ListedOrder, ...]) -> dict[str, ListedOrder]:
    """By our id, the newest of each: a filter that the exchange did not know is no filter."""
    return {row.order.cl_ord_id: row for row in sorted(rows, key=lambda row: row.opened)}


def _history(
    since: Ns, known: Known
) -> Generator[Call, Reply, tuple[list[Filled], tuple[str, ...], Ns]]:
    """All fills not told before, oldest first, ids of unreadable pairs, and up to when (wall)."""
    fills: dict[str, Filled] = {}
    strange: dict[str, None] = {}
    sent_at, offset = Ns(0), 0
    for page_number in range(MOST_PAGES):
        reply = yield rest.trades_history(since, offset)
        page = _or_error("TradesHistory", reply, lambda body: parse_trades(body, known.pairs))
        # New fills move the others to later pages: some rows come twice, none is missed.
        fills |= {fill.exec_id: fill for fill in page.fills}
        strange |= dict.fromkeys(page.strange)
        sent_at = reply.sent_wall if page_number == 0 else sent_at
        offset += page.rows
        if _is_last(page, offset):
            fresh = [fill for fill in fills.values() if known.is_new(fill.exec_id)]
            fresh.sort(key=lambda fill: (fill.wall, fill.trade_id, fill.exec_id))
            # Our own clock may be an hour ahead: beyond the newest fill it is no evidence.
            newest = max((fill.wall for fill in fills.values()), default=Ns(0))
            return fresh, tuple(strange), min(sent_at, newest)
    raise AskError(f"the history is longer than {MOST_PAGES * rest.PAGE} trades")


def _is_last(page: TradePage, read: int) -> bool:
    if page.count < 0:
        return page.rows < rest.PAGE
    if page.rows == 0 and read < page.count:
        raise AskError(f"the history ended after {read} of {page.count} trades")
    return read >= page.count


def _owners(
    fills: list[Filled], named: Mapping[str, str], known: Known
) -> Generator[Call, Reply, dict[str, str]]:
    """Whose orders filled while nobody listened. The history does not say, the orders do."""
    unknown = [
        order_id
        for order_id in dict.fromkeys(fill.order_id for fill in fills)
        if order_id not in named and not known.cl_of(order_id)
    ]
    # The newest matter: older fills are booked by what the ledger knows of the order.
    unknown = unknown[-MOST_NAME_CALLS * rest.PAGE :]
    found: dict[str, str] = {}
    for first in range(0, len(unknown), rest.PAGE):
        reply = yield rest.query_orders(tuple(unknown[first : first + rest.PAGE]))
        orders = _or_error("QueryOrders", reply, lambda body: parse_queried(body, known.pairs))
        found |= _names(tuple(each.order for each in orders))
    return found


def _names(orders: tuple[RestingOrder, ...]) -> dict[str, str]:
    return {order.order_id: order.cl_ord_id for order in orders if order.cl_ord_id}


def _looked(asked_at: Ns, cl_ord_id: str, found: ListedOrder | None) -> Looked:
    if found is None:
        return Looked(asked_at, cl_ord_id, None, "", Sats(0))
    status = _STATUS.get(found.status)
    if status is None:
        raise AskError(f"an order of unknown status {found.status[:20]}")
    return Looked(asked_at, cl_ord_id, found.order, status, found.order.filled)


def _or_error(name: str, reply: Reply, parse: Callable[[bytes], T]) -> T:
    found = answer(reply.status, reply.body, parse)
    if isinstance(found, Failure):
        raise AskError(f"{name}: {found.error}")
    return found


class Questions:
    """What the core asked: one dialogue at a time, the others wait."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._waiting: list[AskOrders | AskEach] = []
        self._dialogue: Dialogue | None = None
        self._call: Call | None = None

    def put(self, ask: AskOrders | AskEach) -> bool:
        """False where too many wait. A wider AskOrders replaces one that waits."""
        if isinstance(ask, AskOrders):
            others = [each for each in self._waiting if not isinstance(each, AskOrders)]
            same = [ask, *(each for each in self._waiting if isinstance(each, AskOrders))]
            system = any(each.system for each in same)
            self._waiting = [*others, AskOrders(min(each.since for each in same), system)]
            return True
        if ask in self._waiting:
            return True
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(ask)
        return True

    def next_call(self) -> Call | None:
        """The call to make now; each is handed out once. None while an answer is owed."""
        if self._dialogue is None and self._waiting:
            ask = self._waiting.pop(0)
            about = self._known
            match ask:
                case AskOrders():
                    self._dialogue = ask_orders(ask, about)
                case AskEach():
                    self._dialogue = ask_each(ask, about)
            self._call = next(self._dialogue)
        call, self._call = self._call, None
        return call

    def hear(self, reply: Reply) -> Told | None:
        """The answer, or None where more must be called; raises AskError."""
        assert self._dialogue is not None
        try:
            self._call = self._dialogue.send(reply)
        except StopIteration as end:
            self._dialogue = None
            told: Told = end.value
            return told
        except AskError:
            self._dialogue = None
            raise
        return None

    def give_up(self) -> None:
        """The question under way gets no answer."""
        self._dialogue = self._call = None
