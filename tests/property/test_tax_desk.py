"""The gate's desk and the strategy's lots are two books of the same fills: they never part."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import DAY, Ns, Side
from strategy.core.taxdesk import PER_SAT
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.events import of_trade
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Rate, Rates, published_day
from strategy.ledger.tax import berlin_day
from strategy.ledger.trade import trade_of
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


@given(fills, st.sampled_from(["EUR", "BTC"]), st.sampled_from(["BTC/EUR", "BTC/USD"]))
@settings(max_examples=60, deadline=None)
def test_a_trade_stands_for_its_event(
    told: list[tuple[Side, int, int]], fee_in: str, pair: str
) -> None:
    """What a start books straight from the lots' trades is what their events say."""
    trades = []
    for number, (side, days, qty) in enumerate(told):
        wall = Ns(WALL - days * DAY)
        fill = make_fill(f"T{number}", side, MID, qty + 1000, wall=wall, trade_id=number + 1)
        fee = Decimal("0.00000123") if fee_in == "BTC" else Decimal("0.4321")
        trade = trade_of(replace(fill, pair=pair, fees=((fee_in, fee),)))
        assert trade is not None
        trades.append(trade)
    rates = Rates(
        Rate(published_day(berlin_day(trade.wall)), "USD", Decimal("1.1")) for trade in trades
    )
    settled = DeskSettings("BTC", 4)
    straight, by_event = Desk(trades, rates, settled), Desk(map(of_trade, trades), rates, settled)
    assert straight.lots() == by_event.lots()
    assert straight.years() == by_event.years()
    assert straight.cost() == by_event.cost()
    assert straight.days() == by_event.days()
    assert straight.gate(WALL, 10**9) == by_event.gate(WALL, 10**9)
    for trade in trades:
        straight.hear(of_trade(trade))
    assert straight.version == 0, "each was known by its name"
