"""Plays a history through one house, or through two that walk its bars on both paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import dropwhile, islice, takewhile
from typing import Final, Protocol

from msgspec import Struct

from shared.config import Config
from shared.units import SECOND, Ns
from sim.backtest.apart import Apart
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import PATHS, Fill, Path, Terms
from sim.backtest.tables import DataError
from sim.backtest.walker import Begin, Here, Row, Run, Walker

AT_ONCE: Final = 256
"""Rows between two questions whether to go on."""

GoOn = Callable[[int, Ns], bool]
"""(rows, wall) -> whether to go on; asked now and then, for a progress bar and Ctrl-C."""


class Rows(Protocol):
    """What is played: a History (data.py), or one in another currency (converted.py)."""

    is_bars: bool
    interval: int  # ns; 0 for trades

    @property
    def done(self) -> float: ...

    def bars(self) -> Iterator[Bar]: ...

    def deals(self) -> Iterator[Deal]: ...


class Played(Struct, frozen=True):
    """What was played. whole: not interrupted; walls: of the first and the last row used."""

    runs: tuple[Run, ...]
    rows: int
    whole: bool
    first: Ns
    last: Ns


def play(
    history: Rows,
    config: Config,
    terms: Terms,
    span: tuple[int, int],
    go_on: GoOn,
    paths: tuple[Path, ...] = PATHS,
    *,
    apart: bool = False,
) -> Played:
    """Every row of `span` (ns since 1970, the second not included) through the house.

    apart: all paths but the first in processes of their own; it changes nothing but the time.
    DataError where no row lies within the span, or bars are to be played with a queue.
    """
    fits(history, terms.fill)
    names: tuple[str, ...] = paths if history.is_bars else ("",)
    walkers: list[Walker] = []
    rows, first, last, whole = 0, 0, 0, True
    try:
        for chunk in _chunks(history, span):
            if not walkers:
                first, price = chunk[0][0], chunk[0][1]
                begins = [
                    Begin(name, config, terms, history.interval, Ns(first), price) for name in names
                ]
                # The others first: they go on while this process walks the first path.
                walkers += [Apart(begin) if apart else Here(begin) for begin in begins[1:]]
                walkers.append(Here(begins[0]))
            for walker in walkers:
                walker.feed(chunk)
            last = chunk[-1][0]
            rows += len(chunk)
            if not go_on(rows, Ns(last)):
                whole = False
                break
        if not walkers:
            raise _outside(history)
        runs = [walker.end() for walker in [walkers[-1], *walkers[:-1]]]
    finally:
        for walker in walkers:
            walker.close()
    go_on(rows, Ns(last))
    return Played(tuple(runs), rows, whole, Ns(first), Ns(last))


def fits(history: Rows, fill: Fill) -> None:
    """DataError where these rows cannot be filled so."""
    if history.is_bars and fill == "queue":
        raise DataError("bars do not say who stood where in the queue: use --fill through or touch")


def _outside(history: Rows) -> DataError:
    """Why nothing was played, with the span that could be."""
    first = last = 0
    for row in history.bars() if history.is_bars else history.deals():
        last = row[0]
        first = first or last
    if not first:
        return DataError("the files hold no row")
    told = " to ".join(
        datetime.fromtimestamp(wall // SECOND, UTC).strftime("%Y-%m-%dT%H:%M")
        for wall in (first, last)
    )
    return DataError(f"no row lies within --from and --to: the data go from {told} (UTC)")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def _chunks(history: Rows, span: tuple[int, int]) -> Iterator[Sequence[Row]]:
    """The rows of a span, some at a time."""
    rows: Iterator[Row] = history.bars() if history.is_bars else history.deals()
    begun = dropwhile(lambda row: row[0] < span[0], rows)
    wanted = takewhile(lambda row: row[0] < span[1], begun)
    while chunk := list(islice(wanted, AT_ONCE)):
        yield chunk


def headline(played: Played) -> Run:
    """The run with the lower final equity: what may be said of bars without boasting."""
    return min(played.runs, key=lambda run: run.course.last.equity if run.course.last else 0)
