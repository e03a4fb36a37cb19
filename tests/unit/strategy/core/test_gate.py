"""The one order gate: each reason for which an order must not leave, and the throttle."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shared.orders import Armed
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import deadman
from strategy.core.gate import refuse, throttle
from strategy.core.lifecycle import Phase
from strategy.core.market import Freshness
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.slots import Add, Amend, Slot, State, Wish
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    CONFIG,
    MID,
    PINNED,
    make_config,
    make_memory,
    make_slot,
    make_view,
)

NOW = BOOT
QTY = 588_000


def ready(memory: Memory | None = None) -> Memory:
    """A memory in which an order may leave."""
    memory = memory or make_memory()
    memory.phase, memory.system, memory.line = Phase.TRADING, "online", "up"
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.16")}
    memory.switch = deadman.answered(deadman.Deadman(), Armed(NOW, 60))
    pair = memory.pairs["BTC/EUR"]
    pair.tape.pair, pair.view, pair.maker = BTC_EUR, make_view(), 0.0012
    return memory


def one(memory: Memory) -> PairMemory:
    return memory.pairs["BTC/EUR"]


def add(price: int = MID - 3_000, qty: int = QTY, side: Side = Side.BUY, slot: str = "") -> Add:
    name = slot or ("b1" if side is Side.BUY else "s1")
    return Add(make_slot(name), Wish(side, Ticks(price), Sats(qty), 1))


def verdict(memory: Memory, intent: Add | Amend) -> str:
    return refuse(memory, one(memory), intent, NOW)


def put(memory: Memory, *slots: Slot) -> None:
    pair = one(memory)
    for slot in slots:
        pair.slots[pair.place(slot.name)] = slot


def set_view(memory: Memory, **changes: Any) -> None:
    view = one(memory).view
    assert view is not None
    one(memory).view = msgspec.structs.replace(view, **changes)


STATES: dict[str, Callable[[Memory], object]] = {
    "phase is syncing": lambda m: setattr(m, "phase", Phase.SYNCING),
    "phase is draining": lambda m: setattr(m, "phase", Phase.DRAINING),
    "halted: reason": lambda m: setattr(m, "halt", "reason"),
    "on hold": lambda m: setattr(m, "hold", "reason"),
    "the exchange is cancel_only": lambda m: setattr(m, "system", "cancel_only"),
    "the exchange is unknown": lambda m: setattr(m, "system", ""),
    "no fresh book": lambda m: set_view(m, freshness=Freshness.STALE),
    "the pair is post_only": lambda m: set_view(m, pair=replace(BTC_EUR, status="post_only")),
    "the dead man's switch does not cover it": lambda m: setattr(m, "switch", deadman.Deadman()),
}


def test_an_order_may_leave_where_nothing_speaks_against_it() -> None:
    assert verdict(ready(), add()) == ""
    assert verdict(ready(), add(MID + 3_000, side=Side.SELL)) == ""


@pytest.mark.parametrize("why", list(STATES))
def test_states_in_which_nothing_leaves(why: str) -> None:
    memory = ready()
    STATES[why](memory)
    assert verdict(memory, add()) == why
    amend = Amend(make_slot("b1", State.LIVE), add().wish)
    assert verdict(memory, amend) == why


def test_only_an_exit_leaves_while_on_hold() -> None:
    memory = ready()
    memory.hold = "flatten"
    intent = add(MID - 100, side=Side.SELL, slot=EXIT_SLOT)
    assert verdict(memory, intent) == ""
    memory.halt = "halted"
    assert verdict(memory, intent) != ""


@pytest.mark.parametrize(
    ("intent", "why"),
    [
        (add(0), "not on the pair's price or quantity steps"),
        (add(-5), "not on the pair's price or quantity steps"),
        (add(qty=4_999), "below the pair's least quantity"),
        (add(qty=2_400_000), "larger than limits.order_quote"),
        (add(int(MID * 0.899)), "outside the price collar"),
        (add(MID + 5), "would cross the book"),
        (add(MID + 6), "would cross the book"),
        (add(MID + 4), ""),
        (add(MID - 5, side=Side.SELL), "would cross the book"),
        (add(MID - 4, side=Side.SELL), ""),
    ],
)
def test_prices_and_sizes(intent: Add, why: str) -> None:
    assert verdict(ready(), intent) == why


def test_an_order_of_our_own_is_never_met() -> None:
    """A sell whose fill is on its way stands below the market; a buy above it would be our own."""
    memory = ready()
    put(memory, make_slot("s1", State.LOST, price=Ticks(MID), was_price=Ticks(MID - 2_000)))
    assert verdict(memory, add(MID - 2_000)) == "would meet an order of our own"
    assert verdict(memory, add(MID - 2_001)) == ""
    memory = ready()
    put(memory, make_slot("b1", State.LIVE, price=Ticks(MID + 2_000)))
    assert verdict(memory, add(MID + 2_000, side=Side.SELL)) == "would meet an order of our own"
    assert verdict(memory, add(MID + 2_001, side=Side.SELL)) == ""


def test_an_exit_waits_until_our_own_buys_are_out_of_its_way() -> None:
    memory = ready()
    put(memory, make_slot("b1", State.CANCEL_PENDING, price=Ticks(MID - 3_000)))
    intent = add(MID - 4_000, side=Side.SELL, slot=EXIT_SLOT)
    assert verdict(memory, intent) == "would meet an order of our own"
    put(memory, make_slot("b1"))
    assert verdict(memory, intent) == ""


def test_steps_of_the_pair() -> None:
    memory = ready()
    set_view(memory, pair=replace(BTC_EUR, price_step=5, qty_step=1_000))
    assert verdict(memory, add(845_001)) != ""
    assert verdict(memory, add(845_000, 588_001)) != ""
    assert verdict(memory, add(845_000, 588_000)) == ""


def test_the_collar_holds_against_the_slower_reference_too() -> None:
    memory = ready()
    set_view(memory, vwap=MID * 1.2)
    assert verdict(memory, add()) == "outside the price collar"


def test_the_number_of_orders_is_bounded_for_adds_only() -> None:
    memory = ready(make_memory(make_config(limits={"open_orders": 1})))
    put(memory, make_slot("b2", State.LIVE, price=Ticks(840_000)))
    assert verdict(memory, add()) == "limits.open_orders is reached"
    amend = Amend(make_slot("b2", State.LIVE, price=Ticks(840_000)), add().wish)
    assert verdict(memory, amend) == ""


def test_worst_case_of_the_buys_is_within_the_funds() -> None:
    all_coins = {**PINNED["regime"]["range_bound"], "btc_max_pct": 1.0}
    config = make_config(limits={"btc_max_pct": 1.0}, regime={"range_bound": all_coins})
    memory = ready(make_memory(config))
    memory.balances = {"EUR": Decimal(1_000), "BTC": Decimal(0)}
    put(memory, make_slot("b2", State.LOST, price=Ticks(MID - 6_000), qty=Sats(QTY)))
    assert verdict(memory, add(qty=580_000)) == ""
    assert verdict(memory, add(qty=600_000)) == "more than the funds there are"


def test_an_amend_under_way_binds_the_dearer_of_its_two_orders() -> None:
    memory = ready()
    memory.balances["EUR"] = Decimal(1_000)
    pending = make_slot(
        "b2", State.AMEND_PENDING, price=Ticks(MID - 6_000), qty=Sats(100_000),
        was_price=Ticks(MID - 3_000), was_qty=Sats(700_000),
    )  # fmt: skip
    put(memory, pending)
    assert verdict(memory, add()) == "more than the funds there are"


def test_worst_case_of_the_sells_is_within_the_coins_free_of_tax() -> None:
    memory = ready()
    memory.balances["BTC"] = Decimal("0.0100")
    put(memory, make_slot("s2", State.CANCEL_PENDING, price=Ticks(MID + 9), qty=Sats(500_000)))
    assert verdict(memory, add(MID + 3_000, 500_000, Side.SELL)) == ""
    assert verdict(memory, add(MID + 3_000, 500_001, Side.SELL)) == (
        "more than the coins that may be sold"
    )


def test_the_reserve_and_the_locked_coins_are_never_sold() -> None:
    memory = ready(make_memory(make_config(grid={"base_reserve": "0.155"})))
    assert verdict(memory, add(MID + 3_000, 500_001, Side.SELL)) != ""
    assert verdict(memory, add(MID + 3_000, 500_000, Side.SELL)) == ""
    memory = ready(make_memory(make_config(tax={"holding_safety_days": 200})))
    assert verdict(memory, add(MID + 3_000, side=Side.SELL)) != ""


def test_what_an_order_has_filled_is_not_bound_again() -> None:
    memory = ready()
    memory.balances["EUR"] = Decimal(300)
    slot = make_slot("b1", State.LIVE, price=Ticks(MID - 3_000), filled=Sats(300_000))
    put(memory, slot)
    assert verdict(memory, Amend(slot, add().wish)) == ""


@pytest.mark.parametrize(
    ("fills", "spread", "halts"), [(20, 1, False), (21, 1, True), (21, 3, False)]
)
def test_too_many_fills_in_a_minute_halt(fills: int, spread: int, halts: bool) -> None:
    memory = ready()
    for k in range(fills):
        memory.fill_times.append(Ns(NOW + k * spread * SECOND))
    assert bool(throttle(memory, Ns(NOW + (fills - 1) * spread * SECOND))) is halts


def test_too_many_fills_in_an_hour_halt() -> None:
    memory = ready(make_memory(make_config(limits={"fills_per_hour": 30})))
    for k in range(31):
        memory.fill_times.append(Ns(NOW + k * 100 * SECOND))
    assert "hour" in throttle(memory, Ns(NOW + 3_000 * SECOND))
    assert throttle(memory, Ns(NOW + 3_700 * SECOND)) == ""


def test_rejects_in_a_row_halt() -> None:
    memory = ready()
    memory.rejects_in_a_row = CONFIG.limits.rejects_in_a_row
    assert "refused in a row" in throttle(memory, NOW)
