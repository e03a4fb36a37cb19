"""A crash of a quarter within a quarter of an hour: breaker, chaos, pauses and caps hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from shared import frames
from shared.config import Home, load
from shared.units import MINUTE, Ns, Side
from sim.world import World
from strategy.core.memory import EXIT_SLOT, Memory
from strategy.core.regime import Kind
from strategy.core.risk import Pause
from strategy.core.slots import State
from strategy.trader import In, Out


class Rules:
    """What must hold whenever an order leaves."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known: dict[str, None] = {}
        self.sent = 0
        self.frozen = 0
        self.kinds: dict[Kind, None] = {}

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        assert self.world.trader is not None
        memory = self.world.trader.core.memory
        [pair] = memory.pairs.values()
        self.kinds[pair.regime.kind] = None
        self.frozen += pair.breaker.frozen
        for slot in pair.slots:
            if slot.state is State.PENDING_NEW and slot.cl_ord_id not in self.known:
                self.known[slot.cl_ord_id] = None
                self.sent += 1
                self._judge(memory, slot.name, slot.side, slot.price)

    def _judge(self, memory: Memory, name: str, side: Side, price: int) -> None:
        [pair] = memory.pairs.values()
        assert pair.view is not None
        if name != EXIT_SLOT:
            assert not pair.breaker.frozen, "nothing is added while the price runs"
            assert price < pair.view.ask if side is Side.BUY else price > pair.view.bid
        if side is Side.BUY:
            assert pair.regime.kind is not Kind.CHAOS, "chaos buys nothing"
            assert memory.pause in (Pause.ACTIVE_TRADING, Pause.TAX_LOCK_ACTIVE)
        assert abs(price / pair.view.mid - 1.0) <= memory.config.limits.collar_pct

    def published(self, now: Ns, frame: frames.FeedFrame) -> None:
        """Nothing to look at."""

    def turned(self, now: Ns) -> None:
        """Nothing to look at."""


def test_nothing_leaves_that_a_crash_forbids(tmp_path: Path) -> None:
    config = load(Home(tmp_path))
    config = replace(config, demo=replace(config.demo, market="crashing"))
    world = World(config)
    rules = Rules(world)
    world.watcher = rules
    world.start_feed()
    world.start_trader()
    world.run(14 * MINUTE)
    assert world.trader is not None
    memory = world.trader.core.memory
    [pair] = memory.pairs.values()
    assert pair.breaker.trips > 0
    assert rules.frozen > 0
    assert rules.sent > 0
    assert memory.risk.drawdown > 0.05
    assert not any(slot.side is Side.BUY and slot.open_qty for slot in pair.slots) or (
        pair.regime.kind is not Kind.CHAOS
    )
    assert set(world.booked()) == set(world.exchange.trades)
