"""Stage 9: sizes lean against an allocation that left its target, prices with the book."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import Ns, Sats, Side
from strategy.core.imbalance import Imbalance, raw, weigh
from strategy.core.plan import Anchor, lay
from strategy.core.skew import Opinion, inventory_of, leaned, skew, tilt
from tests.unit.strategy.core.build import (
    BTC_EUR,
    CONFIG,
    MID,
    STEP,
    make_book,
    make_config,
    make_plan,
)

RANGE = replace(CONFIG.regime.range_bound, btc_target_pct=0.5, btc_min_pct=0.4, btc_max_pct=0.6)
DELTA = (CONFIG.skew, CONFIG.avellaneda_stoikov)
STOIKOV = (CONFIG.skew, make_config(avellaneda_stoikov={"enabled": True}).avellaneda_stoikov)
HALF_LIFE = CONFIG.imbalance.half_life_sec

shares = st.floats(0.0, 1.0)
imbalances = st.floats(-1.0, 1.0)
variances = st.floats(0.0, 1e-5)
quantities = st.lists(st.integers(0, 10**12), max_size=12).map(tuple)


@pytest.mark.parametrize(
    ("coins", "buy", "sell"),
    [
        (0.50, 1.0, 1.0),
        (0.51, 1.0, 1.0),  # in quarters upward: sizes seldom change
        (0.56, 0.75, 1.0),
        (0.58, 0.75, 1.0),
        (0.60, 0.5, 1.0),
        (0.99, 0.5, 1.0),
        (0.44, 1.0, 0.75),
        (0.42, 1.0, 0.75),
        (0.40, 1.0, 0.5),
        (0.0, 1.0, 0.5),
    ],
)
def test_the_heavy_side_shrinks(coins: float, buy: float, sell: float) -> None:
    plan = tilt(make_plan(), coins, RANGE)
    assert (plan.buy_scale, plan.sell_scale) == (buy, sell)


def test_a_target_at_its_limit_divides_by_nothing() -> None:
    assert tilt(make_plan(), 0.0, CONFIG.regime.chaos).sell_scale == 1.0
    assert inventory_of(0.0, CONFIG.regime.chaos) == 0.0
    assert inventory_of(0.2, CONFIG.regime.chaos) == 1.0


@given(shares, shares)
def test_inventory_grows_with_the_share_from_minus_one_to_one(a: float, b: float) -> None:
    few, many = sorted((a, b))
    assert -1.0 <= inventory_of(few, RANGE) <= inventory_of(many, RANGE) <= 1.0


@pytest.mark.parametrize("models", [DELTA, STOIKOV], ids=["delta", "stoikov"])
def test_a_neutral_market_and_account_is_quoted_symmetrically(models: tuple) -> None:  # type: ignore[type-arg]
    plan = make_plan()
    assert skew(plan, 0.5, RANGE, Opinion(variance=1e-6), models) == plan


@given(shares, shares, imbalances, imbalances, variances, st.floats(-50, 50))
def test_the_lean_is_monotone_and_bounded(
    s1: float, s2: float, o1: float, o2: float, variance: float, bias: float
) -> None:
    few, many = sorted((s1, s2))
    asks, bids = sorted((o1, o2))

    def lean(share: float, imbalance: float) -> float:
        opinion = Opinion(imbalance, variance, bias)
        return skew(make_plan(), share, RANGE, opinion, STOIKOV).lean_bps

    assert -50 <= lean(many, asks) <= lean(few, asks) <= lean(few, bids) <= 50


@given(st.floats(-0.1, 0.1), st.floats(-500, 500), st.floats(0.0015, 0.02))
def test_what_is_laid_leans_by_half_a_step_at_most_and_seldom_moves(
    held: float, wanted: float, step: float
) -> None:
    found = leaned(held, wanted, step)
    assert abs(found) <= step / 2 + 1e-12
    assert leaned(found, wanted, step) == found


@given(st.floats(-500, 500), st.integers(1, 400))
def test_a_leaning_grid_never_crosses_and_keeps_its_rungs_a_step_apart(
    wanted: float, spread: int
) -> None:
    anchor = Anchor(MID * (1 + leaned(0.0, wanted, STEP)), STEP)
    bid, ask = MID - spread, MID + spread
    laid = lay(make_plan(), anchor, BTC_EUR, (bid, ask), [], {})
    assert all(wish.price < ask for wish in laid.buys)
    assert all(wish.price > bid for wish in laid.sells)
    prices = sorted(wish.price for wish in (*laid.buys, *laid.sells))
    assert all(high >= low * (1 + STEP) - 2 for low, high in pairwise(prices))


def test_a_sell_yields_to_the_floor_of_its_buy_by_half_a_step_at_most() -> None:
    anchor = Anchor(float(MID), STEP)
    rung = -int(-anchor.price(1))
    near, far = rung + rung * STEP * 0.4, rung + rung * STEP * 0.6
    for floor, price in ((near, int(near)), (far, None)):
        laid = lay(make_plan(), anchor, BTC_EUR, (MID - 5, MID + 5), [(int(floor), 10**12)], {})
        nearest = laid.sells[0]
        assert nearest.side is Side.SELL
        assert (nearest.price == price) is (price is not None)
        assert nearest.price >= int(floor)


@given(quantities, quantities)
def test_imbalance_is_bounded_and_antisymmetric(
    bids: tuple[int, ...], asks: tuple[int, ...]
) -> None:
    value = raw(bids, asks, CONFIG.imbalance)
    assert -1.0 <= value <= 1.0
    assert raw(asks, bids, CONFIG.imbalance) == -value


@given(quantities.filter(bool), st.integers(0, 11), st.integers(1, 10**12))
def test_imbalance_grows_with_each_bid(bids: tuple[int, ...], place: int, more: int) -> None:
    asks = tuple(Sats(10**6) for _ in bids)
    grown = tuple(q + more if n == place % len(bids) else q for n, q in enumerate(bids))
    assert raw(grown, asks, CONFIG.imbalance) >= raw(bids, asks, CONFIG.imbalance)


def test_a_deeper_level_weighs_less() -> None:
    near = raw((9, 1, 1), (1, 1, 1), CONFIG.imbalance)
    deep = raw((1, 1, 9), (1, 1, 1), CONFIG.imbalance)
    assert near > deep > 0


def test_a_book_of_one_coin_on_one_side_is_as_heavy_as_can_be() -> None:
    assert raw((1,), (0,), CONFIG.imbalance) == 1.0
    assert raw((0,), (1,), CONFIG.imbalance) == -1.0
    assert raw((0,), (0,), CONFIG.imbalance) == 0.0


def test_a_book_that_fails_its_checksum_weighs_as_an_even_one() -> None:
    now = Ns(10**12)
    later = Ns(now + int(HALF_LIFE * 1e9))
    heavy = replace(make_book(later), bid_qtys=(10**9,))
    broken = replace(heavy, valid=False)
    assert weigh(Imbalance(0.8, now), heavy, later, CONFIG.imbalance).value > 0.8
    assert weigh(Imbalance(0.8, now), broken, later, CONFIG.imbalance).value == pytest.approx(0.4)


def test_what_was_heard_fades_by_half_in_a_half_life_without_a_valid_book() -> None:
    now = Ns(10**12)
    later = Ns(now + int(HALF_LIFE * 1e9))
    lost = make_book(later, valid=False)
    assert weigh(Imbalance(0.8, now), lost, later, CONFIG.imbalance).value == pytest.approx(0.4)
    assert weigh(Imbalance(0.8, now), None, later, CONFIG.imbalance).value == pytest.approx(0.4)
    assert weigh(Imbalance(0.8, now), make_book(now), now, CONFIG.imbalance).value == 0.8


def test_a_strong_wish_leans_by_exactly_half_a_step() -> None:
    assert leaned(0.0, 10_000.0, STEP) == STEP / 2
    assert leaned(0.0, -10_000.0, STEP) == -STEP / 2
