"""Stage 10, decide: wishes are matched to orders, and what is left of either makes the intents.

Rule 1: by price first: who stands where one is wished, in a fitting size, keeps its place in the
queue. Of the others the nearest within the tolerance.
Rule 2: what nobody wishes moves to where nobody stands; only then is one added or cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shared.units import Ns, Side
from strategy.core.slots import Add, Amend, Cancel, Intent, Slot, State, Wish, reduces

# Bound once: an enum's members are slow to look up, and each tick needs these.
_EMPTY: Final = State.EMPTY
_LIVE: Final = State.LIVE
_BUY: Final = Side.BUY

_OLD: Final = Ns(1 << 62)
FOREVER: Final = Ns(1 << 63)
"""Later than any moment, `_OLD` included."""


class Rules(Struct, frozen=True):
    """When a resting order is worth changing."""

    step: float  # ratio between two rungs
    tolerance: float  # of a step
    least_age: int  # ns
    bid: int  # Ticks
    ask: int
    enlarge_age: int = 0  # ns

    def filling(self, slot: Slot) -> bool:
        """The market stands at its price or beyond: the fill is on its way, so it is let be."""
        return slot.price >= self.ask if slot.side is _BUY else slot.price <= self.bid


class Unsettled(Struct, frozen=True):
    """One side of one pair, but for the orders that stand where they are wished in a fitting size.

    since, until: the moments between which those are the same ones, the second excluded.
    withdrawn: nothing at all is wished of it.
    """

    orders: Sequence[Slot]
    wishes: Sequence[Wish]
    withdrawn: bool
    since: Ns = Ns(0)
    until: Ns = FOREVER


class Sides(Struct, frozen=True):
    """What of a pair is unsettled, of which wishes and orders, and between which moments."""

    laid: object
    orders: object
    since: Ns
    until: Ns
    left: Sequence[tuple[Side, Unsettled]]

    def hold(self, laid: object, orders: object, now: Ns) -> bool:
        """Whether they are the same of these wishes and orders, and at this moment."""
        return self.laid is laid and self.orders is orders and self.since <= now < self.until


def unsettled(held: Sequence[Slot], wishes: Sequence[Wish], now: Ns, enlarge_age: int) -> Unsettled:
    """What is left of the orders and the wishes of one side once they are matched by price.

    held: the slots of this side that are not empty.
    """
    since, until = Ns(0), FOREVER
    wished = {wish.price: wish for wish in wishes}
    if len(wished) < len(wishes):
        return Unsettled(held, wishes, withdrawn=False)  # steps below a Tick
    orders = []
    for slot in held:
        wish = wished.get(slot.price)
        if wish is None:
            orders.append(slot)
            continue
        if slot.qty != wish.qty:
            fits_until = fitting(slot, wish, enlarge_age)
            if now >= fits_until:
                since = max(since, fits_until)
                orders.append(slot)
                continue
            until = min(until, fits_until)
        del wished[slot.price]
    return Unsettled(orders, list(wished.values()), not wishes, since, until)


def decide(side: Unsettled, slots: Sequence[Slot], now: Ns, rules: Rules) -> list[Intent]:
    """One side of one pair, matched by price: match what is near, then amend, add, cancel.

    So one completed fill changes two orders at most, and the rest keep their places in the queue.
    slots: all of this side.
    """
    wanted, unmatched = _match(side, now, rules)
    movable = [s for s in unmatched if s.state is _LIVE and not rules.filling(s)]
    intents: list[Intent] = []
    # A wish for which no order rests is best served by an order that no wish keeps.
    for slot, wish in _paired(movable, wanted) if movable else ():
        if wish is None:
            # A side that is withdrawn as a whole goes at once; a rung too many can wait.
            intents.append(Cancel(slot, "no rung wants it", urgent=side.withdrawn))
        elif slot.not_before <= now and (
            now - slot.changed >= rules.least_age or reduces(slot, wish)
        ):
            if slot.filled < wish.qty:
                intents.append(Amend(slot, wish))
            else:
                intents.append(Cancel(slot, "its rung is smaller than what has filled"))
                continue
        # Else too young to move without a rate penalty: its wish waits for it.
        if wish is not None:
            wanted.remove(wish)
    if not wanted:
        return intents
    free = [s for s in slots if s.state is _EMPTY and s.not_before <= now]
    # Each order in flight, lost, being filled or being cancelled holds the place of one wish:
    # never more orders than rungs.
    leaving = sum([isinstance(intent, Cancel) for intent in intents])
    room = max(0, len(wanted) - (len(unmatched) - len(movable)) - leaving)
    intents += [Add(slot, wish) for slot, wish in zip(free, wanted[:room], strict=False)]
    return intents


def at_rest(side: Unsettled, rules: Rules) -> bool:
    """Whether each wish has its order and each order its wish, however old they get."""
    return side.until == FOREVER and _match(side, _OLD, rules) == ([], [])


def _paired(movable: list[Slot], wanted: list[Wish]) -> list[tuple[Slot, Wish | None]]:
    """Who moves where: an order of another size stays at its price, the others keep their order.

    Both sides of the pairing run from the market outwards, so no order jumps over its neighbour.
    """
    at_price = {wish.price: wish for wish in wanted}
    staying = {slot.name: at_price.pop(slot.price) for slot in movable if slot.price in at_price}
    moving = [wish for wish in wanted if wish.price in at_price]
    outward = sorted(movable, key=lambda slot: slot.price, reverse=movable[0].side is _BUY)
    left = iter(moving)
    return [(slot, staying.get(slot.name) or next(left, None)) for slot in outward]


def _match(side: Unsettled, now: Ns, rules: Rules) -> tuple[list[Wish], list[Slot]]:
    """Wishes that no order serves yet, and orders that serve no wish."""
    unmatched = list(side.orders)
    wanted: list[Wish] = []
    for wish in side.wishes:
        best = _nearest(unmatched, wish, now, rules)
        if best is None:
            wanted.append(wish)
        else:
            unmatched.remove(best)
    return wanted, unmatched


def _nearest(unmatched: Sequence[Slot], wish: Wish, now: Ns, rules: Rules) -> Slot | None:
    """The order that stands nearest to the wish, within the tolerance."""
    best, nearest, price = None, rules.tolerance * rules.step, wish.price
    # Most stand rungs away: a comparison of ints sees that.
    reach = int(2 * nearest * price) + 1
    for slot in unmatched:
        if not -reach < slot.price - price < reach:
            continue
        apart = abs(slot.price - price) / max(slot.price, price)
        nearer = apart < nearest or (best is None and apart == nearest)
        if nearer and now < fitting(slot, wish, rules.enlarge_age):
            best, nearest = slot, apart
    return best


def fitting(slot: Slot, wish: Wish, enlarge_age: int) -> Ns:
    """Until when a resting size is kept: while it is within a fifth of the wish, or young and too
    small.

    Kraken: a larger quantity goes to the back of the queue. So what was made smaller a moment ago
    is not made larger again before it has rested for `enlarge_age`; what is too large shrinks now.
    """
    if slot.qty == wish.qty or slot.state is not _LIVE:
        return FOREVER
    fifths = slot.qty * 5
    if fifths < wish.qty * 4:
        return Ns(slot.changed + enlarge_age)
    return FOREVER if fifths <= wish.qty * 6 else Ns(0)
