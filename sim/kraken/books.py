"""The book channel: one view per pair and depth, its changes as messages, its checksum.

Rule 1: a message names what changed inside the view; a level pushed out by a better one is not
named, the client truncates (Kraken v2, book).
Rule 2: removals come first, so that a client that truncates after each entry stays right too.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from shared.units import Pair, price_text, qty_text
from sim.engine.market import Level
from sim.kraken.wire import stamp

DEPTHS = (10, 25, 100, 500, 1000)


def checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """CRC32 over the best ten asks, then bids: price and quantity digits without the point."""
    text = "".join(f"{price}{qty}" for price, qty in asks[:10])
    text += "".join(f"{price}{qty}" for price, qty in bids[:10])
    return zlib.crc32(text.encode())


def changes(before: Sequence[Level], after: Sequence[Level], sign: int) -> list[Level]:
    """What a client has to apply to get from one view to the next; quantity 0 removes.

    sign: +1 for asks (ascending), -1 for bids.
    """
    if before == after:
        return []
    old, new = dict(before), dict(after)
    # In a full view, whatever is worse than the worst level was pushed out of it.
    worst = after[-1][0] * sign if after and len(after) >= len(before) else None
    gone = [
        (price, 0)
        for price, _ in before
        if price not in new and (worst is None or price * sign < worst)
    ]
    return gone + [(price, qty) for price, qty in after if old.get(price) != qty]


class View:
    """The best levels of one pair, as all subscribers of this depth hold them."""

    def __init__(self, pair: Pair, depth: int) -> None:
        self.pair = pair
        self.depth = depth
        self.bids: list[Level] = []
        self.asks: list[Level] = []
        self.readers: dict[int, None] = {}

    def turn(self, bids: list[Level], asks: list[Level], wall: int) -> str | None:
        """Take over the new levels; the update for everybody, None where nothing changed."""
        bid_changes, ask_changes = changes(self.bids, bids, -1), changes(self.asks, asks, 1)
        if not bid_changes and not ask_changes:
            return None
        self.bids, self.asks = bids, asks
        return self._frame("update", bid_changes, ask_changes, wall)

    def snapshot(self, wall: int, *, dated: bool = True) -> str:
        """The whole view."""
        return self._frame("snapshot", self.bids, self.asks, wall if dated else None)

    def _frame(
        self, kind: str, bids: Sequence[Level], asks: Sequence[Level], wall: int | None
    ) -> str:
        dated = f',"timestamp":"{stamp(wall)}"' if wall is not None else ""
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.pair.symbol}",'
            f'"bids":[{self._levels(bids)}],"asks":[{self._levels(asks)}],'
            f'"checksum":{checksum(self.bids, self.asks)}{dated}}}]}}'
        )

    def _levels(self, levels: Sequence[Level]) -> str:
        pair = self.pair
        return ",".join(
            f'{{"price":{price_text(pair, price)},"qty":{qty_text(pair, qty)}}}'
            for price, qty in levels
        )
