"""Spacing: the formulas, what is quantised, and that nothing goes below the fees."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from strategy.core.atr import atr
from strategy.core.avellaneda import lean_bps, spread_bps, variance_pct2
from strategy.core.bollinger import bollinger
from strategy.core.market import Freshness
from strategy.core.samples import EACH_CLOSE, KEPT, NO_CLOSE, Sample, Samples, sample
from strategy.core.spacing import (
    Asked,
    Spacing,
    asked,
    kept_on_floor,
    on_floor,
    seen_by_models,
    settle,
    space,
    spaced,
)
from tests.unit.strategy.core.build import CONFIG, MID, make_config, make_view

START = Ns(1_000 * SECOND)
BANDS = CONFIG.bollinger
ATR = make_config(atr={"enabled": True, "window": 3, "multiplier": 1.0}).atr
STOIKOV = make_config(avellaneda_stoikov={"enabled": True}).avellaneda_stoikov
NOTHING = Samples()
variances = st.floats(0.0, 400.0)  # percent squared an hour: up to 1,870 % a year


def closes(*mids: float) -> Samples:
    return Samples(tuple(Sample(mid, mid, mid) for mid in mids))


def watch(mids: list[tuple[float, float]], samples: Samples = NOTHING) -> Samples:
    for second, mid in mids:
        samples = sample(samples, make_view(mid), Ns(START + int(second * SECOND)), 60)
    return samples


def test_a_sample_is_the_highest_lowest_and_last_mid_of_its_minute() -> None:
    seen = watch([(0, MID), (20, MID + 50), (40, MID - 30), (59, MID + 5), (60, MID + 9)])
    assert seen.done == (Sample(MID + 50, MID - 30, MID + 5),)
    assert seen.close == MID + 9


def test_a_late_tick_does_not_stretch_the_clock() -> None:
    seen = watch([(0, MID), (61, MID), (120, MID)])
    assert len(seen.done) == 2


def test_time_that_nobody_watched_ends_the_run() -> None:
    seen = watch([(0, MID), (60, MID), (300, MID + 900)])
    assert seen.done == ()
    stale = make_view(MID * 2, freshness=Freshness.STALE)
    assert sample(seen, stale, Ns(START + 600 * SECOND), 60) == seen


@pytest.mark.parametrize("bands", [True, False])
@pytest.mark.parametrize("ranges", [True, False])
def test_as_many_samples_as_the_models_see_ask_for_the_same_as_all(
    bands: bool, ranges: bool
) -> None:
    cfg = make_config(
        bollinger={"enabled": bands, "window": 4, "min_spacing_bps": 1},
        atr={"enabled": ranges, "window": 5, "min_spacing_bps": 1},
    )
    seen = closes(*(MID * (1 + (7 * n % 13) / 100) for n in range(9)))
    sees = seen_by_models(cfg)
    assert sees == max(4 * bands, 6 * ranges)
    last = Samples(seen.done[len(seen.done) - sees :])
    assert asked(last, 0.0, cfg) == asked(seen, 0.0, cfg)
    if sees:
        assert asked(Samples(last.done[1:]), 0.0, cfg) != asked(seen, 0.0, cfg)


@given(
    st.lists(st.integers(-40, 40), min_size=4, max_size=4),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
    st.floats(15.0, 80.0),
)
def test_while_closes_stay_calm_nobody_asks_for_more_than_the_floor(
    begun: list[int], later: list[float], floor: float
) -> None:
    cfg = make_config(bollinger={"enabled": True, "window": 4, "min_spacing_bps": 15})
    seen = closes(*(MID * (1 + each / 10_000) for each in begun))
    low, high = kept_on_floor(seen, floor, cfg)
    if low > high:
        return
    assert low <= min(seen_closes(seen)) <= max(seen_closes(seen)) <= high
    held = on_floor(floor)
    for part in (0.0, 1.0, *later, 0.0, 1.0, 0.0, 1.0):
        seen = closes(*seen_closes(seen)[1:], low + (high - low) * part)
        assert space(held, asked(seen, 0.0, cfg), floor, START, cfg.grid) == held


def test_what_a_model_may_ask_for_at_any_time_leaves_no_close_calm() -> None:
    bands = {"enabled": True, "window": 4, "min_spacing_bps": 15}
    seen = closes(*[MID] * 6)
    assert kept_on_floor(seen, 20.0, make_config(bollinger=bands)) != NO_CLOSE
    assert kept_on_floor(seen, 14.0, make_config(bollinger=bands)) == NO_CLOSE
    assert kept_on_floor(closes(*[MID] * 3), 20.0, make_config(bollinger=bands)) == NO_CLOSE
    assert kept_on_floor(closes(MID, MID, MID * 2, MID), 20.0, make_config(bollinger=bands)) == (
        NO_CLOSE
    )
    ranges = make_config(bollinger=bands, atr={"enabled": True, "window": 5})
    low, high = kept_on_floor(seen, 20.0, ranges)
    assert low > high
    off = make_config(bollinger={"enabled": False})
    assert kept_on_floor(seen, 20.0, off) == EACH_CLOSE


def test_samples_are_bounded() -> None:
    assert len(watch([(60 * n, MID) for n in range(KEPT + 50)]).done) == KEPT


def test_the_longest_windows_that_the_settings_allow_are_filled_in_time() -> None:
    seen = watch([(60 * n, MID) for n in range(300)])
    assert bollinger(seen, make_config(bollinger={"window": 240}).bollinger) is not None
    assert atr(seen, make_config(atr={"enabled": True, "window": 240}).atr) is not None


def test_a_clock_that_has_just_begun_closes_no_sample_that_nobody_saw() -> None:
    begun = sample(NOTHING, make_view(MID), Ns(SECOND), 60)
    assert (begun.done, begun.ends_at, begun.close) == ((), 61 * SECOND, MID)
    closed = sample(begun, make_view(MID), begun.ends_at, 60)
    assert closed.done == (Sample(MID, MID, MID),)


def test_bollinger_is_a_part_of_the_width_of_the_bands() -> None:
    seen = closes(*[MID * (1 + (0.002 if n % 2 else -0.002)) for n in range(20)])
    # Standard deviation 20 bps: two on each side are 80 bps from band to band, half of it 40.
    assert bollinger(seen, BANDS) == pytest.approx(40.0, rel=1e-3)
    assert bollinger(closes(*seen_closes(seen)[:19]), BANDS) is None
    assert bollinger(closes(*[MID] * 20), BANDS) == 15.0
    assert bollinger(seen, make_config(bollinger={"enabled": False}).bollinger) == 0.0


def seen_closes(samples: Samples) -> list[float]:
    return [sample.close for sample in samples.done]


def test_the_average_true_range_counts_the_gap_from_the_close_before() -> None:
    seen = Samples((Sample(101, 99, 100), Sample(104, 103, 104), Sample(104, 102, 102)) * 2)
    ranges = [max(b.high, a.close) - min(b.low, a.close) for a, b in pairwise(seen.done[-4:])]
    assert ranges == [3, 4, 2]
    wide = make_config(atr={"enabled": True, "window": 3, "multiplier": 1.0,
                            "max_spacing_bps": "9999"}).atr  # fmt: skip
    assert atr(seen, wide) == pytest.approx(3 / 102 * 10_000)
    assert atr(seen, ATR) == 200.0  # the cap
    assert atr(Samples(seen.done[:3]), ATR) is None
    assert atr(seen, CONFIG.atr) == 0.0  # switched off


@given(variances, variances)
def test_the_optimal_spread_grows_with_volatility_up_to_its_cap(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0 < spread_bps(low, STOIKOV) <= spread_bps(high, STOIKOV) <= 500


def test_without_volatility_the_spread_is_the_reward_for_waiting() -> None:
    assert spread_bps(0.0, STOIKOV) == pytest.approx(200 / 0.3 * math.log(1 + 0.3 / 2.5))
    assert variance_pct2(1e-8, 3600) == pytest.approx(0.36)  # 60 bps an hour


@given(st.floats(-1, 1), st.floats(-1, 1), variances, variances)
def test_the_lean_falls_with_inventory_and_grows_with_volatility(
    q1: float, q2: float, v1: float, v2: float
) -> None:
    few, many = sorted((q1, q2))
    assert lean_bps(many, v1, STOIKOV) <= lean_bps(few, v1, STOIKOV)
    calm, wild = sorted((v1, v2))
    assert abs(lean_bps(q1, calm, STOIKOV)) <= abs(lean_bps(q1, wild, STOIKOV)) <= 50
    assert lean_bps(q1, v1, STOIKOV) == -lean_bps(-q1, v1, STOIKOV)
    assert lean_bps(0.0, v1, STOIKOV) == 0.0


@given(st.floats(0, 1_000), st.floats(0, 1_000), st.floats(1, 100), st.floats(1, 100))
def test_spacing_is_never_below_the_fees_and_follows_what_is_wanted(
    held: float, wanted: float, floor: float, quantum: float
) -> None:
    found = spaced(held, wanted, floor, quantum)
    wide = max(quantum, 0.25 * max(wanted, floor))
    assert found >= floor
    assert abs(found - max(wanted, floor)) <= 0.75 * wide + 1e-9 or found == floor
    assert spaced(found, wanted, floor, quantum) == found  # at rest it stays


def test_a_wandering_wish_at_the_edge_of_a_quantum_moves_nothing() -> None:
    held = settle(40.0, 42.6, 5.0)
    assert held == 40.0
    assert settle(40.0, 43.8, 5.0) == 45.0
    assert settle(45.0, 42.6, 5.0) == 45.0


def test_the_widest_model_decides_and_a_cold_one_never_narrows() -> None:
    seen = closes(*[MID * (1 + (0.004 if n % 2 else -0.004)) for n in range(20)])
    assert asked(seen, 0.0, CONFIG).who == "Bollinger"
    cold = asked(Samples(), 0.0, CONFIG)
    assert cold == Asked(20.0, "grid.min_spacing_bps", "Bollinger")
    held = step_to(Spacing(80.0, "ATR"), cold)
    assert (
        step_to(held, cold, after=9_000)
        == held
        == Spacing(80.0, "kept until Bollinger has seen enough")
    )


def step_to(held: Spacing, wanted: Asked, after: float = 0.0, floor: float = 39.0) -> Spacing:
    return space(held, wanted, floor, Ns(START + int(after * SECOND)), CONFIG.grid)


def test_it_widens_at_once_and_narrows_only_after_an_hour_of_asking_for_less() -> None:
    wide = step_to(Spacing(39.0, "a"), Asked(120.0, "Bollinger"))
    assert (wide.bps, wide.who) == (pytest.approx(129.0), "Bollinger")
    waits = step_to(wide, Asked(40.0, "Bollinger"))
    assert (waits.bps, waits.less_since) == (wide.bps, START)
    # A widening in between begins the wait anew.
    again = step_to(waits, Asked(119.0, "Bollinger"), after=3_000)
    assert again.less_since == 0
    assert step_to(step_to(again, Asked(40.0, "b"), 3_100), Asked(40.0, "b"), 6_699).bps == wide.bps
    late = step_to(step_to(waits, Asked(40.0, "b"), 3_599), Asked(40.0, "b"), 3_600)
    assert late == Spacing(39.0, "the fees' floor")


def test_it_narrows_to_the_most_that_was_asked_for_meanwhile() -> None:
    waits = step_to(Spacing(129.0, "a"), Asked(40.0, "b"))
    waits = step_to(waits, Asked(75.0, "b"), after=600)
    most = waits.toward
    assert 39.0 < most < 129.0
    narrow = step_to(waits, Asked(40.0, "b"), after=3_600)
    assert (narrow.bps, narrow.less_since) == (most, START + 3_600 * SECOND)
    # Asked twice at one moment it says the same: a step that is repeated changes nothing.
    assert step_to(narrow, Asked(40.0, "b"), after=3_600) == narrow


@given(
    st.lists(st.tuples(st.floats(0, 4_000), st.floats(0, 500)), min_size=1, max_size=30),
    st.floats(1, 100),
)
def test_whatever_is_asked_it_stays_above_the_floor_and_never_narrows_twice_in_an_hour(
    steps: list[tuple[float, float]], floor: float
) -> None:
    held, after, narrowed = Spacing(), 0.0, -3_600.0
    for wait, wanted in steps:
        after += wait
        found = step_to(held, Asked(wanted, "a"), after, floor)
        assert found.bps >= floor
        assert step_to(found, Asked(wanted, "a"), after, floor) == found
        if held.bps and found.bps < held.bps:
            assert after - narrowed >= 3_599.9
            narrowed = after
        held = found


def test_avellaneda_stoikov_replaces_bollinger() -> None:
    cfg = make_config(avellaneda_stoikov={"enabled": True}, grid={"min_spacing_bps": "0"})
    wild = closes(*[MID * (1 + (0.02 if n % 2 else -0.02)) for n in range(20)])
    found = asked(wild, 1e-9, cfg)
    assert (found.who, found.cold) == ("Avellaneda-Stoikov", "")
    assert found.bps == pytest.approx(spread_bps(variance_pct2(1e-9, 3600), STOIKOV) / 2)


@pytest.mark.parametrize(
    ("inventory", "variance", "lean"),
    [
        (0.5, 2.0, -30.0),  # -q gamma sigma^2 = -0.5 x 0.3 x 2 percent
        (-0.25, 2.0, 15.0),
        (1.0, 2.0, -50.0),  # the cap
        (-1.0, 2.0, 50.0),
    ],
)
def test_the_reservation_price_of_a_known_market(
    inventory: float, variance: float, lean: float
) -> None:
    assert lean_bps(inventory, variance, STOIKOV) == pytest.approx(lean)


def test_the_optimal_spread_of_a_known_market() -> None:
    """gamma sigma^2 + 2 / gamma ln(1 + gamma / k), percent: 0.6 + 0.7556."""
    assert spread_bps(2.0, STOIKOV) == pytest.approx(60 + 200 / 0.3 * math.log(1.12))
    assert spread_bps(20.0, STOIKOV) == 500.0


def test_half_of_the_optimal_spread_stands_between_anchor_and_first_rung_once_it_is_known() -> None:
    cfg = make_config(avellaneda_stoikov={"enabled": True})
    assert asked(NOTHING, 0.0, cfg) == Asked(20.0, "grid.min_spacing_bps", "Avellaneda-Stoikov")
    assert asked(NOTHING, 1e-12, cfg).bps == pytest.approx(spread_bps(3.6e-5, STOIKOV) / 2)


def test_the_first_of_two_cold_models_is_named_and_an_equal_wish_takes_no_place() -> None:
    cfg = make_config(atr={"enabled": True})
    assert asked(NOTHING, 0.0, cfg).cold == "Bollinger"
    calm = closes(*[MID] * 40)  # both ask for their least: 15 bps
    both = make_config(atr={"enabled": True, "min_spacing_bps": "20"}, bollinger={"window": 20})
    assert asked(calm, 0.0, both) == Asked(20.0, "grid.min_spacing_bps")
    wide = make_config(atr={"enabled": True, "min_spacing_bps": "33"})
    assert asked(calm, 0.0, wide) == Asked(33.0, "ATR")


def test_where_every_model_is_switched_off_the_settings_alone_ask() -> None:
    silent = make_config(bollinger={"enabled": False}, grid={"min_spacing_bps": "0"})
    assert asked(NOTHING, 1e-9, silent) == Asked(0.0, "grid.min_spacing_bps")


def test_as_much_as_before_is_not_kept_for_the_sake_of_a_cold_model() -> None:
    held = Spacing(80.0, "ATR")
    assert step_to(held, Asked(80.0, "ATR", "Bollinger")) == held


def test_a_cold_model_lets_it_widen_and_a_warm_one_ends_the_waiting() -> None:
    held = Spacing(80.0, "ATR")
    assert step_to(held, Asked(200.0, "ATR", "Bollinger")).bps > 80.0
    waits = step_to(held, Asked(40.0, "b"))
    assert waits.less_since
    assert step_to(waits, Asked(20.0, "b", "ATR")) == Spacing(
        80.0, "kept until ATR has seen enough"
    )
    assert step_to(waits, Asked(80.0, "ATR")) == Spacing(80.0, "ATR")


def test_at_the_floor_it_is_the_fees_that_decide_and_above_it_the_model() -> None:
    assert step_to(Spacing(), Asked(38.0, "ATR")) == Spacing(39.0, "the fees' floor")
    assert step_to(Spacing(), Asked(100.0, "ATR")).who == "ATR"
    assert step_to(Spacing(39.0, "the fees' floor"), Asked(39.0, "ATR")).who == "the fees' floor"


@pytest.mark.parametrize(
    ("held", "wanted", "found"),
    [
        (40.0, 43.75, 40.0),  # three quarters of a quantum of 5: not beyond it yet
        (40.0, 43.76, 45.0),
        (40.0, 36.24, 35.0),
        (100.0, 118.75, 120.0),
        (39.0, 57.0, 59.0),  # a quarter of 57 is the quantum there, more than 5; from 39 on
    ],
)
def test_it_moves_in_whole_quanta_from_its_origin(held: float, wanted: float, found: float) -> None:
    origin = 39.0 if held == 39.0 else 0.0
    quantum = 20.0 if held == 39.0 else 5.0
    assert settle(held, wanted, quantum, origin) == found


def test_the_quantum_is_a_quarter_of_what_is_wanted_or_the_settings() -> None:
    assert spaced(39.0, 200.0, 39.0, 5.0) == pytest.approx(39.0 + 3 * 50.0)
    assert spaced(39.0, 45.0, 39.0, 20.0) == 39.0
    assert spaced(39.0, 55.0, 39.0, 20.0) == pytest.approx(59.0)


def test_a_little_above_the_floor_it_stays_however_little_is_asked_for() -> None:
    """A cheaper tier lowers the floor by 2 bps: the rungs are not moved for that."""
    assert spaced(41.0, 20.0, 39.0, 5.0) == 41.0
    assert spaced(41.0, 39.0, 39.0, 5.0) == 41.0
    assert spaced(55.0, 20.0, 39.0, 5.0) == 39.0
