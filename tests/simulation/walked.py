"""A backtest's house that walks rows with and without the steps that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.units import MINUTE, Ns
from sim.backtest.backtest import House
from sim.backtest.course import Course
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Fill, Terms
from sim.backtest.walk import Walk

Rows = Sequence[Bar | Deal]
LATENCY = Terms().latency


def settings() -> Config:
    return replace(load(Home(Path("nowhere"))), pair="BTC/USD")


def born(
    rows: Rows, interval: int, fill: Fill, config: Config, *, skip: bool, latency: Ns = LATENCY
) -> House:
    """interval: of the bars, ns; 0 for trades."""
    terms = Terms(fill=fill, latency=latency, maker=1_200, taker=2_500)
    first = rows[0]
    return House(config, terms, Ns(first[0]), first[1], interval, Course(), skip=skip)


def feed(walk: Walk, rows: Rows) -> None:
    if walk.house.interval:
        walk.bars(cast(Sequence[Bar], rows), "low_first")
    else:
        walk.deals(cast(Sequence[Deal], rows))


def run(
    rows: Rows, interval: int, fill: Fill, config: Config, *, skip: bool, latency: Ns = LATENCY
) -> tuple[House, Walk]:
    house = born(rows, interval, fill, config, skip=skip, latency=latency)
    walk = Walk(house)
    feed(walk, rows)
    walk.finish()
    # The last tick is a whole one in both: the second price is told by such ticks alone.
    house.leave_band()
    bid = house.market.best("buy") or 1
    house.quote(Ns(rows[-1][0] - house.lead + interval + MINUTE), bid, bid + 1)
    house.finish()
    return house, walk


def course_of(house: House) -> Course:
    watch = house._watch
    assert isinstance(watch, Course)
    return watch


def assert_the_same(whole: House, short: House) -> None:
    """Commands, fills and all that is remembered, to the last bit."""
    assert short.digest == whole.digest
    assert short.halts == whole.halts
    assert (short.venue.coins, short.venue.money) == (whole.venue.coins, whole.venue.money)
    assert course_of(short).bands == course_of(whole).bands
    assert course_of(short).points == course_of(whole).points
    one, other = whole.core.memory, short.core.memory
    assert other.digest() == one.digest()
    for name in ("adds", "amends", "cancels", "gated"):
        assert other.counters.get(name) == one.counters.get(name), name
    for known, learned in zip(one.pairs.values(), other.pairs.values(), strict=True):
        assert learned.samples == known.samples
        assert learned.record == known.record
        assert learned.tape.extremes(other.now) == known.tape.extremes(one.now)
        assert (
            learned.laid is None
            or known.laid is None
            or ((learned.laid.buys, learned.laid.sells) == (known.laid.buys, known.laid.sells))
        )
