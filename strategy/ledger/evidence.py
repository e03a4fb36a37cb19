"""Raw files, movements and rates in the ledger's file: written with its steps, read back checked.

Rule 1: nothing here is changed or deleted; a correction is a new entry with its reason.
Rule 2: each movement carries the hash that follows from all before it, like a fill.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.units import Ns, plain
from strategy.ledger.entries import EvidenceEntry, FillEntry, Imported, MovementEntry, RateEntry
from strategy.ledger.events import Exchanged, TaxEvent, of_trade
from strategy.ledger.migrations import FIRST_CHAIN_HASH
from strategy.ledger.rates import Newest, Rate, Rates
from strategy.ledger.records import (
    LedgerBroken,
    LedgerError,
    Row,
    chained,
    faults,
    fills,
    one,
    reader,
)
from strategy.ledger.trade import trade_of

WITH_EVIDENCE: Final = 2
"""The schema version from which on a ledger has these tables; a reader migrates nothing."""

MOST_BYTES: Final = 256_000_000
"""Of one raw file, unpacked."""

_event: Final = msgspec.json.Decoder(TaxEvent)


class Evidence(Struct, frozen=True):
    """All that a tax report follows from. head names the fills, movement_head the movements."""

    fills: tuple[FillEntry, ...]
    movements: tuple[MovementEntry, ...]
    rates: tuple[RateEntry, ...]
    files: tuple[EvidenceEntry, ...]
    head: str
    movement_head: str

    def events(self) -> list[TaxEvent]:
        """Fills and movements as the tax book hears them; a fill known from both counts once."""
        booked = [_exchanged(entry) for entry in self.fills]
        known = {event.id for event in booked}
        others = [entry.event for entry in self.movements if entry.event.id not in known]
        return [*booked, *others]

    def known_rates(self) -> Rates:
        """The rates in the order they were read in: the last one of a day counts."""
        return Rates(entry.rate for entry in self.rates)


def read_evidence(path: Path, *, files: bool = False) -> Evidence:
    """Everything in a ledger, beside a running strategy; LedgerError says why not.

    files: also unpack the raw files.
    """
    with reader(path) as db:
        return evidence_in(db, files=files)


def remembered(path: Path, key: str) -> str:
    """A fact that the strategy keeps, "" where there is none; LedgerError as `read_evidence`."""
    with reader(path) as db:
        found = db.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else ""


def evidence_in(db: sqlite3.Connection, *, files: bool) -> Evidence:
    """The same from an open file, inside the caller's transaction."""
    booked, head = fills(db)
    if one(db, "PRAGMA user_version") < WITH_EVIDENCE:
        return Evidence(tuple(booked), (), (), (), head, FIRST_CHAIN_HASH)
    movements, movement_head = _movements(db)
    return Evidence(
        fills=tuple(booked),
        movements=tuple(movements),
        rates=tuple(_rates(db)),
        files=tuple(_files(db)) if files else (),
        head=head,
        movement_head=movement_head,
    )


def write_import(db: sqlite3.Connection, entry: Imported) -> None:
    """Write one entry inside the caller's transaction; what is known already is left as it is.

    LedgerError where an id is known with other values.
    """
    match entry:
        case EvidenceEntry(sha256, name, kind, wall, data):
            if hashlib.sha256(data).hexdigest() != sha256:
                raise LedgerError(f"{name}: its bytes do not have the hash they are booked under")
            db.execute(
                "INSERT INTO evidence VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (sha256, name, kind, wall, zlib.compress(data)),
            )
        case RateEntry(Rate(day, currency, value), source):
            db.execute(
                "INSERT INTO rate (currency, day, value, source) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (currency, day.isoformat(), plain(value), source),
            )
        case MovementEntry():
            _write_movement(db, entry)


def check(path: Path) -> list[str]:
    """Everything that is wrong with a ledger file, as sentences; empty if it is sound."""
    with reader(path) as db:
        found = faults(db)
        if one(db, "PRAGMA user_version") >= WITH_EVIDENCE:
            found += movement_faults(db)
        return found


