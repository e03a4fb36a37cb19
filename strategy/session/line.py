"""One connection from its token to its end, and when the next one may be tried.

Rule 1: a line is used once: new token, new request ids, new sequences for each.
Rule 2: `Reconnect` bounds the attempts of any ten minutes, whatever went wrong.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.orders import Balances, Event, RestingOrder
from shared.units import MINUTE, SECOND, Ns
from strategy.session.desk import NEVER

WAITS: Final = tuple(Ns(seconds * SECOND) for seconds in (0, 1, 2, 5, 10, 30))
"""Kraken v2, connection: at once after a random drop, then longer each time."""

MAINTENANCE_WAIT: Final = Ns(5 * SECOND)
ATTEMPTS: Final = 60
ATTEMPTS_WINDOW: Final = Ns(10 * MINUTE)
STABLE: Final = Ns(MINUTE)
"""A line that was up this long ended by chance: the next attempt need not wait."""

OPENING_LIMIT: Final = Ns(10 * SECOND)
MOST_PENDING: Final = 500
PENDING_LIFE: Final = Ns(2 * MINUTE)
MOST_HELD: Final = 5_000


class Reconnect(Struct, frozen=True):
    """failures: in a row. attempts: boot times of those within the window, oldest first."""

    failures: int = 0
    attempts: tuple[Ns, ...] = ()

    def tried(self, now: Ns) -> Reconnect:
        recent = (at for at in self.attempts if at > now - ATTEMPTS_WINDOW)
        return replace(self, attempts=(*recent, now)[-ATTEMPTS:])

    def lost(self, now: Ns, up_since: Ns | None) -> Reconnect:
        stable = up_since is not None and now - up_since >= STABLE
        return replace(self, failures=0 if stable else self.failures + 1)

    def next_at(self, now: Ns, chance: float, maintenance: bool) -> Ns:
        """When to try next; `chance` in [0, 1) adds up to half of the wait."""
        wait = WAITS[min(self.failures, len(WAITS) - 1)]
        at = now + wait + int(wait * chance / 2)
        if maintenance:
            at = max(at, now + MAINTENANCE_WAIT)
        if len(self.attempts) == ATTEMPTS:
            at = max(at, self.attempts[0] + ATTEMPTS_WINDOW)
        return Ns(at)


class Phase(enum.Enum):
    DOWN = "down"  # waiting for the next attempt
    TOKEN = "token"  # asked REST for one
    OPENING = "opening"
    GREETING = "greeting"  # open; the status frame is owed
    SUBSCRIBING = "subscribing"  # both snapshots are owed
    UP = "up"


LISTENING: Final = (Phase.GREETING, Phase.SUBSCRIBING, Phase.UP)
_OWING: Final = (Phase.GREETING, Phase.SUBSCRIBING)


class Pending(Struct, frozen=True):
    """A request whose ack is owed. sent_wall: for measuring the skew."""

    method: str  # of the wire
    sent_at: Ns
    sent_wall: Ns
    cl_ord_id: str = ""
    timeout_s: int = 0


class Line:
    """What is known of one connection."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.phase = Phase.DOWN
        self.token = ""
        self.phase_since = Ns(0)
        self.heard_at = Ns(0)
        self.up_since: Ns | None = None
        self.pinged = False
        self.held: list[Event] = []
        self.resting: tuple[RestingOrder, ...] | None = None
        self.balances: Balances | None = None
        self.wallets: dict[tuple[str, str, str], Decimal] = {}
        self.threshold = 0
        self._pending: dict[int, Pending] = {}
        self._last_req_id = 0
        self._sequences: dict[str, int] = {}
        self._snapshots: dict[str, bool] = {}

    def enter(self, phase: Phase, now: Ns) -> None:
        self.phase, self.phase_since, self.heard_at = phase, now, now

    def late(self, now: Ns, silence: Ns, snapshot: Ns) -> str:
        """What this line owes for too long, in words; "" for nothing."""
        if self.phase is Phase.OPENING and now >= self.phase_since + OPENING_LIMIT:
            return "no connection in time"
        if self.phase in LISTENING and now >= self.heard_at + silence:
            return "nothing heard"
        if self.phase in _OWING and now >= self.phase_since + snapshot:
            owed = "status" if self.phase is Phase.GREETING else "snapshots"
            return f"no {owed} in time"
        return ""

    def falls_silent(self, now: Ns, silence: Ns) -> bool:
        """Whether half of the silence it is allowed is over, and it was not asked yet."""
        up = self.phase is Phase.UP
        return up and not self.pinged and now >= self.heard_at + silence // 2

    def wake_at(self, silence: Ns, snapshot: Ns) -> Ns:
        """When `late` or `falls_silent` may first say another thing, if nothing is heard."""
        match self.phase:
            case Phase.OPENING:
                return Ns(self.phase_since + OPENING_LIMIT)
            case Phase.GREETING | Phase.SUBSCRIBING:
                return Ns(min(self.phase_since + snapshot, self.heard_at + silence))
            case Phase.UP:
                return Ns(self.heard_at + (silence if self.pinged else silence // 2))
            case Phase.DOWN | Phase.TOKEN:
                return NEVER

    def ask(self, pending: Pending) -> int:
        """A new request id, counted per connection. The oldest are forgotten beyond the limit."""
        self._last_req_id += 1
        self._pending[self._last_req_id] = pending
        if len(self._pending) > MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        return self._last_req_id

    def answered(self, req_id: int) -> Pending | None:
        return self._pending.pop(req_id, None)

    def forget_unanswered(self, now: Ns) -> list[Pending]:
        """What nobody answers any more. Acks come in seconds; the core gave these up long ago."""
        if not self._pending:
            return []
        old = [k for k, each in self._pending.items() if each.sent_at + PENDING_LIFE <= now]
        return [self._pending.pop(key) for key in old]

    def follow(self, channel: str, snapshot: bool, sequence: int | None) -> str:
        """Take note of a message of a subscription; what is wrong with it, "" for nothing.

        Kraken v2, executions: the snapshot comes first and once, each message counts one up.
        """
        first = channel not in self._snapshots
        if snapshot != first:
            return "a second snapshot" if snapshot else "an update before the snapshot"
        self._snapshots[channel] = True
        if sequence is None:
            return ""
        last = self._sequences.get(channel)
        self._sequences[channel] = sequence
        if last is not None and sequence != last + 1:
            return f"sequence {sequence} after {last}"
        return ""
