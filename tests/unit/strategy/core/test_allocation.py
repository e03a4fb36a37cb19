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
def test_parts_never_exceed_the_weights_together(
    w1: float, w2: float, a: list[float], b: list[float]
) -> None:
    found = parts({"A": w1, "B": w2}, {"A": walk(a), "B": walk(b)})
    assert math.isclose(sum(found.values()), min(1.0, w1 + w2), rel_tol=1e-9)
    assert all(part > 0 for part in found.values())


def test_the_pair_that_moves_less_with_the_others_gets_more() -> None:
    same = [0.01 * (-1) ** n for n in range(40)]
    apart = [0.01 * (-1) ** (n // 2) for n in range(40)]
    found = parts(dict.fromkeys("ABC", 1 / 3), {"A": walk(same), "B": walk(same), "C": walk(apart)})
    assert found["C"] > found["A"]
    assert math.isclose(found["A"], found["B"])


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
    assert fence([Neighbour((make_slot("b1"),), 1.0, 0.0)]) == (math.inf, 0.0)
    assert fenced(make_plan(), fence([])) == make_plan()


def test_the_fence_stands_both_fees_away_in_our_ticks() -> None:
    slots = (
        make_slot("b1", State.LIVE, price=Ticks(900_000)),
        make_slot("s1", State.LIVE, price=Ticks(1_000_000)),
    )
    below, above = fence([Neighbour(slots, 0.5, 0.01)])
    assert math.isclose(below, 495_000)
    assert math.isclose(above, 454_500)
