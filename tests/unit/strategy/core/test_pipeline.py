"""The core whole, against a desk: how it comes up, quotes, loses, finds again and ends."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared import control, orders
from shared.units import DAY, SECOND, Ns, Sats, Side, Ticks
from strategy.core.lifecycle import Phase
from strategy.core.out import Report, StopAsked
from strategy.core.risk import Pause
from strategy.core.slots import State, amended
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    MAKER,
    MID,
    STAMP,
    WALL,
    make_book,
    make_config,
    make_fill,
    old_lots,
    rung,
)
from tests.unit.strategy.core.desk import Desk, foreign


def quoting(desk: Desk | None = None) -> Desk:
    desk = desk or Desk()
    desk.begin()
    assert len(desk.resting) == 10
    return desk


def changes(desk: Desk, since: int) -> list[orders.Command]:
    """Commands about orders, after the first `since` of all commands."""
    about = (orders.AddOrder, orders.AmendOrder, orders.CancelOrder)
    return [command for command in desk.sent[since:] if isinstance(command, about)]


def kinds(commands: list[orders.Command]) -> list[str]:
    return sorted(type(command).__name__ for command in commands)


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


# Refusals.


POST_ONLY = orders.Refused("add", "", "EOrder:Post only order", orders.Verdict.NOT_DONE)
NO_FUNDS = orders.Refused("add", "", "EOrder:Insufficient funds", orders.Verdict.NOT_DONE)


def adds(desk: Desk) -> int:
    return sum(isinstance(command, orders.AddOrder) for command in desk.sent)


@pytest.mark.parametrize("refusal", [POST_ONLY, NO_FUNDS])
def test_a_reject_cools_its_slot_longer_each_time(refusal: orders.Refused) -> None:
    desk = Desk(make_config(limits={"rejects_in_a_row": 10_000}))
    desk.refuses = {orders.AddOrder: refusal}
    desk.begin()
    desk.run(120)
    assert adds(desk) <= 10 * 7  # 2, 4, 8, 16, 32, 60 s: seven tries of ten slots
    assert not desk.intents
    desk.refuses.clear()
    desk.run(61)
    assert len(desk.resting) == 10


def test_an_order_accepted_and_cancelled_for_crossing_cools_its_slot_longer_each_time() -> None:
    """The other form of a post-only reject: a good answer, then the engine's cancel."""
    desk = quoting()
    waits = []
    for _ in range(4):
        order = desk.side(Side.BUY)[0]
        name = next(s.name for s in desk.slots if s.cl_ord_id == order.cl_ord_id)
        gone = desk._end(order.cl_ord_id, "canceled")
        desk.run(0.5, replace(gone, reason="Post only order"))
        waits.append((desk.slot(name).not_before - desk.now) / SECOND)
        desk.run(waits[-1] + 1)
    assert waits == [2.0, 4.0, 8.0, 16.0]
    order = desk.side(Side.BUY)[0]
    name = next(s.name for s in desk.slots if s.cl_ord_id == order.cl_ord_id)
    desk.run(0.5, desk._end(order.cl_ord_id, "canceled"))
    assert desk.slot(name).rejects == 0, "it lived, and ended as orders do"


def test_refused_orders_of_our_own_fault_halt() -> None:
    desk = Desk()
    desk.refuses = {orders.AddOrder: NO_FUNDS}
    desk.begin()
    desk.run(5)
    assert "refused in a row" in desk.memory.halt


def test_a_refused_amend_leaves_the_order_and_is_not_repeated_in_a_tight_loop() -> None:
    desk = quoting()
    desk.run(20)
    crossing = orders.Refused("amend", "", "EOrder:Post only order", orders.Verdict.NOT_DONE)
    desk.refuses = {orders.AmendOrder: crossing}
    order = desk.side(Side.BUY)[0]
    desk.mid = order.price
    desk.fill(order.cl_ord_id)
    since = len(desk.sent)
    desk.run(120)
    tries = [c for c in changes(desk, since) if isinstance(c, orders.AmendOrder)]
    assert 1 < len(tries) <= 8
    assert all(s.state is State.LIVE for s in desk.slots if s.state is not State.EMPTY)


def test_the_exchanges_rate_limit_stops_adds_and_never_cancels() -> None:
    desk = Desk()
    limit = orders.Refused("add", "", "EOrder:Rate limit exceeded", orders.Verdict.LIMIT)
    desk.refuses = {orders.AddOrder: limit}
    desk.connect()
    desk.run(2.5)
    first = adds(desk)
    desk.run(3)
    assert adds(desk) == first
    assert desk.memory.halt == ""


