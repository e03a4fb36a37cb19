"""Laws of laying and deciding: the lattice, budgets, steps, and how little one fill changes."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.settings_trade import Grid
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.decide import Rules
from strategy.core.grid import Hung, bought, moved_to, sold
from strategy.core.market import Extremes
from strategy.core.plan import Anchor, Laid, Plan, lay
from strategy.core.regime import Regime, classify
from strategy.core.risk import LATCH, Risk, Severity, assess
from strategy.core.slots import Add, Amend, Cancel, Intent, Slot, State, Wish
from strategy.core.thresholds import Record, thresholds
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    CONFIG,
    MID,
    STEP,
    asked,
    make_slot,
    make_view,
)

NOW = Ns(10_000 * SECOND)
OLD = Ns(NOW - 3_600 * SECOND)
GRID: Grid = CONFIG.grid

plans = st.builds(
    Plan,
    buy_levels=st.integers(0, 20),
    sell_levels=st.integers(0, 20),
    buy_most=st.just(20),
    sell_most=st.just(20),
    spacing=st.just(STEP),
    notional=st.integers(0, 3_000 * 10**9),
    buy_scale=st.sampled_from((0.25, 0.5, 0.75, 1.0)),
    sell_scale=st.sampled_from((0.5, 0.75, 1.0)),
    buy_units=st.integers(0, 30_000 * 10**9),
    sell_sats=st.integers(0, 50_000_000),
)
anchors = st.builds(
    Anchor,
    base=st.floats(1_000.0, 5_000_000.0),
    step=st.floats(0.0001, 0.05),
    center=st.integers(-50, 50),
)
pairs = st.builds(
    lambda step, lot, least: msgspec.structs.replace(
        BTC_EUR, price_step=step, qty_step=lot, qty_min=Sats(least), cost_min=Decimal("0.45")
    ),
    st.sampled_from((1, 5, 10)),
    st.sampled_from((1, 100, 1_000)),
    st.sampled_from((1, 5_000, 10_000)),
)
floors = st.lists(st.tuples(st.integers(1, 5_000_000), st.integers(1, 10**7)), max_size=6)


@given(plans, anchors, pairs, st.floats(0.8, 1.25), st.integers(1, 500), floors)
def test_whatever_is_laid_is_money_that_may_leave(
    plan: Plan,
    anchor: Anchor,
    pair: msgspec.Struct,
    off: float,
    spread: int,
    bound: list[tuple[int, int]],
) -> None:
    assert isinstance(pair, type(BTC_EUR))
    bid = max(1, int(anchor.price(0) * off))
    laid = lay(plan, anchor, pair, (bid, bid + spread), sorted(bound), {})
    for wish in (*laid.buys, *laid.sells):
        assert wish.price % pair.price_step == 0
        assert wish.qty % pair.qty_step == 0
        assert wish.qty >= pair.qty_min
        assert wish.price * wish.qty >= 4.5 * 10**8
        assert wish.price * wish.qty <= plan.notional
    assert all(wish.price < bid + spread for wish in laid.buys)
    assert all(wish.price > bid for wish in laid.sells)
    assert sum(wish.price * wish.qty for wish in laid.buys) <= plan.buy_units
    assert sum(wish.qty for wish in laid.sells) <= plan.sell_sats
    highest = max((wish.price for wish in laid.buys), default=0)
    assert all(wish.price > highest for wish in laid.sells)
    assert len(laid.buys) <= plan.buy_levels
    rungs = len(laid.buys) + len(laid.sells) + len(laid.missing)
    assert rungs == plan.buy_levels + plan.sell_levels


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 1_000), st.integers(1, 50)), max_size=60))
def test_the_book_of_unmatched_buys_keeps_every_coin(
    trades: list[tuple[bool, int, int]],
) -> None:
    book: tuple[tuple[int, int], ...] = ()
    held = 0
    for is_buy, price, qty in trades:
        book = bought(book, price, qty) if is_buy else sold(book, qty)
        held = held + qty if is_buy else max(0, held - qty)
        assert sum(each for _, each in book) == held
        assert [price for price, _ in book] == sorted({price for price, _ in book})


# One fill.


def full_plan(levels: int) -> Plan:
    return Plan(levels, levels, levels, levels, STEP, 500 * 10**9, 1.0, 1.0, 10**14, 10**9)


def resting(laid: Laid, levels: int) -> list[Slot]:
    """Each wish in a slot of its own, old enough to be moved."""
    slots: list[Slot] = []
    for letter, wishes in (("b", laid.buys), ("s", laid.sells)):
        for k in range(levels):
            slot = make_slot(f"{letter}{k + 1}")
            if k < len(wishes):
                slot = make_slot(
                    slot.name, State.LIVE, price=wishes[k].price, qty=wishes[k].qty, changed=OLD
                )
            slots.append(slot)
    return slots


def side(slots: list[Slot], which: Side) -> list[Slot]:
    return [slot for slot in slots if slot.side is which]


def decisions(slots: list[Slot], laid: Laid, touch: tuple[int, int]) -> list[Intent]:
    rules = Rules(STEP, GRID.requote_tolerance, 15 * SECOND, *touch)
    buys = asked(side(slots, Side.BUY), laid.buys, NOW, rules)
    return buys + asked(side(slots, Side.SELL), laid.sells, NOW, rules)


@given(
    levels=st.integers(1, 10),
    center=st.integers(-30, 30),
    base=st.floats(500_000.0, 1_500_000.0),
    is_buy=st.booleans(),
)
def test_one_completed_fill_changes_at_most_two_orders_and_the_rest_keep_their_prices(
    levels: int, center: int, base: float, is_buy: bool
) -> None:
    anchor = Anchor(base, STEP, center)
    middle = int(anchor.price(0))
    touch = (middle - 5, middle + 5)
    before = lay(full_plan(levels), anchor, BTC_EUR, touch, [], {})
    slots = resting(before, levels)
    assert decisions(slots, before, touch) == []

    # The nearest order fills, and the market stands at its price.
    name = ("b" if is_buy else "s") + "1"
    order = next(slot for slot in slots if slot.name == name)
    after = moved_to(Hung(anchor), order.price).anchor
    assert after.center == center + (-1 if is_buy else 1)
    slots = [make_slot(name) if slot is order else slot for slot in slots]
    touch = (order.price - 5, order.price + 5)
    laid = lay(full_plan(levels), after, BTC_EUR, touch, [], {})
    intents = decisions(slots, laid, touch)
    assert len(intents) <= 2
    wished = {wish.price for wish in (*laid.buys, *laid.sells)}
    spoken = {intent.slot.name for intent in intents}
    kept = [slot for slot in slots if slot.state is State.LIVE and slot.name not in spoken]
    assert all(slot.price in wished for slot in kept)


# Deciding, whatever the slots are in.

states = st.sampled_from([state for state in State if state is not State.EMPTY])


@st.composite
def some_slots(draw: st.DrawFn, levels: int = 6) -> list[Slot]:
    slots = []
    for k in range(levels):
        slot = make_slot(f"b{k + 1}", not_before=Ns(NOW + draw(st.sampled_from((0, 0, 1)))))
        if draw(st.booleans()):
            qty = draw(st.integers(100_000, 1_000_000))
            slot = make_slot(
                slot.name,
                draw(states),
                price=Ticks(draw(st.integers(MID - 20_000, MID + 3_000))),
                qty=Sats(qty),
                filled=Sats(draw(st.sampled_from((0, 0, qty // 2, qty)))),
                changed=draw(st.sampled_from((OLD, NOW))),
                not_before=slot.not_before,
            )
        slots.append(slot)
    return slots


wishes_of_buys = st.lists(
    st.tuples(st.integers(MID - 20_000, MID), st.integers(100_000, 1_000_000)), max_size=6
).map(
    lambda rows: [
        Wish(Side.BUY, Ticks(price), Sats(qty), k)
        for k, (price, qty) in enumerate(sorted(rows, reverse=True), start=1)
    ]
)


@given(some_slots(), wishes_of_buys)
def test_never_more_orders_than_rungs_and_no_word_about_what_is_not_at_rest(
    slots: list[Slot], wishes: list[Wish]
) -> None:
    rules = Rules(STEP, GRID.requote_tolerance, 15 * SECOND, MID - 5, MID + 5)
    intents = asked(slots, wishes, NOW, rules)
    spoken = [intent.slot.name for intent in intents]
    assert len(spoken) == len(set(spoken)), "one word a slot"
    for intent in intents:
        match intent:
            case Add(slot):
                assert slot.state is State.EMPTY
                assert slot.not_before <= NOW
            case Amend(slot, wish):
                assert slot.state is State.LIVE
                assert slot.not_before <= NOW
                assert slot.filled < wish.qty
            case Cancel(slot):
                assert slot.state is State.LIVE
    held = sum(slot.state is not State.EMPTY for slot in slots)
    adds = sum(isinstance(intent, Add) for intent in intents)
    assert held + adds <= max(held, len(wishes))
    served = [intent.wish for intent in intents if not isinstance(intent, Cancel)]
    assert all(served.count(wish) <= wishes.count(wish) for wish in served)


# The statistics.


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(1.0, 2.0)), min_size=1, max_size=80),
    st.integers(1, 40),
)
def test_extremes_are_those_of_a_naive_window(steps: list[tuple[int, float]], window: int) -> None:
    extremes = Extremes(Ns(window))
    now, seen = 0, []
    for wait, value in steps:
        now += wait
        seen.append((now, value))
        extremes.add(Ns(now), value)
        within = [each for at, each in seen if at >= now - window]
        assert extremes.of(Ns(now)) == (min(within), max(within))


mids = st.lists(st.floats(500_000.0, 1_500_000.0), min_size=1, max_size=60)


EDGES = thresholds(Record(), CONFIG.regime)


def classified(values: list[float]) -> list[Regime]:
    regime, found = Regime(), []
    for k, mid in enumerate(values):
        regime = classify(regime, make_view(mid), Ns(NOW + k * 37 * SECOND), EDGES, CONFIG.regime)
        found.append(regime)
    return found


@given(mids)
@settings(max_examples=50)
def test_the_same_market_makes_the_same_regime(values: list[float]) -> None:
    assert classified(values) == classified(values)


@given(mids, st.integers(1, 59))
@settings(max_examples=50)
def test_only_what_is_sampled_counts(values: list[float], between: int) -> None:
    """A view between two samples leaves no trace."""
    regime = classified(values)[-1]
    soon = Ns(min(regime.next_sample - 1, NOW + between))
    assert classify(regime, make_view(1.0), soon, EDGES, CONFIG.regime) == regime


@given(st.lists(st.floats(1.0, 1_000.0), min_size=1, max_size=40))
def test_a_band_is_entered_at_its_edge_and_left_only_below_its_latch(
    equities: list[float],
) -> None:
    edges = (0.05, 0.10, CONFIG.risk.max_portfolio_drawdown_pct, CONFIG.risk.emergency_drawdown_pct)
    risk, peak = Risk(), 0.0
    for equity in equities:
        before = risk.severity
        risk = assess(risk, equity, BOOT, CONFIG.risk)
        peak = max(peak, equity)
        assert risk.peak == peak
        assert risk.drawdown == (peak - equity) / peak
        reached = Severity(sum(risk.drawdown >= edge for edge in edges))
        assert risk.severity >= reached
        if risk.severity > reached:
            assert risk.severity <= before
            assert risk.drawdown + LATCH >= edges[risk.severity - 1]
