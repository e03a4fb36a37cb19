"""What is known of the market when an order leaves."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.units import Ns
from strategy.core import breaker, market
from tests.simulation.bugs.patches import Patches, bug


@bug("a stale book is as good as a fresh one")
def stale_is_fresh(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        stale = found is market.Freshness.STALE and self.book is not None and self.book.valid
        return market.Freshness.FRESH if stale else found

    p.set(market.Tape, "freshness", freshness)


@bug("a feed that has died leaves our orders where they are")
def dead_is_stale(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        return market.Freshness.STALE if found is market.Freshness.DEAD else found

    p.set(market.Tape, "freshness", freshness)


@bug("an invalid book is traded on")
def invalid_is_tradable(p: Patches) -> None:
    before = market.Tape.hear_book

    def hear_book(self: Any, frame: Any, now: Ns, time: Any) -> None:
        if not frame.valid and self.book is not None:
            frame = replace(self.book, seq=frame.seq, heard_at=frame.heard_at)
        before(self, frame, now, time)

    p.set(market.Tape, "hear_book", hear_book)


@bug("a late frame of the bus replaces a newer one")
def old_frames_win(p: Patches) -> None:
    before = market.Tape.hear_book

    def hear_book(self: Any, frame: Any, now: Ns, time: Any) -> None:
        if self.book is not None and frame.boot == self.book.boot and frame.seq < self.book.seq:
            frame = replace(frame, seq=self.book.seq + 1)
        before(self, frame, now, time)

    p.set(market.Tape, "hear_book", hear_book)


@bug("a feed that has just come back is trusted at once")
def feed_need_not_settle(p: Patches) -> None:
    before = market.Tape.freshness

    def freshness(self: Any, now: Ns, time: Any) -> Any:
        found = before(self, now, time)
        return market.Freshness.FRESH if found is market.Freshness.SETTLING else found

    p.set(market.Tape, "freshness", freshness)


@bug("a price that runs freezes nothing")
def breaker_is_ignored(p: Patches) -> None:
    p.set(breaker.Breaker, "frozen", property(lambda self: False))
