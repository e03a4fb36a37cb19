"""The ledger's file: what it keeps, what it refuses, what it notices."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.orders import Filled
from shared.units import DAY, MINUTE, SECOND, Ns, Sats, Side, Ticks
from strategy.ledger.entries import (
    AuditEntry,
    FillEntry,
    IntentDone,
    IntentEntry,
    Remember,
)
from strategy.ledger.lots import Lots
from strategy.ledger.records import (
    DiskFull,
    LedgerBroken,
    LedgerBusy,
    LedgerError,
    backup,
    open_readonly,
)
from strategy.ledger.store import KEEP_INTENTS, Ending, Store

START = Ns(1_700_000_000 * SECOND)


def entry(number: int, side: Side = Side.BUY, qty: int = 100_000, **more: Any) -> FillEntry:
    fields: dict[str, Any] = {
        "exec_id": f"T{number}",
        "order_id": f"O{number}",
        "cl_ord_id": f"g{number}",
        "pair": "BTC/EUR",
        "side": side,
        "price": Ticks(400_000),
        "qty": Sats(qty),
        "cost": Decimal("40.12345"),
        "fees": (("EUR", Decimal("0.0481")),),
        "wall": Ns(START + number * DAY),
        "trade_id": number,
        "maker": True,
    }
    return FillEntry(Filled(**(fields | more)), "b1")


def intent(cl_ord_id: str, qty: int = 5, wall: int = START) -> IntentEntry:
    return IntentEntry(
        cl_ord_id, "b1", "BTC/EUR", Side.BUY, Ticks(4), Sats(qty), Ns(wall + SECOND), Ns(wall)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store.open(path)
    yield opened
    opened.close()


def tamper(path: Path, statement: str) -> None:
    """Change a closed ledger as nobody may."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(statement)
    db.commit()
    db.close()


def reopened(store: Store) -> Store:
    store.close()
    return Store.open(store.path)


def test_a_new_life_finds_everything_as_it_was_written(path: Path) -> None:
    store = Store.open(path)
    fills = [entry(1), entry(2, Side.SELL, 40_000), entry(3)]
    store.commit([*fills, intent("g7"), intent("g8"), Remember("hold", "yes")])
    store.commit([IntentDone("g7", "never", START), Remember("hold", "no")])
    store = reopened(store)
    loaded = store.load()
    mine = Lots()
    for each in fills:
        mine.book(each.fill)
    assert loaded.lots.open_lots() == mine.open_lots()
    assert loaded.lots.digest() == mine.digest()
    assert loaded.intents == (intent("g8"),)
    assert loaded.facts == {"hold": "no"}
    assert (loaded.fills, loaded.last_fills) == (3, tuple(fills))
    assert store.load(last=1).last_fills == (fills[-1],)
    assert store.verify() == []
    store.close()


def test_the_callers_queue_is_not_the_stores(store: Store) -> None:
    store.commit([entry(1)])
    store.load().lots.book(entry(2).fill)
    store.commit([entry(2)])
    assert store.load().fills == 2


def test_booked_twice_is_booked_once(store: Store) -> None:
    store.commit([entry(1)])
    head = store.load().head
    store.commit([entry(1), entry(1, order_id="", cl_ord_id="", wall=START)])
    assert (store.load().fills, store.load().head) == (1, head)


def test_another_fill_under_a_booked_id_is_an_error_and_undoes_its_step(store: Store) -> None:
    store.commit([entry(1)])
    with pytest.raises(LedgerError, match="'T1' is booked already"):
        store.commit([entry(2), Remember("a", "b"), entry(1, qty=7)])
    assert (store.load().fills, store.load().facts) == (1, {})
    store.commit([entry(2)])
    assert store.load().fills == 2
    assert store.verify() == []


def test_values_that_cannot_be_booked_are_refused(store: Store) -> None:
    with pytest.raises(LedgerError, match="cannot be booked"):
        store.commit([entry(1, cost=Decimal("NaN"))])
    assert store.load().fills == 0


