"""Stage 5: an opinion is bounded, it fades, and a regime may refuse to listen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import control
from shared.units import SECOND, Ns
from strategy.core import view
from strategy.core.advice import (
    NEUTRAL,
    STRENGTH,
    Advice,
    advise,
    heeds,
    standing_bps,
    weigh_advice,
)
from strategy.core.explain import figures
from tests.unit.strategy.core.build import CONFIG, make_config
from tests.unit.strategy.core.desk import Desk

ON = make_config(ai_signal={"enabled": True, "weight": 0.3, "max_bias_bps": "20"})
CFG = ON.ai_signal
NOW = Ns(10**12)


def weigh(verdict: Any, confidence: float, bias: float, hint: Any = "") -> Advice:
    said = control.Advise(control.CONTROL_VERSION, "request-1", verdict, confidence, bias, hint)
    return weigh_advice(said, NOW, CFG, ON.regime)


def test_an_opinion_stands_until_its_time_is_over() -> None:
    advice = Advice(10.0, Ns(0), Ns(100 * SECOND))
    assert advise(advice, Ns(99 * SECOND)) is advice
    assert advise(advice, Ns(100 * SECOND)) == NEUTRAL
    assert standing_bps(advice, True, Ns(75 * SECOND)) == pytest.approx(2.5)
    assert standing_bps(advice, False, Ns(75 * SECOND)) == 0.0
    assert standing_bps(NEUTRAL, True, NOW) == 0.0


def test_before_anybody_was_asked_there_is_no_opinion_at_all() -> None:
    assert Advice(0.0, Ns(0), Ns(0), "", 0.0, "", "") == NEUTRAL


@given(
    st.sampled_from(list(STRENGTH)),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.floats(0, 1),
)
def test_no_answer_moves_more_than_the_cap_times_the_weight(
    verdict: str, confidence: float, bias: float, later: float
) -> None:
    advice = weigh(verdict, confidence, bias)
    assert abs(advice.bias_bps) <= 20 * 0.3 + 1e-9
    assert advice.bias_bps * STRENGTH[verdict] >= 0.0
    at = Ns(NOW + int(later * CFG.decay_sec * SECOND))
    assert abs(standing_bps(advice, True, at)) <= abs(advice.bias_bps)


def test_fading_never_adds_not_even_the_last_bit_of_a_float() -> None:
    given = Advice(5.704529127934457e-220, NOW, Ns(NOW + 900 * SECOND))
    assert standing_bps(given, True, NOW) == given.bias_bps


@pytest.mark.parametrize(
    ("verdict", "bias", "weighed"),
    [
        ("STRONG_BUY", 0.0, 6.0),
        ("BUY", 0.0, 3.0),
        ("NEUTRAL", 0.0, 0.0),
        ("SELL", 0.0, -3.0),
        ("STRONG_SELL", 0.0, -6.0),
        ("BUY", 10.0, 3.0),
        ("BUY", 1.0, 0.3),
        ("SELL", -1.0, -0.3),
        ("BUY", -10.0, 0.0),  # it contradicts itself
        ("SELL", 10.0, 0.0),
        ("NEUTRAL", 10.0, 0.0),
        ("BUY", 99.0, 6.0),
        ("STRONG_SELL", -99.0, -6.0),
    ],
)
def test_what_an_answer_is_worth(verdict: str, bias: float, weighed: float) -> None:
    assert weigh(verdict, 1.0, bias).bias_bps == pytest.approx(weighed)


@pytest.mark.parametrize(
    ("hint", "weighed"),
    [("", 6.0), ("range_bound", 6.0), ("trending_up", 6.0), ("trending_down", 6.0), ("chaos", 0.0)],
)
def test_an_answer_that_expects_a_regime_that_does_not_listen_counts_for_nothing(
    hint: Any, weighed: float
) -> None:
    given = weigh("STRONG_BUY", 1.0, 0.0, hint)
    assert given.bias_bps == pytest.approx(weighed)
    assert given.regime_hint == hint


@pytest.mark.parametrize("name", ["range_bound", "trending_up", "trending_down", "chaos"])
def test_each_regime_has_its_own_word_about_advice(name: str) -> None:
    values = replace(getattr(ON.regime, name), signal_enabled=name == "chaos")
    regimes = replace(ON.regime, **{name: values})
    assert heeds(name, regimes) is (name == "chaos")


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
    assert control.decode_request(raw.replace(b'"regime_hint":""', b'"regime_hint":"up"')) is None
    for bad in (b'"confidence":7', b'"confidence":"x"', b'"confidence":null'):
        assert control.decode_request(raw.replace(b'"confidence":0.5', bad)) is None
    assert control.decode_request(raw.replace(b'"BUY"', b'"ALL_IN"')) is None


def test_status_and_explain_show_what_stands_and_how_it_fades() -> None:
    desk = Desk(ON)
    desk.begin()
    assert view.status(desk.memory).advice.verdict == ""
    desk.ask(
        control.Advise, verdict="STRONG_BUY", confidence=0.5, bias_bps=0.0,
        regime_hint="trending_up", source="fake/model",
    )  # fmt: skip
    shown = view.status(desk.memory)
    told = shown.advice
    assert (told.enabled, told.verdict, told.regime_hint) == (True, "STRONG_BUY", "trending_up")
    assert (told.source, told.confidence, told.bias_bps) == ("fake/model", 0.5, 3.0)
    assert 0 < told.left_s <= CFG.decay_sec
    first = shown.pairs[0].advice_bps
    assert 0 < first <= 3.0
    desk.run(CFG.decay_sec / 2)
    pair = next(iter(desk.memory.pairs.values()))
    explained = figures(desk.memory, pair)
    assert explained["advice"] == "STRONG_BUY"
    assert explained["advice_hint"] == "trending_up"
    assert 0 < float(str(explained["advice_bps"])) < 0.6 * first
    assert "advice +" in " ".join(view.status(desk.memory).pairs[0].why)


def test_the_operator_can_switch_it_off_and_a_restart_does_not_forget() -> None:
    desk = Desk(ON)
    desk.begin()
    said = {"verdict": "STRONG_BUY", "confidence": 1.0, "bias_bps": 0.0}
    assert desk.ask(control.Advise, **said).ok
    assert desk.ask(control.SwitchAdvice, on=False, reason="I do not trust it").ok
    pair = next(iter(desk.memory.pairs.values()))
    assert pair.advice == NEUTRAL
    refused = desk.ask(control.Advise, **said)
    assert not refused.ok
    assert "I do not trust it" in refused.text
    desk.restart()
    desk.begin()
    assert view.status(desk.memory).advice.off == "I do not trust it"
    assert not desk.ask(control.Advise, **said).ok
    assert desk.ask(control.SwitchAdvice, on=True, reason="again").ok
    assert desk.ask(control.Advise, **said).ok
    assert not Desk(CONFIG).ask(control.SwitchAdvice, on=False, reason="x").ok
