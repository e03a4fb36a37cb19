"""Stage 7: the free front of the queue, the room of the year behind it, and what holds it shut."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.orders import Filled
from shared.units import DAY, Ns, Sats, Side, Ticks
from strategy.core.memory import Memory, Start
from strategy.core.plan import Laid
from strategy.core.risk import Pause, Risk
from strategy.core.slots import Add, State, Wish
from strategy.core.taxgate import (
    BEYOND_ROOM,
    assess_taxes,
    euro_price,
    is_locked,
    leave,
    look,
    overrides,
    paced,
    trimmed,
    withhold,
)
from strategy.ledger.events import (
    KRAKEN,
    Arrived,
    Departed,
    Exchanged,
    Origin,
    Units,
    of_trade,
)
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Rate, published_day
from strategy.ledger.tax import berlin_day
from strategy.ledger.trade import trade_of
from tests.unit.strategy.core.build import (
    BOOT,
    MID,
    STAMP,
    WALL,
    make_book,
    make_config,
    make_fill,
    make_memory,
    make_plan,
    make_slot,
    old_lots,
)
from tests.unit.strategy.core.test_gate import one, put, ready, verdict

ROOM: dict[str, Any] = {"annual_exemption_eur": "1000"}
MIN = Sats(5_000)


def bought(*lots: tuple[int, int, int], named: str = "T") -> Lots:
    """(days ago, Sats, price) of each purchase. named: how its ids begin; a desk's fills take T."""
    queue = Lots("BTC")
    for number, (days, sats, price) in enumerate(lots):
        wall = WALL - days * DAY
        queue.book(
            make_fill(f"{named}-{number}", Side.BUY, price, sats, wall=wall, trade_id=number + 1)
        )
    return queue


def of(lots: Lots, *others: object, **tax: Any) -> Memory:
    memory = ready(make_memory(make_config(tax=ROOM | tax), lots=lots))
    start = Start(BOOT, WALL, STAMP, others=others)  # type: ignore[arg-type]
    made = ready(Memory(memory.config, start, Lots.of("BTC", lots.trades())))
    made.balances = {"EUR": Decimal(14_000), "BTC": Decimal(10)}
    return made


def tell(memory: Memory, fill: Filled) -> None:
    """A fill, heard by the lots and by the desk."""
    memory.lots.book(fill)
    trade = trade_of(fill)
    assert trade is not None
    memory.desk.hear(of_trade(trade))


def sell(price: int, qty: int, name: str = "s1") -> Add:
    return Add(make_slot(name), Wish(Side.SELL, Ticks(price), Sats(qty), 1))


# The free front.


@pytest.mark.parametrize(
    ("free", "levels", "budget"),
    [(0, 0, 0), (4_999, 0, 4_999), (5_000, 5, 5_000), (99_000_000, 5, 16_000_000)],
)
def test_free_coins_bound_the_sells_and_none_end_them(free: int, levels: int, budget: int) -> None:
    memory = of(bought((400, free, MID)) if free else Lots("BTC"), annual_exemption_eur="0")
    plan = withhold(make_plan(), leave(memory, one(memory)))
    assert (plan.sell_levels, plan.sell_sats) == (levels, budget)
    assert plan.buy_levels == 5


def test_no_later_stage_lifts_the_ceiling() -> None:
    memory = of(Lots("BTC"), annual_exemption_eur="0")
    plan = withhold(make_plan(), leave(memory, one(memory)))
    assert plan.capped("more", sell=5).sell_levels == 0
    assert plan.budgeted("more", sell_sats=10**9).sell_sats == 0


def test_locked_below_the_least_quantity_and_without_room() -> None:
    assert is_locked(of(bought((400, 4_999, MID)), annual_exemption_eur="0"), MIN)
    assert not is_locked(of(bought((400, 5_000, MID)), annual_exemption_eur="0"), MIN)
    assert not is_locked(of(bought((100, 10**8, MID))), MIN)


def test_everything_the_ledger_knows_counts_not_only_our_fills() -> None:
    """An imported deposit of old coins is free; a withdrawal has taken the oldest ones."""
    long_ago = Ns(WALL - 900 * DAY)
    came = Arrived(
        "D1", Ns(WALL - 9 * DAY), 0, KRAKEN, "BTC", Units(10**10), Origin.PURCHASE, long_ago,
        Decimal(100),
    )  # fmt: skip
    gone = Departed("W1", Ns(WALL - 8 * DAY), 0, KRAKEN, "BTC", Units(3 * 10**9))
    memory = of(bought((400, 10**7, MID), (5, 10**7, MID)), came, gone)
    assert memory.held() == 10**8 - 3 * 10**7 + 2 * 10**7
    assert memory.free() == 10**8 - 3 * 10**7 + 10**7


