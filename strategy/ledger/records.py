"""The ledger's rows: how fills, lots and parts stand in the file, are read back and checked.

Rule 1: reading trusts nothing: each fill must carry the hash that follows from all before it.
Rule 2: readers beside the running strategy hold one short read-only transaction and never write.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.orders import Filled
from shared.units import Ns, Sats, Side, Ticks, plain
from strategy.ledger.entries import FillEntry, IntentEntry
from strategy.ledger.lots import Acquisition, Disposal, Lot, Lots
from strategy.ledger.migrations import APPLICATION_ID, FIRST_CHAIN_HASH, SCHEMA_VERSION
from strategy.ledger.trade import UNKNOWN, Trade, coin_of, trade_of

READER_BUSY_S: Final = 2.0

INSERT_FILL: Final = f"INSERT INTO fill VALUES ({', '.join('?' * 15)})"
INSERT_LOT: Final = "INSERT INTO lot VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_PART: Final = f"INSERT INTO part VALUES ({', '.join('?' * 12)})"
SELECT_INTENT: Final = "SELECT cl_ord_id, slot, pair, side, price, qty, deadline, wall FROM intent "
_SELECT_BOOKED: Final = (
    "SELECT cl_ord_id, sum(fill.qty) FROM intent JOIN fill USING (cl_ord_id) "
    "WHERE outcome IS NULL GROUP BY cl_ord_id"
)

Row = tuple[object, ...]
FillRow = tuple[int, str, str, str, str, str, str, int, int, str, str, int, int, int]
_SELECT_FILLS: Final = (
    "SELECT seq, exec_id, order_id, cl_ord_id, slot, pair, side, price, qty, cost, fees, wall, "
    "trade_id, maker, hash FROM fill "
)
_fees: Final = msgspec.json.Decoder(tuple[tuple[str, Decimal], ...])


class LedgerError(Exception):
    """The ledger cannot be used or written: one sentence for the operator, with the remedy."""


class LedgerBroken(LedgerError):  # noqa: N818 - it is a state of the world
    """The file or its disk failed under us: stop, start again, verify; restore if need be."""


class DiskFull(LedgerError):  # noqa: N818 - it is a state of the world
    """Nothing of the transaction was written. The same entries may be committed again later."""


class LedgerBusy(LedgerError):  # noqa: N818 - it is a state of the world
    """Another program held the file; nothing was written. Commit the same entries again."""


class Loaded(Struct, frozen=True):
    """What a new life knows from its predecessors.

    lots: of the coin asked for; a queue of its own, which the caller books on.
    intents: those without an outcome, oldest first. fills: how many were ever booked.
    last_fills: those booked last, in that order. head: the hash that names all fills.
    booked: cl_ord_id -> what the orders of these intents have filled, where they have.
    """

    lots: Lots
    intents: tuple[IntentEntry, ...]
    facts: dict[str, str]
    fills: int
    last_fills: tuple[FillEntry, ...]
    head: str
    booked: dict[str, Sats]


class Replayed(Struct):
    """All fills of a file, checked: a queue for each coin, and the end of the chain."""

    queues: dict[str, Lots]
    seq: int
    head: str


# Readers.


def open_readonly(path: Path, coin: str = "BTC", last: int = 100) -> Loaded:
    """The ledger as it is now, beside a strategy that runs or not. LedgerError says why not."""
    with reader(path) as db:
        return load(db, replay(db), coin, last)


def backup(path: Path, target: Path) -> str:
    """Write a sound, complete copy beside a running strategy, and return the hash of its fills.

    The copy appears under its name only when it is on the disk and was verified. Never copy the
    live file by other means: without its write-ahead log it lacks the newest fills.
    """
    if target.exists():
        raise LedgerError(f"{target.name} exists already: choose another name for the backup")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    with reader(path, snapshot=False) as db:
        db.execute("VACUUM INTO ?", (str(part),))
    with reader(part) as db:
        found = faults(db)
        head = replay(db).head if not found else ""
    if found:
        part.unlink()
        raise LedgerError(f"the backup would not be sound ({found[0]}): check the ledger itself")
    for name in (part, part.parent):
        descriptor = os.open(name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    part.rename(target)
    return head


@contextmanager
def reader(path: Path, *, snapshot: bool = True) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise LedgerError(f"there is no ledger at {path}: it begins with the first start")
    with explained(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=READER_BUSY_S, isolation_level=None)
        ) as db:
            check_header(db, path)
            if snapshot:
                db.execute("BEGIN")
            yield db


# Reading.


def check_header(db: sqlite3.Connection, path: Path) -> int:
    """The file's schema version; LedgerError where it is not ours or newer than this program."""
    version = one(db, "PRAGMA user_version")
    empty = one(db, "SELECT count(*) FROM sqlite_schema") == 0
    if not empty and one(db, "PRAGMA application_id") != APPLICATION_ID:
        raise LedgerError(f"{path.name} is not a ledger of iCryptoTrader: name another file")
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"{path.name} was written by a newer version (schema {version}, this program knows "
            f"{SCHEMA_VERSION}): update the program, or restore the backup made before the update"
        )
    return version


