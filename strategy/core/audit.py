"""The balances' audit: coins at the exchange = open lots + what a person has declared as external.

Rule 1: a difference that stays the same for a while, and after a list and a history that were
asked for later, is no fill on its way: it is named, told, and sells are held (whose coins they
are, and since when, decides what a sale costs in tax).
Rule 2: only a person ends it: by undoing what caused it, or by accepting it with a reason.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from shared.units import SECOND, Ns, fixed_text
from strategy.core.memory import Audit, Memory
from strategy.core.out import Out, Tell
from strategy.ledger.entries import AuditEntry, Remember

PERSISTS: Final = Ns(10 * SECOND)
ASK_AFTER: Final = Ns(2 * SECOND)
WITHDRAWALS_WITHIN: Final = Ns(65 * SECOND)
HELD: Final = "the coins at the exchange differ from the ledger: sells are held"
DRIFT_FACT: Final = "drift"


def audit(memory: Memory, now: Ns) -> list[Out]:
    """Once a step: hold the balance of the coin against the ledger."""
    found = drift(memory)
    known = memory.audit
    if found is None:
        return []
    if found == 0 or memory.outgoing.explains(-found):
        if known.drift or known.since or known.held:
            memory.audit = replace(known, drift=0, since=Ns(0), held=False)
        if not known.held:
            return []
        memory.alerts.pop("drift", None)
        return [Remember(DRIFT_FACT, ""), Tell("info", "drift", "balance and ledger agree again")]
    if found != known.drift or not known.since:
        memory.audit = replace(known, drift=found, since=now)
        return []
    age, asked_since = now - known.since, memory.asking.listed_at > known.since
    if age >= ASK_AFTER and not asked_since and not memory.asking.asked_at:
        memory.asking = replace(memory.asking, wanted=True)
    if known.held or not _persists(memory):
        return []
    memory.audit = replace(known, held=True)
    return [Remember(DRIFT_FACT, str(found)), Tell("error", "drift", describe(memory))]


def _persists(memory: Memory) -> bool:
    """Whether the difference has stayed, also after a list and a history asked for since."""
    known, heard_at = memory.audit, memory.outgoing.heard_at
    if heard_at and heard_at <= known.since and memory.now - known.since < WITHDRAWALS_WITHIN:
        return False  # The exchange is asked each minute whether a withdrawal is the cause.
    return memory.now - known.since >= PERSISTS and memory.asking.listed_at > known.since


def drift(memory: Memory) -> int | None:
    """Coins (Sats) that nothing accounts for; None while balance or precision is unknown."""
    lack = memory.lack()
    return None if lack is None else -lack


def accept(memory: Memory, why: str) -> tuple[str, list[Out]]:
    """Declare the difference that is held as external; "" where there is none to declare.

    Also "" while the difference still moves: one wrong message must not be declared for ever.
    """
    found = memory.audit
    if not found.held or not found.drift or not _persists(memory):
        return "", []
    external = found.external + found.drift
    said = f"{fixed_text(found.drift, 8)} {memory.coin} declared as external"
    memory.audit = Audit(external)
    memory.alerts.pop("drift", None)
    return said, [
        Remember(f"external:{memory.coin}", str(external)),
        Remember(DRIFT_FACT, ""),
        AuditEntry(memory.wall, "operator", "reconcile accept", f"{said}: {why}"),
    ]


def describe(memory: Memory) -> str:
    """The difference in a sentence."""
    found = memory.audit
    much = fixed_text(abs(found.drift), 8)
    more = "more" if found.drift > 0 else "less"
    return (
        f"{much} {memory.coin} {more} at the exchange than the ledger accounts for; sells are "
        "held; see: strategy-ctl reconcile"
    )
