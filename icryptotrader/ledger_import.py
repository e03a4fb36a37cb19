"""`icryptotrader ledger import`: the past from exported tables; a dry run unless told to write.

Rule 1: all files of one call are read together and written in one transaction, or not at all.
Rule 2: what is known already is left as it is: the same files a second time change nothing.
Rule 3: the raw files are kept in the ledger, each under its SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from icryptotrader.lots import LEDGER, house_wall
from shared.config import Home
from shared.orders import Filled
from shared.process import LockHeld, lock
from shared.units import Ns, plain
from strategy.ledger.archive import ArchiveError, csv_inside
from strategy.ledger.book import BookError, keep
from strategy.ledger.entries import (
    AuditEntry,
    Entry,
    EvidenceEntry,
    FillEntry,
    Imported,
    MovementEntry,
)
from strategy.ledger.events import (
    KRAKEN,
    Exchanged,
    TaxEvent,
    is_told_again,
    of_trade,
    quantity_of,
)
from strategy.ledger.evidence import Evidence, read_evidence
from strategy.ledger.history import Balance, History, read_history, table_kind
from strategy.ledger.kraken_csv import CsvError
from strategy.ledger.rates import CURRENCIES, EURO, Rates, fingerprint
from strategy.ledger.records import LedgerError
from strategy.ledger.store import Store
from strategy.ledger.trade import trade_of

STRATEGY_LOCK = "strategy.lock"
MOST_BYTES = 200_000_000
"""Of all files of one call."""

Tell = Callable[[str], None]


def import_history(
    home: Home, files: Sequence[Path], *, apply: bool, tell: Tell, why: str = ""
) -> int:
    """Read the tables, say what they would change, and write it if told to. 0 done, 1 refused."""
    try:
        raw = _raw(files)
        tables = {name: _text(name, data) for name, data in raw.items()}
        history = read_history(tables)
        known = _known(home)
    except OSError as error:
        tell(f"nothing was read in: {error.filename}: {error.strerror}")
        return 1
    except (CsvError, LedgerError) as error:
        tell(f"nothing was read in: {error}")
        return 1
    faults = _told(history, known, tell)
    if faults:
        for fault in faults:
            tell(fault)
        tell("nothing was written: these contradict what is booked")
        return 1
    if not apply:
        tell("dry run: nothing was written; the same with --apply writes it")
        return 0
    wall = house_wall(home)
    added = write(home, _entries(history, known, raw, tables, (wall, why)), tell)
    if added is None:
        return 1
    tell(f"written: {added} fills and {_new_events(history, known)} other events")
    return 0


def _raw(files: Sequence[Path]) -> dict[str, bytes]:
    """Every table by its name: the files, and what is inside of Kraken's zip archives."""
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for file in files:
        data = file.read_bytes()
        inside = _unpacked(file, data, left) if data[:2] == b"PK" else {str(file): data}
        left -= sum(len(table) for table in inside.values())
        if left < 0:
            raise CsvError("these files are larger than any export of Kraken: name fewer at a time")
        found |= inside
    return found


def _unpacked(file: Path, data: bytes, most: int) -> dict[str, bytes]:
    try:
        inside = csv_inside(data, most)
    except ArchiveError as error:
        raise CsvError(f"{file}: {error}") from error
    if not inside:
        raise CsvError(f"{file}: the archive holds no csv file of Kraken's size")
    return {f"{file}/{name}": table for name, table in inside.items()}


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CsvError(f"{name}: not in UTF-8: use the file as Kraken made it") from error


def write(home: Home, entries: list[Entry | Imported], tell: Tell) -> int | None:
    """All entries in one transaction; how many fills were added, None where it was refused."""
    home.make()
    try:
        held = lock(home.run / STRATEGY_LOCK)
    except LockHeld:
        tell("the strategy runs and is the ledger's one writer: stop it first, then try again")
        return None
    try:
        store = Store.open(home.data / LEDGER)
        try:
            return store.bring_in(entries)
        finally:
            store.close()
    except LedgerError as error:
        tell(f"nothing was written: {error}")
        return None
    finally:
        held.release()


def _known(home: Home) -> Evidence:
    path = home.data / LEDGER
    return read_evidence(path) if path.exists() else Evidence((), (), (), (), "", "")


