"""The exchange's counters: trading per pair with age penalties, REST per key."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.units import SECOND

# Kraken, spot rate limits: (younger than seconds, extra cost).
AMEND_PENALTY: Final = ((5, 3), (10, 2), (15, 1))
CANCEL_PENALTY: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))


def penalty(table: tuple[tuple[int, int], ...], age_ns: int) -> int:
    """The extra cost of touching an order of this age."""
    for limit, cost in table:
        if age_ns < limit * SECOND:
            return cost
    return 0


class Counter(Struct):
    """A number that actions raise and time lowers, never below 0."""

    decay: float  # per second
    value: float = 0.0
    at: int = 0  # ns of the last look

    def look(self, now: int) -> float:
        """The value at a moment; a clock that went back decays nothing."""
        if now > self.at:
            self.value = max(0.0, self.value - (now - self.at) / SECOND * self.decay)
        self.at = now
        return self.value

    def charge(self, cost: float, now: int) -> float:
        """Add a cost and say what the value is now."""
        self.look(now)
        self.value += cost
        return self.value
