"""Why a slot, a side or nothing at all is quoted, in the words of the stages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared import control
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.advice import Advice
from strategy.core.explain import explain, figures
from strategy.core.grid import Hung
from strategy.core.imbalance import Imbalance
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory, Permit
from strategy.core.plan import Anchor, Laid
from strategy.core.regime import Kind, Regime
from strategy.core.risk import Pause, Risk, Severity
from strategy.core.slots import State, Wish
from strategy.core.spacing import Spacing
from strategy.core.thresholds import YEAR_SECONDS, Thresholds
from tests.unit.strategy.core.build import (
    MID,
    STEP,
    make_config,
    make_memory,
    make_plan,
    make_slot,
    make_view,
    old_lots,
)
from tests.unit.strategy.core.desk import Desk, quoting


@pytest.mark.parametrize("name", ["b1", "s5", "x", "buy", "sells", "idle"])
def test_each_question_is_answered_with_reasons_and_figures(name: str) -> None:
    reply = quoting().ask(control.Explain, slot=name)
    assert reply.ok
    assert reply.data["why"]
    assert reply.data["figures"]


def test_an_unknown_slot_is_told_which_there_are() -> None:
    known, text, _ = explain(make_memory(), "b99")
    assert not known
    assert "b1" in text
    assert "idle" in text


def test_no_sells_for_want_of_free_coins_is_said_by_the_tax_gate() -> None:
    desk = Desk(lots=old_lots(days=10))
    desk.begin()
    assert "tax" in desk.ask(control.Explain, slot="sell").text


def test_a_held_bot_is_idle_because_of_the_hold() -> None:
    desk = quoting()
    assert "not idle" in desk.ask(control.Explain, slot="idle").text
    desk.hold("lunch")
    desk.run(2)
    assert "on hold: lunch" in desk.ask(control.Explain, slot="idle").text


def test_a_grid_without_funds_is_idle_for_want_of_them() -> None:
    desk = Desk(make_config(grid={"base_reserve": "1"}))
    desk.totals["EUR"] = Decimal(0)
    desk.begin()
    assert "no funds left" in desk.ask(control.Explain, slot="idle").text


def test_the_figures_are_those_of_the_memory() -> None:
    desk = quoting()
    pair = next(iter(desk.memory.pairs.values()))
    found = figures(desk.memory, pair)
    assert found["equity"] == desk.memory.risk.equity == 14_000 + 0.16 * MID / 10
    assert found["thresholds"] == "fixed"
    assert found["spacing_bps"] == pytest.approx(39.0)


def test_rungs_are_never_nearer_than_the_settings_say() -> None:
    desk = quoting(Desk(make_config(grid={"min_spacing_bps": "43"})))
    assert next(iter(desk.memory.pairs.values())).spacing_bps == 43.0


def test_before_anything_was_measured_no_figure_pretends_to_be_one() -> None:
    memory = make_memory()
    assert figures(memory, memory.pairs["BTC/EUR"]) == {
        "regime": "range_bound",
        "volatility_pct": 0.0,
        "chaos_from_pct": None,
        "momentum_bps": 0.0,
        "trend_from_bps": None,
        "thresholds": "fixed",
        "spacing_bps": 0.0,
        "lean_bps": 0.0,
        "imbalance": 0.0,
        "advice": None,
        "advice_confidence": 0.0,
        "advice_hint": None,
        "advice_given_bps": 0.0,
        "advice_bps": 0.0,
        "severity": "healthy",
        "drawdown_pct": 0.0,
        "equity": 0.0,
        "peak": 0.0,
        "free_of_tax_sats": 16_000_000,
    }


def test_each_figure_is_the_one_that_its_stage_decided_by() -> None:
    memory = make_memory()
    pair = memory.pairs["BTC/EUR"]
    memory.now = Ns(1_500 * SECOND)
    variance = 0.123456**2 / YEAR_SECONDS
    pair.regime = Regime(Kind.TRENDING_UP, Ns(1), variance, 0.001, 0.00223456, Ns(9), 7)
    pair.edges = Thresholds(3.456789, 71.23456, adaptive=True)
    pair.spacing = Spacing(43.2146, "ATR")
    pair.hung = Hung(Anchor(float(MID), STEP), lean=0.000987654)
    pair.imbalance = Imbalance(0.45678, Ns(1))
    began, ends = Ns(1_000 * SECOND), Ns(2_000 * SECOND)
    pair.advice = Advice(5.43219, began, ends, "BUY", 0.87654, "chaos", "x")
    memory.risk = Risk(9_000.126, 10_000.256, 0.100012345, Severity.PROBLEM)
    assert figures(memory, pair) == {
        "regime": "trending_up",
        "volatility_pct": 0.1235,
        "chaos_from_pct": 3.4568,
        "momentum_bps": 12.35,
        "trend_from_bps": 71.23,
        "thresholds": "adaptive",
        "spacing_bps": 43.21,
        "lean_bps": 9.88,
        "imbalance": 0.457,
        "advice": "BUY",
        "advice_confidence": 0.877,
        "advice_hint": "chaos",
        "advice_given_bps": 5.43,
        "advice_bps": 2.72,  # half of its time is over
        "severity": "problem",
        "drawdown_pct": 0.100012,
        "equity": 9_000.13,
        "peak": 10_000.26,
        "free_of_tax_sats": 16_000_000,
    }
    pair.edges = Thresholds(3.0, 60.0)
    assert figures(memory, pair)["thresholds"] == "fixed"


LAID = Laid((Wish(Side.BUY, Ticks(840_000), Sats(588_000), 1),), (), ())


def two_pairs() -> Memory:
    """Both may quote; one order of each rests."""
    halves = [{"symbol": name, "weight": 0.5} for name in ("BTC/EUR", "BTC/USD")]
    memory = make_memory(make_config(pairs=halves))  # type: ignore[arg-type]
    memory.phase = Phase.TRADING
    for pair in memory.pairs.values():
        pair.permit = Permit(True, True, True)
        pair.plan = make_plan(reasons=(f"the plan of {pair.name}",))
        pair.laid = LAID
        pair.slots[pair.place("b1")] = make_slot("b1", State.LIVE)
    return memory


def test_a_slot_of_each_pair_is_explained_under_the_name_of_its_pair() -> None:
    memory = two_pairs()
    memory.pairs["BTC/USD"].notes["b1"] = "the gate: on hold"
    known, text, data = explain(memory, "b1")
    assert known
    assert text == "b1 is live: BTC/EUR: rests in the book; BTC/USD: the gate: on hold"
    assert data["slot"] == "b1"
    assert data["state"] == "live"
    assert data["why"] == ["BTC/EUR: rests in the book", "BTC/USD: the gate: on hold"]
    assert data["plan"] == ["the plan of BTC/EUR"]
    assert data["figures"] == figures(memory, memory.pairs["BTC/EUR"])
    order = data["order"]
    assert isinstance(order, dict)
    assert (order["slot"], order["pair"], order["state"]) == ("b1", "BTC/EUR", "live")


def test_a_side_of_each_pair_is_counted_and_explained() -> None:
    memory = two_pairs()
    eur, usd = memory.pairs.values()
    short = ((Side.BUY, 2, "no funds left for it"), (Side.SELL, 1, "x"))
    eur.laid = replace(LAID, missing=short)
    usd.permit = Permit(False, True, True, ("pause: RISK_PAUSE_ACTIVE",))
    usd.plan = make_plan(reasons=("the plan of BTC/USD", "pause: RISK_PAUSE_ACTIVE"))
    known, text, data = explain(memory, "buys")
    assert known
    assert data["why"] == [
        "BTC/EUR: 1 of 5 orders rest",
        "the plan of BTC/EUR",
        "rung 2: no funds left for it",
        "BTC/USD: 1 of 5 orders rest",
        "pause: RISK_PAUSE_ACTIVE",
        "the plan of BTC/USD",
    ]
    assert text == "; ".join(data["why"])
    assert (data["slot"], data["state"]) == ("buys", "trading")
    assert data["figures"] == {each.name: figures(memory, each) for each in (eur, usd)}
    assert explain(memory, "buy") == (known, text, data)
    assert explain(memory, "sell") == explain(memory, "sells")
    assert explain(memory, "sell")[2]["slot"] == "sells"
    assert explain(make_memory(), "sells")[2]["why"] == ["BTC/EUR: 0 of 5 orders rest", "starting"]


def test_why_nothing_rests_is_told_of_the_pairs_of_which_nothing_does() -> None:
    memory = two_pairs()
    eur, usd = memory.pairs.values()
    for pair, word in ((eur, "no funds left for it"), (usd, "outside the price collar")):
        pair.laid = replace(LAID, missing=tuple((side, 2, word) for side in Side))
    assert explain(memory, "idle")[1] == "it is not idle: nothing keeps it from quoting"
    usd.slots[usd.place("b1")] = make_slot("b1")
    lacks = ((Side.BUY, 2, "outside the price collar"), (Side.SELL, 1, "above grid.highest"))
    usd.laid = replace(LAID, missing=lacks)
    known, text, data = explain(memory, "idle")
    assert known
    assert data["why"] == [
        "BTC/USD: rung 2: outside the price collar",
        "BTC/USD: rung 1: above grid.highest",
    ]
    assert text == "; ".join(data["why"])
    assert (data["slot"], data["state"]) == ("idle", "trading")
    usd.permit = Permit(True, True, False, ("the feed is stale: no new quotes",))
    assert explain(memory, "idle")[1] == "the feed is stale: no new quotes"
    usd.permit = Permit(False, False, True, ("pause: DUAL_LOCK",))
    assert explain(memory, "idle")[1] == "pause: DUAL_LOCK"


def test_what_the_gate_refuses_is_told_for_its_side_and_where_nothing_rests() -> None:
    desk = Desk(make_config(limits={"open_orders": 4}))
    desk.begin()
    told = desk.ask(control.Explain, slot="buys").data["why"]
    assert isinstance(told, list)
    assert told[0] == "BTC/EUR: 2 of 5 orders rest"
    assert told[-1] == "b3, b4, b5: the gate: limits.open_orders is reached"
    lost = quoting()
    pair = lost.memory.pairs["BTC/EUR"]
    for slot in (*pair.side(Side.BUY), *pair.side(Side.SELL)):
        pair.slots[pair.place(slot.name)] = make_slot(slot.name)
        pair.notes[slot.name] = "the gate: no fresh book"
    assert explain(lost.memory, "idle")[1] == "BTC/EUR: the gate: no fresh book"


def test_what_waits_for_the_rate_counter_is_told_with_the_counter() -> None:
    desk = Desk(make_config(rate_limit={"max_counter": 60, "headroom_pct": 0.1}))
    desk.connect()
    while not desk.resting:
        desk.run(0.5)
    assert len(desk.resting) == 6
    why = "waits for the rate counter: 6 of 6 used"
    assert desk.memory.pairs["BTC/EUR"].notes == dict.fromkeys(("b4", "b5", "s4", "s5"), why)
    assert explain(desk.memory, "b4")[1] == f"b4 is empty: {why}"


def test_a_slot_that_cools_down_says_for_how_long() -> None:
    memory = two_pairs()
    memory.now = Ns(1_000 * SECOND)
    pair = memory.pairs["BTC/EUR"]
    pair.slots[pair.place("b2")] = make_slot("b2", not_before=Ns(1_007 * SECOND))
    told = explain(memory, "buys")[2]["why"]
    assert isinstance(told, list)
    assert "b2: cools down for 7 s after a reject" in told
    pair.view, pair.notes["b2"] = make_view(), "the gate: on hold"
    both = explain(memory, "b2")[2]["why"]
    assert both == [
        "BTC/EUR: the gate: on hold",
        "BTC/EUR: cools down for 7 s after a reject",
        "BTC/USD: the plan of BTC/USD",
    ]
    pair.notes.clear()
    pair.slots[pair.place("b2")] = make_slot("b2", not_before=memory.now)
    assert "b2" not in explain(memory, "buys")[1]


def test_a_hold_is_the_one_reason_for_being_idle_and_the_plan_of_before_is_none() -> None:
    desk = Desk(make_config(grid={"base_reserve": "1"}))
    desk.totals["EUR"] = Decimal(600)
    desk.begin()
    assert "no coins left" in desk.ask(control.Explain, slot="sells").text
    desk.hold("lunch")
    desk.run(3)
    told = desk.ask(control.Explain, slot="idle").data["why"]
    assert told == ["on hold: lunch (strategy-ctl resume REASON)"]
    sells = desk.ask(control.Explain, slot="sells").data["why"]
    assert sells == ["BTC/EUR: 0 of 5 orders rest", "on hold: lunch"]


def test_the_exits_slot_says_what_an_emergency_waits_for() -> None:
    memory = make_memory()
    pair = memory.pairs["BTC/EUR"]
    assert explain(memory, "x")[1] == "x is empty: used by flatten and by an emergency alone"
    pair.view = make_view()
    assert explain(memory, "x")[1] == "x is empty: used by flatten and by an emergency alone"
    memory.pause = Pause.EMERGENCY_SELL
    pair.permit = Permit(False, False, True, ("pause: EMERGENCY_SELL",), exits=True)
    waits = "emergency: waits until the drawdown has stood for 30 s"
    assert explain(memory, "x")[1] == f"x is empty: {waits}"


def test_there_is_no_slot_of_that_name_and_the_answer_names_those_there_are() -> None:
    known, text, data = explain(make_memory(make_config(grid={"levels": 2})), "b3")
    assert (known, data) == (False, {})
    assert text == "no slot 'b3'; there are b1, b2, s1, s2, x, buy, sell, idle"
