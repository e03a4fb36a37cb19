"""The ledger's file: what was booked, written down before anything is done about it.

Rule 1: one step is one transaction, on the disk before `commit` returns (WAL, synchronous=FULL).
Rule 2: fills are only ever added; each row's hash covers the row before it. Lots and parts follow
from the fills by `lots.py`, are written in the same transaction, and can be derived again.
Rule 3: one writer. Nothing else in its process may open the file: closing any handle to it would
drop the locks of this one.
Rule 4: after an error of the disk nothing more is written by this handle; start again and verify.
"""

from __future__ import annotations

import enum
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from shared.units import DAY, Ns
from strategy.ledger.entries import (
    AuditEntry,
    Entry,
    EvidenceEntry,
    FillEntry,
    Imported,
    IntentDone,
    IntentEntry,
    MovementEntry,
    RateEntry,
    Remember,
)
from strategy.ledger.evidence import (
    Evidence,
    evidence_in,
    movement_faults,
    newest_rates,
    write_import,
)
from strategy.ledger.lots import Acquisition, Disposal, Ignored, Lots, Reason
from strategy.ledger.migrations import APPLICATION_ID, MIGRATIONS
from strategy.ledger.rates import Newest
from strategy.ledger.records import (
    INSERT_FILL,
    INSERT_LOT,
    INSERT_PART,
    SELECT_INTENT,
    LedgerBroken,
    LedgerError,
    Loaded,
    Replayed,
    bookings,
    chained,
    check_header,
    derived_faults,
    explained,
    faults,
    fill_row,
    load,
    lot_row,
    one,
    part_rows,
    replay,
)
from strategy.ledger.trade import coin_of, trade_of

OPEN_BUSY_S: Final = 5.0
BUSY_MS: Final = 200
"""How long a step may wait for a reader or a backup tool; then it is committed again later."""

KEEP_INTENTS: Final = Ns(30 * DAY)
"""Finished intents are forgotten after this, but for those that filled."""

PRUNE_EVERY: Final = 1024
"""After so many finished intents, and at each start, the old ones are looked for."""

KEEP_LIVES: Final = 1000


class Ending(enum.StrEnum):
    """How a life of the strategy ended, as far as it could still say so."""

    DONE = "done"  # exit 0, or a faulty config: no crash
    INVARIANT = "invariant"  # exit 70
    EXCEPTION = "exception"  # an uncaught exception


