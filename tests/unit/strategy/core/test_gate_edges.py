"""The gate to the last Sat and cent: what still leaves, what no longer does, and with two pairs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.orders import Armed
from shared.units import MINUTE, SECOND, Ns, Sats, Side, Ticks
from strategy.core import byrest, deadman
from strategy.core.audit import HELD
from strategy.core.daily import LIMIT
from strategy.core.gate import refuse, throttle
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.reference import Reference
from strategy.core.slots import Add, Amend, State, Wish
from tests.unit.strategy.core.build import (
    BTC_EUR,
    MID,
    PINNED,
    make_config,
    make_memory,
    make_slot,
    make_view,
    old_lots,
)
from tests.unit.strategy.core.test_gate import NOW, QTY, add, one, put, ready, verdict
from tests.unit.strategy.core.test_taxgate import bought

ALL_COINS = {**PINNED["regime"]["range_bound"], "btc_max_pct": 1.0}
COST = Decimal((MID - 3_000) * QTY).scaleb(-9)  # of the order that `add` wishes, in EUR


def no_share() -> Memory:
    """A memory in which the coins' share of the account decides nothing."""
    cfg = make_config(limits={"btc_max_pct": 1.0}, regime={"range_bound": ALL_COINS})
    return ready(make_memory(cfg))


# What the state forbids.


def test_nothing_leaves_that_could_not_be_written_down_before() -> None:
    memory = ready()
    memory.unwritten = ("no space left", NOW)
    assert verdict(memory, add()) == "the ledger cannot be written: no space left"
    assert "no space left" in verdict(memory, add(MID - 9, side=Side.SELL, slot=EXIT_SLOT))


def test_without_any_book_nothing_leaves() -> None:
    memory = ready()
    one(memory).view = None
    assert verdict(memory, add()) == "no fresh book"


def test_only_exits_leave_in_a_halt_for_the_loss_of_the_day() -> None:
    memory = ready()
    memory.halt = f"lost 5.00 since the day began ({LIMIT})"
    assert verdict(memory, add(MID - 9, side=Side.SELL, slot=EXIT_SLOT)) == ""
    assert verdict(memory, add(MID + 3_000, side=Side.SELL)).startswith("halted: lost 5.00")


@pytest.mark.parametrize(("age", "leaves"), [(byrest.LISTED_WITHIN, True), (60 * SECOND, False)])
def test_by_rest_nothing_leaves_while_our_orders_were_not_listed_lately(
    age: int, leaves: bool
) -> None:
    memory = ready()
    memory.line = "rest"
    memory.asking = replace(memory.asking, listed_at=Ns(NOW - age))
    assert verdict(memory, add()) == (
        "" if leaves else "by REST: our orders were not listed lately"
    )


def test_sells_alone_are_held_while_the_coins_are_not_accounted_for() -> None:
    memory = ready()
    memory.audit = replace(memory.audit, held=True)
    assert verdict(memory, add(MID + 3_000, side=Side.SELL)) == HELD
    assert verdict(memory, add()) == ""


# Sizes and prices.


def test_the_least_quantity_and_the_largest_order_themselves_leave() -> None:
    memory = ready(make_memory(make_config(limits={"order_quote": "2000"})))
    assert verdict(memory, add(qty=5_000)) == ""
    assert verdict(memory, add(800_000, 2_500_000)) == ""
    assert verdict(memory, add(800_000, 2_500_001)) == "larger than limits.order_quote"


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_the_collar_itself_is_inside_and_a_tick_beyond_is_not(side: Side) -> None:
    memory = ready(make_memory(make_config(limits={"collar_pct": 0.25})))
    edge = MID - MID // 4 if side is Side.BUY else MID + MID // 4
    beyond = edge - 1 if side is Side.BUY else edge + 1
    assert verdict(memory, add(edge, side=side)) == ""
    assert verdict(memory, add(beyond, side=side)) == "outside the price collar"


# Funds.


@pytest.mark.parametrize(
    ("maker", "funds", "leaves"),
    [
        (0.0, COST, True),
        (0.0, COST - Decimal("0.01"), False),
        (0.0012, COST * Decimal("1.0013"), True),
        (0.0012, COST * Decimal("1.0011"), False),
    ],
)
def test_a_buy_is_covered_with_the_fee_of_the_account_and_to_the_cent(
    maker: float, funds: Decimal, leaves: bool
) -> None:
    memory = no_share()
    one(memory).maker, one(memory).taker = maker, 0.5
    memory.balances = {"EUR": funds, "BTC": Decimal(0)}
    assert verdict(memory, add()) == ("" if leaves else "more than the funds there are")


def test_an_amend_binds_the_dearer_of_what_stands_and_what_is_wished() -> None:
    """Until it is confirmed the old price may still fill."""
    memory = no_share()
    one(memory).maker = 0.0
    slot = make_slot("b1", State.LIVE, price=Ticks(MID - 3_000), qty=Sats(QTY))
    put(memory, slot)
    lower = Amend(slot, Wish(Side.BUY, Ticks(MID - 9_000), Sats(QTY), 1))
    memory.balances = {"EUR": COST, "BTC": Decimal(0)}
    assert verdict(memory, lower) == ""
    memory.balances = {"EUR": COST - Decimal("0.01"), "BTC": Decimal(0)}
    assert verdict(memory, lower) == "more than the funds there are"


