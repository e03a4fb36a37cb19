"""A desk for the core: it hands the core events as the session would, and answers its commands.

Not a simulated exchange: it matches nothing. A test says what fills, what is lost and what is cut.
After every step it checks what must hold between a core, its ledger and its own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from shared import control, orders
from shared.config import Config
from shared.control import CONTROL_VERSION, Reply
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.memory import Memory, Start
from strategy.core.out import Answer, In, Out, Stopped, Tell
from strategy.core.pipeline import Core
from strategy.core.slots import Slot, State
from strategy.ledger.entries import FillEntry, IntentDone, IntentEntry, Remember
from strategy.ledger.lots import Lots
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    CONFIG,
    MAKER,
    MID,
    STAMP,
    WALL,
    make_book,
    make_fill,
    old_lots,
)

TICK = SECOND // 2


class Desk:
    """One account, one line, one core. Time passes only in `run`."""

    def __init__(self, config: Config = CONFIG, lots: Lots | None = None) -> None:
        self.config = config
        self.now, self.wall = BOOT, WALL
        self.mid = MID
        self.feeding = True
        self.feed_boot = 1
        self.line_up = False
        self.rest_up = False  # what is sent while the line is away is carried out all the same
        self.loses: tuple[type, ...] = ()  # requests that never arrive
        self.deaf: tuple[type, ...] = ()  # requests that are carried out, without an answer
        self.refuses: dict[type, orders.Refused] = {}
        self.resting: dict[str, orders.RestingOrder] = {}
        self.hidden: set[str] = set()  # rests, but lists leave it out
        self.lagging: set[str] = set()  # exec_ids that the history leaves out
        self.ended: dict[str, tuple[str, int]] = {}  # cl_ord_id -> status, filled
        self.trades: list[orders.Filled] = []
        self.totals = {"EUR": Decimal(14_000), "BTC": Decimal("0.16")}
        self.intents: dict[str, IntentEntry] = {}
        self.facts: dict[str, str] = {}
        self.booked: dict[str, FillEntry] = {}
        self.mail: list[In] = []
        self.sent: list[orders.Command] = []
        self.told: list[Tell] = []
        self.replies: dict[str, Reply] = {}
        self.stopped: Stopped | None = None
        self._seq = 0
        self._lots = lots or old_lots()
        self.core = self._born(STAMP)

    # Lives.

    def _born(self, stamp: str) -> Core:
        intents = tuple(self.intents.values())
        booked: dict[str, Sats] = {}
        for entry in self.booked.values():
            name = entry.fill.cl_ord_id
            booked[name] = Sats(booked.get(name, 0) + entry.fill.qty)
        start = Start(
            self.now, self.wall, stamp, intents, dict(self.facts), len(self.booked), booked=booked
        )
        return Core(Memory(self.config, start, Lots.of("BTC", self._lots.trades())))

    def restart(self, config: Config | None = None) -> None:
        """kill -9 and the next life: what the ledger keeps is all that is left."""
        self.config = config or self.config
        self.mail.clear()
        self.line_up = False
        self._lots = self.memory.lots
        self.core = self._born(f"{STAMP[:-1]}{int(STAMP[-1]) + len(self.sent) % 9 + 1}")

    @property
    def memory(self) -> Memory:
        return self.core.memory

    @property
    def slots(self) -> list[Slot]:
        return list(self.memory.all_slots())

    def slot(self, name: str) -> Slot:
        return next(slot for slot in self.slots if slot.name == name)

    def side(self, side: Side) -> list[orders.RestingOrder]:
        found = (order for order in self.resting.values() if order.side is side)
        return sorted(found, key=lambda order: order.price, reverse=side is Side.BUY)

    # Time.

    def run(self, seconds: float, *items: In) -> None:
        """Let time pass in half seconds; `items` are heard in the first of them."""
        self.mail += items
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.now, self.wall = Ns(self.now + TICK), Ns(self.wall + TICK)
            self.step()

    def step(self) -> list[Out]:
        inbox, self.mail = self.mail, []
        if self.feeding:
            self._seq += 1
            book = make_book(self.now, self.mid, boot=self.feed_boot, seq=self._seq)
            inbox = [*inbox, book]
        out = self.core.step(self.now, [orders.Clock(self.wall), *inbox])
        self._take(out)
        self.check()
        return out

    def begin(self) -> None:
        """Line, fees, precisions and balances, then time enough to quote."""
        self.connect()
        self.run(6)

    def connect(self) -> None:
        self.line_up = True
        fees = orders.Fees("BTC/EUR", MAKER, Decimal("0.0025"))
        listed = tuple(self.resting.values())
        self.mail += [orders.Pairs((BTC_EUR,)), fees, orders.System("online")]
        self.mail += [orders.LineUp(listed), orders.Balances(dict(self.totals))]

    def cut(self) -> None:
        self.line_up = False
        self.mail = [item for item in self.mail if isinstance(item, orders.Filled)]
        self.mail.append(orders.LineDown("cut by the test"))

    def ask(self, kind: type[Any], **fields: Any) -> Reply:
        """A request of the operator, and its answer."""
        request_id = f"request-{len(self.replies)}"
        self.run(0.5, kind(CONTROL_VERSION, request_id, **fields))
        return self.replies[request_id]

    def hold(self, reason: str = "test") -> Reply:
        return self.ask(control.Hold, reason=reason)

    def resume(self) -> Reply:
        return self.ask(control.Resume, reason="test")

    # The other side of the line.

    def fill(self, cl_ord_id: str, qty: int = 0, *, silent: bool = False) -> orders.Filled:
        """Execute an order, whole or in part. silent: only the history knows of it."""
        order = self.resting[cl_ord_id]
        left = order.qty - order.filled
        qty = min(qty or left, left)
        fill = make_fill(
            f"T-{len(self.trades)}",
            order.side,
            order.price,
            qty,
            wall=self.wall,
            cl_ord_id=cl_ord_id,
            trade_id=100 + len(self.trades),
        )
        self.trades.append(fill)
        coins = Decimal(qty).scaleb(-8) * order.side.sign
        self.totals["BTC"] += coins
        self.totals["EUR"] -= fill.cost * order.side.sign + fill.fees[0][1]
        order = replace(order, filled=Sats(order.filled + qty))
        self.resting[cl_ord_id] = order
        heard: list[In] = [fill, orders.Balances(dict(self.totals))]
        if order.filled == order.qty:
            heard.append(self._end(cl_ord_id, "filled"))
        if not silent and self.line_up:
            self.mail += heard
        return fill

    def _end(self, cl_ord_id: str, status: str) -> orders.Gone:
        order = self.resting.pop(cl_ord_id)
        self.ended[cl_ord_id] = (status, order.filled)
        return orders.Gone(cl_ord_id, order.order_id, status, order.filled)

    def sweep(self) -> None:
        """What the exchange's dead man's switch does, unheard."""
        for cl_ord_id in list(self.resting):
            self._end(cl_ord_id, "canceled")

    def _take(self, out: Sequence[Out]) -> None:
        for item in out:
            match item:
                case IntentEntry():
                    assert item.cl_ord_id not in self.intents, "an id is used once"
                    self.intents[item.cl_ord_id] = item
                case IntentDone():
                    self.intents.pop(item.cl_ord_id, None)
                case FillEntry():
                    assert item.fill.exec_id not in self.booked, "a fill is booked once"
                    self.booked[item.fill.exec_id] = item
                case Remember():
                    self.facts[item.key] = item.value
                case Tell():
                    self.told.append(item)
                case Answer():
                    self.replies[item.reply.request_id] = item.reply
                case Stopped():
                    self.stopped = item
                case _ if isinstance(item, orders.Command):
                    self._obey(item)

    def _obey(self, command: orders.Command) -> None:
        self.sent.append(command)
        if isinstance(command, orders.AddOrder):
            assert command.cl_ord_id in self.intents, "the intent is written before the send"
        if not (self.line_up or self.rest_up) or isinstance(command, self.loses):
            return
        refusal = self.refuses.get(type(command))
        if refusal is not None:
            self.mail.append(replace(refusal, cl_ord_id=getattr(command, "cl_ord_id", "")))
            return
        answer = self._answer(command)
        if not isinstance(command, self.deaf):
            self.mail += answer

    def _answer(self, command: orders.Command) -> list[In]:
        match command:
            case orders.AddOrder():
                return self._add(command)
            case orders.AmendOrder(cl_ord_id, _, price, qty):
                if cl_ord_id not in self.resting:
                    return [_unknown("amend", cl_ord_id)]
                order = replace(self.resting[cl_ord_id], price=price, qty=qty)
                self.resting[cl_ord_id] = order
                event = orders.Amended(cl_ord_id, order.order_id, price, qty)
                return [event, orders.Accepted("amend", cl_ord_id, order.order_id)]
            case orders.CancelOrder(cl_ord_id):
                if cl_ord_id not in self.resting:
                    return [_unknown("cancel", cl_ord_id)]
                done = self._end(cl_ord_id, "canceled")
                told: list[In] = [orders.Accepted("cancel", cl_ord_id)]
                return [*told, done] if self.line_up else told
            case orders.ArmDeadman(timeout_s):
                return [orders.Armed(self.now, timeout_s)]
            case orders.AskOrders():
                rest = [] if self.line_up else [orders.System("online")]
                trades = [fill for fill in self.trades if fill.exec_id not in self.lagging]
                return [*rest, *trades, orders.Balances(dict(self.totals)), self.list_now()]
            case orders.AskEach(asked):
                return [self._look(cl_ord_id) for cl_ord_id, _ in asked]
            case orders.CancelAll():
                assert self.memory.kill.stage, "only kill sends it"
                ended = [self._end(name, "canceled") for name in list(self.resting)]
                return [*ended, orders.Accepted("cancel_all", "")]

    def _look(self, cl_ord_id: str) -> orders.Looked:
        found = self.resting.get(cl_ord_id)
        status, filled = self.ended.get(cl_ord_id, ("", 0))
        return orders.Looked(self.now, cl_ord_id, found, "open" if found else status, Sats(filled))

    def _add(self, add: orders.AddOrder) -> list[In]:
        assert add.cl_ord_id not in self.resting
        assert add.cl_ord_id not in self.ended
        order_id = f"O-{add.cl_ord_id}"
        name, accepted = add.cl_ord_id, orders.Accepted("add", add.cl_ord_id, order_id)
        order = orders.RestingOrder(order_id, name, add.pair, add.side, add.price, add.qty, Sats(0))
        self.resting[name] = order
        if add.exit_order:
            crosses = add.side is Side.SELL and add.price <= self.mid - 5
            self.mail.append(accepted)
            if crosses:
                self.fill(name)
                return []
            return [self._end(name, "canceled")]
        return [accepted]

    def list_now(self) -> orders.Listed:
        shown = [order for name, order in self.resting.items() if name not in self.hidden]
        return orders.Listed(self.now, tuple(shown), self.wall)

    # What must hold after every step.

    def check(self) -> None:
        memory = self.memory
        held = {
            slot.cl_ord_id: (name, place)
            for name, pair in memory.pairs.items()
            for place, slot in enumerate(pair.slots)
            if slot.state is not State.EMPTY
        }
        assert held == memory.index, "every order has its slot, and nothing else is indexed"
        assert set(held) <= set(self.intents), "no order without an intent on paper"
        empty = [slot for slot in self.slots if slot.state is State.EMPTY]
        assert not any(slot.cl_ord_id or slot.qty or slot.filled for slot in empty)
        ours = [order for name, order in self.resting.items() if name in held]
        buys = [order.price for order in ours if order.side is Side.BUY]
        sells = [order.price for order in ours if order.side is Side.SELL]
        assert not (buys and sells) or max(buys) < min(sells), "buys lie under sells"


def _unknown(method: str, cl_ord_id: str) -> orders.Refused:
    return orders.Refused(method, cl_ord_id, "EOrder:Unknown order", orders.Verdict.GONE)


def foreign(order_id: str = "O-foreign", cl_ord_id: str = "") -> orders.RestingOrder:
    return orders.RestingOrder(
        order_id, cl_ord_id, "BTC/EUR", Side.BUY, Ticks(MID - 50_000), Sats(100_000), Sats(0)
    )


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


def adds(desk: Desk) -> int:
    return sum(isinstance(command, orders.AddOrder) for command in desk.sent)
