"""Whatever a model answers: the lean stays within its caps, and nothing but the lean changes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.advisor.opinion import as_request, read_opinion
from shared import control
from shared.units import BPS, SECOND, Ns
from strategy.core.memory import PairMemory
from strategy.core.view import status
from tests.unit.strategy.core.build import make_config
from tests.unit.strategy.core.desk import Desk

SIGNAL = {"enabled": True, "weight": 1.0, "max_bias_bps": "100", "decay_sec": 30}
EAGER = make_config(ai_signal=SIGNAL, skew={"max_skew_bps": "30"}, grid={"requote_age_sec": 0})
STOIKOV = make_config(
    ai_signal=SIGNAL,
    avellaneda_stoikov={"enabled": True, "max_skew_bps": "30"},
    grid={"requote_age_sec": 0},
)

EXTREME = st.sampled_from([0.0, -0.0, 1.0, 100.0, -100.0, 1e6, -1e6, 5e-324, 1e-9])
ANSWERS = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from(["STRONG_BUY", "BUY", "NEUTRAL", "SELL", "STRONG_SELL"]),
        "confidence": st.floats(0, 1) | EXTREME,
        "bias_bps": st.floats(-100, 100) | EXTREME,
        "regime_hint": st.sampled_from(
            ["range_bound", "trending_up", "trending_down", "chaos", "none", "kill"]
        ),
    }
)
STEPS = st.lists(st.tuples(ANSWERS, st.integers(-400, 400), st.integers(1, 12)), max_size=8)


def pair_of(desk: Desk) -> PairMemory:
    return desk.memory.pairs["BTC/EUR"]


def advise(desk: Desk, answer: dict[str, Any], number: int) -> None:
    """By the way that a model's answer takes: its text, our decoder, the wire, the core."""
    opinion = read_opinion(json.dumps(answer))
    if opinion is None:
        return
    raw = control.encode_request(as_request(opinion, f"request-{number}", "fake"))
    request = control.decode_request(raw)
    assert request is not None
    desk.run(0.5, request)


def check(desk: Desk, most_bps: float) -> None:
    pair = pair_of(desk)
    assert pair.plan is not None
    assert abs(pair.plan.lean_bps) <= most_bps + 1e-9
    assert abs(pair.hung.lean) <= 0.5 * pair.hung.anchor.step + 1e-12
    shown = status(desk.memory).pairs[0]
    assert abs(shown.advice_bps) <= 100.0
    assert shown.lean_bps == round(pair.hung.lean * BPS, 3)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.booleans())
def test_no_answer_moves_anything_but_a_bounded_lean(
    steps: list[tuple[dict[str, Any], int, int]], stoikov: bool
) -> None:
    """A twin that hears no advice goes beside it: plans differ by the lean and its reason alone.

    Each step of a Desk checks besides that every buy rests under every sell.
    """
    config = STOIKOV if stoikov else EAGER
    advised, twin = Desk(config), Desk(config)
    for desk in (advised, twin):
        desk.begin()
    for number, (answer, move, seconds) in enumerate(steps):
        for desk in (advised, twin):
            desk.mid += move
        advise(advised, answer, number)
        twin.run((advised.now - twin.now) / SECOND)
        for desk in (advised, twin):
            desk.run(seconds)
        check(advised, 30.0)
        mine, others = pair_of(advised), pair_of(twin)
        assert mine.plan is not None
        assert others.plan is not None
        plain = replace(others.plan, lean_bps=0.0, reasons=())
        assert replace(mine.plan, lean_bps=0.0, reasons=()) == plain
        assert mine.regime == others.regime
        assert mine.breaker == others.breaker
        assert mine.permit == others.permit
        assert advised.memory.pause is twin.memory.pause
        assert advised.memory.phase is twin.memory.phase
        assert len(advised.resting) <= len(mine.slots)


def test_an_opinion_moves_the_grid_and_it_comes_back_when_it_has_faded() -> None:
    desk = Desk(EAGER)
    desk.begin()
    before = sorted(order.price for order in desk.resting.values())
    answer = {"verdict": "STRONG_BUY", "confidence": 1.0, "bias_bps": 25.0, "regime_hint": "none"}
    advise(desk, answer, 1)
    desk.run(3)
    leaning = sorted(order.price for order in desk.resting.values())
    assert len(leaning) == len(before)
    assert all(new > old for new, old in zip(leaning, before, strict=True))
    desk.run(60)
    assert sorted(order.price for order in desk.resting.values()) == before
    assert Ns(desk.now) > desk.memory.boot
