"""The ledger's file at its edges: what stays refused, what is kept how long, where it may lie."""

from __future__ import annotations

import os
import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shared.units import DAY, Ns
from strategy.ledger.entries import AuditEntry, IntentDone, RateEntry, Remember
from strategy.ledger.rates import Rate
from strategy.ledger.records import LedgerBroken, LedgerError
from strategy.ledger.store import KEEP_LIVES, PRUNE_EVERY, Ending, Store
from tests.unit.strategy.ledger.test_ledger_store import START, entry, intent, path, reopened, store

__all__ = ["path", "store"]

MARK = "what-nobody-reads-at-the-start"


def names(held: Store) -> list[str]:
    found = held._db.execute("SELECT cl_ord_id FROM intent ORDER BY 1").fetchall()
    return [name for (name,) in found]


def test_a_file_that_was_away_is_not_written_though_it_is_back(path: Path, store: Store) -> None:
    """What was booked meanwhile lies in another file: only a new start may decide."""
    store.commit([entry(1)])
    away = path.with_suffix(".gone")
    path.rename(away)
    with pytest.raises(LedgerBroken):
        store.check_inode()
    away.rename(path)
    with pytest.raises(LedgerBroken, match="deleted or replaced"):
        store.commit([entry(2)])
    with pytest.raises(LedgerBroken):
        store.load()


def test_a_damaged_page_that_no_start_reads_is_found_all_the_same(path: Path, store: Store) -> None:
    store.commit([AuditEntry(START, "bot", "note", f"{MARK}-{n}-" * 20) for n in range(100)])
    store.close()
    raw = bytearray(path.read_bytes())
    page = raw.rindex(MARK.encode()) // 4_096 * 4_096
    raw[page : page + 4_096] = b"\xff" * 4_096
    path.write_bytes(raw)
    with pytest.raises(LedgerBroken, match="damaged"):
        Store.open(path)


def test_a_rate_of_no_known_file_is_refused_and_undoes_its_step(store: Store) -> None:
    rate = RateEntry(Rate(date(2026, 11, 20), "USD", Decimal("1.1")), "f" * 64)
    with pytest.raises((LedgerError, sqlite3.IntegrityError)):
        store.commit([Remember("hold", "x"), rate])
    assert store.load().facts == {}


def test_it_lies_in_a_folder_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    deep = tmp_path / "new" / "state" / "ledger.db"
    opened = Store.open(deep)
    opened.close()
    assert deep.parent.stat().st_mode & 0o077 == 0
    assert deep.stat().st_mode & 0o777 == 0o600


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    theirs = tmp_path / "ledger.db"
    theirs.touch(mode=0o600)
    os.chown(theirs, 1, -1)
    with pytest.raises(LedgerError, match="belongs to another user"):
        Store.open(theirs)


@pytest.mark.parametrize(("days", "kept"), [(29, ["g1", "g2"]), (30, ["g1", "g2"]), (31, ["g2"])])
def test_a_finished_intent_is_kept_for_thirty_days(
    store: Store, days: int, kept: list[str]
) -> None:
    store.commit([intent("g1"), intent("g2"), IntentDone("g1", "canceled", START)])
    store.record_start(Ns(START + days * DAY))
    assert names(store) == kept


def test_old_intents_are_looked_for_in_a_long_life_too(store: Store) -> None:
    store.commit([intent("g1"), IntentDone("g1", "canceled", START)])
    later = Ns(START + 31 * DAY)
    store.commit([IntentDone("g404", "never", later)] * (PRUNE_EVERY - 2))
    assert names(store) == ["g1"]
    store.commit([IntentDone("g404", "never", later)])
    assert names(store) == []


def test_the_last_thousand_lives_are_remembered(store: Store) -> None:
    store._db.execute("BEGIN")
    store._db.executemany(
        "INSERT INTO life (started) VALUES (?)", [(number,) for number in range(KEEP_LIVES)]
    )
    store._db.execute("COMMIT")
    store.record_start(Ns(START))
    (count, oldest) = store._db.execute("SELECT count(*), min(started) FROM life").fetchone()
    assert (count, oldest) == (KEEP_LIVES, 1)
    store.record_end(Ns(START + 1), Ending.EXCEPTION)
    assert store.crashes(Ns(START + 1)) == 1
    assert store.crashes(Ns(START + 2)) == 0


def test_of_a_long_past_as_many_are_told_as_were_new(store: Store) -> None:
    store.commit([entry(2)])
    assert store.bring_in([entry(1), entry(2), entry(3), Remember("a", "b")]) == 2
    loaded = store.load()
    assert (loaded.fills, loaded.facts) == (3, {"a": "b"})
    assert [trade.exec_id for trade in loaded.lots.trades()] == ["T1", "T2", "T3"]
    assert store.verify() == []
    assert store.bring_in([entry(1)]) == 0
    with pytest.raises(LedgerError, match="cannot be booked"):
        store.bring_in([entry(4), entry(5, cost=Decimal("NaN"))])
    with pytest.raises(LedgerError, match="'T1' is booked already"):
        store.bring_in([entry(4), entry(1, qty=7)])
    assert store.load().fills == 3
    again = reopened(store)
    assert again.verify() == []
    again.close()


def test_what_is_brought_into_a_file_that_was_replaced_is_not_taken_for_kept(
    path: Path, store: Store
) -> None:
    path.rename(path.with_suffix(".gone"))
    with pytest.raises(LedgerBroken, match="deleted or replaced"):
        store.bring_in([entry(1)])


def test_what_was_decided_is_on_record_word_for_word(store: Store) -> None:
    store.commit([AuditEntry(START, "operator", "hold", "lunch"), Remember("hold", "lunch")])
    rows = store._db.execute("SELECT wall, who, what, why FROM audit").fetchall()
    assert rows == [(START, "operator", "hold", "lunch")]
