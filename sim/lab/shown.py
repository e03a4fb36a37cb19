"""The market as the strategy was shown it: when it may be traded on, told from its mail alone."""

from __future__ import annotations

from collections import deque
from typing import Final

from shared.config import Config
from shared.frames import Book
from shared.units import SECOND, Ns

MOVE_WITHIN: Final = Ns(59 * SECOND)
"""A little less than the breaker looks back: what leaves its window this moment is not argued."""

Objection = tuple[str, str]
"""The check, and what is wrong."""


class Shown:
    """One pair's books as they were delivered. `book`: the newest of them."""

    def __init__(self, config: Config) -> None:
        self.book: Book | None = None
        self._config = config
        self._stale = config.time.feed_stale_sec * SECOND
        self._since: Ns | None = None  # since when each book was good and in time
        self._mids: deque[tuple[Ns, float]] = deque()

    def hear(self, book: Book, now: Ns) -> None:
        """A book arrives; an older one than the last changes nothing."""
        last = self.book
        if last is not None and (book.boot, book.seq) <= (last.boot, last.seq):
            return
        if last is None or book.boot != last.boot or now - last.heard_at > self._stale:
            self._since = None
        self.book = book
        sound = book.valid and book.bids and book.asks
        if not sound or now - book.heard_at > self._stale:
            self._since = None
            return
        if self._since is None:
            self._since = now
        self._mids.append((now, (book.bids[0] + book.asks[0]) / 2))
        while self._mids[0][0] < now - MOVE_WITHIN:
            self._mids.popleft()

    def objection(self, now: Ns, *, leaving: bool) -> Objection | None:
        """Why no order may leave on it. leaving: an exit, which a price that runs does not stop."""
        book = self.book
        if book is None or not book.valid or not book.bids or not book.asks:
            return "I14", "an order leaves on an invalid book"
        age = now - book.heard_at
        if age > self._stale:
            return "I15", f"an order leaves on a book of {age / SECOND:.1f} s ago"
        good_for = now - self._since if self._since is not None else 0
        if good_for < self._config.time.feed_recover_sec * SECOND:
            return (
                "I15",
                f"an order leaves, and the feed is good for {good_for / SECOND:.1f} s only",
            )
        move = self._move(now)
        if move >= self._config.risk.price_velocity_freeze_pct and not leaving:
            return "F57", f"an order leaves while the price has moved by {move:.1%} within a minute"
        return None

    def _move(self, now: Ns) -> float:
        mids = [mid for at, mid in self._mids if at >= now - MOVE_WITHIN]
        if not mids:
            return 0.0
        return max(mids[-1] / min(mids) - 1.0, 1.0 - mids[-1] / max(mids))
