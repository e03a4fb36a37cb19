"""The lots of one wallet and coin in the order in which they go, and sums over stretches of them.

Rule 1: by acquisition, then number, then id; what arrives late stands where its date puts it.
Rule 2: the lots lie end to end on a line, which sales eat from its beginning: what is left of any
stretch is a difference of two ends, so no question grows with the number of lots.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from decimal import Context, Decimal
from functools import reduce
from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.ledger.events import Exchanged, Origin, Units, cents_share, of_trade
from strategy.ledger.parts import Basis, Days, OpenLot, day_of
from strategy.ledger.rates import CURRENCIES, EURO, EURO_ITSELF, Looked
from strategy.ledger.tax import free_from_wall
from strategy.ledger.trade import Trade

_EXACT: Final = Context(prec=60)
_HOUR: Final = 3600 * SECOND
_MOST_GONE: Final = 256
"""Lots that are gone and kept for all that, so that dropping them costs little."""


class QueuedLot(Struct, gc=False):
    """A lot in its queue: `taken` of `qty` are gone. What is gone cost its cumulative share.

    source: where it comes from; of a purchase in euros only what was heard, until somebody asks.
    """

    wall: Ns
    seq: int
    id: str
    qty: int
    cost: int
    source: Basis | Exchanged | Trade
    taken: int = 0

    @property
    def basis(self) -> Basis:
        source = self.source
        if not isinstance(source, Basis):
            event = of_trade(source) if isinstance(source, Trade) else source
            self.source = source = bought(event, self.qty)
        return source


class Queue:
    """The lots of one account and asset: those before `head` are gone.

    gone: how far sales have eaten the line. ends: where each lot's stretch ends; they follow when
    somebody asks. ready: the place of the first lot that was locked at the wall `asked`. total,
    cost: what is left of all, and its euro cents.
    """

    __slots__ = ("asked", "cost", "ends", "gone", "head", "lots", "ready", "total")

    def __init__(self) -> None:
        self.lots: list[QueuedLot] = []
        self.ends: list[int] = []
        self.gone = 0
        self.head = 0
        self.total = 0
        self.cost = 0
        self.ready = 0
        self.asked = (0, 0)

    def put(self, lot: QueuedLot) -> None:
        self.total += lot.qty
        self.cost += lot.cost
        if self.head >= _MOST_GONE and 2 * self.head >= len(self.lots):
            self._let_go()
        lots = self.lots
        if not lots or lots[-1].wall < lot.wall or _key(lots[-1]) <= _key(lot):
            lots.append(lot)
            return
        place = bisect_right(lots, _key(lot), lo=self.head, key=_key)
        lots.insert(place, lot)
        del self.ends[place:]

    def take(self, qty: int) -> Iterator[tuple[QueuedLot | None, int, int]]:
        """(lot, units, cents) of each piece; no lot for what is not there."""
        while qty > 0 and self.head < len(self.lots):
            lot = self.lots[self.head]
            first = lot.taken
            lot.taken = min(lot.qty, first + qty)
            piece = lot.taken - first
            cost = cents_share(lot.cost, lot.taken, lot.qty) - cents_share(lot.cost, first, lot.qty)
            self.total -= piece
            self.cost -= cost
            self.gone += piece
            if lot.taken == lot.qty:
                self.head += 1
            qty -= piece
            yield lot, piece, cost
        if qty > 0:
            yield None, qty, 0

    def _let_go(self) -> None:
        """Drop the lots that are gone: nobody asks for them again."""
        del self.lots[: self.head]
        del self.ends[: self.head]
        self.ready = max(0, self.ready - self.head)
        self.head = 0

    def left(self, first: int, last: int) -> int:
        """Units left of the lots from one place to before another."""
        for lot in self.lots[len(self.ends) :]:
            begin = max(self.gone, self.ends[-1]) if self.ends else self.gone
            self.ends.append(begin + lot.qty - lot.taken)
        begin = self.ends[first - 1] if first else 0
        end = self.ends[last - 1] if last else 0
        return max(0, end - max(begin, self.gone))

    def days(self) -> Iterator[Days]:
        """The open lots by the German day of their acquisition, oldest first."""
        place = self.head
        while place < len(self.lots):
            day = day_of(self.lots[place].wall)
            after = bisect_right(self.lots, day, lo=place, key=_day)
            yield Days(day, after - place, Units(self.left(place, after)))
            place = after

    def free(self, now_wall: Ns, safety_days: int, stop: Ns) -> int:
        """Units at the front that are past their year; lots acquired from `stop` on never are.

        `ready` is kept up from call to call: most of the time there is one lot to look at.
        """

        def is_locked(lot: QueuedLot) -> bool:
            return lot.wall >= stop or free_from_wall(lot.wall, safety_days) > now_wall

        hour = now_wall // _HOUR
        if hour < self.asked[0] or safety_days != self.asked[1]:
            self.ready = self.head
        self.asked = (hour, safety_days)
        self.ready = max(self.ready, self.head)
        if self.ready < len(self.lots) and not is_locked(self.lots[self.ready]):
            # Who was acquired later comes free later: free ones stand before locked ones.
            self.ready = bisect_left(self.lots, True, lo=self.ready, key=is_locked)
        return self.left(self.head, self.ready)


def stretch(account: str, queue: Queue, place: int, qty: int) -> list[OpenLot]:
    found: list[OpenLot] = []
    while qty > 0 and place < len(queue.lots):
        found.append(opened(account, queue.lots[place]))
        qty -= found[-1].qty
        place += 1
    return found


def opened(account: str, lot: QueuedLot) -> OpenLot:
    left = lot.cost - cents_share(lot.cost, lot.taken, lot.qty)
    return OpenLot(account, lot.basis, Units(lot.qty - lot.taken), left)


def _key(lot: QueuedLot) -> tuple[int, int, str]:
    return lot.wall, lot.seq, lot.id


def _day(lot: QueuedLot) -> date:
    return day_of(lot.wall)


def bought(event: Exchanged, qty: int) -> Basis:
    """Of a purchase in euros: what it cost in them, the fees in them included."""
    fees = (amount for asset, amount in event.fees if asset == EURO)
    money = reduce(_EXACT.add, fees, event.gross)
    return basis_of(event, event.asset, qty, money, Looked(day_of(event.wall), EURO_ITSELF, False))


def basis_of(event: Exchanged, asset: str, qty: int, money: Decimal, rate: Looked) -> Basis:
    # Money that coins were sold for bears the sale's id behind its own name.
    name = f"{asset}:{event.id}" if asset in CURRENCIES else event.id
    return Basis(
        name, event.account, asset, event.wall, event.seq, Units(qty), event.currency, money, rate,
        Origin.PURCHASE, False, event.manual,
    )  # fmt: skip
