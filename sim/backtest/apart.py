"""A walk in a process of its own: the two walks of a bar know nothing of each other.

Rule 1: both are given the same rows in the same portions, so where a walk goes on changes nothing.
Rule 2: it ends when it is told to, or when whoever started it is gone; Ctrl-C is not its business.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from sim.backtest.tables import DataError
from sim.backtest.walker import Begin, Here, Row, Run

WORTH_IT: Final = 5_000
"""Rows that are kept until a process is started: less is played sooner than one is ready."""


class Apart:
    """A walk (`Walker`) that goes on beside this process once it is worth one."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._held: list[Sequence[Row]] = []
        self._other: tuple[BaseProcess, Connection] | None = None

    def feed(self, rows: Sequence[Row]) -> None:
        if self._other is None:
            self._held.append(rows)
            if sum(map(len, self._held)) < WORTH_IT:
                return
            self._other = _started(self._begin)
            held, self._held = self._held, []
        else:
            held = [rows]
        for each in held:
            # It may block: the other walk is never more than a pipe's length behind.
            self._say(each)

    def end(self) -> Run:
        """What came of it; DataError where its process was ended by somebody else."""
        if self._other is None:
            here = Here(self._begin)
            for rows in self._held:
                here.feed(rows)
            return here.end()
        self._say(None)
        found = self._hear()
        self._other[0].join()
        return found

    def close(self) -> None:
        """Let go of it, whether it has ended or not."""
        if self._other is not None:
            self._other[1].close()
            self._other[0].terminate()

    def _say(self, rows: Sequence[Row] | None) -> None:
        assert self._other is not None
        try:
            self._other[1].send(rows)
        except ConnectionError:
            self._hear()

    def _hear(self) -> Run:
        assert self._other is not None
        try:
            found = self._other[1].recv()
        except (EOFError, ConnectionResetError):
            self._other[0].join()
            raise DataError(
                f"the process of the walk {self._begin.path} was ended from outside (exit code "
                f"{self._other[0].exitcode}): with more memory, or on one core, it plays again"
            ) from None
        assert isinstance(found, Run)
        return found


def _started(begin: Begin) -> tuple[BaseProcess, Connection]:
    """The process and our end of its line; it never hears of Ctrl-C."""
    context = get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_walk, args=(its, begin), daemon=True)
    resource_tracker.ensure_running()  # started within `start`, it would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what it is born with
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    its.close()
    return process, ours


def _walk(line: Connection, begin: Begin) -> None:
    here = Here(begin)
    with suppress(EOFError, ConnectionError):  # whoever wanted it is gone
        while (rows := line.recv()) is not None:
            here.feed(rows)
        line.send(here.end())
