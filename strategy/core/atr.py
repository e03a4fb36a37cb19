"""A model of spacing: the average true range of the last samples.

True range = max(high, close before) - min(low, close before) (J. W. Wilder, New Concepts in
Technical Trading Systems, 1978); the plain mean over the window, as a part of the last close.
"""

from __future__ import annotations

from itertools import pairwise

from shared.settings import Atr
from shared.units import BPS
from strategy.core.samples import Samples


def atr(samples: Samples, cfg: Atr) -> float | None:
    """The wanted spacing in bps; None while the window is not full, 0.0 while switched off."""
    if not cfg.enabled:
        return 0.0
    if len(samples.done) < cfg.window + 1:
        return None
    window = samples.done[-cfg.window - 1 :]
    ranges = [
        max(after.high, before.close) - min(after.low, before.close)
        for before, after in pairwise(window)
    ]
    wanted = cfg.multiplier * sum(ranges) / len(ranges) / window[-1].close * BPS
    return min(max(wanted, float(cfg.min_spacing_bps)), float(cfg.max_spacing_bps))