def test_an_order_id_is_never_used_for_two_orders(store: Store) -> None:
    store.commit([intent("g1")])
    store.commit([intent("g1")])
    with pytest.raises(LedgerError, match="ids must never repeat"):
        store.commit([intent("g1", qty=6)])


def test_each_coin_has_its_own_queue(store: Store) -> None:
    store.commit([entry(1), entry(2, pair="ETH/EUR"), entry(3, pair="BTC/USD")])
    assert store.load("BTC").lots.total() == 200_000
    assert store.load("ETH").lots.total() == 100_000
    assert store.load("XRP").lots.total() == 0
    assert reopened(store).load("ETH").lots.total() == 100_000


def test_a_late_fill_rewrites_the_parts_of_later_sales(store: Store) -> None:
    store.commit([entry(5)])
    store.commit([entry(6, Side.SELL), entry(7), entry(8, Side.SELL, 150_000)])
    store.commit([entry(1, qty=30_000), entry(9, Side.SELL, 1)])
    assert store.verify() == []
    assert reopened(store).verify() == []


def test_open_lots_can_be_read_with_plain_sql(path: Path, store: Store) -> None:
    store.commit([entry(1), entry(2), entry(3, Side.SELL, 130_000)])
    store.close()
    db = sqlite3.connect(path)
    assert db.execute('SELECT exec_id, "left" FROM open_lot').fetchall() == [("T2", 70_000)]
    db.close()


def test_of_an_open_intent_a_new_life_is_told_how_much_has_filled(store: Store) -> None:
    store.commit([intent("g1"), intent("g2"), intent("g3")])
    store.commit([entry(1, qty=300), entry(2, qty=40), entry(9, qty=7, cl_ord_id="g1")])
    store.commit([IntentDone("g2", "filled", START)])

    assert store.load().booked == {"g1": 307}


def test_finished_intents_are_forgotten_but_for_those_that_filled(store: Store) -> None:
    store.commit([intent("g1"), intent("g2"), intent("g3"), entry(1)])
    store.commit([IntentDone("g1", "filled", START), IntentDone("g2", "canceled", START)])
    store.record_start(Ns(START + KEEP_INTENTS + 1))
    kept = store._db.execute("SELECT cl_ord_id FROM intent ORDER BY 1").fetchall()
    assert kept == [("g1",), ("g3",)]


def test_an_intent_nobody_knows_is_finished_without_harm(store: Store) -> None:
    store.commit([IntentDone("g404", "never", START), AuditEntry(START, "bot", "hold", "test")])
    assert store.load().intents == ()


def test_only_lives_that_ended_by_a_crash_are_counted(store: Store) -> None:
    endings = [Ending.INVARIANT, None, Ending.EXCEPTION, Ending.DONE]
    for number, ending in enumerate(endings):
        store.record_start(Ns(START + number * MINUTE))
        if ending is not None:
            store.record_end(Ns(START + number * MINUTE + SECOND), ending)
    assert store.crashes(since=START) == 2
    assert store.crashes(since=Ns(START + MINUTE)) == 1


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE fill SET price = price + 1 WHERE seq = 2", "fill number 2"),
        ("UPDATE fill SET cost = '40.12346' WHERE seq = 3", "fill number 3"),
        ("UPDATE fill SET maker = 0 WHERE seq = 1", "fill number 1"),
        ("DELETE FROM fill WHERE seq = 2", "fill number 2"),
        ("DELETE FROM fill WHERE seq = 4", "after number 3"),
        ("UPDATE fill SET seq = CASE seq WHEN 3 THEN 9 ELSE seq END", "fill number 3"),
    ],
)
def test_a_changed_fill_is_found_at_the_next_start(
    path: Path, store: Store, statement: str, found: str
) -> None:
    store.commit([entry(1), entry(2), entry(3), entry(4)])
    store.close()
    tamper(path, statement)
    with pytest.raises(LedgerBroken, match=found) as told:
        Store.open(path)
    assert "restore" in str(told.value)