class Store:
    """The one writer of a ledger file."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._files = _identities(path)
        self._replayed: Replayed | None = None
        self._done = 0
        self._broken = ""

    @classmethod
    def open(cls, path: Path) -> Store:
        """Create, migrate or open a ledger and check every fill. LedgerError says why not."""
        _prepare_file(path)
        with explained(path):
            # At the start there is time to wait for a reader; later a step waits for nobody.
            db = sqlite3.connect(path, timeout=OPEN_BUSY_S, isolation_level=None)
            try:
                version = check_header(db, path)
                _settle(db)
                _migrate(db, version)
                _check_pages(db, path)
                store = cls(path, db)
                store._mirror()
                db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            except BaseException:
                db.close()
                raise
        return store

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it. Never fails."""
        with closing(self._db):
            if not self._broken and _identities(self.path) == self._files:
                try:
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                except sqlite3.Error:
                    # All is safe in the log; the next `open` folds it in.
                    return

    def load(self, coin: str = "BTC", last: int = 100) -> Loaded:
        """All that a new life starts from."""
        with self._transaction("DEFERRED"):
            return load(self._db, self._mirror(), coin, last)

    def evidence(self) -> Evidence:
        """All that a tax book follows from; the raw files stay where they are."""
        with self._transaction("DEFERRED"):
            return evidence_in(self._db, files=False)

    def published(self) -> dict[str, Newest]:
        """Up to which day the rates of each currency are known."""
        with self._transaction("DEFERRED"):
            return newest_rates(self._db)

    def commit(self, entries: Sequence[Entry | Imported]) -> None:
        """Write all of one step in one transaction; durable when this returns, else it raises.

        DiskFull, LedgerBusy: nothing was written, the same entries may come again.
        LedgerBroken: the file or the disk failed; this handle writes nothing more.
        LedgerError: an invariant is broken (a fill or an intent was booked before with other
        values, or has values that cannot be booked); nothing was written.
        """
        if not entries:
            return
        with self._transaction("IMMEDIATE"):
            for entry in entries:
                self._write(entry)
        self.check_inode()

    def bring_in(self, entries: Sequence[Entry | Imported]) -> int:
        """`commit` for a long past: lots are derived once at the end. Returns the fills added.

        All or nothing, and what is known already is left as it is, as with `commit`.
        """
        with self._transaction("IMMEDIATE"):
            before = self._mirror().seq
            for entry in entries:
                if isinstance(entry, FillEntry):
                    self._append_fill(entry)
                else:
                    self._write(entry)
            self._replayed = None
            after = self._mirror()
            self._derive_all(after.queues)
        self.check_inode()
        return after.seq - before

    def check_inode(self) -> None:
        """LedgerError once the file was deleted or replaced under us: SQLite does not notice."""
        if _identities(self.path) != self._files:
            self._broken = (
                f"{self.path.name} was deleted or replaced while in use: nothing more is written; "
                "stop, restore the newest backup and start again"
            )
            raise LedgerBroken(self._broken)

    # The guard against crash loops.

    def record_start(self, wall: Ns) -> None:
        """A new life begins. Also forgets what need not be kept."""
        with self._transaction("IMMEDIATE"):
            self._db.execute("INSERT INTO life (started) VALUES (?)", (wall,))
            self._db.execute(
                "DELETE FROM life WHERE id <= (SELECT max(id) FROM life) - ?", (KEEP_LIVES,)
            )
            self._prune(wall)

    def record_end(self, wall: Ns, ending: Ending) -> None:
        """How this life ends. What is killed writes nothing, and is not counted as a crash."""
        with self._transaction("IMMEDIATE"):
            self._db.execute(
                "UPDATE life SET ended = ?, ending = ? WHERE id = (SELECT max(id) FROM life)",
                (wall, ending),
            )

    def crashes(self, since: Ns) -> int:
        """How many lives ended by a broken invariant or an exception since this wall time."""
        counted = (since, Ending.INVARIANT, Ending.EXCEPTION)
        return one(
            self._db,
            "SELECT count(*) FROM life WHERE ended >= ? AND ending IN (?, ?)",
            counted,
        )

    # Checking and mending.

    def verify(self) -> list[str]:
        """Everything that is wrong with this ledger, as sentences; empty if it is sound."""
        with self._transaction("DEFERRED"):
            return [*faults(self._db), *movement_faults(self._db)]

    def rebuild(self) -> list[str]:
        """Derive lots and parts from the fills again; returns what had been wrong with them."""
        with self._transaction("IMMEDIATE"):
            queues = replay(self._db).queues
            found = derived_faults(self._db, queues)
            if found:
                self._derive_all(queues)
        return found

    # Writing.

    def _write(self, entry: Entry | Imported) -> None:
        match entry:
            case FillEntry():
                self._write_fill(entry)
            case IntentEntry():
                self._write_intent(entry)
            case IntentDone(cl_ord_id, outcome, wall):
                self._db.execute(
                    "UPDATE intent SET outcome = ?, done_wall = ? WHERE cl_ord_id = ?",
                    (outcome, wall, cl_ord_id),
                )
                self._done += 1
                if self._done % PRUNE_EVERY == 0:
                    self._prune(wall)
            case Remember(key, value):
                self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))
            case AuditEntry(wall, who, what, why):
                self._db.execute(
                    "INSERT INTO audit (wall, who, what, why) VALUES (?, ?, ?, ?)",
                    (wall, who, what, why),
                )
            case EvidenceEntry() | MovementEntry() | RateEntry():
                write_import(self._db, entry)

    def _write_fill(self, entry: FillEntry) -> None:
        fill, chain = entry.fill, self._mirror()
        coin = coin_of(fill.pair)
        queue = chain.queues.setdefault(coin, Lots(coin))
        booking = queue.book(fill)
        if isinstance(booking, Ignored):
            if booking.reason is Reason.KNOWN:
                return
            raise _refused(booking)
        self._chain(chain, entry)
        self._derive(booking)
        if booking.rederived:
            for later in queue.disposals_after(fill.exec_id):
                self._db.execute("DELETE FROM part WHERE sale = ?", (later.exec_id,))
                self._derive(later)

    def _append_fill(self, entry: FillEntry) -> None:
        """Add a fill to the chain and leave its lots for later."""
        fill, chain = entry.fill, self._mirror()
        trade = trade_of(fill)
        if trade is None:
            raise _refused(Ignored(fill.exec_id, Reason.FAULTY))
        asked = "SELECT pair, side, qty FROM fill WHERE exec_id = ?"
        known = self._db.execute(asked, (fill.exec_id,)).fetchone()
        if known is not None:
            if known != (fill.pair, fill.side.value, fill.qty):
                raise _refused(Ignored(fill.exec_id, Reason.CONFLICT))
            return
        self._chain(chain, entry)

    def _chain(self, chain: Replayed, entry: FillEntry) -> None:
        row = fill_row(chain.seq + 1, entry)
        chain.seq, chain.head = chain.seq + 1, chained(chain.head, row)
        self._db.execute(INSERT_FILL, (*row, chain.head))
        self._db.execute("UPDATE head SET seq = ?, hash = ?", (chain.seq, chain.head))

    def _derive_all(self, queues: dict[str, Lots]) -> None:
        self._db.execute("DELETE FROM part")
        self._db.execute("DELETE FROM lot")
        for booking in bookings(queues):
            self._derive(booking)

    def _derive(self, booking: Acquisition | Disposal) -> None:
        match booking:
            case Acquisition(lot):
                self._db.execute(INSERT_LOT, lot_row(lot))
            case Disposal():
                self._db.executemany(INSERT_PART, part_rows(booking))

    def _write_intent(self, entry: IntentEntry) -> None:
        row = msgspec.structs.astuple(entry)
        if self._db.execute(_INSERT_INTENT, row).rowcount == 0:
            known = self._db.execute(SELECT_INTENT + "WHERE cl_ord_id = ?", (entry.cl_ord_id,))
            if known.fetchone() != row:
                raise LedgerError(
                    f"order id {entry.cl_ord_id} was used before for another order: nothing was "
                    "written; ids must never repeat"
                )

    def _prune(self, wall: Ns) -> None:
        self._db.execute(
            "DELETE FROM intent WHERE done_wall < ? AND NOT EXISTS "
            "(SELECT 1 FROM fill WHERE fill.cl_ord_id = intent.cl_ord_id)",
            (wall - KEEP_INTENTS,),
        )

    # The handle.

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        """All or nothing. Whatever fails, the file stays as it was and our copy follows it."""
        if self._broken:
            raise LedgerBroken(self._broken)
        try:
            with explained(self.path):
                self._db.execute(f"BEGIN {kind}")
                yield
                self._db.execute("COMMIT")
        except BaseException as error:
            self._replayed = None
            if isinstance(error, LedgerBroken):
                self._broken = str(error)
            with suppress(sqlite3.Error):
                # Some errors have rolled back by themselves; nothing else could be done.
                self._db.rollback()
            raise

    def _mirror(self) -> Replayed:
        """The queues as the file has them; read again after a transaction that failed."""
        if self._replayed is None:
            self._replayed = replay(self._db)
        return self._replayed


