"""Cooldown, breaker and budget: a fault never makes us ask more often."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.advisor.pace import (
    Fault,
    Pace,
    Usage,
    answered,
    asking,
    begin,
    charged,
    day_of,
    failed,
    fault_of,
    is_spent,
)
from monitor.advisor.providers import Said
from shared.units import DAY, SECOND, Ns
from tests.unit.strategy.core.build import make_config

CFG = make_config(
    ai_signal={
        "cooldown_sec": 300,
        "breaker_failures": 3,
        "breaker_pause_sec": 1800,
        "input_price_usd": "0.10",
        "output_price_usd": "0.40",
        "daily_budget_usd": "0.002",
    }
).ai_signal
NOW, WALL = Ns(10**15), Ns(1_780_000_000 * SECOND)


def wait_s(pace: Pace) -> float:
    return (pace.not_before - NOW) / SECOND


def test_the_breaker_opens_after_its_count_and_an_opinion_closes_it() -> None:
    pace = Pace()
    for failures in (1, 2):
        pace = failed(pace, Fault("server", ""), NOW, CFG)
        assert (pace.failures, pace.open, wait_s(pace)) == (failures, False, 300)
    pace = failed(pace, Fault("server", ""), NOW, CFG)
    assert (pace.open, wait_s(pace)) == (True, 1800)
    again = failed(pace, Fault("server", ""), NOW, CFG)
    assert (again.open, wait_s(again)) == (True, 1800)
    assert answered(NOW, CFG) == Pace(Ns(NOW + 300 * SECOND))


def test_a_fault_that_lasts_opens_it_at_once() -> None:
    pace = failed(Pace(), Fault("key", "", lasting=True), NOW, CFG)
    assert (pace.open, wait_s(pace)) == (True, 1800)


@given(st.floats(0, 1e12), st.integers(0, 50), st.booleans())
def test_no_fault_shortens_a_pause(asked_for: float, failures: int, lasting: bool) -> None:
    fault = Fault("limit", "", lasting=lasting, wait_s=asked_for)
    pace = failed(Pace(failures=failures), fault, NOW, CFG)
    assert 300 <= wait_s(pace) <= 86_400
    assert wait_s(pace) >= min(asked_for, 86_399)


@pytest.mark.parametrize(
    ("code", "kind", "lasting"),
    [
        (301, "redirect", False),
        (400, "request", True),
        (401, "key", True),
        (403, "key", True),
        (404, "model", True),
        (422, "request", True),
        (429, "limit", False),
        (500, "server", False),
        (529, "server", False),
        (204, "server", False),
    ],
)
def test_each_status_has_its_meaning(code: int, kind: str, lasting: bool) -> None:
    fault = fault_of(code, 7.0, CFG)
    assert (fault.kind, fault.lasting) == (kind, lasting)
    assert str(code) in fault.text
    assert fault.wait_s == (7.0 if kind in ("limit", "server") else 0.0)


def test_a_new_life_keeps_to_the_cooldown_of_the_last() -> None:
    just = Usage(asked_wall=Ns(WALL - 100 * SECOND))
    assert wait_s(begin(just, NOW, WALL, CFG)) == 200
    assert wait_s(begin(Usage(), NOW, WALL, CFG)) == 0
    # The clock was set back by a year: no longer than the cooldown.
    assert wait_s(begin(Usage(asked_wall=Ns(WALL + 365 * DAY)), NOW, WALL, CFG)) == 300


def test_tokens_cost_what_is_configured() -> None:
    usage = asking(Usage(), WALL)
    usage = charged(usage, Said("", 1_000_000, 500_000), CFG)
    assert usage.usd == usage.day_usd == Decimal("0.30")
    assert (usage.questions, usage.tokens_in, usage.tokens_out) == (1, 1_000_000, 500_000)
    assert usage.day == day_of(WALL) == "2026-05-28"


def test_the_budget_holds_for_its_day_and_begins_anew() -> None:
    usage = charged(asking(Usage(), WALL), Said("", 19_999, 0), CFG)
    assert not is_spent(usage, WALL, CFG)
    usage = charged(usage, Said("", 1, 0), CFG)
    assert is_spent(usage, WALL, CFG)
    tomorrow = Ns(WALL + DAY)
    assert not is_spent(usage, tomorrow, CFG)
    fresh = asking(usage, tomorrow)
    assert fresh.day_usd == 0
    assert fresh.usd == usage.usd
    assert not is_spent(usage, WALL, replace(CFG, daily_budget_usd=Decimal(0)))
