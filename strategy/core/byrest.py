"""Trading on by REST while the private line is away (orders.rest_fallback = "full").

Rule 1: only after the line has been away for AWAY; how we come in and out of it is the one path of
reconciliation: every order is lost until a list names it.
Rule 2: no add and no amend leaves while the outcome of another one is unknown, nor while our
orders have not been listed lately: by REST nobody tells us of a fill, we have to ask.
Rule 3: the switch covers these orders as it covers any; REST that fails lets it run out.
"""

from __future__ import annotations

from typing import Final

from shared.orders import LineUp
from shared.units import SECOND, Ns
from strategy.core import hear
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory
from strategy.core.out import Out, Tell

AWAY: Final = Ns(10 * SECOND)
"""A line that was cut by chance is back in a second or two: no reason to change anything."""

LIST_EACH: Final = Ns(15 * SECOND)
"""Kraken REST, limits: open orders, history and balances cost 4; the least tier has 20 a minute."""

LISTED_WITHIN: Final = Ns(45 * SECOND)


def take_over(memory: Memory, now: Ns) -> list[Out]:
    """Once a step: whether REST takes the place of a line that is away."""
    if memory.line != "down" or memory.config.orders.rest_fallback != "full":
        return []
    if memory.phase is Phase.STOPPED or now - memory.line_down_at < AWAY:
        return []
    hear.line_up(memory, LineUp(()), now)
    memory.line = "rest"
    memory.count("by_rest")
    return [Tell("warning", "line", "the private line stays away: orders go by REST, one by one")]


def refuse(memory: Memory, now: Ns) -> str:
    """For the gate: why no order may leave by REST now; "" where it may, or the line is up."""
    if memory.line != "rest":
        return ""
    if any(pair.open.in_flight or pair.open.lost for pair in memory.pairs.values()):
        return "by REST: the outcome of another order is not known yet"
    if now - memory.asking.listed_at > LISTED_WITHIN:
        return "by REST: our orders were not listed lately"
    return ""


def list_each(memory: Memory) -> int:
    """How often our orders are listed though nothing is in doubt, ns."""
    usual = int(memory.config.time.list_sec * SECOND)
    return min(usual, LIST_EACH) if memory.line == "rest" else usual
