"""Our orders as the executions channel tells of them: deltas in, whole events out.

Rule 1: an event row says only what changed; the rest is remembered by order_id and cl_ord_id.
Rule 2: money moves on `trade`; an order ends on filled, canceled or expired.
Rule 3: rows come in any order and twice; each fact is told once.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from shared.kraken.answers import nearest_ticks
from shared.kraken.private import Report
from shared.orders import Accepted, AddOrder, Amended, Event, Filled, Gone, RestingOrder
from shared.units import Pair, Sats, Side, Ticks, to_sats, to_ticks

MOST_REMEMBERED: Final = 4_000
MOST_TOLD: Final = 4_000

_ENDED: Final = ("filled", "canceled", "expired")


class UnreadableError(Exception):
    """A row that speaks of money or of an order of ours in a way we cannot follow."""


class _Order(Struct):
    """What is remembered of one order. told: the core knows that it exists."""

    order_id: str = ""
    cl_ord_id: str = ""
    pair: str = ""
    side: Side | None = None
    price: Ticks = Ticks(0)
    qty: Sats = Sats(0)
    filled: Sats = Sats(0)
    told: bool = False
    ended: bool = False


class Orders:
    def __init__(self, pairs: Mapping[str, Pair]) -> None:
        """pairs: by any name; filled before the first row comes."""
        self._pairs = pairs
        self._by_order_id: dict[str, _Order] = {}
        self._by_cl_ord_id: dict[str, _Order] = {}
        self._told_fills: dict[str, None] = {}

    def sent(self, add: AddOrder) -> None:
        """Our own request: what its events will leave out."""
        order = _Order("", add.cl_ord_id, add.pair, add.side, add.price, add.qty)
        _remember(self._by_cl_ord_id, add.cl_ord_id, order)

    def learn(self, order_id: str, cl_ord_id: str) -> None:
        """An ack or a list names the two ids of an order."""
        if order_id:
            self._find(order_id, cl_ord_id)

    def accept(self, order_id: str, cl_ord_id: str) -> bool:
        """An add was acknowledged; False where an event told that, or the order's end, before."""
        order = self._find(order_id, cl_ord_id)
        first = not (order.told or order.ended)
        order.told = True
        return first

    def cl_of(self, order_id: str) -> str:
        """Our id of an order of the exchange; "" where it is not known, or foreign."""
        order = self._by_order_id.get(order_id)
        return order.cl_ord_id if order is not None else ""

    def symbol_of(self, order_id: str) -> str:
        order = self._by_order_id.get(order_id)
        return order.pair if order is not None else ""

    def is_new(self, exec_id: str) -> bool:
        """False for a fill that the core was told of in this life, among the last few thousand."""
        return exec_id not in self._told_fills

    def tell(self, exec_id: str) -> None:
        self._told_fills[exec_id] = None
        if len(self._told_fills) > MOST_TOLD:
            del self._told_fills[next(iter(self._told_fills))]

    def line_lost(self) -> None:
        """Whatever was told before, the core holds every order for lost now."""
        for order in self._by_cl_ord_id.values():
            order.told = False
        for order in self._by_order_id.values():
            order.told = False

    def snapshot(
        self, rows: tuple[Report, ...]
    ) -> tuple[list[Filled], tuple[RestingOrder, ...], list[str]]:
        """Fills not told before, oldest first; open orders; what could not be read."""
        fills: list[Filled] = []
        resting: list[RestingOrder] = []
        faults: list[str] = []
        for row in rows:
            try:
                if row.exec_id:
                    # Kraken v2, executions: these rows all say `filled`; they end no order.
                    fills += self._fill(row)
                elif row.order_status not in _ENDED:
                    resting.append(self._resting(row))
            except UnreadableError as fault:
                faults.append(str(fault))
        fills.sort(key=lambda fill: (fill.wall, fill.trade_id, fill.exec_id))
        return fills, tuple(resting), faults

    def update(self, row: Report) -> list[Event]:
        """What one row of an update means; UnreadableError where that cannot be said."""
        match row.exec_type:
            case "pending_new" | "new":
                return self._begin(row)
            case "trade":
                return self._trade(row)
            case "amended" | "restated":
                return self._amend(row)
            case "filled" | "canceled" | "expired":
                return self._end(row, row.exec_type)
            case _:
                # iceberg_refill and status move neither money nor an order of ours.
                return []

    def _begin(self, row: Report) -> list[Event]:
        order = self._merge(row)
        if order.told or order.ended or not order.cl_ord_id:
            return []
        order.told = True
        return [Accepted("add", order.cl_ord_id, order.order_id)]

    def _trade(self, row: Report) -> list[Event]:
        events: list[Event] = [*self._fill(row)]
        order = self._merge(row)
        # The last fill usually says `partially_filled` and `filled` follows; where it says
        # `filled` itself nothing may follow.
        done = row.order_status == "filled" and 0 < order.qty <= order.filled
        return [*events, *self._end(row, "filled")] if done else events

    def _amend(self, row: Report) -> list[Event]:
        order = self._merge(row)
        if not order.pair or order.ended:
            return []
        return [Amended(order.cl_ord_id, order.order_id, order.price, order.qty)]

    def _end(self, row: Report, status: str) -> list[Event]:
        order = self._merge(row)
        if order.ended:
            return []
        order.ended = True
        filled = order.filled
        if status == "filled" and row.cum_qty is None:
            filled = max(order.filled, order.qty)
        return [Gone(order.cl_ord_id, order.order_id, status, filled, row.reason)]

    def _resting(self, row: Report) -> RestingOrder:
        order = self._merge(row)
        order.ended = False
        order.told = True
        if order.side is None:
            raise UnreadableError(f"order {row.order_id} without a side")
        return RestingOrder(
            order.order_id,
            order.cl_ord_id,
            order.pair,
            order.side,
            order.price,
            order.qty,
            order.filled,
        )

    def _fill(self, row: Report) -> list[Filled]:
        """The fill, unless it was told before. A fill that cannot be read is never passed over."""
        if not row.exec_id:
            raise UnreadableError(f"a trade of {row.order_id} without an id")
        if not self.is_new(row.exec_id):
            return []
        order = self._merge(row)
        pair = self._pairs.get(order.pair)
        if pair is None or order.side is None:
            raise UnreadableError(f"fill {row.exec_id} in the unknown pair {order.pair[:20]}")
        if row.wall is None or not row.last_price or not row.last_qty:
            raise UnreadableError(f"fill {row.exec_id} without price, quantity or moment")
        cost = row.cost if row.cost is not None else row.last_price * row.last_qty
        fill = Filled(
            exec_id=row.exec_id,
            order_id=order.order_id,
            cl_ord_id=order.cl_ord_id,
            pair=order.pair,
            side=order.side,
            price=nearest_ticks(pair, row.last_price),
            qty=_sats(pair, row.last_qty),
            cost=cost,
            fees=tuple((asset, qty) for asset, qty in row.fees if qty),
            wall=row.wall,
            trade_id=row.trade_id,
            maker=row.maker,
        )
        # Only now: what could not be read is still to be told, by whoever can.
        self.tell(row.exec_id)
        return [fill]

    def _merge(self, row: Report) -> _Order:
        """Take in what the row says, keep what it leaves out."""
        if not (row.order_id or row.cl_ord_id):
            raise UnreadableError(f"{row.exec_type[:20]} of an order without an id")
        order = self._find(row.order_id, row.cl_ord_id)
        order.pair = row.symbol or order.pair
        if row.side in ("buy", "sell"):
            order.side = Side(row.side)
        pair = self._pairs.get(order.pair)
        if pair is not None:
            if row.order_qty is not None:
                order.qty = _sats(pair, row.order_qty)
            if row.cum_qty is not None:
                order.filled = _sats(pair, row.cum_qty)
            if row.limit_price is not None:
                order.price = _ticks(pair, row.limit_price)
        return order

    def _find(self, order_id: str, cl_ord_id: str) -> _Order:
        """The order of either id, both then leading to it; a new one where none is known."""
        known = self._by_order_id.get(order_id) if order_id else None
        ours = self._by_cl_ord_id.get(cl_ord_id) if cl_ord_id else None
        if ours is not None and ours.order_id not in ("", order_id) and order_id:
            # The id was used before: this is a new order of the same name.
            ours = None
        order = known or ours or _Order()
        if known is not None and ours is not None and known is not ours:
            # An event without our id came before what joins the two.
            known.pair, known.side = known.pair or ours.pair, known.side or ours.side
            known.price, known.qty = known.price or ours.price, known.qty or ours.qty
        order.order_id = order.order_id or order_id
        order.cl_ord_id = order.cl_ord_id or cl_ord_id
        if order.order_id:
            _remember(self._by_order_id, order.order_id, order)
        if order.cl_ord_id:
            _remember(self._by_cl_ord_id, order.cl_ord_id, order)
        return order


def _remember(orders: dict[str, _Order], key: str, order: _Order) -> None:
    orders[key] = order
    if len(orders) <= MOST_REMEMBERED:
        return
    # The oldest ended one goes; if none has ended, the oldest: the exchange caps open orders far
    # below our limit, so that one is a request that never became an order.
    ended = (name for name, each in orders.items() if each.ended and each is not order)
    del orders[next(ended, next(iter(orders)))]


def _sats(pair: Pair, qty: Decimal) -> Sats:
    try:
        return to_sats(pair, qty)
    except ValueError:
        raise UnreadableError(f"a quantity of more than {pair.qty_decimals} decimals") from None


def _ticks(pair: Pair, price: Decimal) -> Ticks:
    """A relative price of a foreign order (a percentage) is no price: 0."""
    try:
        return max(to_ticks(pair, price), Ticks(0))
    except ValueError:
        return Ticks(0)
