"""Stage 3: drawdown, the latch, and the pause looked up from two facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from strategy.core.risk import ALLOWED, Pause, Risk, Severity, assess, moved, pause_of
from tests.unit.strategy.core.build import CONFIG, make_config

CFG = CONFIG.risk
NOW = Ns(1_000 * SECOND)


def after(*equities: float) -> Risk:
    risk = Risk()
    for equity in equities:
        risk = assess(risk, equity, NOW, CFG)
    return risk


@pytest.mark.parametrize(
    ("equities", "severity"),
    [
        ((100,), Severity.HEALTHY),
        ((100, 95.1), Severity.HEALTHY),
        ((100, 95), Severity.WARNING),
        ((100, 90.1), Severity.WARNING),
        ((100, 90), Severity.PROBLEM),
        ((100, 85.1), Severity.PROBLEM),
        ((100, 85), Severity.CRITICAL),
        ((100, 80.1), Severity.CRITICAL),
        ((100, 80), Severity.EMERGENCY),
        ((0.5, 0.44), Severity.PROBLEM),  # whatever the account is worth
        ((100, 85, 86), Severity.CRITICAL),  # the latch: 3 % below the edge, not at it
        ((100, 85, 87.9), Severity.CRITICAL),
        ((100, 85, 88.1), Severity.PROBLEM),
        ((100, 80, 84), Severity.CRITICAL),
        ((100, 80, 99), Severity.HEALTHY),
        ((100, 85, 101), Severity.HEALTHY),  # a new peak
    ],
)
def test_bands_are_entered_at_once_and_left_late(
    equities: tuple[float, ...], severity: Severity
) -> None:
    assert after(*equities).severity is severity


@pytest.mark.parametrize("unknown", [0.0, -1.0])
def test_an_unknown_equity_changes_nothing(unknown: float) -> None:
    assert after(100, 90, unknown) == after(100, 90)


def test_a_pause_set_below_the_fixed_bands_still_pauses() -> None:
    cautious = make_config(
        risk={"max_portfolio_drawdown_pct": 0.06, "emergency_drawdown_pct": 0.08}
    ).risk
    risk = assess(Risk(peak=100.0), 93.0, NOW, cautious)
    assert risk.severity is Severity.CRITICAL
    assert assess(risk, 91.0, NOW, cautious).severity is Severity.EMERGENCY
    tight = make_config(risk={"max_portfolio_drawdown_pct": 0.03}).risk
    assert assess(Risk(peak=100.0), 97.1, NOW, tight).severity is Severity.HEALTHY
    assert assess(Risk(peak=100.0), 97.0, NOW, tight).severity is Severity.CRITICAL


def test_a_drawdown_that_shrinks_never_worsens_the_band() -> None:
    """Edges that lie nearer to each other than the latch: 5 % warns, 6 % pauses."""
    near = make_config(
        risk={"max_portfolio_drawdown_pct": 0.06, "emergency_drawdown_pct": 0.08}
    ).risk
    risk = assess(Risk(peak=100.0), 94.5, NOW, near)
    assert risk.severity is Severity.WARNING
    assert assess(risk, 95.5, NOW, near).severity is Severity.WARNING
    assert assess(risk, 98.5, NOW, near).severity is Severity.HEALTHY


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("locked", [False, True])
def test_the_table_of_two_facts(severity: Severity, locked: bool) -> None:
    expected = {
        (False, False, False): Pause.ACTIVE_TRADING,
        (False, False, True): Pause.TAX_LOCK_ACTIVE,
        (True, False, False): Pause.RISK_PAUSE_ACTIVE,
        (True, False, True): Pause.DUAL_LOCK,
        (True, True, False): Pause.EMERGENCY_SELL,
        (True, True, True): Pause.EMERGENCY_SELL,
    }
    facts = (severity >= Severity.CRITICAL, severity is Severity.EMERGENCY, locked)
    assert pause_of(severity, locked) is expected[facts]


def test_every_pause_says_what_it_allows() -> None:
    assert set(ALLOWED) == set(Pause)
    assert ALLOWED[Pause.TAX_LOCK_ACTIVE] == (True, False)
    assert ALLOWED[Pause.RISK_PAUSE_ACTIVE] == (False, True)


money = st.floats(1.0, 1e7)


@given(money, money, money)
def test_a_flow_keeps_the_drawdown(peak: float, before: float, after_it: float) -> None:
    risk = assess(Risk(peak=peak), before, NOW, CFG)
    flown = assess(moved(risk, before, after_it), after_it, NOW, CFG)
    assert flown.drawdown == pytest.approx(risk.drawdown, abs=1e-9)


def test_a_deposit_into_an_empty_account_begins_a_new_peak() -> None:
    assert moved(Risk(peak=500.0), 0.0, 70.0).peak == 70.0
    assert moved(Risk(equity=50.0, peak=500.0), 50.0, 0.0).peak == 0.0
    assert moved(Risk(equity=50.0, peak=500.0), 50.0, -1.0).peak == 0.0


def test_a_flow_is_known_at_once_in_equity_and_peak() -> None:
    assert moved(Risk(90.0, 100.0, 0.1, Severity.PROBLEM), 90.0, 45.0) == Risk(
        45.0, 50.0, 0.1, Severity.PROBLEM
    )


def test_a_spike_that_freezes_is_no_peak_and_its_way_back_no_loss() -> None:
    spike = assess(Risk(100.0, 100.0), 500.0, NOW, CFG, frozen=True)
    assert spike == Risk(500.0, 100.0, 0.0)
    back = assess(spike, 101.0, NOW, CFG, frozen=True)
    assert (back.peak, back.severity) == (100.0, Severity.HEALTHY)
    assert assess(back, 101.0, NOW, CFG).peak == 101.0  # calm again: now it counts
    assert assess(Risk(), 70.0, NOW, CFG, frozen=True).peak == 70.0  # the first one there is
    fall = assess(Risk(100.0, 100.0), 79.0, NOW, CFG, frozen=True)  # a fall counts at once
    assert (fall.severity, fall.emergency_since) == (Severity.EMERGENCY, NOW)


def test_time_in_the_emergency_band_counts_only_while_the_drawdown_itself_is_there() -> None:
    later = Ns(NOW + 20 * SECOND)
    inside = assess(Risk(peak=100.0), 79.0, NOW, CFG)
    assert inside.emergency_since == NOW
    assert assess(inside, 78.0, later, CFG).emergency_since == NOW
    latched = assess(inside, 82.0, later, CFG)  # still EMERGENCY by the latch, not by the loss
    assert (latched.severity, latched.emergency_since) == (Severity.EMERGENCY, 0)
    assert assess(inside, 0.0, later, CFG).emergency_since == 0  # nobody saw it
