"""Plays a history through one house, or through two that walk its bars on both paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import dropwhile, islice, takewhile
from typing import Final, cast

from msgspec import Struct

from shared.config import Config
from shared.units import Ns
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, Deal, History
from sim.backtest.parts import PATHS, Path, Terms
from sim.backtest.tables import DataError
from sim.backtest.walk import Walk

AT_ONCE: Final = 256
"""Rows between two questions whether to go on."""

Row = Bar | Deal

GoOn = Callable[[int, Ns], bool]
"""(rows, wall) -> whether to go on; asked now and then, for a progress bar and Ctrl-C."""


class Run(Struct, frozen=True):
    """One house and its course. path: of the bars; "" for trades."""

    path: str
    house: House
    course: Course
    walk: Walk


class Played(Struct, frozen=True):
    """What was played. whole: not interrupted; walls: of the first and the last row used."""

    runs: tuple[Run, ...]
    rows: int
    whole: bool
    first: Ns
    last: Ns


def play(
    history: History,
    config: Config,
    terms: Terms,
    span: tuple[int, int],
    go_on: GoOn,
    paths: tuple[Path, ...] = PATHS,
) -> Played:
    """Every row of `span` (ns since 1970, the second not included) through the house.

    DataError where no row lies within the span, or bars are to be played with a queue.
    """
    if history.is_bars and terms.fill == "queue":
        raise DataError("bars do not say who stood where in the queue: use --fill through or touch")
    names: tuple[str, ...] = paths if history.is_bars else ("",)
    runs: list[Run] = []
    rows, first, last, whole = 0, 0, 0, True
    for chunk in _chunks(history, span):
        if not runs:
            first = chunk[0][0]
            runs = [_run(name, config, terms, history, chunk[0]) for name in names]
        for run in runs:
            _feed(run, chunk)
        last = chunk[-1][0]
        rows += len(chunk)
        if not go_on(rows, Ns(last)):
            whole = False
            break
    if not runs:
        raise DataError("no row lies within --from and --to")
    for run in runs:
        run.walk.finish()
        run.course.close()
    go_on(rows, Ns(last))
    return Played(tuple(runs), rows, whole, Ns(first), Ns(last))


def _run(name: str, config: Config, terms: Terms, history: History, row: Bar | Deal) -> Run:
    course = Course()
    wall, price = Ns(row[0]), row[1]
    house = House(config, terms, wall, price, history.interval, course)
    return Run(name, house, course, Walk(house))


def _chunks(history: History, span: tuple[int, int]) -> Iterator[Sequence[Row]]:
    """The rows of a span, some at a time."""
    rows: Iterator[Row] = history.bars() if history.is_bars else history.deals()
    begun = dropwhile(lambda row: row[0] < span[0], rows)
    wanted = takewhile(lambda row: row[0] < span[1], begun)
    while chunk := list(islice(wanted, AT_ONCE)):
        yield chunk


def _feed(run: Run, rows: Sequence[Row]) -> None:
    if run.path:
        path: Path = "low_first" if run.path == "low_first" else "high_first"
        run.walk.bars(cast(Sequence[Bar], rows), path)
    else:
        run.walk.deals(cast(Sequence[Deal], rows))


def headline(played: Played) -> Run:
    """The run with the lower final equity: what may be said of bars without boasting."""
    return min(played.runs, key=lambda run: run.course.last.equity if run.course.last else 0)
