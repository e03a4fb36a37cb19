"""The life of the line to the exchange: when to connect, when to give up, how long to wait.

Rule 1: at once after a line that was good, then ever later; a cut line meets others at the door.
Rule 2: never more than MOST_CONNECTS attempts within WITHIN, because an address that asks too often
is shut out for ten minutes, and the strategy's line has the same address.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final

from shared.units import MINUTE, SECOND, Ns

WAITS_S: Final = (0, 1, 2, 5, 10, 30)
"""Before the first, second, ... attempt after a loss; the last one for all that follow."""

GOOD_AFTER: Final = Ns(30 * SECOND)
"""A line that lived this long was good: the next loss is the first of its row."""

CONNECT_LIMIT: Final = Ns(15 * SECOND)
"""An attempt that is not answered within it has failed."""

MAINTENANCE_WAIT: Final = Ns(5 * SECOND)
"""Kraken asks for at most one attempt in five seconds during and after maintenance."""

MOST_CONNECTS: Final = 30
WITHIN: Final = Ns(10 * MINUTE)


class LineState(enum.Enum):
    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"


class Line:
    """`number` tells one attempt from the next, so that a late word of an old one is not heard."""

    def __init__(self) -> None:
        self.state = LineState.DOWN
        self.number = 0
        self.opened_at = Ns(0)
        self.due = Ns(0)  # down: when to connect; connecting: when to give up
        self._losses = 0
        self._attempts: deque[Ns] = deque(maxlen=MOST_CONNECTS)

    def connect(self, now: Ns) -> int:
        """An attempt begins; its number."""
        self.state = LineState.CONNECTING
        self.number += 1
        self.due = Ns(now + CONNECT_LIMIT)
        self._attempts.append(now)
        return self.number

    def opened(self, now: Ns) -> None:
        self.state = LineState.UP
        self.opened_at = now

    def lost(self, now: Ns, chance: float, maintenance: bool) -> None:
        """Closed, or never opened. chance: in [0, 1), takes off up to a quarter of the wait."""
        if self.state is LineState.UP and now - self.opened_at >= GOOD_AFTER:
            self._losses = 0
        wait = WAITS_S[min(self._losses, len(WAITS_S) - 1)] * SECOND
        wait -= int(wait * chance / 4)
        if maintenance:
            wait = max(wait, MAINTENANCE_WAIT)
        earliest = self._attempts[0] + WITHIN if len(self._attempts) == MOST_CONNECTS else 0
        self._losses += 1
        self.state = LineState.DOWN
        self.due = Ns(max(now + wait, earliest))
