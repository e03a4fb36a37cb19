"""Laying against a naive one: coin by coin and rung by rung, without any way that is shorter."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import Pair, Sats, Side, Ticks
from strategy.core.plan import AT_ASK, AT_BID, NO_COINS, NO_FUNDS, OUTSIDE, Anchor, Laid, Plan, lay
from strategy.core.slots import Wish
from tests.unit.strategy.core.build import BTC_EUR, make_plan

# A market in which prices and quantities are small numbers, so that each edge is often met.
MID = 1_000
SMALL = replace(BTC_EUR, price_decimals=0, qty_decimals=0, qty_min=Sats(4), cost_min=Decimal(4_000))

Floors = list[tuple[int, int]]
Filled = dict[tuple[Side, int], int]
Missing = list[tuple[Side, int, str]]


def wanted(pair: Pair, notional: float, price: int) -> tuple[int, str]:
    """The quantity of a rung, and why it is too small."""
    qty = floor(notional) // price if price > 0 else 0
    qty -= qty % pair.qty_step
    if price <= 0 or qty < pair.qty_min:
        return qty, "below the pair's least quantity"
    return qty, "" if price * qty >= pair.cost_min else "below the pair's least cost"


def buys_of(plan: Plan, anchor: Anchor, pair: Pair, ask: int, filled: Filled) -> Laid:
    found, missing, left = [], [], plan.buy_units
    for k in range(1, plan.buy_levels + 1):
        price = max(0, floor(anchor.price(-k) / pair.price_step) * pair.price_step)
        qty, small = wanted(pair, plan.notional * plan.buy_scale, price)
        cost = price * (qty - filled.get((Side.BUY, price), 0))
        checks = (
            (price >= ask, AT_ASK),
            (price >= plan.buy_below, "would reach our own sell on another pair"),
            (price < plan.reach[0], OUTSIDE),
            (price < plan.lowest, "below grid.lowest"),
            (bool(small), small),
            (cost > left, NO_FUNDS),
        )
        why = next((word for fails, word in checks if fails), "")
        if why:
            missing.append((Side.BUY, k, why))
            continue
        left -= max(0, cost)
        found.append(Wish(Side.BUY, Ticks(price), Sats(qty), k))
    return Laid(tuple(found), (), tuple(missing))


def sells_of(
    plan: Plan, anchor: Anchor, pair: Pair, bid: int, floors: Floors, filled: Filled
) -> Laid:
    found, missing, left = [], [], plan.sell_sats
    unanswered = [least for least, qty in floors for _ in range(qty)]  # one entry a coin
    for k in range(1, plan.sell_levels + 1):
        price = ceil(anchor.price(k) / pair.price_step) * pair.price_step
        qty, small = wanted(pair, plan.notional * plan.sell_scale, price)
        done = filled.get((Side.SELL, price), 0)
        if qty > done and 0 < left - (qty - done) < pair.qty_min:
            qty = done + left - left % pair.qty_step
        still = max(0, qty - done)
        least = max(unanswered[:still], default=0)
        lifted = ceil(least / pair.price_step) * pair.price_step
        yields = price < least <= price * (1.0 + anchor.step / 2.0)
        checks = (
            (price <= bid, AT_BID),
            (price <= plan.sell_above, "would be reached by our own buy on another pair"),
            (price > plan.reach[1], OUTSIDE),
            (0 < plan.highest < price, "above grid.highest"),
            (bool(small), small),
            (still > left, NO_COINS),
            (price < least and not yields, "below an unmatched buy plus fees"),
        )
        why = next((word for fails, word in checks if fails), "")
        if why:
            missing.append((Side.SELL, k, why))
            continue
        left -= still
        del unanswered[:still]
        found.append(Wish(Side.SELL, Ticks(lifted if yields else price), Sats(qty), k))
    return Laid((), tuple(found), tuple(missing))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Budgets that are enough, just enough, or not; bounds near the rungs, or none."""
    near = st.integers(MID - 120, MID + 120)
    return make_plan(
        buy_levels=draw(st.integers(0, 5)),
        sell_levels=draw(st.integers(0, 5)),
        notional=draw(st.integers(3_000, 14_000)),
        buy_scale=draw(st.sampled_from((0.5, 1.0))),
        sell_scale=draw(st.sampled_from((0.5, 1.0, 1.5))),
        buy_units=draw(st.one_of(st.integers(0, 60_000), st.just(10**9))),
        sell_sats=draw(st.one_of(st.integers(0, 60), st.just(10**6))),
        buy_below=draw(st.one_of(st.just(inf), near.map(float))),
        sell_above=draw(st.one_of(st.just(0.0), near.map(float))),
        reach=draw(st.sampled_from(((0.0, inf), (900.0, 1_100.0), (970.0, 1_030.0)))),
        lowest=draw(st.sampled_from((0, 950, 980))),
        highest=draw(st.sampled_from((0, 1_050, 1_020))),
    )


anchors = st.builds(
    Anchor,
    base=st.sampled_from((1_000.0, 999.5, 1_003.0)),
    step=st.sampled_from((0.01, 0.015, 0.05)),
    center=st.integers(-1, 1),
    even=st.booleans(),
)
small_pairs = st.builds(
    lambda tick, lot: replace(SMALL, price_step=tick, qty_step=lot),
    st.sampled_from((1, 5)),
    st.sampled_from((1, 2)),
)
bounds = st.lists(st.tuples(st.integers(960, 1_060), st.integers(1, 15)), max_size=4).map(sorted)


