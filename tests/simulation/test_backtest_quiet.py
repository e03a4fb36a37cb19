"""Steps that are left out change nothing: the same commands and fills as with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import MINUTE, Ns, Ticks
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, Deal, History
from sim.backtest.parts import Fill, Terms
from sim.backtest.walk import Walk
from sim.engine.instruments import LISTINGS
from strategy.core.market import View
from strategy.core.plan import Laid
from strategy.core.quiet import Band

MARKET = Path(__file__).resolve().parents[2].parent / "shared/data/market"
ROWS = 600
CASES = (
    # File, the first row, how orders fill.
    ("bitfinex_btcusd_1m_2018.csv.gz", 0, "through"),
    ("binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz", 41_600, "touch"),  # the crash of 19 May
    ("binance_btcusdt_1m_2019-10-15_2019-11-14.csv.gz", 13_500, "through"),  # up 40 % in a day
    ("bitvavo_btceur_1h_2019-12_2024-05.csv.gz", 1_500, "through"),  # March 2020, hours
    ("kraken_btcusd_trades_2019-07-01T00.csv.gz", 0, "queue"),  # a fall of 4 % in an hour
    ("binance_btcusdc_aggtrades_2025-10-04.zip", 0, "touch"),
)
needs_recordings = pytest.mark.skipif(
    not MARKET.exists(), reason=f"the recordings in {MARKET} are absent"
)


def run(
    history: History, rows: Sequence[Bar | Deal], fill: Fill, config: Config, *, skip: bool
) -> tuple[House, Walk]:
    house = born(history, rows, fill, config, skip=skip)
    walk = Walk(house)
    feed(walk, history, rows)
    walk.finish()
    # The last tick is a whole one in both: the second price is told by such ticks alone.
    house.band = None
    bid = house.market.best("buy") or 1
    house.quote(Ns(rows[-1][0] - house.lead + history.interval + MINUTE), bid, bid + 1)
    house.finish()
    return house, walk


def born(
    history: History, rows: Sequence[Bar | Deal], fill: Fill, config: Config, *, skip: bool
) -> House:
    terms = Terms(fill=fill, maker=1_200, taker=2_500)
    first = rows[0]
    return House(config, terms, Ns(first[0]), first[1], history.interval, Course(), skip=skip)


def feed(walk: Walk, history: History, rows: Sequence[Bar | Deal]) -> None:
    if history.is_bars:
        walk.bars(cast(Sequence[Bar], rows), "low_first")
    else:
        walk.deals(cast(Sequence[Deal], rows))


def recorded(name: str, first: int) -> tuple[History, list[Bar | Deal]]:
    history = History([MARKET / name], LISTINGS["BTC/USD"].pair)
    rows = history.bars() if history.is_bars else history.deals()
    return history, list(islice(rows, first, first + ROWS))


def settings(home: Path) -> Config:
    return replace(load(Home(home)), pair="BTC/USD")


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), CASES)
def test_left_out_steps_change_no_command_no_fill_and_nothing_that_is_remembered(
    name: str, first: int, fill: Fill, tmp_path: Path
) -> None:
    history, rows = recorded(name, first)
    whole, _ = run(history, rows, fill, settings(tmp_path), skip=False)
    short, walk = run(history, rows, fill, settings(tmp_path), skip=True)
    assert whole.core.memory.counters["adds"] >= 6
    assert short.digest == whole.digest
    assert (short.coins, short.money) == (whole.coins, whole.money)
    assert short.core.memory.digest() == whole.core.memory.digest()
    pairs = [next(iter(house.core.memory.pairs.values())) for house in (whole, short)]
    assert pairs[0].samples == pairs[1].samples
    assert pairs[0].record == pairs[1].record
    assert pairs[0].tape.extremes(short.core.memory.now) == pairs[1].tape.extremes(
        short.core.memory.now
    )
    assert walk.learned > len(rows) // 4
    assert short.steps + walk.learned == whole.steps


@needs_recordings
def test_a_halt_and_a_days_loss_come_at_the_same_moment_with_steps_left_out(
    tmp_path: Path,
) -> None:
    history, rows = recorded("binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz", 41_700)
    config = settings(tmp_path)
    tight = replace(
        config, limits=replace(config.limits, daily_loss_quote=config.limits.daily_loss_quote / 10)
    )
    whole, _ = run(history, rows, "through", tight, skip=False)
    short, _ = run(history, rows, "through", tight, skip=True)
    assert whole.halts > 0
    assert (short.halts, short.digest) == (whole.halts, whole.digest)
    assert short.core.memory.digest() == whole.core.memory.digest()


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), CASES[:4])
def test_at_every_price_of_a_band_the_same_is_wished_and_nothing_is_asked(
    name: str, first: int, fill: Fill, tmp_path: Path
) -> None:
    history, rows = recorded(name, first)
    house = born(history, rows, fill, settings(tmp_path), skip=True)
    walk = Walk(house)
    seen = 0
    for row in rows[:300]:
        feed(walk, history, [row])
        band = house.band
        if band is not None and not band.idle and not seen % 3:
            for bid in range(band.low, band.high + 1, max(1, (band.high - band.low) // 40)):
                assert _wishes(house, band, bid) == _kept(house), (band, bid)
        seen += band is not None
    assert seen > 20


def _wishes(house: House, band: Band, bid: int) -> tuple[object, ...]:
    """What a tick at this price at the band's last moment would wish; no intent may come of it."""
    core, memory = house.core, house.core.memory
    pair = next(iter(memory.pairs.values()))
    assert pair.view is not None
    view: View = replace(pair.view, bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)
    wished = core._wish(pair, view, memory.now)
    assert wished is not None
    _, hung, laid = wished
    assert not core._decide(pair, view, laid, Ns(band.until - 1))
    return hung, laid.buys, laid.sells


def _kept(house: House) -> tuple[object, ...]:
    pair = next(iter(house.core.memory.pairs.values()))
    laid: Laid | None = pair.laid
    assert laid is not None
    return pair.hung, laid.buys, laid.sells
