"""The Plan's ceilings, and laying it as prices."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from shared.units import Side
from strategy.core.plan import Anchor, Laid, Plan, lay
from tests.unit.strategy.core.build import BTC_EUR, MID, STEP, make_plan, rung

ANCHOR = Anchor(float(MID), STEP)
TOUCH = (MID - 5, MID + 5)


def laid(plan: Plan, **changes: Any) -> Laid:
    values: dict[str, Any] = {"touch": TOUCH, "floors": [], "filled": {}, "anchor": ANCHOR}
    values |= changes
    return lay(plan, values["anchor"], BTC_EUR, values["touch"], values["floors"], values["filled"])


def reasons(found: Laid, side: Side) -> list[tuple[int, str]]:
    return [(k, why) for missing, k, why in found.missing if missing is side]


def test_a_ceiling_once_set_binds_all_that_follow() -> None:
    plan = make_plan().capped("tax", sell=1).capped("more", sell=4)
    assert (plan.sell_levels, plan.sell_most) == (1, 1)
    assert plan.why == ("tax",)


def test_budgets_only_shrink_and_never_below_nothing() -> None:
    plan = make_plan().budgeted("less", buy_units=-5).budgeted("more", buy_units=7)
    assert plan.buy_units == 0
    assert plan.why == ("less",)


def test_scales_only_shrink() -> None:
    plan = make_plan().scaled("half", buy=0.5).scaled("double", buy=2.0, sell=2.0)
    assert (plan.buy_scale, plan.sell_scale) == (0.5, 1.0)


def test_rungs_stand_on_the_lattice_rounded_away_from_the_middle() -> None:
    found = laid(make_plan())
    assert [w.price for w in found.buys] == [int(rung(-k)) for k in range(1, 6)]
    assert [w.price for w in found.sells] == [ceil(rung(k)) for k in range(1, 6)]
    assert all(w.price * w.qty <= 500 * 10**9 for w in (*found.buys, *found.sells))
    assert found.missing == ()


def test_a_moved_centre_keeps_the_prices_of_the_other_rungs() -> None:
    before = laid(make_plan())
    after = laid(make_plan(), anchor=Anchor(float(MID), STEP, -1), touch=(843_000, 843_500))
    assert [w.price for w in after.buys[:4]] == [w.price for w in before.buys[1:]]
    assert [w.price for w in after.sells[1:]] == [w.price for w in before.sells[:4]]


@pytest.mark.parametrize(
    ("plan", "buys", "why"),
    [
        (make_plan(buy_units=1_200 * 10**9), 2, "no funds left for it"),
        (make_plan(buy_units=0), 0, "no funds left for it"),
        (make_plan(notional=4 * 10**9), 0, "below the pair's least quantity"),
    ],
)
def test_what_does_not_fit_is_missing_with_its_reason(plan: Plan, buys: int, why: str) -> None:
    found = laid(plan)
    assert len(found.buys) == buys
    assert {each for _, each in reasons(found, Side.BUY)} == {why}
    assert len(found.buys) + len(reasons(found, Side.BUY)) == 5


def test_a_rung_at_or_through_the_touch_is_dropped_not_asserted() -> None:
    ask = int(rung(-2))
    found = laid(make_plan(), touch=(ask - 10, ask))
    assert [k for k, _ in reasons(found, Side.BUY)] == [1, 2]
    bid = int(rung(1)) + 1
    found = laid(make_plan(), touch=(bid, bid + 10))
    assert reasons(found, Side.SELL) == [(1, "at or through the bid")]


def test_coins_bound_the_sells() -> None:
    found = laid(make_plan(sell_sats=1_200_000))
    assert len(found.sells) == 2
    assert reasons(found, Side.SELL)[0][1] == "no coins left that may be sold"


def test_what_an_order_has_filled_already_is_paid_for() -> None:
    """Else its rung would lose its place in the queue with the very fill that it waited for."""
    first = laid(make_plan()).buys[0]
    tight = make_plan(buy_units=first.price * (first.qty // 2), buy_levels=1)
    assert laid(tight).buys == ()
    paid = {(Side.BUY, int(first.price)): first.qty // 2 + 1}
    assert laid(tight, filled=paid).buys == (first,)


def test_a_sell_stays_above_the_buy_it_answers() -> None:
    below = int(rung(1))
    found = laid(make_plan(), floors=[(int(rung(3)), 100_000_000)])
    assert [k for k, _ in reasons(found, Side.SELL)] == [1, 2]
    found = laid(make_plan(), floors=[(below, 588_000), (int(rung(2)), 588_000)])
    assert len(found.sells) == 5


def test_rungs_far_outside_the_collar_are_not_wished_for_and_the_edge_does_not_flap() -> None:
    plan = make_plan(buy_levels=5, sell_levels=5).collared(MID, 0.01)
    laid = lay(plan, Anchor(float(MID), 0.004), BTC_EUR, (MID - 5, MID + 5), [], {})
    assert [wish.rung for wish in laid.buys] == [1, 2]
    assert [wish.rung for wish in laid.sells] == [1, 2]
    assert {why for _, _, why in laid.missing} == {"outside the price collar"}
    edge = plan.collared(MID, 0.01195 / 1.05 * 1.001)
    assert (
        lay(edge, Anchor(float(MID), 0.004), BTC_EUR, (MID - 5, MID + 5), [], {}).buys[-1].rung == 3
    )


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        (make_plan().capped("why", buy=2), {"buy_levels": 2, "buy_most": 2}),
        (make_plan().capped("why", sell=0), {"sell_levels": 0, "sell_most": 0}),
        (make_plan(sell_levels=1).capped("why", sell=3), {"sell_levels": 1, "sell_most": 3}),
        (make_plan().budgeted("why", buy_units=7), {"buy_units": 7}),
        (make_plan().budgeted("why", sell_sats=-7), {"sell_sats": 0}),
        (make_plan(buy_scale=0.5).scaled("why", buy=0.5, sell=3.0), {"buy_scale": 0.25}),
        (make_plan(sell_scale=0.5).scaled("why", sell=0.5, buy=3.0), {"sell_scale": 0.25}),
        (make_plan(sell_scale=0.5).boosted("why", 1.5), {"sell_scale": 0.75}),
        (make_plan().leaning("why", -2.5), {"lean_bps": -2.5}),
        (make_plan().noted("why"), {}),
    ],
)
def test_each_change_of_a_plan_changes_its_own_part_and_says_why(
    changed: Plan, fields: dict[str, Any]
) -> None:
    assert changed == make_plan(**fields, reasons=("why",))


@pytest.mark.parametrize(
    "same",
    [
        make_plan().capped("why", buy=5, sell=9),
        make_plan().budgeted("why", buy_units=14_000 * 10**9, sell_sats=10**9),
        make_plan().scaled("why", buy=1.0, sell=2.0),
        make_plan().boosted("why", 1.0),
        make_plan().boosted("why", 0.9),
        make_plan().leaning("why", 0.0),
    ],
)
def test_what_changes_nothing_gives_no_reason(same: Plan) -> None:
    assert same == make_plan()


def test_the_collar_is_widened_by_a_twentieth_for_what_rests() -> None:
    assert make_plan().collared(1_000.0, 0.1).reach == pytest.approx((895.0, 1_105.0))


def test_prices_of_a_lattice_and_places_of_prices() -> None:
    even = Anchor(1_000.0, 0.01, 2, even=True)
    assert [even.price(k) for k in (-2, 0, 3)] == pytest.approx([1_000.0, 1_020.0, 1_050.0])
    assert even.rungs_to(1_045.0) == pytest.approx(2.5)
    steep = Anchor(1_000.0, 0.01, 2)
    assert [steep.price(k) for k in (-2, 0, 3)] == pytest.approx([1_000.0, 1_020.1, 1_051.0100501])
    assert steep.rungs_to(1_051.0100501) == pytest.approx(3.0)


def test_an_even_lattice_that_reaches_nothing_has_no_rung_there() -> None:
    found = laid(make_plan(), anchor=Anchor(float(MID), 0.3, even=True))
    assert [wish.rung for wish in found.buys] == [1, 2, 3]
    few = {(4, "below the pair's least quantity"), (5, "below the pair's least quantity")}
    assert set(reasons(found, Side.BUY)) == few


def test_a_ceiling_of_one_side_leaves_the_other_sides_as_it_is() -> None:
    plan = make_plan(buy_most=3, buy_levels=2, sell_most=4, sell_levels=1)
    assert plan.capped("why", buy=1).sell_most == 4
    assert plan.capped("why", buy=9) == plan
    less = plan.capped("why", sell=2)
    assert (less.buy_most, less.buy_levels, less.sell_most, less.sell_levels) == (3, 2, 2, 1)


FIRST_BUY, FIRST_SELL = int(rung(-1)), ceil(rung(1))


@pytest.mark.parametrize(
    ("changes", "touch", "buys", "sells"),
    [
        ({}, (FIRST_SELL - 1, FIRST_BUY + 1), 5, 5),
        ({}, (FIRST_SELL, FIRST_SELL + 9), 5, 4),
        ({}, (FIRST_BUY - 9, FIRST_BUY), 4, 5),
        ({"buy_below": float(FIRST_BUY)}, TOUCH, 4, 5),
        ({"buy_below": FIRST_BUY + 0.5}, TOUCH, 5, 5),
        ({"sell_above": float(FIRST_SELL)}, TOUCH, 5, 4),
        ({"sell_above": FIRST_SELL - 0.5}, TOUCH, 5, 5),
        ({"lowest": int(rung(-5))}, TOUCH, 5, 5),
        ({"lowest": int(rung(-5)) + 1}, TOUCH, 4, 5),
        ({"highest": ceil(rung(5))}, TOUCH, 5, 5),
        ({"highest": ceil(rung(5)) - 1}, TOUCH, 5, 4),
        ({"reach": (float(int(rung(-5))), float(ceil(rung(5))))}, TOUCH, 5, 5),
        ({"reach": (int(rung(-5)) + 0.5, ceil(rung(5)) - 0.5)}, TOUCH, 4, 4),
    ],
)
def test_a_bound_itself_is_still_inside_and_a_touch_or_a_fence_is_not(
    changes: dict[str, Any], touch: tuple[int, int], buys: int, sells: int
) -> None:
    found = laid(make_plan(**changes), touch=touch)
    assert (len(found.buys), len(found.sells)) == (buys, sells)


def test_budgets_that_are_just_enough_are_enough() -> None:
    whole = laid(make_plan())
    money = sum(wish.price * wish.qty for wish in whole.buys)
    coins = sum(wish.qty for wish in whole.sells)
    assert laid(make_plan(buy_units=money, sell_sats=coins)) == whole
    less = laid(make_plan(buy_units=money - 1, sell_sats=coins - 1))
    assert (len(less.buys), len(less.sells)) == (4, 4)
