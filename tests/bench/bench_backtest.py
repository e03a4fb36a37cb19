"""Bars a second of the whole pipeline on a year of real minutes, beside the peers where installed.

Run as `python tests/bench/bench_backtest.py [ROWS]`; without ROWS the first 60,000 of the year,
with 600000 all of it. Every engine is given the same rows, read before, and a ladder of ten rungs
on each side with the same distance between them, for three distances; this house also a quiet
fortnight, and both with the settings as they are delivered. The peers' ladders are laid anew once
the price has left their anchor by a rung; they know no tax, no fees' floor, no rate limit and no
regime. Seconds are those of the processor, so that what else runs on the machine does not count. An
absent peer is 'not measured'.

What fills costs more than what does not, so each line says how many fills there were, and the
last ones what a bar and a fill cost each engine, by the nearest and the widest distance.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from io import StringIO
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import SECOND, Ns
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, History
from sim.backtest.parts import Terms
from sim.backtest.walk import Walk
from sim.engine.instruments import LISTINGS

YEAR = (
    Path(__file__).resolve().parents[2].parent / "shared/data/market/bitfinex_btcusd_1m_2018.csv.gz"
)
UNSKIPPED = 10_000
AT_ONCE = 256
PAIR = LISTINGS["BTC/USD"].pair
SPACINGS = (39, 100, 150)
"""Basis points between two rungs: in the year about 26,600, 3,800 and 1,740 fills of this house."""

QUIET = 1_540_080_000 * SECOND  # 21 October 2018
FORTNIGHT = 20_000


class Run(NamedTuple):
    """One engine over some rows; seconds of processor time."""

    rows: int
    seconds: float
    fills: int

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def config(bps: int = 39) -> Config:
    """Twenty slots, and an account so large that tax, funds, shares and risk never stop the grid.

    The models of spacing are off: every engine's rungs stand the same distance apart.
    """
    found = load(Home(Path("nowhere")))
    regime = found.regime
    values = {
        name: replace(getattr(regime, name), grid_levels=10)
        for name in ("range_bound", "trending_up", "trending_down")
    }
    return replace(
        found,
        pair="BTC/USD",
        grid=replace(found.grid, levels=10, min_spacing_bps=Decimal(bps)),
        bollinger=replace(found.bollinger, enabled=False),
        regime=replace(regime, **values),
        limits=replace(
            found.limits,
            daily_loss_quote=found.limits.daily_loss_quote * 10_000,
            collar_pct=0.5,
        ),
        risk=replace(
            found.risk, max_portfolio_drawdown_pct=0.97, emergency_drawdown_pct=0.98
        ),
        demo=replace(
            found.demo,
            quote_balance=found.demo.quote_balance * 1_000,
            opening_lots=("400:60000000",),
        ),
    )  # fmt: skip


def rated(name: str, rows: int, work: Callable[[], tuple[int, str]]) -> Run:
    """Times what gives the number of fills and a remark; prints a line."""
    begin = time.process_time()
    with redirect_stderr(StringIO()), catch_warnings():  # progress bars and advice of the peers
        simplefilter("ignore")
        fills, told = work()
    run = Run(rows, time.process_time() - begin, fills)
    often = f"{fills:,} fills, {fills * 1000 / rows:.1f} in 1,000 bars"
    print(f"{name:42}{run.rate:>12,.0f} bars/s   {often}{told and '; ' + told}")
    return run


def delivered() -> Config:
    """What a person gets who changes nothing."""
    return replace(load(Home(Path("nowhere"))), pair="BTC/USD")


def ours(
    bars: Sequence[Bar], interval: int, settings: Config, name: str = "ours", *, skip: bool = True
) -> Run:
    """The production core before the simulated exchange's matching."""

    def work() -> tuple[int, str]:
        course, terms = Course(), Terms(maker=1_200, taker=2_500)
        first = bars[0]
        house = House(settings, terms, Ns(first[0]), first[1], interval, course, skip=skip)
        walk = Walk(house)
        for begin in range(0, len(bars), AT_ONCE):
            walk.bars(bars[begin : begin + AT_ONCE], "low_first")
        walk.finish()
        return len(course.fills), f"{house.steps:,} whole ticks, {walk.learned:,} learned from"

    return rated(name, len(bars), work)


