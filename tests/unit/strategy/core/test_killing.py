"""The kill switch, in every phase, over cut lines and restarts."""

from __future__ import annotations

import pytest

from shared import control
from shared.orders import AddOrder, AmendOrder, ArmDeadman, CancelAll, CancelOrder
from shared.units import SECOND
from strategy.core.lifecycle import Phase
from strategy.core.out import Flagged, StopAsked, Unflag
from tests.unit.strategy.core.desk import Desk, foreign


def kill(desk: Desk, word: str = "kill") -> control.Reply:
    return desk.ask(control.Kill, reason="drill", word=word)


def kinds(desk: Desk, since: int) -> list[type]:
    return [type(command) for command in desk.sent[since:]]


def test_a_kill_cancels_everything_foreign_orders_too_and_halts() -> None:
    desk = Desk()
    desk.begin()
    desk.resting["O-foreign"] = foreign()
    assert len(desk.resting) > 5
    assert kill(desk).ok
    assert not desk.resting
    assert desk.memory.halt == "killed: drill"
    sent = len(desk.sent)
    desk.run(30)
    assert desk.memory.kill.stage == "done"
    assert not {AddOrder, AmendOrder, ArmDeadman} & set(kinds(desk, sent))
    assert desk.facts["halt"] == "killed: drill"
    assert desk.facts["kill"] == "done"


def test_without_the_word_nothing_is_done() -> None:
    desk = Desk()
    desk.begin()
    assert not kill(desk, "please").ok
    assert not desk.memory.halt
    assert CancelAll not in kinds(desk, 0)


def test_the_switch_is_left_to_run_out() -> None:
    desk = Desk()
    desk.begin()
    kill(desk)
    desk.run(90)
    assert desk.memory.switch.until == 0
    assert desk.memory.counters["switch_fired"] == 1
    assert not any(told.level == "critical" and told.key == "switch" for told in desk.told)


def phase_of(desk: Desk, phase: Phase) -> None:
    """Bring a desk into this phase."""
    match phase:
        case Phase.STARTING:
            desk.begin()
            desk.cut()
            desk.run(1)
        case Phase.SYNCING:
            desk.begin()
            desk.cut()
            desk.run(1)
            desk.deaf = (CancelOrder,)
            desk.loses = (ArmDeadman,)
            desk.connect()
            desk.run(0.5)
        case Phase.DRAINING:
            desk.begin()
            desk.loses = (CancelOrder,)
            desk.run(1, StopAsked("test"))
        case _:
            desk.begin()
    assert desk.memory.phase is phase, desk.memory.phase


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.STOPPED])
def test_cancel_all_leaves_in_the_very_step_in_every_phase(phase: Phase) -> None:
    desk = Desk()
    phase_of(desk, phase)
    sent = len(desk.sent)
    kill(desk)
    assert kinds(desk, sent)[0] is CancelAll


def test_it_is_repeated_while_nothing_confirms_it_and_not_for_ever_quickly() -> None:
    desk = Desk()
    desk.begin()
    desk.cut()
    desk.run(1)
    sent = len(desk.sent)
    kill(desk)
    desk.run(59.5)
    tries = kinds(desk, sent).count(CancelAll)
    assert 12 <= tries <= 20
    assert desk.memory.kill.stage == "cancelling"
    desk.connect()
    desk.run(15)
    assert not desk.resting
    assert desk.memory.kill.stage == "done"


def test_an_order_that_arrives_after_the_cancel_is_met_by_the_next_one() -> None:
    desk = Desk()
    desk.begin()
    kill(desk)
    late = foreign("O-late")
    desk.resting["O-late"] = late
    desk.run(2)
    assert not desk.resting


def test_halt_and_unfinished_cancelling_survive_a_restart() -> None:
    desk = Desk()
    desk.begin()
    desk.loses = (CancelAll,)
    kill(desk)
    assert desk.resting
    desk.loses = ()
    desk.restart()
    sent = len(desk.sent)
    desk.run(0.5)
    assert kinds(desk, sent) == [CancelAll]
    desk.connect()
    desk.run(20)
    assert not desk.resting
    assert desk.memory.halt == "killed: drill"
    assert AddOrder not in kinds(desk, sent)
    assert desk.memory.phase is Phase.TRADING


def test_what_was_done_is_not_done_again_by_the_next_life() -> None:
    desk = Desk()
    desk.begin()
    kill(desk)
    desk.run(20)
    desk.restart()
    sent = len(desk.sent)
    desk.connect()
    desk.resting["O-owner"] = foreign("O-owner")
    desk.run(20, Flagged("known since before"))
    assert CancelAll not in kinds(desk, sent)
    assert "O-owner" in desk.resting


def test_the_flag_kills_as_the_operator_does_and_a_resume_lowers_it() -> None:
    desk = Desk()
    desk.begin()
    desk.run(10, Flagged("by bot-kill"))
    assert desk.memory.halt == "killed: by bot-kill"
    assert not desk.resting
    request = control.Resume(control.CONTROL_VERSION, "request-resume", reason="drill over")
    desk.mail.append(request)
    desk.now, desk.wall = type(desk.now)(desk.now + SECOND), type(desk.wall)(desk.wall + SECOND)
    out = desk.step()
    assert any(isinstance(item, Unflag) for item in out)
    desk.run(20)
    assert not desk.memory.halt
    assert desk.resting
    assert desk.facts["kill"] == ""


def test_a_stop_while_killed_ends_without_disarming() -> None:
    desk = Desk()
    desk.begin()
    kill(desk)
    desk.run(15)
    sent = len(desk.sent)
    desk.run(15, StopAsked("test"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert ArmDeadman not in kinds(desk, sent)


def test_a_second_stop_changes_nothing() -> None:
    desk = Desk()
    desk.begin()
    desk.run(1, StopAsked("once"))
    asked_at = desk.memory.stop_asked_at
    desk.run(15, StopAsked("twice"))
    assert desk.memory.stop_asked_at == asked_at
    assert desk.stopped is not None
    assert desk.stopped.clean
