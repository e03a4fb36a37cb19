"""Where the market comes from: a made-up price path by seed, or a recorded tape.

Rule 1: what a source says is a function of its parameters and of market time (ns since the market
opened), so a restarted exchange goes on where it stood.
Rule 2: there is no random module here; chance is a scattered count (`Dice`), the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, Protocol

from msgspec import Struct

from shared.units import MILLISECOND, SECOND, Pair
from sim.engine.liquidity import mix

Shape = Literal["ranging", "trending", "crashing"]
SHAPES: Final = ("ranging", "trending", "crashing")


class Quote(Struct, frozen=True, gc=False):
    """The background's touch is here now. Prices in Ticks, `at` in ns of market time."""

    at: int
    bid: int
    ask: int


class Hit(Struct, frozen=True, gc=False):
    """Somebody traded: side of the taker, Ticks, Sats."""

    at: int
    side: str
    price: int
    qty: int
    order_type: str


Tick = Quote | Hit


class Source(Protocol):
    """A market's outside, told in order."""

    def seek(self, position: int) -> None:
        """Begin at this market time; what lies before is never told."""
        ...

    def next_at(self) -> int | None:
        """Market time of the next tick; None after the end of a tape."""
        ...

    def until(self, position: int) -> Iterator[Tick]:
        """The ticks up to and at this market time, each once."""
        ...

    def opening(self) -> Quote:
        """Where the touch is at the position sought, before any tick."""
        ...

    def history(self, seconds: int) -> Iterator[Hit]:
        """Trades of the time before market time 0 or the position sought, oldest first."""
        ...


class Dice:
    """Numbers scattered by a seed and a count."""

    def __init__(self, seed: int, stream: int) -> None:
        self._seed = mix(mix(seed & 0xFFFFFFFF) ^ (stream * 0x9E3779B1 & 0xFFFFFFFF))
        self._count = 0

    def below(self, limit: int) -> int:
        """An int of 0 .. limit - 1."""
        self._count += 1
        return mix(self._seed + self._count * 0x85EBCA6B & 0xFFFFFFFF) % limit

    def unit(self) -> float:
        """A float of 0.0 .. 1.0, in steps of 2⁻²⁴."""
        return self.below(1 << 24) / (1 << 24)


# The made-up market. All amplitudes are for a volatility of 2.5 (250 % a year) and scale with it.
# The swing: straight legs of 54 s between alternating highs and lows near +-54 bps. Its pace of
# 2 bps a second reads as 250 % a year when sampled each 5 s; from any start it covers 45 bps
# within 68 s, and no 60 s move exceeds 1.4 %.
USUAL_VOLATILITY: Final = 2.5
_LEG_NS: Final = 54 * SECOND
_SWING: Final = 54e-4
# Slower and faster wandering on top: (ns between its turning points, amplitude).
_DRIFTS: Final = (
    (7_200 * SECOND, 60e-4),
    (900 * SECOND, 15e-4),
    (4 * SECOND, 2e-4),
)
# The large shape, as turning points (seconds, part of the price), repeated after the last.
_SHAPES: Final[dict[str, tuple[tuple[int, float], ...]]] = {
    "ranging": ((0, 0.0), (3600, 0.0)),
    # Legs of two hours, 12 % each: 1 % in ten minutes.
    "trending": ((0, 0.0), (7200, 0.12), (14_400, 0.0)),
    # After five quiet minutes 6 % within 60 s, then a slide to -26 %, then the way back.
    "crashing": (
        *((0, 0.0), (300, 0.0), (360, -0.06), (480, -0.07), (840, -0.24)),
        *((1200, -0.26), (2100, 0.0), (2400, 0.0)),
    ),
}
_BLOCK_NS: Final = 20 * SECOND
_STEP_NS: Final = 200 * MILLISECOND
# What one trade is worth in quote currency, before a factor of 0.5 to 1.5.
_WORTH: Final = (5, 10, 20, 20, 50, 50, 100, 150, 200, 400, 600, 900, 1_500, 3_000, 8_000, 30_000)


