"""The exchange of a backtest: one account and one market, spoken to in types instead of JSON.

Rule 1: what is over is forgotten: an order that has ended, with its trades, once it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import cast

from shared import orders
from shared.config import Config
from shared.kraken.values import verdict_of
from shared.units import Ns, Pair, Sats
from sim.backtest.parts import Still, Terms, Told, Uncounted, request_of, resting
from sim.backtest.words import balances_of, event_of, fill_of
from sim.engine.account import Account
from sim.engine.candles import Candles
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, LISTINGS
from sim.engine.liquidity import Liquidity
from sim.engine.market import Market
from sim.engine.values import TIERS, Exec, LedgerRow, Order, Refused, Switches
from sim.opening import FIRST_TRADE, open_account, read_lots
from sim.sources import Quote, Tick


class Venue:
    """coins, money: the account's Sats and its money in units (Ticks x Sats), holds included.

    opening: the fills of before the data begins; opening_coins, opening_money: what they left.
    """

    def __init__(self, config: Config, terms: Terms, wall: Ns, price: int) -> None:
        """wall, price: of the history's first row."""
        listing = LISTINGS[config.pair]
        self.pair: Pair = listing.pair
        self._told = Told(Quote(0, price, price + 1))
        self.market = Market(listing, self._told, 0, wall)
        # Sats enough that the two sides of the book weigh the same, whatever we add.
        still = Still(price, price + 1, 10**12, terms.ahead)
        self.market.liquidity = cast(Liquidity, still)
        self.market.next_poke = 1 << 62
        self.market.candles = cast(Candles, Uncounted())
        switches = Switches()
        account = Account(switches, terms.maker or 0, terms.taker or 0)
        if terms.maker is None:
            account = Account(switches, 4000, 8000)
        self.exchange = Exchange({config.pair: self.market}, account, TIERS["pro"], switches)
        lots = read_lots(config.demo.opening_lots)
        open_account(self.exchange, config.pair, config.demo.quote_balance, lots, wall)
        self.market.open_tape(FIRST_TRADE)
        self._fees = (-1, -1)
        self.opening = tuple(fill_of(self.pair, each) for each in self.exchange.trades.values())
        self._count_money()
        self.opening_coins, self.opening_money = self.coins, self.money
        for order in list(self.exchange.orders.values()):
            self._forget(order)
        self.exchange.take_events()

    def greeting(self, wall: Ns) -> tuple[orders.Event, ...]:
        """What a session tells when a line comes up: fills of the past, then the state."""
        return (
            orders.Pairs((self.pair,)),
            orders.System("online"),
            orders.RateCounter(self.pair.symbol, -1.0, TIERS["pro"].threshold),
            *self._new_fees(wall),
            *self.opening,
            balances_of(self.exchange.account),
            orders.LineUp(()),
        )

    def touch(self) -> tuple[int, int]:
        """Best bid and ask of the whole book, in Ticks."""
        others, own = self.market.liquidity, self.market.own
        buys, sells = own["buy"], own["sell"]
        if (buys and buys[0].price > others.bid) or (sells and sells[0].price < others.ask):
            # Ours betters the touch of the others, or hides it.
            return self.market.best("buy") or 1, self.market.best("sell") or 2
        return others.bid, others.ask

    def tell(self, ticks: Sequence[Tick], position: int, wall: Ns) -> bool:
        """The market does this; whether the exchange has something to say of it (`hear`)."""
        self._told.tell(*ticks)
        self.exchange.advance(position, wall)
        return bool(self.exchange.desk.events)

    def obey(self, command: orders.Command, wall: Ns) -> orders.Event | None:
        """A command arrives; what is answered beside what is to be heard: a refusal, an amend."""
        exchange = self.exchange
        method, cl_ord_id = "add", getattr(command, "cl_ord_id", "")
        try:
            match command:
                case orders.AddOrder():
                    exchange.add(request_of(command), wall)
                case orders.AmendOrder(price=price, qty=qty, deadline=deadline):
                    method = "amend"
                    exchange.amend(
                        exchange.find(cl_ord_id=cl_ord_id), wall,
                        qty=qty, price=price, post_only=True, deadline_wall=deadline,
                    )  # fmt: skip
                    return orders.Accepted("amend", cl_ord_id)
                case orders.CancelOrder(order_id=order_id):
                    method = "cancel"
                    exchange.cancel(exchange.find(cl_ord_id=cl_ord_id, order_id=order_id), wall)
                case orders.CancelAll():
                    method = "cancel_all"
                    exchange.cancel_all(wall)
                case _:
                    raise AssertionError(command)
        except Refused as refusal:
            return orders.Refused(method, cl_ord_id, refusal.text, verdict_of(refusal.text))
        return None

    def listed(self, now: Ns, wall: Ns) -> orders.Listed:
        """All open orders."""
        found = tuple(resting(order) for order in self.exchange.open.values())
        return orders.Listed(now, found, wall)

    def looked(self, cl_ord_id: str, now: Ns) -> orders.Looked:
        """What became of one order; one that has ended is not known any more."""
        order = self.exchange.desk.by_client.get(cl_ord_id)
        if order is None:
            return orders.Looked(now, cl_ord_id, None, "", Sats(0))
        return orders.Looked(now, cl_ord_id, resting(order), "open", Sats(order.filled))

    def hear(self, wall: Ns) -> list[orders.Event]:
        """What the exchange has said since it was heard last, in order."""
        told: list[orders.Event] = []
        money = False
        for event in self.exchange.take_events():
            if type(event) is Exec:
                word = event_of(self.pair, event)
                if word is not None:
                    told.append(word)
                if type(word) is orders.Gone:
                    self._forget(event.order)
            elif type(event) is LedgerRow:
                money = True
        if money:
            self._count_money()
            told.append(balances_of(self.exchange.account))
            told += self._new_fees(wall)
            self.exchange.account.let_go()
        return told

    def _forget(self, order: Order) -> None:
        """What has ended is told and counted: a long run must not keep it."""
        desk = self.exchange.desk
        desk.orders.pop(order.order_id, None)
        for exec_id in order.trades:
            desk.trades.pop(exec_id, None)
        self.exchange.forget_changes()

    def _new_fees(self, wall: Ns) -> list[orders.Event]:
        tier = self.exchange.account.tier(wall)
        if (tier.maker, tier.taker) == self._fees:
            return []
        self._fees = (tier.maker, tier.taker)
        maker, taker = (Decimal(rate).scaleb(-6) for rate in self._fees)
        return [orders.Fees(self.pair.symbol, maker, taker)]

    def _count_money(self) -> None:
        balances, pair = self.exchange.account.balances, self.pair
        fine = 10 ** (ASSETS[pair.base].decimals - pair.qty_decimals)
        drop = pair.price_decimals + pair.qty_decimals - ASSETS[pair.quote].decimals
        self.coins: int = balances.get(pair.base, 0) // fine
        self.money: int = balances.get(pair.quote, 0) * 10**drop