def test_an_amend_to_less_binds_what_may_still_fill_of_the_larger_order() -> None:
    memory = ready(make_memory(lots=old_lots("0.01")))
    slot = make_slot("s1", State.LIVE, price=Ticks(MID + 3_000), qty=Sats(900_000))
    put(memory, slot, make_slot("s2", State.LIVE, price=Ticks(MID + 6_000), qty=Sats(100_000)))
    memory.balances["BTC"] = Decimal("0.01")
    smaller = Amend(slot, Wish(Side.SELL, Ticks(MID + 3_000), Sats(500_000), 1))
    assert verdict(memory, smaller) == ""
    put(memory, make_slot("s2", State.LIVE, price=Ticks(MID + 6_000), qty=Sats(100_001)))
    assert verdict(memory, smaller) == "more than the coins that may be sold"


def test_the_regimes_share_binds_where_the_hard_one_would_allow_more() -> None:
    memory = ready(make_memory(make_config(limits={"btc_max_pct": 0.9})))
    memory.balances = {"EUR": Decimal(3_000), "BTC": Decimal("0.16")}
    assert verdict(memory, add()) == "coins over 80% of the account if all buys fill"


def test_while_two_sources_disagree_nothing_leaves() -> None:
    memory = ready()
    one(memory).reference = Reference(MID, NOW, MID * 1.2, NOW)
    assert "16.7% apart" in verdict(memory, add())


def test_an_exit_meets_a_buy_where_it_may_still_stand() -> None:
    memory = ready()
    pending = make_slot(
        "b1", State.AMEND_PENDING, price=Ticks(MID - 9_000), was_price=Ticks(MID - 3_000)
    )
    put(memory, pending)
    intent = add(MID - 4_000, side=Side.SELL, slot=EXIT_SLOT)
    assert verdict(memory, intent) == "would meet an order of our own"


def test_the_other_buys_are_bound_at_the_dearer_of_their_prices() -> None:
    memory = no_share()
    one(memory).maker = 0.0
    pending = make_slot(
        "b2", State.AMEND_PENDING, price=Ticks(MID - 9_000), was_price=Ticks(MID - 3_000)
    )
    put(memory, pending)
    memory.balances = {"EUR": 2 * COST, "BTC": Decimal(0)}
    assert verdict(memory, add()) == ""
    memory.balances = {"EUR": 2 * COST - Decimal("0.01"), "BTC": Decimal(0)}
    assert verdict(memory, add()) == "more than the funds there are"


def test_what_has_filled_binds_no_coins_again_and_what_is_open_does() -> None:
    memory = ready(make_memory(lots=old_lots("0.01")))
    slot = make_slot(
        "s1", State.LIVE, price=Ticks(MID + 3_000), qty=Sats(900_000), filled=Sats(400_000)
    )
    other = make_slot(
        "s2", State.LIVE, price=Ticks(MID + 6_000), qty=Sats(300_000), filled=Sats(200_000)
    )
    put(memory, slot, other)
    smaller = Amend(slot, Wish(Side.SELL, Ticks(MID + 3_000), Sats(600_000), 1))
    memory.balances = memory.balances | {"BTC": Decimal("0.006")}
    assert verdict(memory, smaller) == ""
    memory.balances = memory.balances | {"BTC": Decimal("0.00599999")}
    assert verdict(memory, smaller) == "more than the coins that may be sold"


def test_a_sell_on_its_way_down_may_still_fill_at_its_gain() -> None:
    """0.16 coins bought at 85,000 gain 1,224 EUR at 9 % above: more than the year has room for."""
    young = bought((100, 16_000_000, MID))
    memory = ready(make_memory(make_config(tax={"annual_exemption_eur": "1000"}), lots=young))
    slot = make_slot("s1", State.LIVE, price=Ticks(int(MID * 1.09)), qty=Sats(16_000_000))
    put(memory, slot)
    lower = Amend(slot, Wish(Side.SELL, Ticks(int(MID * 1.02)), Sats(2_000_000), 1))
    assert "passes the room of the year" in verdict(memory, lower)
    put(memory, replace(slot, price=Ticks(int(MID * 1.02))))
    lower = Amend(one(memory).side(Side.SELL)[0], lower.wish)
    assert verdict(memory, lower) == ""


@pytest.mark.parametrize(("after", "halts"), [(60 * MINUTE - 1, True), (60 * MINUTE, False)])
def test_an_hour_of_fills_ends_at_its_moment(after: int, halts: bool) -> None:
    memory = ready(make_memory(make_config(limits={"fills_per_hour": 30})))
    memory.fill_times.extend([NOW] * 31)
    assert ("within an hour" in throttle(memory, Ns(NOW + after))) is halts


