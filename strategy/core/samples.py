"""The market in samples of fixed length: what every model of spacing looks at.

A sample is the first, highest, lowest and last mid of its time, so a bar, a tape and the live
line agree. Time that was not watched (a stale book) ends the run of samples: a model must not
take the gap for a move of one sample.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.core.market import View

KEPT: Final = 241
"""The longest window that the settings allow, and the close before it (atr.py)."""


Closes = tuple[float, float]
"""All closes from the first to the second."""

EACH_CLOSE: Final = (0.0, math.inf)
NO_CLOSE: Final = (math.inf, 0.0)


class Sample(Struct, frozen=True, gc=False):
    """Mids in Ticks, estimates."""

    high: float
    low: float
    close: float


class Samples(Struct, frozen=True):
    """done: complete samples, oldest first. high, low, close: of the one that is being made."""

    done: tuple[Sample, ...] = ()
    ends_at: Ns = Ns(0)  # 0 = none is being made
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0


def sample(samples: Samples, view: View, now: Ns, sample_sec: float) -> Samples:
    """The samples after this tick; a view that is not fresh adds nothing."""
    return grown(samples, view.mid, now, sample_sec) if view.fresh else samples


def grown(samples: Samples, mid: float, now: Ns, sample_sec: float) -> Samples:
    """The samples after a fresh mid."""
    if now < samples.ends_at:
        if mid == samples.close:
            return samples
        return Samples(
            samples.done, samples.ends_at, max(samples.high, mid), min(samples.low, mid), mid
        )
    length = Ns(int(sample_sec * SECOND))
    if not samples.ends_at:
        return Samples((), Ns(now + length), mid, mid, mid)
    last = Sample(samples.high, samples.low, samples.close)
    if now - samples.ends_at > length:
        return Samples((), Ns(now + length), mid, mid, mid)
    # The next sample begins where this one ended, so a late tick does not stretch the clock.
    done = (*samples.done[1 - KEPT :], last)
    return Samples(done, Ns(samples.ends_at + length), mid, mid, mid)
