"""The exchange's engine: what may be asked of it, its limits, the dead man's switch, its market.

Rule 1: no clock, no I/O, no chance. Every method is given the wall time; what happened comes out
of `take_events`, in order, and what must be durable stands in `desk.changes` before any answer.
Rule 2: a request that is declined raises Refused with Kraken's documented string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from shared.units import SECOND, Ns
from sim.engine.account import Account
from sim.engine.admission import check_deadline, check_open, check_size
from sim.engine.desk import POST_ONLY, USER, Desk, Terms, takes
from sim.engine.limits import AMEND_PENALTY, CANCEL_PENALTY, Counter, penalty
from sim.engine.market import Market
from sim.engine.values import (
    Event,
    Moved,
    Order,
    Refused,
    Request,
    Switches,
    System,
    SystemChanged,
    Tier,
    Trade,
    Withdrawal,
)
from sim.sources import Hit, Quote

SWITCH_FIRED: Final = "Cancel all orders after timeout"
_LONGEST_TIMEOUT: Final = 86_399


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
        self.desk = Desk(markets, account, switches)
        self.system: System = "online"
        self.switch_wall = Ns(0)  # when the dead man's switch fires; 0 = off
        self.withdrawals: list[Withdrawal] = []  # all ever, oldest first
        self._counters = {symbol: Counter(tier.decay) for symbol in markets}

    @property
    def orders(self) -> Mapping[str, Order]:
        """All orders ever, by order_id, oldest first."""
        return self.desk.orders

    @property
    def open(self) -> Mapping[str, Order]:
        """The resting orders, by order_id, oldest first."""
        return self.desk.open

    @property
    def trades(self) -> Mapping[str, Trade]:
        """All fills of the account, by exec_id, oldest first."""
        return self.desk.trades

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
        check_open(self.system, market, post_only)
        check_deadline(deadline_wall, wall)
        new_qty = order.qty if qty is None else qty
        new_price = order.price if price is None else price
        terms, hold = Terms(new_price, new_qty, post_only), 0
        if new_qty > order.filled:
            check_size(market, new_price, new_qty, self.switches)
            if post_only and takes(market, order.side, new_price):
                raise Refused("EOrder:Post only order")
            hold = self._amended_hold(market, order, terms, wall)
        amend_id = self.desk.mint("T")
        self.desk.amend(market, order, terms, hold, wall)
        return amend_id

    def cancel(self, order: Order, wall: Ns) -> None:
        """Take an order from the book."""
        if self.system == "maintenance":
            raise Refused("EService:Unavailable")
        self._charge_cancel(order, wall)
        self.desk.close(order, "canceled", USER, wall)

    def cancel_all(self, wall: Ns, reason: str = USER) -> int:
        """Take all orders of the account from the book; how many."""
        if self.system == "maintenance":
            raise Refused("EService:Unavailable")
        orders = list(self.open.values())
        for order in orders:
            if self.switches.cancel_all_costs and reason == USER:
                self._charge_cancel(order, wall)
            self.desk.close(order, "canceled", reason, wall)
        return len(orders)

    def cancel_after(self, timeout_s: int, wall: Ns) -> Ns:
        """Arm the dead man's switch for the whole account, or disarm it with 0; when it fires."""
        if not 0 <= timeout_s <= _LONGEST_TIMEOUT:
            raise Refused("EGeneral:Invalid arguments:timeout")
        self.switch_wall = Ns(wall + timeout_s * SECOND) if timeout_s else Ns(0)
        self.desk.changes.state = True
        return self.switch_wall

    def find(self, *, order_id: str = "", cl_ord_id: str = "") -> Order:
        """An open order by one of its names; Refused where there is none."""
        order = self.open.get(order_id) if order_id else self.desk.by_client.get(cl_ord_id)
        if order is None:
            raise Refused("EOrder:Unknown order")
        return order

    def rate(self, symbol: str, wall: Ns) -> float:
        """The trading counter of a pair now."""
        return self._counters[symbol].look(wall)

    def set_system(self, system: System, wall: Ns) -> None:
        """Change the engine's state; what came due meanwhile is caught up on return."""
        if system != self.system:
            self.system = system
            self.desk.changes.state = True
            self.desk.events.append(SystemChanged(system))
            self._fire(wall)

    def transfer(self, asset: str, units: int, wall: Ns) -> None:
        """A deposit, or a withdrawal of what no order holds; Refused where there is less."""
        if -units > self.account.available(asset):
            raise Refused("EFunding:Insufficient funds")
        name = "Q" + self.desk.mint("T")[1:]
        kind = "deposit" if units > 0 else "withdrawal"
        self.desk.events.append(self.account.post(name, wall, kind, asset, units, 0))

    def withdraw(self, asset: str, units: int, fee: int, wall: Ns) -> Withdrawal:
        """Begin a withdrawal: what it takes is held until it ends; Refused where there is less."""
        if units <= 0 or units + fee > self.account.available(asset):
            raise Refused("EFunding:Insufficient funds")
        found = Withdrawal("F" + self.desk.mint("T")[1:], asset, units, fee, wall)
        self.withdrawals.append(found)
        self.account.reserve(asset, units + fee)
        self.desk.changes.state = True
        return found

    def end_withdrawal(self, wall: Ns, *, done: bool) -> Withdrawal:
        """The oldest one under way leaves, or is cancelled; Refused where there is none."""
        found = next((each for each in self.withdrawals if each.status == "Pending"), None)
        if found is None:
            raise Refused("EFunding:Unknown reference id")
        self.account.reserve(found.asset, -(found.units + found.fee))
        self.desk.changes.state = True
        if not done:
            found.status, found.prop = "Failure", "canceled"
            return found
        found.status = "Success"
        terms = found.ref_id, wall, "withdrawal", found.asset, -found.units, found.fee
        self.desk.events.append(self.account.post(*terms))
        return found

    # What happened, and what of it must be durable.

    def take_events(self) -> list[Event]:
        """What happened since the last time, in order."""
        events, self.desk.events = self.desk.events, []
        return events

    def is_dirty(self) -> bool:
        """Whether something changed that must be written down before an answer leaves."""
        found = self.desk.changes
        return bool(found.orders or found.trades or found.state or self.account.new_rows)

    def forget_changes(self) -> None:
        """All changes have been written down, or nobody wants them."""
        found = self.desk.changes
        found.orders.clear()
        found.trades.clear()
        found.state = False
        self.account.new_rows.clear()
        self.account.dirty.clear()

    # Time and the market.

    def advance(self, position: int, wall: Ns) -> None:
        """Let the markets and the timers go on up to this moment."""
        if 0 < self.switch_wall <= wall and self.system != "maintenance":
            # What traded before the switch fired was traded first.
            due = self.switch_wall
            self._run_markets(position - (wall - due), due)
            self._fire(due)
        self._run_markets(position, wall)
        if self.desk.expiring:
            self._expire(wall)

    def wake_at(self) -> tuple[int | None, Ns | None]:
        """When something happens next: in market time, and by the wall."""
        position = min(map(_next_of, self.markets.values()), default=None)
        if self.system == "maintenance":
            return position, None
        wall = self.switch_wall or None
        if self.desk.expiring:
            first = min(order.expire_wall for order in self.desk.expiring.values())
            wall = first if wall is None else min(first, wall)
        return position, wall

    def _run_markets(self, position: int, wall: Ns) -> None:
        for market in self.markets.values():
            for tick in market.source.until(position):
                if self.system == "online" and market.status == "online":
                    self._meet(market, tick, Ns(wall - (position - tick.at)))
            while market.poke(position):
                self.desk.events.append(Moved(market.pair.symbol, wall))

    def _meet(self, market: Market, tick: Quote | Hit, wall: Ns) -> None:
        events = self.desk.events
        if isinstance(tick, Quote):
            met, changed = market.quote(tick)
            for meeting in met:
                self.desk.make(market, meeting.order, meeting.qty, wall)
            if changed or met:
                events.append(Moved(market.pair.symbol, wall))
            return
        others = tick.qty
        for meeting in market.hit(tick):
            if meeting.order.price == tick.price:
                others -= meeting.qty
            self.desk.make(market, meeting.order, meeting.qty, wall)
        if others > 0:
            market.liquidity.hit(tick.side, others)
            events.append(market.record(tick.side, tick.price, others, tick.order_type, wall))
        events.append(Moved(market.pair.symbol, wall))

    def _fire(self, wall: Ns) -> None:
        """The dead man's switch, once; it does not fire while nothing can be cancelled."""
        if 0 < self.switch_wall <= wall and self.system != "maintenance":
            self.switch_wall = Ns(0)
            self.desk.changes.state = True
            self.cancel_all(wall, SWITCH_FIRED)
        self._expire(wall)

    def _expire(self, wall: Ns) -> None:
        if self.system == "maintenance":
            return
        for order in list(self.desk.expiring.values()):
            if order.expire_wall <= wall:
                self.desk.close(order, "expired", "Order expired", wall)

    # Admission.

    def _add(self, request: Request, market: Market, wall: Ns, validate: bool) -> Order | None:
        self._check(request, market, wall)
        meets = request.order_type == "market" or takes(market, request.side, request.price)
        too_late = request.post_only and meets
        if too_late and self.switches.post_only_form == "refused":
            raise Refused("EOrder:Post only order")
        order = self.desk.draft(request, wall)
        asset, units = self.desk.needed(market, order, wall)
        if units > self.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        if validate:
            return None
        self.desk.accept(market, order, units, wall)
        if too_late:
            self.desk.close(order, "canceled", POST_ONLY, wall)
        else:
            self.desk.trade_or_rest(market, order, meets, wall)
        return order

    def _check(self, request: Request, market: Market, wall: Ns) -> None:
        check_open(self.system, market, request.post_only)
        check_deadline(request.deadline_wall, wall)
        if request.expire_wall and request.expire_wall <= wall:
            raise Refused("EGeneral:Invalid arguments:expire_time")
        if request.cl_ord_id and request.cl_ord_id in self.desk.by_client:
            raise Refused("EGeneral:Invalid arguments:cl_ord_id not unique")
        price = request.price if request.order_type == "limit" else market.last
        check_size(market, price, request.qty, self.switches)
        if len(market.own["buy"]) + len(market.own["sell"]) >= self.tier.open_orders:
            raise Refused("EOrder:Orders limit exceeded")

    def _amended_hold(self, market: Market, order: Order, terms: Terms, wall: Ns) -> int:
        """What the order would hold; Refused where the account has not so much."""
        asset, units = self.desk.needed(market, order, wall, terms)
        if units > self.account.available(asset) + order.hold:
            raise Refused("EOrder:Insufficient funds")
        return units

    def _market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise Refused("EQuery:Unknown asset pair")
        return market

    def _charge(self, symbol: str, cost: float, wall: Ns) -> None:
        counter = self._counters[symbol]
        if counter.look(wall) + cost > self.tier.threshold:
            raise Refused("EOrder:Rate limit exceeded")
        counter.value += cost

    def _charge_cancel(self, order: Order, wall: Ns) -> None:
        cost = penalty(CANCEL_PENALTY, wall - order.touched_wall)
        if self.switches.counter_refuses_cancels:
            self._charge(order.pair, cost, wall)
        else:
            self._counters[order.pair].charge(cost, wall)


def _next_of(market: Market) -> int:
    following = market.source.next_at()
    return market.next_poke if following is None else min(following, market.next_poke)