def test_what_the_gate_refuses_does_not_fill_the_rate_counter() -> None:
    """Else orders that never left would keep the others from leaving."""
    desk = Desk(make_config(limits={"open_orders": 3}))
    desk.begin()
    desk.run(60)
    pair = desk.memory.pairs["BTC/EUR"]
    assert len(desk.resting) == 3
    assert pair.limiter.value(desk.now, 3.75) < 1.0
    assert "limits.open_orders" in desk.ask(control.Explain, slot="b5").text


# Silence and doubt.


def test_no_answer_is_unknown_and_the_list_finds_the_order() -> None:
    desk = Desk()
    desk.deaf = (orders.AddOrder,)
    desk.connect()
    desk.run(7.5)
    assert desk.memory.lost() == 10
    desk.deaf = ()
    desk.run(6)
    assert desk.memory.lost() == 0
    assert adds(desk) == 10
    assert all(s.state is State.LIVE for s in desk.slots if s.name != "x")


def test_an_order_that_never_arrived_is_freed_only_by_deadline_two_misses_and_a_question() -> None:
    desk = Desk()
    desk.loses = (orders.AddOrder,)
    desk.connect()
    desk.run(7.5)
    assert desk.memory.lost() == 10
    since = len(desk.sent)
    desk.loses = (orders.AddOrder, orders.AskOrder)
    desk.run(60)
    lists = [c for c in desk.sent[since:] if isinstance(c, orders.AskOrders)]
    asked = [c for c in desk.sent[since:] if isinstance(c, orders.AskOrder)]
    assert len(lists) > 2
    assert len({command.cl_ord_id for command in asked}) == 1
    assert desk.memory.lost() == 10
    assert changes(desk, since) == []
    desk.loses = ()
    desk.run(70)
    assert desk.memory.lost() == 0
    assert len(desk.resting) == 10


def test_no_miss_counts_before_the_deadline_has_passed() -> None:
    desk = Desk()
    desk.loses = (orders.AddOrder,)
    desk.connect()
    desk.run(3)
    desk.cut()
    desk.run(0.5)
    desk.connect()
    desk.run(1)
    assert desk.memory.lost() == 10
    assert all(slot.misses == 0 for slot in desk.slots)


def test_a_step_of_our_wall_clock_frees_nothing() -> None:
    desk = Desk()
    desk.loses = (orders.AddOrder,)
    desk.connect()
    desk.run(3)
    desk.wall = Ns(desk.wall + 3600 * SECOND)
    desk.cut()
    desk.run(0.5)
    desk.connect()
    desk.run(1)
    assert all(slot.misses == 0 for slot in desk.slots if slot.state is State.LOST)
    assert desk.memory.lost() == 10


def test_a_list_that_omits_a_live_order_once_is_not_believed() -> None:
    desk = quoting()
    name = desk.side(Side.BUY)[0].cl_ord_id
    desk.hidden = {name}
    desk.run(31)
    assert (desk.slot("b1").cl_ord_id, desk.slot("b1").misses) == (name, 1)
    assert desk.memory.lost() == 0
    desk.hidden = set()
    desk.run(31)
    assert (desk.slot("b1").cl_ord_id, desk.slot("b1").misses) == (name, 0)
    assert not [command for command in desk.sent if isinstance(command, orders.AskOrder)]


def test_a_live_order_that_vanished_unheard_is_found_out_and_replaced() -> None:
    desk = quoting()
    order = desk.side(Side.BUY)[0]
    desk._end(order.cl_ord_id, "canceled")
    desk.run(75)
    assert order.cl_ord_id not in desk.intents
    assert len(desk.resting) == 10


def test_an_order_that_comes_to_life_after_it_was_given_up_is_cancelled() -> None:
    desk = Desk()
    desk.loses = (orders.AddOrder,)
    desk.connect()
    desk.run(3)
    ghost = next(slot for slot in desk.slots if slot.name == "b1")
    desk.loses = ()
    desk.run(120)
    assert ghost.cl_ord_id not in desk.memory.index
    late = orders.RestingOrder(
        "O-late", ghost.cl_ord_id, "BTC/EUR", Side.BUY, ghost.price, ghost.qty, Sats(0)
    )
    desk.resting[ghost.cl_ord_id] = late
    desk.run(2, orders.Accepted("add", ghost.cl_ord_id, "O-late"))
    assert orders.CancelOrder(ghost.cl_ord_id) in desk.sent
    assert ghost.cl_ord_id not in desk.resting
    assert not desk.memory.orphans


