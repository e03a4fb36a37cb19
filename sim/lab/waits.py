"""What must be waited for before an order leaves: told from the strategy's mail alone.

After each doubt (a new life, a line that came up or was lost) a list of open orders that was asked
for later; after a refusal for the pace, the counter's decay; while the clock is off, that it is
right again.
"""

from __future__ import annotations

from typing import Final

from shared.units import SECOND, Ns
from sim.lab.faults import LIMITS
from strategy.session import mail

CLOCK_OFF: Final = Ns(SECOND * 11 // 5)
"""By more than a second the clock is too far off to trade by; an answer that took two seconds
measures it to one."""

ROUND_TRIP: Final = Ns(2 * SECOND)
COUNTER_FALLS: Final = Ns(5 * SECOND)
"""A full counter is above what we may use for twice as long in each tier."""

LISTED: Final = b'{"error":[]'
SNAPSHOTS: Final = (b'{"channel":"executions","type":"s', b'{"channel":"balances","type":"s')

Objection = tuple[str, str]
"""The check, and what is wrong."""


class Waits:
    """One strategy's reasons to wait; `begin` with each of its lives."""

    def __init__(self) -> None:
        self.begin(Ns(0))

    def begin(self, now: Ns) -> None:
        self._doubt, self._why = self._before = now, "this life began"
        self._listed = Ns(-1)  # when the newest list that was answered had been asked for
        self._asked: dict[int, Ns] = {}  # questions for a list, by job
        self._snapshots: dict[bytes, int] = {}  # the line on which each was heard
        self._up = 0  # the line that is up
        self._limited = Ns(-(10**18))
        self._skewed = 0  # the clock's error as it was when an answer told it
        self._skew, self._skew_since = 0, now

    def clock(self, skew: int, now: Ns) -> None:
        """The strategy's clock less the exchange's."""
        if skew != self._skew:
            self._skew, self._skew_since, self._skewed = skew, now, 0

    def hear(self, item: object, now: Ns) -> None:
        """A word of the lines or of REST."""
        match item:
            case mail.Text(line, text) if text.startswith(SNAPSHOTS):
                self._snapshots[text[:30]] = line
                if list(self._snapshots.values()) == [line, line] and line != self._up:
                    self._up, self._before = line, (self._doubt, self._why)
                    self._doubt, self._why = now, "the line came up"
            case mail.LineClosed(line):
                self.closed(line, now)
            case mail.RestDone(job, _, body):
                asked_at = self._asked.pop(job, None)
                if asked_at is not None and body[:14].replace(b" ", b"").startswith(LISTED):
                    self._listed = max(self._listed, asked_at)
            case _:
                pass

    def closed(self, line: int, now: Ns) -> None:
        """The line is over; what it said last may not have been listened to any more."""
        self._limited = Ns(-(10**18))
        if line != self._up:
            return
        self._up = 0
        never_up = self._doubt == now
        self._doubt, self._why = self._before if never_up else (now, "the line was lost")

    def asked(self, job: int, path: str, now: Ns) -> None:
        if path.endswith("/OpenOrders"):
            self._asked[job] = now

    def armed(self, sent_at: Ns, now: Ns) -> None:
        """The line answers a request to arm: its moments tell how far the clock is off."""
        if sent_at > self._skew_since and now - sent_at <= ROUND_TRIP:
            self._skewed = self._skew

    def refused(self, error: str, now: Ns) -> None:
        """An add or an amend was."""
        if error.startswith(LIMITS):
            self._limited = now

    def objection(self, now: Ns, *, leaving: bool) -> Objection | None:
        """Why no add and no amend may leave. leaving: an exit, which a held house sends at once."""
        if self._listed < self._doubt:
            return "sync", f"an order leaves before a list was heard, after {self._why}"
        if now - self._limited < COUNTER_FALLS:
            since = (now - self._limited) / SECOND
            return "F66", f"an order leaves {since:.1f} s after the exchange refused for our pace"
        if abs(self._skewed) > CLOCK_OFF and not leaving:
            return "F42", f"an order leaves although our clock is {self._skewed / SECOND:.1f} s off"
        return None
