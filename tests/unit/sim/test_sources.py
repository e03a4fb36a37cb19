"""The made-up market and the background liquidity: what they promise about themselves."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import SECOND
from sim.engine.instruments import LISTINGS
from sim.engine.liquidity import Liquidity
from sim.sources import SHAPES, Hit, MadeUp, Quote, Shape

PAIR = LISTINGS["BTC/EUR"].pair


def made_up(shape: Shape = "ranging", seed: int = 1, volatility: float = 2.5) -> MadeUp:
    return MadeUp(PAIR, shape, seed, volatility, 85_000.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_market_is_a_function_of_seed_and_time(shape: Shape) -> None:
    whole = list(made_up(shape).until(300 * SECOND))
    again = made_up(shape)
    again.seek(100 * SECOND)
    assert list(again.until(300 * SECOND)) == [t for t in whole if t.at > 100 * SECOND]
    assert list(made_up(shape, seed=2).until(300 * SECOND)) != whole


@pytest.mark.parametrize("shape", SHAPES)
def test_ticks_come_in_order_and_trades_happen_at_the_touch(shape: Shape) -> None:
    touch = made_up(shape).opening()
    last = 0
    for tick in made_up(shape).until(900 * SECOND):
        assert tick.at >= last
        last = tick.at
        if isinstance(tick, Quote):
            assert 0 < tick.bid < tick.ask
            touch = tick
        else:
            assert tick.price == (touch.ask if tick.side == "buy" else touch.bid)
            assert tick.qty > 0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_ranging_market_reads_as_its_volatility_and_stays_calm(seed: int) -> None:
    """What the default configuration needs: below 4.0 sampled each 5 s, no 3 % in a minute."""
    market = made_up(seed=seed)
    prices = [market.price(second * SECOND) for second in range(7_200)]
    moves = [b / a - 1 for a, b in pairwise(prices[::5])]
    mean = sum(moves) / len(moves)
    variance = sum((move - mean) ** 2 for move in moves) / len(moves)
    assert 2.0 < (variance * 31_557_600 / 5) ** 0.5 < 3.0
    minute = [max(prices[n : n + 60]) / min(prices[n : n + 60]) for n in range(7_100)]
    assert max(minute) < 1.015


def test_the_crash_falls_faster_than_the_breaker_allows_and_comes_back() -> None:
    market = made_up("crashing")
    assert market.price(360 * SECOND) / market.price(300 * SECOND) < 0.96
    assert market.price(1_200 * SECOND) / market.price(0) < 0.78
    assert market.price(2_300 * SECOND) / market.price(0) > 0.95


def test_the_trend_rises_for_two_hours() -> None:
    market = made_up("trending")
    hours = [market.price(n * 1_800 * SECOND) for n in range(5)]
    assert hours == sorted(hours)


def test_the_past_ends_where_the_market_begins() -> None:
    past = list(made_up().history(120))
    assert all(isinstance(hit, Hit) and -120 * SECOND <= hit.at <= 0 for hit in past)
    assert len(past) > 50


@settings(max_examples=50, deadline=None)
@given(
    st.integers(3, 10**7),
    st.integers(1, 30),
    st.lists(
        st.one_of(
            st.tuples(st.just("move"), st.integers(-40, 40), st.integers(1, 9)),
            st.tuples(st.just("hit"), st.booleans(), st.integers(1, 10**9)),
            st.tuples(st.just("take"), st.booleans(), st.integers(0, 4)),
            st.tuples(st.just("poke")),
        ),
        max_size=30,
    ),
)
def test_the_background_is_always_sorted_positive_and_uncrossed(
    bid: int, spread: int, steps: list[tuple[object, ...]]
) -> None:
    book = Liquidity(PAIR, 7, bid, bid + spread)
    for step in steps:
        match step:
            case ("move", int(by), int(width)):
                touch = max(2, book.bid + by)
                book.move(touch, touch + width)
            case ("hit", bool(buys), int(qty)):
                book.hit("buy" if buys else "sell", qty)
            case ("take", bool(buys), int(levels)):
                side = list(islice(book.asks() if buys else book.bids(), levels))
                for price, qty in side:
                    if price > 1:
                        book.take("buy" if buys else "sell", price, qty)
            case _:
                book.poke()
        bids, asks = list(islice(book.bids(), 12)), list(islice(book.asks(), 12))
        assert bids[0][0] < asks[0][0]
        assert all(a > b for (a, _), (b, _) in pairwise(bids))
        assert all(a < b for (a, _), (b, _) in pairwise(asks))
        assert all(qty > 0 and price > 0 for price, qty in bids + asks)
        for side, levels_ in (("buy", bids), ("sell", asks)):
            assert all(book.qty_at(side, price) == qty for price, qty in levels_)
