"""The core whole, against a desk: how it comes up, quotes, hears of fills, and is woken."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared import control, orders
from shared.units import SECOND, Ns, Side, Ticks
from strategy.core.lifecycle import Phase
from strategy.core.out import Report
from strategy.core.slots import State, amended
from tests.unit.strategy.core.build import (
    BOOT,
    MAKER,
    make_book,
    make_config,
    make_fill,
    rung,
)
from tests.unit.strategy.core.desk import Desk, changes, kinds, quoting

# Coming up.


def test_it_comes_up_arms_asks_and_quotes_two_sides() -> None:
    desk = Desk()
    desk.begin()
    assert desk.memory.phase is Phase.TRADING
    assert [type(command) for command in desk.sent[:2]] == [orders.ArmDeadman, orders.AskOrders]
    assert [order.price for order in desk.side(Side.BUY)] == [int(rung(-k)) for k in range(1, 6)]
    assert len(desk.side(Side.SELL)) == 5
    assert all(slot.state is State.LIVE for slot in desk.slots if slot.name != "x")


@pytest.mark.parametrize(
    ("missing", "waits"),
    [
        (orders.LineUp, "the private line"),
        (orders.Fees, "fees of BTC/EUR"),
        (orders.Balances, "balances"),
        (orders.Pairs, "precisions of BTC/EUR"),
    ],
)
def test_it_trades_only_when_all_is_known_and_says_what_is_missing(
    missing: type, waits: str
) -> None:
    desk = Desk()
    desk.loses = (orders.AskOrders,) if missing is orders.Balances else ()
    desk.connect()
    desk.mail = [item for item in desk.mail if not isinstance(item, missing)]
    desk.run(8)
    status = desk.ask(control.AskStatus)
    assert any(waits in why for why in status.data["waits_for"])  # type: ignore[attr-defined]
    assert not desk.resting


def test_it_does_not_trade_without_the_switch() -> None:
    desk = Desk()
    desk.refuses = {orders.ArmDeadman: orders.Refused("arm", "", "EX", orders.Verdict.UNKNOWN)}
    desk.connect()
    desk.run(30)
    assert desk.memory.phase is Phase.SYNCING
    assert not desk.resting
    asked = [command for command in desk.sent if isinstance(command, orders.ArmDeadman)]
    assert 5 <= len(asked) <= 7  # each five seconds, not each tick
    desk.refuses.clear()
    desk.run(8)
    assert len(desk.resting) == 10


def test_a_quiet_market_changes_nothing() -> None:
    desk = quoting()
    since = len(desk.sent)
    desk.run(120)
    assert changes(desk, since) == []
    armed = [c for c in desk.sent[since:] if isinstance(c, orders.ArmDeadman)]
    assert 5 <= len(armed) <= 7


# Fills.


def test_a_completed_fill_moves_the_anchor_and_changes_two_orders() -> None:
    desk = quoting()
    desk.run(20)
    nearest = desk.side(Side.BUY)[0]
    kept = {order.price for order in desk.resting.values()} - {nearest.price}
    desk.mid = nearest.price
    since = len(desk.sent)
    desk.fill(nearest.cl_ord_id)
    desk.run(10)
    assert desk.memory.pairs["BTC/EUR"].hung.anchor.center == -1
    assert kinds(changes(desk, since)) == ["AddOrder", "AmendOrder"]
    prices = {order.price for order in desk.resting.values()}
    assert len(prices & kept) == len(kept) - 1
    assert len(desk.booked) == 1
    assert desk.booked["T-0"].slot == "b1"
    assert len(desk.intents) == 10


def test_a_partial_fill_changes_no_order() -> None:
    desk = quoting()
    desk.run(20)
    since = len(desk.sent)
    nearest = desk.side(Side.BUY)[0]
    desk.fill(nearest.cl_ord_id, nearest.qty // 3)
    desk.run(60)
    assert changes(desk, since) == []
    assert desk.memory.pairs["BTC/EUR"].hung.anchor.center == 0
    assert desk.slot("b1").filled == nearest.qty // 3


def test_a_fill_overtaking_the_ack_empties_the_slot() -> None:
    desk = Desk()
    desk.deaf = (orders.AddOrder,)
    desk.connect()
    desk.run(2.5)
    first = desk.side(Side.BUY)[0]
    assert desk.slot("b1").state is State.PENDING_NEW
    desk.fill(first.cl_ord_id)
    late = orders.Accepted("add", first.cl_ord_id, first.order_id)
    desk.run(0.5, late)
    assert desk.booked["T-0"].slot == "b1"
    assert desk.slot("b1").cl_ord_id != first.cl_ord_id
    assert first.cl_ord_id not in desk.memory.orphans


def test_a_fill_booked_twice_is_booked_once() -> None:
    desk = quoting()
    fill = desk.fill(desk.side(Side.SELL)[0].cl_ord_id)
    desk.run(2, fill, fill)
    desk.run(2, fill)
    assert list(desk.booked) == [fill.exec_id]
    assert desk.memory.fills == 1


def test_a_fill_of_an_order_that_ended_before_still_belongs_to_its_slot() -> None:
    desk = quoting()
    name = desk.side(Side.BUY)[0].cl_ord_id
    desk.fill(name, silent=True)
    ended = orders.Gone(name, "", "filled", desk.trades[0].qty)
    desk.run(5, ended)
    assert desk.booked["T-0"].slot == "b1"
    assert desk.memory.pairs["BTC/EUR"].unmatched != ()


def test_the_anchor_goes_to_the_rung_that_was_filled_not_to_the_one_that_was_wished() -> None:
    """A fill overtakes an amend: the amended price was never traded at."""
    desk = quoting()
    slot = desk.slot("b1")
    pair = desk.memory.pairs["BTC/EUR"]
    place = pair.place("b1")
    order = orders.AmendOrder(slot.cl_ord_id, "BTC/EUR", Ticks(int(rung(-5))), slot.qty, Ns(0))
    pair.slots[place] = amended(slot, order, desk.now)
    desk.fill(slot.cl_ord_id)
    desk.run(1)
    assert pair.hung.anchor.center == -1


def test_sells_stay_above_the_buys_they_answer() -> None:
    desk = quoting()
    bought = [order.price for order in desk.side(Side.BUY)[:3]]
    for price in bought:
        order = next(o for o in desk.side(Side.BUY) if o.price == price)
        desk.mid = price
        desk.fill(order.cl_ord_id)
        desk.run(20)
    lowest = min(bought) * 1.0039
    assert all(order.price >= int(lowest) for order in desk.side(Side.SELL))


def test_too_many_fills_halt_and_the_halt_survives_a_restart() -> None:
    desk = quoting(Desk(make_config(limits={"fills_per_minute": 3})))
    for order in [*desk.side(Side.BUY)[:2], *desk.side(Side.SELL)[:2]]:
        desk.fill(order.cl_ord_id)
    desk.run(3)
    assert "fills" in desk.memory.halt
    assert not desk.resting
    desk.restart()
    desk.begin()
    assert "fills" in desk.memory.halt
    assert not desk.resting
    assert desk.resume().ok
    desk.run(5)
    assert len(desk.resting) == 10
    assert desk.facts["halt"] == ""


# Machine.


def test_time_never_falls() -> None:
    desk = quoting()
    with pytest.raises(AssertionError, match="time never falls"):
        desk.core.step(Ns(desk.now - 1), [])


def test_it_is_woken_once_a_tick_and_reports_each_second() -> None:
    desk = quoting()
    assert desk.core.wake_at() == desk.now + SECOND
    reports = 0
    for _ in range(20):
        desk.now = Ns(desk.now + SECOND // 2)
        reports += sum(isinstance(item, Report) for item in desk.step())
    assert 9 <= reports <= 11


def test_frames_and_events_of_other_pairs_are_nobodys_business() -> None:
    desk = quoting()
    since = len(desk.sent)
    other = replace(make_book(desk.now, 5_000, seq=10**6), pair="ETH/EUR")
    fees = orders.Fees("ETH/EUR", MAKER, MAKER)
    odd = make_fill("T-eth", Side.BUY, 100, 100, pair="ETH/EUR")
    desk.run(2, other, fees, orders.RateCounter("ETH/EUR", 99.0, 125), odd)
    assert changes(desk, since) == []
    assert not desk.booked
    assert desk.memory.pairs["BTC/EUR"].limiter.threshold == 125


def test_a_threshold_alone_does_not_reset_the_counter() -> None:
    desk = quoting()
    desk.run(0.5, orders.RateCounter("BTC/EUR", 90.0, 125))
    before = desk.memory.pairs["BTC/EUR"].limiter
    desk.run(0.5, orders.RateCounter("BTC/EUR", -1.0, 180))
    after = desk.memory.pairs["BTC/EUR"].limiter
    assert (after.counter, after.threshold) == (before.counter, 180)
    assert desk.now > BOOT


def test_balances_add_up_by_asset() -> None:
    desk = quoting()
    desk.run(0.5, orders.Balances({"EUR": Decimal(7)}))
    assert desk.memory.balances == {"EUR": Decimal(7), "BTC": Decimal("0.16")}
