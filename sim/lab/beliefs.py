"""What the strategy believes of its resting orders, held against what rests: while it hears all.

Rule 1: looked at only on a line that came up after the last upheaval and on which nothing waits,
and of an order only once nothing has happened to it for a while.
"""

from __future__ import annotations

from typing import Final

from shared.units import SECOND, Ns
from sim.engine.values import Order
from sim.world import World
from strategy.core.slots import Slot, State

HEARD_WITHIN: Final = Ns(2 * SECOND)


class Beliefs:
    """Of one World's strategy."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._touched: dict[str, Ns] = {}  # by cl_ord_id, when the exchange last said something

    def touched(self, order: Order) -> None:
        self._touched[order.cl_ord_id] = self._world.now

    def wrong(self, now: Ns, troubled_at: Ns) -> str:
        """A belief that is false; "" where none is seen."""
        world = self._world
        trader = world.trader
        if trader is None or world.frozen or world.exchange.system != "online":
            return ""
        memory = trader.core.memory
        if memory.line != "up" or memory.line_up_at <= troubled_at:
            return ""
        if any(wire.dead or wire.free_in > now for wire in world.wires.of("trader")):
            return ""
        for slot in memory.all_slots():
            if slot.state is State.LIVE and (why := self._wrong(slot, Ns(now - HEARD_WITHIN))):
                return why
        return ""

    def _wrong(self, slot: Slot, until: Ns) -> str:
        name = slot.cl_ord_id
        if slot.since > until or self._touched.get(name, Ns(0)) > until:
            return ""
        order = self._world.exchange.desk.by_client.get(name)
        if order is None:
            return f"{name} of slot {slot.name} is believed to rest"
        held = slot.side.value, int(slot.price), int(slot.qty), int(slot.filled)
        if held != (order.side, order.price, order.qty, order.filled):
            return f"{name} is believed to be {held}, and {order} rests"
        return ""