def test_an_orphan_on_the_list_is_cancelled_and_a_foreign_order_is_left_alone() -> None:
    desk = Desk()
    orphan = f"g{STAMP[:-1]}z0b7"
    desk.resting[orphan] = replace(foreign(), cl_ord_id=orphan, order_id="O-orphan")
    strangers = [foreign(), foreign("O-2", "grid-bot-7"), foreign("O-3", "g0")]
    for number, order in enumerate(strangers):
        desk.resting[order.cl_ord_id or f"-{number}"] = order
    desk.begin()
    assert orphan not in desk.resting
    assert len(desk.memory.foreign) == 3
    assert len(desk.resting) == 13
    named = {c.cl_ord_id for c in desk.sent if isinstance(c, orders.CancelOrder)}
    assert named == {orphan}
    assert desk.ask(control.AskStatus).data["foreign_orders"] == 3


def test_an_orphan_that_is_gone_already_is_not_chased_for_ever() -> None:
    desk = quoting()
    orphan = f"g{STAMP[:-1]}z0b7"
    stale = desk.list_now()
    ghost = replace(foreign(), cl_ord_id=orphan)
    desk.run(1, replace(stale, orders=(*stale.orders, ghost)))
    desk.run(1)
    assert not desk.memory.orphans, "the exchange said that it knows no such order"
    desk.run(40)
    cancels = [c for c in desk.sent if c == orders.CancelOrder(orphan)]
    assert len(cancels) == 1
    assert not desk.memory.orphans


def test_an_orphan_whose_cancel_is_never_answered_is_dropped_by_the_list() -> None:
    desk = quoting()
    orphan = f"g{STAMP[:-1]}z0b7"
    desk.loses = (orders.CancelOrder,)
    desk.run(1, orders.Accepted("add", orphan, "O-1"))
    assert orphan in desk.memory.orphans
    desk.run(40)
    assert not desk.memory.orphans


# The line.


def test_a_cut_line_loses_all_sends_nothing_and_comes_back_without_a_new_order() -> None:
    desk = quoting()
    desk.cut()
    since = len(desk.sent)
    desk.run(10)
    assert desk.memory.lost() == 10
    assert changes(desk, since) == []
    assert not [c for c in desk.sent[since:] if isinstance(c, orders.AskOrders)]
    desk.begin()
    assert desk.memory.phase is Phase.TRADING
    assert desk.memory.lost() == 0
    assert changes(desk, since) == []


def test_fills_during_a_cut_are_booked_once_the_line_is_back() -> None:
    desk = quoting()
    order = desk.side(Side.BUY)[0]
    desk.cut()
    desk.run(2)
    desk.fill(order.cl_ord_id)
    desk.run(2)
    assert not desk.booked
    desk.connect()
    desk.run(20)
    assert [entry.slot for entry in desk.booked.values()] == ["b1"]
    assert order.cl_ord_id not in desk.intents
    assert desk.memory.phase is Phase.TRADING


def test_an_answer_from_before_the_cut_is_not_believed() -> None:
    """What it lists may have ended while nobody listened."""
    desk = quoting()
    stale = desk.list_now()
    desk.run(1)
    desk.cut()
    desk.run(1)
    desk.sweep()
    desk.run(1, stale)
    assert desk.memory.lost() == 10
    desk.connect()
    desk.loses = (orders.AskOrders,)
    desk.run(1, stale)
    assert desk.memory.lost() == 10
    assert desk.memory.phase is Phase.SYNCING


def test_a_line_that_comes_up_without_having_gone_down_is_as_good_as_cut() -> None:
    desk = quoting()
    desk.sweep()
    desk.run(0.5, orders.LineUp(()))
    assert desk.memory.lost() == 10
    desk.run(30)
    assert len(desk.resting) == 10
    assert len(desk.intents) == 10


def test_a_list_older_than_an_amend_does_not_undo_it() -> None:
    desk = quoting()
    desk.run(20)
    stale = desk.list_now()
    order = desk.side(Side.BUY)[0]
    desk.mid = order.price
    desk.fill(order.cl_ord_id)
    desk.run(3)
    believed = {slot.cl_ord_id: slot.price for slot in desk.slots if slot.cl_ord_id}
    desk.run(0.5, stale)
    now = {slot.cl_ord_id: slot.price for slot in desk.slots if slot.cl_ord_id}
    assert now == believed
    assert now == {name: resting.price for name, resting in desk.resting.items()}


