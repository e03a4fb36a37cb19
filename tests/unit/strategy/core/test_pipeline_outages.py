"""The core whole, while line, feed, market or switch fail it, and across its own lives."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared import control, orders
from shared.units import DAY, Side
from strategy.core.lifecycle import Phase
from strategy.core.risk import Pause
from strategy.core.slots import State
from tests.unit.strategy.core.build import (
    MID,
    WALL,
    make_config,
    make_fill,
    old_lots,
)
from tests.unit.strategy.core.desk import Desk, changes, quoting

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
