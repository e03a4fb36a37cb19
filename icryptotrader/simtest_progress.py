"""How far `icryptotrader sim-test` is: a bar on a terminal, elsewhere a line now and then.

Rule 1: it goes to stderr; what was found is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.clock import perf
from shared.units import SECOND

LINE_EACH: Final = 60 * SECOND


class Watch(Protocol):
    """Whoever shows it."""

    def tell(self, done: int, told: str) -> None:
        """So many seeds are done; the rest in words."""
        ...

    def aside(self) -> None:
        """Make room for lines on stdout."""
        ...


class _Bar:
    """On a terminal."""

    def __init__(self, console: Console, seeds: int) -> None:
        self.progress = Progress(
            TextColumn("seeds"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            # Results go to stdout as they are; rich would send them to its own console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self.progress.add_task("", total=seeds, told="")

    def tell(self, done: int, told: str) -> None:
        self.progress.start()
        self.progress.update(self._task, completed=done, told=told)

    def aside(self) -> None:
        self.progress.stop()


class _Lines:
    """Where nobody watches: one line a minute, for the log."""

    def __init__(self, console: Console, seeds: int, each: int) -> None:
        self._console, self._seeds, self._each = console, seeds, each
        self._begin = self._said_at = perf()

    def tell(self, done: int, told: str) -> None:
        now = perf()
        if now - self._said_at < self._each or done >= self._seeds:
            return
        self._said_at = now
        left_s = (now - self._begin) / done * (self._seeds - done) / SECOND
        self._console.out(
            f"sim-test: {done} of {self._seeds} seeds, {told}, about {left_s / 60:.0f} min left",
            highlight=False,
        )

    def aside(self) -> None:
        """Lines stand in nobody's way."""


@contextmanager
def watch(console: Console, seeds: int, each: int = LINE_EACH) -> Iterator[Watch]:
    """console: of stderr. each: ns between two lines where it is no terminal."""
    if not console.is_terminal:
        yield _Lines(console, seeds, each)
        return
    bar = _Bar(console, seeds)
    with bar.progress:
        yield bar
