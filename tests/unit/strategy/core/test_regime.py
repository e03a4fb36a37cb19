"""Stage 4: volatility and momentum over time samples."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import SECOND, Ns
from strategy.core.market import Freshness
from strategy.core.regime import Kind, Regime, classify, sampled_all, values_of
from strategy.core.thresholds import Record, thresholds
from tests.unit.strategy.core.build import CONFIG, MID, make_view

CFG = CONFIG.regime
EDGES = thresholds(Record(), CFG)
START = Ns(1_000 * SECOND)


def walk(mids: Iterable[float], each: float = 60.0, regime: Regime | None = None) -> Regime:
    """One view each `each` seconds, beginning where the regime's last sample ended."""
    regime = regime or Regime()
    now = int(regime.next_sample or START)
    for mid in mids:
        regime = classify(regime, make_view(mid), Ns(now), EDGES, CFG)
        now += int(each * SECOND)
    return regime


def trend(bps_a_minute: float, minutes: int = 60) -> list[float]:
    return [MID * (1 + bps_a_minute / 10_000) ** k for k in range(minutes)]


def zigzag(bps: float, minutes: int = 60) -> list[float]:
    return [MID * (1 + (bps / 10_000 if k % 2 else 0)) for k in range(minutes)]


@pytest.mark.parametrize(
    ("mids", "kind"),
    [
        ([MID] * 60, Kind.RANGE_BOUND),
        (zigzag(10), Kind.RANGE_BOUND),
        (trend(12), Kind.TRENDING_UP),
        (trend(-12), Kind.TRENDING_DOWN),
        (zigzag(80), Kind.CHAOS),
        (trend(12, minutes=4), Kind.RANGE_BOUND),  # not warm yet
    ],
)
def test_what_the_market_is(mids: list[float], kind: Kind) -> None:
    assert walk(mids).kind is kind


def test_volatility_is_annualised() -> None:
    a_minute = math.log(1.001)
    expected = math.sqrt(a_minute**2 / 60 * 31_556_952)
    assert walk(zigzag(10, 400)).volatility == pytest.approx(expected, rel=0.05)


def test_chaos_is_entered_at_once_and_left_below_a_margin() -> None:
    calm = walk([MID] * 10)
    wild = walk(zigzag(300, 6), regime=calm)
    assert wild.kind is Kind.CHAOS
    assert walk([MID] * 120, regime=wild).kind is Kind.RANGE_BOUND


def test_nothing_is_sampled_between_two_samples_or_from_a_stale_view() -> None:
    regime = walk([MID] * 10)
    soon = Ns(regime.next_sample - 1)
    assert classify(regime, make_view(MID * 2), soon, EDGES, CFG) == regime
    stale = make_view(MID * 2, freshness=Freshness.STALE)
    assert classify(regime, stale, regime.next_sample, EDGES, CFG) == regime


def test_a_move_while_the_feed_was_away_belongs_to_all_of_that_time() -> None:
    calm = walk([MID] * 30)
    hour_later = Ns(calm.next_sample + 3600 * SECOND)
    after = classify(calm, make_view(MID * 1.02), hour_later, EDGES, CFG)
    assert after.volatility < CFG.chaos_volatility_pct
    assert after.kind is not Kind.CHAOS


def test_each_kind_has_its_values() -> None:
    found = [values_of(Regime(kind), CFG) for kind in Kind]
    assert found == [CFG.range_bound, CFG.trending_up, CFG.trending_down, CFG.chaos]


@given(
    st.lists(
        st.tuples(st.integers(1, 90), st.floats(-0.0003, 0.0003) | st.floats(-0.02, 0.02)),
        max_size=60,
    ),
    st.sampled_from([0.0, 600.0, 86_400.0]),
)
def test_a_run_of_ticks_ends_right_before_the_one_that_changes_the_kind(
    moves: list[tuple[int, float]], dwell: float
) -> None:
    cfg = replace(CFG, least_dwell_sec=dwell)
    begun = walk([MID] * 20)
    now, nows, mids = begun.next_sample - 60 * SECOND, list[Ns](), list[float]()
    for apart, part in moves:
        now += apart * SECOND
        nows.append(Ns(now))
        mids.append(MID * (1.0 + part))
    run, each, count = sampled_all(begun, nows, mids, EDGES, cfg), begun, 0
    for at, mid in zip(nows, mids, strict=True):
        after = classify(each, make_view(mid), at, EDGES, cfg)
        if after.kind is not begun.kind:
            assert run == (count, each, after)
            return
        each, count = after, count + 1
    assert run == (count, each, None)