_INSERT_INTENT: Final = (
    "INSERT INTO intent (cl_ord_id, slot, pair, side, price, qty, deadline, wall) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def _refused(booking: Ignored) -> LedgerError:
    what = (
        "is booked already with another pair, side or quantity"
        if booking.reason is Reason.CONFLICT
        else "has values that cannot be booked"
    )
    return LedgerError(
        f"execution {booking.exec_id!r} {what}: nothing was written; compare it with the "
        "exchange's trade history"
    )


def _prepare_file(path: Path) -> None:
    """An existing or a new file that only its owner, who is us, can read."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before any connection of ours: to close a handle later would drop SQLite's locks.
        path.touch(mode=0o600)
        status = path.stat()
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be opened ({error.strerror}): check the owner and the rights of the "
            "file and of its folder"
        ) from error
    if status.st_uid != os.geteuid():
        raise LedgerError(f"{path} belongs to another user: run as that user, or change the owner")
    if status.st_mode & 0o077:
        raise LedgerError(f"{path} can be read by others: chmod 600 {path}")


def _settle(db: sqlite3.Connection) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    assert mode == "wal", mode
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        db.execute("BEGIN IMMEDIATE")
        for statement in step:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def _check_pages(db: sqlite3.Connection, path: Path) -> None:
    first = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if first != "ok":
        raise LedgerBroken(
            f"{path.name} is damaged ({first}): restore the newest backup; what it lacks is "
            "fetched from the exchange's history"
        )


def _identities(path: Path) -> tuple[tuple[int, int], ...]:
    """Device and inode of the file and of its write-ahead log; (0, 0) where one is missing."""
    found = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            status = name.stat()
        except FileNotFoundError:
            found.append((0, 0))
        else:
            found.append((status.st_dev, status.st_ino))
    return tuple(found)
