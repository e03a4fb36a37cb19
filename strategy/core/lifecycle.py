"""The life of the strategy: one path for start, reconnect and doubt.

STARTING -> SYNCING -> TRADING -> DRAINING -> STOPPED. A cut line, a fired switch or an order of
which we know nothing leads back to SYNCING; a crash skips draining and starts like any start.
"""

from __future__ import annotations

import enum
from typing import Final


class Phase(enum.StrEnum):
    STARTING = "starting"  # no line yet
    SYNCING = "syncing"  # the line is up; what the exchange knows of us is not
    TRADING = "trading"
    DRAINING = "draining"
    STOPPED = "stopped"


# Bound once: an enum's members are slow to look up, and each tick needs these.
SYNCING, TRADING, DRAINING, STOPPED = Phase.SYNCING, Phase.TRADING, Phase.DRAINING, Phase.STOPPED


class Turn(enum.StrEnum):
    LINE_UP = "line_up"
    LINE_DOWN = "line_down"
    SYNCED = "synced"
    DOUBT = "doubt"  # the switch has fired: nothing we believe can be trusted
    STOP = "stop"
    DRAINED = "drained"


PHASES: Final[dict[tuple[Phase, Turn], Phase]] = {
    (Phase.STARTING, Turn.LINE_UP): Phase.SYNCING,
    (Phase.STARTING, Turn.LINE_DOWN): Phase.STARTING,
    (Phase.STARTING, Turn.DOUBT): Phase.STARTING,
    (Phase.STARTING, Turn.STOP): Phase.DRAINING,
    (Phase.SYNCING, Turn.LINE_UP): Phase.SYNCING,
    (Phase.SYNCING, Turn.LINE_DOWN): Phase.STARTING,
    (Phase.SYNCING, Turn.SYNCED): Phase.TRADING,
    (Phase.SYNCING, Turn.DOUBT): Phase.SYNCING,
    (Phase.SYNCING, Turn.STOP): Phase.DRAINING,
    (Phase.TRADING, Turn.LINE_UP): Phase.SYNCING,
    (Phase.TRADING, Turn.LINE_DOWN): Phase.STARTING,
    (Phase.TRADING, Turn.DOUBT): Phase.SYNCING,
    (Phase.TRADING, Turn.STOP): Phase.DRAINING,
    (Phase.DRAINING, Turn.LINE_UP): Phase.DRAINING,
    (Phase.DRAINING, Turn.LINE_DOWN): Phase.DRAINING,
    (Phase.DRAINING, Turn.DOUBT): Phase.DRAINING,
    (Phase.DRAINING, Turn.STOP): Phase.DRAINING,
    (Phase.DRAINING, Turn.DRAINED): Phase.STOPPED,
    (Phase.STOPPED, Turn.LINE_UP): Phase.STOPPED,
    (Phase.STOPPED, Turn.LINE_DOWN): Phase.STOPPED,
    (Phase.STOPPED, Turn.DOUBT): Phase.STOPPED,
    (Phase.STOPPED, Turn.STOP): Phase.STOPPED,
}


def turn(phase: Phase, what: Turn) -> Phase:
    """The phase after `what`; a turn that the table does not know is our own fault."""
    after = PHASES.get((phase, what))
    assert after is not None, f"{what} while {phase}"
    return after
