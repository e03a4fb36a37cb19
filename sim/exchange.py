"""The exchange's engine: orders, matching, money, limits and the dead man's switch.

Rule 1: no clock, no I/O, no chance. Every method is given the wall time; what happened is appended
to `events`, in order, and what must be durable to `changes`, before anything is answered.
Rule 2: a request that is declined raises Refused with Kraken's documented string.
Rule 3: money is kept: what an account gains, the background loses, and the fee is the exchange's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns
from sim.account import Account
from sim.limits import AMEND_PENALTY, CANCEL_PENALTY, Counter, penalty
from sim.market import Market
from sim.sources import Hit, Quote
from sim.values import (
    Event,
    Exec,
    Moved,
    Order,
    Refused,
    Request,
    Switches,
    System,
    SystemChanged,
    Tier,
    Trade,
    mint_id,
)

USER: Final = "User requested"
POST_ONLY: Final = "Post only order"
SWITCH_FIRED: Final = "Cancel all orders after timeout"
_LONGEST_DEADLINE: Final = 60 * SECOND
_LONGEST_TIMEOUT: Final = 86_399
_COLLAR_DIVISOR: Final = 20  # a market order goes no further than 1/20 of the price


class Changes(Struct):
    """What must be written down before the next answer leaves."""

    orders: dict[str, Order] = {}
    trades: list[Trade] = []
    state: bool = False  # the switch, the engine's state


class Exchange:
    """One account on a set of markets."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        account: Account,
        tier: Tier,
        switches: Switches,
    ) -> None:
        self.markets = markets
        self.account = account
        self.tier = tier
        self.switches = switches
        self.system: System = "online"
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.by_client: dict[str, Order] = {}  # open orders by cl_ord_id
        self.switch_wall = Ns(0)  # when the dead man's switch fires; 0 = off
        self.minted = {"O": 0, "T": 0}
        self.events: list[Event] = []
        self.changes = Changes()
        self.places = 0
        self._counters = {symbol: Counter(tier.decay) for symbol in markets}

    # Requests.

    def add(self, request: Request, wall: Ns, *, validate: bool = False) -> Order | None:
        """Place an order; None where it was only to be checked."""
        market = self._market(request.pair)
        self._charge(request.pair, 1.0, wall)
        return self._add(request, market, wall, validate)

    def add_batch(
        self, requests: Sequence[Request], wall: Ns, *, validate: bool = False
    ) -> list[Order | Refused | None]:
        """Place several orders of one pair; each may be refused by itself."""
        market = self._market(requests[0].pair)
        self._charge(requests[0].pair, len(requests) / 2, wall)
        found: list[Order | Refused | None] = []
        for request in requests:
            try:
                found.append(self._add(request, market, wall, validate))
            except Refused as refusal:
                found.append(refusal)
        return found

    def amend(
        self,
        order: Order,
        wall: Ns,
        *,
        qty: int | None = None,
        price: int | None = None,
        post_only: bool = False,
        deadline_wall: int = 0,
    ) -> str:
        """Change an order in place; the amendment's id. `qty` is the new total."""
        market = self._market(order.pair)
        cost = 1 + penalty(AMEND_PENALTY, wall - order.touched_wall)
        self._charge(order.pair, cost, wall)
        self._check_open(market, post_only)
        _check_deadline(deadline_wall, wall)
        new_qty = order.qty if qty is None else qty
        new_price = order.price if price is None else price
        if new_qty > order.filled:
            self._check_size(market, new_price, new_qty)
            if post_only and self._takes(market, order.side, new_price):
                raise Refused("EOrder:Post only order")
            self._check_amended_funds(market, order, new_qty, new_price, wall)
        amend_id = self.mint("T")
        keeps_place = new_price == order.price and new_qty <= order.qty
        self._change(market, order, new_qty, new_price, post_only, keeps_place, wall)
        return amend_id

    def cancel(self, order: Order, wall: Ns) -> None:
        """Take an order from the book."""
        if self.system == "maintenance":
            raise Refused("EService:Unavailable")
        self._charge_cancel(order, wall)
        self._close(order, "canceled", USER, wall)

    def cancel_all(self, wall: Ns, reason: str = USER) -> int:
        """Take all orders of the account from the book; how many."""
        if self.system == "maintenance" and reason == USER:
            raise Refused("EService:Unavailable")
        orders = list(self.open.values())
        for order in orders:
            if self.switches.cancel_all_costs and reason == USER:
                self._charge_cancel(order, wall)
            self._close(order, "canceled", reason, wall)
        return len(orders)

    def cancel_after(self, timeout_s: int, wall: Ns) -> Ns:
        """Arm the dead man's switch for the whole account, or disarm it with 0; when it fires."""
        if not 0 <= timeout_s <= _LONGEST_TIMEOUT:
            raise Refused("EGeneral:Invalid arguments:timeout")
        self.switch_wall = Ns(wall + timeout_s * SECOND) if timeout_s else Ns(0)
        self.changes.state = True
        return self.switch_wall

    def find(self, *, order_id: str = "", cl_ord_id: str = "") -> Order:
        """An open order by one of its names; Refused where there is none."""
        order = self.open.get(order_id) if order_id else self.by_client.get(cl_ord_id)
        if order is None:
            raise Refused("EOrder:Unknown order")
        return order

    def rate(self, symbol: str, wall: Ns) -> float:
        """The trading counter of a pair now."""
        return self._counters[symbol].look(wall)

    def set_system(self, system: System, wall: Ns) -> None:
        """Change the engine's state; what expired meanwhile is caught up on return."""
        if system != self.system:
            self.system = system
            self.changes.state = True
            self.events.append(SystemChanged(system))
            self._fire(wall)

    # What must be durable.

    def is_dirty(self) -> bool:
        """Whether something changed that must be written down before an answer leaves."""
        found = self.changes
        return bool(found.orders or found.trades or found.state or self.account.new_rows)

    def forget_changes(self) -> None:
        """All changes have been written down, or nobody wants them."""
        self.changes = Changes()
        self.account.new_rows.clear()
        self.account.dirty.clear()

    def restore(self, order: Order) -> None:
        """An order from the store, open or done, as it was."""
        self.orders[order.order_id] = order
        if order.status != "open":
            return
        market = self.markets[order.pair]
        self.open[order.order_id] = order
        if order.cl_ord_id:
            self.by_client[order.cl_ord_id] = order
        held, order.hold = order.hold, 0
        self.account.hold(market.pair, order, held)
        market.restore(order)

    def enter_past(self, order: Order, trade: Trade) -> None:
        """An order of before the opening, with the one trade that closed it."""
        self.orders[order.order_id] = order
        self.trades[trade.exec_id] = trade
        self.changes.trades.append(trade)
        self._touch(order)

    # Time and the market.

    def advance(self, position: int, wall: Ns) -> None:
        """Let the markets and the timers go on up to this moment."""
        if 0 < self.switch_wall <= wall and self.system != "maintenance":
            # What traded before the switch fired was traded first.
            due = self.switch_wall
            self._run_markets(position - (wall - due), due)
            self._fire(wall)
        self._run_markets(position, wall)
        self._expire(wall)

    def wake_at(self) -> tuple[int | None, Ns | None]:
        """When something happens next: in market time, and by the wall."""
        positions = [at for market in self.markets.values() if (at := _next_of(market)) is not None]
        walls = [order.expire_wall for order in self.open.values() if order.expire_wall]
        if self.switch_wall and self.system != "maintenance":
            walls.append(self.switch_wall)
        return min(positions, default=None), min(walls, default=None)

    def _run_markets(self, position: int, wall: Ns) -> None:
        for market in self.markets.values():
            for tick in market.source.until(position):
                if self.system == "online" and market.status == "online":
                    self._meet(market, tick, Ns(wall - (position - tick.at)))
            while market.poke(position):
                self.events.append(Moved(market.pair.symbol, wall))

    def _meet(self, market: Market, tick: Quote | Hit, wall: Ns) -> None:
        if isinstance(tick, Quote):
            met, changed = market.quote(tick)
            for meeting in met:
                self._make(market, meeting.order, meeting.qty, wall)
            if changed or met:
                self.events.append(Moved(market.pair.symbol, wall))
            return
        others = tick.qty
        for meeting in market.hit(tick):
            if meeting.order.price == tick.price:
                others -= meeting.qty
            self._make(market, meeting.order, meeting.qty, wall)
        if others > 0:
            market.liquidity.hit(tick.side, others)
            self.events.append(market.record(tick.side, tick.price, others, tick.order_type, wall))
        self.events.append(Moved(market.pair.symbol, wall))

    def _make(self, market: Market, order: Order, qty: int, wall: Ns) -> None:
        """A resting order of ours is filled by the market at its own price."""
        taker = "sell" if order.side == "buy" else "buy"
        found = market.record(taker, order.price, qty, "market", wall)
        self.events.append(found)
        self._fill(market, order, order.price, qty, wall, trade_id=found.trade_id, maker=True)

    def _fire(self, wall: Ns) -> None:
        if 0 < self.switch_wall <= wall and self.system != "maintenance":
            self.switch_wall = Ns(0)
            self.changes.state = True
            self.cancel_all(wall, SWITCH_FIRED)
        self._expire(wall)

    def _expire(self, wall: Ns) -> None:
        if self.system == "maintenance":
            return
        for order in [o for o in self.open.values() if 0 < o.expire_wall <= wall]:
            self._close(order, "expired", "Order expired", wall)

    # Orders.

    def _add(self, request: Request, market: Market, wall: Ns, validate: bool) -> Order | None:
        self._check(request, market, wall)
        takes = request.order_type == "market" or self._takes(market, request.side, request.price)
        refused = request.post_only and takes
        if refused and self.switches.post_only_form == "refused":
            raise Refused("EOrder:Post only order")
        order = Order(
            *("", request.pair, request.side, request.order_type, request.price, request.qty),
            *(request.tif, request.post_only, request.cl_ord_id, request.userref, request.stp),
            *(request.expire_wall, wall, wall),
        )
        asset, units = self._needed(market, order, wall)
        if units > self.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        if validate:
            return None
        order.order_id = self.mint("O")
        self.orders[order.order_id] = self.open[order.order_id] = order
        if order.cl_ord_id:
            self.by_client[order.cl_ord_id] = order
        self.account.hold(market.pair, order, units)
        self._touch(order)
        self._say("pending_new", order, wall)
        self._say("new", order, wall)
        if refused:
            self._close(order, "canceled", POST_ONLY, wall)
            return order
        if takes:
            self._sweep(market, order, wall)
        if order.status == "open":
            self._rest(market, order, wall)
        return order

    def _rest(self, market: Market, order: Order, wall: Ns) -> None:
        if order.order_type == "market" or order.tif in ("ioc", "fok"):
            kind = self.switches.ioc_rest if order.tif == "ioc" else "canceled"
            self._close(order, kind, "Immediate or cancel", wall)
            return
        self.places += 1
        market.insert(order, self.places)
        self.events.append(Moved(order.pair, wall))

    def _change(
        self,
        market: Market,
        order: Order,
        qty: int,
        price: int,
        post_only: bool,
        keeps_place: bool,
        wall: Ns,
    ) -> None:
        """Carry out an amendment that has been found good."""
        order.touched_wall = wall
        order.amended = True
        if qty <= order.filled:
            # Kraken: a new total at or below what has filled cancels the rest.
            self._close(order, "canceled", USER, wall)
            return
        market.remove(order)
        order.qty, order.price, order.post_only = qty, price, post_only
        self.account.hold(market.pair, order, self._needed(market, order, wall)[1])
        self._touch(order)
        self._say("amended", order, wall, USER)
        if keeps_place:
            market.restore(order)
        else:
            if self._takes(market, order.side, price):
                self._sweep(market, order, wall)
            if order.status == "open":
                self._rest(market, order, wall)
        self.events.append(Moved(order.pair, wall))

    def _sweep(self, market: Market, order: Order, wall: Ns) -> None:
        """Take what the other side offers up to the limit, best first."""
        side = "sell" if order.side == "buy" else "buy"
        sign = 1 if order.side == "buy" else -1
        limit = self._limit(market, order) * sign
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
                self._fill(market, order, price, part, wall, trade_id=found.trade_id, maker=False)
            if ours and order.status == "open" and self._meets_itself(market, order, price, wall):
                break
        self.events.append(Moved(order.pair, wall))

    def _meets_itself(self, market: Market, order: Order, price: int, wall: Ns) -> bool:
        """Self-trade prevention at one price; whether the new order is gone."""
        reason = "Self trade prevention"
        if order.stp != "cancel_newest":
            facing = market.own["sell" if order.side == "buy" else "buy"]
            for resting in [o for o in facing if o.price == price]:
                self._close(resting, "canceled", reason, wall)
        if order.stp != "cancel_oldest":
            self._close(order, "canceled", reason, wall)
        return order.status != "open"

    def _fill(
        self,
        market: Market,
        order: Order,
        price: int,
        qty: int,
        wall: Ns,
        *,
        trade_id: int,
        maker: bool,
    ) -> None:
        tier = self.account.tier(wall)
        cost = price * qty
        fee = self.account.fee(market.pair, cost, tier.maker if maker else tier.taker)
        order.filled += qty
        order.cost += cost
        exec_id = self.mint("T")
        trade = Trade(
            exec_id=exec_id,
            order_id=order.order_id,
            pair=order.pair,
            side=order.side,
            order_type=order.order_type,
            price=price,
            qty=qty,
            cost=cost,
            fee=fee,
            maker=maker,
            trade_id=trade_id,
            wall=wall,
            cl_ord_id=order.cl_ord_id,
            userref=order.userref,
        )
        after = self._needed(market, order, wall)[1] if order.left else 0
        trade = self.account.settle(market.pair, trade, min(after, order.hold), order)
        order.fee += trade.fee
        order.trades.append(trade.exec_id)
        self.trades[trade.exec_id] = trade
        self.changes.trades.append(trade)
        self._touch(order)
        self._say("trade", order, wall, trade=trade)
        self.events.extend(self.account.ledger[-2:])
        if not order.left:
            self._close(order, "closed", "", wall)

    def _close(self, order: Order, status: str, reason: str, wall: Ns) -> None:
        """An order is done: out of the book, its hold released."""
        market = self.markets[order.pair]
        if order in market.own[order.side]:
            market.remove(order)
            self.events.append(Moved(order.pair, wall))
        self.account.hold(market.pair, order, 0)
        order.status, order.reason, order.closed_wall = status, reason, wall
        del self.open[order.order_id]
        if self.by_client.get(order.cl_ord_id) is order:
            del self.by_client[order.cl_ord_id]
        self._touch(order)
        self._say("filled" if status == "closed" else status, order, wall, reason)

    # Checks.

    def _check(self, request: Request, market: Market, wall: Ns) -> None:
        self._check_open(market, request.post_only)
        _check_deadline(request.deadline_wall, wall)
        if request.expire_wall and request.expire_wall <= wall:
            raise Refused("EGeneral:Invalid arguments:expire_time")
        if request.cl_ord_id and request.cl_ord_id in self.by_client:
            raise Refused("EGeneral:Invalid arguments:cl_ord_id not unique")
        price = request.price if request.order_type == "limit" else market.last
        self._check_size(market, price, request.qty)
        if sum(order.pair == request.pair for order in self.open.values()) >= self.tier.open_orders:
            raise Refused("EOrder:Orders limit exceeded")

    def _check_open(self, market: Market, post_only: bool) -> None:
        """Whether the engine and the pair take new risk now (Kraken, system and pair states)."""
        for state in (self.system, market.status):
            if state == "cancel_only" or (state == "post_only" and not post_only):
                raise Refused(f"EService:Market in {state} mode")
            if state not in ("online", "post_only"):
                raise Refused("EService:Unavailable")

    def _check_size(self, market: Market, price: int, qty: int) -> None:
        pair = market.pair
        if price <= 0:
            raise Refused("EOrder:Invalid price")
        if price % pair.price_step:
            raise Refused("EOrder:Tick size check failed")
        if qty < pair.qty_min:
            if self.switches.volume_minimum == "arguments":
                raise Refused("EGeneral:Invalid arguments:volume minimum not met")
            raise Refused("EOrder:Order minimum not met")
        if price * qty < pair.cost_min.scaleb(pair.price_decimals + pair.qty_decimals):
            raise Refused("EOrder:Cost minimum not met")

    def _check_amended_funds(
        self, market: Market, order: Order, qty: int, price: int, wall: Ns
    ) -> None:
        before = order.qty, order.price
        order.qty, order.price = qty, price
        asset, units = self._needed(market, order, wall)
        order.qty, order.price = before
        if units > self.account.available(asset) + order.hold:
            raise Refused("EOrder:Insufficient funds")

    def _takes(self, market: Market, side: str, price: int) -> bool:
        """Whether an order at this price would meet the other side of the book."""
        if side == "buy":
            best = market.best("sell")
            return best is not None and price >= best
        best = market.best("buy")
        return best is not None and price <= best

    def _needed(self, market: Market, order: Order, wall: Ns) -> tuple[str, int]:
        tier = self.account.tier(wall)
        rate = tier.maker if order.post_only else max(tier.maker, tier.taker)
        return self.account.needed(market.pair, order, self._limit(market, order), rate)

    def _limit(self, market: Market, order: Order) -> int:
        """The worst price an order may get; a market order has a collar around the last price."""
        if order.order_type == "limit":
            return order.price
        collar = market.last // _COLLAR_DIVISOR
        return market.last + collar if order.side == "buy" else max(1, market.last - collar)

    # Counting.

    def _charge(self, symbol: str, cost: float, wall: Ns) -> None:
        counter = self._counters[symbol]
        if counter.look(wall) + cost > self.tier.threshold:
            raise Refused("EOrder:Rate limit exceeded")
        counter.charge(cost, wall)

    def _charge_cancel(self, order: Order, wall: Ns) -> None:
        cost = penalty(CANCEL_PENALTY, wall - order.touched_wall)
        if self.switches.counter_refuses_cancels:
            self._charge(order.pair, cost, wall)
        else:
            self._counters[order.pair].charge(cost, wall)

    def _market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise Refused("EQuery:Unknown asset pair")
        return market

    def mint(self, prefix: str) -> str:
        """A new id: O for orders, T for executions and amendments."""
        self.minted[prefix] += 1
        return mint_id(prefix, self.minted[prefix])

    def _touch(self, order: Order) -> None:
        self.changes.orders[order.order_id] = order

    def _say(
        self, kind: str, order: Order, wall: Ns, reason: str = "", trade: Trade | None = None
    ) -> None:
        self.events.append(
            Exec(
                *(kind, order, wall, order.filled, order.cost, order.fee),
                *(order.qty, order.price, reason, trade),
            )
        )


def _check_deadline(deadline_wall: int, wall: Ns) -> None:
    """Kraken: a deadline lies at most 60 s ahead; what arrives after it must not match."""
    if not deadline_wall:
        return
    if deadline_wall - wall > _LONGEST_DEADLINE:
        raise Refused("EGeneral:Invalid arguments:deadline")
    if deadline_wall <= wall:
        raise Refused("EService:Deadline elapsed")


def _next_of(market: Market) -> int | None:
    following = market.source.next_at()
    return market.next_poke if following is None else min(following, market.next_poke)
