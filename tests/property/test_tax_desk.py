"""The gate's desk and the strategy's lots are two books of the same fills: they never part."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import DAY, Ns, Side
from strategy.core.taxdesk import PER_SAT
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.events import of_trade
from strategy.ledger.lots import Lots, trade_of
from strategy.ledger.rates import Rates
from tests.unit.strategy.core.build import MID, WALL, make_fill

fills = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 900), st.integers(1, 5_000_000)), max_size=25
)


@given(fills, st.integers(0, 900), st.sampled_from([0, 4, 200]))
@settings(max_examples=80, deadline=None)
def test_what_is_held_and_what_is_free_is_the_same_in_both(
    told: list[tuple[Side, int, int]], asked: int, safety: int
) -> None:
    """Fills in any order of arrival, asked after each, forwards and backwards in time."""
    lots, desk = Lots("BTC"), Desk([], Rates(), DeskSettings("BTC", safety))
    for number, (side, days, qty) in enumerate(told):
        wall = WALL - days * DAY
        fill = make_fill(f"T{number}", side, MID, qty, wall=wall, trade_id=number + 1)
        lots.book(fill)
        trade = trade_of(fill)
        assert trade is not None
        desk.hear(of_trade(trade))
        assert desk.total() == lots.total() * PER_SAT >= 0
        for now in (Ns(WALL), Ns(WALL - asked * DAY), Ns(WALL + asked * DAY)):
            assert desk.free(now) == lots.free_prefix(now, safety) * PER_SAT
            assert desk.next_free_wall(now) == lots.next_free_wall(now, safety)
