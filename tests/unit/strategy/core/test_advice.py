"""Stage 5: an opinion is bounded, it fades, and a regime may refuse to listen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import control
from shared.units import SECOND, Ns
from strategy.core.advice import NEUTRAL, STRENGTH, Advice, advise, standing_bps, weigh_advice
from tests.unit.strategy.core.build import CONFIG, make_config
from tests.unit.strategy.core.desk import Desk

ON = make_config(ai_signal={"enabled": True, "weight": 0.3, "max_bias_bps": "20"})
CFG = ON.ai_signal
NOW = Ns(10**12)


def test_an_opinion_stands_until_its_time_is_over() -> None:
    advice = Advice(10.0, Ns(0), Ns(100 * SECOND))
    assert advise(advice, Ns(99 * SECOND)) is advice
    assert advise(advice, Ns(100 * SECOND)) == NEUTRAL
    assert standing_bps(advice, True, Ns(75 * SECOND)) == pytest.approx(2.5)
    assert standing_bps(advice, False, Ns(75 * SECOND)) == 0.0
    assert standing_bps(NEUTRAL, True, NOW) == 0.0


@given(
    st.sampled_from(list(STRENGTH)),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.floats(0, 1),
)
def test_no_answer_moves_more_than_the_cap_times_the_weight(
    verdict: str, confidence: float, bias: float, later: float
) -> None:
    advice = weigh_advice(verdict, confidence, bias, NOW, CFG)
    assert abs(advice.bias_bps) <= 20 * 0.3 + 1e-9
    assert advice.bias_bps * STRENGTH[verdict] >= 0.0
    at = Ns(NOW + int(later * CFG.decay_sec * SECOND))
    assert abs(standing_bps(advice, True, at)) <= abs(advice.bias_bps)


@pytest.mark.parametrize(
    ("verdict", "bias", "weighed"),
    [
        ("STRONG_BUY", 0.0, 6.0),
        ("BUY", 0.0, 3.0),
        ("BUY", 10.0, 3.0),
        ("BUY", -10.0, 0.0),  # it contradicts itself
        ("NEUTRAL", 10.0, 0.0),
        ("STRONG_SELL", -99.0, -6.0),
    ],
)
def test_what_an_answer_is_worth(verdict: str, bias: float, weighed: float) -> None:
    assert weigh_advice(verdict, 1.0, bias, NOW, CFG).bias_bps == pytest.approx(weighed)


def test_advice_is_heard_only_where_it_is_switched_on() -> None:
    deaf, desk = Desk(CONFIG), Desk(ON)
    for each in (deaf, desk):
        each.begin()
    assert not deaf.ask(control.Advise, verdict="BUY", confidence=1.0, bias_bps=0.0).ok
    assert desk.ask(control.Advise, verdict="BUY", confidence=1.0, bias_bps=0.0).ok
    pair = next(iter(desk.memory.pairs.values()))
    assert pair.advice.bias_bps == pytest.approx(3.0)
    desk.run(CFG.decay_sec + 1)
    assert pair.advice == NEUTRAL


def test_a_malformed_advice_is_no_request() -> None:
    good = control.Advise(control.CONTROL_VERSION, "request-1", "BUY", 0.5, 3.0)
    raw = control.encode_request(good)
    assert control.decode_request(raw) == good
    for bad in (b'"confidence":7', b'"confidence":"x"', b'"confidence":null'):
        assert control.decode_request(raw.replace(b'"confidence":0.5', bad)) is None
    assert control.decode_request(raw.replace(b'"BUY"', b'"ALL_IN"')) is None