def load(db: sqlite3.Connection, replayed: Replayed, coin: str, last: int) -> Loaded:
    queue = replayed.queues.get(coin)
    newest = db.execute(_SELECT_FILLS + "ORDER BY seq DESC LIMIT ?", (last,)).fetchall()
    intents = db.execute(SELECT_INTENT + "WHERE outcome IS NULL ORDER BY wall, cl_ord_id")
    return Loaded(
        lots=Lots.of(coin, queue.trades() if queue else ()),
        intents=tuple(_intent_of(row) for row in intents),
        facts=dict(db.execute("SELECT key, value FROM fact ORDER BY key")),
        fills=replayed.seq,
        last_fills=tuple(_entry_of(row[:-1]) for row in reversed(newest)),
        head=replayed.head,
        booked=dict(db.execute(_SELECT_BOOKED)),
    )


def replay(db: sqlite3.Connection) -> Replayed:
    """Read every fill in the order of booking, check the chain, and book it."""
    trades: dict[str, list[Trade]] = {}
    entries, head = fills(db)
    for seq, entry in enumerate(entries, 1):
        trade = trade_of(entry.fill)
        if trade is None:
            raise _changed(f"fill number {seq} has values that cannot be booked")
        trades.setdefault(coin_of(trade.pair), []).append(trade)
    queues = {coin: Lots.of(coin, found) for coin, found in trades.items()}
    return Replayed(queues, len(entries), head)


def fills(db: sqlite3.Connection) -> tuple[list[FillEntry], str]:
    """Every fill in the order of booking, and the end of their chain; LedgerBroken if it broke."""
    found: list[FillEntry] = []
    head = FIRST_CHAIN_HASH
    for row in db.execute(_SELECT_FILLS + "ORDER BY seq"):
        head = chained(head, row[:-1])
        if (row[0], row[-1]) != (len(found) + 1, head):
            raise _changed(f"fill number {len(found) + 1} is missing or was changed")
        found.append(_entry_of(row[:-1]))
    if db.execute("SELECT seq, hash FROM head").fetchone() != (len(found), head):
        raise _changed(f"fills after number {len(found)} are missing")
    return found, head


def head_of(entries: Iterable[FillEntry]) -> str:
    """The hash that names these fills in the order of booking."""
    head = FIRST_CHAIN_HASH
    for seq, entry in enumerate(entries, 1):
        head = chained(head, fill_row(seq, entry))
    return head


def faults(db: sqlite3.Connection) -> list[str]:
    """All that is wrong with a ledger, as sentences: pages, references, chain, lots and parts."""
    pages = [text for (text,) in db.execute("PRAGMA integrity_check(20)") if text != "ok"]
    references = [
        f"a row of {table} names a {parent} that does not exist"
        for table, _, parent, _ in db.execute("PRAGMA foreign_key_check")
    ]
    try:
        replayed = replay(db)
        derived = derived_faults(db, replayed.queues)
    except (LedgerError, sqlite3.Error) as error:
        return [*pages, *references, str(error)]
    return [*pages, *references, *derived]


def derived_faults(db: sqlite3.Connection, queues: dict[str, Lots]) -> list[str]:
    """Where the lots and parts written down differ from those that follow from the fills."""
    lots: dict[object, Row] = {}
    parts: dict[object, Row] = {}
    for booking in bookings(queues):
        match booking:
            case Acquisition(lot):
                lots[lot.exec_id] = lot_row(lot)
            case Disposal():
                parts.update((row[:2], row) for row in part_rows(booking))
    found_lots = {row[0]: row for row in db.execute("SELECT * FROM lot")}
    found_parts = {row[:2]: row for row in db.execute("SELECT * FROM part")}
    return [
        f"the {what} of {key} differs from what the fills say"
        for what, found, right in (("lot", found_lots, lots), ("part", found_parts, parts))
        for key in {**found, **right}
        if found.get(key) != right.get(key)
    ]


