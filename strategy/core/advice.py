"""Stage 5, advise: a bounded opinion from outside that fades.

A model may only ever move a bounded skew; it cannot change sizes, limits, sides or pause states.
Nobody is asked yet (the models' processes come with the strategy's later stages), so the opinion
is neutral and the stage passes it on.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.units import Ns


class Advice(Struct, frozen=True):
    """bias_bps above 0 leans to buying; it fades linearly until `until`."""

    bias_bps: float = 0.0
    given_at: Ns = Ns(0)
    until: Ns = Ns(0)


NEUTRAL: Final = Advice()


def advise(advice: Advice, now: Ns) -> Advice:
    """The advice that still stands at `now`."""
    return advice if now < advice.until else NEUTRAL
