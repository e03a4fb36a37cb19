"""Who may quote now: breaker, freshness, phase, hold and pause joined with `and`.

It names the first that says no. `change` false leaves what rests where it is; buy and sell both
false means that everything of ours is cancelled.
"""

from __future__ import annotations

from typing import Final

from shared.units import SECOND, Ns
from strategy.core import harvesting
from strategy.core.audit import HELD
from strategy.core.daily import spares_exits
from strategy.core.lifecycle import DRAINING, STOPPED, TRADING
from strategy.core.market import Freshness
from strategy.core.memory import Memory, PairMemory, Permit
from strategy.core.risk import ALLOWED

UNWRITTEN_PATIENCE: Final = Ns(5 * SECOND)
"""A backup tool that holds the file for a moment is no reason to leave the market."""

LONGEST_SKEW: Final = Ns(SECOND)

FRESHNESS_WORDS: Final = {
    Freshness.SETTLING: "the feed has just come back: waiting for it to settle",
    Freshness.STALE: "the feed is stale: no new quotes",
    Freshness.DEAD: "the feed is silent: own orders are cancelled",
}


# Bound once: an enum's members are slow to look up, and each tick needs these.
_OVER: Final = (DRAINING, STOPPED)
_FRESH, _DEAD = Freshness.FRESH, Freshness.DEAD


def permit(memory: Memory, pair: PairMemory, now: Ns) -> Permit:
    """The permit of this tick for one pair."""
    halted = f"halted: {memory.halt}" if memory.halt else ""
    freshness = pair.tape.freshness(now, memory.config.time)
    none, wait = _forbidden(memory, pair, freshness, now), _waiting(memory, pair, freshness)
    exits = not (none or wait) and (not memory.halt or spares_exits(memory.halt))
    if halted or none:
        return Permit(False, False, False, (halted or none,), exits)
    if wait:
        return Permit(True, True, False, (wait,))
    if (harvest := harvesting.under_way(memory)) is not None:
        return Permit(False, False, True, (f"harvest: {harvest.why}",))
    buy, sell = ALLOWED[memory.pause]
    why = () if buy and sell else (f"pause: {memory.pause}",)
    if memory.audit.held:
        return Permit(buy, False, True, (*why, HELD), exits)
    return Permit(buy, sell, True, why, exits)


def _forbidden(memory: Memory, pair: PairMemory, freshness: Freshness, now: Ns) -> str:
    """What takes every order of ours out of the book, besides a halt."""
    if memory.hold:
        return f"on hold: {memory.hold}"
    unwritten, since = memory.unwritten
    if unwritten and now - since >= UNWRITTEN_PATIENCE:
        return f"the ledger cannot be written: {unwritten}"
    if memory.phase in _OVER:
        return f"phase: {memory.phase}"
    if freshness is _DEAD:
        return FRESHNESS_WORDS[_DEAD]
    if pair.breaker.frozen:
        return "circuit breaker: the price runs"
    return ""


def _waiting(memory: Memory, pair: PairMemory, freshness: Freshness) -> str:
    """What forbids new orders and leaves the resting ones."""
    if memory.phase is not TRADING:
        return f"phase: {memory.phase}"
    if memory.unwritten[0]:
        return f"the ledger cannot be written: {memory.unwritten[0]}"
    if memory.system != "online":
        return f"the exchange is {memory.system or 'unknown'}"
    if abs(memory.skew) > LONGEST_SKEW:
        return f"our clock is {abs(memory.skew) / 1e9:.1f} s off the exchange's"
    if freshness is not _FRESH:
        return FRESHNESS_WORDS[freshness]
    if pair.maker is None:
        return "the account's fees are not known yet"
    return ""