# Two pairs of one coin.

BTC_USD = replace(BTC_EUR, symbol="BTC/USD", quote="USD")
USD_MID = MID * 6 // 5


def two(**limits: Any) -> tuple[Memory, PairMemory, PairMemory]:
    """BTC/EUR and BTC/USD, both fresh; a EUR is 1.20 USD."""
    cfg = make_config(
        pairs=[{"symbol": "BTC/EUR", "weight": 0.5}, {"symbol": "BTC/USD", "weight": 0.5}],  # type: ignore[arg-type]
        limits=limits,
    )
    memory = ready(make_memory(cfg))
    eur, usd = memory.pairs["BTC/EUR"], memory.pairs["BTC/USD"]
    usd.tape.pair, usd.maker = BTC_USD, 0.0012
    usd.view = replace(make_view(USD_MID), pair=BTC_USD)
    memory.rates = {"EUR": 1.0, "USD": MID / USD_MID}
    memory.balances = {"EUR": Decimal(6_000), "USD": Decimal(9_600), "BTC": Decimal(0)}
    return memory, eur, usd


def rest(pair: PairMemory, name: str, price: int, qty: int) -> None:
    slot = make_slot(name, State.LIVE, price=Ticks(price), qty=Sats(qty))
    pair.slots[pair.place(name)] = replace(slot, pair=pair.name)


@given(
    st.lists(st.integers(200_000, 2_300_000), min_size=3, max_size=3),
    st.lists(st.integers(6, 60_000), min_size=3, max_size=3),
    st.integers(5_000, 2_300_000),
    st.integers(0, 6_000),
    st.booleans(),
)
def test_the_share_of_coins_holds_when_the_buys_of_both_pairs_fill(
    theirs: list[int], below: list[int], qty: int, usd_money: int, unseen: bool
) -> None:
    memory, eur, usd = two(btc_max_pct=0.5)
    memory.balances["USD"] = Decimal(usd_money)
    for place, (size, off) in enumerate(zip(theirs, below, strict=True)):
        rest(usd, f"b{place + 1}", USD_MID - off, size)
    if unseen:
        usd.view = None
    intent = Add(make_slot("b1"), Wish(Side.BUY, Ticks(MID - 3_000), Sats(qty), 1))
    why = refuse(memory, eur, intent, NOW)
    bought = qty * (MID - 3_000) + sum(
        size * (USD_MID - off) * MID / USD_MID for size, off in zip(theirs, below, strict=True)
    )
    share = bought / ((6_000 + usd_money / 1.2) * 10**9)
    assume(abs(share - 0.5) > 0.002)
    if why == "":
        assert share < 0.5
    elif not unseen:
        assert share > 0.5
        assert why == "coins over 50% of the account if all buys fill"


def test_buys_on_the_other_pair_count_as_coins_of_the_account() -> None:
    memory, eur, usd = two(btc_max_pct=0.5)
    for name in ("b1", "b2", "b3"):
        rest(usd, name, USD_MID - 100, 2_300_000)
    assert refuse(memory, eur, add(qty=800_000), NOW) == ""
    assert refuse(memory, eur, add(qty=1_500_000), NOW).startswith("coins over 50%")
    memory.balances["USD"] = Decimal(0)  # a currency that has been spent holds nothing up
    assert refuse(memory, eur, add(qty=5_000), NOW).startswith("coins over 50%")
    smaller = Amend(
        make_slot("b1", State.LIVE, price=Ticks(MID - 9), qty=Sats(QTY)),
        Wish(Side.BUY, Ticks(MID - 9), Sats(5_000), 1),
    )
    assert refuse(memory, eur, smaller, NOW) == ""


def test_the_coins_are_shared_by_the_sells_of_both_pairs() -> None:
    memory, eur, usd = two()
    memory.balances["BTC"] = Decimal("0.01")
    rest(usd, "s1", USD_MID + 3_000, 600_000)
    assert refuse(memory, eur, add(MID + 3_000, 400_000, Side.SELL), NOW) == ""
    more = add(MID + 3_000, 400_001, Side.SELL)
    assert refuse(memory, eur, more, NOW) == "more than the coins that may be sold"


def test_the_money_of_another_currency_pays_for_nothing_here() -> None:
    memory, eur, _ = two()
    memory.balances |= {"EUR": Decimal(100)}
    assert refuse(memory, eur, add(), NOW) == "more than the funds there are"


def test_an_order_on_the_other_pair_counts_towards_the_number_of_orders() -> None:
    memory, eur, usd = two(open_orders=1)
    rest(usd, "b5", USD_MID - 9_000, 5_000)
    assert refuse(memory, eur, add(), NOW) == "limits.open_orders is reached"


def test_a_switch_that_covers_no_longer_stops_the_next_order() -> None:
    memory = ready()
    memory.switch = deadman.answered(deadman.Deadman(), Armed(Ns(NOW - 61 * SECOND), 60))
    assert verdict(memory, add()) == "the dead man's switch does not cover it"
