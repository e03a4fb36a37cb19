"""Stage 6: the anchor seldom moves, and what has been bought is remembered."""

from __future__ import annotations

import pytest

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
    step_of,
)
from strategy.core.plan import Anchor
from tests.unit.strategy.core.build import CONFIG, MID, STEP, make_config, make_view, rung

GRID = CONFIG.grid
START = Ns(1_000 * SECOND)
HUNG = Hung(Anchor(float(MID), STEP))


def watch(hung: Hung, mid: float, seconds: int, *, may_rise: bool = True) -> Hung:
    """The anchor after the market stood at `mid` for so long, looked at each second."""
    for second in range(seconds + 1):
        now = Ns(START + second * SECOND)
        hung = hang(hung, make_view(mid), STEP, may_rise, now, GRID)
    return hung


@pytest.mark.parametrize(
    ("vwap", "kind", "base"),
    [
        (MID + 1_000.0, "vwap", MID + 1_000.0),
        (MID * 1.01, "vwap", MID),  # too far away to hang a grid on
        (0.0, "vwap", MID),
        (MID + 1_000.0, "mid", MID),
    ],
)
def test_it_is_hung_on_the_average_price_where_that_is_near(
    vwap: float, kind: str, base: float
) -> None:
    cfg = make_config(grid={"anchor": kind}).grid
    hung = hang(Hung(), make_view(MID, vwap=vwap), STEP, True, START, cfg)
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
    hung = hang(moved, make_view(rung(3)), 0.01, True, START, GRID)
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


def test_the_step_is_never_below_the_floor_of_the_fees() -> None:
    assert step_of(0.0012, GRID) == pytest.approx(STEP)


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
    assert floors(((price, 7),), STEP) == [(int(price * (1 + STEP)) - 1, 7)]
    assert floors(((price, 7),), STEP)[0][0] <= MID
