"""Stage 6: the anchor seldom moves, and what has been bought is remembered."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.settings_trade import Grid
from shared.units import SECOND, Ns
from strategy.core.grid import (
    UNMATCHED_LIMIT,
    Hung,
    bought,
    floors,
    hang,
    moved_to,
    propose,
    sold,
)
from strategy.core.plan import Anchor, lay
from tests.unit.strategy.core.build import (
    BTC_EUR,
    CONFIG,
    MID,
    STEP,
    make_config,
    make_plan,
    make_view,
    rung,
)

GRID = CONFIG.grid
BOTH = (True, True)
START = Ns(1_000 * SECOND)
HUNG = Hung(Anchor(float(MID), STEP))


def watch(
    hung: Hung,
    mid: float,
    seconds: int,
    *,
    may_rise: bool = True,
    may_fall: bool = True,
    cfg: Grid = GRID,
) -> Hung:
    """The anchor after the market stood at `mid` for so long, looked at each second."""
    for second in range(seconds + 1):
        now = Ns(START + second * SECOND)
        hung = hang(hung, make_view(mid), STEP, (may_fall, may_rise), now, cfg)
    return hung


@pytest.mark.parametrize(
    ("vwap", "kind", "base"),
    [
        (MID + 1_000.0, "vwap", MID + 1_000.0),
        (MID * 1.01, "vwap", MID),  # too far away to hang a grid on
        (0.0, "vwap", MID),
        (MID + 1_000.0, "blend", MID + 500.0),
        (0.0, "blend", MID),
        (MID + 1_000.0, "mid", MID),
    ],
)
def test_it_is_hung_on_the_average_price_where_that_is_near(
    vwap: float, kind: str, base: float
) -> None:
    cfg = make_config(grid={"anchor": kind}).grid
    hung = hang(Hung(), make_view(MID, vwap=vwap), STEP, BOTH, START, cfg)
    assert hung.anchor == Anchor(base, STEP)


@pytest.mark.parametrize(
    ("rungs", "seconds", "may_rise", "center"),
    [
        (1.4, 60, True, 0),
        (1.6, 4, True, 0),  # not away for long enough
        (1.6, 5, True, 1),
        (-1.6, 5, False, -1),
        (1.6, 60, False, 0),  # not upward while only buys are allowed
        (4.9, 5, True, 4),
        (-4.9, 5, True, -4),
    ],
)
def test_a_market_that_stays_away_takes_it_along_by_whole_rungs(
    rungs: float, seconds: int, may_rise: bool, center: int
) -> None:
    mid = MID * (1 + STEP) ** rungs
    assert watch(HUNG, mid, seconds, may_rise=may_rise).anchor.center == center


def test_a_short_excursion_starts_the_clock_anew() -> None:
    away, near = MID * (1 + STEP) ** 2, float(MID)
    hung = watch(watch(watch(HUNG, away, 4), near, 1), away, 4)
    assert hung.anchor.center == 0


def test_a_new_spacing_hangs_a_new_lattice_on_the_same_rung() -> None:
    moved = Hung(Anchor(float(MID), STEP, 3))
    hung = hang(moved, make_view(rung(3)), 0.01, BOTH, START, GRID)
    assert hung.anchor == Anchor(rung(3), 0.01)


@pytest.mark.parametrize("k", [-5, -1, 0, 1, 5])
def test_a_completed_fill_moves_it_to_the_filled_rung(k: int) -> None:
    assert moved_to(HUNG, int(rung(k))).anchor.center == k
    assert moved_to(HUNG, int(rung(k + 0.14))).anchor.center == k  # within the tolerance


def test_a_fill_before_it_was_hung_moves_nothing() -> None:
    assert moved_to(Hung(), MID) == Hung()


def test_after_a_fill_the_market_stands_at_the_anchor_and_nothing_flaps() -> None:
    filled = moved_to(HUNG, int(rung(-1)))
    for mid in (rung(-1) - 5, rung(-1) + 5, rung(-2) + 5):
        assert watch(filled, mid, 60).anchor == filled.anchor


def test_the_proposal_has_levels_sizes_and_headroom() -> None:
    values = CONFIG.regime.trending_up
    plan = propose(make_view(), values, STEP, (-7, 1_000), GRID)
    assert plan.buy_levels == plan.sell_levels == min(5, values.grid_levels)
    assert plan.notional == int(500 * 10**9 * values.order_size_scale)
    assert (plan.buy_units, plan.sell_sats) == (990, 0)
    assert propose(make_view(), CONFIG.regime.chaos, STEP, (1, 1), GRID).buy_levels == 0


@pytest.mark.parametrize("lean", [0.0, STEP / 2, -STEP / 2])
def test_a_fill_of_a_leaning_rung_moves_it_to_that_rung(lean: float) -> None:
    leaning = Hung(HUNG.anchor, lean=lean)
    moved = moved_to(leaning, int(leaning.leaning.price(-2)))
    assert (moved.anchor.center, moved.lean) == (-2, lean)


def test_sells_answer_the_cheapest_buys_first() -> None:
    book = bought(bought(bought((), 300, 5), 100, 5), 200, 5)
    assert book == ((100, 5), (200, 5), (300, 5))
    assert bought(book, 200, 1)[1] == (200, 6)
    assert sold(book, 7) == ((200, 3), (300, 5))
    assert sold(book, 99) == ()


def test_the_book_of_buys_is_bounded_and_loses_no_coin() -> None:
    book: tuple[tuple[int, int], ...] = ()
    for price in range(UNMATCHED_LIMIT + 50):
        book = bought(book, price, 1)
    assert len(book) == UNMATCHED_LIMIT
    assert sum(qty for _, qty in book) == UNMATCHED_LIMIT + 50


def test_a_floor_is_a_step_above_the_buy_and_yields_to_rounding() -> None:
    price = int(rung(-1))
    assert floors(((price, 7),), STEP, 7) == ((int(price * (1 + STEP)) - 1, 7),)
    assert floors(((price, 7),), STEP, 7)[0][0] <= MID


def test_it_does_not_sink_while_nothing_can_be_bought_unless_trailing_says_so() -> None:
    mid = MID * (1 + STEP) ** -1.6
    assert watch(HUNG, mid, 60, may_fall=False).anchor.center == 0
    for trailing, center in (("down", -1), ("both", -1), ("up", 0)):
        cfg = make_config(grid={"trailing": trailing}).grid
        assert watch(HUNG, mid, 60, may_fall=False, cfg=cfg).anchor.center == center
    cfg = make_config(grid={"trailing": "up"}).grid
    above = MID * (1 + STEP) ** 1.6
    assert watch(HUNG, above, 60, may_rise=False, cfg=cfg).anchor.center == 1


def test_it_follows_no_further_than_its_bounds() -> None:
    cfg = make_config(grid={"lowest": "84900", "highest": "85100"}).grid
    for rungs in (-1.6, 1.6):
        assert watch(HUNG, MID * (1 + STEP) ** rungs, 60, cfg=cfg).anchor.center == 0
    plan = propose(make_view(), CONFIG.regime.range_bound, STEP, (10**9, 10**15), cfg)
    laid = lay(plan, Anchor(float(MID), STEP), BTC_EUR, (MID - 5, MID + 5), [], {})
    assert not laid.buys
    assert not laid.sells
    assert {why for _, _, why in laid.missing} == {"below grid.lowest", "above grid.highest"}


EVEN = make_config(grid={"rungs": "arithmetic"}).grid


@given(st.floats(0.0015, 0.01), st.integers(-5, 5))
def test_even_rungs_stand_equally_far_apart_and_never_below_the_step(
    step: float, center: int
) -> None:
    anchor = hang(Hung(), make_view(), step, BOTH, START, EVEN).anchor
    prices = [replace(anchor, center=center).price(k) for k in range(-5, 6)]
    gaps = [after - before for before, after in pairwise(prices)]
    assert max(gaps) - min(gaps) < 1e-6
    assert all(after / before >= 1 + step - 1e-12 for before, after in pairwise(prices))
    assert replace(anchor, center=center).rungs_to(prices[7]) == pytest.approx(2)


def test_even_rungs_are_hung_anew_where_the_market_has_climbed_as_many_as_there_are() -> None:
    anchor = hang(Hung(), make_view(), STEP, BOTH, START, EVEN).anchor
    climbed = Hung(replace(anchor, center=6))
    again = hang(climbed, make_view(climbed.anchor.price(0)), STEP, BOTH, START, EVEN).anchor
    assert (again.center, again.base) == (0, climbed.anchor.price(0))


def test_dust_goes_along_with_the_sell_before_it() -> None:
    rung = 585_950  # 500 EUR at the first rung
    plan = make_plan(sell_sats=rung + 4_000, sell_levels=2)
    laid = lay(plan, Anchor(float(MID), STEP), BTC_EUR, (MID - 5, MID + 5), [], {})
    assert [wish.qty for wish in laid.sells] == [rung + 4_000]


@given(st.integers(0, 10**8))
def test_sells_together_never_exceed_what_may_be_sold(budget: int) -> None:
    plan = make_plan(sell_sats=budget)
    laid = lay(plan, Anchor(float(MID), STEP), BTC_EUR, (MID - 5, MID + 5), [], {})
    assert sum(wish.qty for wish in laid.sells) <= budget
