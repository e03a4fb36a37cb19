"""Why things are as they are: a slot, a side, or why nothing is quoted. Decides nothing.

The words are the reasons that the stages left in the Plan, what `lay` dropped, what the gate
refused; the figures are those that decided them.
"""

from __future__ import annotations

import msgspec

from shared.units import BPS, Side
from strategy.core import exits, view
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.slots import State

Explained = tuple[bool, str, dict[str, object]]
"""(known, a sentence, the facts)."""

SIDES = {"buy": Side.BUY, "buys": Side.BUY, "sell": Side.SELL, "sells": Side.SELL}


def explain(memory: Memory, what: str) -> Explained:
    """what: a slot's name, "buy" or "sell", or "idle"; with several pairs of all of them."""
    if what == "idle":
        return _idle(memory)
    if what in SIDES:
        return _side(memory, SIDES[what])
    found = [
        (pair, slot) for pair in memory.pairs.values() for slot in pair.slots if slot.name == what
    ]
    if not found:
        names = ", ".join(slot.name for slot in memory.first.slots)
        return False, f"no slot {what!r}; there are {names}, buy, sell, idle", {}
    told: list[str] = []
    for pair, slot in found:
        why = view.reasons(memory, pair, slot)
        if slot.name == EXIT_SLOT and pair.view is not None:
            why = [exits.why_not(memory, pair, memory.now) or why[0]]
        told += [f"{pair.name}: {text}" for text in why] if len(found) > 1 else why
    pair, slot = found[0]
    return (
        True,
        f"{what} is {slot.state.value}: {'; '.join(told)}",
        {
            "slot": what,
            "state": slot.state.value,
            "why": told,
            "plan": list(view.why_so(pair)),
            "figures": figures(memory, pair),
            "order": msgspec.to_builtins(view.slot_view(memory, pair, slot)),
        },
    )


def _side(memory: Memory, side: Side) -> Explained:
    told = []
    for pair in memory.pairs.values():
        slots = [slot for slot in pair.side(side) if slot.state is not State.EMPTY]
        told.append(f"{pair.name}: {len(slots)} of {memory.config.grid.levels} orders rest")
        told += view.why_so(pair)
        if pair.laid is not None and pair.permit.change:
            told += view.missing(pair.laid, side)
        withheld: dict[str, list[str]] = {}
        for slot in pair.side(side):
            for why in view.held_back(memory, pair, slot):
                withheld.setdefault(why, []).append(slot.name)
        told += [f"{', '.join(names)}: {why}" for why, names in withheld.items()]
    return True, "; ".join(told), _facts(memory, f"{side.value}s", told)


def _idle(memory: Memory) -> Explained:
    told = list(view.waits_for(memory))
    for pair in memory.pairs.values():
        rests = any(slot.state is not State.EMPTY for slot in pair.slots)
        if rests or not pair.permit.change:
            continue
        slots = (*pair.side(Side.BUY), *pair.side(Side.SELL))
        words = [why for slot in slots for why in view.reasons(memory, pair, slot)]
        told += dict.fromkeys(f"{pair.name}: {why}" for why in words if why not in told)
    if not told:
        told = ["it is not idle: nothing keeps it from quoting"]
    return True, "; ".join(told), _facts(memory, "idle", told)


def _facts(memory: Memory, what: str, told: list[str]) -> dict[str, object]:
    return {
        "slot": what,
        "state": memory.phase.value,
        "why": told,
        "figures": {name: figures(memory, pair) for name, pair in memory.pairs.items()},
    }


def figures(memory: Memory, pair: PairMemory) -> dict[str, object]:
    """What the stages measured, one pair: the numbers behind the words."""
    edges, regime = pair.edges, pair.regime
    return {
        "regime": regime.kind.value,
        "volatility_pct": round(regime.volatility, 4),
        "chaos_from_pct": round(edges.chaos, 4) if edges else None,
        "momentum_bps": round(regime.momentum_bps, 2),
        "trend_from_bps": round(edges.trend_bps, 2) if edges else None,
        "thresholds": "adaptive" if edges and edges.adaptive else "fixed",
        "spacing_bps": round(pair.spacing_bps, 2),
        "lean_bps": round(pair.hung.lean * BPS, 2),
        "imbalance": round(pair.imbalance.value, 3),
        "advice": pair.advice.verdict or None,
        "advice_confidence": round(pair.advice.confidence, 3),
        "advice_hint": pair.advice.regime_hint or None,
        "advice_given_bps": round(pair.advice.bias_bps, 2),
        "advice_bps": round(view.leaning_by(memory, pair), 2),
        "severity": memory.risk.severity.name.lower(),
        "drawdown_pct": round(memory.risk.drawdown, 6),
        "equity": round(memory.risk.equity, 2),
        "peak": round(memory.risk.peak, 2),
        "free_of_tax_sats": int(memory.free()),
    }
