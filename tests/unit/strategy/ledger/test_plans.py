"""The cliff, the pace of the free stock, harvesting under FIFO, and what is left after tax."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategy.ledger.events import Units, units_of
from strategy.ledger.plans import (
    AfterTax,
    HarvestLimits,
    after_tax,
    cliff,
    harvest,
    pace,
    tax_of_years,
)
from strategy.ledger.room import Stock

RATE = Decimal("0.42")
COIN = units_of(Decimal(1))


def lot(name: str, qty: str, acquired: date, cost: int) -> Stock:
    return Stock(name, units_of(Decimal(qty)), acquired, Decimal(cost))


# The cliff.


def test_it_stops_a_cent_below_the_limit_or_goes_to_where_it_pays_again() -> None:
    stops = cliff(2024, Decimal(500), RATE, Decimal(0), beyond=False)
    assert (stops.most, stops.from_again) == (Decimal("999.99"), Decimal("1724.13"))
    assert cliff(2024, Decimal(500), RATE, Decimal(0), beyond=True).most == Decimal("1724.13")
    assert "passed" in cliff(2024, Decimal(1000), RATE, Decimal(0), beyond=False).why


def test_a_carried_loss_shields_what_is_above_the_limit() -> None:
    assert cliff(2024, Decimal(0), RATE, Decimal(5000), beyond=False).from_again == 1000


@given(st.integers(100, 60_000), st.decimals("0.05", "0.60", places=2))
def test_from_again_is_where_going_beyond_leaves_as_much(cents: int, rate: Decimal) -> None:
    again = cliff(2024, Decimal(0), rate, Decimal(0), beyond=True).from_again
    net = again + Decimal(cents).scaleb(-2)
    assert net * (1 - rate) >= Decimal("999.99")
    assert (again - Decimal("0.01")) * (1 - rate) < Decimal("999.99")


# The pace.


def test_the_free_stock_is_spread_over_the_horizon() -> None:
    today = date(2024, 6, 1)
    stock = [lot("a", "1", date(2023, 1, 1), 0), lot("b", "1", date(2023, 6, 10), 0)]
    found = pace(stock, today, 30, 0, wanted=COIN // 5)
    assert found.per_day == 2 * COIN // 30
    assert found.days_left == 5
    assert pace(stock, today, 9, 0, wanted=COIN // 10).per_day == COIN // 9
    assert pace(stock, today, 9, 0, wanted=COIN // 10).days_left is None
    assert pace([], today, 30, 0, wanted=1).per_day == 0


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 400)), max_size=5), st.integers(1, 60))
@settings(max_examples=60)
def test_at_the_pace_no_locked_coin_is_ever_sold(lots: list[tuple[int, int]], horizon: int) -> None:
    today = date(2024, 6, 1)
    stock = [
        Stock(str(age), Units(qty * 1000), date.fromordinal(today.toordinal() - age))
        for qty, age in sorted(lots, key=lambda each: -each[1])
    ]
    per_day = pace(stock, today, horizon, 0, 0).per_day
    for day in range(horizon):
        free = sum(
            each.qty for each in stock
            if date.fromordinal(today.toordinal() + day) > each.acquired.replace(
                year=each.acquired.year + 1, day=min(each.acquired.day, 28)
                if each.acquired.month == 2 else each.acquired.day,
            )
        )  # fmt: skip
        assert per_day * (day + 1) <= free


# Harvesting.

TODAY = date(2024, 8, 5)
LIMITS = HarvestLimits(Decimal(800), Decimal(50), 3, COIN)
LOSING = lot("young", "0.1", date(2024, 3, 14), 6700)
OLD = lot("old", "0.2", date(2023, 2, 1), 4200)


def ask(
    stock: list[Stock], net: str, limits: HarvestLimits = LIMITS, done: int = 0
) -> tuple[str, str, str]:
    found = harvest(stock, TODAY, Decimal(50_000), Decimal(0), Decimal(net), limits, done)
    return f"{Decimal(found.qty) / COIN}", str(found.loss), found.why


def test_just_enough_is_sold_to_come_to_the_target() -> None:
    qty, loss, why = ask([LOSING], "1500")
    assert (loss, why) == ("700.00", "brings the net to its target")
    assert Decimal("0.0411") < Decimal(qty) < Decimal("0.0412")


def test_the_free_lots_before_a_loss_are_sold_first_and_bring_nothing() -> None:
    qty, loss, _ = ask([OLD, LOSING], "1500")
    assert loss == "700.00"
    assert Decimal("0.2411") < Decimal(qty) < Decimal("0.2412")


def test_a_loss_behind_too_many_coins_is_out_of_reach() -> None:
    small = HarvestLimits(Decimal(800), Decimal(50), 3, Units(COIN // 10))
    qty, _, why = ask([OLD, LOSING], "1500", small)
    assert qty == "0"
    assert why.startswith("wish impossible under FIFO because")
    assert "0.20000000 stand before lot young, and 0.10000000 may be sold" in why


def test_a_gain_on_the_way_is_counted_against_the_loss() -> None:
    gaining = lot("gain", "0.1", date(2024, 2, 1), 4500)
    qty, loss, why = ask([gaining, LOSING], "5000")
    assert (qty, loss, why) == ("0.2", "1200.00", "all the loss within reach")


@pytest.mark.parametrize(
    ("net", "done", "word"),
    [
        ("999.99", 0, "wasted"),
        ("0", 0, "wasted"),
        ("750", 1, "wasted"),
        ("-10", 0, "loss already"),
        ("1500", 3, "made today already"),
    ],
)
def test_a_harvest_of_no_use_is_refused_with_its_reason(net: str, done: int, word: str) -> None:
    qty, _, why = ask([LOSING], net, done=done)
    assert qty == "0"
    assert word in why


def test_what_was_begun_goes_on_to_the_target_below_the_limit() -> None:
    assert ask([LOSING], "950", done=1)[1:] == ("150.00", "brings the net to its target")


def test_a_small_loss_is_not_worth_a_sale_and_no_loss_is_said_so() -> None:
    assert "is below 50 EUR" in ask([lot("b", "0.1", date(2024, 3, 1), 5020)], "1500")[2]
    assert "there is none" in ask([lot("b", "0.1", date(2024, 3, 1), 4000)], "1500")[2]


def test_a_loss_may_be_made_knowingly_to_carry_it_forward() -> None:
    forward = HarvestLimits(Decimal(800), Decimal(50), 3, COIN, for_next_year=True)
    assert ask([LOSING], "-10", forward)[:2] == ("0.1", "1700.00")


# After tax.


def test_the_tax_of_a_run_knows_limit_and_carried_losses() -> None:
    assert tax_of_years({2024: Decimal("999.99")}, RATE) == 0
    assert tax_of_years({2024: Decimal(1000)}, RATE) == 420
    assert tax_of_years({2023: Decimal(-500), 2024: Decimal(1500)}, RATE) == 420
    assert tax_of_years({2024: Decimal(500)}, RATE, Decimal(600)) == 462
    assert tax_of_years({}, RATE) == 0


def test_holding_beyond_the_year_is_free() -> None:
    nets = {2024: Decimal(2000)}
    bought, gain = date(2024, 1, 1), Decimal(2500)
    free = after_tax(nets, gain, (bought, date(2025, 1, 2), Decimal(3000)), RATE)
    assert free == AfterTax(Decimal(2500), Decimal(840), Decimal(3000), Decimal(0))
    assert (free.left, free.held_left) == (Decimal(1660), Decimal(3000))
    young = after_tax(nets, gain, (bought, date(2025, 1, 1), Decimal(3000)), RATE)
    assert young.held_tax == 1260
