"""Many equities at once are judged as one after the other: no band is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from strategy.core.risk import Risk, Severity, assess, assess_range
from tests.unit.strategy.core.build import CONFIG

NOW = Ns(1_000 * SECOND)
LATER = Ns(2_000 * SECOND)
CFG = CONFIG.risk

runs = st.lists(st.floats(70.0, 125.0), min_size=1, max_size=12)
near = st.lists(st.floats(99.0, 101.0), min_size=1, max_size=12)
deep = st.lists(st.floats(70.0, 79.0), min_size=1, max_size=12)


@given(runs | near, runs | near | deep)
def test_a_run_that_changes_no_band_ends_as_its_steps_do(
    before: list[float], run: list[float]
) -> None:
    risk = Risk()
    for place, equity in enumerate(before):
        risk = assess(risk, equity, Ns(NOW + place), CFG)
    found = assess_range(risk, min(run), max(run), run[-1], CFG)
    stepped, bands = risk, []
    for equity in run:
        stepped = assess(stepped, equity, LATER, CFG)
        bands.append(stepped.severity)
    if found is None:
        return
    assert set(bands) == {risk.severity}
    # The peak of a run may have come after its end was reached: it is never below that of steps.
    assert found.peak == stepped.peak == max(risk.peak, *run)
    assert (found.equity, found.severity) == (stepped.equity, stepped.severity)
    assert found.drawdown == pytest.approx(stepped.drawdown)
    assert found.emergency_since == stepped.emergency_since == risk.emergency_since


@pytest.mark.parametrize(
    ("least", "most", "last", "known"),
    [
        (99.0, 100.0, 99.5, True),
        (96.0, 104.0, 100.0, False),  # 7.7 % below the highest of them: a warning on the way
        (95.1, 100.0, 100.0, True),
        (95.0, 100.0, 100.0, False),  # at the very edge it has changed
        (94.9, 100.0, 100.0, False),
        (0.0, 100.0, 100.0, False),
        (99.0, 130.0, 130.0, False),
    ],
)
def test_where_a_band_might_change_on_the_way_each_is_judged_by_itself(
    least: float, most: float, last: float, known: bool
) -> None:
    risk = Risk(100.0, 100.0)
    assert (assess_range(risk, least, most, last, CFG) is not None) is known
    assert assess_range(Risk(), 99.0, 100.0, 100.0, CFG) is None
    falling = Risk(79.0, 100.0, 0.21, Severity.EMERGENCY, NOW)
    assert assess_range(falling, 79.0, 79.5, 79.0, CFG) == falling  # as deep throughout
    assert assess_range(falling, 79.0, 80.5, 79.0, CFG) is None  # not everywhere


def test_a_new_peak_and_the_last_equity_are_kept() -> None:
    found = assess_range(Risk(100.0, 100.0), 100.0, 104.0, 102.0, CFG)
    assert found == Risk(102.0, 104.0, 2.0 / 104.0)


def test_a_run_below_the_peak_keeps_the_peak_and_the_band() -> None:
    found = assess_range(Risk(100.0, 100.0), 99.0, 99.5, 99.2, CFG)
    assert found == Risk(99.2, 100.0, pytest.approx(0.008), Severity.HEALTHY)
    tiny = assess_range(Risk(0.9, 0.9), 0.89, 0.9, 0.9, CFG)
    assert tiny == Risk(0.9, 0.9, 0.0, Severity.HEALTHY)


def test_a_warning_that_is_neither_left_nor_worsened_on_the_way_stays() -> None:
    warned = Risk(96.0, 100.0, 0.04, Severity.WARNING)
    found = assess_range(warned, 93.0, 97.0, 96.5, CFG)
    assert found == Risk(96.5, 100.0, pytest.approx(0.035), Severity.WARNING)
    assert assess_range(warned, 96.0, 99.0, 96.5, CFG) is None
    # Left by less than what the arithmetic of floats may be off by: each is judged by itself.
    assert assess_range(warned, 96.0, 98.000_000_05, 97.0, CFG) is None


def test_an_emergency_that_only_the_latch_keeps_counts_its_time_from_the_edge_on() -> None:
    latched = Risk(82.0, 100.0, 0.18, Severity.EMERGENCY)
    assert assess_range(latched, 79.0, 82.0, 82.0, CFG) is None
    kept = assess_range(latched, 81.0, 82.5, 82.0, CFG)
    assert kept == Risk(82.0, 100.0, pytest.approx(0.18), Severity.EMERGENCY)
