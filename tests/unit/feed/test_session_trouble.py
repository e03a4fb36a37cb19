"""What the session does on a wrong checksum, in silence and after a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feed.mail import (
    CloseLine,
    OpenLine,
)
from shared import frames
from shared.kraken.checksum import book_checksum
from shared.units import SECOND
from tests.unit.feed.script import (
    ASKS,
    BIDS,
    INSTRUMENT,
    PAIR_ROW,
    PAIRS,
    Exchange,
    book,
    live,
    notes,
    published,
    snapshot,
)

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
