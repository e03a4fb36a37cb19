"""The ledger's schema, as numbered steps from an empty file to today's.

Rule 1: a step once released is never changed; what must change becomes the next step.
Rule 2: step n leads from `user_version` n - 1 to n, in one transaction with that number.
Rule 3: quantities, prices and times are integers; money is exact decimal text.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x69435442
"""Stands in the file's header: this is a ledger of iCryptoTrader."""

FIRST_CHAIN_HASH: Final = "0" * 64

_FIRST: Final = (
    # What happened. Never updated, never deleted; seq counts from 1 in the order of booking.
    """
    CREATE TABLE fill (
        seq       INTEGER NOT NULL UNIQUE CHECK (seq > 0),
        exec_id   TEXT    NOT NULL PRIMARY KEY CHECK (exec_id <> ''),
        order_id  TEXT    NOT NULL,
        cl_ord_id TEXT    NOT NULL,
        slot      TEXT    NOT NULL,
        pair      TEXT    NOT NULL CHECK (pair LIKE '_%/_%'),
        side      TEXT    NOT NULL CHECK (side IN ('buy', 'sell')),
        price     INTEGER NOT NULL CHECK (price > 0),
        qty       INTEGER NOT NULL CHECK (qty > 0),
        cost      TEXT    NOT NULL CHECK (cost GLOB '[0-9]*' AND cost NOT GLOB '*[^0-9.]*'),
        fees      TEXT    NOT NULL CHECK (json_valid(fees)),
        wall      INTEGER NOT NULL CHECK (wall > 0),
        trade_id  INTEGER NOT NULL CHECK (trade_id >= 0),
        maker     INTEGER NOT NULL CHECK (maker IN (0, 1)),
        hash      TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64)
    ) STRICT
    """,
    "CREATE INDEX fill_by_order ON fill (cl_ord_id)",
    # Where the chain of hashes ends: without it, missing last rows would go unnoticed.
    """
    CREATE TABLE head (
        id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        seq  INTEGER NOT NULL CHECK (seq >= 0),
        hash TEXT    NOT NULL CHECK (length(hash) = 64)
    ) STRICT
    """,
    f"INSERT INTO head VALUES (1, 0, '{FIRST_CHAIN_HASH}')",
    # What follows from the fills of each coin by FIFO; can be thrown away and derived again.
    """
    CREATE TABLE lot (
        exec_id  TEXT    NOT NULL PRIMARY KEY REFERENCES fill (exec_id),
        coin     TEXT    NOT NULL,
        wall     INTEGER NOT NULL CHECK (wall > 0),
        trade_id INTEGER NOT NULL,
        qty      INTEGER NOT NULL CHECK (qty > 0),
        cost     TEXT    NOT NULL,
        currency TEXT    NOT NULL
    ) STRICT
    """,
    # lot is NULL for coins of which no purchase is known: cost 0, taxable.
    """
    CREATE TABLE part (
        sale          TEXT    NOT NULL REFERENCES fill (exec_id),
        n             INTEGER NOT NULL CHECK (n >= 0),
        lot           TEXT    REFERENCES lot (exec_id),
        bought_wall   INTEGER NOT NULL CHECK (bought_wall > 0),
        qty           INTEGER NOT NULL CHECK (qty > 0),
        cost          TEXT    NOT NULL,
        cost_currency TEXT    NOT NULL,
        proceeds      TEXT    NOT NULL,
        fee           TEXT    NOT NULL,
        currency      TEXT    NOT NULL,
        taxable       INTEGER NOT NULL CHECK (taxable IN (0, 1)),
        of_fee        INTEGER NOT NULL CHECK (of_fee IN (0, 1)),
        PRIMARY KEY (sale, n),
        CHECK (lot IS NOT NULL OR taxable = 1)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX part_by_lot ON part (lot)",
    """
    CREATE VIEW open_lot AS
        SELECT * FROM (
            SELECT lot.*, lot.qty - coalesce(
                (SELECT sum(part.qty) FROM part WHERE part.lot = lot.exec_id), 0) AS "left"
            FROM lot)
        WHERE "left" > 0
        ORDER BY coin, wall, trade_id, exec_id
    """,
    # Orders we were about to send. outcome is NULL until it is known what became of one.
    """
    CREATE TABLE intent (
        cl_ord_id TEXT    NOT NULL PRIMARY KEY CHECK (cl_ord_id <> ''),
        slot      TEXT    NOT NULL,
        pair      TEXT    NOT NULL,
        side      TEXT    NOT NULL CHECK (side IN ('buy', 'sell')),
        price     INTEGER NOT NULL CHECK (price > 0),
        qty       INTEGER NOT NULL CHECK (qty > 0),
        deadline  INTEGER NOT NULL,
        wall      INTEGER NOT NULL,
        outcome   TEXT,
        done_wall INTEGER,
        CHECK ((outcome IS NULL) = (done_wall IS NULL))
    ) STRICT
    """,
    "CREATE INDEX intent_done ON intent (done_wall)",
    """
    CREATE TABLE fact (
        key   TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit (
        id   INTEGER NOT NULL PRIMARY KEY,
        wall INTEGER NOT NULL,
        who  TEXT    NOT NULL,
        what TEXT    NOT NULL,
        why  TEXT    NOT NULL
    ) STRICT
    """,
    # Lives of the strategy. A life without an end was killed, or still goes on.
    """
    CREATE TABLE life (
        id      INTEGER NOT NULL PRIMARY KEY,
        started INTEGER NOT NULL,
        ended   INTEGER,
        ending  TEXT,
        CHECK ((ended IS NULL) = (ending IS NULL))
    ) STRICT
    """,
)

_EVIDENCE: Final = (
    # The files that were read in, byte by byte (compressed): what everything else must follow from.
    """
    CREATE TABLE evidence (
        sha256 TEXT    NOT NULL PRIMARY KEY CHECK (length(sha256) = 64),
        name   TEXT    NOT NULL,
        kind   TEXT    NOT NULL,
        wall   INTEGER NOT NULL CHECK (wall > 0),
        data   BLOB    NOT NULL
    ) STRICT
    """,
    # What happened besides fills, as tagged JSON. Never updated, never deleted, chained like fills.
    """
    CREATE TABLE movement (
        seq    INTEGER NOT NULL PRIMARY KEY CHECK (seq > 0),
        id     TEXT    NOT NULL UNIQUE CHECK (id <> ''),
        event  TEXT    NOT NULL CHECK (json_valid(event)),
        source TEXT    NOT NULL REFERENCES evidence (sha256),
        why    TEXT    NOT NULL,
        wall   INTEGER NOT NULL CHECK (wall > 0),
        hash   TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64)
    ) STRICT
    """,
    """
    CREATE TABLE movement_head (
        id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        seq  INTEGER NOT NULL CHECK (seq >= 0),
        hash TEXT    NOT NULL CHECK (length(hash) = 64)
    ) STRICT
    """,
    f"INSERT INTO movement_head VALUES (1, 0, '{FIRST_CHAIN_HASH}')",
    # Reference rates; of one day and currency the last one read in counts.
    """
    CREATE TABLE rate (
        seq      INTEGER NOT NULL PRIMARY KEY,
        currency TEXT    NOT NULL,
        day      TEXT    NOT NULL CHECK (day GLOB '????-??-??'),
        value    TEXT    NOT NULL,
        source   TEXT    NOT NULL REFERENCES evidence (sha256),
        UNIQUE (currency, day, value, source)
    ) STRICT
    """,
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _EVIDENCE)
SCHEMA_VERSION: Final = len(MIGRATIONS)
