"""The lots of one coin: who was bought first is sold first, and what each piece cost.

Rule 1: one queue for an account and a coin; BTC/EUR and BTC/USD share it (BMF 2025, Rn. 61 f.).
Rule 2: the order is that of the trades: time, then trade number, then exec_id. The lots follow
from the *set* of fills: in whatever order those arrive, and however often, the result is the same.
Rule 3: a sale consumes only what was bought before it. What it sells beyond that is said to be
unknown, at cost 0 and taxable; a cost basis is never invented.
Rule 4: the pieces of a sum always add up to it (cumulative rounding, at 10⁻¹²).

The coins ever bought lie end to end on a line, in the order of their trades. Sales eat that line
from its beginning, so one number, how far they got, says what is left of every lot; to book a
late fill, the later trades are taken back and booked again.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.orders import Filled
from shared.units import Ns, Sats, Side
from strategy.ledger.tax import free_from_wall, is_taxable
from strategy.ledger.trade import EXACT, UNKNOWN, Trade, coin_of, fingerprint, trade_of

MONEY_DECIMALS: Final = 12

_NOTHING: Final = Decimal(0)


class Lot(Struct, frozen=True):
    """One purchase. cost: what all of `qty` cost, fee included; cost_left: of that, for `left`."""

    exec_id: str
    wall: Ns
    trade_id: int
    pair: str
    currency: str
    qty: Sats
    left: Sats
    cost: Decimal
    cost_left: Decimal


class Part(Struct, frozen=True):
    """The piece of one lot that one sale consumed; money in the currency its name says.

    lot: the purchase's exec_id, or UNKNOWN. The gain is proceeds - cost - fee, once each is in EUR
    at the rate of its own day; `fee` are the Werbungskosten. of_fee: these coins did not go to a
    buyer but were kept by the exchange as its fee, which is a disposal of its own.
    """

    lot: str
    bought_wall: Ns
    qty: Sats
    cost: Decimal
    cost_currency: str
    proceeds: Decimal
    fee: Decimal
    currency: str
    taxable: bool
    of_fee: bool


class Acquisition(Struct, frozen=True, tag=True):
    """A purchase was booked. rederived: it came late, later trades were booked anew."""

    lot: Lot
    rederived: bool


class Disposal(Struct, frozen=True, tag=True):
    """A sale was booked. unknown_qty: coins sold of which no purchase is known: tell somebody."""

    exec_id: str
    parts: tuple[Part, ...]
    unknown_qty: Sats
    rederived: bool


class Entered(Struct, frozen=True, gc=False):
    """A fill was booked as this trade. place: among all trades; the others as of `Disposal`."""

    trade: Trade
    place: int
    unknown_qty: Sats
    rederived: bool


class Reason(enum.StrEnum):
    KNOWN = "known"  # booked before: nothing to do
    CONFLICT = "conflict"  # booked before with other values: tell somebody
    OTHER_COIN = "other_coin"  # not a trade for this coin
    FAULTY = "faulty"  # no values that could be booked: tell somebody


class Ignored(Struct, frozen=True, tag=True):
    """The fill changes no lot of this coin."""

    exec_id: str
    reason: Reason


Booking = Acquisition | Disposal | Ignored


class Lots:
    """The queue of one coin. Bounded by the number of fills; each is a few hundred bytes."""

    def __init__(self, coin: str = "BTC") -> None:
        self.coin = coin
        self._trades: list[Trade] = []  # by key
        self._known: dict[str, Trade] = {}
        self._buys: list[Trade] = []  # by key, each a stretch of the line
        self._ends: list[int] = []  # where each stretch ends
        self._eaten: list[int] = []  # by trade: how far the sales had got *before* it
        self._gone = 0  # how far they have got
        self._digest = 0  # but for what has come or gone since it was asked for
        self._undigested: list[Trade] = []
        self._safety_days = 0
        self._free_from: list[Ns] = []  # by purchase, as far as somebody asked
        self._settled = False

    @classmethod
    def of(cls, coin: str, trades: Iterable[Trade]) -> Lots:
        """The lots that follow from these trades, each named once, in any order."""
        lots = cls(coin)
        for trade in sorted(trades):
            lots._append(trade)
        return lots

    # Booking.

    def book(self, fill: Filled) -> Booking:
        """Book one fill and say what it did. Booked twice is booked once."""
        entered = self.enter(fill)
        if isinstance(entered, Ignored):
            return entered
        return self._booking(entered.place, rederived=entered.rederived)

    def enter(self, fill: Filled) -> Entered | Ignored:
        """Book one fill, and leave unsaid which lots it took or made: that costs more than it."""
        if coin_of(fill.pair) != self.coin:
            return Ignored(fill.exec_id, Reason.OTHER_COIN)
        trade = trade_of(fill)
        if trade is None:
            return Ignored(fill.exec_id, Reason.FAULTY)
        known = self._known.get(trade.exec_id)
        if known is not None:
            same = (known.pair, known.side, known.qty) == (trade.pair, trade.side, trade.qty)
            return Ignored(fill.exec_id, Reason.KNOWN if same else Reason.CONFLICT)
        later = self._take_back_to(trade)
        self._append(trade)
        place, gone = len(self._trades) - 1, self._gone
        for again in later:
            self._append(again)
        unknown = 0
        if trade.side is not Side.BUY:
            unknown = trade.moved - (gone - self._eaten[place])
        return Entered(trade, place, Sats(unknown), bool(later))

    def has(self, exec_id: str) -> bool:
        return exec_id in self._known

    def settle(self) -> None:
        """Forget what only a fill told late would ask for: the open lots stay, and the digest.

        For a backtest, which tells every fill in its order; one that is not fails an assertion.
        """
        self.digest()
        self._settled = True
        self._known = {trade.exec_id: trade for trade in self._trades[-1:]}
        del self._trades[:-1], self._eaten[:-1]
        # The last purchase of all stays too: its end says how much was ever bought.
        sold = max(0, min(bisect_right(self._ends, self._gone), len(self._buys) - 1))
        del self._buys[:sold], self._ends[:sold], self._free_from[:sold]

    def _append(self, trade: Trade) -> None:
        """Book the newest trade of all."""
        self._eaten.append(self._gone)
        self._trades.append(trade)
        self._known[trade.exec_id] = trade
        self._undigested.append(trade)
        if trade.side is Side.BUY:
            self._buys.append(trade)
            self._ends.append(self._bought + trade.moved)
        else:
            self._gone = min(self._gone + trade.moved, self._bought)

    def _take_back_to(self, trade: Trade) -> list[Trade]:
        """Take back all that is later than `trade`, to be booked again; oldest first."""
        if not self._trades or self._trades[-1] < trade:
            return []
        place = bisect_right(self._trades, trade)
        assert place or not self._settled, f"{trade.exec_id} is told late"
        later = self._trades[place:]
        if not later:
            return later
        self._gone = self._eaten[place]
        buys = sum(each.side is Side.BUY for each in later)
        for column in (self._trades, self._eaten):
            del column[place:]
        for column in (self._buys, self._ends):
            del column[len(column) - buys :]
        del self._free_from[len(self._buys) :]
        self._undigested += later
        return later

    # Looking.

    def total(self) -> Sats:
        """Coins held, as far as the book knows."""
        return Sats(self._bought - self._gone)

    def open_lots(self) -> tuple[Lot, ...]:
        """What is left of the queue, first to be sold first."""
        return tuple(self.each_open())

    def each_open(self) -> Iterator[Lot]:
        """The open lots one by one, for queues that are long."""
        first = bisect_right(self._ends, self._gone)
        return (self._lot(index) for index in range(first, len(self._buys)))

    def free_prefix(self, now_wall: Ns, safety_days: int) -> Sats:
        """Coins that may be sold now free of tax: from the front up to the first locked lot.

        A free lot behind a locked one cannot exist: the queue is sorted by time of purchase.
        """
        free = self._free_lots(now_wall, safety_days)
        return Sats(max(0, self._ends[free - 1] - self._gone)) if free else Sats(0)

    def next_free_wall(self, now_wall: Ns, safety_days: int) -> Ns | None:
        """When the first locked lot becomes free; None if all that is held is free."""
        free = self._free_lots(now_wall, safety_days)
        locked = max(free, bisect_right(self._ends, self._gone))
        return self._free_from[locked] if locked < len(self._buys) else None

    def disposals_after(self, exec_id: str) -> Iterator[Disposal]:
        """All sales later than this trade as they are booked now, oldest first."""
        start = bisect_right(self._trades, self._known[exec_id])
        for index in range(start, len(self._trades)):
            booking = self._booking(index, rederived=True)
            if isinstance(booking, Disposal):
                yield booking

    def bookings(self) -> Iterator[Acquisition | Disposal]:
        """Every trade as it is booked now, oldest first; a lot is shown whole."""
        for index in range(len(self._trades)):
            yield self._booking(index, rederived=False)

    def trades(self) -> tuple[Trade, ...]:
        """All that the lots follow from, oldest first: `Lots.of(coin, trades)` is this again."""
        return tuple(self._trades)

    def digest(self) -> str:
        """Names the set of trades booked, and so the lots."""
        for trade in self._undigested:
            self._digest ^= fingerprint(trade)  # what came and went again leaves no trace
        self._undigested.clear()
        return f"{self._digest:064x}"

    @property
    def _bought(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _free_lots(self, now_wall: Ns, safety_days: int) -> int:
        """How many lots, sold ones included, are free by now: they stand first."""
        if safety_days != self._safety_days:
            self._safety_days = safety_days
            self._free_from.clear()
        for buy in self._buys[len(self._free_from) :]:
            self._free_from.append(free_from_wall(buy.wall, safety_days))
        return bisect_right(self._free_from, now_wall)

    def _lot(self, index: int) -> Lot:
        buy = self._buys[index]
        left = min(buy.moved, self._ends[index] - self._gone)
        cost = self._cost(index)
        gone_cost = share(cost, buy.moved - left, buy.moved)
        return Lot(
            exec_id=buy.exec_id,
            wall=buy.wall,
            trade_id=buy.trade_id,
            pair=buy.pair,
            currency=buy.currency,
            qty=buy.moved,
            left=Sats(left),
            cost=cost,
            cost_left=EXACT.subtract(cost, gone_cost),
        )

    def _booking(self, index: int, *, rederived: bool) -> Acquisition | Disposal:
        trade = self._trades[index]
        if trade.side is Side.BUY:
            place = bisect_right(self._buys, trade) - 1
            cost = self._cost(place)
            return Acquisition(
                replace(self._lot(place), left=trade.moved, cost_left=cost), rederived
            )
        start = self._eaten[index]
        end = self._eaten[index + 1] if index + 1 < len(self._eaten) else self._gone
        parts = tuple(self._parts(trade, start, end))
        return Disposal(trade.exec_id, parts, Sats(trade.moved - (end - start)), rederived)

    def _cost(self, place: int) -> Decimal:
        return EXACT.add(self._buys[place].cost, self._buys[place].fee)

    def _parts(self, sale: Trade, start: int, end: int) -> Iterator[Part]:
        """A sale that ate the line from `start` to `end`, cut at the borders of the lots.

        Coins kept as a fee are a disposal of their own at the sale's price, and the same value is
        Werbungskosten of the sale (BMF 2025, Rn. 59 f.).
        """
        fee_value = share(sale.cost, sale.fee_qty, sale.qty)
        sold = (False, start, start + sale.qty, sale.cost, EXACT.add(sale.fee, fee_value))
        kept = (True, start + sale.qty, start + sale.moved, fee_value, _NOTHING)
        for of_fee, begin, until, proceeds, fee in (sold, kept):
            whole, done = until - begin, 0
            for place, first, last in self._pieces(begin, until, end):
                to = done + last - first
                buy = None if place is None else self._buys[place]
                yield Part(
                    lot=buy.exec_id if buy else UNKNOWN,
                    bought_wall=buy.wall if buy else sale.wall,
                    qty=Sats(last - first),
                    cost=_NOTHING
                    if place is None
                    else _between(self._cost(place), first, last, self._buys[place].moved),
                    cost_currency=buy.currency if buy else sale.currency,
                    proceeds=_between(proceeds, done, to, whole),
                    fee=_between(fee, done, to, whole),
                    currency=sale.currency,
                    taxable=buy is None or is_taxable(buy.wall, sale.wall),
                    of_fee=of_fee,
                )
                done = to

    def _pieces(self, begin: int, until: int, end: int) -> Iterator[tuple[int | None, int, int]]:
        """(lot, first, last) of each lot within a stretch; what lies beyond `end` has no lot."""
        place = bisect_right(self._ends, begin)
        while begin < min(until, end):
            last = min(self._ends[place], until, end)
            lot_begin = self._ends[place] - self._buys[place].moved
            yield place, begin - lot_begin, last - lot_begin
            begin, place = last, place + 1
        if begin < until:
            yield None, 0, until - begin


def share(value: Decimal, part: int, whole: int) -> Decimal:
    """value * part / whole, rounded half up to 12 decimals; exact where part is the whole."""
    if part == whole:
        return value
    units = int(value.scaleb(MONEY_DECIMALS, EXACT).to_integral_value(ROUND_HALF_UP))
    return Decimal((2 * units * part + whole) // (2 * whole)).scaleb(-MONEY_DECIMALS, EXACT)


def _between(value: Decimal, first: int, last: int, whole: int) -> Decimal:
    """The share of the stretch from `first` to `last`: adjoining stretches add up to the whole."""
    return EXACT.subtract(share(value, last, whole), share(value, first, whole))
