"""The session's life against a scripted exchange: frames and REST answers in, events out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import orders as o
from shared.kraken.rest import make_signer
from shared.kraken.values import wall_text
from shared.units import MINUTE, SECOND, Ns, Sats, Side, Ticks
from strategy.session import mail as m
from strategy.session.session import Session

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "kraken"
WALL = Ns(1_790_000_000 * 10**9)
PAIR_ROW = {
    "altname": "XBTEUR",
    "wsname": "XBT/EUR",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "ordermin": "0.00005",
    "costmin": "0.45",
    "tick_size": "0.1",
    "status": "online",
}
REST: dict[str, Any] = {
    "AssetPairs": {"XXBTZEUR": PAIR_ROW},
    "GetApiKeyInfo": {"permissions": ["modify-trades"]},
    "TradeVolume": {
        "fees": {"XXBTZEUR": {"fee": "0.2500"}},
        "fees_maker": {"XXBTZEUR": {"fee": "0.1200"}},
    },
    "Ticker": {"XXBTZEUR": {"a": ["85000.5", "1", "1.0"], "b": ["84999.5", "1", "1.0"]}},
    "GetWebSocketsToken": {"token": "SECRETTOKEN", "expires": 900},
    "OpenOrders": {"open": {}},
    "ClosedOrders": {"closed": {}, "count": 0},
    "TradesHistory": {"trades": {}, "count": 0},
    "BalanceEx": {"ZEUR": {"balance": "100.0", "hold_trade": "1"}},
    "CancelOrder": {"count": 1},
    "CancelAll": {"count": 2},
    "CancelAllOrdersAfter": {"currentTime": "x", "triggerTime": "y"},
}
T = TypeVar("T")


class Bench:
    """A session, a clock moved by hand, and an exchange that answers by a script."""

    def __init__(self, rest: dict[str, Any] | None = None) -> None:
        made = m.Settings(("BTC/EUR",), Ns(5 * SECOND), Ns(5 * SECOND))
        self.session = Session(made, make_signer("THEKEY", "c2VjcmV0"))
        self.now = Ns(1_000 * SECOND)
        self.rest = {**REST, **(rest or {})}
        self.outs: list[m.SessionOut] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.sequence = {"executions": 0, "balances": 0}

    def step(self, *inbox: m.SessionIn) -> list[m.SessionOut]:
        """Step, and answer every REST call until none is left."""
        clock = o.Clock(Ns(WALL + self.now))
        mail: Sequence[m.SessionIn] = (clock, *inbox)
        made: list[m.SessionOut] = []
        while mail:
            outs = self.session.step(self.now, mail)
            made += outs
            mail = [self._answer(out) for out in outs if isinstance(out, m.RestCall)]
        self.outs += made
        return made

    def _answer(self, call: m.RestCall) -> m.SessionIn:
        name = call.request.path.rpartition("/")[2].partition("?")[0]
        fields = {key: value[0] for key, value in parse_qs(call.request.body.decode()).items()}
        self.calls.append((name, fields))
        found = self.rest[name]
        if callable(found):
            found = found(fields)
        if isinstance(found, Exception):
            return m.RestFailed(call.job, str(found))
        if isinstance(found, str):
            body = json.dumps({"error": [found]})
        else:
            body = json.dumps({"error": [], "result": found})
        return m.RestDone(call.job, 200, body.encode(), self.now)

    def wait(self, duration: int, *inbox: m.SessionIn) -> list[m.SessionOut]:
        self.now = Ns(self.now + duration)
        return self.step(*inbox)

    @property
    def line(self) -> int:
        return [each.line for each in self.outs if isinstance(each, m.OpenLine)][-1]

    def text(self, **body: object) -> m.Text:
        return m.Text(self.line, json.dumps(body).encode())

    def rows(self, *rows: dict[str, Any], channel: str = "executions") -> m.Text:
        self.sequence[channel] += 1
        number = self.sequence[channel]
        kind = "snapshot" if number == 1 else "update"
        return self.text(channel=channel, type=kind, data=list(rows), sequence=number)

    def ack(self, method: str, error: str = "", **result: object) -> m.Text:
        """Answer the newest request of this method."""
        req_id = [each["req_id"] for each in self.sent() if each["method"] == method][-1]
        body: dict[str, Any] = {"method": method, "req_id": req_id, "success": not error}
        return self.text(**body, **({"error": error} if error else {"result": result}))

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(each.data) for each in self.outs if isinstance(each, m.SendText)]

    def greet(self) -> list[m.SessionOut]:
        """Open the line and let the engine say that it is online."""
        self.step()
        self.sequence = {"executions": 0, "balances": 0}
        status = self.text(channel="status", type="update", data=[{"system": "online"}])
        return self.step(m.LineOpened(self.line), status)

    def up(self, *orders: dict[str, Any]) -> list[m.SessionOut]:
        self.greet()
        return self.step(self.rows(*orders), self.rows(EUR, channel="balances"))


EUR = {"asset": "EUR", "balance": 100.5}
ADD = o.AddOrder("g1", "BTC/EUR", Side.BUY, Ticks(800_000), Sats(10_000), WALL)
NEW = {"exec_type": "new", "order_status": "new", "order_id": "O1", "cl_ord_id": "g1"}
FULL = {
    **NEW,
    "symbol": "BTC/EUR",
    "side": "buy",
    "order_qty": 0.0001,
    "limit_price": 80000.0,
    "cum_qty": 0.0,
}
TRADE = {
    "exec_type": "trade",
    "order_status": "partially_filled",
    "order_id": "O1",
    "cl_ord_id": "g1",
    "exec_id": "T1",
    "trade_id": 7,
    "symbol": "BTC/EUR",
    "side": "buy",
    "last_qty": 0.00004,
    "last_price": 80000.0,
    "liquidity_ind": "m",
    "cost": 3.2,
    "cum_qty": 0.00004,
    "fees": [{"asset": "EUR", "qty": 0.0038}],
    "timestamp": "2026-09-25T17:48:26.844359Z",
}
FILLED = o.Filled(
    "T1",
    "O1",
    "g1",
    "BTC/EUR",
    Side.BUY,
    Ticks(800_000),
    Sats(4_000),
    Decimal("3.2"),
    (("EUR", Decimal("0.0038")),),
    Ns(1_790_358_506_844_359_000),
    7,
    True,
)


def of(kind: type[T], outs: Sequence[object]) -> list[T]:
    return [each for each in outs if isinstance(each, kind)]


def events(outs: Sequence[object]) -> list[object]:
    """What the core is told, without what is told beside every ack."""
    beside = (m.Note, m.RestCall, m.SendText, m.OpenLine, m.CloseLine, o.Skew, o.SecondPrice)
    return [each for each in outs if not isinstance(each, beside)]


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


@pytest.mark.parametrize("channel", ["executions", "balances"])
def test_a_gap_in_a_sequence_closes_the_line(channel: str) -> None:
    bench = Bench()
    bench.up()
    bench.wait(2 * MINUTE, *[bench.text(channel="heartbeat")])
    bench.sequence[channel] += 1
    outs = bench.step(bench.rows(EUR if channel == "balances" else NEW, channel=channel))
    assert of(o.LineDown, outs)[0].why == f"{channel}: sequence 3 after 1"
    assert of(m.CloseLine, outs)
    assert not of(o.Accepted, outs)
    # A line that was up for a minute broke by chance: the next one is tried at once.
    assert of(m.OpenLine, outs)
    assert len([name for name, _ in bench.calls if name == "GetWebSocketsToken"]) == 2


def test_a_reset_is_as_bad_as_a_gap() -> None:
    bench = Bench()
    bench.up()
    bench.sequence["executions"] = 0
    assert of(o.LineDown, bench.step(bench.rows()))[0].why == "executions: a second snapshot"


@pytest.mark.parametrize("bad", [b"\xff", b"{", b'{"channel":"executions","data":3}'])
def test_an_unreadable_frame_closes_the_line(bad: bytes) -> None:
    bench = Bench()
    bench.up()
    assert of(o.LineDown, bench.step(m.Text(bench.line, bad)))


def test_a_fill_that_cannot_be_read_closes_the_line_but_keeps_those_before_it() -> None:
    bench = Bench()
    bench.up()
    strange = {**TRADE, "exec_id": "T2", "symbol": "NEW/EUR"}
    outs = bench.step(bench.rows(TRADE, strange))
    assert [type(each) for each in events(outs)] == [o.Filled, o.LineDown]


def test_a_silent_line_is_asked_and_then_given_up() -> None:
    bench = Bench()
    bench.up()
    assert bench.session.wake_at() - bench.now == 2.5 * SECOND
    bench.wait(3 * SECOND)
    assert bench.sent()[-1]["method"] == "ping"
    bench.wait(SECOND, bench.text(method="pong", req_id=bench.sent()[-1]["req_id"]))
    assert not of(o.LineDown, bench.wait(4 * SECOND))
    assert of(o.LineDown, bench.wait(SECOND)) == [o.LineDown("nothing heard")]


def test_a_subscription_without_snapshot_is_not_believed() -> None:
    bench = Bench()
    bench.greet()
    bench.step(bench.rows())
    for _ in range(4):
        bench.wait(SECOND, bench.text(channel="heartbeat"))
    outs = bench.wait(SECOND, bench.text(channel="heartbeat"))
    assert of(m.CloseLine, outs)[0].why == "no snapshots in time"
    assert not of(o.LineDown, outs)  # it never was up


def test_what_comes_between_the_snapshots_is_told_after_the_line_is_up() -> None:
    bench = Bench()
    bench.greet()
    assert not events(bench.step(bench.rows(FULL), bench.rows(TRADE)))
    outs = bench.step(bench.rows(EUR, channel="balances"))
    assert [type(each) for each in events(outs)] == [o.LineUp, o.Balances, o.Filled]


def test_a_fill_that_waited_survives_its_line() -> None:
    bench = Bench()
    bench.greet()
    bench.step(bench.rows(FULL), bench.rows(TRADE))
    assert events(bench.step(m.LineClosed(bench.line, "cut"))) == [FILLED]


def test_a_fill_is_told_once_over_all_lines() -> None:
    bench = Bench()
    bench.up()
    bench.step(bench.rows(FULL), bench.rows(TRADE))
    bench.step(m.LineClosed(bench.line, "cut"))
    bench.wait(2 * SECOND)
    outs = bench.up({**TRADE, "order_status": "filled"}, {**TRADE, "exec_id": "T2"})
    assert [each.exec_id for each in of(o.Filled, outs)] == ["T2"]
    assert of(o.LineUp, outs) == [o.LineUp(())]


def test_an_order_that_was_lost_with_its_line_is_told_again() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD)
    told = [o.Accepted("add", "g1", "O1")]
    assert events(bench.step(bench.rows(NEW))) == told
    bench.step(m.LineClosed(bench.line, "cut"))
    bench.wait(2 * SECOND)
    bench.up()
    assert events(bench.step(bench.rows(NEW))) == told


def test_mail_of_a_former_line_is_not_heard() -> None:
    bench = Bench()
    bench.up()
    old = bench.line
    bench.wait(MINUTE, bench.text(channel="heartbeat"))
    bench.step(m.LineClosed(old, "cut"))
    bench.up()
    assert bench.line == old + 1
    assert not events(bench.step(m.LineClosed(old, "again"), m.Text(old, b"{")))


def test_attempts_wait_longer_each_time_and_are_bounded() -> None:
    bench = Bench()
    bench.step()
    attempts = [bench.now]
    while len(attempts) < 100:
        if of(m.OpenLine, bench.step(m.LineClosed(bench.line, "refused"), m.Chance(0.0))):
            attempts.append(bench.now)
            continue
        assert bench.session.wake_at() > bench.now
        if of(m.OpenLine, bench.wait(bench.session.wake_at() - bench.now)):
            attempts.append(bench.now)
    waits = [(after - before) // SECOND for before, after in pairwise(attempts)]
    assert waits[:7] == [1, 2, 5, 10, 30, 30, 30]
    for first, last in zip(attempts, attempts[60:], strict=False):
        assert last - first >= 10 * MINUTE


def test_in_maintenance_attempts_are_five_seconds_apart() -> None:
    bench = Bench()
    bench.up()
    status = bench.text(channel="status", type="update", data=[{"system": "maintenance"}])
    assert events(bench.wait(2 * MINUTE, status)) == [o.System("maintenance")]
    assert not of(m.OpenLine, bench.step(m.LineClosed(bench.line, "cut")))
    assert not of(m.OpenLine, bench.wait(4 * SECOND))
    assert of(m.OpenLine, bench.wait(SECOND))


def test_an_invalid_session_brings_a_new_token_and_a_new_line() -> None:
    bench = Bench()
    bench.up()
    bench.step(ADD)
    outs = bench.step(bench.ack("add_order", error="ESession:Invalid session"))
    assert [type(each) for each in events(outs)] == [o.Refused, o.LineDown]
    assert of(m.OpenLine, bench.wait(2 * SECOND))
    assert [name for name, _ in bench.calls].count("GetWebSocketsToken") == 2


def test_the_accounts_threshold_and_counter_are_told() -> None:
    bench = Bench()
    bench.greet()
    outs = bench.step(
        bench.text(method="subscribe", req_id=1, success=True, result={"maxratecount": 60})
    )
    assert of(o.RateCounter, outs) == [o.RateCounter("BTC/EUR", -1.0, 60)]
    bench.step(bench.rows(FULL), bench.rows(EUR, channel="balances"))
    outs = bench.step(bench.rows({**NEW, "ratecount": 2.5}))
    assert of(o.RateCounter, outs) == [o.RateCounter("BTC/EUR", 2.5, 60)]


def test_the_skew_is_told_when_it_changes() -> None:
    bench = Bench()
    bench.up()

    def arm(ahead_us: int) -> list[o.Skew]:
        bench.step(o.ArmDeadman(60))
        body = json.loads(bench.ack("cancel_all_orders_after").data)
        wall = WALL + bench.now + ahead_us * 1_000
        moment = wall_text(wall)
        return of(o.Skew, bench.step(bench.text(**body, time_in=moment, time_out=moment)))

    assert arm(200_000) == [o.Skew(200_000_000)]
    assert arm(230_000) == []
    assert arm(100_000) == [o.Skew(100_000_000)]


def test_wallets_that_earn_stay_apart() -> None:
    bench = Bench()
    bench.up()
    row = {"asset": "BTC", "wallet_type": "earn", "wallet_id": "flex", "balance": 1.0}
    spot = {"asset": "BTC", "wallet_type": "spot", "wallet_id": "main", "balance": 2.0}
    outs = bench.step(bench.rows(row, spot, channel="balances"))
    totals = {"EUR": Decimal("100.5"), "BTC.flex": Decimal("1.0"), "BTC": Decimal("2.0")}
    assert events(outs) == [o.Balances(totals)]


def test_the_recorded_life_of_an_order_is_followed_up_to_its_gap() -> None:
    file = DATA / "ws_v2_private_2026-01.jsonl"
    if not file.exists():
        pytest.skip("the recordings are not on this machine")
    pairs = {"XBTUSDT": {**PAIR_ROW, "wsname": "XBT/USDT"}, **REST["AssetPairs"]}
    bench = Bench({"AssetPairs": pairs})
    bench.greet()
    told: list[object] = []
    for line in file.read_text().splitlines():
        row = json.loads(line)
        if row.get("channel") == "executions" and row["type"] == "snapshot":
            bench.step(bench.rows(EUR, channel="balances"))
        if row.get("channel") == "executions":
            told += events(bench.step(m.Text(bench.line, line.encode())))
    assert told == [
        o.LineUp(()),
        o.Balances({"EUR": Decimal("100.5")}),
        o.Accepted("add", "b17c7bb34d000200", "OVN7VD-7VYHS-APBKHA"),
        o.Amended("b17c7bb34d000200", "OVN7VD-7VYHS-APBKHA", Ticks(818_180), Sats(10_000)),
        o.LineDown("executions: sequence 6 after 4"),
    ]


MAIL: list[Callable[[Bench], m.SessionIn]] = [
    lambda bench: m.LineClosed(bench.line, "cut"),
    lambda bench: m.LineOpened(bench.line),
    lambda bench: bench.rows(FULL),
    lambda bench: bench.rows(TRADE),
    lambda bench: bench.rows({**NEW, "exec_type": "canceled"}),
    lambda bench: bench.rows(EUR, channel="balances"),
    lambda bench: bench.text(channel="status", data=[{"system": "online"}]),
    lambda bench: bench.text(method="add_order", req_id=3, success=True, result={"order_id": "O1"}),
    lambda bench: bench.text(method="subscribe", success=False, error="Exceeded msg rate"),
    lambda _: ADD,
    lambda _: o.AmendOrder("g1", "BTC/EUR", Ticks(1), Sats(1), WALL),
    lambda _: o.CancelOrder("g1"),
    lambda _: o.ArmDeadman(60),
    lambda _: o.AskOrders(Ns(0)),
    lambda _: o.AskEach((("g1", ""),)),
    lambda _: m.RestDone(1, 200, b"{}", Ns(0)),
    lambda _: m.RestFailed(2, "cut"),
]
MOVES = st.tuples(st.sampled_from(range(len(MAIL))), st.integers(0, 8))


@settings(max_examples=60, deadline=None)
@given(st.lists(MOVES, max_size=60))
def test_whatever_comes_in_whatever_order_up_and_down_alternate(
    moves: list[tuple[int, int]],
) -> None:
    bench = Bench()
    bench.step()
    for which, seconds in moves:
        bench.wait(seconds * SECOND, MAIL[which](bench))
    turns = [type(each) for each in bench.outs if isinstance(each, o.LineUp | o.LineDown)]
    assert turns == [o.LineUp, o.LineDown] * (len(turns) // 2) + [o.LineUp] * (len(turns) % 2)
    fills = [each.exec_id for each in of(o.Filled, bench.outs)]
    assert len(fills) == len(dict.fromkeys(fills))


def test_the_same_mail_gives_the_same_outputs() -> None:
    def run() -> list[m.SessionOut]:
        bench = Bench()
        bench.up()
        for which in range(len(MAIL)):
            bench.wait(SECOND, MAIL[which](bench))
        return bench.outs

    assert run() == run()
