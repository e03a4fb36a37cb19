"""Steps that are left out change nothing: the same commands and fills as with all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from shared.units import DAY, MINUTE, Ns, Ticks
from sim.backtest.backtest import House
from sim.backtest.data import Bar, Deal, History
from sim.backtest.parts import Fill
from sim.backtest.walk import Walk
from sim.engine.instruments import LISTINGS
from strategy.core import snapshot
from strategy.core.gate import refuse
from strategy.core.ground import survey
from strategy.core.market import View
from strategy.core.out import In, Out
from strategy.core.pipeline import Core
from strategy.core.plan import Laid
from strategy.core.quiet import Band
from strategy.core.slots import Cancel
from tests.simulation.walked import assert_the_same, born, feed, run, settings

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
Step = Callable[[Ns, Sequence[In]], list[Out]]
needs_recordings = pytest.mark.skipif(
    not MARKET.exists(), reason=f"the recordings in {MARKET} are absent"
)


def recorded(name: str, first: int) -> tuple[list[Bar | Deal], int]:
    """Rows from that one on, and the length of the bars."""
    history = History([MARKET / name], LISTINGS["BTC/USD"].pair)
    rows = history.bars() if history.is_bars else history.deals()
    return list(islice(rows, first, first + ROWS)), history.interval


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), CASES)
def test_left_out_steps_change_no_command_no_fill_and_nothing_that_is_remembered(
    name: str, first: int, fill: Fill
) -> None:
    rows, interval = recorded(name, first)
    whole, _ = run(rows, interval, fill, settings(), skip=False)
    short, walk = run(rows, interval, fill, settings(), skip=True)
    assert whole.core.memory.counters["adds"] >= 6
    assert_the_same(whole, short)
    assert walk.learned > len(rows) // 4
    assert short.steps + walk.learned == whole.steps


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), (CASES[0], CASES[4]))
def test_nor_do_they_where_nothing_is_late(name: str, first: int, fill: Fill) -> None:
    rows, interval = recorded(name, first)
    whole, _ = run(rows, interval, fill, settings(), skip=False, latency=Ns(0))
    short, walk = run(rows, interval, fill, settings(), skip=True, latency=Ns(0))
    assert_the_same(whole, short)
    assert walk.learned > len(rows) // 4


@needs_recordings
def test_the_ticks_of_a_day_without_a_row_are_learned_from_too() -> None:
    rows, interval = recorded(CASES[0][0], 0)
    later = [(row[0] + DAY, *row[1:]) for row in rows[ROWS // 2 :]]
    rows = [*rows[: ROWS // 2], *cast(list[Bar | Deal], later)]
    whole, _ = run(rows, interval, "through", settings(), skip=False)
    short, walk = run(rows, interval, "through", settings(), skip=True)
    assert whole.steps > DAY // MINUTE
    assert short.steps < len(rows)
    assert_the_same(whole, short)
    assert short.steps + walk.learned == whole.steps


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), CASES[:2])
def test_what_a_tick_keeps_for_the_next_one_changes_nothing(
    name: str, first: int, fill: Fill
) -> None:
    """A core that is born again before each step has worked out nothing before."""
    rows, interval = recorded(name, first)
    rows, houses = rows[:150], []
    for forgets in (False, True):
        house = born(rows, interval, fill, settings(), skip=False)
        if forgets:
            house.core.step = _forgetful(house.core)  # type: ignore[method-assign]
        walk = Walk(house)
        feed(walk, rows)
        walk.finish()
        houses.append(house)
    one, other = houses
    assert one.core.memory.counters["amends"] > 0
    assert other.digest == one.digest
    assert other.core.memory.digest() == one.core.memory.digest()


def _forgetful(core: Core) -> Step:
    step = core.step

    def reborn(now: Ns, inbox: Sequence[In]) -> list[Out]:
        wall, config = core.memory.wall, core.memory.config
        core.memory = snapshot.restore(config, snapshot.take(core.memory))
        core.memory.wall = wall
        return step(now, inbox)

    return reborn


@needs_recordings
def test_a_halt_and_a_days_loss_come_at_the_same_moment_with_steps_left_out() -> None:
    rows, interval = recorded("binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz", 41_700)
    config = settings()
    tight = replace(
        config, limits=replace(config.limits, daily_loss_quote=config.limits.daily_loss_quote / 10)
    )
    whole, _ = run(rows, interval, "through", tight, skip=False)
    short, _ = run(rows, interval, "through", tight, skip=True)
    assert whole.halts > 0
    assert_the_same(whole, short)


@needs_recordings
@pytest.mark.parametrize(("name", "first", "fill"), CASES[:4])
def test_at_every_price_of_a_band_the_same_is_wished_and_nothing_is_asked(
    name: str, first: int, fill: Fill
) -> None:
    rows, interval = recorded(name, first)
    house = born(rows, interval, fill, settings(), skip=True)
    walk = Walk(house)
    seen = 0
    for row in rows[:300]:
        feed(walk, [row])
        band = house.band
        if band is not None and not house.core.memory.halt and not seen % 3:
            for bid in range(band.low, band.high + 1, max(1, (band.high - band.low) // 40)):
                assert _wishes(house, band, bid) == _kept(house), (band, bid)
        seen += band is not None
    assert seen > 20


def _wishes(house: House, band: Band, bid: int) -> tuple[object, ...]:
    """What a tick at this price at the band's last moment would wish; no command may come of it."""
    core, memory = house.core, house.core.memory
    pair = next(iter(memory.pairs.values()))
    assert pair.view is not None
    view: View = replace(pair.view, bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)
    _, hung, laid = core._wish(pair, view, survey(memory, pair, memory.now), memory.now)
    late = Ns(band.until - 1)
    asked = core._decide(pair, view, laid, late)
    assert len(asked) == band.refused
    seen, pair.view = pair.view, view
    for intent in asked:
        assert not isinstance(intent, Cancel)
        assert refuse(memory, pair, intent, late), (band, bid)
    pair.view = seen
    return hung, laid.buys, laid.sells


def _kept(house: House) -> tuple[object, ...]:
    pair = next(iter(house.core.memory.pairs.values()))
    laid: Laid | None = pair.laid
    assert laid is not None
    return pair.hung, laid.buys, laid.sells
