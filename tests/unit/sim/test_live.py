"""A real market as the background: the queue before us, the end of the view, trades and books."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from feed.mail import LineOpened, Publish, Text
from feed.market import settings_of
from feed.session import Session
from shared import frames
from shared.config import Home, load
from shared.units import SECOND, Ns
from sim.engine.account import Account
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS
from sim.engine.livebook import UNKNOWN, LiveBook
from sim.engine.market import Market
from sim.engine.values import TIERS, Order, Request, Switches
from sim.live import FAR, Live
from tests.unit.sim.driving import WALL

PAIR = "BTC/EUR"
BTC = 100_000_000
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "kraken"


def book(
    bids: dict[int, int], asks: dict[int, int], wall: int = 0, *, valid: bool = True
) -> frames.Book:
    return frames.Book(
        Ns(0), 1, Ns(0), Ns(0), PAIR, valid, "", tuple(bids), tuple(bids.values()),
        tuple(asks), tuple(asks.values()), Ns(wall),
    )  # fmt: skip


def trades(*rows: tuple[int, str, int, int, int]) -> frames.Trades:
    """Rows: id, taker, price, quantity, wall."""
    found = tuple(
        frames.Trade(i, taker, price, qty, Ns(wall)) for i, taker, price, qty, wall in rows
    )
    return frames.Trades(Ns(0), 1, Ns(0), Ns(0), PAIR, found)


class Bench:
    """An exchange on a live market; each frame comes a second after the last."""

    def __init__(self) -> None:
        self.live = Live(book({1000: BTC, 990: 2 * BTC, 980: BTC}, {1010: BTC, 1020: BTC}))
        market = Market(LISTINGS[PAIR], self.live, 0, WALL, self.live.book)
        account = Account(Switches(), 1200, 2500)
        account.post("Q", WALL, "deposit", "EUR", 10**12, 0)
        account.post("Q", WALL, "deposit", "BTC", 10**13, 0)
        self.exchange = Exchange({PAIR: market}, account, TIERS["pro"], Switches())
        self.at = 0
        self.hear(trades((7, "sell", 1000, BTC, 1)))  # traded before we came

    def add(self, side: str, price: int, qty: int = BTC, tif: str = "gtc") -> Order:
        post = tif == "gtc"
        request = Request(PAIR, side, "limit", price, qty, post_only=post, tif=tif)
        order = self.exchange.add(request, WALL)
        assert order is not None
        return order

    def hear(self, *told: frames.FeedFrame) -> None:
        self.at += SECOND
        for frame in told:
            self.live.hear(self.at, frame)
        self.exchange.advance(self.at, Ns(WALL + self.at))


def test_an_order_waits_behind_what_is_visible() -> None:
    bench = Bench()
    order = bench.add("buy", 990)
    assert order.ahead == 2 * BTC
    bench.hear(trades((8, "sell", 990, 2 * BTC, 10)))
    assert order.filled == 0
    bench.hear(trades((9, "sell", 990, BTC // 2, 11)))
    assert order.filled == BTC // 2
    assert order.price * order.filled == order.cost


def test_a_trade_through_the_price_fills_and_one_before_it_does_not() -> None:
    bench = Bench()
    near, far = bench.add("sell", 1020), bench.add("sell", 1030)
    bench.hear(trades((8, "buy", 1021, 1, 10)))
    assert near.filled == near.qty
    assert far.filled == 0


def test_a_market_that_jumps_over_an_order_fills_it_at_its_own_price() -> None:
    bench = Bench()
    order = bench.add("buy", 990)
    bench.hear(book({900: BTC}, {980: BTC}, 10))
    assert (order.filled, order.cost) == (order.qty, 990 * order.qty)
    touched = bench.add("buy", 970)
    bench.hear(book({900: BTC}, {970: BTC}, 11))
    assert touched.filled == 0, "at the same price nobody has gone through it"


def test_beyond_the_view_everybody_stands_before_us_until_it_is_seen() -> None:
    bench = Bench()
    order = bench.add("buy", 950)
    assert order.ahead == UNKNOWN
    bench.hear(trades((8, "sell", 950, 50 * BTC, 10)))
    assert order.filled == 0, "nobody knows who stood there"
    bench.hear(book({960: BTC, 950: 3 * BTC}, {970: BTC}, 20))
    bench.hear(trades((9, "sell", 950, 3 * BTC, 30)))
    assert order.filled == 0
    bench.hear(trades((10, "sell", 950, BTC, 31)))
    assert order.filled == BTC


def test_a_book_that_includes_the_trade_already_does_not_count_it_twice() -> None:
    bench = Bench()
    order = bench.add("buy", 990)
    # The book comes first: of two coins one is left, and the trade that took the other follows.
    bench.hear(book({990: BTC}, {1000: BTC}, 20), trades((8, "sell", 990, BTC, 20)))
    assert order.ahead == BTC
    bench.hear(trades((9, "sell", 990, BTC, 30)))
    assert order.filled == 0
    bench.hear(trades((10, "sell", 990, BTC, 40)))
    assert order.filled == BTC


def test_a_trade_is_heard_once_and_an_invalid_book_not_at_all() -> None:
    bench = Bench()
    order = bench.add("buy", 1000, 3 * BTC)
    bench.hear(trades((7, "sell", 1000, BTC, 1), (8, "sell", 1000, 2 * BTC, 10)))
    assert order.filled == BTC
    bench.hear(trades((8, "sell", 1000, 2 * BTC, 10)), book({1: 1}, {2: 1}, valid=False))
    assert order.filled == BTC
    assert bench.live.next_at() == FAR


def test_who_takes_gets_no_more_than_what_is_shown() -> None:
    bench = Bench()
    order = bench.add("buy", 1030, 5 * BTC, "ioc")
    assert order.filled == 2 * BTC
    assert order.cost == (1010 + 1020) * BTC
    assert list(bench.live.book.asks()) == []
    bench.hear(book({1000: BTC}, {1010: BTC}, 10))
    assert list(bench.live.book.asks()) == [(1010, BTC)]


def test_the_background_tells_how_much_stands_where() -> None:
    shown = LiveBook({10: 5, 8: 4}, {11: 3})
    assert [shown.qty_at("buy", price) for price in (10, 9, 8, 7)] == [5, 0, 4, UNKNOWN]
    assert [shown.qty_at("sell", price) for price in (11, 12)] == [3, UNKNOWN]


def test_a_recorded_market_fills_nothing_that_it_did_not_go_through(tmp_path: Path) -> None:
    """Kraken's own frames through our feed into our engine: BTC/USD on 2026-07-20."""
    book_file = RECORDED / "book_btcusd_d10_raw_2026-07-20.jsonl"
    instruments = RECORDED / "instrument_snapshot.json.gz"
    if not (book_file.exists() and instruments.exists()):
        pytest.skip("the recordings are not on this machine")
    lines = book_file.read_bytes().splitlines()
    told = through_the_feed(
        tmp_path, [lines[0], gzip.decompress(instruments.read_bytes()), *lines[1:]]
    )
    books = [frame for frame in told if isinstance(frame, frames.Book) and frame.valid]
    assert len(books) > 30
    live = Live(books[0])
    market = Market(LISTINGS["BTC/USD"], live, 0, WALL, live.book)
    account = Account(Switches(), 1200, 2500)
    account.post("Q", WALL, "deposit", "USD", 10**12, 0)
    exchange = Exchange({"BTC/USD": market}, account, TIERS["pro"], Switches())
    request = Request("BTC/USD", "buy", "limit", books[0].bids[3], BTC, post_only=True)
    order = exchange.add(request, WALL)
    assert order is not None
    assert order.ahead == books[0].bid_qtys[3]
    for at, frame in enumerate(told):
        live.hear(at, frame)
        exchange.advance(at, Ns(WALL + at))
        if isinstance(frame, frames.Book) and frame.valid:
            assert next(iter(live.book.bids()))[0] == frame.bids[0]
    lowest = min(frame.asks[0] for frame in books)
    assert bool(order.filled) == (lowest < order.price)


def through_the_feed(folder: Path, raws: list[bytes]) -> list[frames.FeedFrame]:
    """What our feed publishes of these messages, a tenth of a second apart."""
    session = Session(["BTC/USD"], settings_of(load(Home(folder)).feed), Ns(SECOND))
    now = Ns(SECOND)
    session.step(now, [])
    session.step(now, [LineOpened(session.line)])
    told: list[frames.FeedFrame] = []
    for raw in raws:
        now = Ns(now + SECOND // 10)
        outs = session.step(now, [Text(session.line, raw, now)])
        told += [out.frame for out in outs if isinstance(out, Publish)]
    return told
