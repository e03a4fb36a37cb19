"""The strategy whole: its private session and its core as one Machine.

The session hears the line and tells the core; the core decides; the session says it to the line.
Live, on paper, in the simulator and in a replay it is this one object that runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from shared.orders import Clock, Command, Event
from shared.units import MINUTE, Ns
from strategy.core.out import In as CoreIn
from strategy.core.out import Out as CoreOut
from strategy.core.out import Stopped
from strategy.core.pipeline import Core
from strategy.ledger.entries import Entry, Imported, Remember
from strategy.session.mail import (
    Chance,
    CloseLine,
    Fatal,
    LineClosed,
    LineOpened,
    Note,
    OpenLine,
    RestCall,
    RestDone,
    RestFailed,
    SendText,
    Text,
)
from strategy.session.session import Session

NONCE_FACT: Final = "nonce"

LineMail = LineOpened | LineClosed | Text | RestDone | RestFailed | Chance
LineWork = OpenLine | CloseLine | SendText | RestCall | Note | Fatal


class Commit(Struct, frozen=True):
    """One transaction of the ledger. What stands behind it in the outbox waits for it."""

    entries: tuple[Entry | Imported, ...]


In = LineMail | CoreIn
Out = Commit | LineWork | CoreOut


class Recorder(Protocol):
    """Who keeps the journal: told what the core is told, before it is told; then what it did."""

    def told(self, now: Ns, inbox: Sequence[CoreIn]) -> None: ...

    def did(self, now: Ns, outbox: Sequence[CoreOut]) -> None: ...


class Trader:
    """Session and core. `step` hands out, in this order: the commit, the letters, the reports."""

    def __init__(self, core: Core, session: Session, recorder: Recorder | None = None) -> None:
        self.core = core
        self.session = session
        self._recorder = recorder
        self._unheard: list[Event] = []
        self._nonce_kept = session.nonce
        self._keep_nonce_at = Ns(core.memory.now + MINUTE)

    def step(self, now: Ns, inbox: Sequence[In]) -> list[Out]:
        mail = [item for item in inbox if isinstance(item, LineMail | Clock)]
        told: list[CoreIn] = [item for item in inbox if not isinstance(item, LineMail)]
        events, work = _part(self.session.step(now, mail))
        told += [*self._unheard, *events]
        self._unheard = []
        if self._recorder is not None:
            self._recorder.told(now, told)
        decided = self.core.step(now, told)
        if self._recorder is not None:
            self._recorder.did(now, decided)
        entries = tuple(item for item in decided if isinstance(item, Entry | Imported))
        entries += self._nonce_fact(now, any(isinstance(item, Stopped) for item in decided))
        commands = [item for item in decided if isinstance(item, Command)]
        others = [item for item in decided if not isinstance(item, Entry | Imported | Command)]
        if commands:
            # What the session answers at once (a command it cannot send) is heard next step.
            self._unheard, more = _part(self.session.step(now, commands))
            work += more
        out: list[Out] = [Commit(entries)] if entries else []
        return [*out, *work, *others]

    def _nonce_fact(self, now: Ns, ending: bool) -> tuple[Entry, ...]:
        """The key's last nonce, each minute and at the end: a wall clock set back must not cost
        the next life its first calls."""
        last = self.session.nonce
        if last == self._nonce_kept or (now < self._keep_nonce_at and not ending):
            return ()
        self._nonce_kept, self._keep_nonce_at = last, Ns(now + MINUTE)
        return (Remember(NONCE_FACT, str(last)),)

    def wake_at(self) -> Ns:
        if self._unheard:
            return self.core.memory.now
        return min(self.core.wake_at(), self.session.wake_at())


def _part(outbox: Sequence[object]) -> tuple[list[Event], list[LineWork]]:
    """The session's outbox: what the core shall hear, and what the shell shall do."""
    events: list[Event] = []
    work: list[LineWork] = []
    for item in outbox:
        if isinstance(item, LineWork):
            work.append(item)
        else:
            assert isinstance(item, Event), item
            events.append(item)
    return events, work
