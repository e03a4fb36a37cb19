"""The kill switch to its end: it is done when nothing rests and nothing is in doubt, not before."""

from __future__ import annotations

import pytest

from shared import control
from shared.orders import AskOrders, CancelAll, CancelOrder, Command
from shared.units import SECOND, Ns
from strategy.core.killing import carry_on
from strategy.core.memory import Asking, Kill, Memory, is_ours
from strategy.core.out import Flagged
from strategy.core.slots import State
from strategy.ledger.entries import AuditEntry
from tests.unit.strategy.core.build import BOOT, STAMP, make_slot
from tests.unit.strategy.core.desk import Desk, foreign
from tests.unit.strategy.core.test_exits import exits_of
from tests.unit.strategy.core.test_gate import put, ready
from tests.unit.strategy.core.test_killing import kill


def moments(desk: Desk, kind: type[Command], seconds: float) -> list[float]:
    """At which seconds from now a command of this kind leaves."""
    found, begin = list[float](), desk.now
    while desk.now < begin + seconds * 1e9:
        before = len(desk.sent)
        desk.run(0.5)
        if any(isinstance(command, kind) for command in desk.sent[before:]):
            found.append((desk.now - begin) / 1e9)
    return found


def quiet() -> Desk:
    """A desk of whose orders none rests."""
    desk = Desk()
    desk.begin()
    desk.hold()
    desk.run(5)
    assert not desk.resting
    return desk


def test_it_goes_out_each_second_and_after_five_tries_each_five() -> None:
    desk = quiet()
    desk.loses = (CancelAll,)
    desk.resting["O-foreign"] = foreign()
    kill(desk)
    assert moments(desk, CancelAll, 19.5) == [1, 2, 3, 4, 9, 14, 19]
    assert desk.memory.counters["cancel_alls"] == 8


def test_while_a_foreign_order_rests_it_is_not_done_and_lists_are_asked_for() -> None:
    desk = quiet()
    desk.loses = (CancelAll,)
    desk.resting["O-foreign"] = foreign()
    kill(desk)
    asked = moments(desk, AskOrders, 20)
    assert 9 <= len(asked) <= 11, "each two seconds, whatever lists are due besides"
    assert desk.memory.kill.stage == "cancelling"
    desk.loses = ()
    desk.run(10)
    assert not desk.resting
    assert desk.memory.kill.stage == "done"


def test_while_an_order_of_ours_is_in_doubt_it_is_not_done() -> None:
    """Lists leave it out, the question about it finds it."""
    desk = Desk()
    desk.begin()
    desk.loses = (CancelAll, CancelOrder)
    desk.hidden = set(desk.resting)
    kill(desk)
    desk.run(40)
    assert desk.resting
    assert desk.memory.kill.stage == "cancelling"
    desk.loses = ()
    desk.run(20)
    assert not desk.resting
    assert desk.memory.kill.stage == "done"


def test_what_is_in_doubt_is_asked_about_and_not_listed_each_two_seconds() -> None:
    desk = Desk()
    desk.begin()
    desk.loses = (CancelAll, CancelOrder)
    kill(desk)
    desk.run(5)
    assert len(moments(desk, AskOrders, 20)) <= 8


def test_while_an_order_of_an_unknown_slot_rests_it_is_not_done() -> None:
    desk = quiet()
    desk.loses = (CancelAll, CancelOrder)
    name = f"g{STAMP[:-1]}z0b7"
    assert is_ours(name)
    desk.resting[name] = foreign("O-orphan", name)
    kill(desk)
    desk.run(20)
    assert desk.memory.orphans
    assert desk.memory.kill.stage == "cancelling"
    desk.loses = ()
    desk.run(15)
    assert not desk.resting
    assert desk.memory.kill.stage == "done"


def test_by_rest_alone_it_is_not_done_before_the_line_is_back() -> None:
    """A list says what rests, the line what has filled meanwhile."""
    desk = Desk()
    desk.begin()
    desk.cut()
    desk.rest_up = True
    desk.run(1)
    kill(desk)
    desk.run(30)
    assert not desk.resting
    assert desk.memory.kill.stage == "cancelling"
    desk.connect()
    desk.run(10)
    assert desk.memory.kill.stage == "done"


def test_a_flatten_under_way_ends_and_does_not_go_on_after_the_resume() -> None:
    desk = Desk()
    desk.begin()
    desk.loses = (CancelOrder,)
    assert desk.ask(control.Flatten, word="flatten").ok
    memory = desk.memory
    assert memory.flatten
    kill(desk)
    assert not desk.memory.flatten
    desk.loses = ()
    desk.run(15)
    desk.resume()
    desk.run(15)
    assert not exits_of(desk)
    assert desk.resting, "it quotes again"


def test_a_flag_without_a_word_names_who_raised_it_and_when() -> None:
    desk = quiet()
    desk.mail.append(Flagged(""))
    desk.now, desk.wall = Ns(desk.now + 5 * 10**8), Ns(desk.wall + 5 * 10**8)
    out = desk.step()
    (entry,) = (item for item in out if isinstance(item, AuditEntry))
    assert (entry.wall, entry.who) == (desk.wall, "bot-kill")
    assert desk.memory.halt == "killed: bot-kill"


KILLED = Ns(BOOT + 50 * SECOND)


def killed(*, busy: bool, listed: float, line: str = "up") -> Memory:
    """A memory 50 s after a kill that was tried just now; `listed` is when a list was asked for."""
    memory = ready()
    memory.kill = Kill("cancelling", begun_at=KILLED, sent_at=Ns(KILLED + 50 * SECOND))
    memory.asking = Asking(wanted=False, listed_at=Ns(KILLED + int(listed * SECOND)))
    memory.line = line
    if busy:
        put(memory, make_slot("b1", State.LOST))
    return memory


@pytest.mark.parametrize(
    ("busy", "listed", "line", "done"),
    [
        (False, 1, "up", True),
        (False, 1, "rest", True),
        (False, 1, "down", False),
        (False, 0, "up", False),
        (True, 1, "up", False),
    ],
)
def test_it_is_done_when_a_later_list_over_a_line_that_stands_leaves_nothing(
    busy: bool, listed: float, line: str, done: bool
) -> None:
    memory = killed(busy=busy, listed=listed, line=line)
    out = carry_on(memory, Ns(KILLED + 50 * SECOND))
    assert (memory.kill.stage == "done") is done
    assert bool(out) is done


@pytest.mark.parametrize(
    ("busy", "listed", "wanted"),
    [
        (False, 0, True),
        (True, 0, True),  # no list since the kill
        (True, -5, True),
        (True, 0.1, False),  # what is in doubt has its own questions
        (True, 48.1, False),
    ],
)
def test_lists_are_asked_for_until_one_was_asked_for_later(
    busy: bool, listed: float, wanted: bool
) -> None:
    memory = killed(busy=busy, listed=listed)
    carry_on(memory, Ns(KILLED + 50 * SECOND))
    assert memory.asking.wanted is wanted


@pytest.mark.parametrize(("after", "wanted"), [(1.9, False), (2, True)])
def test_not_more_often_than_each_two_seconds(after: float, wanted: bool) -> None:
    memory = killed(busy=False, listed=-1)
    carry_on(memory, Ns(KILLED + int((after - 1) * SECOND)))
    assert memory.asking.wanted is wanted
