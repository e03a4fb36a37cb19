"""Exits: the only orders that may take. One extra slot per pair, limit, immediate-or-cancel.

`flatten` sells what is free of tax, piece by piece inside the collar, and leaves the bot on hold.
"""

from __future__ import annotations

from typing import Final

from shared.units import Ns, Sats, Side, Ticks
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.slots import Add, Intent, State, Wish

EXIT_DEPTH: Final = 0.005
"""How far below the bid an exit may sell, a ratio; far inside the collar."""


def decide(memory: Memory, pair: PairMemory, now: Ns) -> list[Intent]:
    """The next piece of a flatten; none while other sells may still fill."""
    view = pair.view
    if not memory.flatten or view is None or not view.fresh:
        return []
    slot = pair.slots[pair.place(EXIT_SLOT)]
    busy = any(s.side is Side.SELL and s.state is not State.EMPTY for s in pair.slots)
    if busy or slot.not_before > now:
        return []
    spec = view.pair
    reserve = int(memory.config.grid.base_reserve.scaleb(spec.qty_decimals))
    free = min(memory.free(), memory.base_total(pair) - reserve)
    price = int(view.bid * (1.0 - EXIT_DEPTH))
    price -= price % spec.price_step
    most = int(
        memory.config.limits.order_quote.scaleb(spec.price_decimals + spec.qty_decimals)
    ) // max(view.bid, 1)
    qty = min(free, most)
    qty -= qty % spec.qty_step
    if qty < spec.qty_min:
        memory.flatten = False
        return []
    return [Add(slot, Wish(Side.SELL, Ticks(price), Sats(qty), 0))]