def backtesting(bars: Sequence[Bar], bps: int) -> Run | None:
    """backtesting.py with a ladder of ten limit orders on each side."""
    try:
        module: Any = import_module("backtesting")
        pandas: Any = import_module("pandas")
    except ImportError:
        absent("backtesting.py")
        return None
    scale, step = float(10**PAIR.price_decimals), bps / 10_000
    frame = pandas.DataFrame(
        [(b[1] / scale, b[2] / scale, b[3] / scale, b[4] / scale, b[5] / 1e8) for b in bars],
        columns=["Open", "High", "Low", "Close", "Volume"],
        index=pandas.to_datetime([b[0] for b in bars]),
    )

    def init(self: Any) -> None:
        self.anchor = 0.0

    def follow(self: Any) -> None:
        price = self.data.Close[-1]
        if self.anchor and abs(price / self.anchor - 1) < step:
            return
        for order in tuple(self.orders):
            order.cancel()
        self.anchor = price
        for rung in range(1, 11):
            self.buy(size=1, limit=price * (1 - step * rung))
            self.sell(size=1, limit=price * (1 + step * rung))

    def work() -> tuple[int, str]:
        ladder = type("Ladder", (module.Strategy,), {"init": init, "next": follow})
        test = module.Backtest(frame, ladder, cash=1e9, commission=0.0012, finalize_trades=True)
        result = test.run()
        return 2 * result["# Trades"], ""

    return rated(f"backtesting.py {version('backtesting')}", len(bars), work)


def nautilus(bars: Sequence[Bar], bps: int) -> Run | None:
    """nautilus_trader's BacktestEngine with a ladder of ten limit orders on each side."""
    try:
        ladder: Any = import_module("nautilus_ladder")  # beside this script
    except ImportError:
        absent("nautilus_trader")
        return None
    engine = ladder.engine(bars, PAIR, bps)

    def work() -> tuple[int, str]:
        engine.run()
        return ladder.fills(engine), ""

    return rated(f"nautilus_trader {version('nautilus_trader')}", len(bars), work)


def absent(name: str) -> None:
    print(f"{name:42}{'not measured':>12}   (not installed: pip install .[bench])")


def apart(name: str, runs: Sequence[Run]) -> None:
    """What a bar and what a fill cost, where runs over the same rows had unlike many fills."""
    if not runs:
        return
    many, few = runs[0], runs[-1]
    if many.fills > few.fills:
        each = (many.seconds - few.seconds) / (many.fills - few.fills)
        bar = max(0.0, few.seconds - few.fills * each) / few.rows
        print(f"{name:42}{bar * 1e6:>9,.1f} µs a bar, {each * 1e6:,.0f} µs a fill")


def main() -> None:
    if not YEAR.exists():
        print(f"not measured: {YEAR.name} is absent")
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    history = History([YEAR], PAIR)
    begin = time.process_time()
    bars = list(islice(history.bars(), rows))
    reading = len(bars) / (time.process_time() - begin)
    print(f"backtest   Python {platform.python_version()}, {len(bars):,} minutes of 2018")
    print(f"{'reading and checking the rows':42}{reading:>12,.0f} bars/s")
    later = dropwhile(lambda bar: bar[0] < QUIET, History([YEAR], PAIR).bars())
    quiet = list(islice(later, FORTNIGHT))
    print("\nas delivered")
    ours(bars, history.interval, delivered())
    ours(quiet, history.interval, delivered(), "ours, a quiet fortnight")
    runs: dict[str, list[Run]] = {"ours": [], "backtesting.py": [], "nautilus_trader": []}
    for bps in SPACINGS:
        print(f"\nrungs {bps} bps apart")
        settings = config(bps)
        mine = ours(bars, history.interval, settings)
        runs["ours"].append(mine)
        every = bars[:UNSKIPPED]
        ours(every, history.interval, settings, "ours, every tick whole", skip=False)
        ours(quiet, history.interval, settings, "ours, a quiet fortnight")
        for name, measured in (("backtesting.py", backtesting), ("nautilus_trader", nautilus)):
            peer = measured(bars, bps)
            if peer is not None:
                runs[name].append(peer)
                print(f"{'ratio to ' + name:42}{mine.rate / peer.rate:>12.2f}")
    print(f"\nby {SPACINGS[0]} and {SPACINGS[-1]} bps")
    for name, found in runs.items():
        apart(name, found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory, all rows of the year and every engine in it: {peak:.0f} MB")


if __name__ == "__main__":
    main()
