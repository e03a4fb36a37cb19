"""When each frame of the feed goes out, and which number it has."""

from __future__ import annotations

from feed.mail import Publish
from feed.market import Market
from feed.outlet import BEAT_GAP, INSTRUMENT_GAP, Outlet
from shared import frames
from shared.units import SECOND, Ns
from tests.unit.feed.script import SETTINGS
from tests.unit.monitor.frames import PAIR

BOOT = Ns(SECOND)


def test_instruments_go_out_with_every_fifth_beat_and_the_averages_with_each() -> None:
    market, outlet = Market("BTC/EUR", SETTINGS), Outlet(("BTC/EUR",), BOOT)
    market.learn(PAIR, BOOT)
    sent: list[Publish] = []
    for beat in range(11):
        now = Ns(BOOT + beat * BEAT_GAP)
        assert outlet.beat_due == now
        sent += outlet.with_beat([market], now, now, Ns(0))
    instruments = [each.frame for each in sent if isinstance(each.frame, frames.Instrument)]
    assert [frame.heard_at for frame in instruments] == [
        BOOT, BOOT + INSTRUMENT_GAP, BOOT + 2 * INSTRUMENT_GAP,
    ]  # fmt: skip
    averages = [each.frame for each in sent if isinstance(each.frame, frames.Vwap)]
    assert [frame.seq for frame in averages] == list(range(1, 12))
    assert {frame.boot for frame in averages} == {BOOT}


def test_of_a_pair_that_is_not_known_yet_only_the_book_goes_out() -> None:
    market, outlet = Market("BTC/EUR", SETTINGS), Outlet(("BTC/EUR",), BOOT)
    assert list(outlet.with_beat([market], BOOT, BOOT, Ns(0))) == []
    (book,) = outlet.books([market], BOOT, Ns(BOOT + SECOND))
    assert book.topic == frames.topic("book", "BTC/EUR")
    assert list(outlet.books([market], BOOT, Ns(BOOT + SECOND))) == [], "it is due again later"
