"""An exchange, a line that loses, and one slot: whatever the two can produce is in the table.

The model is what Kraken's private channel and its history may legally say (executions in order on
one line, answers beside them in any order, requests and answers lost, a line cut at any moment).
Driven through the core's own hearing, so a missing row of the table would end the process here.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from shared import orders
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import hear, reconcile
from strategy.core.inbox import hear_item
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory, PairMemory
from strategy.core.out import In, Out
from strategy.core.slots import Slot, State, added, amended, canceled
from strategy.ledger.entries import FillEntry, IntentDone
from tests.unit.strategy.core.build import BOOT, BTC_EUR, MID, WALL, make_fill, make_memory

DEADLINE = 4 * SECOND
QTY = 1_000_000


class Life:
    """One order as the exchange has it."""

    def __init__(self, price: int, qty: int) -> None:
        self.price, self.qty, self.filled = price, qty, 0


class OneSlot(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.memory: Memory = make_memory()
        self.now, self.wall = BOOT, WALL
        self.book: dict[str, Life] = {}  # open at the exchange
        self.ended: dict[str, tuple[str, int]] = {}
        self.trades: list[orders.Filled] = []
        self.under_way: list[tuple[int, Callable[[], None]]] = []  # requests, until when valid
        self.events: list[In] = []  # executions: in order, or lost with the line
        self.answers: list[In] = []  # acks: in any order
        self.lists: list[list[In]] = []  # answers to questions: over REST, they survive a cut
        self.booked: dict[str, int] = {}
        self.open_intents: set[str] = set()

    # What the slot is, and saying something to the core.

    @property
    def pair(self) -> PairMemory:
        return self.memory.pairs["BTC/EUR"]

    @property
    def slot(self) -> Slot:
        return self.pair.slots[0]

    def tell(self, *items: In) -> None:
        self.memory.now, self.memory.wall = self.now, self.wall
        for item in items:
            self.note(hear_item(self.memory, item, self.now))

    def note(self, out: list[Out]) -> None:
        for item in out:
            if isinstance(item, FillEntry):
                assert item.fill.exec_id not in self.booked
                self.booked[item.fill.exec_id] = item.fill.qty
            elif isinstance(item, IntentDone):
                self.open_intents.discard(item.cl_ord_id)

    @initialize()
    def begin(self) -> None:
        self.pair.tape.pair = BTC_EUR
        self.tell(orders.LineUp(()), orders.System("online"))
        self.memory.phase = Phase.TRADING

    # What we do: only from rest, as `decide` does.

    def rests(self) -> bool:
        return self.slot.state is State.LIVE and self.memory.line == "up"

    @precondition(lambda self: self.slot.state is State.EMPTY and self.memory.line == "up")
    @rule()
    def add(self) -> None:
        name = self.memory.next_id(self.pair, Side.BUY)
        deadline = Ns(self.wall + DEADLINE)
        order = orders.AddOrder(name, "BTC/EUR", Side.BUY, Ticks(MID), Sats(QTY), deadline)
        self.pair.slots[0] = added(self.slot, order, self.now)
        self.memory.index[name] = ("BTC/EUR", 0)
        self.open_intents.add(name)
        self.under_way.append((deadline, lambda: self.do_add(name)))

    @precondition(lambda self: self.rests())
    @rule(price=st.integers(MID - 100, MID), qty=st.integers(QTY // 4, QTY * 2))
    def amend(self, price: int, qty: int) -> None:
        slot, deadline = self.slot, Ns(self.wall + DEADLINE)
        order = orders.AmendOrder(slot.cl_ord_id, "BTC/EUR", Ticks(price), Sats(qty), deadline)
        self.pair.slots[0] = amended(slot, order, self.now)
        self.under_way.append((deadline, lambda: self.do_amend(slot.cl_ord_id, price, qty)))

    @precondition(lambda self: self.rests())
    @rule()
    def cancel(self) -> None:
        name = self.slot.cl_ord_id
        self.pair.slots[0], _ = canceled(self.slot, self.now)
        self.under_way.append((2**62, lambda: self.do_cancel(name)))

    # What the exchange does.

    def do_add(self, name: str) -> None:
        self.book[name] = Life(MID, QTY)
        accepted = orders.Accepted("add", name, f"O{name}")
        self.events.append(accepted)
        self.answers.append(accepted)

    def do_amend(self, name: str, price: int, qty: int) -> None:
        life = self.book.get(name)
        if life is None:
            self.refuse("amend", name, "EOrder:Unknown order", orders.Verdict.GONE)
        elif qty <= life.filled:
            self.answers.append(orders.Accepted("amend", name, f"O{name}"))
            self.end(name, "canceled")
        else:
            life.price, life.qty = price, qty
            self.events.append(orders.Amended(name, f"O{name}", Ticks(price), Sats(qty)))
            self.answers.append(orders.Accepted("amend", name, f"O{name}"))

    def do_cancel(self, name: str) -> None:
        if name not in self.book:
            self.refuse("cancel", name, "EOrder:Unknown order", orders.Verdict.GONE)
        else:
            self.answers.append(orders.Accepted("cancel", name))
            self.end(name, "canceled")

    def end(self, name: str, status: str, reason: str = "") -> None:
        life = self.book.pop(name)
        self.ended[name] = (status, life.filled)
        self.events.append(orders.Gone(name, f"O{name}", status, Sats(life.filled), reason))

    def refuse(self, method: str, name: str, error: str, verdict: orders.Verdict) -> None:
        self.answers.append(orders.Refused(method, name, error, verdict))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def a_request_arrives(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.under_way) - 1))
        until, act = self.under_way.pop(at)
        if self.wall <= until:
            act()

    @precondition(lambda self: self.under_way)
    @rule()
    def a_request_is_lost(self) -> None:
        self.under_way.pop()

    @precondition(lambda self: self.slot.state in (State.PENDING_NEW, State.AMEND_PENDING))
    @rule(verdict=st.sampled_from([v for v in orders.Verdict if v is not orders.Verdict.GONE]))
    def a_request_is_refused(self, verdict: orders.Verdict) -> None:
        if self.under_way:
            self.under_way.pop()
            method = "add" if self.slot.state is State.PENDING_NEW else "amend"
            self.refuse(method, self.slot.cl_ord_id, "EOrder:any", verdict)

    @precondition(lambda self: self.book)
    @rule(part=st.sampled_from((1, 3, 10)), silent=st.booleans())
    def a_fill(self, part: int, silent: bool) -> None:
        name, life = next(iter(self.book.items()))
        qty = max(1, (life.qty - life.filled) // part)
        fill = make_fill(
            f"T{len(self.trades)}", Side.BUY, life.price, qty, wall=self.wall, cl_ord_id=name,
            trade_id=len(self.trades),
        )  # fmt: skip
        life.filled += qty
        self.trades.append(fill)
        if not silent:
            self.events.append(fill)
        if life.filled >= life.qty:
            self.end(name, "filled")

    @precondition(lambda self: self.book)
    @rule(reason=st.sampled_from(("", "Post only order", "User requested")))
    def the_engine_cancels(self, reason: str) -> None:
        self.end(next(iter(self.book)), "canceled", reason)

    # What reaches us.

    def line_is_up(self) -> bool:
        return self.memory.line == "up"

    @precondition(lambda self: self.events and self.line_is_up())
    @rule(count=st.integers(1, 4))
    def events_arrive(self, count: int) -> None:
        heard, self.events = self.events[:count], self.events[count:]
        self.tell(*heard)

    @precondition(lambda self: self.answers and self.line_is_up())
    @rule(data=st.data())
    def an_answer_arrives(self, data: st.DataObject) -> None:
        self.tell(self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1))))

    @precondition(lambda self: self.answers)
    @rule()
    def an_answer_is_lost(self) -> None:
        self.answers.pop()

    @precondition(lambda self: self.line_is_up())
    @rule()
    def the_line_is_cut(self) -> None:
        self.events.clear()
        self.answers.clear()
        self.tell(orders.LineDown("cut"))

    @precondition(lambda self: not self.line_is_up())
    @rule()
    def the_line_is_back(self) -> None:
        self.tell(orders.LineUp(()))
        self.memory.phase = Phase.TRADING

    @precondition(lambda self: self.line_is_up())
    @rule()
    def the_switch_fires(self) -> None:
        for name in list(self.book):
            self.end(name, "canceled")
        self.memory.now = self.now
        hear.switch_fired(self.memory, self.now)
        self.memory.phase = Phase.TRADING

    def shown(self, name: str, life: Life) -> orders.RestingOrder:
        return orders.RestingOrder(
            f"O{name}", name, "BTC/EUR", Side.BUY, Ticks(life.price), Sats(life.qty),
            Sats(life.filled),
        )  # fmt: skip

    @precondition(lambda self: self.line_is_up())
    @rule(omits=st.booleans())
    def a_list_is_read(self, omits: bool) -> None:
        """Open orders first, the history after them; it may omit an order for a moment."""
        self.time_passes(0.001)
        shown = tuple(self.shown(name, life) for name, life in self.book.items())
        listed = orders.Listed(self.now, () if omits else shown, self.wall)
        self.lists.append([*self.trades, listed])

    @precondition(lambda self: self.line_is_up() and self.slot.state is State.LOST)
    @rule()
    def the_order_is_asked_about(self) -> None:
        if self.slot.misses < reconcile.MISSES:
            return
        name = self.slot.cl_ord_id
        life = self.book.get(name)
        status, filled = self.ended.get(name, ("", 0))
        order = self.shown(name, life) if life else None
        status = "open" if life else status
        looked = orders.Looked(self.now, name, order, status, Sats(filled))
        self.lists.append([*self.trades, looked])

    @precondition(lambda self: self.lists)
    @rule()
    def a_question_is_answered(self) -> None:
        self.tell(*self.lists.pop(0))

    @rule(seconds=st.sampled_from((0.001, 0.5, 2.0, 7.0)))
    def time_passes(self, seconds: float) -> None:
        step = int(seconds * SECOND)
        self.now, self.wall = Ns(self.now + step), Ns(self.wall + step)
        self.memory.now, self.memory.wall = self.now, self.wall
        reconcile.time_out(self.memory, self.pair, self.now)
        self.under_way = [(until, act) for until, act in self.under_way if self.wall <= until]

    # What must hold.

    @invariant()
    def the_slot_and_the_index_agree(self) -> None:
        name = self.slot.cl_ord_id
        held = {name: ("BTC/EUR", 0)} if self.slot.state is not State.EMPTY else {}
        assert self.memory.index == held
        assert self.open_intents == set(held)

    @invariant()
    def an_order_we_hold_for_over_is_over(self) -> None:
        """Two orders in one place is the fault that all of this is there to prevent."""
        ours = [name for name in self.book if name != self.slot.cl_ord_id]
        assert all(name in self.memory.orphans or not self.heard(name) for name in ours)
        assert not ours or self.slot.state is not State.LIVE or self.memory.orphans

    def heard(self, name: str) -> bool:
        return name in self.memory.gone_at

    @invariant()
    def what_has_filled_is_never_overstated(self) -> None:
        name = self.slot.cl_ord_id
        life = self.book.get(name)
        if life is not None:
            assert self.slot.filled <= life.filled
        elif name in self.ended:
            assert self.slot.filled <= self.ended[name][1]

    @invariant()
    def what_may_still_fill_is_never_understated_at_rest(self) -> None:
        life = self.book.get(self.slot.cl_ord_id)
        heard_all = not self.events and not self.answers and not self.under_way
        if life is not None and self.slot.state is State.LIVE and heard_all and not self.lists:
            assert self.slot.open_qty >= life.qty - life.filled
            assert self.slot.price == life.price

    def teardown(self) -> None:
        """After healing: the line is back, all is asked and answered, and all comes right."""
        if not self.book and not self.trades and not self.memory.index:
            return
        self.under_way.clear()
        self.events.clear()
        self.answers.clear()
        self.lists.clear()
        self.tell(orders.LineDown("cut"), orders.LineUp(()))
        for _ in range(4):
            self.time_passes(7.0)
            self.a_list_is_read(omits=False)
            self.a_question_is_answered()
            self.the_order_is_asked_about_if_lost()
        assert self.slot.state in (State.EMPTY, State.LIVE)
        assert set(self.memory.index) <= set(self.book)
        assert set(self.book) == set(self.memory.index) | set(self.memory.orphans)
        assert self.booked == {fill.exec_id: fill.qty for fill in self.trades}

    def the_order_is_asked_about_if_lost(self) -> None:
        if self.slot.state is State.LOST and self.slot.misses >= reconcile.MISSES:
            self.the_order_is_asked_about()
            self.a_question_is_answered()


TestOneSlot = OneSlot.TestCase
TestOneSlot.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_model_is_not_idle() -> None:
    """An order that is added, filled and ended: the model and the slot agree on each step."""
    model = OneSlot()
    model.begin()
    model.add()
    until, act = model.under_way.pop()
    assert until > model.wall
    act()
    model.events_arrive(count=1)
    assert model.slot.state is State.LIVE
    model.a_fill(part=3, silent=False)
    model.events_arrive(count=4)
    assert model.slot.filled == QTY // 3
    model.a_fill(part=1, silent=False)
    model.events_arrive(count=4)
    assert model.slot.state is State.EMPTY
    assert sum(model.booked.values()) == QTY
    assert replace(model.slot, since=Ns(0)).cl_ord_id == ""
