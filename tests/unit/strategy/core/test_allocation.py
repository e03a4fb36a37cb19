"""Capital for each pair, and the fence between two pairs of one coin."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from shared.units import Sats, Ticks
from strategy.core.allocation import Neighbour, allot, correlation, fence, fenced, parts
from strategy.core.plan import Anchor, lay
from strategy.core.samples import Sample, Samples
from strategy.core.slots import State
from tests.unit.strategy.core.build import BTC_EUR, MID, STEP, make_plan, make_slot

walks = st.lists(st.floats(-0.01, 0.01), min_size=31, max_size=60)


def walk(returns: list[float]) -> Samples:
    price, samples = 100.0, []
    for step in returns:
        price *= 1 + step
        samples.append(Sample(price, price, price))
    return Samples(tuple(samples))


@given(walks, walks)
def test_correlation_is_bounded_symmetric_and_one_with_itself(
    a: list[float], b: list[float]
) -> None:
    one, other = walk(a), walk(b)
    found = correlation(one, other)
    assert -1.0 <= found <= 1.0
    assert math.isclose(found, correlation(other, one), abs_tol=1e-9)
    assert math.isclose(correlation(one, one), 1.0, abs_tol=1e-9)


def test_too_few_samples_count_as_moving_together() -> None:
    assert correlation(walk([0.01] * 5), walk([-0.01] * 50)) == 1.0


@given(st.floats(0.1, 0.5), st.floats(0.1, 0.5), walks, walks)
def test_two_pairs_never_risk_more_than_the_same_weights_would_apart(
    w1: float, w2: float, a: list[float], b: list[float]
) -> None:
    one, other = walk(a), walk(b)
    found = parts({"A": w1, "B": w2}, {"A": one, "B": other})
    rho = max(0.0, correlation(one, other))
    risk = found["A"] ** 2 + found["B"] ** 2 + 2 * rho * found["A"] * found["B"]
    assert math.isclose(risk, w1**2 + w2**2, rel_tol=1e-9)
    assert math.isclose(found["A"] / found["B"], w1 / w2, rel_tol=1e-9)
    assert 0 < found["A"] <= w1 * (1 + 1e-12)


SWINGS = [0.01 * (-1) ** (n // 3) for n in range(40)]
ONE, AGAINST = walk([math.expm1(s) for s in SWINGS]), walk([math.expm1(-s) for s in SWINGS])


def test_pairs_that_move_as_one_get_less_than_pairs_that_move_apart() -> None:
    weights = {"A": 0.5, "B": 0.3}
    apart = parts(weights, {"A": ONE, "B": AGAINST})
    assert math.isclose(apart["A"], 0.5)
    assert math.isclose(apart["B"], 0.3)
    as_one = parts(weights, {"A": ONE, "B": ONE})
    scale = math.sqrt(0.5**2 + 0.3**2) / 0.8
    assert math.isclose(as_one["A"], 0.5 * scale)
    assert math.isclose(as_one["B"], 0.3 * scale)


def test_until_a_correlation_is_known_two_equal_pairs_have_seven_tenths_of_their_weights() -> None:
    found = parts({"A": 0.5, "B": 0.5}, {"A": Samples(), "B": Samples()})
    assert found == {"A": math.sqrt(0.5) / 2, "B": math.sqrt(0.5) / 2}


def test_each_two_of_three_pairs_are_weighed() -> None:
    found = parts(dict.fromkeys("ABC", 0.2), {"A": ONE, "B": AGAINST, "C": ONE})
    for part in found.values():
        assert math.isclose(part, 0.2 * math.sqrt(3 / 5))


def test_what_is_allotted_is_rounded_down() -> None:
    third = allot(make_plan(buy_units=5, sell_sats=5), 1 / 3)
    assert (third.buy_units, third.sell_sats) == (1, 1)


def test_one_pair_alone_has_all_of_it() -> None:
    assert parts({"A": 0.7}, {}) == {"A": 1.0}
    assert allot(make_plan(), 1.0) == make_plan()
    half = allot(make_plan(), 0.5)
    assert (half.buy_units, half.sell_sats) == (7_000 * 10**9, 8_000_000)


@given(st.integers(80_0000, 90_0000), st.integers(80_0000, 90_0000), st.floats(0.5, 2.0))
def test_no_rung_reaches_our_own_order_on_another_pair(
    their_buy: int, their_sell: int, rate: float
) -> None:
    slots = (
        make_slot("b1", State.LIVE, price=Ticks(their_buy)),
        make_slot("s1", State.AMEND_PENDING, price=Ticks(their_sell),
                  was_price=Ticks(their_sell + 500), was_qty=Sats(1)),
        make_slot("s2"),
    )  # fmt: skip
    bounds = fence([Neighbour(slots, rate, 0.0024)])
    plan = fenced(make_plan(), bounds)
    laid = lay(plan, Anchor(float(MID), STEP), BTC_EUR, (MID - 5, MID + 5), [], {})
    for wish in laid.buys:
        assert wish.price < their_sell * rate * (1 - 0.0024)
    for wish in laid.sells:
        assert wish.price > their_buy * rate * (1 + 0.0024)


def test_a_neighbour_at_rest_nowhere_fences_nothing() -> None:
    empty = (make_slot("b1"), make_slot("s1"))
    assert fence([Neighbour(empty, 1.0, 0.0)]) == (math.inf, 0.0)
    assert fenced(make_plan(), fence([])) == make_plan()


def test_the_fence_stands_both_fees_away_in_our_ticks() -> None:
    slots = (
        make_slot("b1", State.LIVE, price=Ticks(900_000)),
        make_slot("s1", State.LIVE, price=Ticks(1_000_000)),
    )
    below, above = fence([Neighbour(slots, 0.5, 0.01)])
    assert math.isclose(below, 495_000)
    assert math.isclose(above, 454_500)


def test_the_nearest_order_of_all_neighbours_fences_at_the_worst_price_it_may_still_have() -> None:
    """An amend that is under way may rest at its new price or at the one before."""
    one = (
        make_slot("b1", State.LIVE, price=Ticks(800_000)),
        make_slot("b2", State.LIVE, price=Ticks(790_000)),
        make_slot("s1", State.LIVE, price=Ticks(900_000)),
        make_slot("s2", State.LIVE, price=Ticks(910_000)),
    )
    amended = {"state": State.AMEND_PENDING, "was_qty": Sats(588_000)}
    other = (
        make_slot("b1", price=Ticks(780_000), was_price=Ticks(810_000), **amended),
        make_slot("s1", price=Ticks(920_000), was_price=Ticks(890_000), **amended),
    )
    both = [Neighbour(one, 1.0, 0.0), Neighbour(other, 1.0, 0.0)]
    assert fence(both) == fence(both[::-1]) == (890_000, 810_000)
    assert fence(both[:1]) == (900_000, 800_000)


def test_a_fence_on_one_side_alone_holds_that_side() -> None:
    buys = (make_slot("b1", State.LIVE, price=Ticks(MID + 5_000)),)
    sells = (make_slot("s1", State.LIVE, price=Ticks(MID - 5_000)),)
    for slots, side in ((buys, 1), (sells, -1)):
        plan = fenced(make_plan(), fence([Neighbour(slots, 1.0, 0.0)]))
        laid = lay(plan, Anchor(float(MID), STEP), BTC_EUR, (MID - 5, MID + 5), [], {})
        assert len(laid.buys if side > 0 else laid.sells) == 5
        assert len(laid.sells if side > 0 else laid.buys) == 4
