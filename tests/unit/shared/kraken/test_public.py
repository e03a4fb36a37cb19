"""What Kraken says in public, as values; and what we ask, as text."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from shared.kraken.public import (
    Ack,
    Ask,
    BookMessage,
    CandleMessage,
    Dropped,
    Heartbeat,
    InstrumentMessage,
    Level,
    Other,
    Pong,
    Status,
    TickerMessage,
    TradeMessage,
    decode,
    decode_exact,
    ping,
    subscribe,
    trade_of,
    units,
    unsubscribe,
    wall_ns,
)
from shared.units import Pair, Sats

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "kraken"
PAIR = Pair("BTC/USD", "BTC", "USD", 1, 8, 5, 1, 1, Sats(5000), Decimal("0.5"))

BOOK = (
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":83744,'
    b'"qty":0.00000000},{"price":83743.1,"qty":1}],"asks":[],"checksum":4294967295,'
    b'"timestamp":"2026-09-25T17:48:27.101234Z","new_key":{"a":[1]}}]}'
)


def test_a_book_message_may_have_ints_unknown_keys_and_any_order_of_keys() -> None:
    turned = json.dumps(dict(reversed(json.loads(BOOK).items()))).encode()
    for raw in (BOOK, turned):
        message = decode(raw)
        assert isinstance(message, BookMessage)
        row = message.data[0]
        assert row.symbol == "BTC/USD"
        assert row.checksum == 2**32 - 1
        assert row.bids == [Level(83744.0, 0.0), Level(83743.1, 1.0)]
        assert row.asks == []


def test_a_book_message_can_be_read_with_all_its_digits() -> None:
    raw = BOOK.replace(b"83743.1", b"8374311111111111111.12345678")
    message = decode_exact(raw)
    assert isinstance(message, BookMessage)
    assert message.data[0].bids[1].price == Decimal("8374311111111111111.12345678")


@pytest.mark.parametrize("number", ["1e999999", "-5", "1e30", '"NaN"', '"Infinity"', "null"])
def test_a_number_out_of_range_drops_the_exact_message(number: str) -> None:
    assert isinstance(decode_exact(BOOK.replace(b"83743.1", number.encode())), Dropped)


def test_status_keeps_a_connection_id_of_64_bits_or_a_word() -> None:
    raw = (
        '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"post_only",'
        '"api_version":"v2","connection_id":%s,"upcoming_maintenance":[],"emergency":[]}]}'
    )
    assert decode((raw % "18125794168470749634").encode()) == Status(
        "post_only", "18125794168470749634"
    )
    assert decode((raw % '"<REDACTED>"').encode()) == Status("post_only", "<REDACTED>")


def test_heartbeat_and_pong_are_recognised() -> None:
    assert decode(b'{"channel":"heartbeat"}') == Heartbeat()
    assert decode(b'{"method":"pong","req_id":101,"time_in":"x","time_out":"y"}') == Pong(101)
    assert decode(b'{"method":"pong"}') == Pong(None)


def test_an_acknowledgement_names_its_channel_and_symbol() -> None:
    ack = decode(
        b'{"method":"subscribe","req_id":7,"result":{"channel":"book","depth":25,"snapshot":true,'
        b'"symbol":"BTC/USD","warnings":["old"]},"success":true,"time_in":"a",'
        b'"time_out":"2026-07-20T03:39:37.637321Z"}'
    )
    assert ack == Ack("subscribe", "", 7, "book", "BTC/USD", 25, "2026-07-20T03:39:37.637321Z")


def test_a_refusal_says_why_and_for_which_symbol() -> None:
    ack = decode(
        b'{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,'
        b'"symbol":"XBT/USD","time_in":"a","time_out":"b"}'
    )
    assert isinstance(ack, Ack)
    assert ack.error == "Currency pair not supported XBT/USD"
    assert ack.symbol == "XBT/USD"
    malformed = decode(b'{"error":"Malformed request","method":"error","success":false}')
    assert isinstance(malformed, Ack)
    assert malformed.error == "Malformed request"
    silent = decode(b'{"method":"subscribe","success":false}')
    assert isinstance(silent, Ack)
    assert silent.error


def test_what_is_not_public_is_other_and_not_dropped() -> None:
    assert decode(b'{"channel":"level3","type":"update","data":[]}') == Other("level3")
    assert decode(b'{"method":"add_order","result":[{"order_id":"A"}],"success":true}') == Other(
        "add_order"
    )
    request = b'{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}'
    assert decode(request) == Other("subscribe")


def test_trades_tickers_and_candles_keep_the_digits_of_the_wire() -> None:
    trade = decode(
        b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy",'
        b'"price":83744.3,"qty":0.00044780,"ord_type":"limit","trade_id":109116693,'
        b'"timestamp":"2026-09-25T17:48:26.844359Z"}]}'
    )
    assert isinstance(trade, TradeMessage)
    assert trade.data[0].qty == Decimal("0.00044780")
    ticker = decode(
        b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":65972.8,'
        b'"bid_qty":0.1,"ask":65972.9,"ask_qty":39.67,"last":65972.9,"volume":4216.6}]}'
    )
    assert isinstance(ticker, TickerMessage)
    assert ticker.data[0].last == Decimal("65972.9")
    candle = decode(
        b'{"channel":"ohlc","type":"update","timestamp":"2026-09-25T17:48:26.844359566Z","data":'
        b'[{"symbol":"BTC/USD","open":83729.5,"high":83745.2,"low":83729.4,"close":83744.3,'
        b'"trades":33,"volume":0.21155628,"vwap":83736.4,'
        b'"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1}]}'
    )
    assert isinstance(candle, CandleMessage)
    assert candle.data[0].volume == Decimal("0.21155628")


PAIR_ROW = (
    '{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,'
    '"qty_increment":%s,"price_precision":1,"price_increment":0.5,"cost_precision":5,'
    '"cost_min":0.50,"qty_min":0.00005000,"has_index":true}'
)


@pytest.mark.parametrize("increment", ["0.00000001", "1e-08"])
def test_instrument_rows_become_pairs_in_both_notations(increment: str) -> None:
    rows = ",".join((PAIR_ROW % increment, '{"symbol":"ODD"}', PAIR_ROW % "0"))
    raw = f'{{"channel":"instrument","type":"snapshot","data":{{"assets":[],"pairs":[{rows}]}}}}'
    message = decode(raw.encode())
    assert isinstance(message, InstrumentMessage)
    assert message.refused == 2
    (pair,) = message.pairs
    assert (pair.price_step, pair.qty_step, pair.qty_min) == (5, 1, 5000)


def test_the_recorded_instrument_snapshot_is_read_whole() -> None:
    path = DATA / "instrument_snapshot.json.gz"
    if not path.exists():
        pytest.skip("../shared/data is not beside this checkout")
    message = decode(gzip.decompress(path.read_bytes()))
    assert isinstance(message, InstrumentMessage)
    assert (len(message.pairs), message.refused) == (683, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe{}",
        b'{"channel":"\xff"}',
        b'{"channel":5}',
        b'{"channel":"status","data":[]}',
        b'{"channel":"book","x":' + b"[" * 100_000,
        b'{"channel":"book","type":"update","data":[{"symbol":"A","bids":[]}]}',
        BOOK.replace(b"83743.1", b"1e999999"),
        BOOK.replace(b"83743.1", b'"83743.1"'),
        BOOK.replace(b"83743.1", b"NaN"),
        BOOK[:-1],
    ],
)
def test_what_cannot_be_understood_is_dropped_with_a_reason(raw: bytes) -> None:
    message = decode(raw)
    assert isinstance(message, Dropped)
    assert message.why


@pytest.mark.parametrize(
    ("price", "qty", "when", "trade_id"),
    [
        ("0", "1", "2026-09-25T17:48:26Z", "1"),
        ("1", "0", "2026-09-25T17:48:26Z", "1"),
        ("1", "-1", "2026-09-25T17:48:26Z", "1"),
        ("1e400", "1", "2026-09-25T17:48:26Z", "1"),
        ("1", '"NaN"', "2026-09-25T17:48:26Z", "1"),
        ("1", "1", "yesterday", "1"),
        ("1", "1", "2026-09-25T17:48:26Z", "-1"),
        ("1", "1", "2026-09-25T17:48:26Z", "99999999999999999999"),
    ],
)
def test_a_trade_that_cannot_be_is_none(price: str, qty: str, when: str, trade_id: str) -> None:
    raw = (
        f'{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy",'
        f'"price":{price},"qty":{qty},"trade_id":{trade_id},"timestamp":"{when}"}}]}}'
    )
    message = decode(raw.encode())
    assert isinstance(message, Dropped) or trade_of(PAIR, message.data[0]) is None  # type: ignore[union-attr]


def test_units_round_to_the_precision_and_refuse_what_is_no_number() -> None:
    assert units(Decimal("83744.3"), 1) == 837443
    assert units(Decimal("0.00000000"), 8) == 0
    assert units(Decimal("1e999999"), 8) is None
    assert units(Decimal("sNaN"), 8) is None
    assert units(Decimal("-0.1"), 8) is None


def test_timestamps_of_six_and_nine_decimals_are_exact() -> None:
    assert wall_ns("1970-01-01T00:00:01Z") == 1_000_000_000
    assert wall_ns("2026-09-25T17:48:26.844359Z") == 1_790_358_506_844_359_000
    assert wall_ns("2026-09-25T17:48:26.844359566Z") == 1_790_358_506_844_359_566
    for faulty in (None, "", "Z", "soon", "2026-13-25T17:48:26Z", "2026-09-25T17:48:26.x1Z"):
        assert wall_ns(faulty) == 0


def test_requests_name_only_what_the_channel_takes() -> None:
    book = Ask("book", ("BTC/USD", "BTC/EUR"), depth=25)
    assert json.loads(subscribe(book, 3)) == {
        "method": "subscribe",
        "params": {
            "channel": "book",
            "symbol": ["BTC/USD", "BTC/EUR"],
            "depth": 25,
            "snapshot": True,
        },
        "req_id": 3,
    }
    assert json.loads(unsubscribe(Ask("ohlc", ("BTC/USD",), interval=5), 4))["params"] == {
        "channel": "ohlc",
        "symbol": ["BTC/USD"],
        "interval": 5,
    }
    assert json.loads(subscribe(Ask("instrument"), 1))["params"] == {
        "channel": "instrument",
        "snapshot": True,
    }
    assert json.loads(ping(9)) == {"method": "ping", "req_id": 9}
