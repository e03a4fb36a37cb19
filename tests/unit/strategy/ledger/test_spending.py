"""The gain of money that is about to be spent: against booking it, and by brute force."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from strategy.ledger.desk import Desk, DeskSettings, UsdLeg
from strategy.ledger.events import units_of
from strategy.ledger.rates import Rate, Rates
from tests.unit.strategy.ledger.test_desk import at, trade

SPENT = (("USD", units_of(Decimal(9400))),)


def desk(rate: str, leg: UsdLeg = "section23") -> Desk:
    """9,400 USD that came for 9,217.49 EUR in January; one euro is worth `rate` in June."""
    rates = Rates(
        Rate(date.fromisoformat(day), "USD", Decimal(value))
        for day, value in (("2025-01-13", "1.0198"), ("2025-06-30", rate), ("2026-02-02", rate))
    )
    first = trade("f", "buy", "2023-11-15 12:00", 8100)
    sold = trade("s", "sell", "2025-01-13 12:00", 9400, "USD")
    return Desk([first, sold], rates, DeskSettings("BTC", usd_leg=leg))


def test_it_is_what_the_books_say_once_it_is_spent() -> None:
    now = at("2025-06-30 12:00")
    known = desk("0.98")
    before, gain = known.net(2025), known.spending(now, SPENT)
    assert gain == Decimal("374.35")
    assert known.gate(now, 1, 0, SPENT).room == known.gate(now, 1).room - gain  # type: ignore[operator]
    known.hear(trade("b", "buy", "2025-06-30 12:00", 9400, "USD"))
    assert known.net(2025) - before == Decimal("374.35")


def test_a_loss_takes_nothing_and_gives_nothing() -> None:
    assert desk("1.172").spending(at("2025-06-30 12:00"), SPENT) == 0


def test_dollars_held_over_a_year_are_free_and_without_the_leg_nothing_counts() -> None:
    assert desk("0.98").spending(at("2026-02-02 12:00"), SPENT) == 0
    assert desk("0.98", "off").spending(at("2025-06-30 12:00"), SPENT) == 0


def test_dollars_that_nobody_knows_bring_neither_gain_nor_loss() -> None:
    twice = (("USD", SPENT[0][1] * 2),)
    assert desk("0.98").spending(at("2025-06-30 12:00"), twice) == Decimal("374.35")


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(80, 130)), min_size=1, max_size=6),
    st.integers(1, 200),
)
@settings(max_examples=60, deadline=None)
def test_it_is_the_worst_of_every_quantity_that_may_fill(
    lots: list[tuple[int, int]], spent: int
) -> None:
    """Each lot: hundreds of dollars, and what a hundred euros bought of them."""
    days = [f"2025-03-{day:02d}" for day in (3, 4, 5, 6, 7, 10)][: len(lots)]  # working days
    rates = [
        Rate(date.fromisoformat(day), "USD", Decimal(rate) / 100)
        for day, (_, rate) in zip(days, lots, strict=True)
    ]
    rates.append(Rate(date(2025, 6, 30), "USD", Decimal("1.05")))
    events = [trade("f", "buy", "2023-11-15 12:00", 8100)]
    events += [
        trade(f"s{number}", "sell", f"{day} 12:00", 100 * hundreds, "USD")
        for number, (day, (hundreds, _)) in enumerate(zip(days, lots, strict=True))
    ]
    known = Desk(events, Rates(rates), DeskSettings("BTC", usd_leg="section23"))
    told = known.spending(at("2025-06-30 12:00"), (("USD", units_of(Decimal(100 * spent))),))
    each = [
        Decimal(100) / Decimal("1.05") - Decimal(100) / (Decimal(rate) / 100)
        for hundreds, rate in lots
        for _ in range(hundreds)
    ][:spent]
    worst = max(sum(each[:n], Decimal(0)) for n in range(len(each) + 1))
    assert abs(told - worst) <= Decimal("0.01") * (len(lots) + 1)
