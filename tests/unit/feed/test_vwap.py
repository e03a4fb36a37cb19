"""Rolling averages against sums that are made anew each time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.vwap import RollingVwap
from shared.frames import Trade, VwapWindow
from shared.units import SECOND, Ns


def trade(number: int, second: int, price: int, qty: int) -> Trade:
    return Trade(number, "buy", price, qty, Ns(second * SECOND))


STEPS = st.lists(
    st.tuples(st.integers(-3, 40), st.integers(1, 10**7), st.integers(1, 10**10)), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 200))
def test_windows_equal_the_sums_over_their_trades(
    steps: list[tuple[int, int, int]], quiet: int
) -> None:
    vwap = RollingVwap((60, 10, 300))
    heard: list[tuple[int, int, int]] = []
    second = 1_000
    for number, (advance, price, qty) in enumerate(steps):
        # A trade dated before its forerunner counts at the forerunner's time.
        second = max(second, second + advance)
        vwap.add(trade(number, second, price, qty))
        heard.append((second, price, qty))
        if number % 3 == 0:
            vwap.at(Ns(second * SECOND), 1)
    end = second + quiet
    for window in vwap.at(Ns(end * SECOND), 1):
        inside = [(p, q) for when, p, q in heard if when > end - window.seconds]
        volume = sum(q for _, q in inside)
        product = sum(p * q for p, q in inside)
        expected = product / volume / 10 if volume else 0.0
        assert window == VwapWindow(window.seconds, expected, volume, len(inside))


def test_windows_empty_while_nothing_trades() -> None:
    vwap = RollingVwap((60,))
    vwap.add(trade(1, 1_000, 850_000, 100))
    assert vwap.at(Ns(1_059 * SECOND), 1) == (VwapWindow(60, 85_000.0, 100, 1),)
    assert vwap.at(Ns(1_060 * SECOND), 1) == (VwapWindow(60, 0.0, 0, 0),)


def test_an_unknown_clock_counts_from_the_last_trade() -> None:
    vwap = RollingVwap((60,))
    vwap.add(trade(1, 1_000, 850_000, 100))
    vwap.add(trade(2, 1_061, 860_000, 100))
    assert vwap.at(Ns(0), 1) == (VwapWindow(60, 86_000.0, 100, 1),)


def test_memory_is_bounded_and_the_sums_stay_those_of_what_is_kept() -> None:
    vwap = RollingVwap((10**6, 10), most=100)
    for number in range(1_000):
        vwap.add(trade(number, 1_000 + number, 10, 1))
    longest, shortest = vwap.at(Ns(1_999 * SECOND), 0)
    assert 90 <= longest.trades <= 100
    assert longest.vwap == 10.0
    assert shortest.trades == 10


def test_expired_trades_are_given_back() -> None:
    vwap = RollingVwap((5,))
    for number in range(10_000):
        vwap.add(trade(number, number, 10, 1))
        vwap.at(Ns(number * SECOND), 0)
    assert len(vwap._trades) < 3_000
