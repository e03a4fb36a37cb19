"""Lines that break, lie or fall silent: what the session believes, drops and asks anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import orders as o
from shared.kraken.values import wall_text
from shared.units import MINUTE, SECOND, Ns, Sats, Ticks
from strategy.session import mail as m
from tests.unit.strategy.session.bench import (
    ADD,
    DATA,
    EUR,
    FILLED,
    FULL,
    NEW,
    PAIR_ROW,
    REST,
    TRADE,
    WALL,
    Bench,
    events,
    of,
)


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
