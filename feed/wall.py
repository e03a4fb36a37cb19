"""The exchange's clock, as far as the timestamps of one line tell it."""

from __future__ import annotations

from typing import Final

from shared.units import MINUTE, Ns

FUTURE_JUMP: Final = MINUTE
"""The exchange's clock does not leap; a timestamp that says so is not believed."""


class Wall:
    """Learned anew on each line: `forget` where one opens."""

    def __init__(self) -> None:
        self._skew: int | None = None  # the exchange's clock less ours

    def forget(self) -> None:
        self._skew = None

    def at(self, now: Ns) -> Ns:
        """The exchange's clock now, ns since 1970; 0 while nothing is known of it."""
        return Ns(0) if self._skew is None else Ns(now + self._skew)

    def learn(self, wall: Ns, at: Ns) -> None:
        """The message that was under way for the shortest time tells the clock best."""
        if wall and (self._skew is None or 0 < wall - at - self._skew < FUTURE_JUMP):
            self._skew = wall - at
