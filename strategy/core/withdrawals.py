"""Withdrawals: coins on their way out are spoken for, and are booked once they have left.

Rule 1: what is on its way takes the oldest coins with it, so the gate counts it as gone (TAX.md
2, 10) until the exchange has cancelled it or the ledger has booked it.
Rule 2: booked is what the exchange's own ledger says, under its own id, once the withdrawal has
succeeded and the balance lacks the coins; an import of the same row changes nothing.
Rule 3: what was withdrawn before ledger and account first agreed is `ledger import`'s to read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from shared.orders import Leaving, LedgerPage, Withdrawals
from shared.units import MINUTE, Ns, fixed_text
from strategy.core.memory import OUTGOING_FACT, Memory
from strategy.core.out import Out, Tell
from strategy.core.outgoing import Outgoing, sats_of
from strategy.ledger.entries import AuditEntry, EvidenceEntry, MovementEntry, Remember
from strategy.ledger.events import Departed
from strategy.ledger.rates import fingerprint
from strategy.ledger.withdrawn import KIND, NAME, read

MOST_BOOKED: Final = 200
"""So many names of booked withdrawals are remembered; the exchange lists fewer."""

COIN_DECIMALS: Final = 8
UNBOOKED: Final = Ns(10 * MINUTE)
"""After so long a withdrawal that has left should be named by the exchange's ledger."""


def hear(memory: Memory, told: Withdrawals, now: Ns) -> list[Out]:
    """What the exchange lists now: what is new is reserved, what is gone from it is not."""
    known = memory.outgoing
    rows = tuple(
        row
        for row in told.rows
        if told.asset == memory.coin
        and row.ref_id not in known.booked
        and 0 < known.since <= row.wall
    )
    memory.outgoing = replace(known, rows=rows, heard_at=now)
    if rows == known.rows:
        return []
    before = {row.ref_id: row for row in known.rows}
    out: list[Out] = [_fact(memory.outgoing)]
    for row in rows:
        was = before.pop(row.ref_id, None)
        if was is None or was.left != row.left:
            out.append(Tell("info", "withdrawal", f"withdrawal of {_named(memory, row)}"))
    for row in before.values():
        text = f"the withdrawal {row.ref_id} was cancelled: its coins may be sold again"
        out.append(Tell("info", "withdrawal", text))
    return out


def hear_page(memory: Memory, told: LedgerPage, now: Ns) -> list[Out]:
    """The exchange's ledger; what of it is booked is decided once the balance shows it."""
    memory.outgoing = replace(memory.outgoing, page=told.body, tried=0)
    return []


def settle(memory: Memory) -> list[Out]:
    """Once a step: begin to count at the first agreement; book what has left."""
    known = memory.outgoing
    if known.since and not known.rows:
        return []  # nothing is under way
    lack = memory.lack()
    if lack is None:
        return []
    if not known.since:
        if lack or not memory.asking.listed_at:
            return []
        memory.outgoing = replace(known, since=memory.wall)
        return [_fact(memory.outgoing)]
    left = any(row.left for row in known.rows)
    return _book(memory, lack) if left and known.page and lack > 0 and lack != known.tried else []


def _book(memory: Memory, lack: int) -> list[Out]:
    known = memory.outgoing
    left = {row.ref_id for row in known.rows if row.left}
    data, found = read(known.page, memory.coin, memory.wall)
    sha256, out = fingerprint(data), list[Out]()
    for each in found:
        event, sats = each.event, sats_of(_moved(each.event))
        if each.ref_id not in left or event.wall < known.since or sats > lack:
            continue
        lack -= sats
        if not out:
            out.append(EvidenceEntry(sha256, NAME, KIND, memory.wall, data))
        why = f"withdrawal {each.ref_id}: booked by the bot once it had left"
        out.append(MovementEntry(event, sha256, why, memory.wall))
        said = f"{fixed_text(sats, COIN_DECIMALS)} {memory.coin}, the oldest ones ({each.ref_id})"
        out.append(AuditEntry(memory.wall, "bot", "withdrawal", f"{said}: row {event.id}"))
        out.append(Tell("info", "withdrawal", f"booked: a withdrawal of {said}"))
        memory.desk.hear(event)
        memory.others = (*memory.others, event)
        known = replace(
            known,
            rows=tuple(row for row in known.rows if row.ref_id != each.ref_id),
            booked=(*known.booked, each.ref_id)[-MOST_BOOKED:],
        )
    memory.outgoing = replace(known, tried=lack)
    return [*out, _fact(memory.outgoing)] if out else []


def shown(memory: Memory) -> list[dict[str, Any]]:
    """Each withdrawal that is under way or not booked, for people."""
    return [
        {
            "ref": row.ref_id,
            "qty": fixed_text(sats_of(row.qty), COIN_DECIMALS),
            "state": "has left, to be booked" if row.left else "on its way",
        }
        for row in memory.outgoing.rows
    ]


def notes(memory: Memory) -> list[str]:
    """What a person should know of them, as sentences."""
    found = []
    for row in memory.outgoing.rows:
        if not row.left:
            found.append(f"withdrawal of {_named(memory, row)}")
        elif memory.wall - row.wall > UNBOOKED:
            found.append(
                f"withdrawal {row.ref_id} has left and no row of the exchange's ledger names it: "
                "icryptotrader ledger import"
            )
    if memory.config.mode == "live" and not memory.outgoing.heard_at:
        found.append(
            "withdrawals on their way are not known: the key lacks the right 'Query ledger "
            "entries', or the exchange has not answered yet"
        )
    return found


def _named(memory: Memory, row: Leaving) -> str:
    much = f"{fixed_text(sats_of(row.qty), COIN_DECIMALS)} {memory.coin} ({row.ref_id})"
    state = "has left" if row.left else "is on its way"
    return f"{much} {state}: the oldest coins are kept for it"


def _moved(event: Departed) -> Decimal:
    return Decimal(event.qty + event.network_fee).scaleb(-10)


def _fact(outgoing: Outgoing) -> Remember:
    """What a new life starts from; the exchange is asked for the rest."""
    kept = replace(outgoing, heard_at=Ns(0), page=b"")
    return Remember(OUTGOING_FACT, msgspec.json.encode(kept).decode())
