"""What people are shown of the advisor: what it does, what it was told, what it cost."""

from __future__ import annotations

from msgspec import Struct

from monitor.advisor.opinion import Opinion
from monitor.advisor.pace import Usage
from shared.units import Ns


class AdvisorSeen(Struct, frozen=True):
    """state: "asking", "waits", "paused" (breaker open), "idle"; why: of all but the first.

    Walls are the machine's. faults: kind -> how many, since the monitor's start.
    """

    provider: str
    model: str
    state: str = "waits"
    why: str = ""
    opinion: Opinion | None = None
    opinion_wall: Ns = Ns(0)
    told: str = ""  # what the strategy said to it
    last_fault: str = ""
    faults: tuple[tuple[str, int], ...] = ()
    usage: Usage = Usage()
