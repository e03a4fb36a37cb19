"""How often and with what number the strategy calls: nonces, REST's counter, connections.

Rule 1: nothing of the strategy's own memory is read; only its mail and its letters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from shared.units import MINUTE, SECOND, Ns
from sim.world import World
from strategy.session import mail
from strategy.trader import In, Out

KEPT_WITHIN: Final = Ns(65 * SECOND)
"""So long before a life's last step but one (the last may have died before its commit), its nonce
of then is in the ledger."""

YOUNG: Final = Ns(60 * SECOND)
"""A life that does not know yet what its forerunner has used of REST's counter."""

REFUSED: Final = b'{"error":["EAPI:Rate limit exceeded"'
MOST_REFUSED: Final = 3
MOST_LINES: Final = 61
LINES_WITHIN: Final = Ns(10 * MINUTE)


class Paces:
    """Watches the steps of one World's strategy."""

    def __init__(self, world: World, fail: Callable[[str, str], None]) -> None:
        self._world = world
        self._fail = fail
        self._lives = 0
        self._stepped_at = self._whole_at = Ns(0)
        self._nonces: deque[tuple[Ns, int]] = deque()  # of this life
        self._least = 0  # a nonce that the ledger must remember, or a higher one
        self._refused: deque[Ns] = deque()
        self._lines: deque[Ns] = deque()

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """Look at the calls of a step, and at what REST says of the pace."""
        if self._world.lives != self._lives:
            self._begin_life()
        for item in inbox:
            if type(item) is mail.RestDone and item.body.startswith(REFUSED):
                self._check_refused(now)
        for each in out:
            if type(each) is mail.RestCall:
                self._check_nonce(now, each.request.body)
            elif type(each) is mail.OpenLine:
                self._check_lines(now)
        self._whole_at, self._stepped_at = self._stepped_at, now

    def _begin_life(self) -> None:
        self._lives = self._world.lives
        kept = [number for at, number in self._nonces if at < self._whole_at - KEPT_WITHIN]
        self._least = max([self._least, *kept])
        self._nonces.clear()
        self._refused.clear()
        self._lines.clear()

    def _check_refused(self, now: Ns) -> None:
        """I13: what is urgent goes by REST whatever its counter says; the rest waits for it."""
        if now - self._world.born_at < YOUNG:
            return
        self._refused.append(now)
        while self._refused[0] <= now - MINUTE:
            self._refused.popleft()
        if len(self._refused) > MOST_REFUSED:
            self._fail("I13", f"REST refused {len(self._refused)} times in a minute for our pace")

    def _check_nonce(self, now: Ns, body: bytes) -> None:
        if not body.startswith(b"nonce="):
            return
        number = int(body[6:].partition(b"&")[0])
        last = self._nonces[-1][1] if self._nonces else self._least
        if number <= last:
            self._fail("F64", f"nonce {number} after {last}")
        self._nonces.append((now, number))

    def _check_lines(self, now: Ns) -> None:
        self._lines.append(now)
        while self._lines[0] <= now - LINES_WITHIN:
            self._lines.popleft()
        if len(self._lines) > MOST_LINES:
            self._fail("I24", f"{len(self._lines)} connections within ten minutes")
