"""What may be at the exchange of one pair: looked through once, until a slot changes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from shared.units import Side
from strategy.core.slots import IN_FLIGHT, Slot, State


class OpenOrders(Struct, frozen=True):
    """The slots of one pair by what is asked of them.

    buys, sells: all that may still be there, lost ones too. sell_sats: the most that the sells may
    still hand over. filled: (side, Ticks) -> Sats that the order there has filled already.
    """

    slots: list[Slot] = []
    buys: tuple[Slot, ...] = ()
    sells: tuple[Slot, ...] = ()
    lost: tuple[Slot, ...] = ()
    in_flight: bool = False
    sell_sats: int = 0
    filled: dict[tuple[Side, int], int] = {}

    @property
    def busy(self) -> int:
        return len(self.buys) + len(self.sells)


def look_through(slots: Sequence[Slot]) -> OpenOrders:
    """Of these slots as they are now."""
    held = [slot for slot in slots if slot.state is not State.EMPTY]
    sells = tuple(slot for slot in held if slot.side is Side.SELL)
    return OpenOrders(
        list(slots),
        tuple(slot for slot in held if slot.side is Side.BUY),
        sells,
        tuple(slot for slot in held if slot.state is State.LOST),
        any(slot.state in IN_FLIGHT for slot in held),
        sum(slot.open_qty for slot in sells),
        {(slot.side, slot.price): slot.filled for slot in held if slot.filled},
    )