def test_an_amend_in_doubt_is_not_settled_by_a_list_from_before_its_deadline() -> None:
    """The list shows the old order; the amend may still take effect until its deadline."""
    desk = quoting()
    desk.run(20)
    order = desk.side(Side.BUY)[0]
    desk.mid = order.price
    desk.loses = (orders.AmendOrder,)
    desk.fill(order.cl_ord_id)
    desk.run(1)
    [pending] = [slot for slot in desk.slots if slot.state is State.AMEND_PENDING]
    desk.cut()
    desk.run(0.5)
    desk.connect()
    desk.run(1)
    assert desk.slot(pending.name).state is State.LOST
    assert desk.memory.lost() == 1
    desk.run(8)
    assert desk.memory.lost() == 0
    assert desk.memory.phase is Phase.TRADING


def test_a_change_of_the_exchanges_mode_asks_for_the_list_anew() -> None:
    desk = quoting()
    desk.sweep()
    since = len(desk.sent)
    desk.run(1, orders.System("maintenance"))
    assert [c for c in desk.sent[since:] if isinstance(c, orders.AskOrders)]
    desk.run(40)
    assert not desk.resting
    desk.run(20, orders.System("online"))
    assert len(desk.resting) == 10


# The feed.


def test_a_silent_feed_stops_adds_after_three_seconds_and_cancels_after_ten() -> None:
    desk = quoting()
    desk.feeding = False
    desk.run(3.5)
    since = len(desk.sent)
    desk.fill(desk.side(Side.BUY)[0].cl_ord_id)
    desk.run(5)
    assert changes(desk, since) == []
    assert len(desk.booked) == 1
    desk.run(3)
    assert not desk.resting
    assert "silent" in " ".join(desk.ask(control.AskStatus).data["waits_for"])  # type: ignore[arg-type]


def test_after_a_silence_it_quotes_again_only_after_two_seconds_of_frames() -> None:
    desk = quoting()
    desk.feeding = False
    desk.run(13)
    assert not desk.resting
    desk.feeding, desk.feed_boot = True, 2
    desk.run(2)
    assert not desk.resting
    desk.run(3)
    assert len(desk.resting) == 10


def test_a_clock_off_the_exchanges_stops_adds() -> None:
    desk = Desk()
    desk.connect()
    desk.run(6, orders.Skew(1_500_000_000))
    assert not desk.resting
    desk.run(6, orders.Skew(-200_000_000))
    assert len(desk.resting) == 10


def test_the_breaker_takes_all_quotes_away_and_gives_them_back() -> None:
    desk = quoting()
    desk.mid = int(MID * 0.965)
    desk.run(2)
    assert not desk.resting
    desk.run(70)
    assert not desk.resting
    desk.run(40)
    assert len(desk.resting) > 0


# Risk and tax.


def test_locked_coins_are_not_sold() -> None:
    desk = Desk(lots=old_lots(days=300))
    desk.begin()
    assert desk.memory.pause is Pause.TAX_LOCK_ACTIVE
    assert len(desk.side(Side.BUY)) == 5
    assert desk.side(Side.SELL) == []


def test_a_drawdown_pauses_buys_and_an_emergency_everything() -> None:
    desk = quoting()
    desk.facts["peak"] = repr(desk.memory.risk.equity * 1.2)
    desk.restart()
    desk.begin()
    desk.run(15)
    assert desk.memory.pause is Pause.RISK_PAUSE_ACTIVE
    assert desk.side(Side.BUY) == []
    assert len(desk.side(Side.SELL)) == 5
    desk.facts["peak"] = repr(desk.memory.risk.equity * 1.3)
    desk.restart()
    desk.begin()
    desk.run(15)
    assert desk.memory.pause is Pause.EMERGENCY_SELL
    assert not desk.resting


def test_the_peak_is_kept_across_lives() -> None:
    desk = quoting()
    desk.run(61)
    desk.mid = int(MID * 1.003)
    desk.run(61)
    assert float(desk.facts["peak"]) == pytest.approx(desk.memory.risk.peak)


