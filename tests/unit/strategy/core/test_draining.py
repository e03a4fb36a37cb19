"""An orderly end, step by step: what must be confirmed before the switch is disarmed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.orders import ArmDeadman, Armed
from shared.units import SECOND, Ns
from strategy.core import deadman
from strategy.core.draining import drain, switch_wanted
from strategy.core.lifecycle import Phase
from strategy.core.memory import Asking, Kill, Memory
from strategy.core.out import Out, Stopped, Tell
from strategy.core.slots import State
from tests.unit.strategy.core.build import BOOT, make_config, make_memory, make_slot
from tests.unit.strategy.core.test_gate import put, ready

ASKED = Ns(BOOT + 100 * SECOND)
OFF = deadman.Deadman()


def at(seconds: float) -> Ns:
    return Ns(ASKED + int(seconds * SECOND))


def ending(*, listed: float = 1, memory: Memory | None = None) -> Memory:
    """A memory that was told to stop and has nothing out; `listed`: a list asked for since."""
    memory = ready(memory)
    memory.phase, memory.stop_asked_at = Phase.DRAINING, ASKED
    memory.switch = deadman.answered(OFF, Armed(ASKED, 60))
    memory.asking = Asking(wanted=False, listed_at=at(listed))
    return memory


def stopped(out: list[Out]) -> Stopped | None:
    return next((item for item in out if isinstance(item, Stopped)), None)


def test_what_is_confirmed_is_disarmed_and_asked_again_until_it_is() -> None:
    memory = ending()
    assert drain(memory, at(2)) == [ArmDeadman(0)]
    assert drain(memory, at(6.9)) == []
    assert drain(memory, at(7)) == [ArmDeadman(0)]
    assert str(memory.phase) == "draining"
    memory.switch = OFF
    out = drain(memory, at(7.5))
    assert stopped(out) == Stopped(True, "drained")
    assert [item.level for item in out if isinstance(item, Tell)] == ["info"]
    assert memory.phase is Phase.STOPPED


def busy(memory: Memory) -> None:
    put(memory, make_slot("b1", State.LOST))


@pytest.mark.parametrize(
    ("listed", "spoil", "asks"),
    [
        (0, lambda m: None, True),  # no list since the stop
        (-1, lambda m: None, True),
        (-1, lambda m: setattr(m, "asking", Asking(wanted=False, asked_at=at(1))), False),
        (1, busy, False),
        (1, lambda m: m.orphans.update(gx=Ns(0)), False),
        (1, lambda m: setattr(m, "kill", Kill("cancelling")), False),
    ],
)
def test_while_something_may_rest_the_switch_stays_armed(
    listed: float, spoil: Any, asks: bool
) -> None:
    memory = ending(listed=listed)
    spoil(memory)
    assert drain(memory, at(2)) == []
    assert memory.asking.wanted is asks
    assert memory.phase is Phase.DRAINING


@pytest.mark.parametrize(
    ("line", "armed", "ends"),
    [("down", False, True), ("down", True, False), ("up", False, False)],
)
def test_where_nothing_was_ever_out_no_list_is_waited_for(
    line: str, armed: bool, ends: bool
) -> None:
    memory = ending(listed=-1)
    memory.line = line
    if not armed:
        memory.switch = OFF
    out = drain(memory, at(2))
    assert bool(out) is (stopped(out) is not None) is ends, "nor is the switch disarmed unseen"


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"foreign": ("F1",)}, "foreign orders rest: the switch stays armed"),
        ({"kill": Kill("done")}, "drained"),
    ],
)
def test_it_ends_without_disarming_where_the_switch_has_work_left(
    what: dict[str, Any], why: str
) -> None:
    memory = ending()
    for name, value in what.items():
        setattr(memory, name, value)
    assert stopped(drain(memory, at(2))) == Stopped(True, why)


@pytest.mark.parametrize("speed", [1, 10])
def test_what_is_not_confirmed_in_time_is_left_to_the_switch(speed: int) -> None:
    """time.drain_sec = 20 of the machine's own seconds, however fast the house lives."""
    memory = ending(memory=make_memory(make_config(demo={"speed": speed})))
    busy(memory)
    assert drain(memory, at(20 * speed)) == []
    out = drain(memory, Ns(at(20 * speed) + 1))
    found = stopped(out)
    assert found is not None
    assert not found.clean
    assert found.why == "not drained in time: 1 orders unconfirmed, the switch stays armed"
    assert [item.level for item in out if isinstance(item, Tell)] == ["error"]
    assert memory.phase is Phase.STOPPED


@pytest.mark.parametrize(
    ("phase", "armed", "rests", "wanted"),
    [
        (Phase.TRADING, False, False, True),
        (Phase.SYNCING, False, False, True),
        (Phase.DRAINING, False, False, False),
        (Phase.DRAINING, True, False, True),
        (Phase.DRAINING, False, True, True),
        (Phase.STOPPED, True, True, False),
    ],
)
def test_the_switch_is_kept_armed_until_nothing_is_out(
    phase: Phase, armed: bool, rests: bool, wanted: bool
) -> None:
    memory = ending()
    memory.phase = phase
    if not armed:
        memory.switch = OFF
    if rests:
        busy(memory)
    assert switch_wanted(memory) is wanted
    for name, value in (("line", "down"), ("disarming", at(1)), ("kill", Kill("done"))):
        before = getattr(memory, name)
        setattr(memory, name, value)
        assert not switch_wanted(memory)
        setattr(memory, name, before)
