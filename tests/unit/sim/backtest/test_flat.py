"""A long history needs no more memory than a short one: what is over is forgotten."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.orders import Filled
from shared.units import MINUTE, Ns
from sim.backtest.backtest import SETTLED_AT_ONCE, House
from sim.backtest.packed import AT_ONCE, Packed
from sim.backtest.parts import Point, Terms
from sim.backtest.walk import Walk
from sim.engine.values import mint_id
from strategy.core.memory import Memory

BEGIN = 1_577_836_800 * 10**9
PRICE = 300_000
HIGHER = 302_400
FEW = 2 * SETTLED_AT_ONCE


def settings(tmp_path: Path) -> Config:
    """A grid that nothing stops: coins may be sold at a taxable gain, so the oldest ones go."""
    found = load(Home(tmp_path))
    return replace(
        found,
        pair="BTC/EUR",
        grid=replace(found.grid, min_spacing_bps=Decimal(40), anchor="mid"),
        bollinger=replace(found.bollinger, enabled=False),
        limits=replace(found.limits, daily_loss_quote=Decimal(10**8), collar_pct=0.5),
        risk=replace(found.risk, max_portfolio_drawdown_pct=0.97, emergency_drawdown_pct=0.98),
        tax=replace(found.tax, pace_days=0, beyond_limit=True),
        demo=replace(found.demo, opening_lots=("400:60000",)),
    )


class Count:
    """Watches a house and keeps nothing but the number of its fills, and the last one."""

    def __init__(self) -> None:
        self.fills = 0
        self.last: list[Filled] = []

    def filled(self, fill: Filled) -> None:
        self.fills += 1
        self.last = [fill]

    def passed(self, points: Sequence[Point], lead: int, coins: int, money: int) -> None: ...

    def stepped(self, wall: Ns, memory: Memory) -> None: ...

    def priced(self, wall: Ns, price: int, coins: int, money: int) -> None: ...


class Lively:
    """A market that goes up and down for ever, and a house in it."""

    def __init__(self, config: Config) -> None:
        self.count = Count()
        terms = Terms(maker=1_200, taker=2_500)
        self.house = House(config, terms, Ns(BEGIN), PRICE, MINUTE, self.count)
        self._walk = Walk(self.house)
        self._wall = BEGIN

    def blocks_after(self, fills: int) -> int:
        """Blocks of memory in use once there have been so many fills."""
        while self.count.fills < fills:
            for price in (PRICE, HIGHER):
                bar = (self._wall, price, price + 50, price - 50, price, 10**8)
                self._walk.bars([bar], "low_first")
                self._wall += MINUTE
        gc.collect()
        return sys.getallocatedblocks()


def test_four_times_the_fills_need_no_more_memory(tmp_path: Path) -> None:
    run = Lively(settings(tmp_path))
    few = run.blocks_after(FEW)
    lots = len(run.house.core.memory.lots.open_lots())
    many = run.blocks_after(4 * FEW)
    more = len(run.house.core.memory.lots.open_lots()) - lots
    assert abs(more) < FEW // 10, "else more coins are held, and each lot of them is kept"
    # A fill made some forty, which stayed; now what the volume of thirty days is summed from.
    assert many - few < 8 * 3 * FEW


def test_what_is_packed_comes_out_again_and_takes_a_tenth(tmp_path: Path) -> None:
    run = Lively(settings(tmp_path))
    run.blocks_after(1)
    (fill,) = run.count.last
    count = 4 * AT_ONCE + 7
    fills = [
        replace(fill, exec_id=mint_id("T", n), order_id=mint_id("O", n), wall=Ns(fill.wall + n))
        for n in range(count)
    ]
    packed = Packed(Filled, fills)
    assert len(packed) == count
    assert list(packed) == fills == list(packed), "it may be read again"
    assert packed == Packed(Filled, fills) == pickle.loads(pickle.dumps(packed))
    assert packed != Packed(Filled, fills[1:])
    assert packed != Packed(Filled, [*fills[1:], fill])
    assert len(pickle.dumps(packed)) < len(pickle.dumps(fills)) / 3
    assert not Packed(Filled)
    assert list(Packed(Filled)) == []
