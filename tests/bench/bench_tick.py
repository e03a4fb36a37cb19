"""A tick, and the way from a fill to the letter that answers it, each beside its floor.

Run it with `python tests/bench/bench_tick.py`. A whole house runs in virtual time (sim/world.py);
the real strategy's steps are timed where they happen. Floors: for a tick, the decoding of its
book frame; for an order, the decoding of the fill and the encoding of the order.
"""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shared import frames
from shared.clock import perf
from shared.config import Home, load
from shared.kraken import private
from shared.orders import AddOrder
from shared.units import MINUTE, Ns, Sats, Side, Ticks
from sim.world import World
from strategy import session_mail as mail
from strategy.trader import In, Trader

MINUTES = 20


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
    world = World(load(Home(Path("nowhere"))))
    world.start_feed()
    world.start_trader()
    assert world.trader is not None
    watch = Stopwatch(world.trader)
    world.trader.step = watch.step  # type: ignore[method-assign, assignment]
    world.run(MINUTES * MINUTE)
    assert watch.book is not None
    payload = frames.encode(watch.book)
    spec = world.exchange.markets[world.config.pair].pair
    order = AddOrder("g0000000b1", spec.symbol, Side.BUY, Ticks(850_000), Sats(500_000), world.wall)
    decode = _cost(lambda: frames.decode(payload))
    floor = _cost(
        lambda: (private.decode_or_drop(watch.fill), private.add_order(order, spec, "t" * 40, 1))
    )
    slots = len(world.trader.core.memory.pairs[world.config.pair].slots)
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}, {slots} slots; us")
    print(f"{'':34}{'p50':>9}{'p99':>9}{'floor':>9}{'ratio':>8}{'steps':>8}")
    _row("tick (book frame, session and core)", watch.ticks, decode)
    _row("fill heard to order written", watch.orders, floor)


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
        f"{name:34}{p50 / 1000:>9.1f}{p99 / 1000:>9.1f}{floor / 1000:>9.2f}"
        f"{p50 / floor:>8.1f}{len(took):>8}"
    )


if __name__ == "__main__":
    main()
