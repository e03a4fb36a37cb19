"""The core whole, as the operator steers and ends it."""

from __future__ import annotations

from msgspec.structs import replace

from shared import control, orders
from shared.units import Ns
from strategy.core.lifecycle import Phase
from strategy.core.out import StopAsked
from tests.unit.strategy.core.build import (
    BTC_EUR,
)
from tests.unit.strategy.core.desk import Desk, foreign, quoting

# The operator.


def test_hold_cancels_all_survives_a_restart_and_resume_quotes_again() -> None:
    desk = quoting()
    assert desk.hold("lunch").ok
    desk.run(1)
    assert not desk.resting
    desk.restart()
    desk.begin()
    assert desk.memory.hold == "lunch"
    assert not desk.resting
    assert desk.resume().ok
    desk.run(3)
    assert len(desk.resting) == 10
    assert not desk.resume().text.startswith("resumed")


def test_hold_while_syncing_cancels_what_the_list_finds() -> None:
    desk = quoting()
    desk.cut()
    desk.run(1)
    desk.hold()
    desk.refuses = {orders.ArmDeadman: orders.Refused("arm", "", "EX", orders.Verdict.UNKNOWN)}
    desk.memory.switch = replace(desk.memory.switch, until=Ns(0))
    desk.connect()
    desk.run(5)
    assert desk.memory.phase is Phase.SYNCING
    assert not desk.resting
    assert not desk.intents


def test_cancel_all_cancels_once_and_the_grid_quotes_again() -> None:
    desk = quoting()
    before = set(desk.resting)
    desk.run(20)
    assert desk.ask(control.CancelOrders).ok
    desk.run(3)
    assert len(desk.resting) == 10
    assert not before & set(desk.resting)


def test_flatten_sells_what_is_free_in_pieces_and_stays_on_hold() -> None:
    desk = quoting()
    assert not desk.ask(control.Flatten, word="yes").ok
    assert desk.ask(control.Flatten, word="flatten").ok
    desk.run(30)
    exits = [c for c in desk.sent if isinstance(c, orders.AddOrder) and c.exit_order]
    assert len(exits) > 1
    assert all(c.price * c.qty <= 2_000 * 10**9 for c in exits)
    assert desk.memory.free() < BTC_EUR.qty_min
    assert desk.memory.hold == "flatten"
    assert not desk.memory.flatten
    assert not desk.resting


def test_hold_ends_a_flatten() -> None:
    desk = quoting()
    desk.ask(control.Flatten, word="flatten")
    desk.hold("stop it")
    sold = len(desk.trades)
    desk.run(20)
    assert len(desk.trades) <= sold + 1
    assert desk.memory.free() > 0


def test_the_same_request_is_answered_from_memory() -> None:
    desk = quoting()
    request = control.Hold(control.CONTROL_VERSION, "the-same-one", "a")
    desk.run(0.5, request)
    desk.resume()
    desk.run(0.5, request)
    assert desk.memory.hold == ""
    assert desk.replies["the-same-one"].ok


# The end.


def test_draining_cancels_confirms_and_disarms_last() -> None:
    desk = quoting()
    since = len(desk.sent)
    desk.run(20, StopAsked("test"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert not desk.resting
    commands = desk.sent[since:]
    assert commands[-1] == orders.ArmDeadman(0)
    assert isinstance(commands[-2], orders.AskOrders)
    assert len([c for c in commands if isinstance(c, orders.CancelOrder)]) == 10
    assert desk.memory.switch.until == 0


def test_draining_ends_in_time_when_the_line_is_gone_and_leaves_the_switch_armed() -> None:
    desk = quoting()
    desk.cut()
    desk.run(1)
    desk.run(21, StopAsked("test"))
    assert desk.stopped is not None
    assert not desk.stopped.clean
    assert desk.memory.switch.until > 0


def test_draining_ends_in_time_when_the_disarming_is_never_answered() -> None:
    desk = quoting()
    desk.loses = (orders.ArmDeadman,)
    desk.run(22, StopAsked("test"))
    assert desk.stopped is not None
    assert not desk.stopped.clean


def test_with_foreign_orders_the_switch_stays_armed() -> None:
    desk = Desk()
    desk.resting["-"] = foreign()
    desk.begin()
    desk.run(20, StopAsked("test"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert "foreign" in desk.stopped.why
    assert orders.ArmDeadman(0) not in desk.sent


def test_a_stop_before_anything_was_sent_is_quick_and_a_second_stop_changes_nothing() -> None:
    desk = Desk()
    desk.run(1)
    desk.run(1, StopAsked("one"), StopAsked("two"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert desk.sent == []


def test_shutdown_by_request_is_the_same_stop() -> None:
    desk = quoting()
    assert desk.ask(control.Shutdown).ok
    desk.run(10)
    assert desk.stopped is not None
    assert desk.stopped.clean
