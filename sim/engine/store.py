"""The exchange's memory on disk: orders, trades, ledger, balances and the switch, in SQLite.

Rule 1: one transaction per input, committed (WAL, synchronous=FULL) before it is answered.
Rule 2: rows are only added, except orders, which take their newest state.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, cast

import msgspec

from shared.units import SECOND, Ns
from sim.engine.exchange import Exchange
from sim.engine.values import LedgerRow, Order, System, Trade, Withdrawal

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (asset TEXT PRIMARY KEY, units INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS trades (exec_id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ledger (ledger_id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
"""
_VERSION: Final = "1"

# The market's position is written each second: after a crash the market goes on one second
# later, so that nothing of it happens twice, and public trades are numbered with a gap.
_SKIPPED_NS: Final = SECOND
_SKIPPED_TRADES: Final = 1_000


class StoreError(Exception):
    """The file cannot be used; says why and what to do."""


class SqliteStore:
    """One writer on data/exchange.sqlite."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._meta: dict[str, str] = dict(self._db.execute("SELECT key, value FROM meta"))
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}; move it away to begin with a new account") from None
        if self._meta.get("version", _VERSION) != _VERSION:
            raise StoreError(f"{path}: made by another version; run with --fresh")
        path.chmod(0o600)

    def is_new(self) -> bool:
        """Whether no account has been opened here yet."""
        return "version" not in self._meta

    def position(self, market: str) -> int:
        """Where the market goes on; 0 for another market than the one it stood in."""
        if self._meta.get("market") != market:
            return 0
        return int(self._meta["position"]) + _SKIPPED_NS

    def name_market(self, market: str) -> None:
        """Remember which market the position is in."""
        self._put({"market": market})

    def save(self, exchange: Exchange, position: int) -> None:
        account, changes = exchange.account, exchange.desk.changes
        database = self._db
        database.execute("BEGIN IMMEDIATE")
        try:
            database.executemany(
                "INSERT INTO orders VALUES (?, ?) "
                "ON CONFLICT (order_id) DO UPDATE SET body = excluded.body",
                [(name, msgspec.json.encode(order)) for name, order in changes.orders.items()],
            )
            database.executemany(
                "INSERT INTO trades VALUES (?, ?)",
                [(trade.exec_id, msgspec.json.encode(trade)) for trade in changes.trades],
            )
            database.executemany(
                "INSERT INTO ledger VALUES (?, ?)",
                [(row.ledger_id, msgspec.json.encode(row)) for row in account.new_rows],
            )
            database.executemany(
                "INSERT OR REPLACE INTO balances VALUES (?, ?)",
                [(asset, account.balances[asset]) for asset in account.dirty],
            )
            self._put(_state(exchange, position))
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise

    def load(self, exchange: Exchange) -> None:
        """Bring the account back as it was."""
        account, meta = exchange.account, self._meta
        for (body,) in self._db.execute("SELECT body FROM ledger ORDER BY rowid"):
            account.ledger.append(msgspec.json.decode(body, type=LedgerRow))
        account.balances.update(self._db.execute("SELECT asset, units FROM balances"))
        for (body,) in self._db.execute("SELECT body FROM trades ORDER BY rowid"):
            trade = msgspec.json.decode(body, type=Trade)
            exchange.desk.trades[trade.exec_id] = trade
            if trade.pair in exchange.markets:
                account.count_volume(exchange.markets[trade.pair].pair, trade)
        for (body,) in self._db.execute("SELECT body FROM orders ORDER BY rowid"):
            exchange.desk.restore(msgspec.json.decode(body, type=Order))
        exchange.desk.minted = {"O": int(meta["orders"]), "T": int(meta["executions"])}
        exchange.desk.places = int(meta["places"])
        exchange.switch_wall = Ns(int(meta["switch_wall"]))
        exchange.system = cast(System, meta["system"])
        kept = meta.get("withdrawals", "[]")
        exchange.withdrawals = msgspec.json.decode(kept, type=list[Withdrawal])
        for each in exchange.withdrawals:
            if each.status == "Pending":
                account.reserve(each.asset, each.units + each.fee)
        for symbol, market in exchange.markets.items():
            count = int(meta.get(f"trades/{symbol}", market.trade_count))
            market.open_tape(count, _SKIPPED_TRADES)

    def close(self) -> None:
        self._db.close()

    def _put(self, values: dict[str, str]) -> None:
        self._meta.update(values)
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))


def _state(exchange: Exchange, position: int) -> dict[str, str]:
    found = {
        "version": _VERSION,
        "position": str(position),
        "orders": str(exchange.desk.minted["O"]),
        "executions": str(exchange.desk.minted["T"]),
        "places": str(exchange.desk.places),
        "switch_wall": str(exchange.switch_wall),
        "system": exchange.system,
        "withdrawals": msgspec.json.encode(exchange.withdrawals).decode(),
    }
    for symbol, market in exchange.markets.items():
        found[f"trades/{symbol}"] = str(market.trade_count)
    return found
