"""Stage 7 at its edges: what it says, what it costs to look away, and the day's pace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import DAY, Ns, Sats, Side, Ticks
from strategy.core.gate import refuse
from strategy.core.market import Freshness
from strategy.core.memory import Memory, Start
from strategy.core.risk import Risk
from strategy.core.slots import Slot, State, Wish
from strategy.core.taxgate import (
    BEYOND_ROOM,
    assess_taxes,
    euro_price,
    guarded,
    is_locked,
    leave,
    locked_at,
    look,
    paced,
    saleable_at,
    trimmed,
    units,
    withhold,
)
from strategy.ledger.lots import Lots
from strategy.ledger.plans import Harvest
from strategy.ledger.rates import Rate, published_day
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    MID,
    STAMP,
    WALL,
    make_book,
    make_fill,
    make_plan,
    make_slot,
)
from tests.unit.strategy.core.test_dollar_leg import TODAY, buying, dollars, rest
from tests.unit.strategy.core.test_gate import one, put, verdict
from tests.unit.strategy.core.test_gate_edges import rest as lie
from tests.unit.strategy.core.test_gate_edges import two
from tests.unit.strategy.core.test_taxgate import MIN, bought, laid, of, sell, tell

EURO_A_COIN = Decimal(MID) / 10


# What the plan says.


def test_with_room_the_sells_go_beyond_the_free_coins_and_the_plan_says_how_far() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)))
    plan = withhold(make_plan(), leave(memory, one(memory)))
    assert (plan.sell_levels, plan.sell_sats) == (5, 16_000_000)
    assert plan.why[-1].endswith("0.01000000; beyond it there is room for 999.99 EUR of gain")
    within = withhold(make_plan(sell_sats=10**6), leave(memory, one(memory)))
    assert within.why == make_plan().why, "nothing to say of what is free"
    any_gain = of(bought((400, 10**6, MID), (100, 10**7, MID)), beyond_limit=True)
    told = withhold(make_plan(), leave(any_gain, one(any_gain))).why[-1]
    assert told.endswith("there is room for any gain")


def test_without_room_the_plan_ends_at_the_free_coins_and_says_why() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)), external_s23_net_eur="2000")
    plan = withhold(make_plan(), leave(memory, one(memory)))
    assert plan.sell_sats == 10**6
    assert plan.why[-1].endswith("0.01000000; the year has no room left for taxable gains")


def test_a_room_of_nothing_at_all_is_no_room() -> None:
    """Not even a sale at a loss, which would fit: the year is at its limit to the cent."""
    memory = of(bought((100, 10**7, MID)), external_s23_net_eur="999.99")
    assert look(memory).room == 0
    assert "free of tax" in verdict(memory, sell(MID + 6, 10**6))
    by_a_cent = of(bought((100, 10**7, MID)), external_s23_net_eur="999.98")
    assert "free of tax" not in verdict(by_a_cent, sell(MID + 6, 10**6))


# What is laid.


def test_rungs_that_fit_the_room_keep_their_whole_quantity() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)))
    wishes = laid((MID + 3_000, 1_234_567), (MID + 6_000, 1_234_567))
    assert trimmed(wishes, memory, one(memory), {}, look(memory)).sells == wishes.sells


def test_another_ladder_is_thought_about_anew() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**8, MID // 2)))
    first = trimmed(laid((MID + 3_000, 4 * 10**6)), memory, one(memory), {}, look(memory))
    other = trimmed(
        laid((MID + 9_000, 10**6), (MID + 9_500, 5 * 10**6)), memory, one(memory), {}, look(memory)
    )
    assert [wish.price for wish in first.sells] == [MID + 3_000]
    assert [wish.price for wish in other.sells] == [MID + 9_000, MID + 9_500]


def test_what_is_trimmed_off_is_only_what_is_still_open_of_an_order() -> None:
    memory = of(bought((400, 10**6, MID)), annual_exemption_eur="0")
    pair, at = one(memory), MID + 3_000
    partly = trimmed(
        laid((at, 5 * 10**6)), memory, pair, {(Side.SELL, at): 2 * 10**6}, look(memory)
    )
    assert 2.95 * 10**6 < partly.sells[0].qty <= 3 * 10**6, "what has filled and the free coins"
    # More than is wished has filled: that frees no coins for another rung.
    wishes = laid((at, 10**6), (at + 3_000, 2 * 10**6))
    found = trimmed(wishes, memory, pair, {(Side.SELL, at): 3 * 10**6}, look(memory))
    assert found.sells[1].qty <= 10**6
    # The last bit of an order that fits is kept, however small it is.
    last = trimmed(wishes, memory, pair, {(Side.SELL, at): 10**6 - 1_000}, look(memory))
    assert last.sells[0] == wishes.sells[0]


def test_a_smaller_rung_is_on_the_pairs_steps_and_not_below_its_least_quantity() -> None:
    memory = of(bought((400, 5_900, MID)), annual_exemption_eur="0")
    pair = one(memory)
    pair.tape.pair = replace(BTC_EUR, qty_step=1_000)
    assert trimmed(laid((MID + 3_000, 60_000)), memory, pair, {}, look(memory)).sells[0].qty == MIN
    memory = of(bought((400, 5_900, MID)), annual_exemption_eur="0")
    pair = one(memory)
    pair.tape.pair = replace(BTC_EUR, qty_step=1_000, qty_min=Sats(5_001))
    found = trimmed(laid((MID + 3_000, 60_000)), memory, pair, {}, look(memory))
    assert (found.sells, [why for _, _, why in found.missing]) == ((), [BEYOND_ROOM])


def test_buys_are_left_as_they_are_and_own_orders_are_not_counted_twice() -> None:
    memory = of(bought((400, 10**6, MID)), annual_exemption_eur="0")
    put(memory, make_slot("s1", State.LIVE, price=Ticks(MID + 3_000), qty=Sats(10**6)))
    wishes = replace(
        laid((MID + 3_000, 10**6), (MID + 6_000, 10**6)),
        buys=(Wish(Side.BUY, Ticks(MID - 3_000), Sats(10**6), 1),),
    )
    found = trimmed(wishes, memory, one(memory), {}, look(memory))
    assert found.buys == wishes.buys
    assert found.sells == wishes.sells[:1]


def test_a_rung_that_waits_for_a_nearly_free_lot_says_so() -> None:
    memory = of(bought((400, 10**6, MID), (350, 10**7, MID)))
    found = trimmed(
        laid((MID + 3_000, 10**6), (MID + 6_000, 10**6)), memory, one(memory), {}, look(memory)
    )
    assert [wish.qty for wish in found.sells] == [10**6]
    assert "free of tax in" in found.missing[0][2]


def test_what_the_other_pair_sells_is_taken_from_the_same_free_coins() -> None:
    memory = _with_lots(two()[0], bought((400, 10**6, MID)), "0")
    eur, usd = memory.pairs["BTC/EUR"], memory.pairs["BTC/USD"]
    wishes = laid((MID + 3_000, 6 * 10**5))
    assert trimmed(wishes, memory, eur, {}, look(memory)) == wishes
    lie(usd, "s1", MID * 6 // 5 + 3_000, 5 * 10**5)
    found = trimmed(wishes, memory, eur, {}, look(memory)).sells[0].qty
    assert 4.9 * 10**5 < found <= 5 * 10**5, "in steps of a 64th"
    lie(usd, "s2", MID * 6 // 5 + 4_000, 5 * 10**5)
    assert trimmed(wishes, memory, eur, {}, look(memory)).missing == ((Side.SELL, 0, BEYOND_ROOM),)


def _with_lots(memory: Memory, lots: Lots, own_limit: str) -> Memory:
    tax = replace(memory.config.tax, annual_exemption_eur=Decimal(own_limit))
    config = replace(memory.config, tax=tax)
    found = Memory(config, Start(BOOT, WALL, STAMP), lots)
    for name, pair in found.pairs.items():
        pair.tape.pair, pair.view = memory.pairs[name].tape.pair, memory.pairs[name].view
        pair.maker = memory.pairs[name].maker
    found.balances = memory.balances
    return found


def test_one_looks_as_far_into_the_queue_as_all_sells_reach() -> None:
    """Coins not looked at would count as bought for nothing, and no gain would fit."""
    lots = bought((100, 10**7, MID), (99, 9 * 10**7, MID))
    memory = of(lots)
    for number in (1, 2, 3, 4):
        put(memory, make_sell(number, 2 * 10**7))
    assert sum(lot.qty for lot in look(memory).locked) == 10**10
    assert verdict(memory, sell(MID + 5_000, 2 * 10**6, "s5")) == ""
    thinking = of(lots)
    one(thinking).laid = laid(*((MID + 100 * n, 2 * 10**7) for n in (1, 2, 3, 4)))
    assert sum(lot.qty for lot in look(thinking).locked) == 10**10


def make_sell(number: int, qty: int) -> Slot:
    return make_slot(f"s{number}", State.LIVE, price=Ticks(MID + 100 * number), qty=Sats(qty))


# What may leave.


def test_what_has_filled_of_the_other_sells_needs_no_coins_any_more() -> None:
    memory = of(bought((400, 10**6, MID)), annual_exemption_eur="0")
    put(memory, make_slot("s2", State.LIVE, price=Ticks(MID + 6_000), qty=Sats(10**6)))
    assert verdict(memory, sell(MID + 3_000, 6 * 10**5)) != ""
    some = Sats(6 * 10**5)
    put(
        memory,
        make_slot("s2", State.LIVE, price=Ticks(MID + 6_000), qty=Sats(10**6), filled=some),
    )
    assert verdict(memory, sell(MID + 3_000, 6 * 10**5)) == ""
    assert verdict(memory, sell(MID + 3_000, 6 * 10**5 + 1)) != ""


def test_two_sells_that_each_fit_the_room_may_not_rest_together() -> None:
    """20,000 EUR a coin: 0.02 of them gain 400 EUR."""
    memory = of(bought((100, 10**7, MID - 200_000)))
    price = Ticks(MID + 6)
    more = sell(price, 2_000_000)

    def beside(**fields: Any) -> str:
        put(memory, make_slot("s2", State.LIVE, **fields))
        return verdict(memory, more)

    assert verdict(memory, more) == ""
    assert "passes the room" in beside(price=price, qty=Sats(4_000_000))
    assert beside(price=price, qty=Sats(4_000_000), filled=Sats(2_000_000)) == ""
    # An amend is under way: it may fill at either price.
    low = Ticks(MID - 190_000)
    assert beside(price=low, qty=Sats(4_000_000)) == ""
    assert "passes the room" in beside(price=low, was_price=price, qty=Sats(4_000_000))


def test_a_harvest_goes_beyond_the_room_by_no_more_than_it_found() -> None:
    memory = of(bought((100, 10**7, MID)), external_s23_net_eur="2000")
    memory.taxes = replace(memory.taxes, harvest=Harvest(units(10**6), Decimal(1), "loss"))
    assert verdict(memory, sell(MID - 100, 10**6, "x")) == ""
    assert verdict(memory, sell(MID - 100, 10**6 + 1, "x")) == "", "rounded up to whole Sats"
    assert "free of tax" in verdict(memory, sell(MID - 100, 10**6 + 2, "x"))


def test_a_deep_fall_alone_is_no_emergency() -> None:
    memory = of(bought((100, 10**7, MID // 2)), annual_exemption_eur="0")
    memory.risk = Risk(drawdown=0.25)
    assert verdict(memory, sell(MID - 100, 10**6, "x")) != ""


@pytest.mark.parametrize(("days_left", "waits"), [(35, True), (36, False)])
def test_a_lot_is_nearly_free_from_its_day_on(days_left: int, waits: bool) -> None:
    """tax.near_threshold_days = 330: 35 days to go. The first free day is the 366th."""
    memory = of(bought((366 - days_left, 10**7, MID)), holding_safety_days=0)
    assert ("free of tax in" in verdict(memory, sell(MID + 3_000, 10**6))) is waits


# Locked or not.


def test_whether_they_are_locked_is_asked_at_the_price_one_would_get() -> None:
    """At the bid the nearly free lot is at a loss, at the ask it would be at a gain."""
    memory = of(bought((350, 10**7, 848_985)))
    assert guarded(memory, look(memory), EURO_A_COIN + 1) is not None
    assert not is_locked(memory, MIN)


def test_locked_coins_are_let_go_at_no_price_where_the_year_is_shut_or_their_day_is_near() -> None:
    dear = bought((100, 10**7, MID + 90_000))
    at_a_loss = EURO_A_COIN
    assert not locked_at(of(dear), MIN, at_a_loss)
    assert locked_at(of(dear), MIN, None), "no price, no sale"
    assert locked_at(of(dear, external_s23_net_eur="999.99"), MIN, at_a_loss)
    nearly = bought((350, 10**7, MID - 90_000))
    assert locked_at(of(nearly), MIN, EURO_A_COIN)
    assert not locked_at(of(nearly, near_threshold_days=365), MIN, EURO_A_COIN)


def test_without_a_book_locked_coins_stay_locked() -> None:
    memory = of(bought((100, 10**8, MID)))
    assert not is_locked(memory, MIN)
    one(memory).view = None
    assert is_locked(memory, MIN)


def test_what_might_be_sold_at_a_price_is_the_free_coins_and_what_the_room_allows() -> None:
    lots = bought((400, 10**6, MID), (100, 10**7, MID))

    def might(price: int, **tax: Any) -> int:
        memory = of(lots, **tax)
        memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.11")}
        return saleable_at(memory, one(memory), price)

    assert might(MID + 100) == pytest.approx(11 * 10**6, rel=0.005)
    # 20,000 EUR a coin: 999.99 EUR of gain are 0.05 coins beyond the free ones.
    assert might(MID + 200_000) == pytest.approx(6 * 10**6, rel=0.01)
    assert might(MID + 100, external_s23_net_eur="2000") == 10**6
    near = bought((400, 10**6, MID), (350, 10**7, MID - 1_000))
    memory = of(near)
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.11")}
    assert saleable_at(memory, one(memory), MID + 100) == 10**6


def test_never_more_might_be_sold_than_the_exchange_has() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)), external_s23_net_eur="2000")
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.004")}
    assert saleable_at(memory, one(memory), MID) == 4 * 10**5
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)))
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal(0)}
    assert saleable_at(memory, one(memory), MID) == 0


# Dollars.


def test_a_price_in_dollars_is_worth_what_the_last_published_rate_says() -> None:
    memory = dollars()
    pair = memory.pairs["BTC/USD"]
    assert euro_price(memory, pair, 1_120_000) == Decimal(100_000)


def test_without_a_rate_only_free_coins_are_sold_for_dollars() -> None:
    known = dollars()
    lots = bought((400, 10**6, MID), (100, 10**7, MID))
    start = Start(BOOT, WALL, STAMP)
    memory = Memory(known.config, start, lots)
    memory.phase, memory.system, memory.line = known.phase, known.system, known.line
    memory.balances, memory.switch = known.balances, known.switch
    pair, spec = memory.pairs["BTC/USD"], known.pairs["BTC/USD"].tape.pair
    pair.tape.pair, pair.maker, pair.view = spec, 0.0, known.pairs["BTC/USD"].view
    assert euro_price(memory, pair, MID) is None
    assert look(memory).room == Decimal("999.99"), "the year itself is known"

    def of_dollars(qty: int) -> str:
        intent = sell(MID + 3_000, qty)
        return refuse(
            memory, pair, replace(intent, slot=replace(intent.slot, pair=pair.name)), BOOT
        )

    assert of_dollars(10**6) == ""
    assert "free of tax" in of_dollars(2 * 10**6)
    found = trimmed(
        laid((MID + 3_000, 10**6), (MID + 6_000, 10**6)), memory, pair, {}, look(memory)
    )
    assert [wish.qty for wish in found.sells] == [10**6]
    assert found.missing == ((Side.SELL, 1, BEYOND_ROOM),)
    assert locked_at(memory, MIN, None)
    assert saleable_at(memory, pair, MID + 3_000) == 10**6
    assert is_locked(memory, Sats(2 * 10**6))


def test_dollars_that_lost_value_are_spent_whatever_the_sells_may_gain() -> None:
    """The sells were laid when there was room; a buy whose dollars bring no gain is no matter."""
    memory = dollars(external_s23_net_eur="900")
    dear = [Rate(published_day(TODAY), "USD", Decimal("1.4"))]
    memory.desk.learn(dear)
    pair = memory.pairs["BTC/USD"]
    lie(pair, "s1", MID * 3, 10**6)
    assert look(memory).worst([]) == 0
    assert refuse(memory, pair, buying(memory, 1, 1_950), BOOT) == ""
    rest(memory, buying(memory, 1, 1_950))
    assert look(memory).spending == 0


def test_the_same_ladder_is_thought_about_anew_when_a_rate_is_published() -> None:
    """A dollar that is worth more euros makes the same sells gain more."""
    memory = dollars()
    pair = memory.pairs["BTC/USD"]
    wishes = laid((int(MID * 1.12 * 1.04), 10**7))
    assert trimmed(wishes, memory, pair, {}, look(memory)).sells == wishes.sells
    gate = look(memory)
    memory.desk.learn([Rate(published_day(TODAY), "USD", Decimal("0.9"))])
    assert look(memory) == gate, "by the queue and the year alone nothing has changed"
    found = trimmed(wishes, memory, pair, {}, look(memory)).sells
    assert 0 < sum(wish.qty for wish in found) < 10**7


# The pace of a day.


def paced_memory(**tax: Any) -> Memory:
    memory = of(bought((400, 10**8, MID)), **({"pace_days": 10} | tax))
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    return memory


def test_a_pace_that_is_spent_ends_the_sells_of_the_day() -> None:
    memory = paced_memory()
    assess_taxes(memory)
    tell(memory, make_fill("S", Side.SELL, MID, 10**7, wall=WALL, trade_id=9))
    plan = withhold(make_plan(sell_sats=10**8), leave(memory, one(memory)))
    assert (plan.sell_levels, plan.sell_sats) == (0, 0)
    assert plan.why[-1] == "tax: the pace of the day is spent"


def test_more_sold_than_the_pace_leaves_nothing_and_not_less() -> None:
    memory = paced_memory()
    assess_taxes(memory)
    tell(memory, make_fill("S", Side.SELL, MID, 3 * 10**7, wall=WALL, trade_id=9))
    assert paced(memory) == 0
    assert withhold(make_plan(sell_sats=10**8), leave(memory, one(memory))).sell_sats == 0


def test_the_pace_waits_for_a_fresh_price() -> None:
    memory = paced_memory()
    view = one(memory).view
    assert view is not None
    one(memory).view = replace(view, freshness=Freshness.STALE)
    assess_taxes(memory)
    assert paced(memory) is None
    one(memory).view = view
    assess_taxes(memory)
    assert paced(memory) == 10**7


def test_a_pace_wider_than_what_is_free_leaves_the_free_coins_to_decide() -> None:
    """A small stock is paced by a ladder, 0.0294 coins, of which not all need be free."""
    memory = of(bought((400, 10**6, MID)), pace_days=10, annual_exemption_eur="0")
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    assess_taxes(memory)
    left = paced(memory)
    assert left is not None
    assert left > 10**6
    plan = withhold(make_plan(), leave(memory, one(memory)))
    assert plan.sell_sats == 10**6
    assert not any("pace" in why for why in plan.why)


def test_the_pace_is_set_once_a_day() -> None:
    """A price that halves in the afternoon would make the ladder's least quantity twice as much."""
    memory = of(bought((400, 10**6, MID)), pace_days=10)
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    assess_taxes(memory)
    before = memory.taxes
    view = one(memory).view
    assert view is not None
    one(memory).view = replace(view, mid=MID / 2)
    assess_taxes(memory)
    assert memory.taxes is before
    memory.wall = Ns(WALL + DAY)
    assess_taxes(memory)
    assert memory.taxes.per_day == pytest.approx(2 * (before.per_day or 0), rel=1e-6)


