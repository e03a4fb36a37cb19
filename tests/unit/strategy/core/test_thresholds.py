"""Adaptive thresholds: quantiles of what was seen, inside their bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from strategy.core.thresholds import Ranked, Record, note, quantile, rank, thresholds
from tests.unit.strategy.core.build import CONFIG, make_config

CFG = CONFIG.regime
START = Ns(1_000 * SECOND)
WARM = CFG.adaptive.warm_up_hours * 4
volatilities = st.lists(st.floats(0.01, 50.0), min_size=WARM, max_size=WARM + 20).map(tuple)


def test_until_it_is_warm_and_where_it_is_off_the_fixed_edges_stand() -> None:
    for record, cfg in (
        (Record((0.5,) * (WARM - 1)), CFG),
        (Record((0.5,) * WARM), make_config(regime={"adaptive": OFF}).regime),
    ):
        edges = thresholds(record, cfg)
        assert (edges.chaos, edges.trend_bps) == (CFG.chaos_volatility_pct, 60.0)
        assert not edges.adaptive


OFF = {
    name: getattr(CFG.adaptive, name) for name in CFG.adaptive.__struct_fields__
} | {"enabled": False, "trend_min_bps": "40", "trend_max_bps": "250"}  # fmt: skip


@given(volatilities)
def test_they_stay_inside_their_bounds(seen: tuple[float, ...]) -> None:
    edges = thresholds(Record(seen), CFG)
    assert edges.adaptive
    assert CFG.adaptive.chaos_min_pct <= edges.chaos <= CFG.adaptive.chaos_max_pct
    assert float(CFG.adaptive.trend_min_bps) <= edges.trend_bps
    assert edges.trend_bps <= float(CFG.adaptive.trend_max_bps)


@given(st.lists(st.sampled_from([0.5, 0.7, 0.7, 1.5, 2.0, 3.0]), max_size=30), st.integers(1, 6))
def test_figures_put_in_their_place_one_by_one_are_those_that_are_sorted(
    seen: list[float], kept: int
) -> None:
    record, ranked = tuple[float, ...](), Ranked()
    for each in seen:
        before, record = record, (*record, each)[-kept:]
        assert rank(record, ranked, before) == Ranked(record, sorted(record))
        ranked = rank(record, ranked)
        assert ranked == Ranked(record, sorted(record))
        assert rank(record, ranked) == ranked  # the same again
    for other in (None, (9.0,)):
        assert rank((9.0, 1.0), ranked, other).ordered == [1.0, 9.0]  # of another market


@given(volatilities, st.floats(1.0, 3.0))
def test_a_wilder_market_has_edges_no_lower(seen: tuple[float, ...], wilder: float) -> None:
    calm, wild = (
        thresholds(Record(seen), CFG),
        thresholds(Record(tuple(v * wilder for v in seen)), CFG),
    )
    assert wild.chaos >= calm.chaos
    assert wild.trend_bps >= calm.trend_bps


def test_the_trend_begins_at_a_multiple_of_the_usual_move() -> None:
    edges = thresholds(Record((1.0,) * WARM), CFG)
    usual = math.sqrt(CFG.half_life_sec / 31_556_952) * 10_000
    assert edges.trend_bps == pytest.approx(2.5 * usual)
    assert edges.chaos == CFG.adaptive.chaos_min_pct  # 1.5 is below the least


def test_a_record_takes_a_figure_each_quarter_of_an_hour_and_is_bounded() -> None:
    record = note(Record(), 0.5, START, CFG.adaptive)
    assert note(record, 0.6, Ns(START + 899 * SECOND), CFG.adaptive) is record
    assert note(record, 0.6, Ns(START + 900 * SECOND), CFG.adaptive).seen == (0.5, 0.6)
    assert note(Record(), 0.0, START, CFG.adaptive) == Record()  # not known yet
    full = Record((0.5,) * (CFG.adaptive.window_hours * 4))
    assert len(note(full, 0.7, START, CFG.adaptive).seen) == len(full.seen)


def test_quantiles_lie_between_neighbours_in_proportion() -> None:
    assert quantile([1.0, 2.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 4.0], 0.75) == 3.0
    assert (quantile([1.0, 2.0], 0.0), quantile([1.0, 2.0], 1.0)) == (1.0, 2.0)


def test_chaos_begins_at_a_multiple_of_the_high_quantile() -> None:
    edges = thresholds(Record((2.0,) * WARM), CFG)
    assert edges.chaos == pytest.approx(2.0 * CFG.adaptive.chaos_factor)
