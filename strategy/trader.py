"""The strategy whole: its private session and its core as one Machine.

The session hears the line and tells the core; the core decides; the session says it to the line.
Live, on paper, in the simulator and in a replay it is this one object that runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, get_args

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

# A Union is slow to ask, and each item of each step is asked: these are its classes.
_LINE_MAIL: Final = frozenset(get_args(LineMail))
_SESSION_MAIL: Final = _LINE_MAIL | {Clock}
_LINE_WORK: Final = frozenset(get_args(LineWork))
_EVENTS: Final = frozenset(get_args(Event))
_ENTRIES: Final = frozenset(get_args(Entry | Imported))
_COMMANDS: Final = frozenset(get_args(Command))


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
        mail: list[Any] = [item for item in inbox if type(item) in _SESSION_MAIL]
        told: list[Any] = [item for item in inbox if type(item) not in _LINE_MAIL]
        events, work = _part(self.session.step(now, mail))
        told += [*self._unheard, *events]
        self._unheard = []
        if self._recorder is not None:
            self._recorder.told(now, told)
        decided = self.core.step(now, told)
        if self._recorder is not None:
            self._recorder.did(now, decided)
        entries: list[Any] = []
        commands: list[Any] = []
        others: list[Any] = []
        for item in decided:
            kind = type(item)
            into = entries if kind in _ENTRIES else commands if kind in _COMMANDS else others
            into.append(item)
        entries += self._nonce_fact(now, any(isinstance(item, Stopped) for item in others))
        if commands:
            # What the session answers at once (a command it cannot send) is heard next step.
            self._unheard, more = _part(self.session.step(now, commands))
            work += more
        out: list[Out] = [Commit(tuple(entries))] if entries else []
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
    events: list[Any] = []
    work: list[Any] = []
    for item in outbox:
        kind = type(item)
        if kind in _LINE_WORK:
            work.append(item)
        else:
            assert kind in _EVENTS, item
            events.append(item)
    return events, work
