"""Bugs that are put into the house on purpose, to see whether the simulator notices them.

Each is a small, plausible mistake in one place: a row of a table, a forgotten condition, a wrong
moment. `put` patches our own functions for as long as it is entered; the product knows nothing of
it.
"""

from __future__ import annotations

from typing import Final

from tests.simulation.bugs import (
    feed,
    gate,
    ledger,
    market,
    reconciliation,
    session,
    slots,
    switch,
    told,
)
from tests.simulation.bugs.patches import BUGS, put

__all__ = ["AREAS", "BUGS", "put"]

AREAS: Final = (feed, gate, ledger, market, reconciliation, session, slots, switch, told)
"""Imported for what each of them puts into BUGS."""