def bookings(queues: dict[str, Lots]) -> Iterator[Acquisition | Disposal]:
    """Every booking of every coin; of each coin the oldest first."""
    for queue in queues.values():
        yield from queue.bookings()


# Rows.


def fill_row(seq: int, entry: FillEntry) -> FillRow:
    fill = entry.fill
    fees = [[asset, plain(amount)] for asset, amount in fill.fees]
    return (
        seq,
        fill.exec_id,
        fill.order_id,
        fill.cl_ord_id,
        entry.slot,
        fill.pair,
        fill.side.value,
        fill.price,
        fill.qty,
        plain(fill.cost),
        msgspec.json.encode(fees).decode(),
        fill.wall,
        fill.trade_id,
        int(fill.maker),
    )


def chained(before: str, row: Row) -> str:
    """The hash of a row that follows another: SHA-256 over that one's and this one's JSON."""
    return hashlib.sha256(before.encode() + msgspec.json.encode(row)).hexdigest()


def lot_row(lot: Lot) -> Row:
    coin = coin_of(lot.pair)
    return (lot.exec_id, coin, lot.wall, lot.trade_id, lot.qty, plain(lot.cost), lot.currency)


def part_rows(disposal: Disposal) -> Iterator[Row]:
    for number, part in enumerate(disposal.parts):
        yield (
            disposal.exec_id,
            number,
            None if part.lot == UNKNOWN else part.lot,
            part.bought_wall,
            part.qty,
            plain(part.cost),
            part.cost_currency,
            plain(part.proceeds),
            plain(part.fee),
            part.currency,
            int(part.taxable),
            int(part.of_fee),
        )


def _entry_of(row: FillRow) -> FillEntry:
    (
        _,
        exec_id,
        order_id,
        cl_ord_id,
        slot,
        pair,
        side,
        price,
        qty,
        cost,
        fees,
        wall,
        number,
        maker,
    ) = row
    fill = Filled(
        exec_id=exec_id,
        order_id=order_id,
        cl_ord_id=cl_ord_id,
        pair=pair,
        side=Side(side),
        price=Ticks(price),
        qty=Sats(qty),
        cost=Decimal(cost),
        fees=_fees.decode(fees),
        wall=Ns(wall),
        trade_id=number,
        maker=bool(maker),
    )
    return FillEntry(fill, slot)


def _intent_of(row: tuple[str, str, str, str, int, int, int, int]) -> IntentEntry:
    cl_ord_id, slot, pair, side, price, qty, deadline, wall = row
    return IntentEntry(
        cl_ord_id, slot, pair, Side(side), Ticks(price), Sats(qty), Ns(deadline), Ns(wall)
    )


def one(db: sqlite3.Connection, query: str, values: Row = ()) -> int:
    """The first number of the first row."""
    return int(db.execute(query, values).fetchone()[0])


# Errors.


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences for people, told apart by what may be done about them."""
    name = path.name
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        match code.split("_")[1:2]:
            case ["FULL"]:
                raise DiskFull(
                    f"no space left to write {name}: free some, nothing is lost"
                ) from error
            case ["BUSY" | "LOCKED"]:
                raise LedgerBusy(f"another program holds {name}: close it") from error
            case ["IOERR" | "CORRUPT" | "NOTADB"]:
                raise LedgerBroken(
                    f"{name} cannot be read or written ({error}): check the disk, then restore the "
                    "newest backup; what it lacks is fetched from the exchange's history"
                ) from error
            case ["READONLY" | "CANTOPEN" | "PERM"]:
                raise LedgerError(
                    f"{name} cannot be opened for writing ({error}): check the owner and the "
                    "rights of the file and of its folder"
                ) from error
            case _:
                raise LedgerError(f"{name}: {error}") from error


def _changed(what: str) -> LedgerError:
    return LedgerBroken(
        f"the ledger was changed from outside: {what}; restore the newest backup, what it lacks is "
        "fetched from the exchange's history"
    )
