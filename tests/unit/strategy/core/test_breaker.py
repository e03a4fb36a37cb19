"""Stage 2: a fast move freezes, and only a calm that was seen frees."""

from __future__ import annotations

import pytest

from shared.units import SECOND, Ns
from strategy.core.breaker import Breaker, guard
from strategy.core.market import Freshness, View
from tests.unit.strategy.core.build import CONFIG, make_view

NOW = Ns(1_000 * SECOND)
CALM, LIVELY, FAST = make_view(move=0.001), make_view(move=0.02), make_view(move=0.03)
NEARLY_HALF = make_view(move=0.0149)
STALE = make_view(move=0.001, freshness=Freshness.STALE)
COOL_DOWN = int(CONFIG.risk.price_velocity_cooldown_sec)


def run(*views: View) -> Breaker:
    """The breaker after one view a second."""
    breaker = Breaker()
    for second, view in enumerate(views):
        breaker = guard(breaker, view, Ns(NOW + second * SECOND), CONFIG.risk)
    return breaker


@pytest.mark.parametrize(
    ("views", "frozen"),
    [
        ([CALM], False),
        ([LIVELY], False),
        ([FAST], True),
        ([FAST, *[CALM] * COOL_DOWN], True),
        ([FAST, *[CALM] * (COOL_DOWN + 1)], False),
        ([FAST, *[NEARLY_HALF] * (COOL_DOWN + 1)], False),
        ([FAST, *[LIVELY] * 120], True),  # above half of the freezing move: not calm
        ([FAST, *[CALM] * 20, LIVELY, *[CALM] * COOL_DOWN], True),
        ([FAST, *[CALM] * 20, STALE, *[CALM] * COOL_DOWN], True),  # nobody saw that calm
        ([make_view(move=0.5, freshness=Freshness.SETTLING)], False),
    ],
)
def test_freezing_and_freeing(views: list[View], frozen: bool) -> None:
    assert run(*views).frozen is frozen


def test_trips_are_counted_and_a_second_one_counts_again() -> None:
    assert run(FAST, *[CALM] * (COOL_DOWN + 1), FAST).trips == 2


def test_what_was_freed_is_as_if_it_had_never_frozen_but_for_the_count() -> None:
    assert run(FAST, *[CALM] * (COOL_DOWN + 1)) == Breaker(Ns(0), Ns(0), 1)
    assert run(CALM, STALE, CALM) == Breaker(Ns(0), Ns(0), 0)
