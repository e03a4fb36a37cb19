"""What the exchange checks of a request before it touches the book; each fault has its string."""

from __future__ import annotations

from typing import Final

from shared.units import SECOND
from sim.engine.market import Market
from sim.engine.values import Refused, Switches, System

_LONGEST_DEADLINE: Final = 60 * SECOND


def check_open(system: System, market: Market, post_only: bool) -> None:
    """Whether the engine and the pair take new orders now (Kraken, system and pair states)."""
    if system == market.status == "online":
        return
    for state in (system, market.status):
        if state == "cancel_only" or (state == "post_only" and not post_only):
            raise Refused(f"EService:Market in {state} mode")
        if state not in ("online", "post_only"):
            raise Refused("EService:Unavailable")


def check_size(market: Market, price: int, qty: int, switches: Switches) -> None:
    """Tick, least quantity and least cost of an order."""
    pair = market.pair
    if price <= 0:
        raise Refused("EOrder:Invalid price")
    if price % pair.price_step:
        raise Refused("EOrder:Tick size check failed")
    if qty < pair.qty_min:
        if switches.volume_minimum == "arguments":
            raise Refused("EGeneral:Invalid arguments:volume minimum not met")
        raise Refused("EOrder:Order minimum not met")
    if price * qty < market.least_cost:
        raise Refused("EOrder:Cost minimum not met")


def check_deadline(deadline_wall: int, wall: int) -> None:
    """Kraken: a deadline lies at most 60 s ahead; what arrives after it must not match."""
    if not deadline_wall:
        return
    if deadline_wall - wall > _LONGEST_DEADLINE:
        raise Refused("EGeneral:Invalid arguments:deadline")
    if deadline_wall <= wall:
        raise Refused("EService:Deadline elapsed")
