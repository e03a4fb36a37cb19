"""What is said of all prices between two holds at each of them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import Ns, Side
from strategy.core.between import Found, alike
from strategy.core.gate import off_collar
from strategy.core.grid import Hung, hang, stays
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.plan import NO_COINS, NO_FUNDS, Anchor, Laid, Plan
from strategy.core.skew import tilt, tilts
from tests.unit.strategy.core.build import CONFIG, MID, STEP, make_plan, make_view
from tests.unit.strategy.core.desk import Desk

NOW = Ns(1_000_000_000_000)
ANCHOR = Anchor(float(MID), STEP)
flags = st.tuples(st.booleans(), st.booleans())


def euros(rung: float) -> Decimal:
    return Decimal(int(ANCHOR.price(0) * (1 + STEP) ** rung)) / 10


@given(
    st.tuples(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0)),
    flags,
    st.sampled_from(["off", "up", "down", "both"]),
    st.none() | st.tuples(st.floats(-4.0, 0.0), st.floats(0.0, 4.0)),
)
def test_an_anchor_that_stays_between_two_prices_stays_at_each_of_them(
    rungs: tuple[float, float],
    follow: tuple[bool, bool],
    trailing: str,
    bounds: tuple[float, float] | None,
) -> None:
    cfg = replace(CONFIG.grid, trailing=trailing)
    if bounds is not None:
        cfg = replace(cfg, lowest=euros(bounds[0]), highest=euros(bounds[1]))
    mids = [MID * (1 + STEP) ** rung for rung in rungs]
    if not stays(ANCHOR, (make_view(mids[0]), make_view(mids[1])), follow, cfg):
        return
    for part in range(21):
        mid = mids[0] + (mids[1] - mids[0]) * part / 20
        assert hang(Hung(ANCHOR), make_view(mid), STEP, follow, NOW, cfg) == Hung(ANCHOR)


def test_a_bound_between_two_rungs_holds_the_anchor_from_the_second_on_alone() -> None:
    cfg = replace(CONFIG.grid, lowest=euros(-1.5))
    below, above = (make_view(MID * (1 + STEP) ** rung) for rung in (-2.2, -1.0))
    assert hang(Hung(ANCHOR), below, STEP, (True, True), NOW, cfg) == Hung(ANCHOR)
    assert hang(Hung(ANCHOR), above, STEP, (True, True), NOW, cfg) == Hung(ANCHOR)
    between = make_view(MID * (1 + STEP) ** -1.7)
    assert hang(Hung(ANCHOR), between, STEP, (True, True), NOW, cfg).away_since == NOW
    assert not stays(ANCHOR, (below, above), (True, True), cfg)
    assert stays(ANCHOR, (below, above), (False, True), cfg)


def test_the_tilt_changes_at_its_shares_and_nowhere_else() -> None:
    values = CONFIG.regime.range_bound
    edges = sorted(tilts(values))
    places = [0.0, *edges, 1.0]
    for low, high in pairwise(places):
        inside = [low + (high - low) * part for part in (0.02, 0.5, 0.98)]
        plans = [tilt(make_plan(), part, values) for part in inside]
        assert len({(plan.buy_scale, plan.sell_scale) for plan in plans}) == 1


@pytest.mark.parametrize(
    ("price", "mids", "refused"),
    [
        (112, (100.0, 101.0), True),
        (111, (100.0, 101.0), False),  # from 101 on it lies within
        (89, (100.0, 101.0), True),
        (91, (100.0, 102.0), False),
        (112, (101.0, 100.0), True),  # whichever comes first
    ],
)
def test_a_price_lies_off_the_collar_if_it_does_at_each_mid(
    price: int, mids: tuple[float, float], refused: bool
) -> None:
    assert off_collar(price, mids, 0.10) is refused


def ends() -> tuple[Memory, PairMemory, Found, Found]:
    """What a core that quotes wishes, at its price and a little above; nothing is short."""
    desk = Desk()
    desk.connect()
    desk.run(60)
    pair = desk.memory.pairs["BTC/EUR"]
    assert pair.view is not None
    assert pair.plan is not None
    assert pair.laid is not None
    plan = replace(pair.plan, sell_sats=pair.laid.sell_sats + 10**6)
    here = Found(pair.view, plan, pair.hung, replace(pair.laid, missing=()))
    return desk.memory, pair, here, replace(here, view=make_view(pair.view.mid + 20))


def test_budgets_that_leave_nothing_out_at_either_end_are_not_looked_at() -> None:
    def lay(view: View, plan: Plan) -> Laid:
        raise AssertionError

    memory, pair, here, there = ends()
    assert here.laid.buys
    assert here.laid.sells
    assert alike(memory, pair, here, there, lay)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_rung_without_funds_at_both_ends_may_be_paid_for_between(side: Side) -> None:
    memory, pair, here, there = ends()
    why = NO_FUNDS if side is Side.BUY else NO_COINS
    laid = Laid(here.laid.buys, here.laid.sells, ((side, 6, why),))
    more = here.laid.buys[0]
    asked: list[Plan] = []
    one, other = (replace(end, laid=laid) for end in (here, there))
    other = replace(
        other,
        plan=replace(
            other.plan, buy_units=other.plan.buy_units - 1, sell_sats=other.plan.sell_sats - 1
        ),
    )

    def kept(view: View, plan: Plan) -> Laid:
        asked.append(plan)
        return laid

    def paid(view: View, plan: Plan) -> Laid:
        return Laid((*laid.buys, more), (*laid.sells, more), ())

    assert alike(memory, pair, one, other, kept)
    assert asked, "it is laid again with the largest budget between"
    assert not alike(memory, pair, one, other, paid)
