"""The balances' audit: what holds the sells, what does not, and how it ends."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared import control
from shared.orders import Balances
from shared.units import Side
from tests.unit.strategy.core.desk import Desk


def drifted(by: str) -> Desk:
    """A trading desk whose coins have changed by somebody's hand."""
    desk = Desk()
    desk.begin()
    assert desk.side(Side.SELL)
    desk.totals["BTC"] += Decimal(by)
    desk.run(0.5, Balances(dict(desk.totals)))
    return desk


@pytest.mark.parametrize("by", ["0.01", "-0.01", "0.00000001"])
def test_a_difference_that_stays_takes_the_sells_out_and_leaves_the_buys(by: str) -> None:
    desk = drifted(by)
    desk.run(20)
    assert desk.memory.audit.held
    assert not desk.side(Side.SELL)
    assert desk.side(Side.BUY)
    assert any(told.key == "drift" and told.level == "error" for told in desk.told)
    assert desk.ask(control.AskReconcile).data["sells_held"] is True


def test_a_difference_of_a_moment_holds_nothing() -> None:
    desk = drifted("0.01")
    desk.run(8)
    desk.totals["BTC"] -= Decimal("0.01")
    desk.run(20, Balances(dict(desk.totals)))
    assert not desk.memory.audit.held
    assert desk.side(Side.SELL)


def test_a_missed_fill_is_found_by_the_history_and_is_no_difference() -> None:
    desk = Desk()
    desk.begin()
    order = desk.side(Side.BUY)[0]
    desk.fill(order.cl_ord_id, silent=True)
    desk.run(30, Balances(dict(desk.totals)))
    assert not desk.memory.audit.held
    assert desk.memory.audit.drift == 0


def test_it_ends_by_itself_where_its_cause_is_undone() -> None:
    desk = drifted("-0.01")
    desk.run(20)
    desk.totals["BTC"] += Decimal("0.01")
    desk.run(10, Balances(dict(desk.totals)))
    assert not desk.memory.audit.held
    assert desk.side(Side.SELL)
    assert desk.facts["drift"] == ""


@pytest.mark.parametrize("by", ["0.01", "-0.01"])
def test_accepted_it_is_external_and_the_sells_come_back(by: str) -> None:
    desk = drifted(by)
    desk.run(20)
    reply = desk.ask(control.AcceptDrift, reason="moved to a wallet of my own")
    assert reply.ok
    assert desk.facts["external:BTC"] == str(int(Decimal(by).scaleb(8)))
    desk.run(20)
    assert not desk.memory.audit.held
    assert desk.memory.audit.drift == 0
    assert desk.side(Side.SELL)
    # What was accepted is remembered, and a further difference is a new one.
    desk.restart()
    desk.begin()
    desk.run(20)
    assert not desk.memory.audit.held
    desk.totals["BTC"] += Decimal("0.002")
    desk.run(20, Balances(dict(desk.totals)))
    assert desk.memory.audit.held
    assert desk.memory.audit.drift == 200_000


def test_where_nothing_is_held_nothing_is_accepted() -> None:
    desk = drifted("0.01")
    desk.run(2)
    assert not desk.ask(control.AcceptDrift, reason="too early").ok
    assert "external:BTC" not in desk.facts


def test_held_sells_stay_held_over_a_restart() -> None:
    desk = drifted("0.01")
    desk.run(20)
    desk.restart()
    desk.begin()
    assert desk.memory.audit.held
    assert not desk.side(Side.SELL)
