"""The house of a backtest: what its core asks for in one tick travels together, in its order."""

from __future__ import annotations

from pathlib import Path

from shared.config import Home, load
from shared.units import MINUTE, SECOND, Ns
from sim.backtest.backtest import BEGIN, House
from sim.backtest.course import Course
from sim.backtest.parts import Terms
from sim.world import WALL

FIRST = 850_000


def test_the_orders_of_one_tick_reach_the_exchange_in_the_order_in_which_they_were_sent(
    tmp_path: Path,
) -> None:
    terms = Terms(maker=1200, taker=2500)
    house = House(load(Home(tmp_path)), terms, WALL, FIRST, int(MINUTE), Course())
    house.tell((BEGIN + SECOND, FIRST, FIRST, True, 0))
    house.run_until(Ns(BEGIN + 30 * SECOND))
    sent = list(house.core.memory.index)
    assert len(sent) > 2
    assert [order.cl_ord_id for order in house.venue.exchange.open.values()] == sent
    assert len({order.opened_wall for order in house.venue.exchange.open.values()}) == 1