class MadeUp:
    """A synthetic market: a bounded, swinging path with trades at the touch, by seed."""

    def __init__(
        self, pair: Pair, shape: Shape, seed: int, volatility: float, start: float
    ) -> None:
        self._seed = mix(seed & 0xFFFFFFFF)
        self._start = start * float(10**pair.price_decimals)
        self._scale = int(10 ** (pair.price_decimals + pair.qty_decimals))
        self._shape = _SHAPES[shape]
        self._volume = volatility / USUAL_VOLATILITY
        self._calm = 1.0 if shape == "ranging" else 0.6
        self._position = 0
        self._block: list[Tick] = []
        self._index = 0
        self._number = 0
        self.seek(0)

    def price(self, at: int) -> float:
        """The mid in Ticks at a market time; negative times lie before the opening."""
        swing = self._leg(at) * self._calm
        drift = sum(self._wander(at, n, every) * most for n, (every, most) in enumerate(_DRIFTS))
        large = 1.0 + self._large(at) * self._volume
        return max(2.0, self._start * large * (1.0 + (swing + drift) * self._volume))

    def seek(self, position: int) -> None:
        self._position = position
        self._number = position // _BLOCK_NS
        self._block = self._make(self._number)
        self._index = 0
        while self._block[self._index].at <= position:
            self._index += 1
            if self._index == len(self._block):
                self._turn()

    def next_at(self) -> int:
        return self._block[self._index].at

    def until(self, position: int) -> Iterator[Tick]:
        while (tick := self._block[self._index]).at <= position:
            self._index += 1
            if self._index == len(self._block):
                self._turn()
            yield tick

    def opening(self) -> Quote:
        mid = int(self.price(self._position))
        return Quote(self._position, max(1, mid), max(1, mid) + 1)

    def history(self, seconds: int) -> Iterator[Hit]:
        begin = self._position - seconds * SECOND
        for number in range(begin // _BLOCK_NS, self._position // _BLOCK_NS + 1):
            for tick in self._make(number):
                if isinstance(tick, Hit) and begin <= tick.at <= self._position:
                    yield tick

    def _turn(self) -> None:
        self._number += 1
        self._block = self._make(self._number)
        self._index = 0

    def _make(self, number: int) -> list[Tick]:
        """The ticks of one block of market time, oldest first; never empty."""
        dice = Dice(self._seed, number)
        at = number * _BLOCK_NS
        last = self.price(at)
        ticks: list[Tick] = []
        for _ in range(_BLOCK_NS // _STEP_NS):
            moment = at + dice.below(_STEP_NS)
            mid = self.price(moment)
            spread = 1 + (dice.below(max(1, int(mid * 3e-5)) + 1) if dice.below(4) == 0 else 0)
            bid = max(1, int(mid) - spread // 2)
            ticks.append(Quote(moment, bid, bid + spread))
            chance = dice.below(100)
            if chance < 26:
                buys = dice.below(100) < (68 if mid > last else 32)
                for _ in range(1 if chance < 22 else 2):
                    ticks.append(self._hit(moment, buys, bid + spread if buys else bid, dice))
            last = mid
            at += _STEP_NS
        return ticks

    def _hit(self, at: int, buys: bool, price: int, dice: Dice) -> Hit:
        worth = _WORTH[dice.below(len(_WORTH))] * (64 + dice.below(129))
        qty = max(1_000, worth * self._scale // (128 * price))
        kind = "limit" if dice.below(5) < 3 else "market"
        return Hit(at, "buy" if buys else "sell", price, qty, kind)

    def _leg(self, at: int) -> float:
        number, into = divmod(at, _LEG_NS)
        begin, end = self._turning(number), self._turning(number + 1)
        return begin + (end - begin) * (into / _LEG_NS)

    def _turning(self, number: int) -> float:
        size = 0.93 + 0.20 * (mix(self._seed ^ (number * 2654435761 & 0xFFFFFFFF)) % 1024) / 1024
        return _SWING * (size if number & 1 else -size)

    def _wander(self, at: int, layer: int, every: int) -> float:
        number, into = divmod(at, every)
        begin = self._knot(layer, number)
        return begin + (self._knot(layer, number + 1) - begin) * (into / every)

    def _knot(self, layer: int, number: int) -> float:
        salt = self._seed + 101 * (layer + 1)
        return (mix(salt ^ (number * 2246822519 & 0xFFFFFFFF)) % 2049 - 1024) / 1024

    def _large(self, at: int) -> float:
        points = self._shape
        second = at / SECOND % points[-1][0] if at > 0 else 0.0
        for (t0, x0), (t1, x1) in pairwise(points):
            if second < t1:
                return x0 + (x1 - x0) * (second - t0) / (t1 - t0)
        return points[-1][1]
