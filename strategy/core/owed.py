"""Fills that the exchange has told of by their sum, and that no history has brought yet.

A list or a question says how much of an order has filled; the fills themselves come by the stream
or by the history, which may lag behind (RELIABILITY F76). Until they are booked, the ledger counts
coins and money that are gone: the gate lets nothing new rest meanwhile.
Rule: what no history has brought that was asked for PATIENCE later is given up and told; from then
on the audit of the balances knows what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns
from strategy.core.out import Out, Tell

if TYPE_CHECKING:
    from strategy.core.memory import Memory

PATIENCE: Final = Ns(60 * SECOND)
WAITS: Final = "fills that the exchange tells of are not booked yet"


class Owed(Struct, frozen=True):
    """Sats of one order, and since when they have been missing."""

    qty: int
    since: Ns


def owe(memory: Memory, cl_ord_id: str, qty: int, since: Ns) -> None:
    """So much of the order has filled beyond what is booked; the history is asked for it."""
    if qty <= 0:
        return
    known = memory.owed.get(cl_ord_id)
    memory.owed[cl_ord_id] = Owed(qty, since if known is None else known.since)
    memory.asking = replace(memory.asking, wanted=True)


def bring(memory: Memory, cl_ord_id: str, qty: int) -> None:
    """A fill of the order was booked."""
    known = memory.owed.pop(cl_ord_id, None)
    if known is not None and known.qty > qty:
        memory.owed[cl_ord_id] = replace(known, qty=known.qty - qty)


def give_up(memory: Memory, asked_at: Ns) -> list[Out]:
    """After a whole answer that was asked for at `asked_at`: what is not waited for any longer."""
    late = [name for name, each in memory.owed.items() if asked_at - each.since > PATIENCE]
    lost = [(name, memory.owed.pop(name)) for name in late]
    return [
        Tell("warning", "owed", f"{name} filled {each.qty} sats more than any history tells of")
        for name, each in lost
    ]
