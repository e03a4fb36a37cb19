"""The public feed: books and the tape."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from feed import book as feed_book
from feed import market as feed_market
from feed import session as feed_session
from feed import subscriptions as feed_subscriptions
from shared.units import Ns
from tests.simulation.bugs.patches import HOUR, Patches, bug


@bug("the checksum of a book is not checked")
def checksum_is_ignored(p: Patches) -> None:
    before = feed_market.Market._judge

    def judge(self: Any, result: Any, *rest: Any) -> Any:
        wrong = isinstance(result, feed_book.Mismatch)
        return before(self, feed_book.APPLIED if wrong else result, *rest)

    p.set(feed_market.Market, "_judge", judge)


@bug("a crossed or one-sided book is shown because its checksum is right")
def crossed_is_shown(p: Patches) -> None:
    before = feed_market.Market._judge

    def judge(self: Any, result: Any, *rest: Any) -> Any:
        odd = isinstance(result, feed_book.Crossed | feed_book.OneSided)
        return before(self, feed_book.APPLIED if odd else result, *rest)

    p.set(feed_market.Market, "_judge", judge)


@bug("a book whose checksum was wrong is shown until the next snapshot")
def desync_is_shown(p: Patches) -> None:
    before = feed_market.Market.fail

    def fail(self: Any, why: str, fault: str) -> Any:
        found = before(self, why, fault)
        self.in_sync, self.why = True, ""
        return found

    p.set(feed_market.Market, "fail", fail)


@bug("the feed does not connect again")
def feed_stays_away(p: Patches) -> None:
    before = feed_session.Line.lost

    def lost(self: Any, now: Ns, *rest: Any) -> None:
        before(self, now, *rest)
        self.due = Ns(now + HOUR)

    p.set(feed_session.Line, "lost", lost)


@bug("a subscription that fell silent is waited for")
def silent_book_is_quiet(p: Patches) -> None:
    before = feed_subscriptions.Subscriptions.heard

    def heard(self: Any, channel: str, symbol: str, now: Ns, snapshot: bool) -> None:
        before(self, channel, symbol, now, snapshot)
        sub = self._subs.get((channel, symbol))
        if sub is not None and sub.state is feed_subscriptions.SubState.LIVE:
            sub.due = Ns(now + HOUR)

    p.set(feed_subscriptions.Subscriptions, "heard", heard)


@bug("the tape says other quantities than were traded")
def tape_is_wrong(p: Patches) -> None:
    before = feed_market.trade_of

    def trade_of(*args: Any) -> Any:
        found = before(*args)
        return found if found is None else replace(found, qty=found.qty + 1)

    p.set(feed_market, "trade_of", trade_of)


@bug("a level that was pushed out of the depth is kept")
def depth_is_ignored(p: Patches) -> None:
    before = feed_book._Side.__init__

    def deep(self: Any, depth: int) -> None:
        before(self, 1_000_000)

    p.set(feed_book._Side, "__init__", deep)


@bug("a book says that it was heard when it is sent")
def books_are_always_young(p: Patches) -> None:
    before = feed_market.Market.book_frame

    def book_frame(self: Any, head: Any, seq: int, now: Ns) -> Any:
        return before(self, replace(head, heard_at=now), seq, now)

    p.set(feed_market.Market, "book_frame", book_frame)
