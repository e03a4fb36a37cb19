"""Laws of the gate's further caps: the share of coins, the two references, the second source."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.gate import refuse
from strategy.core.reference import SECOND_PRICE_AGE, Reference
from strategy.core.slots import Add, Amend, Slot, State, Wish
from tests.unit.strategy.core.build import BOOT, MID, make_config, make_memory, make_slot
from tests.unit.strategy.core.test_gate import one, put, ready

BUYS = ("b1", "b2", "b3")
states = st.sampled_from([State.EMPTY, State.LIVE, State.LOST, State.PENDING_NEW])
sizes = st.integers(5_000, 2_300_000)
prices = st.integers(MID - 40_000, MID - 6)


@st.composite
def some_buys(draw: st.DrawFn) -> tuple[Slot, ...]:
    return tuple(
        make_slot(name)
        if (state := draw(states)) is State.EMPTY
        else make_slot(name, state, price=Ticks(draw(prices)), qty=Sats(draw(sizes)))
        for name in BUYS
    )


@given(
    some_buys(), st.sampled_from(BUYS), prices, sizes, st.integers(0, 30_000), st.integers(0, 10**8)
)
@settings(max_examples=300)
def test_if_all_buys_fill_the_coins_stay_within_the_regimes_share(
    slots: tuple[Slot, ...], name: str, price: int, qty: int, eur: int, coins: int
) -> None:
    memory = ready(make_memory())
    memory.balances = {"EUR": Decimal(eur), "BTC": Decimal(coins).scaleb(-8)}
    put(memory, *slots)
    slot = next(each for each in slots if each.name == name)
    wish = Wish(Side.BUY, Ticks(price), Sats(qty), 1)
    intent = Add(slot, wish) if slot.state is State.EMPTY else Amend(slot, wish)
    if refuse(memory, one(memory), intent, BOOT):
        return
    stands = slot.qty * slot.price
    assume(max(price, slot.price) * max(qty, slot.qty) > stands)
    buys = sum(each.qty * each.price for each in slots if each.name != name)
    buys += max(qty, slot.qty) * max(price, slot.price)
    share = (coins * MID + buys) / (coins * MID + eur * 10**9)
    assert share <= memory.config.regime.range_bound.btc_max_pct + 1e-9


@given(
    st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(0.5, 2.0),
    st.sampled_from((Side.BUY, Side.SELL)), st.integers(6, 300_000), st.integers(0, 60),
)  # fmt: skip
@settings(max_examples=400)
def test_no_order_leaves_outside_both_collars_nor_while_two_sources_disagree(
    vwap: float, slow: float, second: float, side: Side, off: int, age_s: int
) -> None:
    memory = ready(make_memory())
    pair = one(memory)
    assert pair.view is not None
    collar = memory.config.limits.collar_pct
    with_vwap = vwap if vwap < 1.5 else 0.0
    pair.view = replace(pair.view, vwap=with_vwap * MID)
    now = Ns(BOOT + 60 * SECOND)
    asked = Ns(now - age_s * SECOND)
    memory.switch = replace(memory.switch, until=Ns(now + 60 * SECOND))
    pair.reference = Reference(slow * MID, now, second * MID, asked)
    price = MID - off if side is Side.BUY else MID + off
    name = "b1" if side is Side.BUY else "s1"
    intent = Add(make_slot(name), Wish(side, Ticks(price), Sats(20_000), 1))
    why = refuse(memory, pair, intent, now)
    inside = all(
        abs(price / reference - 1) <= collar for reference in (MID, (with_vwap or slow) * MID)
    )
    agree = age_s * SECOND > SECOND_PRICE_AGE or abs(1 / second - 1) <= collar
    assert (why == "") == (inside and agree), why


def test_the_hard_share_binds_where_the_regime_would_allow_more() -> None:
    memory = ready(make_memory(make_config(limits={"btc_max_pct": 0.5})))
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.16")}
    wish = Wish(Side.BUY, Ticks(MID - 9), Sats(588_000), 1)
    why = refuse(memory, one(memory), Add(make_slot("b1"), wish), BOOT)
    assert why == "coins over 50% of the account if all buys fill"


def test_an_amend_that_lowers_what_may_fill_leaves_even_above_the_share() -> None:
    memory = ready(make_memory(make_config(limits={"btc_max_pct": 0.4})))
    resting = make_slot("b1", State.LIVE, price=Ticks(MID - 9), qty=Sats(588_000))
    put(memory, resting)
    lower = Wish(Side.BUY, Ticks(MID - 9_000), Sats(588_000), 1)
    dearer = Wish(Side.BUY, Ticks(MID - 8), Sats(588_000), 1)
    assert refuse(memory, one(memory), Amend(resting, lower), BOOT) == ""
    assert "coins over" in refuse(memory, one(memory), Amend(resting, dearer), BOOT)
