"""Whatever the line brings, the session goes on and shows no book that is not verified."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.mail import In, LineClosed, LineOpened, OpenLine, Publish, SendText, Text
from feed.market import Settings
from feed.session import Session
from shared import frames
from shared.kraken.checksum import book_checksum
from shared.units import SECOND, Ns

SETTINGS = Settings(
    depth=10,
    vwap_windows_s=(60,),
    candle_interval_min=1,
    publish_gap=Ns(1),
    line_silence=Ns(5 * SECOND),
    book_silence=Ns(30 * SECOND),
    answer=Ns(5 * SECOND),
)
ASKS = [(850_010 + i, 10_000) for i in range(10)]
BIDS = [(850_000 - i, 10_000) for i in range(10)]


def _wire(levels: list[tuple[int, int]]) -> str:
    return ",".join(f'{{"price":{t // 10}.{t % 10},"qty":0.0001}}' for t, _ in levels)


FRAMES = [
    '{"channel":"status","type":"update","data":[{"system":"online","connection_id":1}]}',
    '{"channel":"heartbeat"}',
    '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/EUR",'
    '"base":"BTC","quote":"EUR","status":"online","qty_precision":8,"qty_increment":1e-08,'
    '"price_precision":1,"price_increment":0.1,"cost_precision":5,"cost_min":0.50,'
    '"qty_min":0.00005000}]}}',
    '{"method":"subscribe","req_id":2,"result":{"channel":"book","depth":10,"snapshot":true,'
    '"symbol":"BTC/EUR"},"success":true,"time_in":"2026-09-25T17:48:30.000001Z",'
    '"time_out":"2026-09-25T17:48:30.000001Z"}',
    '{"method":"unsubscribe","req_id":6,"result":{"channel":"book","depth":10,'
    '"symbol":"BTC/EUR"},"success":true}',
    '{"error":"Exceeded msg rate","method":"subscribe","req_id":2,"success":false}',
    '{"method":"pong","req_id":3}',
    f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/EUR","bids":[{_wire(BIDS)}],'
    f'"asks":[{_wire(ASKS)}],"checksum":{book_checksum(ASKS, BIDS)},'
    '"timestamp":"2026-09-25T17:48:26.844359Z"}]}',
    '{"channel":"book","type":"update","data":[{"symbol":"BTC/EUR","bids":[{"price":85000.0,'
    '"qty":0.0001}],"asks":[],"checksum":' + str(book_checksum(ASKS, BIDS)) + "}]}",
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/EUR","side":"buy","price":85000.0,'
    '"qty":0.1,"ord_type":"limit","trade_id":7,"timestamp":"2026-09-25T17:48:26.844359Z"}]}',
    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/EUR","bid":1.0,"ask":2.0,'
    '"last":1.5}]}',
    '{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/EUR","open":1.0,"high":2.0,'
    '"low":1.0,"close":2.0,"trades":3,"volume":0.2,'
    '"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1}]}',
]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["BTC/EUR", "snapshot", "NaN", "book", ""])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
TOKENS = st.sampled_from(
    [b"1e999999", b"-1", b"NaN", b"null", b"[]", b"{}", b"\xff", b'"', b"9" * 400, b"0", b"1e-400"]
)


@st.composite
def a_frame(draw: st.DrawFn) -> bytes:
    """A true frame, or one with a value exchanged, bytes overwritten, cut or doubled."""
    raw = draw(st.sampled_from(FRAMES)).encode()
    match draw(st.sampled_from(["as it is", "as it is", "value", "bytes", "cut", "number"])):
        case "value":
            value = json.loads(raw)
            _exchange(draw, value)
            return json.dumps(value).encode()
        case "bytes":
            at = draw(st.integers(0, len(raw)))
            return raw[:at] + draw(TOKENS) + raw[at + draw(st.integers(0, 8)) :]
        case "number":
            return raw.replace(b"85000.0", draw(TOKENS), 1)
        case "cut":
            return raw[: draw(st.integers(0, len(raw)))]
        case _:
            return raw


def _exchange(draw: st.DrawFn, value: object) -> None:
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        below = value[key]
        if not isinstance(below, dict | list) or not below or draw(st.booleans()):
            value[key] = draw(JSON)
            return
        value = below


EVENTS = st.lists(
    st.tuples(a_frame(), st.integers(0, 3 * SECOND), st.sampled_from(["text"] * 9 + ["cut"])),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_no_frame_breaks_the_session(events: list[tuple[bytes, int, str]]) -> None:
    session = Session(("BTC/EUR",), SETTINGS, Ns(1))
    now = Ns(1)
    line, inbox = 0, []
    for raw, wait, kind in [(f.encode(), 0, "text") for f in FRAMES] + events:
        now = Ns(now + wait)
        inbox = [Text(line, raw, now)] if kind == "text" else [LineClosed(line, "cut", 0.5)]
        for _ in range(3):
            opened: list[In] = []
            for out in session.step(now, inbox):
                match out:
                    case OpenLine(number):
                        line = number
                        opened.append(LineOpened(number, 0.5))
                    case SendText(_, request):
                        assert json.loads(request)["method"] in ("subscribe", "unsubscribe", "ping")
                    case Publish(_, frame):
                        _check(frame)
            inbox = opened
        assert session.wake_at() < now + 60 * SECOND


def _check(frame: frames.FeedFrame) -> None:
    assert frames.decode(frames.encode(frame)) == frame
    if isinstance(frame, frames.Book):
        assert frame.valid == (not frame.why)
        assert frame.valid == bool(frame.bids) == bool(frame.asks)
        if frame.valid:
            assert 0 < frame.bids[0] < frame.asks[0]
            assert list(frame.bids) == sorted(frame.bids, reverse=True)
            assert list(frame.asks) == sorted(frame.asks)
            assert min(*frame.bid_qtys, *frame.ask_qtys) > 0
