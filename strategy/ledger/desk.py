"""The tax side of the order gate: the book kept up with each fill, and what may be sold now.

Rule 1: what the desk says follows from the set of events; late ones are put where they belong.
Rule 2: free is what is past its year by the German *and* the UTC calendar, and the safety days.
Rule 3: the year's net is the worse of the totals with and without foreign money, unless the
person has chosen one of them (TAX.md 5).
Rule 4: what is asked at each tick does not grow with the number of lots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.ledger.book import Book, BookError, keep
from strategy.ledger.events import KRAKEN, Arrived, Heard, Units, euros, id_of, key_of
from strategy.ledger.parts import Days, OpenLot, Row, day_of
from strategy.ledger.rates import EURO, Rate, Rates
from strategy.ledger.room import (
    Resting,
    Stock,
    Unlock,
    fits,
    most_at,
    stock_of,
    taxable_room,
    without_first,
    worst_gain,
)
from strategy.ledger.spending import worst_of_spending
from strategy.ledger.tax import free_from_wall
from strategy.ledger.year import ZERO, is_new_stock

UsdLeg = Literal["separate", "section23", "off"]
INFINITE: Final = Decimal("Infinity")
"""The room of a year whose limit is passed knowingly."""

Spent = tuple[tuple[str, int], ...]
"""(currency, units) of foreign money."""

_HOUR: Final = 3600 * SECOND


class DeskSettings(Struct, frozen=True):
    """Money in EUR. own_limit: lowers the Freigrenze. buffer: held back for rates not yet known.

    external: the person's other results of a year, `each_year` where a year is not named. beyond:
    the limit may be passed knowingly, so nothing bounds the taxable gain.
    """

    coin: str
    safety_days: int = 0
    own_limit: Decimal | None = None
    each_year: Decimal = ZERO
    external: Mapping[int, Decimal] = {}
    buffer: Decimal = ZERO
    usd_leg: UsdLeg = "separate"
    reform_enacted: bool = False
    beyond: bool = False

    def other_results(self, year: int) -> Decimal:
        return self.external.get(year, self.each_year)


class YearSoFar(Struct, frozen=True):
    """Of one German year, EUR. coins: net of the taxable parts of coins; money: of foreign money.

    free: gains of parts past their year; new_stock: of coins under the reform, once enacted.
    """

    coins: Decimal = ZERO
    money: Decimal = ZERO
    free: Decimal = ZERO
    new_stock: Decimal = ZERO


class Gate(Struct, frozen=True):
    """What the gate needs at one moment. free: units at the front, behind them `locked` lots.

    net: of the year so far, EUR; room: what may still be gained, None where only free coins may
    be sold; spending: by how much it is smaller for money that resting buys may spend. most: units
    in front of coins that are never to be sold here, None where there are none. next_unlock: what
    becomes free next.
    """

    free: Units
    locked: tuple[Stock, ...]
    net: Decimal
    room: Decimal | None
    next_unlock: Unlock | None = None
    most: Units | None = None
    spending: Decimal = ZERO

    def worst(self, resting: Sequence[Resting]) -> Decimal:
        """The largest taxable gain that these sells can leave behind, EUR."""
        return worst_gain(resting, self._stock(), self.free) or ZERO

    def fits(self, resting: Sequence[Resting]) -> bool:
        """Whether all these sells may rest, in whatever order they fill."""
        reach = sum(order.qty for order in resting)
        if reach <= self.free:
            return True
        if self.room is None or (self.most is not None and reach > self.most):
            return False
        return fits(resting, self._stock(), self.free, self.room)

    def most_at(
        self, price: Decimal, wanted: int, resting: Sequence[Resting], step: int = 1
    ) -> Units:
        """The most that one more sell at EUR `price` may have beside the resting ones, in steps."""
        left = self.free - sum(order.qty for order in resting)
        if self.room is None:
            return Units(max(0, min(wanted, left)) // step * step)
        if self.most is not None:
            wanted = min(wanted, max(0, left + self.most - self.free))
        return most_at(price, wanted, resting, self._stock(), self.free, self.room, step)

    def _stock(self) -> tuple[Stock, ...]:
        """The locked lots behind one that stands for all free coins."""
        return (Stock("", self.free, date.min), *self.locked) if self.free else self.locked


class Desk:
    """Holds the events of a person; `hear` each new one, `gate` whenever orders are laid."""

    def __init__(self, events: Iterable[Heard], rates: Rates, settings: DeskSettings) -> None:
        self.settings = settings
        self.version = 0
        """Grows with whatever is heard or learnt: what was found out before may be old."""
        self._rates = rates
        self._events = {id_of(event): event for event in events}
        newest = max(self._events.values(), key=key_of, default=None)
        self._newest = (Ns(0), 0, "") if newest is None else key_of(newest)
        self._book: Book | None = None
        self._valued = True
        self._settled = False
        self._years: dict[int, YearSoFar] = {}
        self._sold: dict[date, int] = {}
        # What was asked last, since the last event; both calendars turn on a full hour.
        self._gate: tuple[object, Gate] | None = None
        self._free: tuple[int, Units] | None = None
        self._total: Units | None = None
        self._rated: dict[tuple[str, int], Decimal | None] = {}

    # What happens.

    def hear(self, event: Heard) -> None:
        """Book one event; known by its id, it changes nothing."""
        name = id_of(event)
        if name in self._events:
            return
        self._changed()
        self._events[name] = event
        key = key_of(event)
        if self._book is None or key < self._newest or isinstance(event, Arrived):
            self._forget()
        else:
            try:
                self._book.feed(event)
            except BookError:
                # Its rate is not known yet; what can be said without it is said.
                self._forget()
        self._newest = max(self._newest, key)

    def learn(self, rates: Iterable[Rate]) -> None:
        """Value everything anew: rates were published."""
        fresh = list(rates)
        if not fresh:
            return
        self._changed()
        self._rates = self._rates.with_all(fresh)
        self._rated = {}
        self._forget()

    def settle(self) -> None:
        """Forget the events, of which the book is kept: nothing is told late, no rate learnt.

        For a backtest; what would need them again fails an assertion.
        """
        self._kept()
        self._events.clear()
        self._settled = True

    # What is asked.

    def rate(self, currency: str, wall: Ns) -> Decimal | None:
        """Units of a currency for one euro at a moment, as far as published; None if unknown."""
        if currency == EURO:
            return Decimal(1)
        key = currency, wall // _HOUR
        if key not in self._rated:
            found = self._rates.look_up(currency, day_of(wall))
            self._rated = {key: None if found is None else found.value}
        return self._rated[key]

    def rates(self) -> list[Rate]:
        return self._rates.all()

    def total(self) -> Units:
        """Coins on the account the bot trades on, as far as is known."""
        if self._total is None:
            self._total = Units(self._kept().total(KRAKEN, self.settings.coin))
        return self._total

    def free(self, now_wall: Ns, pending: int = 0) -> Units:
        """Coins at the front of the queue that are free of tax now, less what is on its way out."""
        hour, settings = now_wall // _HOUR, self.settings
        if self._free is None or self._free[0] != hour:
            free = self._kept().free(KRAKEN, settings.coin, now_wall, settings.safety_days)
            self._free = (hour, Units(free))
        free = self._free[1]
        return Units(max(0, free - pending)) if pending else free

    def lots(self) -> list[OpenLot]:
        """The open lots of the account, first to be sold first; grows with their number."""
        return self._kept().open_lots(KRAKEN, self.settings.coin)

    def queue(self, today: date = date.min) -> list[Stock]:
        """The whole queue, first to be sold first; grows with the number of lots."""
        return stock_of(self.lots(), today)

    def days(self) -> list[Days]:
        """The open lots by the German day of their acquisition; grows with the days alone."""
        return list(self._kept().days(KRAKEN, self.settings.coin))

    def by_day(self) -> list[Stock]:
        """The queue with one lot for each day and no cost: for questions of when, not of gain."""
        return [Stock("", each.qty, each.day) for each in self.days()]

    def oldest(self, count: int) -> list[OpenLot]:
        """The first open lots, first to be sold first."""
        return self._kept().oldest(KRAKEN, self.settings.coin, count)

    def cost(self) -> Decimal:
        """What is left of the coins cost, EUR."""
        return euros(self._kept().cost(KRAKEN, self.settings.coin))

    def front(self, reach: int) -> list[Stock]:
        """The first lots of the queue, as many as it takes to hold `reach`."""
        return stock_of(self._kept().front(KRAKEN, self.settings.coin, reach))

    def next_free_wall(self, now_wall: Ns) -> Ns | None:
        """When the first locked lot becomes free; None if all that is held is free."""
        settings, book = self.settings, self._kept()
        self.free(now_wall)
        acquired = book.locked_since(KRAKEN, settings.coin)
        return None if acquired is None else free_from_wall(acquired, settings.safety_days)

    def year(self, year: int) -> YearSoFar:
        self._kept()
        return self._years.get(year, YearSoFar())

    def years(self) -> dict[int, YearSoFar]:
        self._kept()
        return dict(self._years)

    def net(self, year: int) -> Decimal:
        """The year's result so far as the gate counts it (Rule 3), external results left out."""
        sums = self.year(year)
        match self.settings.usd_leg:
            case "off":
                return sums.coins
            case "section23":
                return sums.coins + sums.money
            case "separate":
                return sums.coins + max(ZERO, sums.money)

    def sold(self, today: date, days: int = 1) -> Units:
        """Coins sold in the last German days, today's included."""
        self._kept()
        each = (self._sold.get(today - timedelta(days=back), 0) for back in range(days))
        return Units(sum(each))

    def gate(self, now_wall: Ns, reach: int, pending: int = 0, spent: Spent = ()) -> Gate:
        """What may be sold now. reach: units of all sells that are thought of, resting ones too.

        pending: units of withdrawals on their way, which take the oldest coins. spent: what
        resting buys may spend of each foreign currency.
        """
        # How far beyond the free coins is all that counts of the reach.
        beyond = max(1, reach + pending - self.free(now_wall))
        key = (now_wall // _HOUR, beyond, pending, spent)
        if self._gate is None or self._gate[0] != key:
            self._gate = (key, self._look(now_wall, beyond, pending, spent))
        return self._gate[1]

    def spending(self, now_wall: Ns, spent: Spent) -> Decimal:
        """By how much the year's net (Rule 3) may rise by spending so much foreign money, EUR."""
        settings, today = self.settings, day_of(now_wall)
        if settings.usd_leg == "off" or not self._valued:
            return ZERO
        gain = ZERO
        for currency, units in spent:
            rate = self.rate(currency, now_wall)
            if rate is not None:
                lots = self._kept().front(KRAKEN, currency, units)
                now = (now_wall, today)
                gain += worst_of_spending(lots, units, rate, now, settings.safety_days)
        if settings.usd_leg == "section23":
            return gain
        so_far = self.year(today.year).money
        return max(ZERO, so_far + gain) - max(ZERO, so_far)

    def _look(self, now_wall: Ns, beyond: int, pending: int, spent: Spent) -> Gate:
        settings, today = self.settings, day_of(now_wall)
        book, free = self._kept(), int(self.free(now_wall))
        open_lots = book.locked(KRAKEN, settings.coin, beyond)
        locked = without_first(stock_of(open_lots, today), max(0, pending - free))
        free = max(0, free - pending)
        most = None
        if settings.reform_enacted:
            old = [lot for lot in locked if not is_new_stock(lot.acquired)]
            if len(old) < len(locked):
                most = Units(free + sum(lot.qty for lot in old))
        unlock = None
        if locked and not (most is not None and most == free):
            wall = free_from_wall(open_lots[0].basis.wall, settings.safety_days)
            unlock = Unlock(day_of(wall), locked[0].qty, locked[0].lot)
        room, spending = self.room(now_wall), self.spending(now_wall, spent)
        left = None if room is None else room - spending
        return Gate(Units(free), tuple(locked), self.net(today.year), left, unlock, most, spending)

    def room(self, now_wall: Ns) -> Decimal | None:
        """What the year may still gain, whatever resting buys may spend; None as in `Gate`."""
        settings, year = self.settings, day_of(now_wall).year
        net = self.net(year)
        if not self._valued:
            return None
        if settings.beyond:
            return INFINITE
        other = settings.other_results(year)
        return taxable_room(year, net, other, settings.buffer, settings.own_limit)

    # The book.

    def _kept(self) -> Book:
        """The book of all events; of its rows only the sums are kept."""
        if self._book is None:
            self._valued = True
            try:
                self._book = self._keep(self._rates)
            except BookError:
                # What is free is a matter of dates: it needs no rate, and stale rates stop nothing.
                self._valued = False
                self._book = self._keep(Rates(stand_in=True))
        rows = self._book.rows
        if rows:
            for row in rows:
                self._count(row)
            rows.clear()
            self._book.notes.clear()
        return self._book

    def _keep(self, rates: Rates) -> Book:
        settings = self.settings
        return keep(
            self._events.values(),
            rates,
            track_currencies=settings.usd_leg != "off",
            reform_enacted=settings.reform_enacted,
        )

    def _count(self, row: Row) -> None:
        day = day_of(row.sale.wall)
        if row.asset == self.settings.coin and row.sale.account == KRAKEN:
            self._sold[day] = self._sold.get(day, 0) + row.qty
        sums, gain = self._years.get(day.year) or YearSoFar(), euros(row.gain)
        if row.new_stock:
            sums = YearSoFar(sums.coins, sums.money, sums.free, sums.new_stock + gain)
        elif not row.taxable:
            sums = YearSoFar(sums.coins, sums.money, sums.free + gain, sums.new_stock)
        elif row.currency_leg:
            sums = YearSoFar(sums.coins, sums.money + gain, sums.free, sums.new_stock)
        else:
            sums = YearSoFar(sums.coins + gain, sums.money, sums.free, sums.new_stock)
        self._years[day.year] = sums

    def _changed(self) -> None:
        """What was found out before may be old."""
        self.version += 1
        self._gate = self._free = self._total = None

    def _forget(self) -> None:
        assert not self._settled, "the events are forgotten"
        self._book = None
        self._years.clear()
        self._sold.clear()
