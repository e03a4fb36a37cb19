"""The market stands at the very price of an order of ours: the house goes on seeing a book."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.config import Home, load
from shared.units import MINUTE, SECOND, Ns
from sim.backtest.backtest import BEGIN, House
from sim.backtest.course import Course
from sim.backtest.parts import Terms
from sim.world import WALL

FIRST = 850_000


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_at_the_touch_hides_no_side_of_the_book(side: str, tmp_path: Path) -> None:
    config = load(Home(tmp_path))
    config = replace(config, grid=replace(config.grid, anchor="mid"))
    course = Course()
    house = House(config, Terms(maker=1200, taker=2500), WALL, FIRST, int(MINUTE), course)
    house.tell((BEGIN + SECOND, FIRST, FIRST, True, 0))
    house.run_until(Ns(BEGIN + 30 * SECOND))
    assert house.venue.touch() == (FIRST, FIRST + 1)
    ours = house.market.own[side][0].price
    # A market that falls to our bid offers there, one that rises to our offer bids there.
    bid = ours - 1 if side == "buy" else ours
    house.tell((BEGIN + 31 * SECOND, ours, bid, side == "sell", 0))
    house.run_until(Ns(BEGIN + 90 * SECOND))
    assert house.market.own[side][0].price == ours  # "through": a price that touches fills nothing
    best = house.market.best("buy"), house.market.best("sell")
    assert house.venue.touch() == best == ((ours, ours + 1) if side == "buy" else (ours - 1, ours))
    [pair] = house.core.memory.pairs.values()
    assert pair.view is not None
    assert pair.view.fresh
    assert abs(pair.view.mid - ours) <= 1
    assert not course.fills
