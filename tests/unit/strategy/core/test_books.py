"""Deposits and withdrawals: money that moved without a trade."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import orders
from shared.units import SECOND, Ns, Side
from strategy.core.books import Books, compare, entered, is_flow, opened, wants_list
from strategy.core.risk import Severity
from tests.unit.strategy.core.build import MAKER, MID, make_fill
from tests.unit.strategy.core.desk import Desk

ASSETS = ("BTC", "EUR")
NOW = Ns(10**12)
TOTALS = {"BTC": Decimal("0.16"), "EUR": Decimal(14_000)}


@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(5_000, 10**7)), max_size=20))
def test_fills_explain_every_balance_they_lead_to(trades: list[tuple[Side, int]]) -> None:
    books, totals = opened(TOTALS), dict(TOTALS)
    for number, (side, qty) in enumerate(trades):
        fill = make_fill(f"T{number}", side, MID, qty)
        books = entered(books, fill)
        totals["BTC"] += Decimal(qty).scaleb(-8) * side.sign
        totals["EUR"] -= fill.cost * side.sign + fill.cost * MAKER
    assert compare(books, totals, ASSETS, NOW).gap == ()


def test_a_gap_is_a_flow_once_it_has_stood_and_a_list_was_asked_for_later() -> None:
    more = TOTALS | {"EUR": Decimal(15_000)}
    books = compare(opened(TOTALS), more, ASSETS, NOW)
    assert books.gap == (("EUR", Decimal(1_000)),)
    early, late = Ns(NOW + SECOND), Ns(NOW + 10 * SECOND)
    assert not wants_list(books, Ns(0), early)
    assert wants_list(books, Ns(0), late)
    assert not is_flow(books, Ns(0), late)
    assert not is_flow(books, Ns(NOW + 1), early)
    assert is_flow(books, Ns(NOW + 1), late)
    assert compare(books, more, ASSETS, late) is books  # the same gap keeps its age
    assert compare(books, TOTALS, ASSETS, late).gap == ()


def test_books_that_were_never_opened_take_no_fills() -> None:
    assert entered(Books(), make_fill("T1", Side.BUY, MID, 10**6)) == Books()


def told(desk: Desk, key: str) -> list[str]:
    return [tell.text for tell in desk.told if tell.key == key]


def test_a_withdrawal_of_half_the_money_is_no_drawdown() -> None:
    desk = Desk()
    desk.begin()
    before = desk.memory.risk
    desk.totals["EUR"] -= 7_000
    desk.run(1, orders.Balances(dict(desk.totals)))
    assert desk.memory.risk.equity == before.equity  # not yet known for what it is
    desk.run(60)
    after = desk.memory.risk
    assert after.severity is Severity.HEALTHY
    assert after.equity < before.equity - 6_900
    assert after.peak == after.equity
    assert len(told(desk, "flow")) == 1
    assert float(desk.facts["peak"]) == after.peak


def test_a_deposit_while_we_were_down_is_no_gain() -> None:
    desk = Desk()
    desk.begin()
    peak = desk.memory.risk.peak
    desk.totals["EUR"] += 1_000
    desk.restart()
    desk.begin()
    desk.run(60)
    assert told(desk, "flow")
    assert abs(desk.memory.risk.peak - peak - 1_000) < 1
    assert desk.memory.risk.drawdown < 1e-9


@pytest.mark.parametrize(
    ("age", "listed", "wants", "flow"),
    [
        (1.9, -1, False, False),
        (2, -1, True, False),
        (2, 0, True, False),
        (2, 1, False, False),
        (9.9, 1, False, False),
        (10, 1, False, True),
        (10, 0, True, False),
    ],
)
def test_a_gap_is_asked_about_after_two_seconds_and_a_flow_after_ten(
    age: float, listed: float, wants: bool, flow: bool
) -> None:
    since = Ns(100 * SECOND)
    now, listed_at = Ns(since + int(age * SECOND)), Ns(since + int(listed * SECOND))
    gap = Books({"EUR": Decimal(1)}, (("EUR", Decimal(5)),), since)
    assert wants_list(gap, listed_at, now) is wants
    assert is_flow(gap, listed_at, now) is flow
    none = Books({"EUR": Decimal(1)}, (), since)
    assert not wants_list(none, listed_at, now)
    assert not is_flow(none, listed_at, now)


def test_a_gap_that_closes_has_no_beginning() -> None:
    books = compare(opened({"EUR": Decimal(1)}), {"EUR": Decimal(2)}, ("EUR",), Ns(7))
    assert (books.gap, books.since) == ((("EUR", Decimal(1)),), 7)
    assert compare(books, {"EUR": Decimal(2)}, ("EUR",), Ns(9)) is books, "it stands since then"
    closed = compare(books, {"EUR": Decimal(1)}, ("EUR",), Ns(9))
    assert (closed.gap, closed.since) == ((), 0)
