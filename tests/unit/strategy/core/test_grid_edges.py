"""The anchor to the moment and the Tick: when it moves, how far, and what it hangs on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared.settings_trade import Grid
from shared.units import SECOND, Ns
from strategy.core.grid import (
    AWAY_FOR,
    UNMATCHED_LIMIT,
    Hung,
    bought,
    first_anchor,
    floors,
    hang,
    moved_to,
    propose,
    sold,
)
from strategy.core.plan import Anchor
from tests.unit.strategy.core.build import CONFIG, MID, make_config, make_view

GRID = CONFIG.grid
BASE = 1_000_000.0
EVEN = make_config(grid={"rungs": "arithmetic"}).grid
START = Ns(1_000 * SECOND)


def even(center: int = 0) -> Hung:
    """Hung at even distances, with the step that ten rungs leave of it."""
    wanted = 0.01 / (1.0 - 2.0 * EVEN.levels * 0.01)
    return Hung(Anchor(BASE, wanted, center, even=True))


def rung(k: float) -> float:
    return BASE * (1.0 + even().anchor.step * k)


def step_at(
    hung: Hung,
    mid: float,
    after: int,
    *,
    may: tuple[bool, bool] = (True, True),
    cfg: Grid = EVEN,
) -> Hung:
    """So many ns after the start, with the step that it has."""
    return hang(hung, make_view(mid), 0.01, may, Ns(START + after), cfg)


@pytest.mark.parametrize(
    ("k", "leaves"), [(1.4999, False), (1.5001, True), (-1.4999, False), (-1.5001, True)]
)
def test_it_is_left_at_a_rung_and_a_half(k: float, leaves: bool) -> None:
    assert bool(step_at(even(), rung(k), 0).away_since) is leaves


def test_a_rung_and_a_half_itself_is_left() -> None:
    quarter = Hung(Anchor(BASE, 0.25, even=True))
    for mid, leaves in ((BASE * 1.375, True), (BASE * 1.3749, False), (BASE * 0.625, True)):
        found = hang(quarter, make_view(mid), 0.125, (True, True), START, EVEN)
        assert bool(found.away_since) is leaves


@pytest.mark.parametrize(
    ("bounds", "mid", "center"),
    [
        ({"highest": "125000"}, BASE * 1.375, 1),
        ({"highest": "124999.9"}, BASE * 1.375, 0),
        ({"lowest": "75000"}, BASE * 0.625, -1),
        ({"lowest": "75000.1"}, BASE * 0.625, 0),
    ],
)
def test_the_price_of_a_bound_may_be_stood_on(
    bounds: dict[str, str], mid: float, center: int
) -> None:
    cfg = make_config(grid={"rungs": "arithmetic"} | bounds).grid
    hung = Hung(Anchor(BASE, 0.25, even=True))
    for now in (START, Ns(START + AWAY_FOR)):
        hung = hang(hung, make_view(mid), 0.125, (True, True), now, cfg)
    assert hung.anchor.center == center


@pytest.mark.parametrize(("after", "center"), [(AWAY_FOR - 1, 0), (AWAY_FOR, 1)])
def test_it_follows_at_the_very_moment_five_seconds_are_over(after: int, center: int) -> None:
    gone = step_at(even(), rung(1.6), 0)
    assert gone.away_since == START
    still = step_at(gone, rung(1.6), after)
    assert still.anchor.center == center
    assert still.away_since == (START if center == 0 else 0)


def test_it_follows_to_the_last_rung_that_the_market_has_passed() -> None:
    for k, center in ((2.99, 2), (3.01, 3), (-2.99, -2), (-3.01, -3)):
        gone = step_at(step_at(even(), rung(k), 0), rung(k), AWAY_FOR)
        assert gone.anchor.center == center
        assert replace(gone.anchor, center=0) == even().anchor


def test_a_market_that_went_the_way_that_is_not_allowed_starts_no_clock() -> None:
    assert not step_at(even(), rung(1.6), 0, may=(True, False)).away_since
    assert not step_at(even(), rung(-1.6), 0, may=(False, True)).away_since
    assert step_at(even(), rung(1.6), 0, may=(False, True)).away_since
    assert step_at(even(), rung(-1.6), 0, may=(True, False)).away_since


@pytest.mark.parametrize(
    ("bounds", "k", "follows"),
    [
        ({"highest": "100000"}, 1.6, False),
        ({"highest": "200000"}, 1.6, True),
        ({"highest": "0"}, 1.6, True),  # no bound
        ({"lowest": "100000"}, -1.6, False),
        ({"lowest": "50000"}, -1.6, True),
    ],
)
def test_it_never_stands_beyond_the_bounds(bounds: dict[str, str], k: float, follows: bool) -> None:
    """The base is 100,000.0 EUR: a bound that stands on it allows no rung beyond."""
    cfg = make_config(grid={"rungs": "arithmetic"} | bounds).grid
    gone = step_at(step_at(even(), rung(k), 0, cfg=cfg), rung(k), AWAY_FOR, cfg=cfg)
    assert (gone.anchor.center != 0) is follows


def test_a_bound_itself_may_be_reached() -> None:
    anchor = even().anchor
    for k, name in ((1, "highest"), (-1, "lowest")):
        edge = Decimal(round(anchor.price(k))).scaleb(-1)
        for off, follows in ((Decimal("0.2") * k, True), (Decimal("-0.2") * k, False)):
            cfg = make_config(grid={"rungs": "arithmetic", name: str(edge + off)}).grid
            mid = rung(1.6 * k)
            gone = step_at(step_at(even(), mid, 0, cfg=cfg), mid, AWAY_FOR, cfg=cfg)
            assert (gone.anchor.center == k) is follows


def test_the_lean_is_kept_whatever_the_anchor_does() -> None:
    leaning = replace(even(), lean=0.002)
    for hung in (
        step_at(Hung(lean=0.002), BASE, 0),
        step_at(leaning, BASE, 0),
        step_at(leaning, rung(1.6), 0),
        step_at(step_at(leaning, rung(1.6), 0), rung(1.6), AWAY_FOR // 2),
        step_at(step_at(leaning, rung(1.6), 0), rung(1.6), AWAY_FOR),
        moved_to(leaning, int(BASE)),
    ):
        assert hung.lean == 0.002
    assert leaning.leaning == replace(leaning.anchor, base=BASE * 1.002)
    assert even().leaning == even().anchor


def test_an_average_price_exactly_a_step_away_is_too_far() -> None:
    cfg = make_config(grid={"anchor": "vwap"}).grid
    for vwap, base in ((BASE * 1.25, BASE), (BASE * 1.2499, BASE * 1.2499), (BASE * 0.75, BASE)):
        assert first_anchor(make_view(BASE, vwap=vwap), 0.25, cfg).base == base


def test_even_rungs_are_hung_anew_beyond_as_many_rungs_as_there_are_and_not_at_them() -> None:
    for center in (5, -5):
        assert step_at(even(center), rung(center), 0).anchor.center == center
    for center in (6, -6):
        again = step_at(even(center), rung(center), 0).anchor
        assert again.center == 0
        assert again.base == pytest.approx(rung(center))


def test_geometric_rungs_climb_as_far_as_they_like() -> None:
    climbed = Hung(Anchor(BASE, 0.01, 40))
    mid = climbed.anchor.price(0)
    assert hang(climbed, make_view(mid), 0.01, (True, True), START, GRID).anchor == climbed.anchor


def test_a_change_of_kind_hangs_the_lattice_anew_on_its_centre() -> None:
    geometric = Hung(Anchor(BASE, 0.01, 2))
    again = step_at(geometric, geometric.anchor.price(0), 0).anchor
    assert (again.even, again.center, again.base) == (True, 0, geometric.anchor.price(0))
    back = hang(Hung(again), make_view(again.base), 0.01, (True, True), START, GRID).anchor
    assert back == Anchor(again.base, 0.01)


def test_even_steps_are_widened_so_that_the_highest_still_stands_a_step_away() -> None:
    assert first_anchor(make_view(BASE), 0.01, EVEN).step == pytest.approx(0.01 / 0.9)
    assert first_anchor(make_view(BASE), 0.09, EVEN).step == pytest.approx(0.09 / 0.5)
    assert first_anchor(make_view(BASE), 0.01, GRID) == Anchor(BASE, 0.01)


def test_a_fill_moves_it_from_wherever_it_stands() -> None:
    moved = moved_to(even(3), round(rung(5)))
    assert moved.anchor == even(5).anchor
    assert moved_to(even(3), round(rung(2))).anchor == even(2).anchor
    assert not moved_to(replace(even(), away_since=START), round(rung(1))).away_since


# What is proposed.


def test_the_proposal_names_step_model_and_fewer_levels() -> None:
    values = replace(CONFIG.regime.range_bound, grid_levels=3, order_size_scale=0.5)
    plan = propose(make_view(), values, 0.0123, (5, 100), GRID, "ATR")
    assert plan.why == ("the regime quotes 3 levels", "rungs 123 bps apart (ATR)")
    assert (plan.buy_levels, plan.buy_most, plan.sell_levels, plan.sell_most) == (3, 3, 3, 3)
    assert (plan.notional, plan.spacing) == (250 * 10**9, 0.0123)
    assert (plan.sell_sats, plan.buy_units) == (5, 99)
    more = replace(values, grid_levels=20)
    assert propose(make_view(), more, 0.0123, (5, 100), GRID).why == ("rungs 123 bps apart",)
    assert propose(make_view(), more, 0.0123, (5, 100), GRID).buy_levels == GRID.levels


def test_the_bounds_of_the_settings_are_prices_of_the_pair() -> None:
    cfg = make_config(grid={"lowest": "70000.5", "highest": "99999.9"}).grid
    plan = propose(make_view(), CONFIG.regime.range_bound, 0.01, (0, 0), cfg)
    assert (plan.lowest, plan.highest) == (700_005, 999_999)


# The buys that no sell has answered.


def test_a_sell_answers_part_of_a_buy_and_the_rest_stays_where_it_was() -> None:
    book = ((100, 5), (200, 5))
    assert sold(book, 0) == book
    assert sold(book, 5) == ((200, 5),)
    assert sold(book, 4) == ((100, 1), (200, 5))
    assert sold(book, 6) == ((200, 4),)


def test_beyond_their_number_the_dearest_two_become_the_dearest() -> None:
    book = tuple((price, 1) for price in range(1, UNMATCHED_LIMIT + 1))
    more = bought(book, UNMATCHED_LIMIT + 7, 2)
    assert len(more) == UNMATCHED_LIMIT
    assert more[-1] == (UNMATCHED_LIMIT + 7, 3)
    assert more[:-1] == book[:-1]
    assert bought(book, 3, 4)[2] == (3, 5)


def test_floors_are_whole_ticks_one_below_the_step_above_each_buy() -> None:
    assert floors(((1_000, 7), (2_000, 8)), 0.0105, 8) == ((1_009, 7), (2_020, 8))
    assert floors((), 0.01, 8) == ()


def test_floors_are_those_of_the_buys_that_so_many_sats_answer() -> None:
    book = ((1_000, 7), (2_000, 8), (3_000, 9))
    assert [least for least, _ in floors(book, 0.0, 7)] == [999]
    assert [least for least, _ in floors(book, 0.0, 8)] == [999, 1_999]
    assert len(floors(book, 0.0, 24)) == len(floors(book, 0.0, 100)) == 3
    assert floors(book, 0.0, 0) == ()


def test_the_first_look_at_an_unhung_lattice_hangs_it_whatever_may_follow() -> None:
    found = hang(Hung(), make_view(MID), 0.01, (False, False), START, GRID)
    assert found == Hung(Anchor(float(MID), 0.01))
