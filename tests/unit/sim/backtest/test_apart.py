"""A walk in a process of its own ends as the same walk does here, or says why it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import MINUTE, Ns
from sim.backtest import apart
from sim.backtest.apart import Apart
from sim.backtest.data import Bar
from sim.backtest.parts import Terms
from sim.backtest.tables import DataError
from sim.backtest.walker import Begin, Here, Run, Walker

WALL = Ns(1_600_000_020 * 10**9)
PORTION = 100
ROWS = 600


def bars() -> list[Bar]:
    """A price that wanders over several rungs and back, in minutes."""
    found, price = [], 300_000
    for number in range(ROWS):
        opened, price = price, price + (-450, 700, -300, 520, -380)[number * 7 % 5]
        high, low = max(opened, price) + 150, min(opened, price) - 170
        found.append((int(WALL + number * MINUTE), opened, high, low, price, 10**8))
    return found


def begin(tmp_path: Path, rows: Sequence[Bar]) -> Begin:
    config: Config = replace(load(Home(tmp_path)), pair="BTC/EUR")
    terms = Terms(maker=1_200, taker=2_500)
    return Begin("high_first", config, terms, MINUTE, Ns(rows[0][0]), rows[0][1])


def walked(walker: Walker, rows: Sequence[Bar]) -> Run:
    try:
        for place in range(0, len(rows), PORTION):
            walker.feed(rows[place : place + PORTION])
        return walker.end()
    finally:
        walker.close()


def seen(run: Run) -> tuple[object, ...]:
    course = run.course
    return run.path, run.ended, course.fills, course.points, course.bands, course.months


def test_where_a_walk_goes_on_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bars()
    here = walked(Here(begin(tmp_path, rows)), rows)
    assert here.course.fills, "else nothing is compared"

    few = walked(Apart(begin(tmp_path, rows)), rows)
    assert not active_children(), "so few rows are not worth a process"

    monkeypatch.setattr(apart, "WORTH_IT", 2 * PORTION)
    other = Apart(begin(tmp_path, rows))
    other.feed(rows[: 2 * PORTION])
    assert len(active_children()) == 1
    beside = walked(other, rows[2 * PORTION :])

    assert seen(here) == seen(few) == seen(beside)
    assert not active_children()


def test_a_walk_whose_process_is_killed_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "WORTH_IT", PORTION)
    rows = bars()
    walker = Apart(begin(tmp_path, rows))
    walker.feed(rows[:PORTION])
    (child,) = active_children()
    child.kill()
    with pytest.raises(DataError, match=r"high_first was ended from outside .*one core"):
        walked(walker, rows[PORTION:])
