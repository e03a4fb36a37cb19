"""While the private line is away: orders by REST, one at a time, none in doubt."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shared import orders
from shared.units import SECOND, Ns
from strategy.core import byrest
from strategy.core.lifecycle import Phase
from strategy.core.memory import Asking, Memory
from strategy.core.slots import State
from tests.unit.strategy.core.build import BOOT, CONFIG, make_config, make_memory, make_slot
from tests.unit.strategy.core.desk import Desk
from tests.unit.strategy.core.test_gate import ready
from tests.unit.strategy.core.test_gate_edges import two

NOW = Ns(BOOT + 500 * SECOND)
FULL = replace(CONFIG, orders=replace(CONFIG.orders, rest_fallback="full"))


def away(desk: Desk, seconds: float) -> Desk:
    """Trading, then without a line for so long; REST works."""
    desk.begin()
    assert len(desk.resting) == 10
    desk.cut()
    desk.rest_up = True
    desk.run(seconds)
    return desk


def adds(desk: Desk, since: int = 0) -> list[orders.AddOrder]:
    return [item for item in desk.sent[since:] if isinstance(item, orders.AddOrder)]


def test_by_default_no_new_order_leaves_without_the_line() -> None:
    desk = away(Desk(), 50)
    count = len(desk.sent)
    desk.sweep()
    desk.run(100)
    assert adds(desk, count) == []
    assert desk.memory.line == "down"


def test_a_line_that_is_soon_back_changes_nothing() -> None:
    desk = away(Desk(FULL), 9)
    assert desk.memory.line == "down"
    desk.connect()
    desk.run(5)
    assert desk.memory.line == "up"


def test_the_grid_goes_on_by_rest_armed_and_one_order_at_a_time() -> None:
    desk = away(Desk(FULL), 15)
    assert desk.memory.line == "rest"
    desk.run(10)
    assert desk.memory.lost() == 0
    count = len(desk.sent)
    desk.sweep()
    for _ in range(300):
        desk.run(0.5)
        flying = [s for s in desk.slots if s.state in (State.PENDING_NEW, State.AMEND_PENDING)]
        assert len(flying) <= 1
    assert len(desk.resting) == 10
    assert len(adds(desk, count)) == 10
    assert [c for c in desk.sent[count:] if isinstance(c, orders.ArmDeadman)]


def test_a_fill_is_found_booked_and_answered() -> None:
    desk = away(Desk(FULL), 25)
    anchor = desk.memory.pairs["BTC/EUR"].hung.anchor
    best = max(order.price for order in desk.resting.values() if order.side == "buy")
    name = next(n for n, order in desk.resting.items() if order.price == best)
    fill = desk.fill(name)
    desk.run(40)
    assert fill.exec_id in desk.booked
    assert desk.memory.pairs["BTC/EUR"].hung.anchor != anchor
    assert len(desk.resting) == 10


def test_nothing_leaves_while_the_outcome_of_one_order_is_unknown() -> None:
    desk = away(Desk(FULL), 25)
    desk.sweep()
    desk.loses = (orders.AddOrder,)
    count = len(desk.sent)
    desk.run(45)
    desk.loses = (orders.AddOrder, orders.AskOrders, orders.AskEach)
    lost = adds(desk, count)
    assert lost
    desk.run(60)
    assert adds(desk, count)[len(lost) + 1 :] == []
    desk.loses = ()
    desk.run(120)
    assert len(desk.resting) == 10


def test_nothing_leaves_when_no_list_came_for_long() -> None:
    desk = away(Desk(FULL), 25)
    desk.loses = (orders.AskOrders,)
    desk.run(50)
    desk.resting.pop(next(iter(desk.resting)))
    count = len(desk.sent)
    desk.run(20)
    assert adds(desk, count) == []


def test_the_line_that_is_back_is_synced_anew() -> None:
    desk = away(Desk(FULL), 25)
    desk.rest_up = False
    desk.connect()
    desk.run(0.5)
    assert desk.memory.line == "up"
    assert desk.memory.asking.listed_at < Ns(desk.now - SECOND // 4)
    desk.run(10)
    assert desk.memory.lost() == 0
    assert len(desk.resting) == 10


def test_a_cancel_by_rest_is_looked_up_not_believed() -> None:
    desk = away(Desk(FULL), 25)
    desk.hold()
    desk.run(20)
    assert not desk.resting
    assert desk.memory.busy() == 0
    assert [c for c in desk.sent if isinstance(c, orders.AskEach)]


def test_nothing_leaves_while_a_fill_that_a_question_told_of_is_in_no_history_long_662() -> None:
    """The slot is free and the coins are sold, but the ledger still has them."""
    desk = away(Desk(FULL), 25)
    fill = desk.fill(desk.slot("s1").cl_ord_id)
    desk.lagging.add(fill.exec_id)
    desk.run(20)
    assert desk.slot("s1").cl_ord_id != fill.cl_ord_id
    assert desk.memory.owed[fill.cl_ord_id].qty == fill.qty
    count = len(desk.sent)
    desk.run(10)
    assert adds(desk, count) == []

    desk.lagging.clear()
    desk.run(60)
    assert fill.exec_id in desk.booked
    assert desk.memory.owed == {}
    assert adds(desk, count)


def test_a_part_that_a_list_told_of_is_owed_until_a_history_brings_it() -> None:
    desk = away(Desk(FULL), 25)
    first = desk.fill(desk.slot("s1").cl_ord_id, 1_000)
    desk.lagging.add(first.exec_id)
    while not desk.memory.owed:
        desk.run(0.5)
    assert desk.slot("s1").filled == desk.memory.owed[first.cl_ord_id].qty == 1_000
    later = desk.fill(first.cl_ord_id, 2_000)
    desk.lagging.add(later.exec_id)
    while desk.memory.owed[first.cl_ord_id].qty == 1_000:
        desk.run(0.5)
    assert desk.memory.owed[first.cl_ord_id].qty == 3_000

    desk.lagging = {later.exec_id}
    desk.run(1, first)
    assert desk.memory.owed[first.cl_ord_id].qty == 2_000
    desk.run(1, later)
    assert desk.memory.owed == {}


def test_fills_that_no_history_ever_brings_are_told_and_left_to_the_audit() -> None:
    desk = away(Desk(FULL), 25)
    fill = desk.fill(desk.slot("s1").cl_ord_id)
    desk.lagging.add(fill.exec_id)
    desk.run(120)
    assert desk.memory.owed == {}
    assert [tell.level for tell in desk.told if tell.key == "owed"] == ["warning"]
    assert desk.memory.audit.held, "the balance differs from the ledger"


def test_what_an_order_of_an_earlier_life_has_filled_is_owed_only_if_it_is_not_booked() -> None:
    desk = Desk()
    desk.begin()
    desk.fill(desk.slot("s1").cl_ord_id, 1_000)
    desk.fill(desk.slot("s2").cl_ord_id, 3_000)
    desk.run(1)
    desk.restart()
    assert (desk.slot("s1").filled, desk.slot("s1").heard) == (1_000, 1_000)
    silent = desk.fill(desk.slot("s2").cl_ord_id, 500, silent=True)
    desk.lagging.add(silent.exec_id)
    desk.begin()
    assert {name: each.qty for name, each in desk.memory.owed.items()} == {silent.cl_ord_id: 500}


def test_the_first_fill_of_an_order_of_an_earlier_life_tells_its_id_long_9007() -> None:
    desk = Desk()
    desk.begin()
    desk.restart()
    assert desk.slot("s1").order_id == ""
    fill = desk.fill(desk.slot("s1").cl_ord_id, 1_000, silent=True)
    desk.run(1, fill)
    assert desk.slot("s1").order_id == fill.order_id


# At its edges.


def gone_for(seconds: float) -> Memory:
    memory = ready(make_memory(FULL))
    memory.line, memory.line_down_at = "down", Ns(NOW - int(seconds * SECOND))
    memory.phase = Phase.STARTING
    return memory


@pytest.mark.parametrize(("seconds", "takes"), [(9.9, False), (10, True)])
def test_rest_takes_over_after_ten_seconds(seconds: float, takes: bool) -> None:
    memory = gone_for(seconds)
    assert bool(byrest.take_over(memory, NOW)) is takes
    assert memory.line == ("rest" if takes else "down")
    assert memory.counters.get("by_rest", 0) == takes
    assert byrest.take_over(memory, NOW) == [], "once"


def test_a_house_that_has_ended_takes_nothing_over() -> None:
    memory = gone_for(60)
    memory.phase = Phase.STOPPED
    assert byrest.take_over(memory, NOW) == []


@pytest.mark.parametrize(("since", "refused"), [(45, False), (45.1, True)])
def test_orders_must_have_been_listed_within_forty_five_seconds(
    since: float, refused: bool
) -> None:
    memory = ready(make_memory(FULL))
    memory.asking = Asking(listed_at=Ns(NOW - int(since * SECOND)))
    assert byrest.refuse(memory, NOW) == ""
    memory.line = "rest"
    assert ("listed lately" in byrest.refuse(memory, NOW)) is refused


def test_an_order_of_either_pair_that_is_in_doubt_holds_both() -> None:
    memory, eur, usd = two()
    memory.line, memory.asking = "rest", Asking(listed_at=NOW)
    assert byrest.refuse(memory, NOW) == ""
    for pair in (eur, usd):
        for state in (State.LOST, State.PENDING_NEW):
            slot = make_slot("b1", state)
            pair.slots[pair.place("b1")] = replace(slot, pair=pair.name)
            assert "outcome of another order" in byrest.refuse(memory, NOW)
        pair.slots[pair.place("b1")] = replace(make_slot("b1"), pair=pair.name)


@pytest.mark.parametrize(
    ("list_sec", "line", "each"), [(30, "up", 30), (30, "rest", 15), (10, "rest", 10)]
)
def test_by_rest_lists_come_at_least_each_fifteen_seconds(
    list_sec: int, line: str, each: int
) -> None:
    memory = ready(make_memory(make_config(time={"list_sec": list_sec})))
    memory.line = line
    assert byrest.list_each(memory) == each * SECOND
