"""A model of spacing: Bollinger's bands over the closes of the last samples.

Band width = (upper - lower) / middle = 2 x multiplier x standard deviation / mean (J. Bollinger,
Bollinger on Bollinger Bands, 2001: population deviation). The spacing is its scaled part.
"""

from __future__ import annotations

import math

from shared.settings import Bollinger
from shared.units import BPS
from strategy.core.samples import Samples


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
