"""The kill switch: every order of the account cancelled, nothing quoted until a person resumes.

Rule 1: CancelAll goes out in the step that hears of it, in every phase, and again until a list
that was asked for later names no order and nothing of ours is in doubt.
Rule 2: the dead man's switch is neither disarmed nor re-armed: it runs out, and finishes the job
where we could not.
Rule 3: the halt and an unfinished cancelling are facts of the ledger: the next life goes on.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec.structs import replace

from shared.orders import CancelAll
from shared.units import SECOND, Ns
from strategy.core.memory import Kill, Memory
from strategy.core.out import Out, Tell
from strategy.ledger.entries import AuditEntry, Remember

AGAIN: Final = Ns(SECOND)
LATER_AGAIN: Final = Ns(5 * SECOND)
QUICK_TRIES: Final = 5
LIST_EACH: Final = Ns(2 * SECOND)


class Who(enum.StrEnum):
    """Whose word it was, for the audit trail."""

    OPERATOR = "operator"
    FLAG = "bot-kill"


def kill(memory: Memory, who: Who, why: str, now: Ns) -> list[Out]:
    """Halt, and cancel everything; a second one cancels everything again."""
    memory.halt = f"killed: {why or who.value}"
    memory.flatten = False
    memory.kill = Kill("cancelling", begun_at=now)
    text = f"{memory.halt}; every order of the account is being cancelled, the switch runs out"
    return [
        Remember("halt", memory.halt),
        Remember("kill", memory.kill.stage),
        AuditEntry(memory.wall, who.value, "kill", why),
        *_cancel(memory, now),
        Tell("critical", "halt", text),
    ]


def carry_on(memory: Memory, now: Ns) -> list[Out]:
    """Once a step: cancel again, ask again, until nothing rests."""
    killed = memory.kill
    if killed.stage != "cancelling":
        return []
    quiet = memory.busy() == 0 and not memory.orphans and not memory.foreign
    if quiet and memory.line != "down" and memory.asking.listed_at > killed.begun_at:
        memory.kill = replace(killed, stage="done")
        text = "killed: no order rests in the account; nothing is quoted until you resume"
        return [Remember("kill", "done"), Tell("warning", "kill", text)]
    # What is in doubt has its own questions; more lists would only use up what REST allows.
    settled = memory.busy() == 0 or memory.asking.listed_at <= killed.begun_at
    if settled and now - memory.asking.listed_at >= LIST_EACH:
        memory.asking = replace(memory.asking, wanted=True)
    wait = AGAIN if killed.tries < QUICK_TRIES else LATER_AGAIN
    return _cancel(memory, now) if now - killed.sent_at >= wait else []


def _cancel(memory: Memory, now: Ns) -> list[Out]:
    memory.kill = replace(memory.kill, sent_at=now, tries=memory.kill.tries + 1)
    memory.count("cancel_alls")
    return [CancelAll()]
