"""The core whole, against a desk that refuses, falls silent or says odd things."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shared import control, orders
from shared.units import SECOND, Ns, Sats, Side
from strategy.core.slots import State
from tests.unit.strategy.core.build import (
    STAMP,
    make_config,
)
from tests.unit.strategy.core.desk import Desk, adds, changes, foreign, quoting

# Refusals.


POST_ONLY = orders.Refused("add", "", "EOrder:Post only order", orders.Verdict.NOT_DONE)
NO_FUNDS = orders.Refused("add", "", "EOrder:Insufficient funds", orders.Verdict.NOT_DONE)


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


MODE = orders.Refused("add", "", "EService:Market in post_only mode", orders.Verdict.MARKET)


@pytest.mark.parametrize("refusal", [POST_ONLY, MODE])
def test_refusals_that_pass_by_themselves_halt_nothing(refusal: orders.Refused) -> None:
    desk = Desk()
    desk.refuses = {orders.AddOrder: refusal}
    desk.begin()
    desk.run(20)
    assert desk.memory.counters["refused_add"] > desk.config.limits.rejects_in_a_row
    assert desk.memory.halt == ""


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
    assert pair.limiter.value(desk.now, desk.config.rate_limit) < 1.0
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
    desk.loses = (orders.AddOrder, orders.AskEach)
    desk.run(60)
    lists = [c for c in desk.sent[since:] if isinstance(c, orders.AskOrders)]
    asked = [c for c in desk.sent[since:] if isinstance(c, orders.AskEach)]
    assert len(lists) > 2
    assert [len(command.orders) for command in asked] == [10], "one question about all of them"
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
    assert not [command for command in desk.sent if isinstance(command, orders.AskEach)]


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
