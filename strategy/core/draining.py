"""Draining: own orders cancelled and confirmed, the switch disarmed last, then stopped.

What cannot be confirmed in time leaves the switch armed: it finishes the job.
"""

from __future__ import annotations

from msgspec.structs import replace

from shared.orders import ArmDeadman
from shared.units import SECOND, Ns
from strategy.core import deadman
from strategy.core.lifecycle import DRAINING, STOPPED, Turn, turn
from strategy.core.memory import Memory
from strategy.core.out import Out, Stopped, Tell


def drain(memory: Memory, now: Ns) -> list[Out]:
    """The next step of an orderly end; the cancels themselves are the tick's."""
    # The machine is no faster in a house that lives faster: its own seconds count here.
    patience = memory.config.time.drain_sec * SECOND * memory.config.speed
    if now - memory.stop_asked_at > patience:
        why = f"not drained in time: {memory.busy()} orders unconfirmed, the switch stays armed"
        memory.phase = turn(memory.phase, Turn.DRAINED)
        return [Tell("error", "stopped", why), Stopped(False, why)]
    at_rest = memory.busy() == 0 and not memory.orphans and memory.kill.stage != "cancelling"
    confirmed = memory.asking.listed_at > memory.stop_asked_at
    never_out = memory.line == "down" and memory.switch.until == 0
    if at_rest and (confirmed or never_out):
        return _disarm(memory, now)
    if at_rest and not memory.asking.asked_at:
        memory.asking = replace(memory.asking, wanted=True)
    return []


def _disarm(memory: Memory, now: Ns) -> list[Out]:
    if memory.foreign or memory.switch.until == 0 or memory.kill.stage:
        why = "foreign orders rest: the switch stays armed" if memory.foreign else "drained"
        memory.phase = turn(memory.phase, Turn.DRAINED)
        return [Tell("info", "stopped", why), Stopped(True, why)]
    if memory.disarming and now - memory.disarming < deadman.RETRY:
        return []
    memory.disarming = now
    return [ArmDeadman(0)]


def switch_wanted(memory: Memory) -> bool:
    """Whether the switch is to be kept armed: until killed, or draining begins to disarm it."""
    if memory.kill.stage:
        return False
    if memory.line == "down" or memory.phase is STOPPED or memory.disarming:
        return False
    return memory.phase is not DRAINING or memory.busy() > 0 or memory.switch.until > 0
