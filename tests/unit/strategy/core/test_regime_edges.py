"""The edges of each regime, of its thresholds and of the switch: what a slip would move."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared.units import BPS, SECOND, Ns
from strategy.core.deadman import Deadman, due
from strategy.core.regime import Kind, Regime, classify
from strategy.core.thresholds import YEAR_SECONDS, Record, Thresholds, note, quantile, thresholds
from tests.unit.strategy.core.build import CONFIG, MID
from tests.unit.strategy.core.test_breaker import make_view

# 4, the regime.

REGIME = CONFIG.regime
EDGES = Thresholds(chaos=4.0, trend_bps=60.0)
AT = Ns(10_000 * SECOND)
LONG_AGO = Ns(1_000 * SECOND)


def regime_after(
    kind: Kind, volatility: float, momentum_bps: float, since: Ns = LONG_AGO, samples: int = 100
) -> Kind:
    """What a regime becomes at a sample that leaves it with these figures."""
    keep = min(0.5 ** (REGIME.sample_sec / REGIME.half_life_sec), 1.0 - 1.0 / (samples + 1))
    price = math.log(MID)
    before = Regime(
        kind,
        since,
        volatility**2 / YEAR_SECONDS / keep,
        price - momentum_bps / BPS / keep,
        price,
        AT,
        samples,
    )
    found = classify(before, make_view(MID), AT, EDGES, REGIME)
    assert found.volatility == pytest.approx(volatility)
    assert found.momentum_bps == pytest.approx(momentum_bps, abs=1e-6)
    return found.kind


@pytest.mark.parametrize(
    ("kind", "volatility", "momentum", "then"),
    [
        (Kind.RANGE_BOUND, 3.99, 0.0, Kind.RANGE_BOUND),
        (Kind.RANGE_BOUND, 4.01, 0.0, Kind.CHAOS),
        (Kind.TRENDING_UP, 4.01, 100.0, Kind.CHAOS),
        (Kind.CHAOS, 3.21, 0.0, Kind.CHAOS),  # left at 80 % of the edge
        (Kind.CHAOS, 3.19, 0.0, Kind.RANGE_BOUND),
        (Kind.CHAOS, 3.19, 61.0, Kind.TRENDING_UP),
        (Kind.RANGE_BOUND, 1.0, 59.9, Kind.RANGE_BOUND),
        (Kind.RANGE_BOUND, 1.0, 60.1, Kind.TRENDING_UP),
        (Kind.RANGE_BOUND, 1.0, -59.9, Kind.RANGE_BOUND),
        (Kind.RANGE_BOUND, 1.0, -60.1, Kind.TRENDING_DOWN),
        (Kind.TRENDING_UP, 1.0, 36.1, Kind.TRENDING_UP),  # left at 60 % of the edge
        (Kind.TRENDING_UP, 1.0, 35.9, Kind.RANGE_BOUND),
        (Kind.TRENDING_UP, 1.0, -50.0, Kind.RANGE_BOUND),
        (Kind.TRENDING_UP, 1.0, -60.1, Kind.TRENDING_DOWN),
        (Kind.TRENDING_DOWN, 1.0, -36.1, Kind.TRENDING_DOWN),
        (Kind.TRENDING_DOWN, 1.0, -35.9, Kind.RANGE_BOUND),
        (Kind.TRENDING_DOWN, 1.0, 50.0, Kind.RANGE_BOUND),
        (Kind.TRENDING_DOWN, 1.0, 60.1, Kind.TRENDING_UP),
    ],
)
def test_each_regime_is_entered_and_left_at_its_own_edge(
    kind: Kind, volatility: float, momentum: float, then: Kind
) -> None:
    assert regime_after(kind, volatility, momentum) is then


def test_a_regime_dwells_but_chaos_is_entered_at_once() -> None:
    dwell = int(REGIME.least_dwell_sec * SECOND)
    young, old = Ns(AT - dwell + 1), Ns(AT - dwell)
    assert regime_after(Kind.RANGE_BOUND, 1.0, 90.0, since=young) is Kind.RANGE_BOUND
    assert regime_after(Kind.RANGE_BOUND, 1.0, 90.0, since=old) is Kind.TRENDING_UP
    assert regime_after(Kind.RANGE_BOUND, 9.0, 90.0, since=young) is Kind.CHAOS
    assert regime_after(Kind.CHAOS, 0.1, 0.0, since=young) is Kind.CHAOS


def test_each_change_begins_a_new_dwell_and_a_regime_that_stays_goes_on_with_its_own() -> None:
    """Wild at AT, then calm: chaos lasts its least time from AT on, however old what was before."""
    price = math.log(MID)
    wild = Regime(Kind.RANGE_BOUND, LONG_AGO, 1.0, price, price, AT, 100)
    regime = classify(wild, make_view(MID), AT, EDGES, REGIME)
    assert (regime.kind, regime.since) == (Kind.CHAOS, AT)
    calm = replace(regime, variance=0.0)
    dwell = int(REGIME.least_dwell_sec * SECOND)
    for after, kind in ((dwell - SECOND, Kind.CHAOS), (dwell, Kind.RANGE_BOUND)):
        found = classify(calm, make_view(MID), Ns(AT + after), EDGES, REGIME)
        assert found.kind is kind
        assert found.since == (AT if kind is Kind.CHAOS else AT + after)


def test_before_the_first_sample_nothing_is_known_of_volatility_and_momentum() -> None:
    assert (Regime().volatility, Regime().momentum_bps) == (0.0, 0.0)


def test_five_samples_are_enough_to_judge_and_four_are_not() -> None:
    assert regime_after(Kind.RANGE_BOUND, 9.0, 0.0, samples=3) is Kind.RANGE_BOUND
    assert regime_after(Kind.RANGE_BOUND, 9.0, 0.0, samples=4) is Kind.CHAOS


def test_until_the_window_is_warm_every_sample_weighs_the_same() -> None:
    regime, prices = Regime(), [MID, MID * 1.01, MID * 0.99]
    for n, price in enumerate(prices):
        at = Ns(AT + n * int(REGIME.sample_sec * SECOND))
        regime = classify(regime, make_view(price), at, EDGES, REGIME)
        if n == 0:
            first = math.log(price)
            due = Ns(at + int(REGIME.sample_sec * SECOND))
            assert regime == Regime(since=at, slow=first, last=first, next_sample=due, samples=1)
    logs = [math.log(price) for price in prices]
    assert regime.slow == pytest.approx(sum(logs) / 3)
    moves = [0.0, (logs[1] - logs[0]) ** 2, (logs[2] - logs[1]) ** 2]
    assert regime.variance == pytest.approx(sum(moves) / 3 / REGIME.sample_sec)
    assert regime.samples == 3


# 4, adaptive thresholds.


@pytest.mark.parametrize(
    ("part", "value"),
    [(0.0, 1.0), (0.25, 2.0), (0.5, 4.0), (0.75, 8.0), (1.0, 16.0), (0.125, 1.5), (0.875, 12.0)],
)
def test_a_quantile_lies_between_its_neighbours_in_proportion(part: float, value: float) -> None:
    assert quantile([1.0, 2.0, 4.0, 8.0, 16.0], part) == pytest.approx(value)
    assert quantile([3.0], part) == 3.0


def test_the_record_keeps_a_quarter_of_an_hour_and_forgets_beyond_its_window() -> None:
    adaptive = replace(REGIME.adaptive, window_hours=12)
    record = note(Record(), 0.05, AT, adaptive)
    assert record == Record((0.05,), Ns(AT + 900 * SECOND))
    assert note(record, 0.07, Ns(record.next_at - 1), adaptive) is record
    assert note(record, 0.0, record.next_at, adaptive) is record
    for n in range(60):
        record = note(record, 1.0 + n, record.next_at, adaptive)
    assert record.seen == tuple(1.0 + n for n in range(12, 60))


# The dead man's switch.


def test_a_switch_that_was_never_armed_covers_nothing_and_has_not_fired() -> None:
    fresh = Deadman()
    assert (fresh.left_s(Ns(0)), fresh.fired(AT), fresh.covers(Ns(0), CONFIG.ws)) == (
        0.0,
        False,
        False,
    )
    assert due(fresh, Ns(0), CONFIG.ws)


@pytest.mark.parametrize(
    ("timeout", "left_s", "covered"),
    [
        (3600, 15.0, True),
        (3600, 14.99, False),
        (60, 15.0, True),
        (60, 14.99, False),
        (20, 5.0, True),  # a quarter, where that is less
        (20, 4.99, False),
    ],
)
def test_an_order_needs_fifteen_seconds_of_cover(
    timeout: int, left_s: float, covered: bool
) -> None:
    ws = replace(CONFIG.ws, cancel_after_timeout_sec=timeout)
    switch = Deadman(until=Ns(AT + int(left_s * SECOND)), asked_at=AT)
    assert switch.covers(AT, ws) is covered
    assert not switch.fired(AT)
    assert switch.fired(switch.until)


def test_chaos_begins_at_a_high_quantile_and_trends_at_a_multiple_of_the_median() -> None:
    """Volatilities from 1 to 3: the median is 2, which no other quantile of them is."""
    adaptive = replace(
        REGIME.adaptive, enabled=True, warm_up_hours=3, chaos_quantile=0.75, chaos_factor=1.5,
        chaos_min_pct=0.1, chaos_max_pct=100.0, trend_factor=2.0,
        trend_min_bps=Decimal(1), trend_max_bps=Decimal(10_000),
    )  # fmt: skip
    cfg = replace(REGIME, adaptive=adaptive, half_life_sec=600.0)
    seen = tuple(1.0 + n / 20 for n in range(41))
    edges = thresholds(Record(seen), cfg)
    assert edges.adaptive
    assert edges.chaos == pytest.approx(2.5 * 1.5)
    assert edges.trend_bps == pytest.approx(2.0 * 2.0 * math.sqrt(600 / 31_556_952) * 10_000)
    assert not thresholds(Record(seen[:11]), cfg).adaptive
    assert thresholds(Record(seen[:12]), cfg).adaptive


def test_a_late_sample_counts_for_all_of_its_time() -> None:
    """Ten minutes late: its move is spread over eleven, and the past weighs by so much less."""
    price = math.log(MID)
    before = Regime(Kind.RANGE_BOUND, LONG_AGO, 1e-8, price, price, AT, 100)
    late = Ns(AT + 600 * SECOND)
    found = classify(before, make_view(MID * 1.01), late, EDGES, REGIME)
    elapsed = REGIME.sample_sec + 600.0
    keep = 0.5 ** (elapsed / REGIME.half_life_sec)
    move = math.log(MID * 1.01) - price
    assert found.variance == pytest.approx(keep * 1e-8 + (1 - keep) * move**2 / elapsed)
    assert found.slow == pytest.approx(keep * price + (1 - keep) * (price + move))
    assert found.next_sample == late + int(REGIME.sample_sec * SECOND)
