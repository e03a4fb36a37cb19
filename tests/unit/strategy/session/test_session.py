"""The session's life against a scripted exchange: frames and REST answers in, events out."""

from __future__ import annotations

from decimal import Decimal

from shared import orders as o
from shared.units import MINUTE, SECOND, Sats, Side, Ticks
from strategy.session import mail as m
from tests.unit.strategy.session.bench import (
    ADD,
    EUR,
    FILLED,
    FULL,
    NEW,
    REST,
    TRADE,
    WALL,
    Bench,
    events,
    of,
)


def test_the_line_comes_up_and_the_core_hears_it_once_both_snapshots_are_in() -> None:
    bench = Bench()
    assert of(o.Pairs, bench.step())[0].pairs[0].symbol == "BTC/EUR"
    assert [name for name, _ in bench.calls] == [
        "AssetPairs",
        "GetApiKeyInfo",
        "TradeVolume",
        "Ticker",
        "GetWebSocketsToken",
    ]
    assert of(o.Fees, bench.outs) == [o.Fees("BTC/EUR", Decimal("0.0012"), Decimal("0.0025"))]
    assert events(bench.greet()) == [o.System("online")]
    assert [each["params"]["channel"] for each in bench.sent()] == ["executions", "balances"]
    assert not events(bench.step(bench.rows(FULL)))
    resting = o.RestingOrder("O1", "g1", "BTC/EUR", Side.BUY, Ticks(800_000), Sats(10_000), Sats(0))
    assert events(bench.step(bench.rows(EUR, channel="balances"))) == [
        o.LineUp((resting,)),
        o.Balances({"EUR": Decimal("100.5")}),
    ]


def test_nothing_is_asked_before_the_wall_clock_is_known() -> None:
    bench = Bench()
    assert not bench.session.step(bench.now, [])


def test_a_key_that_may_withdraw_is_refused_and_no_line_is_opened() -> None:
    bench = Bench({"GetApiKeyInfo": {"permissions": ["modify-trades", "withdraw-funds"]}})
    outs = [*bench.step(), *bench.wait(10 * MINUTE)]
    assert "withdraw" in of(m.Fatal, outs)[0].why
    assert not of(m.OpenLine, outs)
    assert bench.session.refused


def test_a_key_that_can_not_be_checked_opens_no_line_yet() -> None:
    bench = Bench({"GetApiKeyInfo": ConnectionError("refused")})
    assert not of(m.OpenLine, bench.step())
    bench.rest["GetApiKeyInfo"] = REST["GetApiKeyInfo"]
    assert of(m.OpenLine, bench.wait(5 * SECOND))


def test_key_and_token_are_in_no_repr() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD)
    assert bench.sent()[-1]["params"]["token"] == "SECRETTOKEN"
    shown = repr(bench.outs)
    assert "SECRETTOKEN" not in shown
    assert "THEKEY" not in shown


def test_a_whole_order_place_amend_part_fill_gone() -> None:
    bench = Bench()
    bench.up()
    assert not events(bench.step(ADD))
    assert events(bench.step(bench.ack("add_order", order_id="O1", cl_ord_id="g1"))) == [
        o.Accepted("add", "g1", "O1")
    ]
    assert not events(bench.step(bench.rows({**FULL, "exec_type": "pending_new"})))
    assert not events(bench.step(bench.rows(NEW)))

    bench.step(o.AmendOrder("g1", "BTC/EUR", Ticks(800_010), Sats(9_000), WALL))
    amended = {**NEW, "exec_type": "amended", "order_qty": 0.00009, "limit_price": 80001.0}
    assert events(bench.step(bench.ack("amend_order", cl_ord_id="g1"), bench.rows(amended))) == [
        o.Accepted("amend", "g1"),
        o.Amended("g1", "O1", Ticks(800_010), Sats(9_000)),
    ]
    assert events(bench.step(bench.rows(TRADE))) == [FILLED]

    bench.step(o.CancelOrder("g1"))
    canceled = {**NEW, "exec_type": "canceled", "cum_qty": 0.00004, "reason": "User requested"}
    assert events(bench.step(bench.rows(canceled), bench.ack("cancel_order"))) == [
        o.Gone("g1", "O1", "canceled", Sats(4_000), "User requested"),
        o.Accepted("cancel", "g1"),
    ]


