"""The whole ledger as one JSON document, and a ledger from such a document, the same again.

Rule 1: what follows from the fills (lots, parts) is not written down twice: it is derived again.
Rule 2: a ledger read from a document appears under its name only when it was verified.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy.ledger.records import LedgerError
from strategy.ledger.rows import fill_tables, read_tables
from strategy.ledger.store import Store

SCHEMA: Final = "icryptotrader-ledger/1"


def dump(path: Path) -> bytes:
    """Everything in a ledger, as text that a person can read; LedgerError says why not."""
    version, tables = read_tables(path)
    document = {
        "schema": SCHEMA,
        "version": version,
        "tables": {
            name: {"columns": columns, "rows": [[_told(value) for value in row] for row in rows]}
            for name, (columns, rows) in tables.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def restore(document: bytes, path: Path) -> str:
    """A new ledger at `path` from a document; returns the hash that names its fills.

    LedgerError where the document is faulty or a ledger is there already; then nothing changed.
    """
    if path.exists():
        raise LedgerError(f"{path.name} exists already: move it away, or import into another home")
    try:
        told = msgspec.json.decode(document, type=dict[str, Any])
        if told.get("schema") != SCHEMA:
            raise LedgerError(f"this is no document of a ledger ({SCHEMA})")
        tables = {
            name: (
                [str(column) for column in table["columns"]],
                [tuple(_meant(value) for value in row) for row in table["rows"]],
            )
            for name, table in told["tables"].items()
        }
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise LedgerError(f"the document cannot be read: {error}") from error
    part = path.with_name(path.name + ".part")
    for name in (part, *_beside(part)):
        name.unlink(missing_ok=True)
    try:
        Store.open(part).close()
        fill_tables(part, tables)
        store = Store.open(part)
        store.rebuild()
        found = store.verify()
        head = store.load().head
        store.close()
        if found:
            raise LedgerError(f"the document does not make a sound ledger: {found[0]}")
        part.rename(path)
    finally:
        for name in (part, *_beside(part)):
            name.unlink(missing_ok=True)
    return head


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))


def _told(value: object) -> object:
    """JSON has no bytes: they stand as {"base64": text}."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _meant(value: object) -> object:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value
