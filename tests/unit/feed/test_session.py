"""The session against a script of Kraken's answers: what it asks, shows and does in trouble."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from feed.mail import (
    CloseLine,
    LineClosed,
    LineOpened,
    Note,
    OpenLine,
    Out,
    Publish,
    SendText,
    Text,
)
from feed.market import Settings
from feed.session import Session
from shared import frames
from shared.kraken.checksum import book_checksum
from shared.units import MILLISECOND, MINUTE, SECOND, Ns, fixed_text

PAIRS = ("BTC/EUR", "BTC/USD")
SETTINGS = Settings(
    depth=10,
    vwap_windows_s=(60, 300),
    candle_interval_min=1,
    publish_gap=Ns(50 * MILLISECOND),
    line_silence=Ns(5 * SECOND),
    book_silence=Ns(30 * SECOND),
    answer=Ns(5 * SECOND),
)
STATUS = (
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
    '"api_version":"v2","connection_id":18125794168470749634}]}'
)
PAIR_ROW = (
    '{"symbol":"%s","base":"BTC","quote":"EUR","status":"online","qty_precision":8,'
    '"qty_increment":0.00000001,"price_precision":1,"price_increment":0.1,"cost_precision":5,'
    '"cost_min":0.50,"qty_min":0.00005000}'
)
INSTRUMENT = '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[%s]}}'
ASKS = [(850_010 + i, 10_000 + i) for i in range(10)]
BIDS = [(850_000 - i, 20_000 + i) for i in range(10)]

Levels = list[tuple[int, int]]


def wire(levels: Levels) -> str:
    texts = [(fixed_text(t, 1), fixed_text(s, 8)) for t, s in levels]
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in texts) + "]"


def book(pair: str, kind: str, bids: Levels, asks: Levels, checksum: int) -> str:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{pair}","bids":{wire(bids)},'
        f'"asks":{wire(asks)},"checksum":{checksum},"timestamp":"2026-09-25T17:48:26.844359Z"}}]}}'
    )


def snapshot(pair: str) -> str:
    return book(pair, "snapshot", BIDS, ASKS, book_checksum(ASKS, BIDS))


def trades(pair: str, first: int, count: int, kind: str = "update", second: int = 30) -> str:
    rows = [
        f'{{"symbol":"{pair}","side":"buy","price":85000.{n % 10},"qty":0.10000000,'
        f'"ord_type":"limit","trade_id":{first + n},"timestamp":"2026-09-25T17:48:{second}.0Z"}}'
        for n in range(count)
    ]
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'


class Exchange:
    """Drives a session by hand; `sent` are its requests since they were last taken."""

    def __init__(self, pairs: Sequence[str] = PAIRS) -> None:
        self.session = Session(pairs, SETTINGS, Ns(SECOND))
        self.now = Ns(SECOND)
        self.beat = 2 * SECOND
        self.line = 0
        self.out: list[Out] = []
        self.step()

    def step(self, *inbox: Any) -> list[Out]:
        out = list(self.session.step(self.now, inbox))
        self.out += out
        for item in out:
            if isinstance(item, OpenLine):
                self.line = item.line
        return out

    def say(self, *texts: str) -> list[Out]:
        return self.step(*(Text(self.line, text.encode(), self.now) for text in texts))

    def wait(self, seconds: float, heartbeats: bool = True) -> list[Out]:
        """Let time pass, waking the session when it wants, with a heartbeat each second."""
        end, out = Ns(int(self.now + seconds * SECOND)), []
        while self.now < end:
            self.now = Ns(min(end, max(self.session.wake_at(), self.now + 1), self.beat))
            if self.now >= self.beat:
                self.beat += SECOND
                if heartbeats:
                    out += self.say('{"channel":"heartbeat"}')
                    continue
            out += self.step()
        return out

    def sent(self) -> list[dict[str, Any]]:
        found = [json.loads(item.raw) for item in self.out if isinstance(item, SendText)]
        self.out = [item for item in self.out if not isinstance(item, SendText)]
        return found

    def ack(self, *requests: dict[str, Any]) -> None:
        for request in requests:
            params = {k: v for k, v in request["params"].items() if k != "symbol"}
            for symbol in request["params"].get("symbol", [None]):
                result = params | ({"symbol": symbol} if symbol else {})
                answer = {
                    "method": request["method"],
                    "req_id": request["req_id"],
                    "result": result,
                    "success": True,
                    "time_in": "2026-09-25T17:48:30.000001Z",
                    "time_out": "2026-09-25T17:48:30.000002Z",
                }
                self.say(json.dumps(answer))

    def connect(self) -> None:
        self.step(LineOpened(self.line, 0.0))
        self.say(STATUS)

    def go_live(self) -> None:
        """Everything that comes before the first valid book."""
        self.connect()
        self.ack(*self.sent())
        self.say(INSTRUMENT % ",".join(PAIR_ROW % pair for pair in self.session.markets))
        self.ack(*self.sent())
        self.say(*(snapshot(pair) for pair in self.session.markets))
        for pair in self.session.markets:
            self.say(trades(pair, 100, 2, "snapshot"))
            self.say(
                f'{{"channel":"ticker","type":"snapshot","data":[{{"symbol":"{pair}","bid":85000.0,'
                f'"ask":85001.0,"last":85000.5}}]}}',
                f'{{"channel":"ohlc","type":"snapshot","data":[{{"symbol":"{pair}","open":85000.0,'
                f'"high":85002.0,"low":84999.0,"close":85001.0,"trades":3,"volume":0.3,'
                f'"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1}}]}}',
            )


def live(pairs: Sequence[str] = ("BTC/EUR",)) -> Exchange:
    exchange = Exchange(pairs)
    exchange.go_live()
    exchange.wait(0.1)
    exchange.out.clear()
    return exchange


def published(out: Sequence[Out], kind: type[Any]) -> list[Any]:
    return [i.frame for i in out if isinstance(i, Publish) and isinstance(i.frame, kind)]


def notes(out: Sequence[Out]) -> list[str]:
    return [item.event for item in out if isinstance(item, Note)]


# The way up.


def test_the_instruments_are_asked_first_then_one_message_a_channel() -> None:
    exchange = Exchange()
    assert exchange.sent() == []
    exchange.step(LineOpened(exchange.line, 0.0))
    assert exchange.sent() == []
    exchange.say(STATUS)
    (first,) = exchange.sent()
    assert first["params"]["channel"] == "instrument"
    exchange.ack(first)
    exchange.say(INSTRUMENT % ",".join(PAIR_ROW % pair for pair in PAIRS))
    requests = exchange.sent()
    assert [r["params"]["channel"] for r in requests] == ["book", "trade", "ticker", "ohlc"]
    assert all(r["params"]["symbol"] == list(PAIRS) for r in requests)
    assert requests[0]["params"]["depth"] == 10
    assert requests[3]["params"]["interval"] == 1


def test_a_line_without_a_status_is_asked_all_the_same() -> None:
    exchange = Exchange()
    exchange.step(LineOpened(exchange.line, 0.0))
    exchange.wait(6)
    assert [r["params"]["channel"] for r in exchange.sent() if r["method"] == "subscribe"] == [
        "instrument"
    ]


def test_a_live_session_shows_verified_books_and_all_other_frames() -> None:
    exchange = Exchange()
    exchange.go_live()
    out = exchange.out + exchange.wait(1.1)
    book_frame = published(out, frames.Book)[-1]
    assert book_frame.valid
    assert book_frame.why == ""
    assert book_frame.bids == tuple(t for t, _ in BIDS)
    assert book_frame.ask_qtys == tuple(s for _, s in ASKS)
    assert book_frame.exchange_wall == 1_790_358_506_844_359_000
    instrument = published(out, frames.Instrument)[-1]
    assert instrument.pair.qty_min == 5_000
    vwap = published(out, frames.Vwap)[-1]
    assert (vwap.windows[0].volume, vwap.windows[0].trades) == (20_000_000, 2)
    candle = published(out, frames.Candle)[-1]
    assert (candle.open, candle.high, candle.low, candle.close) == (850000, 850020, 849990, 850010)
    beat = published(out, frames.Beat)[-1]
    assert (beat.phase, beat.system, beat.note) == ("live", "online", "")
    assert beat.tickers == tuple((pair, 850000, 850010, 850005) for pair in PAIRS)
    for frame in (book_frame, vwap, candle, beat, instrument):
        assert frames.decode(frames.encode(frame)) == frame


def test_every_topic_counts_its_own_frames_without_a_gap() -> None:
    exchange = Exchange()
    exchange.go_live()
    exchange.wait(3)
    seen: dict[bytes, int] = {}
    for item in exchange.out:
        if isinstance(item, Publish):
            assert item.frame.seq == seen.get(item.topic, 0) + 1
            seen[item.topic] = item.frame.seq
    assert len(seen) == 11


def test_before_anything_is_known_the_book_says_what_it_waits_for() -> None:
    exchange = Exchange()
    frame = published(exchange.out, frames.Book)[0]
    assert (frame.valid, frame.bids, frame.heard_at) == (False, (), 0)
    assert "instrument" in frame.why


# Publishing.


def test_books_are_published_at_most_so_often_and_at_least_each_second() -> None:
    exchange = live()
    out = []
    for number in range(200):
        exchange.now = Ns(exchange.now + 5 * MILLISECOND)
        bids = [(850_000, 1 + number), *BIDS[1:]]
        update = book("BTC/EUR", "update", bids[:1], [], book_checksum(ASKS, bids))
        out += exchange.say(update)
    shown = published(out, frames.Book)
    assert 19 <= len(shown) <= 21
    out = exchange.wait(0.06)
    assert published(out, frames.Book)[-1].bid_qtys[0] == 200
    assert len(published(exchange.wait(5), frames.Book)) == 5


def test_a_quiet_market_is_republished_with_its_old_date_and_a_fresh_line() -> None:
    exchange = live()
    frame = published(exchange.wait(20), frames.Book)[-1]
    assert frame.valid
    assert exchange.now - frame.heard_at <= 1.1 * SECOND
    assert exchange.now - frame.changed_at >= 20 * SECOND


def test_deep_books_show_twenty_five_levels() -> None:
    deep = Settings(
        **{f: getattr(SETTINGS, f) for f in SETTINGS.__struct_fields__} | {"depth": 100}
    )
    session = Session(("BTC/EUR",), deep, Ns(1))
    exchange = Exchange(("BTC/EUR",))
    exchange.session = session
    exchange.step()
    exchange.connect()
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    asks = [(850_010 + i, 5) for i in range(60)]
    text = book("BTC/EUR", "snapshot", BIDS, asks, book_checksum(asks, BIDS))
    exchange.say(text)
    frame = published(exchange.out, frames.Book)[-1]
    assert (len(frame.bids), len(frame.asks)) == (10, 25)


# A wrong checksum.


def test_a_wrong_checksum_shows_nothing_and_subscribes_once_anew() -> None:
    exchange = live()
    out = exchange.say(book("BTC/EUR", "update", [(850_000, 5)], [], 1))
    frame = published(out, frames.Book)[-1]
    assert (frame.valid, frame.bids, frame.asks) == (False, (), ())
    assert frame.why == "checksum mismatch"
    (leaving,) = exchange.sent()
    assert leaving["method"] == "unsubscribe"
    assert leaving["params"] == {"channel": "book", "symbol": ["BTC/EUR"], "depth": 10}

    # Late words of the old subscription, right or wrong, are not heard.
    out = exchange.say(
        book("BTC/EUR", "update", [(850_000, 6)], [], 2),
        book("BTC/EUR", "update", [], [], book_checksum(ASKS, BIDS)),
    )
    assert "book_desynced" not in notes(out)
    exchange.ack(leaving)
    assert exchange.sent() == []
    exchange.wait(1)
    (again,) = exchange.sent()
    assert again["method"] == "subscribe"
    exchange.ack(again)
    assert not any(f.valid for f in published(exchange.wait(0.2), frames.Book))
    out = exchange.say(snapshot("BTC/EUR"))
    assert "book_resynced" in notes(out)
    assert published(out, frames.Book)[-1].valid
    beat = published(exchange.wait(1.1), frames.Beat)[-1]
    assert (beat.checksum_faults, beat.resubscribes) == (1, 1)
    assert exchange.sent() == []


def test_a_snapshot_that_overtakes_the_unsubscribe_is_shown_only_until_it_is_answered() -> None:
    exchange = live()
    exchange.say(book("BTC/EUR", "update", [(850_000, 5)], [], 1))
    (leaving,) = exchange.sent()
    out = exchange.say(snapshot("BTC/EUR"))
    assert published(out, frames.Book)[-1].valid
    exchange.ack(leaving)
    frame = published(exchange.out, frames.Book)[-1]
    assert (frame.valid, frame.why) == (False, "unsubscribed")
    exchange.wait(1)
    assert [r["method"] for r in exchange.sent()] == ["subscribe"]


def test_an_unsubscribe_that_is_never_answered_is_followed_by_a_subscribe() -> None:
    exchange = live()
    exchange.say(book("BTC/EUR", "update", [(850_000, 5)], [], 1))
    exchange.sent()
    exchange.wait(5.1)
    assert [r["method"] for r in exchange.sent()] == ["subscribe"]


def test_the_other_pair_goes_on() -> None:
    exchange = live(PAIRS)
    exchange.say(book("BTC/EUR", "update", [(850_000, 5)], [], 1))
    exchange.wait(1.1)
    last = {f.pair: f.valid for f in published(exchange.out, frames.Book)}
    assert last == {"BTC/EUR": False, "BTC/USD": True}


def test_each_resubscription_waits_longer_and_the_fourth_fault_ends_the_line() -> None:
    exchange = live()
    waits = []
    for _ in range(3):
        exchange.say(book("BTC/EUR", "snapshot", BIDS, ASKS, 1))
        begun = exchange.now
        (leaving,) = exchange.sent()
        exchange.ack(leaving)
        while not (asked := exchange.sent()):
            exchange.wait(0.5)
        waits.append(round((exchange.now - begun) / SECOND))
        exchange.ack(*asked)
    assert waits == [1, 3, 10]
    out = exchange.say(book("BTC/EUR", "snapshot", BIDS, ASKS, 1))
    (close,) = [item for item in out if isinstance(item, CloseLine)]
    assert "checksum" in close.why
    assert not published(out, frames.Book)[-1].valid


def test_a_number_that_cannot_be_is_a_desync() -> None:
    exchange = live()
    text = book("BTC/EUR", "update", [], [], 1).replace(
        '"bids":[]', '"bids":[{"price":-1,"qty":1}]'
    )
    out = exchange.say(text)
    assert published(out, frames.Book)[-1].why == "unusable number"
    out = exchange.say(snapshot("BTC/EUR").replace("85000.0", "1e300"))
    assert not published(exchange.wait(0.1), frames.Book)


@pytest.mark.parametrize("why", ["crossed", "one side is empty"])
def test_a_verified_book_nobody_can_trade_on_is_hidden_and_heals_by_itself(why: str) -> None:
    exchange = live()
    if why == "crossed":
        asks = [(849_990, 5), *ASKS[:9]]
        change, back = [(849_990, 5)], [(849_990, 0), ASKS[9]]
    else:
        asks = []
        change, back = [(t, 0) for t, _ in ASKS], ASKS
    out = exchange.say(book("BTC/EUR", "update", [], change, book_checksum(asks, BIDS)))
    frame = published(out, frames.Book)[-1]
    assert (frame.valid, frame.why, frame.bids) == (False, why, ())
    assert exchange.sent() == []
    exchange.wait(0.5)
    out = exchange.say(book("BTC/EUR", "update", [], back, book_checksum(ASKS, BIDS)))
    assert published(out + exchange.wait(0.1), frames.Book)[-1].valid
    exchange.wait(3)
    assert exchange.sent() == []


def test_a_book_that_stays_crossed_is_subscribed_anew() -> None:
    exchange = live()
    asks = [(849_990, 5), *ASKS[:9]]
    exchange.say(book("BTC/EUR", "update", [], asks[:1], book_checksum(asks, BIDS)))
    exchange.wait(2.1)
    (leaving,) = exchange.sent()
    assert leaving["method"] == "unsubscribe"


# Silence.


def test_a_dead_line_is_asked_once_and_then_dropped() -> None:
    exchange = live()
    out = exchange.wait(2.6, heartbeats=False)
    (ping,) = exchange.sent()
    assert ping["method"] == "ping"
    assert "params" not in ping
    out = exchange.wait(2.5, heartbeats=False)
    (close,) = [item for item in out if isinstance(item, CloseLine)]
    assert "nothing heard" in close.why
    assert any(isinstance(item, OpenLine) for item in out)
    frame = published(out, frames.Book)[-1]
    assert (frame.valid, frame.bids) == (False, ())
    assert "line down" in frame.why


def test_any_byte_keeps_the_line() -> None:
    exchange = live()
    exchange.wait(4, heartbeats=False)
    exchange.say('{"method":"pong","req_id":1}')
    out = exchange.wait(4, heartbeats=False)
    assert not any(isinstance(item, CloseLine) for item in out)


def test_a_silent_book_on_a_living_line_is_subscribed_anew_then_the_line_is_dropped() -> None:
    exchange = live()
    exchange.wait(29)
    assert exchange.sent() == []
    exchange.wait(2)
    (leaving,) = exchange.sent()
    assert leaving["method"] == "unsubscribe"
    assert not published(exchange.out, frames.Book)[-1].valid
    exchange.ack(leaving)
    exchange.wait(0.1)
    exchange.ack(*exchange.sent())
    out = exchange.wait(6)
    assert any(isinstance(item, CloseLine) for item in out)


def test_an_acknowledged_book_that_brings_no_snapshot_ends_the_line_at_the_second_time() -> None:
    exchange = Exchange(("BTC/EUR",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    exchange.ack(*exchange.sent())
    exchange.wait(5.5)
    leaving = exchange.sent()
    assert ("unsubscribe", "book") in [(r["method"], r["params"]["channel"]) for r in leaving]
    exchange.ack(*leaving)
    exchange.wait(0.1)
    exchange.ack(*exchange.sent())
    out = exchange.wait(6)
    (close,) = [item for item in out if isinstance(item, CloseLine)]
    assert close.why == "book brings no snapshot"


def test_channels_that_are_not_vital_end_no_line() -> None:
    exchange = Exchange(("BTC/EUR",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    exchange.ack(*exchange.sent())
    exchange.say(snapshot("BTC/EUR"))
    for _ in range(20):
        exchange.wait(1)
        exchange.ack(*exchange.sent())
        exchange.say(book("BTC/EUR", "update", [], [], book_checksum(ASKS, BIDS)))
    assert not any(isinstance(item, CloseLine) for item in exchange.out)
    assert notes(exchange.out).count("subscription_without_snapshot") == 3


def test_a_lost_acknowledgement_is_asked_for_again_and_later_each_time() -> None:
    exchange = Exchange(("BTC/EUR",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    exchange.sent()
    exchange.wait(5.1)
    assert exchange.sent() == []
    exchange.wait(1)
    again = exchange.sent()
    assert [r["params"]["channel"] for r in again] == ["book", "trade", "ticker", "ohlc"]
    exchange.wait(5.1)
    exchange.wait(2)
    assert exchange.sent() == []
    exchange.wait(1)
    assert len(exchange.sent()) == 4


# Refusals.


def refusal(request: dict[str, Any], why: str, **more: str) -> str:
    return json.dumps(
        {"error": why, "method": "subscribe", "req_id": request["req_id"], "success": False} | more
    )


def test_a_refused_symbol_is_asked_for_again_after_half_a_minute() -> None:
    exchange = Exchange(PAIRS)
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % ",".join(PAIR_ROW % pair for pair in PAIRS))
    requests = exchange.sent()
    exchange.ack(*requests[1:])
    why = "Currency pair not supported BTC/USD"
    out = exchange.say(refusal(requests[0], why, symbol="BTC/USD"), snapshot("BTC/EUR"))
    assert "refused" in notes(out)
    for _ in range(29):
        exchange.wait(1)
        exchange.say(book("BTC/EUR", "update", [], [], book_checksum(ASKS, BIDS)))
    assert [
        r for r in exchange.sent() if r["method"] == "subscribe" and "depth" in r["params"]
    ] == []
    exchange.wait(1.5)
    again = [r for r in exchange.sent() if r["params"].get("depth")]
    assert [r["params"]["symbol"] for r in again] == [["BTC/USD"]]


def test_already_subscribed_is_as_good_as_an_acknowledgement() -> None:
    exchange = Exchange(("BTC/EUR",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    requests = exchange.sent()
    exchange.say(*(refusal(r, "Already subscribed") for r in requests), snapshot("BTC/EUR"))
    exchange.wait(4)
    assert exchange.sent() == []


def test_too_many_requests_are_repeated_later() -> None:
    exchange = Exchange(("BTC/EUR",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    requests = exchange.sent()
    exchange.say(*(refusal(r, "Exceeded msg rate") for r in requests))
    assert exchange.sent() == []
    exchange.wait(1.1)
    assert len(exchange.sent()) == 4


def test_a_pair_that_does_not_exist_is_said_and_waited_for() -> None:
    exchange = Exchange(("BTC/XYZ",))
    exchange.connect()
    exchange.ack(*exchange.sent())
    out = exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    assert "pair_unknown" in notes(out)
    assert exchange.sent() == []
    exchange.say((INSTRUMENT % PAIR_ROW % "BTC/XYZ").replace("snapshot", "update"))
    assert len(exchange.sent()) == 4


def test_another_precision_makes_the_book_anew() -> None:
    exchange = live()
    finer = (PAIR_ROW % "BTC/EUR").replace('"price_precision":1', '"price_precision":2')
    exchange.say((INSTRUMENT % finer).replace("snapshot", "update"))
    (leaving,) = exchange.sent()
    assert leaving["method"] == "unsubscribe"
    exchange.wait(0.1)
    assert not published(exchange.out, frames.Book)[-1].valid


def test_a_pair_state_is_published_at_once() -> None:
    exchange = live()
    halted = (PAIR_ROW % "BTC/EUR").replace('"online"', '"cancel_only"')
    out = exchange.say((INSTRUMENT % halted).replace("snapshot", "update"))
    assert published(out, frames.Instrument)[-1].pair.status == "cancel_only"
    assert exchange.sent() == []


# The engine's state.


@pytest.mark.parametrize(
    ("said", "shown"),
    [("post_only", "post_only"), ("maintenance", "maintenance"), ("limbo", "cancel_only")],
)
def test_the_state_of_the_engine_is_in_the_beat_at_once(said: str, shown: str) -> None:
    exchange = live()
    out = exchange.say(STATUS.replace("online", said))
    assert published(out, frames.Beat)[-1].system == shown
    assert exchange.sent() == []


def test_in_maintenance_the_line_is_tried_every_five_seconds() -> None:
    exchange = live()
    exchange.wait(31)
    exchange.say(STATUS.replace("online", "maintenance"))
    exchange.step(LineClosed(exchange.line, "gone", 0.5))
    out = exchange.wait(4.9, heartbeats=False)
    assert not any(isinstance(item, OpenLine) for item in out)
    assert any(isinstance(item, OpenLine) for item in exchange.wait(0.2, heartbeats=False))


# Reconnecting.


def test_after_a_reconnect_everything_is_asked_anew_and_shown_only_when_verified() -> None:
    exchange = live()
    exchange.wait(31, heartbeats=True)
    exchange.sent()
    old = exchange.line
    out = exchange.step(LineClosed(old, "reset", 0.5))
    assert not published(out, frames.Book)[-1].valid
    exchange.step()
    assert exchange.line == old + 1
    exchange.step(LineOpened(exchange.line, 0.0))
    # What the old line still says is not heard.
    exchange.step(Text(old, snapshot("BTC/EUR").encode(), exchange.now), LineClosed(old, "late"))
    assert not exchange.session.markets["BTC/EUR"].in_sync
    exchange.say(STATUS)
    (first,) = exchange.sent()
    assert first["params"]["channel"] == "instrument"
    exchange.ack(first)
    exchange.say(INSTRUMENT % PAIR_ROW % "BTC/EUR")
    exchange.ack(*exchange.sent())
    out = exchange.say(snapshot("BTC/EUR"))
    assert published(out + exchange.wait(0.1), frames.Book)[-1].valid


def test_an_attempt_that_is_never_answered_is_given_up() -> None:
    exchange = Exchange()
    out = exchange.wait(16, heartbeats=False)
    assert any(isinstance(item, CloseLine) for item in out)
    assert exchange.line >= 2


def test_a_line_that_always_fails_is_tried_seldom() -> None:
    exchange = Exchange()
    attempts = 0
    end = exchange.now + 10 * MINUTE
    while exchange.now < end:
        out = exchange.step(LineClosed(exchange.line, "refused", 0.9))
        out += exchange.wait(0.5, heartbeats=False)
        attempts += sum(isinstance(item, OpenLine) for item in out)
    assert 10 <= attempts <= 30


# Trades.


def test_missing_trades_are_counted_and_known_ones_dropped() -> None:
    exchange = live()
    out = exchange.say(trades("BTC/EUR", 101, 3))
    (frame,) = published(out, frames.Trades)
    assert [t.trade_id for t in frame.trades] == [100, 101, 102, 103]
    out = exchange.say(trades("BTC/EUR", 100, 4))
    assert not published(out, frames.Trades)
    out = exchange.say(trades("BTC/EUR", 110, 1))
    assert "trades_missed" in notes(out)
    assert exchange.session.markets["BTC/EUR"].missed_trades == 6


def test_trade_ids_that_begin_anew_under_a_later_date_are_heard() -> None:
    exchange = live()
    out = exchange.say(trades("BTC/EUR", 1, 1, second=59))
    assert published(out, frames.Trades)[-1].trades[-1].trade_id == 1


def test_a_trade_from_the_far_future_is_not_believed() -> None:
    exchange = live()
    out = exchange.say(trades("BTC/EUR", 200, 1).replace("2026-09-25", "2099-09-25"))
    assert not published(out, frames.Trades)


def test_the_vwap_empties_while_nothing_trades() -> None:
    exchange = live()
    assert published(exchange.wait(1.1), frames.Vwap)[-1].windows[0].trades == 2
    for _ in range(70):
        exchange.wait(1)
    assert published(exchange.out, frames.Vwap)[-1].windows[0].trades == 0
    assert published(exchange.out, frames.Vwap)[-1].windows[1].trades == 2


def test_what_cannot_be_understood_is_counted_and_the_line_goes_on() -> None:
    exchange = live()
    exchange.say("", "null", "[[[", '{"channel":"book"}', '{"channel":"trade","data":5}')
    beat = published(exchange.wait(1.1), frames.Beat)[-1]
    assert (beat.dropped, beat.phase) == (5, "live")
