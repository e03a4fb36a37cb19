"""Raw files, movements and rates in the ledger: chained, never overwritten, read back checked."""

from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shared.orders import Filled
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.ledger.entries import (
    Entry,
    EvidenceEntry,
    FillEntry,
    Imported,
    MovementEntry,
    RateEntry,
)
from strategy.ledger.events import KRAKEN, Departed, units_of
from strategy.ledger.evidence import check, read_evidence
from strategy.ledger.rates import Looked, Rate, fingerprint
from strategy.ledger.records import LedgerBroken, LedgerError
from strategy.ledger.store import Store

START = Ns(1_700_000_000 * SECOND)
RAW = b"a file"
SOURCE = fingerprint(RAW)
FILE = EvidenceEntry(SOURCE, "a.csv", "kraken-ledgers", START, RAW)
DAY = date(2024, 6, 3)


def fill(number: int, side: Side = Side.BUY) -> FillEntry:
    return FillEntry(
        Filled(
            f"T{number}", "O", "", "BTC/EUR", side, Ticks(1), Sats(1000), Decimal("4.5"),
            (("EUR", Decimal("0.1")),), Ns(START + number * SECOND), number, True,
        )
    )  # fmt: skip


def movement(name: str, qty: str = "0.1") -> MovementEntry:
    event = Departed(name, START, 0, KRAKEN, "BTC", units_of(Decimal(qty)))
    return MovementEntry(event, SOURCE, "imported", START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_everything_comes_back_as_it_was_written(path: Path) -> None:
    rate = RateEntry(Rate(DAY, "USD", Decimal("1.0842")), SOURCE)
    store = Store.open(path)
    store.commit([FILE, movement("w1"), fill(1), rate])
    within = store.evidence()
    store.close()
    found = read_evidence(path, files=True)
    assert (found.movements, found.rates, found.files) == ((movement("w1"),), (rate,), (FILE,))
    assert (within.movements, within.fills, within.files) == (found.movements, (fill(1),), ())
    assert [event.id for event in found.events()] == ["T1", "w1"]
    assert check(path) == []


def test_of_one_day_the_rate_read_in_last_counts(path: Path) -> None:
    store = Store.open(path)
    later = b"another file"
    entries: list[Entry | Imported] = [
        FILE,
        RateEntry(Rate(DAY, "USD", Decimal("1.08")), SOURCE),
        EvidenceEntry(fingerprint(later), "b.csv", "ecb-rates", START, later),
        RateEntry(Rate(DAY, "USD", Decimal("1.09")), fingerprint(later)),
    ]
    store.commit(entries)
    rates = store.evidence().known_rates()
    store.close()
    assert rates.look_up("USD", DAY) == Looked(DAY, Decimal("1.09"), False)


def test_twice_is_once_and_another_value_is_refused_whole(path: Path) -> None:
    store = Store.open(path)
    store.commit([FILE, movement("w1")])
    store.commit([FILE, movement("w1")])
    with pytest.raises(LedgerError, match="with other values"):
        store.commit([movement("w2"), movement("w1", "0.2")])
    assert [entry.event.id for entry in store.evidence().movements] == ["w1"]
    with pytest.raises(LedgerError, match="hash"):
        store.commit([EvidenceEntry("0" * 64, "a", "k", START, RAW)])
    store.close()


def test_a_long_past_is_booked_as_one_by_one(path: Path, tmp_path: Path) -> None:
    entries = [fill(3), fill(1), fill(4, Side.SELL), fill(2, Side.SELL)]
    store = Store.open(path)
    store.commit([entries[0]])
    assert store.bring_in(entries) == 3
    assert store.bring_in(entries) == 0
    other = Store.open(tmp_path / "other.db")
    for entry in entries:
        other.commit([entry])
    assert store.load().lots.digest() == other.load().lots.digest()
    assert store.load().head == other.load().head
    assert store.verify() == other.verify() == []
    store.close()
    other.close()


def test_a_conflict_in_a_long_past_leaves_the_ledger_as_it_was(path: Path) -> None:
    store = Store.open(path)
    store.commit([fill(1)])
    with pytest.raises(LedgerError, match="another pair, side or quantity"):
        store.bring_in([fill(2), fill(1, Side.SELL)])
    assert store.load().fills == 1
    assert store.verify() == []
    store.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE movement SET why = 'other' WHERE seq = 1", "movement number 1"),
        ("DELETE FROM movement WHERE seq = 2", "movements after number 1"),
        ("UPDATE evidence SET data = x'00'", "was changed"),
        ("UPDATE evidence SET data = x'ffff'", "cannot be unpacked"),
    ],
)
def test_a_change_from_outside_is_noticed(path: Path, statement: str, said: str) -> None:
    store = Store.open(path)
    store.commit([FILE, movement("w1"), movement("w2")])
    store.close()
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
    assert any(said in fault for fault in check(path))
    if "evidence" not in statement:
        with pytest.raises(LedgerBroken):
            read_evidence(path)


def test_a_ledger_of_the_first_schema_is_read_and_then_brought_up_to_date(path: Path) -> None:
    store = Store.open(path)
    store.commit([fill(1)])
    store.close()
    db = sqlite3.connect(path)
    for table in ("rate", "movement_head", "movement", "evidence"):
        db.execute(f"DROP TABLE {table}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    assert read_evidence(path).fills == (fill(1),)
    assert check(path) == []
    Store.open(path).close()
    assert read_evidence(path).movement_head == "0" * 64
