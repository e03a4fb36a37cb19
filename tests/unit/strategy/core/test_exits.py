"""Exits: the only orders that may take, piece by piece, and only what is free of tax."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared import orders
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import exits
from strategy.core.exits import EXIT_DEPTH, why_not
from strategy.core.inventory import share
from strategy.core.market import Freshness
from strategy.core.memory import EXIT_SLOT, Memory
from strategy.core.regime import values_of
from strategy.core.risk import Pause
from strategy.core.slots import Add, State
from tests.unit.strategy.core.build import BOOT, MID, make_config, make_memory, make_slot, old_lots
from tests.unit.strategy.core.desk import Desk
from tests.unit.strategy.core.test_gate import one, put, ready, set_view


def flattening(memory: Memory | None = None) -> Memory:
    memory = ready(memory)
    memory.flatten = True
    return memory


def decided(memory: Memory) -> list[Add]:
    found = exits.decide(memory, one(memory), BOOT)
    assert all(isinstance(intent, Add) for intent in found)
    return [intent for intent in found if isinstance(intent, Add)]


def test_a_piece_is_below_the_bid_and_within_the_largest_order() -> None:
    [add] = decided(flattening())
    assert (add.slot.name, add.wish.side) == (EXIT_SLOT, Side.SELL)
    assert int((MID - 5) * 0.995) - 1 <= add.wish.price <= (MID - 5) * 0.995
    assert 1_990 * 10**9 < (MID - 5) * add.wish.qty <= 2_000 * 10**9


@pytest.mark.parametrize(
    ("state", "name"), [(State.LIVE, "s1"), (State.CANCEL_PENDING, "s3"), (State.LOST, EXIT_SLOT)]
)
def test_it_waits_while_another_sell_may_still_fill(state: State, name: str) -> None:
    memory = flattening()
    put(memory, make_slot(name, state, price=Ticks(MID)))
    assert decided(memory) == []
    assert memory.flatten


def test_it_waits_for_a_fresh_book_and_for_its_cool_down() -> None:
    memory = flattening()
    set_view(memory, freshness=Freshness.STALE)
    assert decided(memory) == []
    memory = flattening()
    put(memory, make_slot(EXIT_SLOT, not_before=Ns(BOOT + 1)))
    assert decided(memory) == []
    assert memory.flatten


def test_nothing_is_sold_that_nobody_asked_to_sell() -> None:
    assert decided(ready()) == []


@pytest.mark.parametrize(
    "memory",
    [
        make_memory(lots=old_lots(days=300)),  # taxable
        make_memory(lots=old_lots("0.00004")),  # below the least quantity
        make_memory(make_config(grid={"base_reserve": "0.16"})),  # never to be sold
    ],
)
def test_it_ends_when_nothing_is_left_that_may_be_sold(memory: Memory) -> None:
    flattening(memory)
    memory.balances["BTC"] = Decimal("0.16")
    assert decided(memory) == []
    assert not memory.flatten


def test_the_last_piece_is_what_is_left() -> None:
    memory = flattening(make_memory(lots=old_lots("0.0100")))
    [add] = decided(memory)
    assert add.wish.qty == Sats(1_000_000)


# The emergency: nearly all in coins, and coins are down by three tenths.

CRASHED = int(MID * 0.7)


def crash(
    *, second: int | None = CRASHED, seconds: float = 900, daily_loss: str = "100000"
) -> Desk:
    """A desk in the emergency band, told a second price each few seconds, or none."""
    cfg = make_config(
        limits={"daily_loss_quote": daily_loss},
        risk={"price_velocity_freeze_pct": 1.0},
        regime={"chaos_volatility_pct": 100.0},
    )
    desk = Desk(cfg)
    desk.totals["EUR"] = Decimal(500)
    desk.begin()
    desk.mid = CRASHED
    tell(desk, second, seconds)
    return desk


def tell(desk: Desk, second: int | None, seconds: float) -> None:
    end = desk.now + int(seconds * SECOND)
    while desk.now < end:
        if second is not None:
            bid, ask = Ticks(second - 5), Ticks(second + 5)
            desk.mail.append(orders.SecondPrice("BTC/EUR", bid, ask, desk.now))
        desk.run(min(5.0, (end - desk.now) / SECOND))


def exits_of(desk: Desk) -> list[orders.AddOrder]:
    return [o for o in desk.sent if isinstance(o, orders.AddOrder) and o.exit_order]


def test_an_emergency_sells_down_to_what_the_regime_allows_and_says_what_and_why() -> None:
    desk = crash()
    sold = exits_of(desk)
    assert sold
    assert desk.memory.pause is Pause.EMERGENCY_SELL
    assert all(order.price >= (CRASHED - 5) * (1 - EXIT_DEPTH) - 1 for order in sold)
    values = values_of(next(iter(desk.memory.pairs.values())).regime, desk.config.regime)
    pair = next(iter(desk.memory.pairs.values()))
    coins = share(desk.memory.base_total(pair), desk.memory.quote_total(pair), CRASHED)
    assert coins == pytest.approx(values.btc_max_pct, abs=0.01)
    assert not desk.resting
    said = [tell.text for tell in desk.told if tell.key == "exit"]
    assert len(said) == len(sold)
    assert "drawdown" in said[0]
    assert "of T-old (free -" in said[0]


@pytest.mark.parametrize("second", [None, MID], ids=["silent", "disagrees"])
def test_without_a_second_source_that_agrees_nothing_is_sold(second: int | None) -> None:
    assert not exits_of(crash(second=second))


def test_a_halt_for_the_days_loss_does_not_stop_the_emergency() -> None:
    desk = crash(daily_loss="100")
    assert "limits.daily_loss_quote" in desk.memory.halt
    assert len(exits_of(desk)) == len(exits_of(crash()))
    assert not [o for o in desk.sent[-50:] if isinstance(o, orders.AddOrder) and not o.exit_order]


@pytest.mark.parametrize("halt", ["killed by a person", "10 orders refused in a row"])
def test_any_other_halt_stops_it(halt: str) -> None:
    desk = crash(seconds=20)
    desk.memory.halt = halt
    tell(desk, CRASHED, 300)
    assert desk.memory.pause is Pause.EMERGENCY_SELL
    assert not exits_of(desk)


def test_on_hold_an_emergency_sells_nothing() -> None:
    desk = crash(seconds=20)
    desk.memory.hold = "I look after it myself"
    tell(desk, CRASHED, 300)
    assert not exits_of(desk)


def test_what_an_emergency_waits_for_is_told() -> None:
    desk = crash(seconds=20)
    desk.memory.hold = "I look after it myself"
    tell(desk, CRASHED, 60)
    (pair,) = desk.memory.pairs.values()
    assert "on hold: I look after it myself" in why_not(desk.memory, pair, desk.now)
    desk = crash()
    (pair,) = desk.memory.pairs.values()
    assert "which the regime allows" in why_not(desk.memory, pair, desk.now)


def test_a_wick_sells_nothing() -> None:
    desk = crash(seconds=25)
    desk.mid = MID
    tell(desk, MID, 900)
    assert not exits_of(desk)


def test_a_spike_up_and_its_way_back_sell_nothing() -> None:
    """Ten times the price for a minute, confirmed by the ticker: no peak from which one falls."""
    desk = Desk(make_config(limits={"daily_loss_quote": "100000000"}))
    desk.totals["EUR"] = Decimal(500)
    desk.begin()
    tell(desk, MID, 5)
    before = desk.memory.risk.peak
    for mid, seconds in ((10 * MID, 60), (MID, 900)):
        desk.mid = mid
        tell(desk, mid, seconds)
    assert not exits_of(desk)
    assert desk.memory.risk.peak == pytest.approx(before, rel=0.02)
    assert desk.memory.pause is not Pause.EMERGENCY_SELL


def test_a_person_who_holds_the_bot_holds_the_emergency_too() -> None:
    desk = crash(seconds=10)
    desk.hold()
    tell(desk, CRASHED, 900)
    assert not exits_of(desk)


@pytest.mark.parametrize(("seconds", "waits"), [(29, True), (30, False)])
def test_the_drawdown_must_have_stood_for_half_a_minute(seconds: int, waits: bool) -> None:
    desk = crash(seconds=10)
    memory = desk.memory
    [pair] = memory.pairs.values()
    later = Ns(memory.risk.emergency_since + seconds * SECOND)
    assert ("30 s" in exits.why_not(memory, pair, later)) is waits
