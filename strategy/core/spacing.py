"""How far apart the rungs stand: the widest of the models that are on, changed seldom.

Rule 1: never below the floor of the fees (fees.py), whatever a model says.
Rule 2: a changed step moves every rung, so the spacing moves in whole quanta and only once what
is wanted lies well beyond the edge of the present one (`settle`).
Rule 3: it widens at once, for that takes risk away; it narrows after less has been asked for
without a break for a while, and then to the most of what was asked for in that time.

A further model is one file with its formula and one line in MODELS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from shared.config import Config
from shared.settings_trade import Grid
from shared.units import SECOND, Ns
from strategy.core.atr import atr
from strategy.core.avellaneda import half_spread_bps
from strategy.core.bollinger import bollinger, calm
from strategy.core.samples import EACH_CLOSE, NO_CLOSE, Closes, Samples

_FLOOR: Final = "the fees' floor"
RELATIVE_QUANTUM: Final = 0.25
SETTLES_BEYOND: Final = 0.75
"""Of a quantum: half would be plain rounding, the rest is hysteresis."""


class Model(NamedTuple):
    """wants: (samples, variance of the log return per second, settings) -> wanted spacing in bps;
    0.0 while it is switched off, None while it has not seen enough. sees: so many samples. calm:
    (samples, bps, settings) -> while all later closes are these it never wants more than the bps.
    """

    wants: Callable[[Samples, float, Config], float | None]
    sees: Callable[[Config], int]
    calm: Callable[[Samples, float, Config], Closes]


MODELS: Final[dict[str, Model]] = {
    "Bollinger": Model(
        lambda samples, _, cfg: (
            0.0 if cfg.avellaneda_stoikov.enabled else bollinger(samples, cfg.bollinger)
        ),
        lambda cfg: cfg.bollinger.window if cfg.bollinger.enabled else 0,
        lambda samples, most, cfg: calm(samples, most, cfg.bollinger),
    ),
    "ATR": Model(
        lambda samples, _, cfg: atr(samples, cfg.atr),
        lambda cfg: cfg.atr.window + 1 if cfg.atr.enabled else 0,
        lambda _, __, cfg: NO_CLOSE if cfg.atr.enabled else EACH_CLOSE,
    ),
    "Avellaneda-Stoikov": Model(
        lambda _, variance, cfg: half_spread_bps(variance, cfg.avellaneda_stoikov),
        lambda cfg: 0,
        lambda _, __, cfg: NO_CLOSE if cfg.avellaneda_stoikov.enabled else EACH_CLOSE,
    ),
}


class Asked(Struct, frozen=True):
    """The spacing in bps that models and settings ask for, and who asked for it.

    cold: a model that has not seen enough yet; while there is one, nothing gets narrower.
    """

    bps: float = 0.0
    who: str = ""
    cold: str = ""


class Spacing(Struct, frozen=True):
    """How far the rungs stand apart, bps; 0.0 until the first.

    less_since: since when less has been asked for (0 = it is not); toward: the most of it.
    """

    bps: float = 0.0
    who: str = ""
    less_since: Ns = Ns(0)
    toward: float = 0.0


def asked(samples: Samples, variance: float, cfg: Config) -> Asked:
    """What the models ask for; changes only with a new sample."""
    most, who, cold = float(cfg.grid.min_spacing_bps), "grid.min_spacing_bps", ""
    for name, model in MODELS.items():
        wanted = model.wants(samples, variance, cfg)
        if wanted is None:
            cold = cold or name
        elif wanted > most:
            most, who = wanted, name
    return Asked(most, who, cold)


def seen_by_models(cfg: Config) -> int:
    """How many of the last samples decide what is asked for; 0: none does."""
    return max(model.sees(cfg) for model in MODELS.values())


def on_floor(floor: float) -> Spacing:
    """The spacing of a market in which nobody asks for more than the floor."""
    return Spacing(floor, _FLOOR)


def kept_on_floor(samples: Samples, floor: float, cfg: Config) -> Closes:
    """`space` leaves a spacing that is `on_floor` as it is while all later closes are these."""
    found = [model.calm(samples, floor, cfg) for model in MODELS.values()]
    return max(low for low, _ in found), min(high for _, high in found)


def space(held: Spacing, wanted: Asked, floor: float, now: Ns, cfg: Grid) -> Spacing:
    """The spacing after this tick: wider at once, narrower only after `narrow_after_sec`."""
    bps, who = wanted.bps, wanted.who
    if wanted.cold and bps < held.bps:
        bps, who = held.bps, f"kept until {wanted.cold} has seen enough"
    moved = spaced(held.bps, bps, floor, float(cfg.spacing_quantum_bps))
    who = _FLOOR if moved <= floor else who
    if moved >= held.bps:
        return Spacing(moved, who)
    if not held.less_since:
        return Spacing(held.bps, held.who, now, moved)
    toward = max(held.toward, moved)
    if now - held.less_since >= cfg.narrow_after_sec * SECOND:
        # Less still may be asked for now: that wait begins here.
        return space(Spacing(toward, held.who), wanted, floor, now, cfg)
    return msgspec.structs.replace(held, toward=toward)


def settle(held: float, wanted: float, quantum: float, origin: float = 0.0) -> float:
    """What is held, or, once `wanted` has left it for good, the nearest quantum from `origin`."""
    if abs(wanted - held) <= SETTLES_BEYOND * quantum:
        return held
    return origin + round((wanted - origin) / quantum) * quantum


def spaced(held: float, wanted: float, floor: float, quantum: float) -> float:
    """Where the spacing would go by itself, bps. held: where it is, 0.0 at first."""
    target = max(wanted, floor)
    # A wide spacing may be off by more: it is the ratio that the result depends on.
    wide = max(quantum, RELATIVE_QUANTUM * target)
    return max(settle(held, target, wide, origin=floor), floor)
