"""The tax side of the order gate: the book kept up with each fill, and what may be sold now.

Rule 1: what the desk says follows from the set of events; late ones are put where they belong.
Rule 2: free is what is past its year by the German *and* the UTC calendar, and the safety days.
Rule 3: the year's net is the worse of the totals with and without foreign money (TAX.md 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from shared.units import Ns
from strategy.ledger.book import Book, BookError, keep
from strategy.ledger.events import KRAKEN, Arrived, TaxEvent, Units, euros
from strategy.ledger.parts import day_of
from strategy.ledger.rates import Rates
from strategy.ledger.room import (
    Free,
    Resting,
    Stock,
    fits,
    most_at,
    stock_of,
    tax_free,
    taxable_room,
)
from strategy.ledger.tax import utc_day


class DeskSettings(Struct, frozen=True):
    """Money in EUR. own_limit: lowers the Freigrenze. external: the person's other results of the
    year. buffer: held back for rates not yet published.
    """

    coin: str
    safety_days: int
    own_limit: Decimal | None
    external: Decimal
    buffer: Decimal
    track_currencies: bool


class Gate(Struct, frozen=True):
    """What the gate needs at one moment. stock: the front of the queue, as far as asked for.

    net: of the year so far, the worse total; room: what may still be gained, EUR, None where a
    rate is missing: then only free coins may be sold.
    """

    stock: tuple[Stock, ...]
    free: Free
    net: Decimal
    room: Decimal | None

    def fits(self, resting: Sequence[Resting]) -> bool:
        """Whether all these sells may rest, in whatever order they fill."""
        if self.room is None:
            return sum(order.qty for order in resting) <= self.free.qty
        return fits(resting, self.stock, self.free.qty, self.room)

    def most_at(
        self, price: Decimal, wanted: int, resting: Sequence[Resting], step: int = 1
    ) -> Units:
        """The most that one more sell at EUR `price` may have beside the resting ones, in steps."""
        if self.room is None:
            left = self.free.qty - sum(order.qty for order in resting)
            return Units(max(0, min(wanted, left)) // step * step)
        return most_at(price, wanted, resting, self.stock, self.free.qty, self.room, step)


class Desk:
    """Holds the events of a person; `hear` each new one, `gate` whenever orders are laid."""

    def __init__(self, events: Iterable[TaxEvent], rates: Rates, settings: DeskSettings) -> None:
        self._settings = settings
        self._rates = rates
        self._events = {event.id: event for event in events}
        heard = [(event.wall, event.seq, event.id) for event in self._events.values()]
        self._newest = max(heard, default=(Ns(0), 0, ""))
        self._book: Book | None = None
        self._counted = 0
        self._nets: dict[int, tuple[int, int]] = {}

    def hear(self, event: TaxEvent) -> None:
        """Book one event; known by its id, it changes nothing."""
        if event.id in self._events:
            return
        self._events[event.id] = event
        key = (event.wall, event.seq, event.id)
        if self._book is None or key < self._newest or isinstance(event, Arrived):
            self._forget()
        else:
            try:
                self._book.feed(event)
            except BookError:
                # Its rate is not known yet; `gate` tries again and says so.
                self._forget()
        self._newest = max(self._newest, key)

    def learn(self, rates: Rates) -> None:
        """Value everything anew: rates were published."""
        self._rates = rates
        self._forget()

    def gate(self, now_wall: Ns, reach: int, pending: int = 0) -> Gate:
        """What may be sold now. reach: units of all sells that are thought of, resting ones too.

        pending: units of withdrawals on their way, which take the oldest coins.
        """
        settings, today = self._settings, utc_day(now_wall)
        book, valued = self._kept()
        front = stock_of(book.front(KRAKEN, settings.coin, reach + pending))
        stock = _behind(front, pending)
        year = day_of(now_wall).year
        net = euros(max(self._nets.get(year, (0, 0))))
        free = tax_free(stock, today, 0, settings.safety_days)
        room = taxable_room(year, net, settings.external, settings.buffer, settings.own_limit)
        return Gate(tuple(stock), free, net, room if valued else None)

    def _kept(self) -> tuple[Book, bool]:
        """The book, and whether everything in it could be valued."""
        events, tracked = self._events.values(), self._settings.track_currencies
        if self._book is None:
            try:
                self._book = keep(events, self._rates, track_currencies=tracked)
            except BookError:
                # What is free is a matter of dates: it needs no rate, and stale rates stop nothing.
                return keep(events, Rates(stand_in=True), track_currencies=tracked), False
        for row in self._book.rows[self._counted :]:
            if row.taxable:
                coins, both = self._nets.get(row.year, (0, 0))
                alone = 0 if row.currency_leg else row.gain
                self._nets[row.year] = (coins + alone, both + row.gain)
        self._counted = len(self._book.rows)
        return self._book, True

    def _forget(self) -> None:
        self._book = None
        self._counted = 0
        self._nets.clear()


def _behind(stock: list[Stock], gone: int) -> list[Stock]:
    """The queue without its first units."""
    found = []
    for lot in stock:
        taken = min(gone, int(lot.qty))
        gone -= taken
        if taken == 0:
            found.append(lot)
        elif taken < lot.qty:
            cost = lot.cost * (lot.qty - taken) / lot.qty
            found.append(Stock(lot.lot, Units(lot.qty - taken), lot.acquired, cost))
    return found
