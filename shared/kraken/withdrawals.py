"""What Kraken's REST tells of withdrawals: their status, and the ledger's rows about them.

Kraken REST, WithdrawStatus: a key that may query the ledger may ask it; the right to withdraw is
not needed. `amount` is what is sent, `fee` comes on top of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct, field

from shared.kraken.values import is_sane, wall_of_seconds
from shared.orders import Leaving

VOID: Final = "canceled"
"""The `status-prop` of a withdrawal that was undone."""


class _Withdrawal(Struct):
    """status: Initial, Pending, Settled (sent, not confirmed yet), Success, Failure."""

    refid: str
    amount: Decimal
    time: Decimal
    status: str
    fee: Decimal = Decimal(0)
    status_prop: str = field(default="", name="status-prop")


class _Row(Struct):
    refid: str


class _Ledgers(Struct):
    ledger: dict[str, _Row]


def parse_withdrawals(result: bytes) -> tuple[Leaving, ...]:
    """Those that have left or are still under way, the newest first."""
    found = []
    for row in msgspec.json.decode(result, type=list[_Withdrawal]):
        if not (is_sane(row.amount) and is_sane(row.fee) and row.amount >= 0 <= row.fee):
            raise ValueError("an amount out of range")
        if row.status == "Failure" or row.status_prop == VOID:
            continue
        qty, wall = row.amount + row.fee, wall_of_seconds(row.time)
        found.append(Leaving(row.refid, qty, row.fee, wall, row.status == "Success"))
    return tuple(found)


def parse_ledger_refs(result: bytes) -> tuple[str, ...]:
    """What the rows of a page of Ledgers refer to."""
    return tuple(row.refid for row in msgspec.json.decode(result, type=_Ledgers).ledger.values())
