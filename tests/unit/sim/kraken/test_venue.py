"""The Kraken face: frames of both WebSockets, word for word where the wire was recorded."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.units import SECOND, Ns
from sim.engine.values import Switches
from sim.kraken.venue import HANG_UP
from tests.unit.sim.driving import Driven

PAIR = "BTC/EUR"
PRIVATE_ELSEWHERE = (
    "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
)
PUBLIC_ELSEWHERE = (
    "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
)


@pytest.fixture
def venue() -> Driven:
    return Driven()


def new_order(**more: Any) -> dict[str, Any]:
    given = {
        "order_type": "limit",
        "side": "buy",
        "order_qty": 0.001,
        "symbol": PAIR,
        "limit_price": 80000.0,
    }
    return {**given, **more}


def opened(venue: Driven) -> tuple[int, str]:
    """A private line subscribed to executions, and its token."""
    conn, token = venue.connect("private"), venue.token()
    venue.ask(conn, "subscribe", {"channel": "executions", "token": token})
    return conn, token


def test_the_first_frame_is_the_status_with_a_large_connection_id(venue: Driven) -> None:
    conn = venue.venue.connect("public", venue.now, venue.wall)
    data = venue.take(conn)[0]["data"][0]
    assert list(data) == [
        *("version", "system", "api_version", "connection_id"),
        *("upcoming_maintenance", "emergency"),
    ]
    assert 2**53 < data["connection_id"] < 2**64


def test_ping_and_its_refusal_of_params(venue: Driven) -> None:
    conn = venue.connect("public")
    assert list(venue.ask(conn, "ping", req_id=101)[0]) == [
        *("method", "req_id", "time_in", "time_out"),
    ]
    refused = venue.ask(conn, "ping", params={}, req_id=0)[0]
    assert refused["error"] == "Unsupported field: 'params' for the given msg type: ping"
    assert refused["req_id"] == 0


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "nonsense", "NaN", '{"method":1}', '{"req_id":1}', '{"a":' * 5000),
        *('{"method":"ping","req_id":"1"}', '{"method":"ping","params":[]}'),
        '{"method":"ping","req_id":1e5}',
    ],
)
def test_what_is_no_request_gets_the_recorded_answer(venue: Driven, text: str) -> None:
    conn = venue.connect("public")
    found = venue.say(conn, text)[0]
    assert list(found) == ["error", "method", "success", "time_in", "time_out"]
    assert (found["error"], found["method"]) == ("Malformed request", "error")


def test_acks_come_per_symbol_with_keys_in_alphabetical_order(venue: Driven) -> None:
    conn = venue.connect("public")
    params = {"channel": "book", "symbol": [PAIR, "XBT/USD"], "depth": 25}
    ack, snapshot, refused = venue.ask(conn, "subscribe", params, req_id=7)
    assert list(ack) == ["method", "req_id", "result", "success", "time_in", "time_out"]
    assert ack["result"] == {"channel": "book", "depth": 25, "snapshot": True, "symbol": PAIR}
    assert len(snapshot["data"][0]["bids"]) == len(snapshot["data"][0]["asks"]) == 25
    assert list(refused) == [
        *("error", "method", "req_id", "success", "symbol", "time_in", "time_out"),
    ]
    assert refused["error"] == "Currency pair not supported XBT/USD"


@pytest.mark.parametrize(
    ("host", "params", "error"),
    [
        ("public", {"channel": "executions", "token": "x"}, PRIVATE_ELSEWHERE),
        ("private", {"channel": "book", "symbol": [PAIR]}, PUBLIC_ELSEWHERE),
        ("public", {"channel": "nonsense"}, "Unsupported event"),
        ("public", {"channel": ["book"]}, "Unsupported event"),
        ("private", {"channel": {"a": 1}}, "Unsupported event"),
        (
            "public",
            {"channel": "book", "symbol": [PAIR], "depth": 50},
            "Subscription depth not supported",
        ),
        (
            "public",
            {"channel": "book", "symbol": [PAIR], "depht": 10},
            "Unsupported field: 'depht' for the given msg type: subscribe",
        ),
        ("private", {"channel": "balances"}, "Token(s) not found"),
    ],
)
def test_subscriptions_are_refused_in_kraken_s_words(
    venue: Driven, host: Any, params: dict[str, Any], error: str
) -> None:
    conn = venue.connect(host)
    found = venue.ask(conn, "subscribe", params)[0]
    assert (found["success"], found["error"]) == (False, error)


def test_an_unknown_token_is_refused_as_recorded(venue: Driven) -> None:
    conn = venue.connect("private")
    found = venue.ask(conn, "subscribe", {"channel": "executions", "token": "none"})[0]
    assert list(found) == [
        *("channel", "error", "method", "status", "success", "time_in", "time_out"),
    ]
    assert found["error"] == "ESession:Invalid session"


def test_a_second_subscription_of_a_symbol_is_refused(venue: Driven) -> None:
    conn = venue.connect("public")
    venue.ask(conn, "subscribe", {"channel": "book", "symbol": [PAIR]})
    for depth in (10, 25):
        params = {"channel": "book", "symbol": [PAIR], "depth": depth}
        assert venue.ask(conn, "subscribe", params)[0]["error"] == "Already subscribed"


def test_unsubscribed_is_silent_and_may_subscribe_again(venue: Driven) -> None:
    conn = venue.connect("public")
    params = {"channel": "book", "symbol": [PAIR], "depth": 25}
    venue.ask(conn, "subscribe", params)
    ack = venue.ask(conn, "unsubscribe", params)[0]
    assert ack["result"] == {"channel": "book", "depth": 25, "symbol": PAIR}
    assert venue.run(3) == []
    assert len(venue.ask(conn, "subscribe", params)) == 2


def test_heartbeats_come_each_second_once_subscribed_whatever_else_flows(venue: Driven) -> None:
    conn = venue.connect("public")
    assert venue.run(5) == []
    venue.ask(conn, "subscribe", {"channel": "book", "symbol": [PAIR]})
    texts = [text for _, text in venue.run(10)]
    assert texts.count('{"channel":"heartbeat"}') == 10
    assert len(texts) > 30


def test_a_line_with_nothing_on_it_is_closed_after_a_minute(venue: Driven) -> None:
    conn = venue.connect("public")
    venue.run(30)
    venue.ask(conn, "ping")
    assert venue.run(59) == []
    assert venue.run(2) == [(conn, HANG_UP)]


def test_numbers_have_exactly_the_market_s_decimals(venue: Driven) -> None:
    conn = venue.connect("public")
    venue.venue.receive(
        conn,
        json.dumps({"method": "subscribe", "params": {"channel": "book", "symbol": [PAIR]}}),
        venue.now,
        venue.wall,
    )
    text = venue.venue.outbox()[-1][1]
    levels = json.loads(text, parse_float=str)["data"][0]
    for level in levels["bids"] + levels["asks"]:
        assert len(level["price"].partition(".")[2]) == 1
        assert len(level["qty"].partition(".")[2]) == 8


def test_the_trade_channel_brings_fifty_and_then_counts_on(venue: Driven) -> None:
    conn = venue.connect("public")
    _, snapshot = venue.ask(
        conn, "subscribe", {"channel": "trade", "symbol": [PAIR], "snapshot": True}
    )
    ids = [row["trade_id"] for row in snapshot["data"]]
    for _, text in venue.run(20):
        ids += [row["trade_id"] for row in json.loads(text).get("data", [])]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 55


def test_a_ticker_by_bbo_speaks_more_often_than_one_by_trades(venue: Driven) -> None:
    by_trades, by_bbo = venue.connect("public"), venue.connect("public")
    venue.ask(by_trades, "subscribe", {"channel": "ticker", "symbol": [PAIR]})
    params = {"channel": "ticker", "symbol": [PAIR], "event_trigger": "bbo"}
    venue.ask(by_bbo, "subscribe", params)
    sent = [conn for conn, text in venue.run(10) if '"ticker"' in text]
    assert 0 < sent.count(by_trades) < sent.count(by_bbo)


def test_an_order_s_events_have_the_keys_of_the_wire_and_no_others(venue: Driven) -> None:
    conn, token = opened(venue)
    params = new_order(cl_ord_id="abc", post_only=True, token=token)
    ack, pending, new = venue.ask(conn, "add_order", params, req_id=42)
    assert list(ack["result"]) == ["cl_ord_id", "order_id"]
    assert "symbol" in pending["data"][0]
    assert sorted(new["data"][0]) == [
        *("cl_ord_id", "exec_type", "order_id", "order_status", "post_only", "timestamp"),
    ]
    assert [m["sequence"] for m in (pending, new)] == [2, 3]
    _, canceled = venue.ask(conn, "cancel_order", {"cl_ord_id": ["abc"], "token": token})
    row = canceled["data"][0]
    assert "symbol" not in row
    assert row["reason"] == row["cancel_reason"] == "User requested"
    assert (row["cum_qty"], row["avg_price"]) == (Decimal("0E-8"), Decimal("0.0"))


def test_numbers_as_strings_are_refused_and_integers_by_switch() -> None:
    lenient, strict = Driven(), Driven(switches=Switches(bare_integers=False))
    for venue, errors in ((lenient, 1), (strict, 2)):
        conn, token = opened(venue)
        found = [
            venue.ask(conn, "add_order", new_order(limit_price=price, token=token))[0]
            for price in ("80000.0", 80000)
        ]
        refused = [answer["error"] for answer in found if not answer["success"]]
        assert refused == ["Limit_price field must be a number_float"] * errors


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"symbol": "XBT/EUR"}, "Currency pair not supported XBT/EUR"),
        ({"limit_price": 80000.05}, "EOrder:Invalid price"),
        ({"order_qty": 0.000000001}, "EGeneral:Invalid arguments:volume"),
        ({"order_qty": -1}, "EGeneral:Invalid arguments:volume"),
        ({"order_qty": 10**30}, "EGeneral:Invalid arguments:volume"),
        ({"order_qty": True}, "Order_qty field must be a number_float"),
        ({"side": "hold"}, "EGeneral:Invalid arguments:side"),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": 5}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"order_userref": 2**31}, "EGeneral:Invalid arguments:order_userref"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
        (
            {"no_mpp": True},
            "EGeneral:Invalid arguments:no_mpp order option is only available "
            "when ordertype = market",
        ),
        ({"posst": 1}, "Unsupported field: 'posst' for the given msg type: add_order"),
        ({"token": "wrong"}, "ESession:Invalid session"),
    ],
)
def test_orders_that_make_no_sense_are_refused(
    venue: Driven, change: dict[str, Any], error: str
) -> None:
    conn, token = opened(venue)
    found = venue.ask(conn, "add_order", {**new_order(token=token), **change})
    assert [answer.get("error") for answer in found] == [error]


def test_the_gone_and_the_never_minted_are_told_apart(venue: Driven) -> None:
    conn, token = opened(venue)
    for order_id, error in (
        ("OXXXXX-XXXXX-XXXXXX", "EOrder:Unknown order"),
        ("nonsense", "EOrder:Invalid order"),
    ):
        params = {"order_id": [order_id], "token": token}
        assert venue.ask(conn, "cancel_order", params)[0]["error"] == error


def test_a_cancel_of_several_is_answered_for_each(venue: Driven) -> None:
    conn, token = opened(venue)
    for name in ("a", "b"):
        venue.ask(conn, "add_order", new_order(cl_ord_id=name, token=token))
    found = venue.ask(conn, "cancel_order", {"cl_ord_id": ["a", "x", "b"], "token": token})
    acks = [answer for answer in found if "method" in answer]
    assert [answer["success"] for answer in acks] == [True, False, True]
    assert venue.venue.exchange.open == {}


def test_a_batch_is_placed_in_order_and_a_faulty_one_not_at_all(venue: Driven) -> None:
    conn, token = opened(venue)
    rows = [
        {key: value for key, value in new_order(cl_ord_id=name).items() if key != "symbol"}
        for name in ("a", "b")
    ]
    params = {"symbol": PAIR, "orders": rows, "token": token}
    ack = venue.ask(conn, "batch_add", params)[0]
    assert [row["cl_ord_id"] for row in ack["result"]] == ["a", "b"]
    poor = {**rows[0], "cl_ord_id": "c", "order_qty": 50.0}
    ack = venue.ask(conn, "batch_add", {**params, "orders": [poor, {**rows[0], "cl_ord_id": "d"}]})
    assert ack[0]["result"][0] == {"cl_ord_id": "c", "error": "EOrder:Insufficient funds"}
    assert ack[0]["result"][1]["cl_ord_id"] == "d"
    faulty = {**params, "orders": [rows[0], {**rows[1], "side": "x"}]}
    assert not venue.ask(conn, "batch_add", faulty)[0]["success"]
    assert len(venue.venue.exchange.open) == 3


@pytest.mark.parametrize(
    ("form", "key"), [("orders_cancelled", "orders_cancelled"), ("count", "result")]
)
def test_a_batch_cancel_has_both_forms(form: Any, key: str) -> None:
    venue = Driven(switches=Switches(batch_cancel_form=form))
    conn, token = opened(venue)
    for name in ("a", "b"):
        venue.ask(conn, "add_order", new_order(cl_ord_id=name, token=token))
    ack = venue.ask(conn, "batch_cancel", {"orders": [], "cl_ord_id": ["a", "b"], "token": token})
    assert ack[0][key] in (2, {"count": 2})


def test_the_switch_tells_whole_seconds_and_zero(venue: Driven) -> None:
    conn, token = opened(venue)
    ack = venue.ask(conn, "cancel_all_orders_after", {"timeout": 60, "token": token})[0]
    assert ack["result"] == {
        "currentTime": "2026-09-21T14:13:20Z",
        "triggerTime": "2026-09-21T14:14:20Z",
    }
    ack = venue.ask(conn, "cancel_all_orders_after", {"timeout": 0, "token": token})[0]
    assert ack["result"]["triggerTime"] == "0"


def test_a_dropped_line_cancels_nothing_and_the_snapshot_brings_it_all_back(
    venue: Driven,
) -> None:
    conn, token = opened(venue)
    venue.ask(conn, "add_order", new_order(cl_ord_id="a", token=token))
    venue.venue.disconnect(conn)
    conn, token = venue.connect("private"), venue.token()
    params = {"channel": "executions", "token": token, "snap_trades": True, "ratecounter": True}
    ack, snapshot = venue.ask(conn, "subscribe", params)
    assert ack["result"]["maxratecount"] == 180
    assert snapshot["sequence"] == 1
    assert [row["exec_type"] for row in snapshot["data"]] == ["new"] + ["trade"] * 4
    found = venue.ask(conn, "add_order", new_order(token=token))[1]
    assert 0 < found["data"][0]["ratecount"] <= 2


def test_a_token_not_used_within_fifteen_minutes_is_gone(venue: Driven) -> None:
    used, unused = venue.token(), venue.token()
    first, second = venue.connect("private"), venue.connect("private")
    venue.ask(first, "subscribe", {"channel": "balances", "token": used})
    for _ in range(20):
        venue.run(50)
        venue.ask(second, "ping")
    assert venue.ask(first, "cancel_all", {"token": used})[0]["success"]
    found = venue.ask(second, "cancel_all", {"token": unused})[0]
    assert found["error"] == "ESession:Invalid session"


def test_private_answers_take_the_configured_latency() -> None:
    venue = Driven(latency_ms=5)
    conn = venue.venue.connect("private", venue.now, venue.wall)
    assert venue.venue.outbox() == []
    assert venue.venue.wake_at() <= venue.now + 5_000_000
    assert [number for number, _ in venue.run(0.005)] == [conn]


def test_a_change_of_the_engine_s_state_is_told_to_every_line(venue: Driven) -> None:
    lines = [venue.connect("public"), venue.connect("private")]
    venue.venue.set_system("maintenance", venue.now, venue.wall)
    told = venue.venue.outbox()
    assert [conn for conn, _ in told] == lines
    assert all('"system":"maintenance"' in text for _, text in told)


def test_a_fault_can_be_put_in_the_way_of_what_leaves(venue: Driven) -> None:
    conn = venue.connect("public")
    venue.venue.tamper = lambda number, text: [] if '"book"' in text else [text, text]
    found = venue.ask(conn, "subscribe", {"channel": "book", "symbol": [PAIR]})
    assert found == []
    assert len(venue.ask(conn, "ping")) == 2


def test_the_default_market_fills_a_grid_well_within_two_minutes() -> None:
    """The fee floor is 39 bps; wherever a grid of 45 bps begins, it trades within 80 s."""
    for start in range(0, 600, 45):
        venue = Driven()
        venue.run(start)
        conn, token = opened(venue)
        market = venue.venue.exchange.markets[PAIR]
        bid, ask = market.best("buy"), market.best("sell")
        assert bid is not None
        assert ask is not None
        for side, price in (("buy", bid * 9955 // 10_000), ("sell", ask * 10_045 // 10_000)):
            request = new_order(side=side, limit_price=price / 10, post_only=True, token=token)
            assert venue.ask(conn, "add_order", request)[0]["success"]
        begun = venue.now
        before = len(venue.venue.exchange.trades)
        while len(venue.venue.exchange.trades) == before:
            venue.run(1)
            assert venue.now - begun < Ns(80 * SECOND)
