"""Bars a second of the whole pipeline on a year of real minutes, beside the peers where installed.

Run as `python tests/bench/bench_backtest.py [ROWS]`; without ROWS the first
60,000 of the year, with 600000 all of it. Every engine is
given the same rows and a grid of ten levels; the peers' grids know no tax, no fees' floor, no rate
limit and no regime. Versions are printed; an absent peer is 'not measured'.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import Ns
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, History
from sim.backtest.parts import Terms
from sim.engine.instruments import LISTINGS

YEAR = (
    Path(__file__).resolve().parents[2].parent / "shared/data/market/bitfinex_btcusd_1m_2018.csv.gz"
)
UNSKIPPED = 20_000
PAIR = LISTINGS["BTC/USD"].pair
STEP = 0.0039


def config() -> Config:
    """Twenty slots, and an account so large that tax, funds and shares never stop the grid."""
    found = load(Home(Path("nowhere")))
    return replace(
        found,
        pair="BTC/USD",
        grid=replace(found.grid, levels=10),
        limits=replace(found.limits, daily_loss_quote=found.limits.daily_loss_quote * 10_000),
        demo=replace(
            found.demo,
            quote_balance=found.demo.quote_balance * 1_000,
            opening_lots=("400:60000000",),
        ),
    )


def ours(rows: int, *, skip: bool) -> float:
    """Bars a second, reading the file included; prints a line."""
    history = History([YEAR], PAIR)
    bars = islice(history.bars(), rows)
    first: Bar = next(bars)
    course = Course()
    terms = Terms(maker=1_200, taker=2_500)
    house = House(config(), terms, Ns(first[0]), first[1], history.interval, course, skip=skip)
    begin = time.perf_counter()
    count = 1
    house.bar(first, "low_first")
    for bar in bars:
        house.bar(bar, "low_first")
        count += 1
    house.finish()
    rate = count / (time.perf_counter() - begin)
    skipped = house.quiet.skipped if house.quiet is not None else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{'ours' if skip else 'ours, no step left out':34}{rate:>12,.0f} bars/s   {count:,} bars, "
        f"{house.steps:,} whole steps, {skipped:,} light ones, {len(course.fills):,} fills, "
        f"peak {peak:.0f} MB"
    )
    return rate


def backtesting(rows: int) -> float | None:
    """backtesting.py with a ladder of ten limit orders; None where it is not installed."""
    try:
        module: Any = import_module("backtesting")
        pandas: Any = import_module("pandas")
    except ImportError:
        print(f"{'backtesting.py':34}{'not measured':>12}   (not installed)")
        return None
    bars = list(islice(History([YEAR], PAIR).bars(), rows))
    scale = float(10**PAIR.price_decimals)
    frame = pandas.DataFrame(
        [(b[1] / scale, b[2] / scale, b[3] / scale, b[4] / scale, b[5] / 1e8) for b in bars],
        columns=["Open", "High", "Low", "Close", "Volume"],
        index=pandas.to_datetime([b[0] for b in bars]),
    )

    def init(self: Any) -> None:
        self.anchor = self.data.Close[-1]

    def follow(self: Any) -> None:
        price = self.data.Close[-1]
        if abs(price / self.anchor - 1) < STEP and self.orders:
            return
        for order in self.orders:
            order.cancel()
        self.anchor = price
        for rung in range(1, 11):
            self.buy(
                size=0.0005, limit=price * (1 - STEP * rung), tp=price * (1 - STEP * rung) * 1.01
            )

    ladder = type("Ladder", (module.Strategy,), {"init": init, "next": follow})
    test = module.Backtest(frame, ladder, cash=1e9, commission=0.0012, finalize_trades=True)
    begin = time.perf_counter()
    test.run()
    rate = len(bars) / (time.perf_counter() - begin)
    print(f"{'backtesting.py ' + version('backtesting'):34}{rate:>12,.0f} bars/s")
    return rate


def main() -> None:
    if not YEAR.exists():
        print(f"not measured: {YEAR.name} is absent")
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    print(f"backtest   Python {platform.python_version()}, {min(rows, 520_499):,} rows of 2018")
    rate = ours(rows, skip=True)
    ours(min(rows, UNSKIPPED), skip=False)
    peer = backtesting(rows)
    if peer is not None:
        print(f"{'ratio to backtesting.py':34}{rate / peer:>12.2f}")
    try:
        import_module("nautilus_trader")
        print(f"{'nautilus_trader':34}{'not measured':>12}   (installed, no adapter for its data)")
    except ImportError:
        print(f"{'nautilus_trader':34}{'not measured':>12}   (not installed)")


if __name__ == "__main__":
    main()