def test_what_was_declared_as_gone_is_not_sold_again() -> None:
    memory = of(bought((400, 10**7, MID)))
    memory.audit = type(memory.audit)(external=-4 * 10**6)
    assert memory.free() == 6 * 10**6


# The room behind it.


def test_beyond_the_free_coins_a_sell_rests_while_its_gain_fits_the_year() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)))
    price = MID + 80_000  # 8,000 EUR a coin: 0.1249 of them gain 999.20 EUR
    assert verdict(memory, sell(price, 10**6)) == ""
    assert verdict(memory, sell(MID + 3_000, 2 * 10**6)) == ""
    spent = of(bought((400, 10**6, MID), (100, 10**7, MID)), external_s23_net_eur="999.50")
    assert verdict(spent, sell(MID + 3_000, 10**6)) == ""
    assert "passes the room" in verdict(spent, sell(MID + 3_000, 2 * 10**6))


def test_a_year_of_its_own_external_result_shuts_the_room_of_that_year_only() -> None:
    years = [{"year": 2026, "external_s23_net_eur": "1000"}]
    memory = of(bought((100, 10**7, MID)), years=years)
    assert is_locked(memory, MIN)
    memory.wall = Ns(WALL + 120 * DAY)  # January 2027
    assert not is_locked(memory, MIN)


def test_a_loss_of_the_year_gives_room_and_a_gain_takes_it() -> None:
    lots = bought((100, 10**7, MID), (90, 10**7, MID))
    lots.book(make_fill("S", Side.SELL, MID + 95_000, 10**7, wall=WALL - DAY, trade_id=9))
    memory = of(lots)
    year = berlin_day(WALL).year
    assert memory.desk.net(year) == Decimal("950") - Decimal("10.20") - Decimal("11.34")
    assert verdict(memory, sell(MID + 10_000, 10**6)) == ""
    assert "passes the room" in verdict(memory, sell(MID + 80_000, 2 * 10**6))


