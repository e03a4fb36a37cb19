"""A market made to exercise, not to please: few ticks a second, many fills a minute, and shocks.

Rule 1: what it says is a function of its seed, of market time and of the shocks it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.units import Pair
from sim.sources import Dice, Hit, Quote, Tick

_BLOCK: Final = 8
"""Ticks that are made ahead; a shock is felt after them at the latest."""

_PULL: Final = 0.02
"""Part of the way back to the start price that each tick takes."""


class Lively:
    """A random walk that is pulled back to where it began, with trades at the touch.

    step_ns: between two quotes. jump: the usual move between them, a ratio.
    """

    def __init__(self, pair: Pair, seed: int, start: float, step_ns: int, jump: float) -> None:
        self._dice = Dice(seed, 1)
        self._start = start * float(10**pair.price_decimals)
        self._scale = int(10 ** (pair.price_decimals + pair.qty_decimals))
        self._price = self._start
        self._step = step_ns
        self._jump = jump
        self._at = 0
        self._pending: list[Tick] = []
        self._index = 0
        self._still_until = 0
        self._make()

    def shock(self, ratio: float) -> None:
        """The price leaps by this ratio with the next ticks, and is pulled back from there."""
        self._price *= 1.0 + ratio

    def stand_still(self, until: int) -> None:
        """Nothing happens until this market time."""
        self._still_until = until

    def seek(self, position: int) -> None:
        """The market is made as it goes: there is nothing before its beginning."""

    def next_at(self) -> int:
        return self._pending[self._index].at

    def until(self, position: int) -> Iterator[Tick]:
        while (tick := self._pending[self._index]).at <= position:
            self._index += 1
            if self._index == len(self._pending):
                self._make()
            yield tick

    def opening(self) -> Quote:
        return Quote(0, int(self._start), int(self._start) + 1)

    def history(self, seconds: int) -> Iterator[Hit]:
        return iter(())

    def _make(self) -> None:
        dice = self._dice
        ticks: list[Tick] = []
        for _ in range(_BLOCK):
            self._at = max(self._at + self._step, self._still_until)
            moment = self._at + dice.below(self._step // 2)
            drawn = dice.unit() + dice.unit() + dice.unit() - 1.5
            self._price *= 1.0 + drawn * 2.0 * self._jump
            self._price += (self._start - self._price) * _PULL
            bid = max(1, int(self._price))
            ask = bid + 1 + dice.below(4)
            ticks.append(Quote(moment, bid, ask))
            if dice.below(100) < 40:
                buys = dice.below(2) == 1
                worth = 20 + dice.below(4_000)
                qty = max(1_000, worth * self._scale // bid)
                side, price = ("buy", ask) if buys else ("sell", bid)
                ticks.append(Hit(moment, side, price, qty, "market"))
        self._pending, self._index = ticks, 0
