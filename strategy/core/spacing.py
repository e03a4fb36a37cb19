"""How far apart the rungs stand: the widest of the models that are on, changed seldom.

Rule 1: never below the floor of the fees (fees.py), whatever a model says.
Rule 2: a changed step moves every rung, so the spacing moves in whole quanta and only once what
is wanted lies well beyond the edge of the present one (`settle`).

A further model is one file with its formula and one line in MODELS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.config import Config
from strategy.core.atr import atr
from strategy.core.avellaneda import spread_bps, variance_pct2
from strategy.core.bollinger import bollinger
from strategy.core.samples import Samples

RELATIVE_QUANTUM: Final = 0.15
SETTLES_BEYOND: Final = 0.75
"""Of a quantum: half would be plain rounding, the rest is hysteresis."""

Model = Callable[[Samples, float, Config], float | None]
"""(samples, variance of the log return per second, settings) -> wanted spacing in bps.

0.0 while it is switched off, None while it has not seen enough.
"""

MODELS: Final[dict[str, Model]] = {
    "Bollinger": lambda samples, _, cfg: (
        0.0 if cfg.avellaneda_stoikov.enabled else bollinger(samples, cfg.bollinger)
    ),
    "ATR": lambda samples, _, cfg: atr(samples, cfg.atr),
    "Avellaneda-Stoikov": lambda _, variance, cfg: _half_spread(variance, cfg),
}


def wanted_bps(held: float, samples: Samples, variance: float, cfg: Config) -> tuple[float, str]:
    """The spacing in bps that models and settings ask for, and who asked for it.

    held: that of the tick before. A model that has not seen enough never narrows it.
    """
    most, who = float(cfg.grid.min_spacing_bps), "grid.min_spacing_bps"
    for name, model in MODELS.items():
        wanted = model(samples, variance, cfg)
        if wanted is None:
            wanted, name = held, f"kept until {name} has seen enough"
        if wanted > most:
            most, who = wanted, name
    return most, who


def _half_spread(variance: float, cfg: Config) -> float | None:
    """From the anchor to the first rung."""
    stoikov = cfg.avellaneda_stoikov
    if not stoikov.enabled:
        return 0.0
    if variance <= 0.0:
        return None
    return spread_bps(variance_pct2(variance, stoikov.horizon_sec), stoikov) / 2.0


def settle(held: float, wanted: float, quantum: float, origin: float = 0.0) -> float:
    """What is held, or, once `wanted` has left it for good, the nearest quantum from `origin`."""
    if abs(wanted - held) <= SETTLES_BEYOND * quantum:
        return held
    return origin + round((wanted - origin) / quantum) * quantum


def spaced(held: float, wanted: float, floor: float, quantum: float) -> float:
    """The spacing of this tick, bps. held: that of the tick before, 0.0 at first."""
    target = max(wanted, floor)
    # A wide spacing may be off by more: it is the ratio that the result depends on.
    wide = max(quantum, RELATIVE_QUANTUM * target)
    return max(settle(held, target, wide, origin=floor), floor)
