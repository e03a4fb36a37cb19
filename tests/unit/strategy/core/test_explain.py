"""Why a slot, a side or nothing at all is quoted, in the words of the stages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared import control
from strategy.core.explain import explain, figures
from tests.unit.strategy.core.build import MID, make_config, make_memory, old_lots
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
