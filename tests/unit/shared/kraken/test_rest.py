"""REST as values: what we sign, and what its answers say."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kraken import answers, rest
from shared.kraken.answers import Failure, answer, by_name, parse_pairs
from shared.kraken.values import asset_name
from shared.orders import Fees, Verdict
from shared.units import Ns, Side

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "kraken"
# The exchange's published example key, in two halves.
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz" + (
    "84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
)
BTC_EUR = {
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
PAIRS = by_name(parse_pairs(json.dumps({"XXBTZEUR": BTC_EUR}).encode()))


def ok(result: object) -> bytes:
    return json.dumps({"error": [], "result": result}).encode()


def recorded(name: str) -> bytes:
    file = DATA / "rest_responses.jsonl"
    if not file.exists():
        pytest.skip("the recordings are not on this machine")
    for line in file.read_text().splitlines():
        row = json.loads(line)
        if row["src"].endswith(f"/{name}.txt"):
            return json.dumps(row["response"]).encode()
    raise AssertionError(name)


def test_the_published_signature_comes_out() -> None:
    signer = rest.make_signer("key", SECRET)
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert rest.sign(signer, "/0/private/AddOrder", 1616492376594, body) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_a_signed_request_holds_its_nonce_and_shows_no_secret() -> None:
    signer = rest.make_signer("THEKEY", SECRET)
    request = rest.request_of(rest.trades_history(Ns(1_700_000_000 * 10**9), 50), signer, 17)
    assert request.body == b"nonce=17&start=1699999999&ofs=50&consolidate_taker=false"
    assert dict(request.headers)["API-Key"] == "THEKEY"
    for shown in (repr(request), repr(signer)):
        assert "THEKEY" not in shown
        assert SECRET[:8] not in shown
        assert dict(request.headers)["API-Sign"] not in shown


def test_a_secret_that_is_no_secret_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="not base64") as caught:
        rest.make_signer("key", "%%%secret%%%")
    assert "%%%" not in str(caught.value)


def test_a_public_request_is_not_signed() -> None:
    signer = rest.make_signer("key", SECRET)
    assert rest.request_of(rest.ASSET_PAIRS, signer, 1) == rest.Request(
        "GET", "/0/public/AssetPairs"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (520, b"<html>cloudflare</html>"),
        (200, b""),
        (200, b'{"error":[],"resu'),
        (200, b"\xff"),
        (200, b'{"error":[]}'),
        (200, b"[" * 50_000),
        (503, ok({"unixtime": 1})),
        (200, ok({"unixtime": "x"})),
        (200, ok([1, 2])),
    ],
)
def test_no_answer_is_an_unknown_outcome_and_no_exception(status: int, body: bytes) -> None:
    found = answer(status, body, answers.parse_time)
    assert isinstance(found, Failure)
    assert found.verdict is Verdict.UNKNOWN


def test_a_refusal_is_the_exchanges_text_and_a_warning_is_none() -> None:
    refused = answer(200, b'{"error":["EAPI:Invalid nonce"]}', answers.parse_token)
    assert refused == Failure("EAPI:Invalid nonce", Verdict.NOT_DONE)
    warned = b'{"error":["WGeneral:Slow"],"result":{"token":"T"}}'
    assert answer(200, warned, answers.parse_token) == "T"


def test_pairs_get_their_v2_names_and_exact_minima() -> None:
    pair = PAIRS["XXBTZEUR"]
    assert pair.symbol == "BTC/EUR"
    assert (pair.price_decimals, pair.price_step, pair.qty_decimals, pair.qty_min) == (
        1,
        1,
        8,
        5000,
    )
    assert pair.cost_min == Decimal("0.45")
    assert all(PAIRS[name] is pair for name in ("XBTEUR", "XBT/EUR", "BTC/EUR"))


def test_one_pair_that_cannot_be_read_spoils_no_other() -> None:
    rows: dict[str, Any] = {"A": BTC_EUR, "B": {**BTC_EUR, "ordermin": "NaN"}, "C": {}}
    rows["D"] = {**BTC_EUR, "tick_size": "1e999999"}
    assert [each.names[0] for each in parse_pairs(json.dumps(rows).encode())] == ["A"]


def test_recorded_answers_are_read() -> None:
    pairs = by_name(
        answers.parse_pairs(json.dumps(json.loads(recorded("GetSymbols"))["result"]).encode())
    )
    assert pairs["XXBTZUSD"].symbol == "BTC/USD"
    assert pairs["XETHXXBT"].symbol == "ETH/BTC"
    assert answer(200, recorded("GetSystemStatus"), answers.parse_status) == "online"
    info = answer(200, recorded("GetApiKeyInfo"), answers.parse_key_info)
    assert isinstance(info, answers.KeyInfo)
    assert "withdraw-funds" in info.permissions
    balances = answer(200, recorded("GetAvailableBalances"), answers.parse_balances)
    assert balances == {"USD": Decimal("25435.21"), "BTC": Decimal("1.2435")}
    fees = answer(200, recorded("GetTradeVolume"), lambda body: answers.parse_fees(body, pairs))
    assert fees == (Fees("BTC/USD", Decimal(0), Decimal("0.001")),)
    assert answer(200, recorded("CancelOrder"), answers.parse_count) == 1
    assert answer(200, recorded("CancelAllOrdersAfter"), answers.parse_count) == 0


def test_recorded_orders_and_trades_are_read() -> None:
    pairs = {"XBTUSD": PAIRS["XBTEUR"], "XXBTZUSD": PAIRS["XBTEUR"]}
    listed = answer(200, recorded("GetOpenOrders"), lambda body: answers.parse_open(body, pairs))
    assert not isinstance(listed, Failure)
    assert [(each.order.price, each.order.qty, each.order.filled) for each in listed] == [
        (300_100, 125_000_000, 37_500_000),
        (145_000, 27_500_000, 0),
    ]
    closed = answer(
        200, recorded("GetClosedOrders"), lambda body: answers.parse_closed(body, pairs)
    )
    assert not isinstance(closed, Failure)
    assert [each.status for each in closed] == ["canceled", "canceled"]
    assert closed[0].order.pair == "XBTGBP"  # not listed here: named, not converted
    relative = answer(200, recorded("GetOrders2"), lambda body: answers.parse_queried(body, pairs))
    assert not isinstance(relative, Failure)
    assert relative[0].order.price == 0
    page = answer(200, recorded("GetUserTrades"), lambda body: answers.parse_trades(body, pairs))
    assert not isinstance(page, Failure)
    assert (page.count, page.rows) == (-1, 2)
    fill = page.fills[0]
    assert (fill.exec_id, fill.order_id) == ("THVRQM-33VKH-UCI7BS", "OQCLML-BW3P3-BUCMWZ")
    assert (fill.side, fill.price, fill.qty) == (Side.BUY, 300_100, 2_000_000)
    assert fill.wall == 1_688_667_796_880_200_000
    assert fill.maker


def test_a_trade_in_a_pair_that_is_gone_is_named_and_not_guessed() -> None:
    row = {
        "ordertxid": "O1",
        "pair": "GONE",
        "time": 1.5,
        "type": "buy",
        "price": "1",
        "cost": "1",
        "fee": "0.004",
        "vol": "1",
    }
    finer = {**row, "pair": "XXBTZEUR", "vol": "0.000000001"}
    good = {**row, "pair": "XXBTZEUR"}
    body = json.dumps({"trades": {"T1": row, "T2": finer, "T3": good}, "count": 3}).encode()
    page = answers.parse_trades(body, PAIRS)
    assert page.strange == ("T1", "T2")
    assert page.fills[0].fees == (("EUR", Decimal("0.004")),)


@pytest.mark.parametrize(
    ("rest_name", "name"),
    [
        ("XXBT", "BTC"),
        ("XBT.F", "BTC.F"),
        ("ZEUR", "EUR"),
        ("ZUSD", "USD"),
        ("XXDG", "DOGE"),
        ("USDT", "USDT"),
        ("XTZ", "XTZ"),
        ("ZEUS", "ZEUS"),
        ("ETH2.S", "ETH2.S"),
    ],
)
def test_assets_have_their_v2_names(rest_name: str, name: str) -> None:
    assert asset_name(rest_name) == name


PARSERS = [
    answers.parse_time,
    answers.parse_status,
    answers.parse_token,
    answers.parse_key_info,
    answers.parse_count,
    answers.parse_pairs,
    answers.parse_balances,
    lambda body: answers.parse_open(body, PAIRS),
    lambda body: answers.parse_closed(body, PAIRS),
    lambda body: answers.parse_queried(body, PAIRS),
    lambda body: answers.parse_trades(body, PAIRS),
    lambda body: answers.parse_fees(body, PAIRS),
]
NUMBERS = st.sampled_from(["NaN", "sNaN", "Infinity", "1e999999", "-1", "0.1", "x", "1e-999999"])
LEAVES = st.none() | st.integers() | NUMBERS | st.sampled_from(["XXBTZEUR", "buy", "open"])
NAMES = st.sampled_from(
    ["open", "closed", "trades", "fees", "descr", "pair", "type", "vol", "vol_exec", "status"]
) | st.sampled_from(
    ["price", "cost", "fee", "time", "ordertxid", "balance", "wsname", "ordermin", "count"]
)
RESULTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@settings(deadline=None)
@given(RESULTS, st.sampled_from(range(len(PARSERS))))
def test_no_result_raises(result: object, which: int) -> None:
    answer(200, ok(result), PARSERS[which])


TRADE = {
    "ordertxid": "O1",
    "pair": "XXBTZEUR",
    "time": "1.5",
    "type": "buy",
    "price": "1",
    "cost": "1",
    "fee": "0.1",
    "vol": "1",
}


@settings(deadline=None)
@given(st.sampled_from(sorted(TRADE)), LEAVES)
def test_no_field_of_a_trade_raises(name: str, value: object) -> None:
    answer(200, ok({"trades": {"T1": {**TRADE, name: value}}}), PARSERS[10])


def test_the_ticker_tells_the_touch_of_known_pairs_and_leaves_out_what_is_empty_or_crossed() -> (
    None
):
    def touch(bid: str, ask: str) -> dict[str, list[str]]:
        return {"a": [ask, "1", "1.000"], "b": [bid, "1", "1.000"], "c": ["1", "1"]}

    body = {"XXBTZEUR": touch("84999.5", "85000.5"), "XETHZEUR": touch("1", "2")}
    assert answers.parse_ticker(json.dumps(body).encode(), PAIRS) == {"BTC/EUR": (849_995, 850_005)}
    for bid, ask in (("0", "1"), ("2", "1"), ("1", "1")):
        body = {"XXBTZEUR": touch(bid, ask)}
        assert answers.parse_ticker(json.dumps(body).encode(), PAIRS) == {}
    with pytest.raises(ValueError, match="range"):
        answers.parse_ticker(json.dumps({"XXBTZEUR": touch("NaN", "1")}).encode(), PAIRS)
