"""What a price is held against before an order leaves: a slower mean, and a second source.

Rule 1: one feed alone must not move the grid: the ticker that the session asks by REST tells the
price a second time, and where the two differ by more than the collar nothing is added.
Rule 2: a second price that is old decides nothing: REST is allowed to be down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.orders import SecondPrice
from shared.units import MINUTE, SECOND, Ns
from strategy.core.market import View

HALF_LIFE: Final = Ns(5 * MINUTE)
SECOND_PRICE_AGE: Final = Ns(30 * SECOND)
NEVER: Final = Ns(1 << 62)


class Reference(Struct, frozen=True):
    """Prices in Ticks, 0.0 while unknown; slow: mean of the fresh mids, at: when last fed."""

    slow: float = 0.0
    at: Ns = Ns(0)
    second: float = 0.0
    second_at: Ns = Ns(0)


def follow(known: Reference, view: View, now: Ns) -> Reference:
    """The slow mean after this tick; a book that is not fresh moves nothing."""
    if not view.fresh or view.mid <= 0:
        return known
    if known.slow <= 0:
        return replace(known, slow=view.mid, at=now)
    kept = math.exp2(-(now - known.at) / HALF_LIFE)
    slow = view.mid + (known.slow - view.mid) * kept
    return Reference(slow, now, known.second, known.second_at)


def follow_all(known: Reference, nows: Sequence[Ns], mids: Sequence[float]) -> Reference:
    """`follow` for a run of fresh mids; a slow mean must be known."""
    slow, at = known.slow, known.at
    weights: dict[int, float] = {}  # ticks come at few distances
    for now, mid in zip(nows, mids, strict=True):
        apart = now - at
        kept = weights.get(apart)
        if kept is None:
            kept = weights[apart] = math.exp2(-apart / HALF_LIFE)
        slow, at = mid + (slow - mid) * kept, now
    return replace(known, slow=slow, at=at)


def reaches_at(known: Reference, price: float, bound: float) -> Ns:
    """The moment before which the slow mean does not get to a price that it has not reached, as
    long as no mid lies beyond the bound on that side."""
    way = abs(price - known.slow)
    beyond = bound - price if price > known.slow else price - bound
    if beyond <= 0.0:
        return NEVER
    # It is nearest to the price if each mid is the bound: then the way there halves and halves.
    return Ns(known.at + int(HALF_LIFE * math.log2((way + beyond) / beyond)))


def told(known: Reference, event: SecondPrice) -> Reference:
    return replace(known, second=(event.bid + event.ask) / 2, second_at=event.at)


def slower(known: Reference, view: View) -> float:
    """The reference that a single wick cannot move: the VWAP, else the slow mean."""
    return view.vwap or known.slow or view.mid


def doubt(known: Reference, view: View, now: Ns, collar: float) -> str:
    """Why the two sources are not to be trusted; "" where they agree or the second is silent."""
    if known.second <= 0 or now - known.second_at > SECOND_PRICE_AGE:
        return ""
    apart = abs(view.mid / known.second - 1.0)
    if apart <= collar:
        return ""
    return f"the book and the exchange's ticker are {apart:.1%} apart"
