"""Can the ladder of the settings stand: what is missing is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import Ticks
from strategy.core.feasible import allocations, ladder, shortfalls
from tests.unit.strategy.core.build import BTC_EUR, CONFIG, MID, make_config
from tests.unit.strategy.core.desk import Desk

TOUCH = (Ticks(MID - 5), Ticks(MID + 5))
RATES = (0.0012, 0.0025)
FOUND = ladder(CONFIG, BTC_EUR, TOUCH, RATES)
PLENTY = (Decimal(10_000), Decimal(1), Decimal(1))


def test_the_whole_ladder_and_what_it_needs() -> None:
    assert len(FOUND.laid.buys) == len(FOUND.laid.sells) == 5
    assert (FOUND.step_bps, FOUND.floor_bps) == pytest.approx((39.0, 39.0))
    assert float(FOUND.money) == pytest.approx(2_500, abs=0.01)
    assert shortfalls(FOUND, CONFIG, BTC_EUR, *PLENTY) == []


@given(st.floats(0.0, 0.01))
def test_at_the_break_even_step_a_round_trip_earns_nothing(maker: float) -> None:
    found = ladder(CONFIG, BTC_EUR, TOUCH, (maker, maker))
    step = found.break_even_bps / 10_000
    earned = (1 + step) * (1 - maker) - (1 + maker)
    assert earned == pytest.approx(0.0, abs=1e-12)
    assert found.step_bps > found.break_even_bps


@pytest.mark.parametrize(
    ("account", "settings", "said"),
    [
        ((2_499, 1, 1), {}, "the buys need 2500.00 EUR, there are 2499.00"),
        ((9_999, 1, "0.02"), {}, "free of tax, there are 0.02000000"),
        ((9_999, 1, 1), {"base_reserve": "0.99"}, "free of tax, there are 0.01000000"),
        ((9_999, 1, 1), {"order_size_quote": "1"}, "below the pair's least quantity"),
        ((9_999, 1, 1), {"lowest": "84500"}, "only 1 of 5 buys can stand: below grid.lowest"),
    ],
)
def test_what_is_missing_is_named(
    account: tuple[object, ...], settings: dict[str, str], said: str
) -> None:
    cfg = make_config(grid=settings)
    money, coins, free = (Decimal(str(value)) for value in account)
    found = ladder(cfg, BTC_EUR, TOUCH, RATES)
    assert said in "; ".join(shortfalls(found, cfg, BTC_EUR, money, coins, free))


@pytest.mark.parametrize(
    ("money", "coins", "said"),
    [
        ("60000", "0.7", []),
        ("0", "0", ["there is nothing in the account"]),
        ("1000000", "1000", ["nothing is bought above 80%"]),
        ("1000000", "0", ["nothing is sold below 20%"]),
        ("22000", "1", ["the buys are cut, they may bring them to 80%"]),  # 79.4 %, and 2,500 more
        ("60000", "0.18", ["the sells are cut, they may bring them to 20%"]),  # 20.3 %
        ("5000", "0.06", ["a side is cut to 20%"]),
    ],
)
def test_what_the_shares_of_the_account_leave_of_it(
    money: str, coins: str, said: list[str]
) -> None:
    found = allocations(FOUND, CONFIG, BTC_EUR, float(MID), (Decimal(money), Decimal(coins)))
    assert len(found) == len(said), found
    assert all(part in text for part, text in zip(said, found, strict=True)), found


def test_more_orders_than_the_limit_are_named() -> None:
    cfg = make_config(limits={"open_orders": 9})
    [said] = shortfalls(FOUND, cfg, BTC_EUR, *PLENTY)
    assert said == "10 orders are more than limits.open_orders"


def test_each_side_is_told_what_keeps_its_own_rungs() -> None:
    cfg = make_config(grid={"lowest": "84500", "highest": "85700"})
    said = shortfalls(ladder(cfg, BTC_EUR, TOUCH, RATES), cfg, BTC_EUR, *PLENTY)
    assert said == [
        "only 1 of 5 buys can stand: below grid.lowest",
        "only 2 of 5 sells can stand: above grid.highest",
    ]


def test_fewer_levels_than_the_regime_quotes_are_no_shortfall() -> None:
    cfg = make_config(grid={"levels": 3}, limits={"open_orders": 6})
    found = ladder(cfg, BTC_EUR, TOUCH, RATES)
    assert len(found.laid.buys) == len(found.laid.sells) == 3
    assert shortfalls(found, cfg, BTC_EUR, *PLENTY) == []


def test_a_start_with_too_little_says_so_once_and_quotes_what_it_can() -> None:
    desk = Desk()
    desk.totals["EUR"] = Decimal(700)
    desk.begin()
    desk.run(30)
    assert [tell.key for tell in desk.told].count("feasible:BTC/EUR") == 1
    assert desk.resting


def test_coins_and_money_are_those_of_the_rungs() -> None:
    assert FOUND.coins == Decimal(sum(wish.qty for wish in FOUND.laid.sells)).scaleb(-8)
    assert FOUND.money == Decimal(sum(w.price * w.qty for w in FOUND.laid.buys)).scaleb(-9)
    assert [wish.price for wish in FOUND.laid.buys] == [int(MID * 1.0039**-k) for k in range(1, 6)]


def test_a_leg_that_takes_costs_its_own_rate() -> None:
    """A buy that takes and a sell that makes: 25 + 12 bps, of what is left after the maker fee."""
    cfg = make_config(grid={"taker_leg": True})
    found = ladder(cfg, BTC_EUR, TOUCH, RATES)
    assert found.break_even_bps == pytest.approx(37 / (1 - 0.0012))
    assert found.floor_bps == pytest.approx(52.0)
    assert FOUND.break_even_bps == pytest.approx(24 / (1 - 0.0012))


def test_the_step_of_the_settings_stands_where_it_is_wider_than_the_floor() -> None:
    found = ladder(make_config(grid={"min_spacing_bps": "80"}), BTC_EUR, TOUCH, RATES)
    assert (found.step_bps, found.floor_bps) == pytest.approx((80.0, 39.0))


def test_rungs_outside_the_collar_cannot_stand() -> None:
    cfg = make_config(grid={"min_spacing_bps": "100"}, limits={"collar_pct": 0.03})
    said = shortfalls(ladder(cfg, BTC_EUR, TOUCH, RATES), cfg, BTC_EUR, *PLENTY)
    assert said == [
        "only 3 of 5 buys can stand: outside the price collar",
        "only 3 of 5 sells can stand: outside the price collar",
    ]


def test_more_levels_than_the_regime_quotes_are_named_and_not_asked_for() -> None:
    cfg = make_config(grid={"levels": 7})
    [said] = shortfalls(ladder(cfg, BTC_EUR, TOUCH, RATES), cfg, BTC_EUR, *PLENTY)
    assert said.startswith("grid.levels is 7, but regime.range_bound.grid_levels quotes 5")


@pytest.mark.parametrize(
    ("money", "coins", "free", "limit", "faults"),
    [
        (FOUND.money, FOUND.coins, FOUND.coins, 10, 0),
        (FOUND.money - Decimal("0.01"), FOUND.coins, FOUND.coins, 10, 1),
        (FOUND.money, FOUND.coins - Decimal("0.00000001"), FOUND.coins, 10, 1),
        (FOUND.money, FOUND.coins, FOUND.coins - Decimal("0.00000001"), 10, 1),
        (FOUND.money, FOUND.coins, FOUND.coins, 9, 1),
    ],
)
def test_what_is_just_enough_is_enough(
    money: Decimal, coins: Decimal, free: Decimal, limit: int, faults: int
) -> None:
    cfg = make_config(limits={"open_orders": limit})
    assert len(shortfalls(FOUND, cfg, BTC_EUR, money, coins, free)) == faults


def test_a_reserve_above_the_coins_leaves_none_to_sell() -> None:
    cfg = make_config(grid={"base_reserve": "2"})
    [said] = shortfalls(FOUND, cfg, BTC_EUR, *PLENTY)
    assert said.endswith("free of tax, there are 0.00000000")
