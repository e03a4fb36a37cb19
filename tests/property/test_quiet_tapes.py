"""Made-up markets at every edge: leaving out the steps that change nothing changes nothing.

The collar's edge, sells that use up all that may be sold, pauses, emergencies, halts, an anchor
that must not follow: where a band of prices is proven, a whole tick would have said the same.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Final, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from shared.config import Config
from shared.units import MINUTE, SECOND
from sim.backtest.data import Bar, Deal
from sim.backtest.parts import Fill
from tests.simulation import walked

WALL: Final = 1_530_000_000 * SECOND
BARS: Final = 90


class Account(Struct, frozen=True):
    """money, worth: of the coins bought two years ago, and of those of last month."""

    money: int
    old: int
    young: int


class Edge(Struct, frozen=True):
    """Which limits are drawn near. Ratios; daily: of the account; bounds: of the first price."""

    collar: float
    pause: float
    emergency: float
    daily: float
    cap: float
    bounds: tuple[float, float] | None
    trailing: Literal["off", "up", "down", "both"]


accounts = st.builds(
    Account,
    st.sampled_from([0, 3_000, 50_000]),
    st.sampled_from([0, 1_000, 4_000, 40_000]),
    st.sampled_from([0, 1_000, 40_000]),
).filter(lambda held: held.money + held.old + held.young > 0)
edges = st.builds(
    Edge,
    st.sampled_from([0.01, 0.02, 0.03, 0.3]),
    st.sampled_from([0.005, 0.02, 0.15]),
    st.sampled_from([0.01, 0.03, 0.2]),
    st.sampled_from([0.01, 1.0]),
    st.sampled_from([0.02, 0.1, 0.5]),
    st.none() | st.sampled_from([(0.98, 1.01), (0.99, 1.03)]),
    st.sampled_from(["off", "off", "up", "both"]),
)
parts = st.lists(
    # How far it goes a bar, how wildly (basis points), and for how many bars.
    st.tuples(
        st.sampled_from([-60, -15, -4, 0, 0, 4, 15, 60]),
        st.sampled_from([0.0, 1.0, 5.0, 25.0]),
        st.integers(5, 40),
    ),
    min_size=2,
    max_size=6,
)


def tape(legs: list[tuple[int, float, int]], seed: int) -> list[Bar]:
    """Minutes whose highs and lows go beyond open and close."""
    dice, price, bars = random.Random(seed), 80_000.0, list[Bar]()
    for drift, wild, length in legs:
        for _ in range(length):
            opened = price
            price *= 1.0 + (drift + dice.gauss(0.0, wild)) / 10_000
            reach = abs(dice.gauss(0.0, wild)) / 10_000
            high, low = max(opened, price) * (1.0 + reach), min(opened, price) * (1.0 - reach)
            wall = WALL + len(bars) * MINUTE
            bars.append((wall, int(opened), int(high), int(low), int(price), 1_000_000))
    return bars


def config_of(held: Account, edge: Edge) -> Config:
    found = walked.settings()
    worth = held.money + held.old + held.young
    low, high = edge.bounds or (0.0, 0.0)
    lots = [f"{age}:{much}" for age, much in ((730, held.old), (30, held.young)) if much]
    return replace(
        found,
        demo=replace(found.demo, quote_balance=Decimal(held.money), opening_lots=tuple(lots)),
        grid=replace(
            found.grid,
            order_size_quote=Decimal(max(20, worth // 60)),
            lowest=Decimal(int(8_000 * low)),
            highest=Decimal(int(8_000 * high)),
            trailing=edge.trailing,
        ),
        limits=replace(
            found.limits,
            collar_pct=edge.collar,
            daily_loss_quote=Decimal(max(1, int(worth * edge.daily))),
        ),
        risk=replace(
            found.risk,
            max_portfolio_drawdown_pct=min(edge.pause, edge.emergency),
            emergency_drawdown_pct=edge.emergency,
        ),
        inventory=replace(found.inventory, rebalance_cap_pct=edge.cap),
    )


# A halt that comes with the tick after; a day that begins with it; an emergency about to sell.
@example(
    Account(50_000, 1_000, 40_000),
    Edge(0.01, 0.02, 0.01, 0.01, 0.02, (0.99, 1.03), "off"),
    [(0, 25.0, 6), (0, 25.0, 36), (0, 5.0, 19), (0, 25.0, 23), (-60, 25.0, 40)],
    944,
)
@example(
    Account(0, 0, 1_000),
    Edge(0.01, 0.02, 0.03, 1.0, 0.5, (0.98, 1.01), "off"),
    [(60, 0.0, 29), (15, 0.0, 33)],
    272,
)
@example(
    Account(0, 4_000, 0),
    Edge(0.03, 0.005, 0.01, 0.01, 0.1, (0.99, 1.03), "up"),
    [(60, 5.0, 37), (-15, 25.0, 9), (0, 0.0, 9), (0, 5.0, 25), (0, 1.0, 15), (-15, 1.0, 17)],
    351,
)
@settings(max_examples=20)
@given(accounts, edges, parts, st.integers(0, 1_000))
def test_a_made_up_market_ends_the_same_with_and_without_the_steps_that_change_nothing(
    held: Account, edge: Edge, legs: list[tuple[int, float, int]], seed: int
) -> None:
    bars, config = tape(legs, seed)[:BARS], config_of(held, edge)
    whole, _ = walked.run(bars, MINUTE, "through", config, skip=False)
    short, walk = walked.run(bars, MINUTE, "through", config, skip=True)
    walked.assert_the_same(whole, short)
    assert short.steps + walk.learned == whole.steps


def trades(seed: int, count: int) -> list[Deal]:
    """At prices of few Ticks, so that orders are reached to the very Tick and no farther."""
    dice, wall, price, found = random.Random(seed), WALL, 600, list[Deal]()
    for _ in range(count):
        wall += dice.randrange(SECOND, 20 * SECOND)
        price += dice.choice((-3, -1, 0, 0, 1, 3))
        found.append((wall, price, dice.choice((50_000, 300_000_000)), dice.random() < 0.5))
    return found


@pytest.mark.parametrize("fill", ["through", "touch", "queue"])
def test_a_market_that_stands_at_an_order_of_ours_is_looked_at_tick_by_tick(fill: Fill) -> None:
    held, edge = Account(3_000, 4_000, 0), Edge(0.3, 0.15, 0.2, 1.0, 0.5, None, "off")
    config, rows = config_of(held, edge), trades(3, 300)
    whole, _ = walked.run(rows, 0, fill, config, skip=False)
    short, walk = walked.run(rows, 0, fill, config, skip=True)
    walked.assert_the_same(whole, short)
    assert walked.course_of(whole).fills
    assert walk.learned > whole.steps / 2


@pytest.mark.parametrize("daily_loss", [1, 25_000])
def test_an_account_halted_or_not_is_locked_and_let_go_as_the_price_of_its_coins_wanders(
    daily_loss: int,
) -> None:
    held, edge = Account(50_000, 0, 1_000), Edge(0.3, 0.15, 0.2, 1.0, 0.5, None, "off")
    found = config_of(held, edge)
    config = replace(
        found,
        pair="BTC/EUR",
        demo=replace(found.demo, opening_lots=("20:1000",)),
        limits=replace(found.limits, daily_loss_quote=Decimal(daily_loss)),
        # Each coin at a gain is worth waiting for: locked above what it has cost, sold below.
        tax=replace(found.tax, near_threshold_days=1),
    )
    bars = tape([(-4, 1.0, 30), (4, 2.0, 40), (-4, 2.0, 40), (4, 2.0, 40)], seed=5)
    whole, _ = walked.run(bars, MINUTE, "through", config, skip=False)
    short, walk = walked.run(bars, MINUTE, "through", config, skip=True)
    walked.assert_the_same(whole, short)
    bands = walked.course_of(short).bands
    pauses = [band.pause for band in bands if bool(band.stop) is (daily_loss == 1)]
    assert pauses.count("TAX_LOCK_ACTIVE") > 2, pauses
    assert walk.learned > whole.steps / 2


def test_an_emergency_with_nothing_to_sell_learns_regimes_until_one_allows_fewer_coins() -> None:
    held, edge = Account(50_000, 40_000, 0), Edge(0.3, 0.01, 0.02, 1.0, 0.5, None, "off")
    found = config_of(held, edge)
    config = replace(found, regime=replace(found.regime, chaos_volatility_pct=2.0))
    # A fall into the emergency, which sells what a calm regime does not allow to be held; chaos.
    bars = tape([(-25, 5.0, 40), (0, 1.0, 120), (0, 45.0, 30), (0, 1.0, 150)], seed=11)
    whole, _ = walked.run(bars, MINUTE, "through", config, skip=False)
    short, walk = walked.run(bars, MINUTE, "through", config, skip=True)
    walked.assert_the_same(whole, short)
    course = walked.course_of(short)
    regimes = [band.regime for band in course.bands if band.pause == "EMERGENCY_SELL"]
    assert len(regimes) > 4
    assert "chaos" in regimes
    assert len(course.fills) == 23  # four on the way down, what chaos does not allow later
    assert short.steps + walk.learned == whole.steps
    assert short.steps < 2 * len(course.fills) + len(regimes)
