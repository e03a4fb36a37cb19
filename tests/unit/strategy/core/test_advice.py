"""Stage 5: advice stands until it fades, and then it is neutral."""

from __future__ import annotations

from shared.units import Ns
from strategy.core.advice import NEUTRAL, Advice, advise


def test_advice_stands_until_its_moment_and_not_at_it() -> None:
    advice = Advice(bias_bps=3.0, given_at=Ns(10), until=Ns(20))
    assert advise(advice, Ns(19)) == advice
    assert advise(advice, Ns(20)) == NEUTRAL