def movement_faults(db: sqlite3.Connection) -> list[str]:
    """What is wrong with movements and raw files, as sentences."""
    found = []
    try:
        _movements(db)
        for file in _files(db):
            if hashlib.sha256(file.data).hexdigest() != file.sha256:
                found.append(f"the raw file {file.name} was changed")
    except (LedgerError, sqlite3.Error) as error:
        found.append(str(error))
    return found


def _write_movement(db: sqlite3.Connection, entry: MovementEntry) -> None:
    event = _told(entry.event)
    known = db.execute("SELECT event FROM movement WHERE id = ?", (entry.event.id,)).fetchone()
    if known is not None:
        if known[0] != event:
            raise LedgerError(
                f"{entry.event.id} is booked already with other values: nothing was written; "
                "give the correction an id of its own"
            )
        return
    seq, head = db.execute("SELECT seq, hash FROM movement_head").fetchone()
    row = _movement_row(seq + 1, entry)
    head = chained(head, row)
    db.execute("INSERT INTO movement VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, head))
    db.execute("UPDATE movement_head SET seq = ?, hash = ?", (seq + 1, head))


def movement_head_of(entries: Iterable[MovementEntry]) -> str:
    """The hash that names these movements in the order of booking."""
    head = FIRST_CHAIN_HASH
    for seq, entry in enumerate(entries, 1):
        head = chained(head, _movement_row(seq, entry))
    return head


def _movement_row(seq: int, entry: MovementEntry) -> Row:
    return (seq, entry.event.id, _told(entry.event), entry.source, entry.why, entry.wall)


def _told(event: TaxEvent) -> str:
    return msgspec.json.encode(event, order="deterministic").decode()


def _movements(db: sqlite3.Connection) -> tuple[list[MovementEntry], str]:
    """Every movement in the order of booking, and the end of their chain."""
    found: list[MovementEntry] = []
    head = FIRST_CHAIN_HASH
    for row in db.execute("SELECT * FROM movement ORDER BY seq"):
        head = chained(head, row[:-1])
        if (row[0], row[-1]) != (len(found) + 1, head):
            raise LedgerBroken(f"movement number {len(found) + 1} is missing or was changed")
        _, _, event, source, why, wall, _ = row
        found.append(MovementEntry(_event.decode(event), source, why, Ns(wall)))
    if db.execute("SELECT seq, hash FROM movement_head").fetchone() != (len(found), head):
        raise LedgerBroken(f"movements after number {len(found)} are missing")
    return found, head


def _rates(db: sqlite3.Connection) -> Iterator[RateEntry]:
    for currency, day, value, source in db.execute(
        "SELECT currency, day, value, source FROM rate ORDER BY seq"
    ):
        yield RateEntry(Rate(date.fromisoformat(day), currency, Decimal(value)), source)


def newest_rates(db: sqlite3.Connection) -> dict[str, Newest]:
    """By currency: the last day of which a rate is known, and the one read in last for it."""
    rows = db.execute(
        "SELECT currency, day, value FROM rate WHERE seq IN (SELECT max(seq) FROM rate "
        "WHERE (currency, day) IN (SELECT currency, max(day) FROM rate GROUP BY currency) "
        "GROUP BY currency) ORDER BY currency"
    )
    return {currency: Newest(date.fromisoformat(day), Decimal(v)) for currency, day, v in rows}


def _files(db: sqlite3.Connection) -> Iterator[EvidenceEntry]:
    for sha256, name, kind, wall, data in db.execute(
        "SELECT * FROM evidence ORDER BY wall, sha256"
    ):
        unpacking = zlib.decompressobj()
        try:
            whole = unpacking.decompress(data, MOST_BYTES)
        except zlib.error as error:
            raise LedgerBroken(f"the raw file {name} cannot be unpacked: {error}") from error
        yield EvidenceEntry(sha256, name, kind, Ns(wall), whole)


def _exchanged(entry: FillEntry) -> Exchanged:
    trade = trade_of(entry.fill)
    assert trade is not None, entry.fill.exec_id
    return of_trade(trade, entry.fill.order_id)