def test_told_to_go_beyond_the_limit_it_sells_whatever_the_gain() -> None:
    memory = of(bought((100, 10**7, MID // 10)), beyond_limit=True)
    assert verdict(memory, sell(MID + 3_000, 2 * 10**6)) == ""
    assert verdict(of(bought((100, 10**7, MID // 10))), sell(MID + 3_000, 2 * 10**6)) != ""


def test_coins_of_the_reform_are_not_sold_once_it_is_enacted() -> None:
    lots = Lots("BTC")
    lots.book(make_fill("T-n", Side.BUY, MID, 10**7, wall=WALL + 150 * DAY))
    for enacted in (False, True):
        memory = of(lots, reform_enacted=enacted)
        memory.wall = Ns(WALL + 800 * DAY)
        assert memory.free() == (0 if enacted else 10**7)
        assert is_locked(memory, MIN) is enacted


def test_a_missing_rate_leaves_the_free_coins_alone() -> None:
    usd = Exchanged(
        "E1", Ns(WALL - DAY), 0, KRAKEN, "ETH", Side.BUY, Units(10**10), "USD", Decimal(10)
    )
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)), usd)
    assert verdict(memory, sell(MID + 3_000, 10**6)) == ""
    assert "free of tax" in verdict(memory, sell(MID + 3_000, 2 * 10**6))
    memory.desk.learn([Rate(published_day(berlin_day(Ns(WALL - DAY))), "USD", Decimal("1.1"))])
    assert verdict(memory, sell(MID + 3_000, 2 * 10**6)) == ""


# Near the threshold.


def test_a_lot_that_is_nearly_free_is_not_sold_at_a_gain_and_may_be_at_a_loss() -> None:
    nearly = bought((350, 10**7, MID))
    memory = of(nearly)
    assert "free of tax in" in verdict(memory, sell(MID + 3_000, 10**6))
    assert verdict(of(nearly, near_threshold_days=365), sell(MID + 3_000, 10**6)) == ""
    dear = of(bought((350, 10**7, MID + 90_000)))
    assert verdict(dear, sell(MID + 3_000, 10**6)) == ""


def test_the_loss_of_a_lot_whose_year_has_ended_gives_no_room() -> None:
    """In the safety days the book counts it as free: its loss is worth nothing any more."""
    ends = bought((366, 10**6, MID + 400_000), (100, 10**7, MID))
    memory = of(ends, external_s23_net_eur="999.90", holding_safety_days=20)
    assert "passes the room" in verdict(memory, sell(MID + 6_000, 2 * 10**6))
    counts = bought((300, 10**6, MID + 400_000), (100, 10**7, MID))
    memory = of(counts, external_s23_net_eur="999.90")
    assert verdict(memory, sell(MID + 6_000, 2 * 10**6)) == ""


# What is laid.


def laid(*wishes: tuple[int, int]) -> Laid:
    return Laid(
        (), tuple(Wish(Side.SELL, Ticks(p), Sats(q), k) for k, (p, q) in enumerate(wishes)), ()
    )


def test_the_last_rung_that_fits_is_made_smaller_and_the_others_are_dropped() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**8, MID // 2)))
    pair = one(memory)
    wishes = laid((MID + 3_000, 10**6), (MID + 6_000, 4 * 10**6), (MID + 9_000, 4 * 10**6))
    found = trimmed(wishes, memory, pair, {}, look(memory))
    assert found.sells[0] == wishes.sells[0]
    assert 10**6 < found.sells[1].qty < 4 * 10**6
    assert [why for _, _, why in found.missing] == [BEYOND_ROOM]
    assert trimmed(wishes, memory, pair, {}, look(memory)) is found, "thought about once"
    for wish in found.sells:
        assert verdict(memory, Add(make_slot("s3"), wish)) == ""
    put(memory, make_slot("s1", State.LIVE, price=found.sells[0].price, qty=found.sells[0].qty))
    assert verdict(memory, Add(make_slot("s2"), found.sells[1])) == ""


def test_what_has_filled_of_an_order_stays_in_its_quantity() -> None:
    memory = of(bought((400, 10**6, MID)), annual_exemption_eur="0")
    wishes = laid((MID + 3_000, 3 * 10**6))
    found = trimmed(
        wishes, memory, one(memory), {(Side.SELL, MID + 3_000): 2 * 10**6}, look(memory)
    )
    assert found.sells[0].qty == 3 * 10**6


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from([400, 100]), st.integers(1, 6), st.integers(2, 12)),
             min_size=1, max_size=4),
    st.integers(0, 999),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_in_whatever_order_the_laid_sells_fill_the_year_stays_below_the_limit(
    wishes: list[tuple[int, int]], lots: list[tuple[int, int, int]], external: int
) -> None:
    """By the real book: every course of whole and half fills is sold and its year summed."""
    queue = bought(*sorted(((d, q * 10**6, p * 10**5) for d, q, p in lots), reverse=True))
    memory = of(queue, external_s23_net_eur=str(external), near_threshold_days=365)
    pair = one(memory)
    rungs = sorted({MID + 6 + up * 1_000: qty * 10**6 for up, qty in wishes}.items())
    found = trimmed(laid(*rungs), memory, pair, {}, look(memory))
    year = berlin_day(WALL).year
    for course in list(product(range(len(found.sells)), repeat=min(3, len(found.sells)))):
        if len(set(course)) < len(course):
            continue
        live = of(queue, external_s23_net_eur=str(external))
        for number, place in enumerate(course):
            wish = found.sells[place]
            fill = make_fill(
                f"S{number}", Side.SELL, wish.price, wish.qty, wall=WALL, trade_id=50 + number
            )
            tell(live, fill)
            assert live.desk.net(year) + external <= Decimal("999.99")
        assert live.held() >= 0


# The pace.


def test_the_pace_spreads_the_free_coins_over_the_days() -> None:
    lots = bought((400, 10**8, MID))
    memory = of(lots, pace_days=10)
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    assess_taxes(memory)
    assert paced(memory) == 10**7
    plan = withhold(make_plan(sell_sats=10**8), leave(memory, one(memory)))
    assert plan.sell_sats == 10**7
    assert "the pace leaves 0.10000000 of 0.10000000 a day" in plan.why[-1]
    fill = make_fill("S", Side.SELL, MID, 4 * 10**6, wall=WALL, trade_id=9)
    tell(memory, fill)
    assert paced(memory) == 6 * 10**6
    memory.wall = Ns(WALL + DAY)
    assess_taxes(memory)
    assert paced(memory) == 96 * 10**5


def test_a_small_stock_is_paced_by_a_ladder_and_none_by_nothing() -> None:
    memory = of(old_lots(), pace_days=10)
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    assess_taxes(memory)
    assert paced(memory) == int(Decimal(2_500) / Decimal(85_000) * 10**10) // 100
    assert paced(of(old_lots())) is None


# Emergencies.


def test_only_an_exit_in_a_deep_emergency_goes_beyond() -> None:
    memory = of(bought((100, 10**7, MID // 2)), annual_exemption_eur="0")
    intent = sell(MID - 100, 10**6, "x")
    assert verdict(memory, intent) != ""
    memory.pause, memory.risk = Pause.EMERGENCY_SELL, Risk(drawdown=0.25)
    assert overrides(memory)
    assert verdict(memory, intent) == ""
    assert verdict(memory, sell(MID + 3_000, 10**6)) != ""
    memory.risk = Risk(drawdown=0.19)
    assert verdict(memory, intent) != ""


def test_a_price_in_dollars_is_taken_at_the_last_published_rate() -> None:
    memory = of(old_lots())
    assert euro_price(memory, one(memory), MID) == Decimal(85_000)
