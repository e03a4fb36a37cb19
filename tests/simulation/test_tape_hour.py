"""One real hour of Kraken trades, a 4.2 % swing, through the whole house in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import SECOND, Side
from sim.world import World, minutes

TAPE: Final = (
    Path(__file__).resolve().parents[2].parent
    / "shared/data/market/kraken_btcusd_trades_2019-07-01T00.csv.gz"
)
LOOK_EACH: Final = 5 * SECOND
CROSSINGS_MOST: Final = 5
"""Post-only orders refused because the touch moved while they were on their way."""

pytestmark = pytest.mark.skipif(not TAPE.exists(), reason=f"the recording {TAPE.name} is absent")


def config(tmp_path: Path) -> Config:
    found = load(Home(tmp_path))
    return replace(found, pair="BTC/USD", demo=replace(found.demo, market=str(TAPE)))


def world_on_tape(tmp_path: Path) -> World:
    world = World(config(tmp_path))
    world.start_feed()
    world.start_trader()
    return world


def owns_what_rests(world: World) -> bool:
    """Each order at the exchange has its slot, and each slot's order rests there."""
    assert world.status is not None
    resting = {order.cl_ord_id for order in world.exchange.open.values()}
    return resting == {slot.cl_ord_id for slot in world.status.slots if slot.cl_ord_id}


def test_the_grid_trades_both_ways_and_the_ledger_equals_the_exchange(tmp_path: Path) -> None:
    world = world_on_tape(tmp_path)
    phases = set()
    end = world.now + minutes(61)
    while world.now < end:
        world.run(LOOK_EACH)
        assert world.status is not None
        phases.add(world.status.phase)
        assert not any(pair.breaker for pair in world.status.pairs), "the breaker has frozen"
    assert phases <= {"starting", "syncing", "trading"}
    assert world.status is not None
    assert world.status.phase == "trading"

    own = [fill for name, fill in world.booked().items() if name not in world.opening_fills]
    assert sum(fill.side is Side.BUY for fill in own) >= 3
    assert sum(fill.side is Side.SELL for fill in own) >= 3
    assert all(fill.maker for fill in own)

    counters = dict(world.status.counters)
    assert counters.get("post_only", 0) <= CROSSINGS_MOST
    assert counters.get("timeouts", 0) == counters.get("orphans_cancelled", 0) == 0

    assert set(world.booked()) == set(world.exchange.trades)
    for exec_id, trade in world.exchange.trades.items():
        fill = world.booked()[exec_id]
        assert (fill.order_id, fill.cl_ord_id) == (trade.order_id, trade.cl_ord_id)
        assert (fill.price, fill.qty, fill.side.value) == (trade.price, trade.qty, trade.side)
        assert fill.maker == trade.maker
    assert float(world.status.drift) == 0
    world.run(minutes(1), until=lambda: owns_what_rests(world))
    assert owns_what_rests(world)


def test_the_same_tape_and_configuration_give_the_same_commands(tmp_path: Path) -> None:
    first, second = world_on_tape(tmp_path), world_on_tape(tmp_path)
    for world in (first, second):
        world.run(minutes(10))
    assert first.status is not None
    assert dict(first.status.counters)["adds"] > 0
    assert (first.digest, first.steps) == (second.digest, second.steps)
