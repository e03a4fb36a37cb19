"""What may be at the exchange of one pair: looked through once, until a slot changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shared.units import Side
from strategy.core.slots import Slot, State

NO_SELL: Final = 1 << 62
"""Ticks: above any price."""

# Bound once: an enum's members are slow to look up, and each tick needs these.
_EMPTY, _LIVE, _LOST, _BUY = State.EMPTY, State.LIVE, State.LOST, Side.BUY
_AMENDING: Final = State.AMEND_PENDING


class OpenOrders(Struct, frozen=True):
    """The slots of one pair by what is asked of them.

    buys, sells: all that may still be there, lost ones too. in_flight: those of which an answer is
    on its way, in any order. sell_sats: the most that the sells may still hand over; buy_units:
    what the buys may still cost (Ticks x Sats). highest_buy, lowest_sell: Ticks at which one of
    them may still fill. filled: (side, Ticks) -> Sats that the order there has filled already.
    """

    slots: list[Slot] = []
    buys: tuple[Slot, ...] = ()
    sells: tuple[Slot, ...] = ()
    lost: tuple[Slot, ...] = ()
    in_flight: tuple[Slot, ...] = ()
    sell_sats: int = 0
    buy_units: int = 0
    highest_buy: int = 0
    lowest_sell: int = NO_SELL
    filled: dict[tuple[Side, int], int] = {}

    @property
    def busy(self) -> int:
        return len(self.buys) + len(self.sells)


def look_through(slots: Sequence[Slot]) -> OpenOrders:
    """Of these slots as they are now."""
    empty, live, buy = _EMPTY, _LIVE, _BUY
    buys: list[Slot] = []
    sells: list[Slot] = []
    lost: list[Slot] = []
    in_flight: list[Slot] = []
    filled: dict[tuple[Side, int], int] = {}
    sell_sats, buy_units = 0, 0
    highest_buy, lowest_sell = 0, NO_SELL
    for slot in slots:
        state = slot.state
        if state is empty:
            continue
        # Most have neither filled in part nor are amended: what is open is all of it.
        open_qty = slot.open_qty if slot.filled or slot.was_qty else slot.qty
        if slot.side is buy:
            buys.append(slot)
            high = slot.high_price if slot.was_price else slot.price
            buy_units += open_qty * high
            if high > highest_buy:
                highest_buy = high
        else:
            sells.append(slot)
            low = slot.low_price if slot.was_price else slot.price
            sell_sats += open_qty
            if low < lowest_sell:
                lowest_sell = low
        if slot.filled:
            filled[slot.side, slot.price] = slot.filled
        if state is live:
            continue
        if state is _LOST:
            lost.append(slot)
        else:
            in_flight.append(slot)
    return OpenOrders(
        list(slots), tuple(buys), tuple(sells), tuple(lost), tuple(in_flight),
        sell_sats, buy_units, highest_buy, lowest_sell, filled,
    )  # fmt: skip


def after_amend(known: OpenOrders, place: int, slot: Slot) -> OpenOrders:
    """The same once an amend of the order at this place is on its way, which leaves it as `slot`.

    The others are as they were, so they are not looked at; all are where a part of it has filled.
    """
    was, slots = known.slots[place], known.slots.copy()
    slots[place] = slot
    if was.state is not _LIVE or was.was_price or was.filled or slot.state is not _AMENDING:
        return look_through(slots)
    buys, sells, buy_units, sell_sats = known.buys, known.sells, known.buy_units, known.sell_sats
    highest_buy, lowest_sell = known.highest_buy, known.lowest_sell
    # It may still fill where it stood: it reaches as far as before, or farther.
    if slot.side is _BUY:
        at = buys.index(was)
        buys = (*buys[:at], slot, *buys[at + 1 :])
        buy_units += slot.open_qty * slot.high_price - was.qty * was.price
        highest_buy = max(highest_buy, slot.high_price)
    else:
        at = sells.index(was)
        sells = (*sells[:at], slot, *sells[at + 1 :])
        sell_sats += slot.open_qty - was.qty
        lowest_sell = min(lowest_sell, slot.low_price)
    return OpenOrders(
        slots, buys, sells, known.lost, (*known.in_flight, slot),
        sell_sats, buy_units, highest_buy, lowest_sell, known.filled,
    )  # fmt: skip


class Places(Struct, frozen=True):
    """Where each name, and each side of the grid, stands among so many slots of a pair."""

    count: int
    names: dict[str, int]
    sides: dict[Side, list[int]]


def places_of(slots: Sequence[Slot], apart: str) -> Places:
    """Of these slots, of which the one that is named stands on no side."""
    sides: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}
    for place, slot in enumerate(slots):
        if slot.name != apart:
            sides[slot.side].append(place)
    return Places(len(slots), {slot.name: place for place, slot in enumerate(slots)}, sides)
