"""The life's table: every phase knows what may come, and one way leads to the end."""

from __future__ import annotations

import pytest

from strategy.core.lifecycle import PHASES, Phase, Turn, turn


@pytest.mark.parametrize(("row", "after"), list(PHASES.items()))
def test_each_row(row: tuple[Phase, Turn], after: Phase) -> None:
    assert turn(*row) is after


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("what", [Turn.LINE_UP, Turn.LINE_DOWN, Turn.DOUBT, Turn.STOP])
def test_whatever_comes_from_outside_is_known_in_every_phase(phase: Phase, what: Turn) -> None:
    assert (phase, what) in PHASES


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_can_be_stopped(phase: Phase) -> None:
    after = turn(phase, Turn.STOP)
    assert after is Phase.STOPPED or turn(after, Turn.DRAINED) is Phase.STOPPED


def test_nothing_leads_out_of_draining_but_its_end_and_nothing_out_of_stopped() -> None:
    ways = {after for (phase, _), after in PHASES.items() if phase is Phase.DRAINING}
    assert ways == {Phase.DRAINING, Phase.STOPPED}
    assert {after for (phase, _), after in PHASES.items() if phase is Phase.STOPPED} == {
        Phase.STOPPED
    }


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.SYNCING])
def test_only_syncing_leads_to_trading(phase: Phase) -> None:
    with pytest.raises(AssertionError, match="synced"):
        turn(phase, Turn.SYNCED)