def test_when_nothing_can_be_quoted_it_says_what_withholds_it() -> None:
    """All free coins sold and the share of coins at its limit: no fault, but nobody can see it."""
    lots = old_lots("0.001")
    lots.book(make_fill("T-young", Side.BUY, MID, 15_900_000, wall=WALL - 300 * DAY))
    desk = Desk(lots=lots)
    desk.totals = {"EUR": Decimal(2_000), "BTC": Decimal("0.16")}
    desk.begin()
    assert not desk.resting
    assert desk.memory.pause is Pause.ACTIVE_TRADING
    status = desk.ask(control.AskStatus)
    assert "coins at most 80% of the account" in status.data["waits_for"]  # type: ignore[operator]


# The switch.


def test_a_switch_that_fired_means_doubt_and_a_new_start() -> None:
    desk = quoting()
    desk.loses = (orders.ArmDeadman,)
    desk.run(46)
    since = len(desk.sent)
    desk.sweep()
    desk.run(20)
    assert desk.memory.phase is Phase.SYNCING
    assert changes(desk, since) == []
    desk.loses = ()
    desk.run(30)
    assert desk.memory.phase is Phase.TRADING
    assert len(desk.resting) == 10
    assert len(desk.intents) == 10


def test_no_order_leaves_while_the_switch_does_not_cover_it() -> None:
    desk = quoting()
    desk.loses = (orders.ArmDeadman,)
    desk.run(44)
    since = len(desk.sent)
    desk.fill(desk.side(Side.BUY)[0].cl_ord_id)
    desk.run(3)
    assert changes(desk, since) == []
    notes = desk.memory.pairs["BTC/EUR"].notes
    assert any("switch" in note for note in notes.values())


# The operator.


def test_hold_cancels_all_survives_a_restart_and_resume_quotes_again() -> None:
    desk = quoting()
    assert desk.hold("lunch").ok
    desk.run(1)
    assert not desk.resting
    desk.restart()
    desk.begin()
    assert desk.memory.hold == "lunch"
    assert not desk.resting
    assert desk.resume().ok
    desk.run(3)
    assert len(desk.resting) == 10
    assert not desk.resume().text.startswith("resumed")


def test_hold_while_syncing_cancels_what_the_list_finds() -> None:
    desk = quoting()
    desk.cut()
    desk.run(1)
    desk.hold()
    desk.refuses = {orders.ArmDeadman: orders.Refused("arm", "", "EX", orders.Verdict.UNKNOWN)}
    desk.memory.switch = replace(desk.memory.switch, until=Ns(0))
    desk.connect()
    desk.run(5)
    assert desk.memory.phase is Phase.SYNCING
    assert not desk.resting
    assert not desk.intents


def test_cancel_all_cancels_once_and_the_grid_quotes_again() -> None:
    desk = quoting()
    before = set(desk.resting)
    desk.run(20)
    assert desk.ask(control.CancelOrders).ok
    desk.run(3)
    assert len(desk.resting) == 10
    assert not before & set(desk.resting)


def test_flatten_sells_what_is_free_in_pieces_and_stays_on_hold() -> None:
    desk = quoting()
    assert not desk.ask(control.Flatten, word="yes").ok
    assert desk.ask(control.Flatten, word="flatten").ok
    desk.run(30)
    exits = [c for c in desk.sent if isinstance(c, orders.AddOrder) and c.exit_order]
    assert len(exits) > 1
    assert all(c.price * c.qty <= 2_000 * 10**9 for c in exits)
    assert desk.memory.free() < BTC_EUR.qty_min
    assert desk.memory.hold == "flatten"
    assert not desk.memory.flatten
    assert not desk.resting


def test_hold_ends_a_flatten() -> None:
    desk = quoting()
    desk.ask(control.Flatten, word="flatten")
    desk.hold("stop it")
    sold = len(desk.trades)
    desk.run(20)
    assert len(desk.trades) <= sold + 1
    assert desk.memory.free() > 0


def test_the_same_request_is_answered_from_memory() -> None:
    desk = quoting()
    request = control.Hold(control.CONTROL_VERSION, "the-same-one", "a")
    desk.run(0.5, request)
    desk.resume()
    desk.run(0.5, request)
    assert desk.memory.hold == ""
    assert desk.replies["the-same-one"].ok


# The end.


