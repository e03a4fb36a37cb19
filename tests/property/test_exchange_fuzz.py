"""Whatever a client sends, the exchange answers; nothing a client sends can end it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kraken.signing import sign
from tests.unit.sim.driving import KEY, Driven

PAIR = "BTC/EUR"
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            *(PAIR, "buy", "sell", "limit", "market", "gtc", "gtd", "ioc", "executions", "book"),
            *("balances", "trade", "ohlc", "ticker", "instrument", "abc", 80000.0, 0.001, 10, -1),
            *("2026-09-21T14:13:30Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
            *("OXXXXX-XXXXX-XXXXXX", 10**40, 1e300, 1e-300, "cancel_both"),
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMES = [
    *("channel", "symbol", "depth", "snapshot", "interval", "event_trigger", "orders"),
    *("order_type", "side", "order_qty", "limit_price", "time_in_force", "post_only"),
    *("expire_time", "cl_ord_id", "order_userref", "order_id", "deadline", "timeout"),
    *("validate", "stp_type", "fee_preference", "snap_orders", "snap_trades", "ratecounter"),
]
SOUND = {
    "order_type": "limit",
    "side": "buy",
    "order_qty": 0.001,
    "limit_price": 80000.0,
    "symbol": PAIR,
}
METHODS = [
    *("subscribe", "unsubscribe", "ping", "add_order", "amend_order", "cancel_order"),
    *("cancel_all", "cancel_all_orders_after", "batch_add", "batch_cancel", "edit_order"),
]
params = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["public", "private"]),
            st.one_of(st.sampled_from(METHODS), st.text(max_size=5)),
            params,
            st.booleans(),
            values,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_request_is_answered(drawn: list[tuple[Any, ...]]) -> None:
    venue = Driven()
    token = venue.token()
    lines = {host: venue.connect(host) for host in ("public", "private")}  # type: ignore[arg-type]
    for host, method, given_params, sound, req_id in drawn:
        asked = {**(SOUND if sound else {}), **given_params}
        if host == "private":
            asked["token"] = token
        message = {"method": method, "params": asked}
        if req_id is not None:
            message["req_id"] = req_id
        assert venue.say(lines[host], json.dumps(message)), message
        venue.run(0.1)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_every_text_is_answered(text: str) -> None:
    venue = Driven()
    assert venue.say(venue.connect("private"), text)


REST = [
    *("AddOrder", "AddOrderBatch", "AmendOrder", "CancelOrder", "CancelAllOrdersAfter"),
    *("OpenOrders", "ClosedOrders", "QueryOrders", "TradesHistory", "QueryTrades", "Ledgers"),
    *("TradeVolume", "Balance", "GetApiKeyInfo"),
]
REST_NAMES = [
    *("pair", "type", "ordertype", "price", "volume", "oflags", "timeinforce", "expiretm"),
    *("cl_ord_id", "userref", "txid", "start", "end", "ofs", "timeout", "deadline", "validate"),
    *("order_qty", "limit_price", "asset", "orders", "closetime", "stptype"),
]
REST_SOUND = {"pair": PAIR, "type": "buy", "ordertype": "limit", "price": "80000", "volume": "1"}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(REST),
    st.dictionaries(st.sampled_from(REST_NAMES), values, max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_every_rest_call_is_answered_with_http_200(
    name: str, fields: dict[str, Any], sound: bool, as_json: bool
) -> None:
    venue = Driven()
    given_fields = {"nonce": "1", **(REST_SOUND if sound else {}), **fields}
    path = f"/0/private/{name}"
    if as_json:
        body = json.dumps(given_fields).encode()
    else:
        body = urlencode({k: str(v) for k, v in given_fields.items()}, errors="replace").encode()
    headers = {
        "API-Key": KEY.key,
        "API-Sign": sign(KEY.secret, path, "1", body),
        "Content-Type": "application/json" if as_json else "application/x-www-form-urlencoded",
    }
    status, answer = venue.venue.rest("POST", path, headers, body, venue.now, venue.wall)
    assert status == 200
    assert "error" in json.loads(answer)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["Time", "Assets", "AssetPairs", "Ticker", "Depth", "Trades", "OHLC", "x"]),
    st.dictionaries(st.sampled_from(["pair", "asset", "since", "count", "interval"]), scalars),
)
def test_every_public_call_is_answered(name: str, fields: dict[str, Any]) -> None:
    assert "error" in Driven().get(name, **{k: str(v) for k, v in fields.items()})
