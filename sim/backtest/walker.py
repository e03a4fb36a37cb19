"""One walk through a history: the house that walks, its course, and what is left at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from msgspec import Struct

from shared.config import Config
from shared.orders import Filled
from shared.units import Ns, Pair, Sats
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, Deal
from sim.backtest.packed import Packed
from sim.backtest.parts import Path, Terms
from sim.backtest.walk import Walk
from strategy.ledger.lots import Lot

Row = Bar | Deal


class Begin(Struct, frozen=True):
    """What a walk begins with. path: of the bars; "" for trades. wall, price: of the first row."""

    path: Path | str
    config: Config
    terms: Terms
    interval: int
    wall: Ns
    price: int


class Ended(Struct, frozen=True):
    """A house at the end of its history. config: as it was adapted to the data's grain.

    coins, free: Sats; money: units; opening: the purchases of before. resting: open orders.
    """

    pair: Pair
    config: Config
    digest: str
    coins: int
    money: int
    opening: tuple[Filled, ...]
    opening_coins: int
    opening_money: int
    lots: Packed[Lot]
    free: Sats
    days_until_locked: int | None
    counters: dict[str, int]
    halted: str
    resting: int


class Run(Struct, frozen=True):
    """What came of one walk. path: of the bars; "" for trades."""

    path: str
    ended: Ended
    course: Course


class Walker(Protocol):
    """A walk, wherever it goes on."""

    def feed(self, rows: Sequence[Row]) -> None: ...

    def end(self) -> Run:
        """Once, after the last row."""
        ...

    def close(self) -> None: ...


class Here:
    """A walk in this process."""

    def __init__(self, begin: Begin) -> None:
        self._path = begin.path
        self._course = Course()
        self._house = House(
            begin.config, begin.terms, begin.wall, begin.price, begin.interval, self._course
        )
        self._walk = Walk(self._house)

    def feed(self, rows: Sequence[Row]) -> None:
        if self._path:
            self._walk.bars(cast(Sequence[Bar], rows), cast(Path, self._path))
        else:
            self._walk.deals(cast(Sequence[Deal], rows))

    def end(self) -> Run:
        self._walk.finish()
        self._course.close()
        return Run(self._path, _ended(self._house), self._course)

    def close(self) -> None:
        """Nothing is held."""


def _ended(house: House) -> Ended:
    memory = house.core.memory
    return Ended(
        house.pair,
        house.config,
        house.digest,
        house.venue.coins,
        house.venue.money,
        house.venue.opening,
        house.venue.opening_coins,
        house.venue.opening_money,
        Packed(Lot, memory.lots.each_open()),
        memory.free(),
        memory.taxes.lasts,
        dict(memory.counters),
        memory.halt,
        len(house.venue.exchange.open),
    )
