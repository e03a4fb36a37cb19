"""The tax book: every disposal in EUR, cut by FIFO over the lots of each wallet and coin.

Rule 1: a queue for each account and asset, oldest acquisition first; what arrives from an own
wallet stands where its date puts it (BMF 2025, Rn. 54, 61 f.).
Rule 2: each gross and each fee is converted once, at the rate of its own German day (BFH IX R
62/10), and rounded half up to cents; parts are cut from it by cumulative rounding, so that they
always add up to it.
Rule 3: coins sold of which no purchase is known cost 0 and are taxable: a cost is never invented.
Rule 4: foreign currency received for coins is an asset of its own with a queue of its own
(§ 23 (1) s. 1 Nr. 2 s. 3 EStG); its disposals stand apart, so both totals can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time
from decimal import Context, Decimal
from typing import Final

from shared.units import SECOND, Ns, Side
from strategy.ledger.events import (
    KRAKEN,
    PER_SAT,
    Arrived,
    Departed,
    Exchanged,
    Heard,
    Moved,
    Origin,
    Units,
    as_heard,
    cents_share,
    euro_cents,
    of_trade,
    quantity_of,
    units_of,
)
from strategy.ledger.fifo import Queue, QueuedLot, basis_of, opened, stretch
from strategy.ledger.parts import Basis, Days, OpenLot, Row, day_of, last_taxable_day
from strategy.ledger.rates import CURRENCIES, EURO, EURO_ITSELF, Looked, Rates
from strategy.ledger.tax import BERLIN
from strategy.ledger.trade import LATEST, Trade
from strategy.ledger.year import REFORM_FROM, is_new_stock

REFORM_WALL: Final = Ns(
    int(datetime.combine(REFORM_FROM, time(), BERLIN).timestamp()) * SECOND
)  # by the German date
_EXACT: Final = Context(prec=60)


class BookError(Exception):
    """An event cannot be valued: one sentence, with the remedy."""


class Book:
    """The book of one person. Feed it events in order, or use `keep`."""

    def __init__(
        self, rates: Rates, *, track_currencies: bool = True, reform_enacted: bool = False
    ) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self._rates = rates
        self._track = track_currencies
        self._reform = reform_enacted
        self._stop = REFORM_WALL if reform_enacted else LATEST
        self._queues: dict[tuple[str, str], Queue] = {}

    def feed(self, event: Heard) -> None:
        """Book one event. BookError where it cannot be valued; then nothing of it was booked."""
        match event:
            case Trade():
                self._trade(event)
            case Exchanged():
                self._exchange(event)
            case Moved():
                self._move(event)
            case Departed():
                if self._is_kept(event.asset):
                    queue = self._queue(event.account, event.asset)
                    for _ in queue.take(event.qty + event.network_fee):
                        # The pieces leave with their cost: no gain, no loss (Rn. 54).
                        pass
            case Arrived():
                if self._is_kept(event.asset):
                    self._arrive(event)

    def open_lots(self, account: str = "", asset: str = "") -> list[OpenLot]:
        """What is left, by account and asset in the order of first use, first to go first."""
        return [
            opened(of, lot)
            for (of, what), queue in self._queues.items()
            if account in ("", of) and asset in ("", what)
            for lot in queue.lots[queue.head :]
        ]

    def oldest(self, account: str, asset: str, count: int) -> list[OpenLot]:
        """The first open lots of a queue."""
        queue = self._peek(account, asset)
        return [opened(account, lot) for lot in queue.lots[queue.head : queue.head + count]]

    def days(self, account: str, asset: str) -> Iterator[Days]:
        """The open lots of a queue by the German day of their acquisition, oldest first."""
        return self._peek(account, asset).days()

    def cost(self, account: str, asset: str) -> int:
        """What is left of a queue cost, euro cents."""
        return self._peek(account, asset).cost

    def front(self, account: str, asset: str, qty: int) -> list[OpenLot]:
        """The first open lots of a queue, as many as it takes to hold `qty`."""
        queue = self._peek(account, asset)
        return stretch(account, queue, queue.head, qty)

    def total(self, account: str, asset: str) -> int:
        """Units held, as far as the book knows."""
        return self._peek(account, asset).total

    def free(self, account: str, asset: str, now_wall: Ns, safety_days: int) -> int:
        """Units at the front of a queue that may be sold free of tax at a moment.

        Under the reform, once enacted, coins acquired from its day on never are.
        """
        queue = self._peek(account, asset)
        return queue.free(now_wall, safety_days, self._stop)

    def locked(self, account: str, asset: str, qty: int) -> list[OpenLot]:
        """The lots behind what `free` counted last, as many as it takes to hold `qty`."""
        queue = self._peek(account, asset)
        return stretch(account, queue, max(queue.ready, queue.head), qty)

    def locked_since(self, account: str, asset: str) -> Ns | None:
        """When the first of those lots was acquired; None where all are free."""
        queue = self._peek(account, asset)
        place = max(queue.ready, queue.head)
        return queue.lots[place].wall if place < len(queue.lots) else None

    def _peek(self, account: str, asset: str) -> Queue:
        """To look at: where there is no queue, an empty one that is not kept."""
        return self._queues.get((account, asset)) or Queue()

    def _queue(self, account: str, asset: str) -> Queue:
        found = self._queues.get((account, asset))
        if found is None:
            found = self._queues[account, asset] = Queue()
        return found

    def _is_kept(self, asset: str) -> bool:
        return asset != EURO and (self._track or asset not in CURRENCIES)

    # Trades.

    def _trade(self, trade: Trade) -> None:
        """As its event, and a purchase in euros without making that: there are many of them."""
        asset, _, currency = trade.pair.partition("/")
        if trade.side is not Side.BUY or currency != EURO or not self._is_kept(asset):
            self._exchange(of_trade(trade))
            return
        cost = euro_cents(trade.cost, EURO_ITSELF)
        if trade.fee:
            cost += euro_cents(trade.fee, EURO_ITSELF)
        qty, queue = trade.moved * PER_SAT, self._queue(KRAKEN, asset)
        queue.put(QueuedLot(trade.wall, trade.trade_id, trade.exec_id, qty, cost, trade))

    def _exchange(self, event: Exchanged) -> None:
        if not self._is_kept(event.asset):
            return
        rate = self._rate(event.currency, event.wall, event.id)
        gross = euro_cents(event.gross, rate.value)
        in_coins, in_money, fees = self._fees(event, rate)
        if event.side is Side.BUY:
            if event.currency == EURO:
                self._buy(event, event.qty - in_coins, gross + fees)
                return
            money = _EXACT.add(event.gross, in_money)
            self._put(basis_of(event, event.asset, event.qty - in_coins, money, rate), gross + fees)
            self._spend(event, rate, money, gross + euro_cents(in_money, rate.value))
            return
        # Coins kept as a fee: a disposal at the sale's price, and Werbungskosten of the same
        # value (BMF 2025, Rn. 59 f.).
        kept, kept_cents = Decimal(0), 0
        if in_coins:
            of_fee = _EXACT.multiply(event.gross, Decimal(in_coins))
            kept = _EXACT.divide(of_fee, Decimal(int(event.qty)))
            kept_cents = euro_cents(kept, rate.value)
        self._dispose(event, event.id, rate, event.qty, event.gross, gross, fees + kept_cents)
        if in_coins:
            self._dispose(event, f"{event.id}#fee", rate, in_coins, kept, kept_cents, 0)
        if event.currency in CURRENCIES and self._track:
            got = _EXACT.subtract(event.gross, in_money)
            self._put(
                basis_of(event, event.currency, units_of(got), got, rate),
                gross - euro_cents(in_money, rate.value),
            )

    def _buy(self, event: Exchanged, qty: int, cost: int) -> None:
        """A purchase in euros: most lots are, and where one comes from is seldom asked."""
        if qty > 0:
            queue = self._queue(event.account, event.asset)
            queue.put(QueuedLot(event.wall, event.seq, event.id, qty, cost, event))

    def _fees(self, event: Exchanged, rate: Looked) -> tuple[int, Decimal, int]:
        """Fee in units of the asset, in the trade's currency, and all money fees in euro cents."""
        in_coins, in_money, cents = 0, Decimal(0), 0
        for asset, amount in event.fees:
            if asset == event.asset:
                in_coins += units_of(amount)
            elif asset == event.currency:
                in_money = _EXACT.add(in_money, amount)
                cents += euro_cents(amount, rate.value)
            elif asset == EURO or asset in CURRENCIES:
                cents += euro_cents(amount, self._rate(asset, event.wall, event.id).value)
            else:
                self.notes.append(f"{event.id}: the fee of {amount} {asset} is not valued")
        return in_coins, in_money, cents

    def _dispose(
        self,
        event: Exchanged,
        label: str,
        rate: Looked,
        qty: int,
        money: Decimal,
        proceeds: int,
        costs: int,
        asset: str = "",
    ) -> None:
        """Take `qty` from the queue; proceeds and Werbungskosten go along by quantity (Rn. 57)."""
        what = asset or event.asset
        currency_leg, sold_on = what in CURRENCIES, day_of(event.wall)
        done = proceeds_done = costs_done = 0
        for lot, piece, paid in self._queue(event.account, what).take(qty):
            to = done + piece
            proceeds_to, costs_to = cents_share(proceeds, to, qty), cents_share(costs, to, qty)
            share = proceeds_to - proceeds_done
            # Money of unknown origin: neither gain nor loss can be claimed of it.
            cost = share if lot is None and currency_leg else paid
            if lot is None:
                self.notes.append(
                    f"{label}: no acquisition is known of {quantity_of(piece)} {what}"
                )
            new_stock = self._reform and lot is not None and is_new_stock(day_of(lot.wall))
            self.rows.append(
                Row(
                    label=label,
                    sale=event,
                    rate=rate,
                    basis=None if lot is None else lot.basis,
                    asset=what,
                    qty=Units(piece),
                    money=(money, done, to, qty),
                    proceeds=share,
                    cost=cost,
                    costs=costs_to - costs_done,
                    # § 23 (1) s. 1 Nr. 2 EStG: "not more than one year", by the calendar.
                    taxable=lot is None or new_stock or sold_on <= last_taxable_day(lot.wall),
                    currency_leg=currency_leg,
                    new_stock=new_stock,
                )
            )
            done, proceeds_done, costs_done = to, proceeds_to, costs_to

    def _spend(self, event: Exchanged, rate: Looked, money: Decimal, cents: int) -> None:
        """Foreign money paid for coins: the careful view is a disposal of it (TAX.md 5, low)."""
        if event.currency in CURRENCIES and self._track:
            label = f"{event.id}#{event.currency}"
            self._dispose(event, label, rate, units_of(money), money, cents, 0, event.currency)

    # Other ways in and out.

    def _move(self, event: Moved) -> None:
        if not self._is_kept(event.asset):
            return
        queue = self._queue(event.account, event.asset)
        target = self._queue(event.to, event.asset)
        for lot, piece, cost in list(queue.take(event.qty)):
            if lot is None:
                self._put(self._unknown(event, piece), 0)
                continue
            target.put(QueuedLot(lot.wall, lot.seq, lot.id, piece, cost, lot.basis))
        for _ in queue.take(event.network_fee):
            # Not settled; default: no disposal, not deductible, its cost leaves with it (TAX.md 4).
            pass

    def _arrive(self, event: Arrived) -> None:
        wall = event.wall if event.acquired is None else event.acquired
        currency = event.asset if event.asset in CURRENCIES else EURO
        rate = self._rate(currency, wall, event.id)
        if event.cost_eur is not None:
            cost = euro_cents(event.cost_eur, Decimal(1))
        elif currency != EURO:
            # Money that came in is worth what it is worth that day, unless the user says more.
            cost = euro_cents(quantity_of(event.qty), rate.value)
        else:
            cost = 0
        doubtful = event.cost_eur is None or (
            event.acquired is None and event.origin is Origin.DEPOSIT
        )
        basis = Basis(
            event.id, event.account, event.asset, wall, event.seq, event.qty, EURO,
            Decimal(cost).scaleb(-2, _EXACT), Looked(day_of(wall), Decimal(1), rate.provisional),
            event.origin, doubtful, event.manual,
        )  # fmt: skip
        if doubtful and event.asset not in CURRENCIES:
            self.notes.append(
                f"{event.id}: {quantity_of(event.qty)} {event.asset} came as a {event.origin} "
                "without proof of date or cost"
            )
        self._put(basis, cost)

    def _unknown(self, event: Moved, qty: int) -> Basis:
        self.notes.append(f"{event.id}: more {event.asset} was moved than the book knows")
        return Basis(
            event.id, event.to, event.asset, event.wall, event.seq, Units(qty), EURO, Decimal(0),
            Looked(day_of(event.wall), Decimal(1), False), Origin.DEPOSIT, True, event.manual,
        )  # fmt: skip

    def _put(self, basis: Basis, cost: int) -> None:
        if basis.qty > 0:
            queue = self._queue(basis.account, basis.asset)
            queue.put(QueuedLot(basis.wall, basis.seq, basis.id, basis.qty, cost, basis))

    def _rate(self, currency: str, wall: Ns, name: str) -> Looked:
        found = self._rates.look_up(currency, day_of(wall))
        if found is None:
            raise BookError(
                f"{name}: no rate of the ECB for {currency} on {day_of(wall)}: "
                "a running house fetches them (tax.rates_fetch), icryptotrader tax rates FILE "
                "or --seed reads them in"
            )
        return found


def keep(
    events: Iterable[Heard],
    rates: Rates,
    *,
    track_currencies: bool = True,
    reform_enacted: bool = False,
) -> Book:
    """The book of all these events, in whatever order they are given."""
    book = Book(rates, track_currencies=track_currencies, reform_enacted=reform_enacted)
    for event in as_heard(events):
        book.feed(event)
    return book