def test_events_may_overtake_the_ack_and_are_deltas() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD)
    trade = {key: TRADE[key] for key in TRADE if key not in ("symbol", "side")}
    assert events(bench.step(bench.rows(NEW), bench.rows(trade))) == [
        o.Accepted("add", "g1", "O1"),
        FILLED,
    ]
    assert not events(bench.step(bench.ack("add_order", order_id="O1", cl_ord_id="g1")))
    # Whatever a `filled` frame leaves out, its order is executed whole.
    done = {"exec_type": "filled", "order_id": "O1"}
    assert events(bench.step(bench.rows(done))) == [o.Gone("g1", "O1", "filled", Sats(10_000))]


def test_a_last_trade_that_says_filled_ends_the_order_once() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD, bench.rows(NEW))
    last = {**TRADE, "cum_qty": 0.0001, "order_status": "filled"}
    gone = o.Gone("g1", "O1", "filled", Sats(10_000))
    assert events(bench.step(bench.rows(last))) == [FILLED, gone]
    assert not events(bench.step(bench.rows({**NEW, "exec_type": "filled", "cum_qty": 0.0001})))


def test_post_only_is_refused_in_either_form() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD)
    refused = bench.step(bench.ack("add_order", error="EOrder:Post only order"))
    verdict = o.Verdict.NOT_DONE
    assert events(refused) == [o.Refused("add", "g1", "EOrder:Post only order", verdict)]

    bench.step(ADD)
    gone = {**NEW, "exec_type": "canceled", "cum_qty": 0.0, "reason": "Post only order"}
    assert events(bench.step(bench.rows(gone))) == [
        o.Gone("g1", "O1", "canceled", Sats(0), "Post only order")
    ]
    assert not events(bench.step(bench.ack("add_order", order_id="O1", cl_ord_id="g1")))


def test_an_orphan_is_cancelled_by_the_exchanges_id() -> None:
    bench = Bench()
    bench.up()
    bench.step(o.CancelOrder("", "O9"))
    assert bench.sent()[-1]["params"]["order_id"] == ["O9"]
    gone = o.Verdict.GONE
    outs = bench.step(bench.ack("cancel_order", error="EOrder:Unknown order"))
    assert events(outs) == [o.Refused("cancel", "", "EOrder:Unknown order", gone)]


def test_the_switch_counts_from_when_it_was_sent() -> None:
    bench = Bench()
    bench.up()
    sent_at = bench.now
    bench.step(o.ArmDeadman(60))
    outs = bench.wait(SECOND, bench.ack("cancel_all_orders_after"))
    assert events(outs) == [o.Armed(sent_at, 60)]


def test_while_the_line_is_down_safety_goes_by_rest_and_orders_are_refused() -> None:
    bench = Bench({"GetWebSocketsToken": "EService:Unavailable"})
    bench.step()
    outs = bench.step(ADD, o.ArmDeadman(60), o.CancelOrder("g1"), o.CancelAll())
    assert events(outs) == [
        o.Refused("add", "g1", "the line is down", o.Verdict.NOT_DONE),
        o.Accepted("cancel_all", ""),
        o.Armed(bench.now, 60),
        o.Accepted("cancel", "g1"),
    ]
    bench.rest["CancelOrder"] = TimeoutError("no answer")
    outs = bench.step(o.CancelOrder("g2"))
    assert events(outs) == [o.Refused("cancel", "g2", "no answer", o.Verdict.UNKNOWN)]


def test_a_kill_goes_by_line_and_by_rest_at_once() -> None:
    bench = Bench()
    bench.up()
    bench.calls.clear()
    outs = bench.step(o.CancelAll())
    assert b'"cancel_all"' in of(m.SendText, outs)[0].data
    assert [name for name, _ in bench.calls] == ["CancelAll"]


def test_the_log_may_show_what_is_sent_but_never_the_token() -> None:
    """At DEBUG each request is told by its named fields."""
    asked = (
        b'{"method":"add_order","params":{"order_type":"limit","side":"buy","order_qty":0.00588235,'
        b'"symbol":"BTC/EUR","limit_price":84669.7,"cl_ord_id":"g1","token":"CANARY"},"req_id":9}'
    )
    assert m.SendText(1, asked).outline() == {
        "method": "add_order",
        "symbol": "BTC/EUR",
        "side": "buy",
        "cl_ord_id": "g1",
        "order_qty": "0.00588235",
        "limit_price": "84669.7",
    }
    assert m.SendText(1, b'{"method":"ping","req_id":3}').outline() == {"method": "ping"}
    assert m.SendText(1, b"CANARY").outline() == {"bytes": 6}
    bench = Bench()
    bench.step()
    for sent in of(m.SendText, bench.greet()):
        assert sent.outline()["method"] == "subscribe"
        assert "token" not in sent.outline()
