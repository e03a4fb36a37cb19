"""Backups of the ledger: taken beside a running strategy, verified, thinned out, and put back.

Rule 1: a copy appears under its name only when it is complete, sound and on the disk. Its name
holds the UTC time and the hash of the fills, so that nothing in it can change unnoticed.
Rule 2: every copy of two days is kept, then the last of each day for a month, then the last of
each month for ten years (§ 147 (3) AO asks for that long).
Rule 3: a copy is put back only where the exchange's history can still tell what it lacks, never
beside a running strategy, and what it replaces is kept.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from shared import haltflag
from shared.clock import machine_wall
from shared.config import Home
from shared.kraken.rest import PAGE
from shared.process import LockHeld, lock
from shared.units import DAY, SECOND, Ns
from strategy.ledger.evidence import check
from strategy.ledger.migrations import SCHEMA_VERSION
from strategy.ledger.records import LedgerError, Loaded, backup, one, open_readonly, reader
from strategy.session.asks import MOST_PAGES

LEDGER: Final = "ledger.sqlite"
STRATEGY_LOCK: Final = "strategy.lock"
LATEST: Final = "latest"
ALL_FOR: Final = timedelta(hours=48)
DAYS_FOR: Final = timedelta(days=30)
MONTHS_FOR: Final = timedelta(days=3_653)
MOST_TRADES: Final = MOST_PAGES * PAGE
"""So many trades are read from the exchange's history at a start, and no more."""

_NAME: Final = re.compile(r"ledger-(\d{8}T\d{6}Z)-([0-9a-f]{16})\.sqlite")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class BackupError(Exception):
    """Why it cannot be done: one sentence, with the remedy."""


def folder_of(home: Home) -> Path:
    return home.path / "backups"