def test_changed_lots_are_found_and_derived_again(path: Path, store: Store) -> None:
    store.commit([entry(1), entry(2), entry(3, Side.SELL, 130_000)])
    store.close()
    tamper(path, "UPDATE lot SET cost = '1' WHERE exec_id = 'T2'")
    tamper(path, "DELETE FROM part WHERE n = 1")
    with_faults = Store.open(path)
    faults = with_faults.verify()
    assert len(faults) == 2
    assert with_faults.rebuild() == faults
    assert with_faults.verify() == []
    with_faults.close()


def test_a_damaged_page_is_found_at_the_next_start(path: Path, store: Store) -> None:
    store.commit([entry(number) for number in range(1, 200)])
    store.close()
    raw = bytearray(path.read_bytes())
    raw[8192:12288] = os.urandom(4096)
    path.write_bytes(raw)
    with pytest.raises(LedgerBroken, match="restore"):
        Store.open(path)


def test_a_newer_schema_is_refused(path: Path, store: Store) -> None:
    store.close()
    tamper(path, "PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer version"):
        Store.open(path)
    with pytest.raises(LedgerError, match="newer version"):
        open_readonly(path)


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path: Path) -> None:
    tamper(path, "CREATE TABLE theirs (x)")
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="not a ledger"):
        Store.open(path)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    with pytest.raises(LedgerError, match="ledger"):
        Store.open(path)


def test_a_ledger_others_can_read_is_refused(path: Path, store: Store) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    store.close()
    path.chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        Store.open(path)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be opened"):
        Store.open(tmp_path / "file" / "ledger.db")


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_vanishes_under_us_is_noticed(
    path: Path, store: Store, name: str, replaced: bool
) -> None:
    store.commit([entry(1)])
    victim = path.with_name(name)
    victim.rename(victim.with_suffix(".gone"))
    if replaced:
        victim.touch()
    with pytest.raises(LedgerBroken, match="deleted or replaced"):
        store.commit([entry(2)])
    with pytest.raises(LedgerBroken, match="deleted or replaced"):
        store.commit([entry(2)])


def test_a_file_held_by_another_program_is_tried_again_later(path: Path, store: Store) -> None:
    store.commit([entry(1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy):
        store.commit([entry(2)])
    other.execute("ROLLBACK")
    other.close()
    store.commit([entry(2)])
    assert store.load().fills == 2


def test_no_space_undoes_the_step_and_may_be_tried_again(store: Store) -> None:
    store.commit([entry(1)])
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    many = [entry(number) for number in range(2, 500)]
    with pytest.raises(DiskFull, match="no space left"):
        store.commit(many)
    assert (store.load().fills, store.verify()) == (1, [])
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit(many)
    assert (store.load().fills, store.verify()) == (499, [])


def test_readers_see_a_running_ledger_and_a_closed_one(path: Path, store: Store) -> None:
    store.commit([entry(1)])
    running = open_readonly(path)
    store.commit([entry(2)])
    assert (running.fills, open_readonly(path).fills) == (1, 2)
    store.close()
    assert open_readonly(path).lots.total() == 200_000
    with pytest.raises(LedgerError, match="no ledger"):
        open_readonly(path.with_name("none.db"))


def test_a_backup_is_the_whole_ledger_and_can_be_opened(path: Path, store: Store) -> None:
    store.commit([entry(1), entry(2), intent("g9")])
    target = path.with_name("backup.db")
    assert backup(path, target) == store.load().head
    assert target.stat().st_mode & 0o777 == 0o600
    copy = Store.open(target)
    assert copy.load().lots.digest() == store.load().lots.digest()
    assert copy.load().intents == store.load().intents
    assert copy.verify() == []
    copy.close()
    with pytest.raises(LedgerError, match="exists already"):
        backup(path, target)


def test_the_log_is_folded_into_the_file_at_the_end(path: Path, store: Store) -> None:
    store.commit([entry(1)])
    store.close()
    assert not path.with_name("ledger.db-wal").exists()


def test_the_disk_is_waited_for_at_each_commit(store: Store) -> None:
    (mode,) = store._db.execute("PRAGMA synchronous").fetchone()
    assert mode == 2  # FULL: kill -9 cannot tell it from NORMAL, a power cut can.
