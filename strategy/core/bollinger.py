"""A model of spacing: Bollinger's bands over the closes of the last samples.

Band width = (upper - lower) / middle = 2 x multiplier x standard deviation / mean (J. Bollinger,
Bollinger on Bollinger Bands, 2001: population deviation). The spacing is its scaled part.
"""

from __future__ import annotations

import math
from typing import Final

from shared.settings import Bollinger
from shared.units import BPS
from strategy.core.samples import EACH_CLOSE, NO_CLOSE, Closes, Samples

_ROUNDING: Final = 1.0 + 1e-9


def bollinger(samples: Samples, cfg: Bollinger) -> float | None:
    """The wanted spacing in bps; None while the window is not full, 0.0 while switched off."""
    if not cfg.enabled:
        return 0.0
    if len(samples.done) < cfg.window:
        return None
    closes = [sample.close for sample in samples.done[-cfg.window :]]
    mean = sum(closes) / len(closes)
    variance = sum([(off := close - mean) * off for close in closes]) / len(closes)
    width = 2.0 * cfg.multiplier * math.sqrt(variance) / mean
    wanted = width * cfg.spacing_scale * BPS
    return min(max(wanted, float(cfg.min_spacing_bps)), float(cfg.max_spacing_bps))


def calm(samples: Samples, floor: float, cfg: Bollinger) -> Closes:
    """Closes between these, as the last ones are, never make it ask for more than the floor, bps.

    A deviation is at most half of the range, and a mean at least the lowest close.
    """
    if not cfg.enabled:
        return EACH_CLOSE
    closes = [sample.close for sample in samples.done[-cfg.window :]]
    if len(closes) < cfg.window or cfg.min_spacing_bps > floor:
        return NO_CLOSE
    lowest, highest = min(closes), max(closes)
    part = floor / (cfg.multiplier * cfg.spacing_scale * BPS * _ROUNDING)  # range to lowest close
    spare = (part * lowest - (highest - lowest)) / (1.0 + part / 2.0)
    return (lowest - spare / 2.0, highest + spare / 2.0) if spare > 0.0 else NO_CLOSE