def take(home: Home) -> Path:
    """A new verified copy in the folder of backups, which is then thinned out."""
    if not (home.data / LEDGER).exists():
        raise BackupError(f"there is no ledger in {home.data}: it begins with the first start")
    folder = folder_of(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    draft = folder / f".draft.{os.getpid()}"
    draft.unlink(missing_ok=True)
    now = _moment()
    try:
        head = backup(home.data / LEDGER, draft)
        if found := check(draft) if _version(draft) == SCHEMA_VERSION else []:
            raise BackupError(f"the copy would not be sound: {found[0]}")
        target = folder / f"ledger-{now:{_STAMP}}-{head[:16]}.sqlite"
        draft.rename(target)
    except (LedgerError, OSError) as error:
        raise BackupError(str(error)) from error
    finally:
        draft.unlink(missing_ok=True)
    found_now = backups(home)
    keep = kept([moment for moment, _ in found_now], now)
    for moment, path in found_now:
        if moment not in keep:
            path.unlink(missing_ok=True)
    return target


def before_migration(home: Home) -> Path | None:
    """A copy of a ledger that the next start would migrate; None where none is needed."""
    place = home.data / LEDGER
    if not place.exists() or place.stat().st_size == 0:
        return None
    try:
        if _version(place) >= SCHEMA_VERSION:
            return None
    except LedgerError:
        return None  # the strategy itself says what is wrong with it
    return take(home)


def backups(home: Home) -> list[tuple[datetime, Path]]:
    """Every backup with its moment, oldest first."""
    found = []
    for path in sorted(folder_of(home).glob("ledger-*.sqlite")):
        if named := _NAME.fullmatch(path.name):
            moment = datetime.strptime(named[1], _STAMP).replace(tzinfo=UTC)
            found.append((moment, path))
    return found


def kept(moments: Sequence[datetime], now: datetime) -> list[datetime]:
    """Which of these, oldest first, are kept by rule 2; the newest always is."""
    last: dict[str, datetime] = {}
    for moment in moments:
        age = now - moment
        if age <= ALL_FOR:
            last[f"{moment:{_STAMP}}"] = moment
        elif age <= DAYS_FOR:
            last[f"{moment:%Y%m%d}"] = moment
        elif age <= MONTHS_FOR:
            last[f"{moment:%Y%m}"] = moment
    return sorted({*last.values(), *moments[-1:]})


def restore(home: Home, name: str) -> str:
    """Put a backup (a path, or "latest") in the ledger's place; what was done, in a sentence."""
    source = _find(home, name)
    home.make()
    try:
        held = lock(home.run / STRATEGY_LOCK)
    except LockHeld as error:
        raise BackupError(f"the strategy runs (process {error.pid}): stop it first") from None
    try:
        return _put_back(home, source)
    except OSError as error:
        raise BackupError(f"nothing was restored: {error}") from error
    finally:
        held.release()


def _put_back(home: Home, source: Path) -> str:
    copy = _read(source)
    named = _NAME.fullmatch(source.name)
    if named and not copy.head.startswith(named[2]):
        raise BackupError(f"{source.name}: its fills are not those it is named after")
    place = home.data / LEDGER
    present = _read_if_sound(place)
    _refuse_strange(source, copy, present)
    _refuse_what_history_cannot_complete(copy, present)
    draft = place.with_name(f".{LEDGER}.draft")
    shutil.copyfile(source, draft)
    draft.chmod(0o600)
    _sync(draft)
    replaced = _put_aside(place)
    draft.rename(place)
    _sync(place.parent)
    if present is not None and (halt := present.facts.get("halt")):
        # A halt outlives whatever is done to the ledger.
        haltflag.raise_flag(home.data, f"before the restore: {halt}")
    aside = f"; what stood there is {replaced.name}" if replaced else ""
    return (
        f"restored {source.name}: {copy.fills} fills; the next start reads the rest from the "
        f"exchange's history{aside}"
    )


def _refuse_strange(source: Path, copy: Loaded, present: Loaded | None) -> None:
    """The copy must be an earlier state of this very ledger, where that can be seen."""
    if present is None or not copy.last_fills:
        return
    ours = {entry.fill.exec_id for entry in present.last_fills}
    newest = copy.last_fills[-1].fill.exec_id
    if newest not in ours and copy.fills <= present.fills:
        raise BackupError(
            f"{source.name} is of another history: its newest fill {newest} is not in the ledger "
            "that it would replace; move that one away first if this is meant"
        )


def _refuse_what_history_cannot_complete(copy: Loaded, present: Loaded | None) -> None:
    cursor = int(copy.facts.get("cursor", "0"))
    lacking = _per_day(copy) * max(0, machine_wall() - cursor) / DAY if cursor else 0.0
    if present is not None:
        later = [e for e in present.last_fills if e.fill.wall > cursor]
        lacking = max(lacking, len(later))
    if lacking > MOST_TRADES:
        raise BackupError(
            f"about {lacking:.0f} trades came after this backup, more than the {MOST_TRADES} that "
            "are read from the exchange's history: take a newer backup, or import the exchange's "
            "export (icryptotrader ledger import)"
        )


def _per_day(copy: Loaded) -> float:
    """Own fills a day in the last month that the copy knows."""
    if not copy.last_fills:
        return 0.0
    newest = copy.last_fills[-1].fill.wall
    recent = [e for e in copy.last_fills if newest - e.fill.wall <= 30 * DAY]
    days = max(1.0, (newest - recent[0].fill.wall) / DAY)
    return len(recent) / days


def _find(home: Home, name: str) -> Path:
    if name != LATEST:
        path = Path(name).expanduser()
        return path if path.exists() or path.is_absolute() else folder_of(home) / name
    found = backups(home)
    if not found:
        raise BackupError(f"there is no backup in {folder_of(home)}")
    return found[-1][1]


def _read(path: Path) -> Loaded:
    try:
        if _version(path) == SCHEMA_VERSION and (found := check(path)):
            raise BackupError(f"{path.name} is not sound: {found[0]}")
        return open_readonly(path, last=2 * MOST_TRADES)
    except (LedgerError, OSError) as error:
        raise BackupError(str(error)) from error


def _read_if_sound(path: Path) -> Loaded | None:
    try:
        return open_readonly(path, last=2 * MOST_TRADES)
    except (LedgerError, OSError):
        return None


def _version(path: Path) -> int:
    with reader(path) as db:
        return one(db, "PRAGMA user_version")


def _put_aside(place: Path) -> Path | None:
    """Move the ledger and its write-ahead log to a name of their own."""
    if not place.exists():
        return None
    target = place.with_name(f"ledger-replaced-{_moment():{_STAMP}}.sqlite")
    for ending in ("-wal", "-shm", ""):
        part = place.with_name(place.name + ending)
        if part.exists():
            part.rename(target.with_name(target.name + ending))
    return target


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _moment() -> datetime:
    wall: Ns = machine_wall()
    return datetime.fromtimestamp(wall // SECOND, UTC)
