"""The rows of a ledger's own tables, as they are: for a copy in another form, and back.

Derived tables (lot, part) are left out: they follow from the fills.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from strategy.ledger.records import LedgerError, Row, check_header, explained, one, reader

TABLES: Final = (
    "evidence", "fill", "head", "movement", "movement_head", "rate", "intent", "fact", "audit",
    "life",
)  # fmt: skip
"""In an order in which no row names one that comes later."""

Tables = Mapping[str, tuple[list[str], list[Row]]]


def read_tables(path: Path) -> tuple[int, Tables]:
    """(schema version, columns and rows of each table in the order of its key)."""
    with reader(path) as db:
        version = one(db, "PRAGMA user_version")
        there = {
            name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        found: dict[str, tuple[list[str], list[Row]]] = {}
        for name in TABLES:
            if name in there:
                cursor = db.execute(f"SELECT * FROM {name} ORDER BY 1")
                columns = [str(column[0]) for column in cursor.description]
                found[name] = (columns, cursor.fetchall())
        return version, found


def fill_tables(path: Path, tables: Tables) -> None:
    """Put rows into a fresh ledger in one transaction; LedgerError where they do not fit."""
    strange = [name for name in tables if name not in TABLES]
    if strange:
        raise LedgerError(f"a ledger has no table {', '.join(strange)}")
    with explained(path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        check_header(db, path)
        db.execute("BEGIN IMMEDIATE")
        for name in TABLES:
            if name not in tables:
                continue
            columns, rows = tables[name]
            known = [str(row[1]) for row in db.execute(f"PRAGMA table_info({name})")]
            if not set(columns) <= set(known):
                raise LedgerError(f"the table {name} has no column {', '.join(columns)}")
            db.execute(f"DELETE FROM {name}")
            marks = ", ".join("?" * len(columns))
            db.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)
        db.execute("COMMIT")
