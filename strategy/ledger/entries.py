"""What is written down: the core's words to the ledger, one SQLite transaction for each step.

The core emits these at the head of its outbox; the shell hands all of one step to
`Store.commit`, and only after that returns does any command of the step leave the process.
"""

from __future__ import annotations

from msgspec import Struct

from shared.orders import Filled
from shared.units import Ns, Sats, Side, Ticks
from strategy.ledger.events import TaxEvent
from strategy.ledger.rates import Rate


class FillEntry(Struct, frozen=True, tag=True):
    """A fill of ours, booked once by its exec_id; lots and disposals follow from it.

    The store takes it through the same FIFO (`lots.py`) as the core did, in one transaction.
    """

    fill: Filled
    slot: str = ""  # the slot whose order it was; "" for trades that are not the bot's


class IntentEntry(Struct, frozen=True, tag=True):
    """An order we are about to send. Written before the send, so a crash cannot hide it."""

    cl_ord_id: str
    slot: str
    pair: str
    side: Side
    price: Ticks
    qty: Sats
    deadline: Ns  # wall time after which it can no longer come to life
    wall: Ns


class IntentDone(Struct, frozen=True, tag=True):
    """What became of an intent: the order rests no more, or never came to be."""

    cl_ord_id: str
    outcome: str  # filled | canceled | expired | refused | never
    wall: Ns


class Remember(Struct, frozen=True, tag=True):
    """A small fact that must survive a restart: hold, halt, cursor, peak equity, anchor."""

    key: str
    value: str


class AuditEntry(Struct, frozen=True, tag=True):
    """What an operator or the bot itself decided, for the record."""

    wall: Ns
    who: str
    what: str
    why: str


Entry = FillEntry | IntentEntry | IntentDone | Remember | AuditEntry


class EvidenceEntry(Struct, frozen=True, tag=True):
    """A file that was read in, kept whole under the hash of its bytes."""

    sha256: str
    name: str
    kind: str  # kraken-ledgers | kraken-trades | manual-lots | ecb-rates | document
    wall: Ns
    data: bytes


class MovementEntry(Struct, frozen=True, tag=True):
    """Something besides a fill of the bot's coin; booked once by the event's id."""

    event: TaxEvent
    source: str  # the evidence's hash
    why: str
    wall: Ns


class RateEntry(Struct, frozen=True, tag=True):
    """A published rate and the file it stands in."""

    rate: Rate
    source: str


Imported = EvidenceEntry | MovementEntry | RateEntry
