"""What a file of market data is, found by its first rows: its columns, its order, its bars' length.

Rule 1: what is found is told where a person could take it for something else; what would give a
result out of the wrong columns is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import DAY, MINUTE, Pair
from sim.backtest.columns import NAIVE, Layout, LayoutError, find_layout, read_wall, why_not
from sim.backtest.rows import PRICES_BEGIN, UNUSABLE
from sim.backtest.tables import DataError, Row, cells_of

_LOOK_AHEAD: Final = 500
_TITLES: Final = 5  # lines that a file may bear before its header
_FEW: Final = 20  # rows by which nothing can be judged
_ORDERS: Final = (
    ("time, open, high, low, close", (1, 2, 3, 4)),
    ("time, open, close, high, low", (1, 3, 4, 2)),  # Bitfinex, KuCoin
    ("time, low, high, open, close", (3, 2, 1, 4)),  # Coinbase
)
"""Orders of the columns without a header, and where open, high, low and close stand in each."""


class Part(Struct, frozen=True):
    """One file as it will be read. begins: wall of its oldest good row; skips: lines before it."""

    path: Path
    layout: Layout
    begins: int
    interval: int  # ns; 0 for trades
    skips: int = 0
    is_backwards: bool = False  # the newest row stands on top


def look(path: Path, pair: Pair, notes: list[str], *, prices: bool) -> Part:
    """The file as it will be read. DataError where it cannot be, with the line and the remedy.

    notes: what a person should know of it. prices: one price for each line.
    """
    said: list[str] = []
    sample, torn = _first_rows(path, pair, said)
    layout, skips = _layout_of(path, sample, prices=prices)
    if layout.time < 0:
        return Part(path, layout, PRICES_BEGIN, MINUTE, skips)
    rows = [row for row in sample if row[0] > skips]
    layout, told = _in_order(layout, rows)
    notes += [f"{path.name}: {told}"] if told else []
    walls = _walls(layout, rows, said)
    if not walls:
        raise torn or DataError(_timeless(path, layout, rows))
    _refuse_misread(path, layout, rows)
    steps = sorted(b - a for a, b in itertools.pairwise(walls) if b != a)
    if layout.is_bars and len(walls) > _FEW and len(steps) * 2 < len(walls):
        raise DataError(
            f"{path}: most rows bear the time of the row before them: name the column with the "
            "time of day `time`, beside `date`"
        )
    is_backwards = bool(steps) and steps[len(steps) * 3 // 4] < 0
    begins = min(walls)
    if is_backwards:
        notes.append(f"{path.name}: the newest row stands on top: it is read from its end")
        begins, steps = _oldest(path, layout, pair, begins), [-step for step in reversed(steps)]
    ahead = [step for step in steps if step > 0]
    interval = (ahead[len(ahead) // 4] if ahead else MINUTE) if layout.is_bars else 0
    layout = layout.with_zone(NAIVE in said)
    return Part(path, layout, begins, min(interval, 31 * DAY), skips, is_backwards)


def _first_rows(path: Path, pair: Pair, notes: list[str]) -> tuple[list[Row], DataError | None]:
    """Some hundred, and what ended the file before that; DataError where there are none."""
    found: list[Row] = []
    torn = None
    try:
        for row in itertools.islice(cells_of(path, None, pair, notes), _LOOK_AHEAD + _TITLES):
            found.append(row)
    except DataError as error:
        torn = error
    if not found:
        raise torn or DataError(f"{path}: the file is empty: fetch it again")
    return found, torn


def _layout_of(path: Path, sample: Sequence[Row], *, prices: bool) -> tuple[Layout, int]:
    """The layout, and the last line that is no data; what has less columns before it is a title."""
    for number, (line, cells) in enumerate(sample):
        try:
            layout = find_layout(cells, prices=prices)
        except LayoutError as error:
            after = sample[number + 1 : number + 1 + _TITLES]
            wider = any(len(others) > len(cells) for _, others in after)
            if prices or number >= _TITLES or not wider:
                raise DataError(f"{path.name}, line {line}: {error}") from None
        else:
            return layout, line - 1 + layout.has_header
    raise DataError(f"{path}: it holds titles alone")


def _in_order(layout: Layout, rows: Sequence[Row]) -> tuple[Layout, str]:
    """For bars without a header: in which order their columns are, and what to tell of it."""
    if layout.has_header or layout.high < 0:
        return layout, ""
    best, most, told = layout, -1, ""
    for words, (opened, high, low, close) in _ORDERS:
        other = replace(layout, price=opened, high=high, low=low, close=close)
        fitting = sum(_fits(other, cells) is True for _, cells in rows)
        if fitting > most:
            best, most, told = other, fitting, words
    if told == _ORDERS[0][0]:
        return layout, ""
    return best, f"without a header the columns are taken as {told}, in which the rows make sense"


def _fits(at: Layout, cells: list[str]) -> bool | None:
    """Whether open and close lie between low and high; None for what is no numbers."""
    try:
        places = (at.price, at.high, at.low, at.close)
        opened, high, low, close = (float(cells[place]) for place in places)
    except UNUSABLE:
        return None
    return low <= opened <= high and low <= close <= high


def _walls(layout: Layout, rows: Sequence[Row], notes: list[str]) -> list[int]:
    """The times that can be read."""
    found = []
    for _, cells in rows:
        with suppress(*UNUSABLE):  # named when it is played
            found.append(read_wall(layout.moment(cells), notes))
    return found


def _timeless(path: Path, layout: Layout, rows: Sequence[Row]) -> str:
    """Why there is no time in a file."""
    if not rows:
        return f"{path}: no row with a time that can be read, only a header: fetch it again"
    line, cells = rows[0]
    try:
        read_wall(layout.moment(cells), [])
    except IndexError as error:
        why = why_not(layout, cells, error)
    except UNUSABLE as error:
        why = str(error)
    return f"{path}: no row with a time that can be read: line {line}: {why}"


def _refuse_misread(path: Path, layout: Layout, rows: Sequence[Row]) -> None:
    """DataError where most of the first bars make no sense: they would be played out of a few."""
    if layout.high < 0:
        return
    judged = [(line, fits) for line, cells in rows if (fits := _fits(layout, cells)) is not None]
    wrong = [line for line, fits in judged if not fits]
    if len(judged) > _FEW and len(wrong) * 2 > len(judged):
        raise DataError(
            f"{path}: {len(wrong)} of the first {len(judged)} rows cannot be used (line "
            f"{wrong[0]}: open and close must lie between low and high): if the columns are not "
            "what they seem, name them in a header line"
        )


def _oldest(path: Path, layout: Layout, pair: Pair, begins: int) -> int:
    """The earliest time of a file whose last rows are its oldest."""
    oldest = begins
    with suppress(DataError):  # torn: what can be read of it counts
        for _, cells in cells_of(path, None, pair, []):
            with suppress(*UNUSABLE):  # named when it is played
                oldest = min(oldest, read_wall(layout.moment(cells), []))
    return oldest