def test_draining_cancels_confirms_and_disarms_last() -> None:
    desk = quoting()
    since = len(desk.sent)
    desk.run(20, StopAsked("test"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert not desk.resting
    commands = desk.sent[since:]
    assert commands[-1] == orders.ArmDeadman(0)
    assert isinstance(commands[-2], orders.AskOrders)
    assert len([c for c in commands if isinstance(c, orders.CancelOrder)]) == 10
    assert desk.memory.switch.until == 0


def test_draining_ends_in_time_when_the_line_is_gone_and_leaves_the_switch_armed() -> None:
    desk = quoting()
    desk.cut()
    desk.run(1)
    desk.run(21, StopAsked("test"))
    assert desk.stopped is not None
    assert not desk.stopped.clean
    assert desk.memory.switch.until > 0


def test_draining_ends_in_time_when_the_disarming_is_never_answered() -> None:
    desk = quoting()
    desk.loses = (orders.ArmDeadman,)
    desk.run(22, StopAsked("test"))
    assert desk.stopped is not None
    assert not desk.stopped.clean


def test_with_foreign_orders_the_switch_stays_armed() -> None:
    desk = Desk()
    desk.resting["-"] = foreign()
    desk.begin()
    desk.run(20, StopAsked("test"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert "foreign" in desk.stopped.why
    assert orders.ArmDeadman(0) not in desk.sent


def test_a_stop_before_anything_was_sent_is_quick_and_a_second_stop_changes_nothing() -> None:
    desk = Desk()
    desk.run(1)
    desk.run(1, StopAsked("one"), StopAsked("two"))
    assert desk.stopped is not None
    assert desk.stopped.clean
    assert desk.sent == []


def test_shutdown_by_request_is_the_same_stop() -> None:
    desk = quoting()
    assert desk.ask(control.Shutdown).ok
    desk.run(10)
    assert desk.stopped is not None
    assert desk.stopped.clean


# Lives.


def test_the_next_life_adopts_what_rests_and_books_what_filled_meanwhile() -> None:
    desk = quoting()
    order = desk.side(Side.SELL)[0]
    desk.fill(order.cl_ord_id, silent=True)
    desk.restart()
    since = len(desk.sent)
    desk.connect()
    desk.run(4)
    assert len(desk.booked) == 1
    desk.run(20)
    assert desk.memory.phase is Phase.TRADING
    assert len(desk.resting) == 10
    assert len(changes(desk, since)) <= 2
    assert len(desk.intents) == 10


def test_the_next_life_starts_over_where_the_switch_has_swept() -> None:
    desk = quoting()
    old = set(desk.resting)
    desk.sweep()
    desk.restart()
    desk.connect()
    desk.run(90)
    assert len(desk.resting) == 10
    assert not old & set(desk.resting)
    assert len(desk.intents) == 10


def test_an_intent_of_which_the_exchange_never_heard_is_freed_after_its_deadline() -> None:
    desk = Desk()
    desk.loses = (orders.AddOrder,)
    desk.connect()
    desk.run(2.5)
    assert len(desk.intents) == 10
    old = set(desk.intents)
    desk.loses = ()
    desk.restart()
    desk.connect()
    desk.run(3)
    assert set(desk.intents) == old
    desk.run(60)
    assert len(desk.resting) == 10
    assert not old & set(desk.intents)


def test_orders_of_a_larger_grid_are_cancelled_and_their_intents_closed() -> None:
    desk = quoting()
    far = {desk.side(side)[k].cl_ord_id for side in Side for k in (2, 3, 4)}
    desk.restart(make_config(grid={"levels": 2}))
    desk.begin()
    desk.run(20)
    assert len(desk.resting) == 4
    assert not far & set(desk.intents)
    assert set(desk.intents) == set(desk.resting)


def test_a_fill_of_an_order_of_a_larger_grid_is_the_bots_own() -> None:
    desk = quoting()
    farthest = desk.side(Side.BUY)[4]
    desk.fill(farthest.cl_ord_id, silent=True)
    desk.restart(make_config(grid={"levels": 1}))
    desk.connect()
    desk.run(5)
    [entry] = desk.booked.values()
    assert entry.slot != ""
    assert desk.memory.pairs["BTC/EUR"].unmatched[0][0] == farthest.price


def test_trades_that_are_not_the_bots_are_booked_and_halt_nothing() -> None:
    desk = quoting(Desk(make_config(limits={"fills_per_minute": 3})))
    for k in range(8):
        desk.mail.append(make_fill(f"T-mine-{k}", Side.BUY, MID, 1_000, trade_id=k))
    desk.run(1)
    assert [entry.slot for entry in desk.booked.values()] == [""] * 8
    assert desk.memory.halt == ""


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