def _told(history: History, known: Evidence, tell: Tell) -> list[str]:
    """Say what the tables hold; returns what contradicts the ledger."""
    booked = {entry.fill.exec_id: entry.fill for entry in known.fills}
    moved = {entry.event.id: entry.event for entry in known.movements}
    faults = [
        f"fill {fill.exec_id}: booked with another pair, side or quantity"
        for fill in history.fills
        if (old := booked.get(fill.exec_id)) is not None
        and (old.pair, old.side, old.qty) != (fill.pair, fill.side, fill.qty)
    ]
    faults += [
        f"{event.id}: booked with other values"
        for event in history.events
        if event.id in moved and not is_told_again(moved[event.id], event)
    ]
    faults += [
        f"fill {fill.exec_id}: has values that cannot be booked"
        for fill in history.fills
        if trade_of(fill) is None
    ]
    new = sum(fill.exec_id not in booked for fill in history.fills)
    tell(f"{history.rows} rows read: {len(history.fills)} fills, of which {new} are new;")
    tell(f"{len(history.events)} other events, of which {_new_events(history, known)} are new")
    for note in (*history.notes, *_other_fees(history, booked, moved)):
        tell(f"look at: {note}")
    if history.fees_assumed:
        tell(
            f"look at: of {history.fees_assumed} trades only trades.csv tells: their fees are "
            "taken to be in the quote currency; ledgers.csv says what was charged: name both in "
            "one call"
        )
    if not faults:
        _tell_balances(history, known, tell)
    return faults


def _other_fees(
    history: History, booked: dict[str, Filled], moved: dict[str, TaxEvent]
) -> Iterator[str]:
    """Trades that are booked with another fee: trades.csv does not say which asset was charged."""
    pairs = [
        (fill.exec_id, booked[fill.exec_id].fees, fill.fees)
        for fill in history.fills
        if fill.exec_id in booked
    ]
    for event in history.events:
        old = moved.get(event.id)
        if isinstance(old, Exchanged) and isinstance(event, Exchanged):
            pairs.append((event.id, old.fees, event.fees))
    for name, first, second in pairs:
        if dict(first) != dict(second):
            before, now = (
                ", ".join(f"{plain(fee)} {asset}" for asset, fee in fees) or "none"
                for fees in (first, second)
            )
            yield f"{name}: booked with the fee {before}; these tables say {now}"


def _tell_balances(history: History, known: Evidence, tell: Tell) -> None:
    """The exchange's last balances beside the rows' sum and what the book would then hold."""
    events: dict[str, TaxEvent] = {event.id: event for event in known.events()}
    for event in history.events:
        events.setdefault(event.id, event)
    for fill in history.fills:
        trade = trade_of(fill)
        if trade is not None:
            events.setdefault(fill.exec_id, of_trade(trade, fill.order_id))
    held: dict[str, int] = {}
    try:
        keep(events.values(), known.known_rates(), track_currencies=False)
    except BookError as error:
        tell(f"not yet valued in euros: {error}")
    # Coins are counted without rates, too.
    rates = Rates(known.known_rates().all(), stand_in=True)
    book = keep(events.values(), rates, track_currencies=False)
    for lot in book.open_lots(account=KRAKEN):
        held[lot.basis.asset] = held.get(lot.basis.asset, 0) + lot.qty
    for note in book.notes:
        tell(f"look at: {note}")
    for balance in history.balances:
        tell(_balance_told(balance, held.get(balance.asset, 0)))


def _balance_told(balance: Balance, held: int) -> str:
    """The exchange's word on one asset, what the rows make of it, and what the book will hold."""
    booked = quantity_of(held)
    is_coin = balance.asset not in (EURO, *CURRENCIES, "KFEE")
    fits = balance.told == balance.before + balance.summed
    fits = fits and (not is_coin or booked == balance.told)
    before = f" after {plain(balance.before)} before them" if balance.before else ""
    said = f", in the book {plain(booked)}" if is_coin else ""
    return (
        f"{balance.asset}: the exchange says {plain(balance.told)}, the rows add up to "
        f"{plain(balance.summed)}{before}{said}{'' if fits else '  <- differs'}"
    )


def _entries(
    history: History,
    known: Evidence,
    raw: dict[str, bytes],
    tables: dict[str, str],
    said: tuple[Ns, str],
) -> list[Entry | Imported]:
    (wall, why), booked = said, {entry.event.id for entry in known.movements}
    hashes = {name: fingerprint(data) for name, data in raw.items()}
    found: list[Entry | Imported] = [
        EvidenceEntry(hashes[name], Path(name).name, table_kind(tables[name]), wall, data)
        for name, data in raw.items()
    ]
    reason = why or "imported"
    found += [FillEntry(fill) for fill in history.fills]
    found += [
        MovementEntry(event, hashes[history.named[event.id]], reason, wall)
        for event in history.events
        if event.id not in booked
    ]
    told = ", ".join(f"{Path(name).name} {sha256}" for name, sha256 in hashes.items())
    found.append(AuditEntry(wall, "operator", "ledger import", f"{reason}: {told}"))
    return found


def _new_events(history: History, known: Evidence) -> int:
    there = {entry.event.id for entry in known.movements}
    return sum(event.id not in there for event in history.events)
