"""An order's life from its acceptance to its end: holds, fills, the queue, self-trades, closing.

Rule 1: whatever happens is appended to `events`, in order, and to `changes` for the store.
Rule 2: money is kept: what an account gains, the background loses, and the fee is the exchange's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from shared.units import Ns
from sim.engine.account import Account
from sim.engine.market import Market
from sim.engine.values import Event, Exec, Moved, Order, Request, Switches, Trade, mint_id

USER: Final = "User requested"
POST_ONLY: Final = "Post only order"
MET_ITSELF: Final = "Self trade prevention"
_COLLAR_DIVISOR: Final = 20  # a market order goes no further than 1/20 of the price


class Changes(Struct):
    """What must be written down before the next answer leaves."""

    orders: dict[str, Order] = {}
    trades: list[Trade] = []
    state: bool = False  # the switch, the engine's state


class Terms(NamedTuple):
    """What an amendment asks for. qty: the new total, in Sats."""

    price: int  # Ticks
    qty: int
    post_only: bool


class Desk:
    """All orders and trades of the account."""

    def __init__(self, markets: Mapping[str, Market], account: Account, switches: Switches) -> None:
        self._markets = markets
        self._account = account
        self._switches = switches
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.expiring: dict[str, Order] = {}  # open ones with an end
        self.trades: dict[str, Trade] = {}
        self.by_client: dict[str, Order] = {}  # open ones by cl_ord_id
        self.minted = {"O": 0, "T": 0}
        self.places = 0
        self.events: list[Event] = []
        self.changes = Changes()

    def draft(self, request: Request, wall: Ns) -> Order:
        """An order that nobody has accepted yet."""
        return Order(
            order_id="",
            pair=request.pair,
            side=request.side,
            order_type=request.order_type,
            price=request.price,
            qty=request.qty,
            tif=request.tif,
            post_only=request.post_only,
            cl_ord_id=request.cl_ord_id,
            userref=request.userref,
            stp=request.stp,
            expire_wall=request.expire_wall,
            opened_wall=wall,
            touched_wall=wall,
        )

    def accept(self, market: Market, order: Order, hold: int, wall: Ns) -> None:
        """An order becomes real: an id, its hold, its first two events."""
        order.order_id = self.mint("O")
        self.orders[order.order_id] = order
        self._open(order)
        self._account.hold(market.pair, order, hold)
        self.touch(order)
        self.say("pending_new", order, wall)
        self.say("new", order, wall)

    def trade_or_rest(self, market: Market, order: Order, takes: bool, wall: Ns) -> None:
        """Take what can be taken; what is left rests, or ends where it may not."""
        if takes:
            self._sweep(market, order, wall)
        if order.status != "open":
            return
        if order.order_type == "market" or order.tif in ("ioc", "fok"):
            status = self._switches.ioc_rest if order.tif == "ioc" else "canceled"
            self.close(order, status, "Immediate or cancel", wall)
            return
        self.places += 1
        market.insert(order, self.places)
        self.events.append(Moved(order.pair, wall))

    def amend(self, market: Market, order: Order, terms: Terms, hold: int, wall: Ns) -> None:
        """Carry out an amendment that has been found good. hold: what `needed` says of it."""
        price, qty, post_only = terms
        order.touched_wall = wall
        order.amended = True
        if qty <= order.filled:
            # Kraken: a new total at or below what has filled cancels the rest.
            self.close(order, "canceled", USER, wall)
            return
        keeps_place = price == order.price and qty <= order.qty
        market.remove(order)
        order.qty, order.price, order.post_only = qty, price, post_only
        self._account.hold(market.pair, order, hold)
        self.touch(order)
        self.say("amended", order, wall, USER)
        if keeps_place:
            market.restore(order)
        else:
            self.trade_or_rest(market, order, takes(market, order.side, price), wall)
        self.events.append(Moved(order.pair, wall))

    def make(self, market: Market, order: Order, qty: int, wall: Ns) -> None:
        """A resting order is filled by the market at its own price."""
        taker = "sell" if order.side == "buy" else "buy"
        found = market.record(taker, order.price, qty, "market", wall)
        self.events.append(found)
        self._fill(market, order, (order.price, qty), wall, trade_id=found.trade_id, maker=True)

    def close(self, order: Order, status: str, reason: str, wall: Ns) -> None:
        """An order is done: out of the book, its hold released."""
        market = self._markets[order.pair]
        if market.remove(order):
            self.events.append(Moved(order.pair, wall))
        self._account.hold(market.pair, order, 0)
        order.status, order.reason, order.closed_wall = status, reason, wall
        del self.open[order.order_id]
        self.expiring.pop(order.order_id, None)
        if self.by_client.get(order.cl_ord_id) is order:
            del self.by_client[order.cl_ord_id]
        self.touch(order)
        self.say("filled" if status == "closed" else status, order, wall, reason)

    def needed(
        self, market: Market, order: Order, wall: Ns, terms: Terms | None = None
    ) -> tuple[str, int]:
        """The asset, and the ledger units of it, that the rest of an order may cost at most.

        terms: what the order is to become, where that is asked.
        """
        price, qty, post_only = terms or (_limit(market, order), order.qty, order.post_only)
        tier = self._account.tier(wall)
        rate = tier.maker if post_only else max(tier.maker, tier.taker)
        return self._account.needed(market.pair, order.side, price, qty - order.filled, rate)

    def restore(self, order: Order) -> None:
        """An order from the store, open or done, as it was."""
        self.orders[order.order_id] = order
        if order.status != "open":
            return
        market = self._markets[order.pair]
        self._open(order)
        held, order.hold = order.hold, 0
        self._account.hold(market.pair, order, held)
        market.restore(order)

    def enter_past(self, order: Order, trade: Trade) -> None:
        """An order of before the opening, with the one trade that closed it."""
        self.orders[order.order_id] = order
        self.trades[trade.exec_id] = trade
        self.changes.trades.append(trade)
        self.touch(order)

    def mint(self, prefix: str) -> str:
        """A new id: O for orders, T for executions and amendments."""
        self.minted[prefix] += 1
        return mint_id(prefix, self.minted[prefix])

    def touch(self, order: Order) -> None:
        """An order changed and must be written down."""
        self.changes.orders[order.order_id] = order

    def say(
        self, kind: str, order: Order, wall: Ns, reason: str = "", trade: Trade | None = None
    ) -> None:
        """Tell what happened to an order, with its totals of now."""
        found = Exec(
            kind, order, wall, order.filled, order.cost, order.fee, order.qty, order.price,
            reason, trade,
        )  # fmt: skip
        self.events.append(found)

    def _open(self, order: Order) -> None:
        self.open[order.order_id] = order
        if order.expire_wall:
            self.expiring[order.order_id] = order
        if order.cl_ord_id:
            self.by_client[order.cl_ord_id] = order

    def _sweep(self, market: Market, order: Order, wall: Ns) -> None:
        """Take what the other side offers up to the limit, best first."""
        side = "sell" if order.side == "buy" else "buy"
        sign = 1 if order.side == "buy" else -1
        limit = _limit(market, order) * sign
        plan = []
        left = order.left
        for price, others, ours in market.levels(side):
            if left <= 0 or price * sign > limit:
                break
            plan.append((price, min(left, others), ours))
            left -= others
        if order.tif == "fok" and left > 0:
            return
        for price, part, ours in plan:
            if part:
                market.liquidity.take(order.side, price, part)
                found = market.record(order.side, price, part, order.order_type, wall)
                self.events.append(found)
                self._fill(market, order, (price, part), wall, trade_id=found.trade_id, maker=False)
            if ours and order.status == "open" and self._meets_itself(market, order, price, wall):
                break
        self.events.append(Moved(order.pair, wall))

    def _meets_itself(self, market: Market, order: Order, price: int, wall: Ns) -> bool:
        """Self-trade prevention at one price; whether the new order is gone."""
        if order.stp != "cancel_newest":
            facing = market.own["sell" if order.side == "buy" else "buy"]
            for resting in [found for found in facing if found.price == price]:
                self.close(resting, "canceled", MET_ITSELF, wall)
        if order.stp != "cancel_oldest":
            self.close(order, "canceled", MET_ITSELF, wall)
        return order.status != "open"

    def _fill(
        self,
        market: Market,
        order: Order,
        part: tuple[int, int],
        wall: Ns,
        *,
        trade_id: int,
        maker: bool,
    ) -> None:
        """Book a part of an order, (Ticks, Sats)."""
        price, qty = part
        tier = self._account.tier(wall)
        cost = price * qty
        order.filled += qty
        order.cost += cost
        trade = Trade(
            exec_id=self.mint("T"),
            order_id=order.order_id,
            pair=order.pair,
            side=order.side,
            order_type=order.order_type,
            price=price,
            qty=qty,
            cost=cost,
            fee=self._account.fee(market.pair, cost, tier.maker if maker else tier.taker),
            maker=maker,
            trade_id=trade_id,
            wall=wall,
            cl_ord_id=order.cl_ord_id,
            userref=order.userref,
        )
        after = self.needed(market, order, wall)[1] if order.left else 0
        trade = self._account.settle(market.pair, trade, min(after, order.hold), order)
        order.fee += trade.fee
        order.trades.append(trade.exec_id)
        self.trades[trade.exec_id] = trade
        self.changes.trades.append(trade)
        self.touch(order)
        self.say("trade", order, wall, trade=trade)
        self.events.extend(self._account.ledger[-2:])
        if not order.left:
            self.close(order, "closed", "", wall)


def takes(market: Market, side: str, price: int) -> bool:
    """Whether an order at this price would meet the other side of the book."""
    if side == "buy":
        best = market.best("sell")
        return best is not None and price >= best
    best = market.best("buy")
    return best is not None and price <= best


def _limit(market: Market, order: Order) -> int:
    """The worst price an order may get; a market order has a collar around the last price."""
    if order.order_type == "limit":
        return order.price
    collar = market.last // _COLLAR_DIVISOR
    return market.last + collar if order.side == "buy" else max(1, market.last - collar)
