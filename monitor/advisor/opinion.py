"""A model's answer as a value. Rule 1: what is not exactly of the form asked for is no answer."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.control import CONTROL_VERSION, Advise

LONGEST_ANSWER: Final = 4_096
"""Characters; an opinion has a hundred."""

Hint = Literal["", "range_bound", "trending_up", "trending_down", "chaos"]


class _Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """As the model writes it: the bounds hold what its schema cannot."""

    verdict: Literal["STRONG_BUY", "BUY", "NEUTRAL", "SELL", "STRONG_SELL"]
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)]
    bias_bps: Annotated[float, Meta(ge=-100.0, le=100.0)]
    regime_hint: Literal["range_bound", "trending_up", "trending_down", "chaos", "none"]


class Opinion(Struct, frozen=True):
    """bias_bps above 0 is for rising prices; regime_hint "" where it expects none."""

    verdict: Literal["STRONG_BUY", "BUY", "NEUTRAL", "SELL", "STRONG_SELL"]
    confidence: float
    bias_bps: float
    regime_hint: Hint


_answers: Final = msgspec.json.Decoder(_Answer)


def read_opinion(text: str) -> Opinion | None:
    """None for whatever is no opinion within its bounds."""
    if len(text) > LONGEST_ANSWER:
        return None
    try:
        answer = _answers.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
    hint: Hint = "" if answer.regime_hint == "none" else answer.regime_hint
    return Opinion(answer.verdict, answer.confidence, answer.bias_bps, hint)


def as_request(opinion: Opinion, request_id: str, source: str) -> Advise:
    """What the strategy is told; it bounds, weighs and fades it anew (strategy/core/advice.py)."""
    return Advise(
        CONTROL_VERSION,
        request_id,
        verdict=opinion.verdict,
        confidence=opinion.confidence,
        bias_bps=opinion.bias_bps,
        regime_hint=opinion.regime_hint,
        source=source[:64],
    )
