"""A tick, and the way from a fill to the letter that answers it, each beside its floor.

Run it with `python tests/bench/bench_tick.py`. A whole house runs in virtual time (sim/world.py);
the real strategy's steps are timed where they happen. Floors: for a tick, the decoding of its
book frame; for an order, the decoding of the fill and the encoding of the order.
"""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from shared import frames
from shared.clock import perf
from shared.config import Config, Home, load
from shared.kraken import private
from shared.orders import AddOrder
from shared.units import MINUTE, Ns, Sats, Side, Ticks
from sim.world import World
from strategy.session import mail
from strategy.trader import In, Trader

MINUTES = 25  # Bollinger's window and a little more


class Stopwatch:
    """Wraps a Trader and notes what each kind of step took, ns."""

    def __init__(self, trader: Trader) -> None:
        self._step = trader.step
        self.ticks: list[int] = []
        self.orders: list[int] = []
        self.book: frames.Book | None = None
        self.fill = b""

    def step(self, now: Ns, inbox: Sequence[In]) -> list[object]:
        begin = perf()
        out: list[object] = list(self._step(now, inbox))
        took = perf() - begin
        texts = [item.data for item in inbox if isinstance(item, mail.Text)]
        filled = [data for data in texts if b'"trade"' in data and b"executions" in data]
        letters = [item for item in out if isinstance(item, mail.SendText)]
        books = [item for item in inbox if isinstance(item, frames.Book)]
        if filled and letters:
            self.fill = filled[0]
            self.orders.append(took)
        elif books and not texts and not letters:
            self.book = books[0]
            self.ticks.append(took)
        return out


def main() -> None:
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}; us")
    print(f"{'':44}{'p50':>9}{'p99':>9}{'floor':>9}{'ratio':>8}{'steps':>8}")
    base = load(Home(Path("nowhere")))
    for name, config in {
        "an empty tick: no rungs, no models": empty(base),
        "a tick, 20 slots, all models": full(base, stoikov=False),
        "a tick, 20 slots, Avellaneda-Stoikov": full(base, stoikov=True),
    }.items():
        watch, world = _watch(config)
        assert watch.book is not None
        payload = frames.encode(watch.book)
        _row(name, watch.ticks, _cost(lambda payload=payload: frames.decode(payload)))
    spec = world.exchange.markets[world.config.pair].pair
    order = AddOrder("g0000000b1", spec.symbol, Side.BUY, Ticks(850_000), Sats(500_000), world.wall)
    floor = _cost(
        lambda: (private.decode_or_drop(watch.fill), private.add_order(order, spec, "t" * 40, 1))
    )
    _row("fill heard to order written", watch.orders, floor)


def empty(config: Config) -> Config:
    grid = replace(config.grid, levels=0)
    return replace(config, grid=grid, bollinger=replace(config.bollinger, enabled=False))


def full(config: Config, *, stoikov: bool) -> Config:
    """Ten rungs on each side and every model that can be on at once."""
    regime = config.regime
    for name in ("range_bound", "trending_up", "trending_down"):
        regime = replace(regime, **{name: replace(getattr(regime, name), grid_levels=10)})
    return replace(
        config,
        regime=regime,
        grid=replace(config.grid, levels=10),
        # As wide as the collar allows ten rungs to be.
        atr=replace(config.atr, enabled=True, max_spacing_bps=Decimal(80)),
        avellaneda_stoikov=replace(config.avellaneda_stoikov, enabled=stoikov),
        hedge=replace(config.hedge, enabled=True, strategy="inverse_grid"),
        ai_signal=replace(config.ai_signal, enabled=True),
    )


def _watch(config: Config) -> tuple[Stopwatch, World]:
    world = World(config)
    world.start_feed()
    world.start_trader()
    assert world.trader is not None
    watch = Stopwatch(world.trader)
    world.trader.step = watch.step  # type: ignore[method-assign, assignment]
    world.run(MINUTES * MINUTE)
    return watch, world


def _cost(what: object, rounds: int = 2_000) -> float:
    assert callable(what)
    took = []
    for _ in range(rounds):
        begin = perf()
        what()
        took.append(perf() - begin)
    return statistics.median(took)


def _row(name: str, took: Sequence[int], floor: float) -> None:
    ordered = sorted(took)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(
        f"{name:44}{p50 / 1000:>9.1f}{p99 / 1000:>9.1f}{floor / 1000:>9.2f}"
        f"{p50 / floor:>8.1f}{len(took):>8}"
    )


if __name__ == "__main__":
    main()
