"""The backtest's shortcut beside the whole house: no JSON, no session, no feed, the same fills."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.orders import Filled
from shared.units import SECOND, Ns
from sim.backtest.backtest import BEGIN, House
from sim.backtest.course import Course
from sim.backtest.parts import Terms
from sim.recorded import Recorded
from sim.sources import Quote, Tick
from sim.world import WALL, World

EACH = 30 * SECOND
# A fall, a way back, a spike and its end, in steps of 30 s; Ticks.
PRICES = tuple(
    850_000 + 400 * step
    for step in (
        *(0, 0, 0, -3, -8, -12, -9, -15, -20, -24, -22, -18, -12, -8, -3, 2, 8, 13, 9, 16),
        *(22, 27, 24, 20, 15, 9, 4, -2, -7, -11, -6, 0, 5, 11, 16, 12, 7, 1, -4, 0),
    )
)


def config(tmp_path: Path) -> Config:
    """No opinion but the touch: the made-up depth of the whole house leans on nothing."""
    found = load(Home(tmp_path))
    return replace(
        found,
        pair="BTC/EUR",
        grid=replace(found.grid, anchor="mid"),
        bollinger=replace(found.bollinger, enabled=False),
        skew=replace(found.skew, obi_sensitivity_bps=found.skew.obi_sensitivity_bps * 0),
    )


def key(fill: Filled) -> tuple[str, int, int]:
    return fill.side.value, fill.price, fill.qty


def test_the_shortcut_and_the_whole_house_make_the_same_fills(tmp_path: Path) -> None:
    cfg = config(tmp_path)
    moments = [Ns(n * EACH + SECOND) for n in range(len(PRICES))]
    ticks: list[Tick] = [
        Quote(at, price, price + 1) for at, price in zip(moments, PRICES, strict=True)
    ]

    world = World(cfg, source=Recorded(ticks))
    world.start_feed()
    world.start_trader()
    world.run(len(PRICES) * EACH)
    whole = [f for name, f in world.booked().items() if name not in world.opening_fills]

    course = Course()
    house = House(cfg, Terms(latency=Ns(5_000_000), maker=1200, taker=2500), WALL, PRICES[0], 0,
                  course)  # fmt: skip
    for at, price in zip(moments, PRICES, strict=True):
        house.quote(Ns(BEGIN + at), price, price + 1)
    house.run_until(Ns(BEGIN + len(PRICES) * EACH))

    assert len(course.fills) >= 10
    assert [key(fill) for fill in course.fills] == [key(fill) for fill in whole]
    late = [abs(a.wall - b.wall) for a, b in zip(course.fills, whole, strict=True)]
    assert max(late) < SECOND
