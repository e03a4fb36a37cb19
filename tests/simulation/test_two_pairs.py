"""Two pairs of one coin in one house: one account, one risk, shared coins, and a fence between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from shared import frames
from shared.config import Config, Home, load
from shared.settings import WeightedPair
from shared.units import MINUTE, SECOND, Ns, Side
from sim.wires import Steady
from sim.world import World
from strategy.core.memory import Memory
from strategy.core.slots import State
from strategy.trader import In, Out

EUR, USD = "BTC/EUR", "BTC/USD"


def config(tmp_path: Path) -> Config:
    pairs = (WeightedPair(EUR, 0.7), WeightedPair(USD, 0.3))
    return replace(load(Home(tmp_path)), pair=EUR, pairs=pairs)


class Fence:
    """Looks after every step that no buy reaches the other pair's sell, fees included."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.looked = 0

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        assert self.world.trader is not None
        memory = self.world.trader.core.memory
        rate = memory.rates.get("USD", 0.0)
        if rate <= 0.0:
            return
        rates = {EUR: 1.0, USD: rate}
        for one, other in ((EUR, USD), (USD, EUR)):
            buys = self._prices(memory, one, Side.BUY, rates[one])
            sells = self._prices(memory, other, Side.SELL, rates[other])
            if buys and sells:
                self.looked += 1
                # A tenth of a basis point for the rate, which moves while an order rests.
                assert max(buys) < min(sells) * (1 - 2 * 0.0012) * (1 + 1e-5)

    def _prices(self, memory: Memory, pair: str, side: Side, rate: float) -> list[float]:
        slots = memory.pairs[pair].side(side)
        return [slot.price / 10 * rate for slot in slots if slot.state is not State.EMPTY]

    def published(self, now: Ns, frame: frames.FeedFrame) -> None:
        """Nothing to look at."""

    def turned(self, now: Ns) -> None:
        """Nothing to look at."""


class Mute(Steady):
    """Loses every frame of one pair from a moment on."""

    def __init__(self) -> None:
        self.from_now = False

    def frame(self, frame: frames.FeedFrame) -> int | None:
        lost = self.from_now and getattr(frame, "pair", None) == USD
        return None if lost else super().frame(frame)


def test_both_are_quoted_from_one_account_and_never_reach_each_other(tmp_path: Path) -> None:
    world = World(config(tmp_path))
    fence = Fence(world)
    world.watcher = fence
    world.start_feed()
    world.start_trader()
    world.run(3 * MINUTE)
    assert world.trader is not None
    memory = world.trader.core.memory
    assert memory.pairs[EUR].side(Side.BUY)[0].state is not State.EMPTY
    assert any(slot.state is State.LIVE for slot in memory.pairs[USD].side(Side.SELL))
    assert fence.looked > 0
    assert memory.risk.equity > 0
    assert not memory.halt
    assert set(world.booked()) == set(world.exchange.trades)
    sells = [slot for slot in memory.all_slots() if slot.side is Side.SELL]
    assert sum(slot.open_qty for slot in sells) <= memory.free()


def test_a_pair_that_fails_does_not_stop_the_other(tmp_path: Path) -> None:
    fate = Mute()
    world = World(config(tmp_path), fate=fate)
    world.start_feed()
    world.start_trader()
    world.run(30 * SECOND)
    fate.from_now = True
    world.run(30 * SECOND)
    assert world.trader is not None
    memory = world.trader.core.memory
    assert not any(slot.state is State.LIVE for slot in memory.pairs[USD].slots)
    assert sum(slot.state is State.LIVE for slot in memory.pairs[EUR].slots) >= 8
    assert memory.pairs[EUR].permit.buy
