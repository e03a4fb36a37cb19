"""The dead man's switch: when it is due, and whether it still covers an order."""

from __future__ import annotations

import pytest

from shared.orders import Armed
from shared.units import SECOND, Ns
from strategy.core.deadman import Deadman, answered, asked, due
from tests.unit.strategy.core.build import CONFIG, make_config

WS = CONFIG.ws
T0 = Ns(1_000 * SECOND)


def at(seconds: float) -> Ns:
    return Ns(T0 + int(seconds * SECOND))


ARMED = answered(asked(Deadman(), T0), Armed(T0, 60))


def test_time_runs_from_the_sending_not_from_the_answer() -> None:
    assert ARMED.until == at(60)


def test_a_late_answer_to_an_older_request_shortens_nothing() -> None:
    newer = answered(asked(ARMED, at(20)), Armed(at(20), 60))
    assert answered(newer, Armed(T0, 60)).until == at(80)


@pytest.mark.parametrize(
    ("switch", "seconds", "is_due"),
    [
        (Deadman(), 0, True),
        (asked(Deadman(), T0), 4.9, False),
        (asked(Deadman(), T0), 5, True),  # nothing came back
        (ARMED, 19.9, False),
        (ARMED, 20, True),
        (asked(ARMED, at(20)), 24.9, False),
        (asked(ARMED, at(20)), 25, True),
    ],
)
def test_when_it_is_due(switch: Deadman, seconds: float, is_due: bool) -> None:
    assert due(switch, at(seconds), WS) is is_due


@pytest.mark.parametrize(("seconds", "covered"), [(0, True), (45, True), (45.1, False)])
def test_an_order_needs_fifteen_seconds_of_cover(seconds: float, covered: bool) -> None:
    assert ARMED.covers(at(seconds), WS) is covered


def test_a_short_switch_asks_for_a_quarter_of_its_time() -> None:
    short = make_config(ws={"cancel_after_timeout_sec": 20, "heartbeat_interval_sec": 5}).ws
    switch = answered(asked(Deadman(), T0), Armed(T0, 20))
    assert switch.covers(at(15), short)
    assert not switch.covers(at(15.1), short)


def test_it_fires_once_its_time_is_over_and_never_when_disarmed() -> None:
    assert not ARMED.fired(at(59.9))
    assert ARMED.fired(at(60))
    assert not answered(ARMED, Armed(at(1), 0)).fired(at(100))
    assert ARMED.left_s(at(100)) == 0.0
