"""The order book's imbalance: which side of it is heavier, from -1 (asks) to 1 (bids).

Quantities are weighted by their depth: each further level counts for `level_decay` of the one
before. One book says little, so the figure is a half-life average over time: what was heard
decays at that pace, and while no valid book is there it decays to 0.
"""

from __future__ import annotations

from msgspec import Struct

from shared.frames import Book
from shared.settings import Imbalance as Settings
from shared.units import SECOND, Ns


class Imbalance(Struct, frozen=True, gc=False):
    value: float = 0.0
    at: Ns = Ns(0)  # 0 = nothing heard yet


def raw(bid_qtys: tuple[int, ...], ask_qtys: tuple[int, ...], cfg: Settings) -> float:
    """Of one book, best levels first; 0.0 where it is empty."""
    if bid_qtys == ask_qtys:
        return 0.0
    bids, asks, weight = 0.0, 0.0, 1.0
    for bid, ask in zip(bid_qtys[: cfg.levels], ask_qtys[: cfg.levels], strict=False):
        bids += weight * bid
        asks += weight * ask
        weight *= cfg.level_decay
    return (bids - asks) / (bids + asks) if bids + asks > 0 else 0.0


def weigh(last: Imbalance, book: Book | None, now: Ns, cfg: Settings) -> Imbalance:
    """The average after this tick; a book that is not valid weighs as an even one."""
    seen = raw(book.bid_qtys, book.ask_qtys, cfg) if book is not None and book.valid else 0.0
    if not last.at:
        return Imbalance(0.0, now)
    keep = 0.5 ** ((now - last.at) / SECOND / cfg.half_life_sec)
    return Imbalance(keep * last.value + (1.0 - keep) * seen, now)
