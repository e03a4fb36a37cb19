"""Backups: named, verified, thinned out; restored only where nothing is lost by it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icryptotrader.backup import (
    LEDGER,
    BackupError,
    backups,
    before_migration,
    folder_of,
    kept,
    restore,
    take,
)
from shared import haltflag
from shared.clock import machine_wall
from shared.config import Home
from shared.process import lock
from shared.units import DAY, Side
from strategy.ledger.entries import FillEntry, Remember
from strategy.ledger.migrations import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from strategy.ledger.records import open_readonly
from strategy.ledger.store import Store
from tests.unit.strategy.core.build import MID, make_fill

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.make()
    book(place, 0, 3)
    return place


def book(home: Home, first: int, count: int, *, halt: str = "") -> None:
    """Book fills of the last hour, and let the history be read up to now."""
    wall = machine_wall()
    store = Store.open(home.data / LEDGER)
    fills = [
        FillEntry(make_fill(f"T-{n}", Side.BUY, MID, 10_000, wall=wall - 10**9, trade_id=n + 1))
        for n in range(first, first + count)
    ]
    store.commit([*fills, Remember("cursor", str(wall)), Remember("halt", halt)])
    store.close()


def fills(home: Home) -> int:
    return open_readonly(home.data / LEDGER).fills


def test_a_copy_bears_its_moment_and_the_hash_of_its_fills(home: Home) -> None:
    made = take(home)
    assert [path for _, path in backups(home)] == [made]
    head = open_readonly(made).head
    assert made.stem.endswith(head[:16])
    assert made.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder_of(home).iterdir()) == [made.name]


def test_restored_it_is_the_ledger_again_and_the_replaced_one_is_kept(home: Home) -> None:
    take(home)
    book(home, 3, 2)
    assert fills(home) == 5
    said = restore(home, "latest")
    assert "restored ledger-" in said
    assert fills(home) == 3
    [aside] = home.data.glob("ledger-replaced-*.sqlite")
    assert open_readonly(aside).fills == 5
    Store.open(home.data / LEDGER).close()


def test_a_lost_ledger_is_restored(home: Home) -> None:
    made = take(home)
    (home.data / LEDGER).unlink()
    restore(home, str(made))
    assert fills(home) == 3


def test_a_halt_survives_the_restore_of_an_older_copy(home: Home) -> None:
    take(home)
    book(home, 3, 1, halt="killed: drill")
    restore(home, "latest")
    assert "killed: drill" in (haltflag.read_flag(home.data) or "")


def test_beside_a_running_strategy_nothing_is_restored(home: Home) -> None:
    take(home)
    held = lock(home.run / "strategy.lock")
    with pytest.raises(BackupError, match="stop it first"):
        restore(home, "latest")
    held.release()


def test_a_damaged_or_renamed_copy_is_refused(home: Home) -> None:
    made = take(home)
    book(home, 3, 1)
    other = made.with_name(made.name[:-23] + "0" * 16 + ".sqlite")
    shutil.copyfile(made, other)
    with pytest.raises(BackupError, match="named after"):
        restore(home, str(other))
    with closing(sqlite3.connect(made)) as db, db:
        db.execute("UPDATE fill SET price = price + 1 WHERE seq = 2")
    with pytest.raises(BackupError, match="changed"):
        restore(home, str(made))
    with pytest.raises(BackupError, match="there is no ledger"):
        restore(home, "ledger-none.sqlite")
    assert fills(home) == 4


def test_a_copy_of_another_history_is_refused(home: Home, tmp_path: Path) -> None:
    stranger = Home(tmp_path / "stranger")
    stranger.make()
    book(stranger, 100, 2)
    made = take(stranger)
    with pytest.raises(BackupError, match="another history"):
        restore(home, str(made))
    assert fills(home) == 3


def test_what_the_history_cannot_complete_is_refused(home: Home) -> None:
    store = Store.open(home.data / LEDGER)
    long_ago = machine_wall() - 20_000 * DAY
    store.commit([Remember("cursor", str(long_ago))])
    store.close()
    made = take(home)
    with pytest.raises(BackupError, match="more than the 20000"):
        restore(home, str(made))


def test_an_older_schema_is_copied_before_it_is_migrated(home: Home) -> None:
    assert before_migration(home) is None
    place = home.data / LEDGER
    place.unlink()
    assert before_migration(home) is None
    place.touch(mode=0o600)
    with closing(sqlite3.connect(place, isolation_level=None)) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
    copied = before_migration(home)
    assert copied is not None
    with closing(sqlite3.connect(copied)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    Store.open(place).close()
    with closing(sqlite3.connect(place)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert before_migration(home) is None


hours = st.lists(st.integers(0, 24 * 365 * 11), unique=True, min_size=1, max_size=80)


@given(hours)
def test_thinning_keeps_all_of_two_days_a_day_of_each_month_and_the_newest(ages: list[int]) -> None:
    moments = sorted(NOW - timedelta(hours=age) for age in ages)
    keep = kept(moments, NOW)
    assert keep == sorted(keep)
    assert set(keep) <= set(moments)
    assert moments[-1] in keep
    assert set(keep) >= {m for m in moments if NOW - m <= timedelta(hours=48)}
    older = [m for m in keep[:-1] if timedelta(hours=48) < NOW - m <= timedelta(days=30)]
    assert len({m.date() for m in older}) == len(older)
    oldest = [m for m in keep[:-1] if NOW - m > timedelta(days=30)]
    assert len({(m.year, m.month) for m in oldest}) == len(oldest)
    assert kept(keep, NOW) == keep


def test_thinning_takes_place_at_each_backup(home: Home) -> None:
    made = take(home)
    ten = f"{NOW - timedelta(days=4_000):%Y%m%dT%H%M%SZ}"
    ancient = made.with_name(f"ledger-{ten}-{'a' * 16}.sqlite")
    shutil.copyfile(made, ancient)
    book(home, 3, 1)
    take(home)
    assert not ancient.exists()
