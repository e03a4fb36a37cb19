"""What could not be written down yet: kept in order, tried again, and everything waits for it.

A disk that is full, or a file that somebody holds, is no reason to die: the next life could write
no more than this one, and would know less. So
Rule 1: entries that failed stay first in line, and are committed together with the next ones.
Rule 2: while any wait, nothing leaves that could bind money (`SendText.binds`): its intent might
not be on the disk. Cancels, the switch and questions go on; the core cancels its own orders.
What the exchange never got looks to the core like a lost letter, which it knows how to resolve.
Rule 3: fills in memory are no loss: should this life end first, the history tells them again, for
the cursor that is read from waits in the same line.
Rule 4: the line is bounded. What does not fit, or a file that is broken, ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shared.backoff import Backoff
from shared.units import SECOND, Ns
from strategy.ledger.entries import Entry, Imported
from strategy.ledger.records import DiskFull, LedgerBroken, LedgerBusy

MOST_WAITING: Final = 20_000
"""Entries. With own orders cancelled only late fills and facts come: hours' worth."""


class Keeper:
    """Between the steps and the store."""

    def __init__(self, commit: Callable[[Sequence[Entry | Imported]], None]) -> None:
        """commit: durable when it returns; DiskFull or LedgerBusy where nothing was written."""
        self.why = ""
        self._commit = commit
        self._waiting: list[Entry | Imported] = []
        self._backoff = Backoff(SECOND, Ns(10 * SECOND))
        self._again_at = Ns(0)

    def keep(
        self, now: Ns, entries: Sequence[Entry | Imported] = ()
    ) -> tuple[Entry | Imported, ...]:
        """Commit these after all that wait; what was written, () where nothing could be.

        `why` says afterwards what they wait for; "" where all is written. LedgerError otherwise.
        """
        self._waiting += entries
        if not self._waiting or (self.why and now < self._again_at):
            return ()
        if len(self._waiting) > MOST_WAITING:
            raise LedgerBroken(f"{len(self._waiting)} entries wait to be written: {self.why}")
        written = tuple(self._waiting)
        try:
            self._commit(written)
        except (DiskFull, LedgerBusy) as error:
            self.why = str(error)
            self._backoff = self._backoff.failed()
            self._again_at = Ns(now + self._backoff.wait())
            return ()
        self._waiting.clear()
        self._backoff, self.why = self._backoff.calm(), ""
        return written

    def last(self, now: Ns) -> str:
        """Before the end: one more try. Why something stays unwritten, or ""."""
        self._again_at = Ns(0)
        self.keep(now)
        return self.why
