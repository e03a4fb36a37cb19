"""What a restart finds, and what is said of a configuration or a file that cannot be used."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.config import ConfigError
from shared.units import SECOND, Ns
from sim.engine.store import SqliteStore, StoreError
from sim.opening import read_lots
from tests.unit.sim.driving import BOOT, Driven

ORDER = {
    "order_type": "limit",
    "side": "buy",
    "order_qty": 0.001,
    "symbol": "BTC/EUR",
    "limit_price": 60000.0,
}


def test_every_answer_is_on_disk_before_it_is_given(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "exchange.sqlite")
    venue = Driven(store=store)
    conn, token = venue.connect("private"), venue.token()
    for name in ("a", "b"):
        ack = venue.ask(conn, "add_order", {**ORDER, "cl_ord_id": name, "token": token})[0]
        assert ack["success"]
        reader = sqlite3.connect(tmp_path / "exchange.sqlite")
        bodies = [row[0] for row in reader.execute("SELECT body FROM orders")]
        reader.close()
        assert any(ack["result"]["order_id"].encode() in body for body in bodies)
    store.close()


def test_a_restart_finds_the_account_the_switch_and_the_market_as_they_were(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "exchange.sqlite")
    before = Driven(store=store)
    conn, token = before.connect("private"), before.token()
    before.ask(conn, "add_order", {**ORDER, "cl_ord_id": "a", "token": token})
    before.ask(conn, "cancel_all_orders_after", {"timeout": 300, "token": token})
    before.run(90)
    price = before.venue.exchange.markets["BTC/EUR"].liquidity.bid
    number = before.venue.exchange.markets["BTC/EUR"].trade_count
    store.close()

    store = SqliteStore(tmp_path / "exchange.sqlite")
    after = Driven(store=store, now=Ns(BOOT + 120 * SECOND))
    exchange = after.venue.exchange
    assert [order.cl_ord_id for order in exchange.open.values()] == ["a"]
    assert exchange.account.holds["EUR"] > 0
    market = exchange.markets["BTC/EUR"]
    assert abs(market.liquidity.bid / price - 1) < 0.002, "the market stood still meanwhile"
    assert market.trade_count > number, "no number of a public trade is used twice"
    after.run(200)
    assert exchange.open == {}, "the switch was still armed"
    found = after.post("TradesHistory")["result"]
    assert found["count"] == 4
    store.close()


def test_another_market_begins_at_its_beginning(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "exchange.sqlite")
    Driven(store=store).run(90)
    store.close()
    store = SqliteStore(tmp_path / "exchange.sqlite")
    venue = Driven(store=store, seed=2)
    assert venue.venue.position(venue.now) == 0
    store.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "exchange.sqlite").write_text("nonsense" * 1000)
    with pytest.raises(StoreError, match="begin with a new account"):
        SqliteStore(tmp_path / "exchange.sqlite")


@pytest.mark.parametrize("text", ["", "400", "x:1", "1:x", "0:1", "-1:1", "1:nan", "1:-1", "1:1:1"])
def test_a_lot_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="opening_lots"):
        read_lots((text,))


@pytest.mark.parametrize(
    "demo", [{"market": "nowhere.csv"}, {"opening_lots": ("a:b",)}, {"maker_pct": "0.123456"}]
)
def test_a_configuration_that_cannot_be_played_is_said(demo: dict[str, Any]) -> None:
    given = {k: Decimal(v) if k == "maker_pct" else v for k, v in demo.items()}
    with pytest.raises(ConfigError, match="demo"):
        Driven(**given)
