"""The private line's codec: our bytes, and whatever may come back."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kraken import private
from shared.kraken.private import Ack, Executions, Garbage, Heartbeat, Other, SystemStatus
from shared.kraken.values import is_sane, verdict_of, wall_of, wall_text
from shared.orders import AddOrder, AmendOrder, CancelOrder, Verdict
from shared.units import Ns, Pair, Sats, Side, Ticks

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "kraken"
PAIR = Pair("BTC/EUR", "BTC", "EUR", 1, 8, 5, 1, 1, Sats(5_000), Decimal("0.45"))
WALL = Ns(1_790_358_539_123_456_789)


def recorded() -> list[bytes]:
    file = DATA / "ws_v2_private_2026-01.jsonl"
    if not file.exists():
        pytest.skip("the recordings are not on this machine")
    return [line.encode() for line in file.read_text().splitlines() if line]


def test_a_grid_order_is_post_only_and_its_numbers_have_a_point() -> None:
    order = AddOrder("g1", "BTC/EUR", Side.BUY, Ticks(800_000), Sats(5_000), WALL)
    text = private.add_order(order, PAIR, "TKN", 42)
    assert b'"order_qty":0.00005000' in text
    assert b'"limit_price":80000.0' in text
    assert json.loads(text) == {
        "method": "add_order",
        "req_id": 42,
        "params": {
            "order_type": "limit",
            "side": "buy",
            "order_qty": 0.00005,
            "symbol": "BTC/EUR",
            "limit_price": 80000.0,
            "time_in_force": "gtc",
            "post_only": True,
            "cl_ord_id": "g1",
            "fee_preference": "quote",
            "stp_type": "cancel_newest",
            "deadline": wall_text(WALL),
            "token": "TKN",
        },
    }


def test_an_exit_may_take_and_rests_never() -> None:
    order = AddOrder("x1", "BTC/EUR", Side.SELL, Ticks(1), Sats(1), WALL, exit_order=True)
    params = json.loads(private.add_order(order, PAIR, "TKN", 1))["params"]
    assert params["time_in_force"] == "ioc"
    assert "post_only" not in params


def test_an_amend_says_post_only_again() -> None:
    order = AmendOrder("g1", "BTC/EUR", Ticks(800_001), Sats(100_000_000), WALL)
    text = private.amend_order(order, PAIR, "TKN", 7)
    assert b'"order_qty":1.00000000' in text
    assert json.loads(text)["params"]["post_only"] is True


def test_a_cancel_names_our_id_or_else_the_exchanges() -> None:
    ours = json.loads(private.cancel_order(CancelOrder("g1", "O1"), "TKN", 1))
    orphan = json.loads(private.cancel_order(CancelOrder("", "O1"), "TKN", 1))
    assert ours["params"] == {"cl_ord_id": ["g1"], "token": "TKN"}
    assert orphan["params"] == {"order_id": ["O1"], "token": "TKN"}


def test_subscriptions_leave_nothing_to_a_default() -> None:
    params = json.loads(private.subscribe_executions("TKN", 1))["params"]
    assert all(params[k] for k in ("snap_orders", "snap_trades", "order_status", "ratecounter"))
    assert json.loads(private.subscribe_balances("TKN", 1))["params"]["snapshot"] is True
    assert json.loads(private.cancel_all_orders_after(60, "T", 1))["params"]["timeout"] == 60
    assert json.loads(private.ping(3)) == {"method": "ping", "req_id": 3}


def test_every_recorded_frame_is_understood() -> None:
    messages = [private.decode_or_drop(line) for line in recorded()]
    assert not [each for each in messages if isinstance(each, Garbage)]
    acks = [each for each in messages if isinstance(each, Ack)]
    assert [ack.method for ack in acks] == [
        "add_order",
        "add_order",
        "amend_order",
        "amend_order",
        "error",
        "cancel_order",
        "subscribe",
        "subscribe",
    ]
    assert acks[1].order_id == "OXZPAJ-ONWQU-KMAMPL"
    assert acks[1].time_in == wall_of("2026-01-21T12:33:34.457870Z")
    assert acks[-1].threshold == 125
    rows = [row for each in messages if isinstance(each, Executions) for row in each.rows]
    assert [row.exec_type for row in rows] == ["pending_new", "new", "amended", "canceled"]
    assert str(rows[0].order_qty) == "0.00010000"
    assert rows[0].time_in_force == "gtc"
    assert rows[3].reason == "User requested"


def frame(**row: object) -> bytes:
    body = {"channel": "executions", "type": "update", "data": [row], "sequence": 2}
    return json.dumps(body).encode()


@pytest.mark.parametrize("name", ["ratecount", "ratecounter", "rate_count", "rate_counter"])
def test_the_rate_counter_is_found_by_any_of_its_names(name: str) -> None:
    message = private.decode_or_drop(frame(exec_type="new", order_id="O1", **{name: 3.5}))
    assert isinstance(message, Executions)
    assert message.rows[0].rate_counter == 3.5


def test_a_mass_cancel_counts_in_either_form() -> None:
    for text in (
        b'{"method":"batch_cancel","orders_cancelled":2,"success":true}',
        b'{"method":"batch_cancel","result":{"count":2},"success":true}',
    ):
        ack = private.decode_or_drop(text)
        assert isinstance(ack, Ack)
        assert (ack.success, ack.count) == (True, 2)


def test_a_batch_answers_with_an_array() -> None:
    text = b'{"method":"batch_add","result":[{"order_id":"O1"}],"success":true,"req_id":9}'
    assert private.decode_or_drop(text) == Ack("batch_add", 9, True)


def test_status_heartbeat_pong_and_news() -> None:
    status = b'{"channel":"status","type":"update","data":[{"system":"post_only",'
    status += b'"connection_id":18125794168470749634,"emergency":[{"x":1}]}]}'
    assert private.decode_or_drop(status) == SystemStatus("post_only")
    assert private.decode_or_drop(b'{"channel":"heartbeat"}') == Heartbeat()
    pong = private.decode_or_drop(b'{"method":"pong","req_id":101,"time_in":"x"}')
    assert pong == Ack("pong", 101, True)
    assert private.decode_or_drop(b'{"channel":"weather","data":{}}') == Other("weather")


def test_a_refused_subscription_without_a_number_is_an_ack() -> None:
    text = b'{"channel":"executions","error":"ESession:Invalid session","method":"subscribe",'
    ack = private.decode_or_drop(text + b'"status":"error","success":false}')
    assert isinstance(ack, Ack)
    assert (ack.success, ack.channel, ack.req_id) == (False, "executions", 0)


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-1", "1e999999", '"sNaN"', "1e-999999"])
def test_a_number_that_arithmetic_does_not_survive_drops_the_frame(bad: str) -> None:
    text = '{"channel":"executions","type":"update","sequence":2,"data":[{"exec_type":"trade",'
    message = private.decode_or_drop(f'{text}"last_qty":{bad}}}]}}'.encode())
    assert isinstance(message, Garbage)


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"[" * 100_000, b"null", b"[]", b'{"channel":"balances"}', b'"x"']
)
def test_garbage_is_a_value(text: bytes) -> None:
    assert isinstance(private.decode_or_drop(text), Garbage)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(text: bytes) -> None:
    private.decode_or_drop(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = ["channel", "method", "type", "data", "sequence", "result", "success", "error", "req_id"]
VALUES = JSON | st.sampled_from(["executions", "balances", "status", "add_order", "snapshot"])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_frame_raises(body: dict[str, object]) -> None:
    private.decode_or_drop(json.dumps(body).encode())


ROW_KEYS = ["exec_type", "order_id", "last_qty", "cost", "fees", "timestamp", "trade_id", "side"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(ROW_KEYS), JSON))
def test_no_row_raises(row: dict[str, object]) -> None:
    private.decode_or_drop(frame(**row))


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("EOrder:Insufficient funds", Verdict.NOT_DONE),
        ("EOrder:Post only order", Verdict.NOT_DONE),
        ("EGeneral:Invalid arguments:volume minimum not met", Verdict.NOT_DONE),
        ("ESession:Invalid session", Verdict.NOT_DONE),
        ("Limit_price field must be a number_float", Verdict.NOT_DONE),
        ("EOrder:Rate limit exceeded", Verdict.LIMIT),
        ("Exceeded msg rate", Verdict.LIMIT),
        ("EService:Throttled: 1700000000", Verdict.LIMIT),
        ("EService:Market in cancel_only mode", Verdict.MARKET),
        ("EOrder:Unknown order", Verdict.GONE),
        ("EService:Unavailable", Verdict.UNKNOWN),
        ("EService:Busy", Verdict.UNKNOWN),
        ("EService:Deadline elapsed", Verdict.UNKNOWN),
        ("EGeneral:Internal error:7", Verdict.UNKNOWN),
        ("something new", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_each_error_text_has_its_verdict(error: str, verdict: Verdict) -> None:
    assert verdict_of(error) is verdict


@settings(deadline=None)
@given(st.integers(0, 250_000_000_000).map(lambda us: us * 1_000 * 10_000))
def test_a_moment_survives_its_text(wall: int) -> None:
    wall -= wall % 1_000
    assert wall_of(wall_text(wall)) == wall


def test_nine_decimals_are_kept_and_nonsense_is_none() -> None:
    assert wall_of("1970-01-01T00:00:01.000000002Z") == 1_000_000_002
    assert wall_of("1970-01-01T00:00:01Z") == 1_000_000_000
    for text in ("", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00", "2026-01-01T00:00:60Z"):
        assert wall_of(text) is None


@settings(deadline=None)
@given(st.decimals())
def test_what_is_sane_can_be_computed_with(value: Decimal) -> None:
    if is_sane(value):
        assert int(value.scaleb(8)) is not None
