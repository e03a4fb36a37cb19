"""The session against a script of Kraken's answers: the way up, what it shows, and reconnecting."""

from __future__ import annotations

import pytest

from feed.mail import (
    CloseLine,
    LineClosed,
    LineOpened,
    OpenLine,
    Publish,
    Text,
)
from feed.market import Settings
from feed.session import Session
from shared import frames
from shared.kraken.checksum import book_checksum
from shared.units import MILLISECOND, MINUTE, SECOND, Ns
from tests.unit.feed.script import (
    ASKS,
    BIDS,
    INSTRUMENT,
    PAIR_ROW,
    PAIRS,
    SETTINGS,
    STATUS,
    Exchange,
    book,
    live,
    notes,
    published,
    snapshot,
    trades,
)

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
