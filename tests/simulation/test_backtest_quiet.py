"""Steps that are left out change nothing: the same commands and fills as with all of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.config import Home, load
from shared.units import Ns
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, History
from sim.backtest.parts import Fill, Terms
from sim.engine.instruments import LISTINGS

MARKET = Path(__file__).resolve().parents[2].parent / "shared/data/market"
ROWS = 600
CASES = (
    # File, the first row, how orders fill.
    ("bitfinex_btcusd_1m_2018.csv.gz", 0, "through"),
    ("binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz", 41_600, "touch"),  # the crash of 19 May
    ("binance_btcusdt_1m_2019-10-15_2019-11-14.csv.gz", 13_500, "through"),  # up 40 % in a day
    ("bitvavo_btceur_1h_2019-12_2024-05.csv.gz", 1_500, "through"),  # March 2020, hours
)


def run(bars: list[Bar], interval: int, fill: Fill, home: Path, *, skip: bool) -> House:
    config = replace(load(Home(home)), pair="BTC/USD")
    terms = Terms(fill=fill, maker=1_200, taker=2_500)
    house = House(config, terms, Ns(bars[0][0]), bars[0][1], interval, Course(), skip=skip)
    for bar in bars:
        house.bar(bar, "low_first")
    house.finish()
    return house


@pytest.mark.skipif(not MARKET.exists(), reason=f"the recordings in {MARKET} are absent")
@pytest.mark.parametrize(("name", "first", "fill"), CASES)
def test_left_out_steps_change_no_command_and_no_fill(
    name: str, first: int, fill: Fill, tmp_path: Path
) -> None:
    history = History([MARKET / name], LISTINGS["BTC/USD"].pair)
    bars = list(islice(history.bars(), first, first + ROWS))
    whole = run(bars, history.interval, fill, tmp_path, skip=False)
    short = run(bars, history.interval, fill, tmp_path, skip=True)
    assert whole.core.memory.counters["adds"] >= 10
    assert short.digest == whole.digest
    assert (short.coins, short.money) == (whole.coins, whole.money)
    for learnt in ("regime", "breaker", "samples", "spacing_bps"):
        pairs = [next(iter(house.core.memory.pairs.values())) for house in (whole, short)]
        assert getattr(pairs[0], learnt) == getattr(pairs[1], learnt), learnt
    assert short.core.memory.risk == whole.core.memory.risk
    assert short.quiet is not None
    assert short.quiet.skipped > 0
    assert short.steps < whole.steps
