"""What one event changes in what is known of orders, money and the line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.orders import (
    Accepted,
    Amended,
    Armed,
    Filled,
    Gone,
    LineDown,
    LineUp,
    Refused,
    RestingOrder,
    System,
    Verdict,
)
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import deadman, hear
from strategy.core.grid import Hung
from strategy.core.lifecycle import Phase
from strategy.core.memory import EXIT_SLOT, Asking, Kill, Memory
from strategy.core.out import Out, Tell
from strategy.core.plan import Anchor
from strategy.core.slots import Slot, State
from strategy.ledger.entries import IntentDone, Remember
from tests.unit.strategy.core.build import (
    BOOT,
    MID,
    STAMP,
    STEP,
    make_fill,
    make_slot,
    rung,
)
from tests.unit.strategy.core.test_gate import one, put, ready

NAME = f"g{STAMP}0bb1"
OTHER = f"g{STAMP}0bb2"
NOW = Ns(BOOT + 100 * SECOND)
ANSWERS = {
    "add": {State.PENDING_NEW, State.LIVE, State.LOST},
    "amend": {State.AMEND_PENDING, State.LIVE, State.LOST},
    "cancel": {State.CANCEL_PENDING, State.LOST},
}
HELD = [state for state in State if state is not State.EMPTY]


def holding(state: State, name: str = "b1", **fields: Any) -> Memory:
    memory = ready()
    memory.now, memory.asking = NOW, Asking(wanted=False)
    values = {"price": Ticks(MID - 7), "since": BOOT} | fields
    put(memory, make_slot(name, state, cl_ord_id=NAME, **values))
    memory.index[NAME] = ("BTC/EUR", one(memory).place(name))
    return memory


def b1(memory: Memory) -> Slot:
    return one(memory).slots[0]


def tells(out: list[Out]) -> list[tuple[str, str]]:
    return [(item.level, item.key) for item in out if isinstance(item, Tell)]


def facts(out: list[Out]) -> dict[str, Any]:
    found = (item for item in out if isinstance(item, Remember))
    return {item.key: msgspec.json.decode(item.value) for item in found}


def booked(memory: Memory, fill: Filled) -> list[Out]:
    return hear.booked(memory, fill, NOW)


def fill(side: Side = Side.BUY, qty: int = 88_000, name: str = NAME, number: int = 1) -> Filled:
    return make_fill(f"T{number}", side, MID - 7, qty, cl_ord_id=name, trade_id=number + 10)


# The line.


def test_a_line_that_comes_up_is_armed_and_asked_at_once_and_trusts_nothing() -> None:
    memory = holding(State.LIVE, doubts=2)
    memory.phase = Phase.STARTING
    armed = deadman.answered(deadman.Deadman(), Armed(BOOT, 60))
    memory.switch = msgspec.structs.replace(armed, asked_at=Ns(7))
    memory.asking = Asking(wanted=False, failures=3, not_before=Ns(NOW + SECOND))
    order = RestingOrder(
        "O1", NAME, "BTC/EUR", Side.BUY, Ticks(MID - 7), Sats(588_000), Sats(0)
    )  # fmt: skip
    hear.line_up(memory, LineUp((order,)), NOW)
    assert (memory.line, memory.line_up_at) == ("up", NOW)
    assert memory.phase is Phase.SYNCING
    assert memory.switch.asked_at == 0
    assert memory.asking == Asking()
    assert (b1(memory).state, b1(memory).order_id, b1(memory).doubts) == (State.LOST, "O1", 0)


def test_a_line_that_goes_down_is_counted_told_and_ends_every_question() -> None:
    memory = holding(State.LIVE)
    memory.asking = Asking(wanted=False, asked_at=Ns(5), each=("a",))
    out = hear.line_down(memory, LineDown("cut"), NOW)
    assert tells(out) == [("warning", "line")]
    assert (memory.line, memory.line_down_at, memory.counters["line_downs"]) == ("down", NOW, 1)
    assert memory.asking == Asking()
    assert memory.phase is Phase.STARTING
    assert b1(memory).state is State.LOST


# Answers.


@pytest.mark.parametrize("method", [*ANSWERS, "arm"])
@pytest.mark.parametrize("state", HELD)
def test_an_answer_is_matched_to_what_it_answers(method: str, state: State) -> None:
    memory = holding(state)
    hear.accepted(memory, Accepted(method, NAME, "O9"), NOW)
    heard = state in ANSWERS.get(method, set())
    assert b1(memory).order_id == ("O9" if heard else "")
    memory = holding(state, was_price=Ticks(1), was_qty=Sats(1))
    before = b1(memory)
    hear.refused(memory, Refused(method, NAME, "EOrder:X", Verdict.NOT_DONE), NOW)
    assert (b1(memory) == before) is not heard


def test_an_answer_without_an_id_keeps_the_one_that_is_known() -> None:
    memory = holding(State.AMEND_PENDING, order_id="O1")
    hear.accepted(memory, Accepted("amend", NAME), NOW)
    assert (b1(memory).state, b1(memory).order_id) == (State.LIVE, "O1")


def test_only_an_accepted_add_ends_a_row_of_refusals() -> None:
    memory = holding(State.AMEND_PENDING)
    memory.rejects_in_a_row = 4
    hear.accepted(memory, Accepted("amend", NAME), NOW)
    assert memory.rejects_in_a_row == 4
    memory = holding(State.PENDING_NEW)
    memory.rejects_in_a_row = 4
    hear.accepted(memory, Accepted("add", NAME), NOW)
    assert memory.rejects_in_a_row == 0


@pytest.mark.parametrize("method", ["add", "amend"])
def test_by_rest_an_accepted_order_rests(method: str) -> None:
    memory = holding(State.PENDING_NEW if method == "add" else State.AMEND_PENDING)
    memory.line = "rest"
    hear.accepted(memory, Accepted(method, NAME, "O9"), NOW)
    assert b1(memory).state is State.LIVE


@pytest.mark.parametrize(("line", "state"), [("rest", State.LOST), ("up", State.CANCEL_PENDING)])
def test_the_end_of_an_order_cancelled_by_rest_is_looked_up(line: Any, state: State) -> None:
    memory = holding(State.CANCEL_PENDING)
    memory.line = line
    hear.accepted(memory, Accepted("cancel", NAME), NOW)
    assert b1(memory).state is state


@pytest.mark.parametrize(
    ("method", "name", "ended", "orphan"),
    [
        ("add", OTHER, False, True),
        ("add", OTHER, True, False),
        ("amend", OTHER, False, False),
        ("add", "owner-1", False, False),
    ],
)
def test_an_order_that_comes_to_life_without_a_slot_is_an_orphan(
    method: str, name: str, ended: bool, orphan: bool
) -> None:
    memory = holding(State.LIVE)
    if ended:
        memory.gone_at[name] = NOW
    hear.accepted(memory, Accepted(method, name), NOW)
    assert memory.orphans == ({name: 0} if orphan else {})


def amended(memory: Memory, price: int, qty: int) -> Slot:
    hear.amended(memory, Amended(NAME, "O1", Ticks(price), Sats(qty)), NOW)
    return b1(memory)


def test_an_amend_that_took_effect_is_over_and_another_is_what_stands_meanwhile() -> None:
    under_way: dict[str, Any] = {"was_price": Ticks(MID - 90), "was_qty": Sats(9)}
    done = amended(holding(State.AMEND_PENDING, **under_way), MID - 7, 588_000)
    assert (done.state, done.was_price) == (State.LIVE, 0)
    for price, qty in ((MID - 8, 588_000), (MID - 7, 587_999)):
        older = amended(holding(State.AMEND_PENDING, **under_way), price, qty)
        assert (older.state, older.price) == (State.AMEND_PENDING, MID - 7)
        assert (older.was_price, older.was_qty) == (price, qty)
    lost = amended(holding(State.LOST), MID - 7, 588_000)
    assert (lost.state, lost.was_price, lost.was_qty) == (State.LOST, MID - 7, 588_000)


@pytest.mark.parametrize("state", [State.LIVE, State.PENDING_NEW, State.CANCEL_PENDING])
def test_what_the_engine_amends_itself_is_taken_over(state: State) -> None:
    slot = amended(holding(state), MID - 9, 500_000)
    assert (slot.state, slot.price, slot.qty, slot.was_price) == (state, MID - 9, 500_000, 0)
    other = holding(State.LIVE)
    hear.amended(other, Amended(OTHER, "O2", Ticks(5), Sats(5)), NOW)
    assert b1(other).price == MID - 7


# Refusals.


def refused(memory: Memory, method: str, verdict: Verdict, error: str = "EOrder:X") -> list[Out]:
    return hear.refused(memory, Refused(method, NAME, error, verdict), NOW)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_refusal_of_our_own_fault_counts_in_the_row(verdict: Verdict) -> None:
    memory = holding(State.PENDING_NEW)
    out = refused(memory, "add", verdict)
    unsure = verdict in (Verdict.UNKNOWN, Verdict.GONE)
    assert b1(memory).state is (State.LOST if unsure else State.EMPTY)
    assert memory.asking.wanted is unsure
    assert memory.rejects_in_a_row == (verdict is Verdict.NOT_DONE)
    assert tells(out) == [("info", "refused_add")]
    assert (NAME in memory.index) is unsure
    done = [item.outcome for item in out if isinstance(item, IntentDone)]
    assert done == ([] if unsure else ["refused"])
    assert memory.counters["refused_add"] == 1
    full = one(memory).limiter.counter == 180.0 and one(memory).limiter.at == NOW
    assert full is (verdict is Verdict.LIMIT)


def test_an_order_that_would_have_crossed_is_nobodys_fault() -> None:
    memory = holding(State.PENDING_NEW)
    refused(memory, "add", Verdict.NOT_DONE, "EOrder:Post only order")
    assert memory.rejects_in_a_row == 0
    assert b1(memory).rejects == 1


def test_a_refusal_of_what_we_believe_to_rest_asks_for_the_list() -> None:
    memory = holding(State.LIVE)
    refused(memory, "amend", Verdict.NOT_DONE)
    assert memory.asking.wanted
    memory = holding(State.AMEND_PENDING, was_price=Ticks(MID - 9), was_qty=Sats(5))
    refused(memory, "amend", Verdict.NOT_DONE)
    assert not memory.asking.wanted
    assert (b1(memory).state, b1(memory).price, b1(memory).qty) == (State.LIVE, MID - 9, 5)


@pytest.mark.parametrize(
    ("rejects", "wait"), [(0, 2), (1, 4), (4, 32), (5, 60), (9, 60), (100, 60)]
)
def test_a_slot_cools_longer_each_time_and_at_most_a_minute(rejects: int, wait: int) -> None:
    slot = hear.cooled(make_slot("b1", rejects=rejects), NOW)
    assert (slot.rejects, slot.not_before) == (rejects + 1, NOW + wait * SECOND)


@pytest.mark.parametrize("verdict", [Verdict.GONE, Verdict.NOT_DONE])
def test_an_orphan_that_is_gone_is_over_and_the_history_is_asked(verdict: Verdict) -> None:
    memory = holding(State.LIVE)
    memory.orphans[OTHER] = NOW
    out = hear.refused(memory, Refused("cancel", OTHER, "EOrder:Unknown order", verdict), NOW)
    assert tells(out) == [("warning", "refused_cancel")]
    over = verdict is Verdict.GONE
    assert (OTHER not in memory.orphans) is over
    assert memory.asking.wanted is over


# The end of an order.


def gone(memory: Memory, status: str = "canceled", filled: int = 0, why: str = "") -> list[Out]:
    return hear.gone(memory, Gone(NAME, "O1", status, Sats(filled), why), NOW)


def test_an_order_that_ends_frees_its_slot_and_its_refusals_are_forgotten() -> None:
    memory = holding(State.LIVE, rejects=3, not_before=Ns(5))
    out = gone(memory)
    assert (b1(memory).state, b1(memory).rejects) == (State.EMPTY, 0)
    assert [item.outcome for item in out if isinstance(item, IntentDone)] == ["canceled"]
    assert memory.recent[NAME] == ("BTC/EUR", "b1")
    assert memory.gone_at[NAME] == NOW
    assert not memory.asking.wanted


def test_an_order_that_the_engine_took_out_for_crossing_cools_its_slot() -> None:
    memory = holding(State.LIVE, rejects=1)
    gone(memory, why="Post only order")
    assert (b1(memory).rejects, b1(memory).not_before) == (2, NOW + 4 * SECOND)
    assert memory.counters["post_only"] == 1


@pytest.mark.parametrize(
    ("known", "told", "asks"), [(0, 5, True), (1, 9, True), (5, 5, False), (6, 5, False)]
)
def test_fills_that_are_told_of_and_not_heard_are_asked_for(
    known: int, told: int, asks: bool
) -> None:
    memory = holding(State.LIVE, filled=Sats(known), heard=Sats(known))
    gone(memory, filled=told)
    assert memory.asking.wanted is asks
    assert [each.qty for each in memory.owed.values()] == ([told - known] if asks else [])
    booked(memory, fill(qty=3))
    assert [each.qty for each in memory.owed.values()] == ([told - known - 3] if asks else [])


@pytest.mark.parametrize(
    ("status", "filled", "traded", "name", "center"),
    [
        ("filled", 588_000, 0, "b1", -1),
        ("filled", 1, 0, "b1", -1),
        ("canceled", 588_000, 0, "b1", -1),
        ("canceled", 587_999, 0, "b1", None),
        ("filled", 588_000, -2, "b1", -2),  # our amend to the first rung came too late
        ("filled", 588_000, 0, EXIT_SLOT, None),
    ],
)
def test_the_anchor_moves_to_the_rung_that_was_filled_whole(
    status: str, filled: int, traded: int, name: str, center: int | None
) -> None:
    at = Ticks(round(rung(traded))) if traded else Ticks(0)
    memory = holding(State.LIVE, name, price=Ticks(round(rung(-1))), traded=at)
    one(memory).hung = Hung(Anchor(MID, STEP, 0))
    told = facts(gone(memory, status, filled))
    assert ("anchor:BTC/EUR" in told) is (center is not None)
    assert one(memory).hung.anchor.center == (center or 0)


def test_the_end_of_an_orphan_closes_its_intent_and_of_another_nothing() -> None:
    memory = holding(State.LIVE)
    memory.orphans[OTHER] = NOW
    ours = Gone(OTHER, "O2", "canceled", Sats(0))
    assert [type(item) for item in hear.gone(memory, ours, NOW)] == [IntentDone]
    assert not memory.orphans
    assert OTHER in memory.gone_at
    assert hear.gone(memory, ours, NOW) == [], "it was closed already"
    assert hear.gone(memory, Gone("owner-1", "O3", "canceled", Sats(0)), NOW) == []
    assert "owner-1" not in memory.gone_at


def test_only_the_last_five_hundred_ends_are_remembered() -> None:
    memory = holding(State.LIVE)
    for number in range(501):
        hear.gone(memory, Gone(f"g{STAMP}0bx{number}", "O", "canceled", Sats(0)), NOW)
    assert len(memory.gone_at) == 500
    assert f"g{STAMP}0bx0" not in memory.gone_at
    memory.recent = {f"old{number}": ("BTC/EUR", "b1") for number in range(500)}
    gone(memory)
    assert len(memory.recent) == 500
    assert "old0" not in memory.recent
    assert NAME in memory.recent


def test_of_an_order_that_never_was_no_end_is_noted() -> None:
    """A list that names it later is right: it came to life after all."""
    memory = holding(State.LOST)
    hear.emptied(memory, one(memory), 0, NOW)
    assert NAME not in memory.gone_at
    assert NAME in memory.recent


# The exchange's mode, and the switch.


def test_a_change_of_the_exchanges_mode_is_told_once_and_asked_about() -> None:
    memory = holding(State.LIVE)
    assert hear.system(memory, System("online"), NOW) == []
    before = memory.asking
    assert not before.wanted
    assert tells(hear.system(memory, System("cancel_only"), NOW)) == [("warning", "system")]
    assert memory.asking.wanted
    assert tells(hear.system(memory, System("online"), NOW)) == [("info", "system")]
    memory.system = ""
    (told,) = hear.system(memory, System("online"), NOW)
    assert isinstance(told, Tell)
    assert told.text == "exchange: unknown -> online"


@pytest.mark.parametrize(("stage", "level"), [("", "critical"), ("cancelling", "info")])
def test_a_switch_that_fired_puts_all_in_doubt(stage: Any, level: str) -> None:
    memory = holding(State.LIVE)
    memory.kill = Kill(stage)
    out = hear.switch_fired(memory, NOW)
    assert tells(out) == [(level, "switch")]
    assert memory.switch == deadman.Deadman()
    assert memory.phase is Phase.SYNCING
    assert memory.asking.wanted
    assert b1(memory).state is State.LOST
    assert memory.counters["switch_fired"] == 1
