"""Stage 3: drawdown, the latch, and the pause looked up from two facts."""

from __future__ import annotations

import pytest

from strategy.core.risk import ALLOWED, Pause, Risk, Severity, assess, pause_of
from tests.unit.strategy.core.build import CONFIG, make_config

CFG = CONFIG.risk


def after(*equities: float) -> Risk:
    risk = Risk()
    for equity in equities:
        risk = assess(risk, equity, CFG)
    return risk


@pytest.mark.parametrize(
    ("equities", "severity"),
    [
        ((100,), Severity.HEALTHY),
        ((100, 95.1), Severity.HEALTHY),
        ((100, 95), Severity.WARNING),
        ((100, 90), Severity.PROBLEM),
        ((100, 85), Severity.CRITICAL),
        ((100, 80), Severity.EMERGENCY),
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
    risk = assess(Risk(peak=100.0), 93.0, cautious)
    assert risk.severity is Severity.CRITICAL
    assert assess(risk, 91.0, cautious).severity is Severity.EMERGENCY


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
