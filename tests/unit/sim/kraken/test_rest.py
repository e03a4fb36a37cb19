"""REST: signatures, nonces, limits, and the shapes that clients read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.engine.values import Switches
from sim.kraken.signing import is_signed, sign
from tests.unit.sim.driving import KEY, Driven, trade  # noqa: F401

PAIR = "XBTEUR"


@pytest.fixture
def venue() -> Driven:
    return Driven()


def place(venue: Driven, **more: Any) -> Any:
    given = {
        "pair": PAIR,
        "type": "buy",
        "ordertype": "limit",
        "price": "70000.0",
        "volume": "0.001",
        "oflags": "post",
    }
    return venue.post("AddOrder", **{**given, **more})


def test_the_published_example_is_signed_as_published() -> None:
    secret = (
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    )
    nonce = "1616492376594"
    body = f"nonce={nonce}&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25".encode()
    signature = sign(secret, "/0/private/AddOrder", nonce, body)
    assert signature == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )
    assert is_signed(secret, "/0/private/AddOrder", nonce, body, signature)
    assert not is_signed(secret, "/0/private/AddOrder", nonce, body + b" ", signature)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"API-Key": "other"}, "EAPI:Invalid key"),
        ({"API-Sign": "other"}, "EAPI:Invalid signature"),
        ({"API-Sign": "ö"}, "EAPI:Invalid signature"),
    ],
)
def test_a_request_that_is_not_ours_is_refused(
    venue: Driven, headers: dict[str, str], error: str
) -> None:
    assert venue.post("Balance", headers) == {"error": [error]}


def test_a_nonce_must_rise(venue: Driven) -> None:
    assert venue.post("Balance", nonce=50)["error"] == ["EAPI:Invalid signature"]
    venue._nonce = 100
    assert venue.post("Balance")["error"] == []
    venue._nonce = 100
    assert venue.post("Balance")["error"] == ["EAPI:Invalid nonce"]


def test_a_json_body_is_signed_and_read_too(venue: Driven) -> None:
    body = b'{"nonce":"7","pair":"XBTEUR"}'
    headers = {
        "API-Key": KEY.key,
        "API-Sign": sign(KEY.secret, "/0/private/TradeVolume", "7", body),
        "Content-Type": "application/json",
    }
    _, found = venue.venue.rest(
        "POST", "/0/private/TradeVolume", headers, body, venue.now, venue.wall
    )
    fees = json.loads(found)["result"]
    assert fees["fees_maker"]["XXBTZEUR"]["fee"] == "0.1200"
    assert fees["fees"]["XXBTZEUR"] == {
        "fee": "0.2500",
        "minfee": "0.0500",
        "maxfee": "0.8000",
        "nextfee": "0.2200",
        "nextvolume": "250000.0000",
        "tiervolume": "100000.0000",
    }


@pytest.mark.parametrize("path", ["/0/private/Nothing", "/0/public/Nothing", "/", "/0/private/"])
def test_an_unknown_method_says_so_with_http_200(venue: Driven, path: str) -> None:
    status, body = venue.venue.rest("POST", path, {}, b"", venue.now, venue.wall)
    assert (status, json.loads(body)) == (200, {"error": ["EGeneral:Unknown method"]})


def test_history_costs_two_and_the_counter_decays(venue: Driven) -> None:
    for _ in range(10):
        assert venue.post("TradesHistory")["error"] == []
    assert venue.post("Balance")["error"] == ["EAPI:Rate limit exceeded"]
    assert place(venue)["error"] == [], "orders are counted elsewhere"
    venue.run(1)
    assert venue.post("Balance")["error"] == []


def test_the_account_opens_with_its_recorded_past(venue: Driven) -> None:
    found = venue.post("TradesHistory")["result"]
    trades = list(found["trades"].values())
    assert found["count"] == len(venue.config.demo.opening_lots) == len(trades)
    assert [row["time"] for row in trades] == sorted((r["time"] for r in trades), reverse=True)
    assert {row["pair"] for row in trades} == {"XXBTZEUR"}
    day = 86_400
    assert [round((venue.wall / 1e9 - row["time"]) / day) for row in trades] == [40, 200, 380, 400]
    balance = venue.post("Balance")["result"]
    assert float(balance["ZEUR"]) == float(venue.config.demo.quote_balance)
    ledger = venue.post("Ledgers")["result"]
    assert ledger["count"] == len(ledger["ledger"]) == 1 + 3 * len(trades)
    kinds = [row["type"] for row in ledger["ledger"].values()]
    assert kinds.count("deposit") == 1 + len(trades)


def test_history_pages_by_fifty_and_filters_by_time_and_id(venue: Driven) -> None:
    conn, token = venue.connect("private"), venue.token()
    for _ in range(60):
        params = {"order_type": "market", "side": "sell", "order_qty": 0.00005}
        params |= {"symbol": "BTC/EUR", "token": token}
        venue.ask(conn, "add_order", params)
        venue.run(1)
    first = venue.post("TradesHistory")["result"]
    second = venue.post("TradesHistory", ofs=50)["result"]
    assert first["count"] == second["count"] >= 64
    assert len(first["trades"]) == 50
    assert len(second["trades"]) == first["count"] - 50
    assert not set(first["trades"]) & set(second["trades"])
    newest = list(first["trades"])
    later = venue.post("TradesHistory", start=newest[10])["result"]
    assert later["count"] == 10, "start is exclusive"


def test_orders_are_found_open_and_closed_by_their_client_id(venue: Driven) -> None:
    txid = place(venue, cl_ord_id="abc")["result"]["txid"][0]
    found = venue.post("OpenOrders", cl_ord_id="abc")["result"]["open"][txid]
    assert found["descr"]["order"] == "buy 0.00100000 XBTEUR @ limit 70000.0"
    assert (found["status"], found["cl_ord_id"], found["oflags"]) == ("open", "abc", "fciq,post")
    assert venue.post("AmendOrder", cl_ord_id="abc", limit_price="70010.0")["error"] == []
    assert venue.post("CancelOrder", cl_ord_id="abc")["result"] == {"count": 1}
    assert venue.post("OpenOrders")["result"] == {"open": {}}
    closed = venue.post("ClosedOrders", cl_ord_id="abc")["result"]
    assert closed["count"] == 1
    assert closed["closed"][txid]["reason"] == "User requested"
    assert venue.post("QueryOrders", txid=txid)["result"][txid]["status"] == "canceled"
    assert venue.post("QueryOrders", txid="OXXXXX-XXXXX-XXXXXX")["result"] == {}
    assert venue.post("CancelOrder", cl_ord_id="abc")["error"] == ["EOrder:Unknown order"]


def test_holds_are_told_by_balance_ex(venue: Driven) -> None:
    place(venue)
    found = venue.post("BalanceEx")["result"]["ZEUR"]
    # 70 EUR and the maker's 0.12 %.
    assert found["hold_trade"] == "70.0840"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"type": "x"}, "EGeneral:Invalid arguments:type"),
        ({"volume": "nan"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "1e999999"}, "EGeneral:Invalid arguments:volume"),
        ({"price": "abc"}, "EGeneral:Invalid arguments:price"),
        ({"userref": "²"}, "EGeneral:Invalid arguments:userref"),
        ({"timeinforce": "XYZ"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"leverage": "5:1"}, "EAccount:Invalid permissions"),
        ({"expiretm": "x", "timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
    ],
)
def test_orders_that_make_no_sense_are_refused(
    venue: Driven, fields: dict[str, str], error: str
) -> None:
    assert place(venue, **fields) == {"error": [error]}


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Trades", {"pair": PAIR, "since": "1e999999"}),
        ("Trades", {"pair": PAIR, "since": "nan"}),
        ("OHLC", {"pair": PAIR, "interval": "7"}),
        ("Depth", {"pair": PAIR, "count": "x"}),
        ("Depth", {}),
    ],
)
def test_public_nonsense_is_refused(venue: Driven, method: str, fields: dict[str, str]) -> None:
    assert venue.get(method, **fields)["error"][0].startswith("EGeneral:Invalid arguments")


def test_public_market_data_has_the_shapes_that_clients_read(venue: Driven) -> None:
    pairs = venue.get("AssetPairs", pair="BTC/EUR")["result"]
    assert list(pairs) == ["BTC/EUR"], "asked for by its v2 name, it comes back under it"
    assert (pairs["BTC/EUR"]["ordermin"], pairs["BTC/EUR"]["fees"]) == ("0.00005", [])
    assert list(venue.get("AssetPairs", pair=PAIR)["result"]) == ["XXBTZEUR"]
    depth = venue.get("Depth", pair=PAIR, count=5)["result"]["XXBTZEUR"]
    assert float(depth["bids"][0][0]) < float(depth["asks"][0][0])
    trades = venue.get("Trades", pair=PAIR, count=20)["result"]
    assert len(trades["XXBTZEUR"]) == 20
    older = venue.get("Trades", pair=PAIR, since=int(trades["XXBTZEUR"][0][2]))["result"]
    assert 20 <= len(older["XXBTZEUR"]) < 100
    bars = venue.get("OHLC", pair=PAIR)["result"]
    assert bars["last"] == bars["XXBTZEUR"][-2][0]
    ticker = venue.get("Ticker", pair=PAIR)["result"]["XXBTZEUR"]
    assert float(ticker["l"][0]) <= float(ticker["c"][0]) <= float(ticker["h"][0])
    assert venue.get("SystemStatus")["result"]["status"] == "online"
    assert venue.get("Time")["result"]["rfc1123"] == "Mon, 21 Sep 26 14:13:20 +0000"
    assert "XXBT" in venue.get("Assets", asset="XBT")["result"]
    assert venue.get("Ticker", pair="NOPE")["error"] == ["EQuery:Unknown asset pair"]


def test_the_switch_has_its_twin_in_rest() -> None:
    venue = Driven(switches=Switches(trigger_off="1970-01-01T00:00:00Z"))
    place(venue)
    found = venue.post("CancelAllOrdersAfter", timeout=60)["result"]
    assert found["triggerTime"] == "2026-09-21T14:14:20Z"
    venue.run(61)
    assert venue.post("OpenOrders")["result"] == {"open": {}}
    off = venue.post("CancelAllOrdersAfter", timeout=0)["result"]
    assert off["triggerTime"] == "1970-01-01T00:00:00Z"
