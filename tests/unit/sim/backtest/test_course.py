"""The course of a run: as fine at its beginning as at its end."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from msgspec.structs import replace

from shared.config import Home, load
from shared.units import MILLISECOND, MINUTE, SECOND, Ns
from sim.backtest.backtest import BEGIN, House
from sim.backtest.course import MOST_POINTS, Course
from sim.backtest.parts import Terms
from sim.backtest.points import Points


def test_no_part_of_a_long_run_is_drawn_coarser_than_another() -> None:
    course = Course()
    for n in range(40_000):
        course.priced(Ns((n + 1) * 15 * MINUTE), 100, 1, 1)
    course.close()
    assert len(course.points) <= MOST_POINTS + 1
    apart = [after.wall - before.wall for before, after in pairwise(course.points)]
    assert max(apart) <= 4 * min(apart[:-1])


def test_prices_passed_at_once_leave_what_each_would_have_left() -> None:
    one, other = Course(), Course()
    ats = [n * 20 * MINUTE for n in range(3_000)]
    prices = [1_000 + n * 37 % 500 for n in range(3_000)]
    points = Points(ats, prices, prices, [True] * 3_000, [0] * 3_000)
    for begin in range(0, 3_000, 100):
        some = points.part(begin, begin + 100)
        one.passed(some, 7, 3, 11)
        for at, price in zip(some.ats, some.prices, strict=True):
            other.priced(Ns(at + 7), price, 3, 11)
    for course in (one, other):
        course.close()
    assert (one.points, one.last, one.weeks) == (other.points, other.last, other.weeks)
    assert (one.peak, one.drawdown, one.drawdown_at) == (
        other.peak, other.drawdown, other.drawdown_at,
    )  # fmt: skip
    assert [(m.name, m.begin, m.end) for m in one.months] == [
        (m.name, m.begin, m.end) for m in other.months
    ]


def test_a_price_counts_at_its_own_moment_although_the_core_has_ticked_beyond_it(
    tmp_path: Path,
) -> None:
    config, course = replace(load(Home(tmp_path)), pair="BTC/EUR"), Course()
    wall = Ns(1_600_000_000 * SECOND)
    house = House(config, Terms(), wall, 300_000, 0, course)
    # Nothing followed from ticks until then.
    house.passed(Points([], [], [], [], []), Ns(BEGIN + 9 * MILLISECOND))
    house.tell((BEGIN + 2 * MILLISECOND, 300_000, 300_000, True, 1))
    assert [point.wall for point in course.points] == [wall + 2 * MILLISECOND]
