"""The buys that no sell has answered yet, while sells are laid: none is sold below its floor."""

from __future__ import annotations

from collections.abc import Sequence


class Unanswered:
    """The floors of the buys that no sell has answered yet, cheapest first, while sells are laid.

    Coins beyond the unmatched buys were there before the grid: they have no floor.
    """

    def __init__(self, floors: Sequence[tuple[int, int]]) -> None:
        """floors: (least price in Ticks, Sats), by price."""
        self._floors = floors
        self._place, self._taken = 0, 0  # so many are answered, and so many Sats of the next

    def answered(self, price: int, qty: int, step: float, price_step: int) -> tuple[int, str]:
        """The price at which a rung may sell so many Sats, or why it may not."""
        least, place, taken = self._after(qty)
        if price < least <= price * (1.0 + step / 2.0):
            # A spacing or a lean that has changed since the buy: the rung yields a little.
            price = least + -least % price_step
        if price < least:
            return price, "below an unmatched buy plus fees"
        self._place, self._taken = place, taken
        return price, ""

    def _after(self, qty: int) -> tuple[int, int, int]:
        """The floor of the dearest buy a sell of `qty` would answer, and what is answered then.

        What has filled may be more than the rung is worth now: `qty` is not above 0 then.
        """
        floors, place, taken, least = self._floors, self._place, self._taken, 0
        if qty <= 0:
            return least, place, taken
        taken += qty
        while taken > 0 and place < len(floors):
            least, held = floors[place]
            if taken < held:
                return least, place, taken
            taken -= held
            place += 1
        return least, place, 0
