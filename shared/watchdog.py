"""A watchdog that ends a process whose loop stands still, with a traceback of every thread.

It works even while something holds the interpreter: the waiting is done by a thread of the
interpreter itself that needs no Python code, and the end is `_exit(1)`, which supervision takes for
a crash. A loop that was stopped from outside (SIGSTOP) for longer than the limit ends as well, when
it is continued: it comes back by the start-up path instead of acting on what is stale.
"""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path
from typing import TextIO

from shared.clock import perf


class Watchdog:
    """Ends the process when `pet` was not called for `limit_s` seconds of this machine."""

    def __init__(self, limit_s: float, file: TextIO, beat: Path | None = None) -> None:
        """file: where the tracebacks go; it must stay open and have a descriptor.

        beat: a file that is touched while the loop turns, for who watches from outside
        (icryptotrader/listener.py): a process that was stopped cannot end itself.
        """
        self._limit_s = limit_s
        self._beat = beat
        self._file = file
        self._quarter_ns = int(limit_s * 1e9 / 4)
        self._armed_at = 0
        self._arm()

    def pet(self) -> None:
        """Say that the loop turns. Re-arms at most each quarter of the limit: arming is dear.

        Ends the process itself where the timer should have: after a stop from outside (SIGSTOP)
        this call and the timer's thread wake at the same moment, and either may come first.
        """
        since = perf() - self._armed_at
        if since >= 5 * self._quarter_ns:
            faulthandler.dump_traceback(self._file, all_threads=True)
            os._exit(1)
        if since >= self._quarter_ns:
            self._arm()

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def _arm(self) -> None:
        self._armed_at = perf()
        if self._beat is not None:
            self._beat.touch(mode=0o600)
        # A quarter more, because the last pet may be a quarter younger than the last arming.
        limit_s = self._limit_s * 1.25
        faulthandler.dump_traceback_later(limit_s, exit=True, file=self._file)