@given(
    plans(), anchors, small_pairs, st.integers(960, 1_040), bounds,
    st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(1, 9)), max_size=3),
)  # fmt: skip
@settings(max_examples=150)
def test_what_is_laid_is_what_a_naive_one_lays(
    plan: Plan,
    anchor: Anchor,
    pair: Pair,
    bid: int,
    floors: Floors,
    done: list[tuple[int, bool, int]],
) -> None:
    free = make_plan(buy_levels=5, sell_levels=5, notional=10**6, buy_units=10**12, sell_sats=10**9)
    whole = lay(free, anchor, pair, (1, 10**9), [], {})
    filled = {
        (wish.side, int(wish.price)): qty
        for k, is_buy, qty in done
        for wish in (whole.buys if is_buy else whole.sells)
        if wish.rung == k
    }
    found = lay(plan, anchor, pair, (bid, bid + 2), floors, filled)
    buys = buys_of(plan, anchor, pair, bid + 2, filled)
    sells = sells_of(plan, anchor, pair, bid, floors, filled)
    assert found == Laid(buys.buys, sells.sells, buys.missing + sells.missing)


RUNGS = [ceil(Anchor(1_000.0, 0.01).price(k)) for k in range(1, 6)]


@given(
    st.lists(
        st.tuples(st.sampled_from((900, 1_012, 1_019, 1_022, 1_034, 1_045)), st.integers(1, 16)),
        min_size=2, max_size=5,
    ).map(sorted),
    st.lists(st.tuples(st.sampled_from(RUNGS), st.integers(1, 14)), max_size=2),
    st.integers(20, 60),
    st.sampled_from((990, RUNGS[0], RUNGS[1])),
)  # fmt: skip
@settings(max_examples=150)
def test_five_sells_answer_the_cheapest_buys_coin_by_coin(
    floors: Floors, done: list[tuple[int, int]], sell_sats: int, bid: int
) -> None:
    """Rungs of ten coins each; some have filled in part, or more than they are to be."""
    plan = make_plan(buy_levels=0, notional=10_600, sell_sats=sell_sats)
    anchor = Anchor(1_000.0, 0.01)
    filled = {(Side.SELL, price): qty for price, qty in done}
    found = lay(plan, anchor, SMALL, (bid, bid + 2), floors, filled)
    assert found == sells_of(plan, anchor, SMALL, bid, floors, filled)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 14)), max_size=3),
    st.integers(20_000, 50_000),
    st.sampled_from((991, 981, 1_001)),
)
@settings(max_examples=100)
def test_five_buys_share_the_money_and_what_has_filled_is_paid_for(
    done: list[tuple[int, int]], money: int, ask: int
) -> None:
    plan = make_plan(sell_levels=0, notional=10_600, buy_units=money)
    anchor = Anchor(1_000.0, 0.01)
    filled = {(Side.BUY, floor(anchor.price(-k))): qty for k, qty in done}
    found = lay(plan, anchor, SMALL, (ask - 2, ask), [], filled)
    assert found == buys_of(plan, anchor, SMALL, ask, filled)


@pytest.mark.parametrize(
    ("floors", "rungs"),
    [
        ([(1_012, 5), (1_022, 5), (1_033, 10)], [None, 1_022, 1_033]),
        ([(1_012, 10), (1_034, 10)], [1_012, None, 1_034]),
        ([(900, 9), (1_045, 3)], [None, None, None]),
        ([(900, 10), (1_045, 3)], [1_010, None, None]),
        ([(900, 10), (1_022, 3)], [1_010, 1_022, 1_031]),
        ([(900, 4), (901, 4), (902, 4), (1_045, 9)], [1_010, None, None]),
    ],
)
def test_a_sell_stands_above_the_dearest_of_the_buys_that_it_answers(
    floors: Floors, rungs: list[int | None]
) -> None:
    plan = make_plan(buy_levels=0, sell_levels=3, notional=10_600, sell_sats=1_000)
    found = lay(plan, Anchor(1_000.0, 0.01), SMALL, (990, 1_001), floors, {})
    placed = {wish.rung: wish.price for wish in found.sells}
    assert [placed.get(k) for k in (1, 2, 3)] == rungs


@pytest.mark.parametrize(
    ("sell_sats", "filled", "last"),
    [
        (30, 0, 10),
        (33, 0, 13),  # three more are too few to be sold by themselves
        (34, 0, 10),
        (30, 3, 13),  # of the first three have gone: three more are left
        (30, 4, 10),
    ],
)
def test_what_is_left_over_goes_along_where_it_is_too_little_for_an_order(
    sell_sats: int, filled: int, last: int
) -> None:
    plan = make_plan(sell_levels=3, notional=10_600, sell_sats=sell_sats)
    anchor = Anchor(1_000.0, 0.01)
    found = lay(plan, anchor, SMALL, (990, 1_001), [], {(Side.SELL, 1_010): filled})
    assert [wish.qty for wish in found.sells] == [10, 10, last]


def test_what_goes_along_is_whole_steps_of_the_pair() -> None:
    """Thirteen are left for the last rung: three too few for an order, and one no step at all."""
    plan = make_plan(buy_levels=0, sell_levels=3, notional=10_600, sell_sats=33)
    pair = replace(SMALL, qty_step=2)
    found = lay(plan, Anchor(1_000.0, 0.01), pair, (990, 1_001), [], {})
    assert [wish.qty for wish in found.sells] == [10, 10, 12]
