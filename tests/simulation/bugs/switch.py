"""The dead man's switch, the kill and the orderly end."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.orders import ArmDeadman
from shared.units import SECOND, Ns
from strategy.core import deadman, draining, inbox, killing, pipeline
from tests.simulation.bugs.patches import Patches, bug


@bug("a kill halts, and cancels nothing")
def kill_only_halts(p: Patches) -> None:
    p.set(killing, "_cancel", lambda mem, now: [])


@bug("the cover counts from the answer, not from the request")
def cover_from_the_answer(p: Patches) -> None:
    before = inbox.deadman.answered

    def answered(switch: Any, armed: Any) -> Any:
        found = before(switch, armed)
        late = max(Ns(0), Ns(inbox_now[0] - armed.sent_at))
        return replace(found, until=Ns(found.until + late)) if found.until else found

    inbox_now = [Ns(0)]
    step = pipeline.Core.step

    def remembering(self: Any, now: Ns, mail: Any) -> Any:
        inbox_now[0] = now
        return step(self, now, mail)

    p.set(pipeline.Core, "step", remembering)
    p.set(inbox.deadman, "answered", answered)


@bug("the switch is armed once and not again")
def armed_once(p: Patches) -> None:
    p.set(pipeline.deadman, "due", lambda switch, now, cfg: not switch.asked_at)


@bug("the switch is armed anew only when it has nearly run out")
def armed_late(p: Patches) -> None:
    p.set(deadman, "due_at", lambda switch, cfg: Ns(switch.asked_at + 40 * SECOND))


@bug("draining disarms first and cancels then")
def disarms_first(p: Patches) -> None:
    def drain(mem: Any, now: Ns) -> Any:
        if mem.busy() and not mem.disarming:
            mem.disarming = now
            return [ArmDeadman(0)]
        return before(mem, now)

    before = p.set(pipeline, "drain", drain)


@bug("it has stopped before our orders are confirmed to be gone")
def stops_too_early(p: Patches) -> None:
    def drain(mem: Any, now: Ns) -> Any:
        return draining._disarm(mem, now)

    p.set(pipeline, "drain", drain)
