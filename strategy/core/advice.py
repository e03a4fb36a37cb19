"""Stage 5, advise: a bounded opinion from outside that fades.

Rule 1: an answer may only ever move a bounded lean of the grid: it cannot change sizes, limits,
sides or pauses, and a regime may forbid even that.
Rule 2: its regime hint changes no regime. It is shown; and where the regime it names does not
listen to advice, the answer counts for nothing.

A model is asked by the monitor; what it answered comes in as a request (`shared/control.py`,
Advise) and never delays a tick.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.control import Advise
from shared.settings import AiSignal
from shared.settings_trade import Regime
from shared.units import SECOND, Ns

STRENGTH: Final = {
    "STRONG_BUY": 1.0,
    "BUY": 0.5,
    "NEUTRAL": 0.0,
    "SELL": -0.5,
    "STRONG_SELL": -1.0,
}


class Advice(Struct, frozen=True):
    """bias_bps above 0 leans to buying; it fades linearly until `until`."""

    bias_bps: float = 0.0
    given_at: Ns = Ns(0)
    until: Ns = Ns(0)
    verdict: str = ""
    confidence: float = 0.0
    regime_hint: str = ""
    source: str = ""


NEUTRAL: Final = Advice()


def weigh_advice(said: Advise, now: Ns, cfg: AiSignal, regimes: Regime) -> Advice:
    """What an answer is worth: verdict and bias by confidence and weight, capped.

    Verdict and bias must agree in direction; where they do not, the answer is neutral.
    """
    cap = float(cfg.max_bias_bps)
    strength = STRENGTH[said.verdict]
    wanted = said.bias_bps if said.bias_bps else strength * cap
    if wanted * strength <= 0.0:
        wanted = 0.0
    if not heeds(said.regime_hint, regimes):
        wanted = 0.0
    confidence = min(max(said.confidence, 0.0), 1.0)
    weighed = min(max(wanted, -cap), cap) * confidence * cfg.weight
    until = Ns(now + int(cfg.decay_sec * SECOND))
    return Advice(weighed, now, until, said.verdict, confidence, said.regime_hint, said.source)


def heeds(regime_hint: str, regimes: Regime) -> bool:
    """Whether the regime that an answer expects listens to advice; none expected: yes."""
    match regime_hint:
        case "range_bound":
            return regimes.range_bound.signal_enabled
        case "trending_up":
            return regimes.trending_up.signal_enabled
        case "trending_down":
            return regimes.trending_down.signal_enabled
        case "chaos":
            return regimes.chaos.signal_enabled
    return True


def advise(advice: Advice, now: Ns) -> Advice:
    """The advice that still stands at `now`."""
    return advice if now < advice.until else NEUTRAL


def standing_bps(advice: Advice, allowed: bool, now: Ns) -> float:
    """What is left of its bias; nothing where the regime does not listen."""
    if not allowed or now >= advice.until:
        return 0.0
    left = (advice.until - now) / (advice.until - advice.given_at)
    return advice.bias_bps * left
