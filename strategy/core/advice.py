"""Stage 5, advise: a bounded opinion from outside that fades.

A model may only ever move a bounded lean of the grid: it cannot change sizes, limits, sides or
pauses, and a regime may forbid even that. It is asked by the monitor; what it answered comes in
as a request (`shared/control.py`, Advise) and never delays a tick.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.settings import AiSignal
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


NEUTRAL: Final = Advice()


def weigh_advice(
    verdict: str, confidence: float, bias_bps: float, now: Ns, cfg: AiSignal
) -> Advice:
    """What an answer is worth: verdict and bias by confidence and weight, capped.

    Verdict and bias must agree in direction; where they do not, the answer is neutral.
    """
    cap = float(cfg.max_bias_bps)
    strength = STRENGTH[verdict]
    wanted = bias_bps if bias_bps else strength * cap
    if wanted * strength < 0.0 or (strength == 0.0 and wanted):
        wanted = 0.0
    weighed = min(max(wanted, -cap), cap) * min(max(confidence, 0.0), 1.0) * cfg.weight
    return Advice(weighed, now, Ns(now + int(cfg.decay_sec * SECOND)), verdict)


def advise(advice: Advice, now: Ns) -> Advice:
    """The advice that still stands at `now`."""
    return advice if now < advice.until else NEUTRAL


def standing_bps(advice: Advice, allowed: bool, now: Ns) -> float:
    """What is left of its bias; nothing where the regime does not listen."""
    if not allowed or now >= advice.until:
        return 0.0
    return advice.bias_bps * (advice.until - now) / (advice.until - advice.given_at)
