"""The simulator's check that a drift is told: exact about when it is known, and not blind."""

from __future__ import annotations

from typing import Final

import pytest

from shared.units import SECOND, Ns
from sim.lab.trial import Outcome, Trial
from sim.lab.troubles_engine import owner_moves_money
from strategy.core import audit

MOVED_AT: Final = 5 * SECOND
ENDED_AT: Final = 50 * SECOND
"""Before this life asks for withdrawals again, so that it tells nothing."""

LINE_AWAY: Final = 8 * SECOND


def moved(*, late: bool) -> Outcome:
    """A calm run in which the owner moves coins.

    late: before that is told a new life begins, and its line comes back only when it has heard of
    the withdrawals: the next question for these is a minute away.
    """
    trial = Trial(1, "calm")
    world, coin = trial.world, trial.world.config.pair.partition("/")[0]

    def move() -> None:
        while not trial.checks.declared.get(coin):
            owner_moves_money(trial.scene)

    def end() -> None:
        trial.fates.closed_until["trader"] = Ns(world.now + LINE_AWAY)
        world.kill_trader()

    world.wires.later(MOVED_AT, move)
    if late:
        world.wires.later(ENDED_AT, end)
    return trial.run()


@pytest.mark.parametrize("late", [False, True])
def test_a_drift_may_be_told_as_late_as_the_life_that_hears_it_has_asked(late: bool) -> None:
    outcome = moved(late=late)

    assert not outcome.failed, outcome.text
    assert outcome.lives == 1 + late


@pytest.mark.parametrize("late", [False, True])
def test_a_drift_that_is_never_told_is_noticed_in_every_life(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_persists", lambda memory: False)

    assert moved(late=late).failed == "F81"