def test_the_stock_lasts_by_what_was_sold_in_fourteen_days() -> None:
    """1.4 coins of 14 days are 0.1 a day; what was sold the day before them is forgotten."""

    def lasts(*sold_days_ago: int) -> int | None:
        lots = bought((400, 11 * 10**8, MID))
        for number, days in enumerate(sold_days_ago):
            wall = Ns(WALL - days * DAY)
            lots.book(
                make_fill(f"S{number}", Side.SELL, MID, 14 * 10**7, wall=wall, trade_id=50 + number)
            )
        memory = of(lots, pace_days=0)
        one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
        assess_taxes(memory)
        return memory.taxes.lasts

    assert lasts(13) == 96
    assert lasts(14) is None
    assert lasts(13, 12) == 41


@pytest.mark.parametrize(("stock", "lasts"), [(364, 364), (365, None)])
def test_a_stock_that_lasts_a_year_is_not_counted_in_days(stock: int, lasts: int | None) -> None:
    lots = bought((400, stock * 10**6 + 14 * 10**6, MID))
    lots.book(make_fill("S", Side.SELL, MID, 14 * 10**6, wall=Ns(WALL - DAY), trade_id=50))
    memory = of(lots)
    one(memory).tape.hear_book(make_book(BOOT), BOOT, memory.config.time)
    assess_taxes(memory)
    assert memory.taxes.lasts == lasts
