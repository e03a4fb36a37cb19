"""The private line: from the core's commands to Kraken's JSON and back, over whatever happens.

Life of a line: key checked and pairs read (once) -> token -> open -> status -> subscriptions ->
both snapshots -> LineUp. Whatever breaks it is a LineDown, and the next line starts over.

Rule 1: the session never decides about an order; it sends what it is told and tells what it hears.
Rule 2: a line of which one message is missing or unreadable is closed: nothing on it is true.
Rule 3: what makes the account safer goes by REST while the line is down: cancels, the switch.
New orders only where the setting says so, and then at once or not at all.

mail   what goes in and out          wire     what a frame means
line   one connection, its retries   orders   the orders behind the deltas
desk   one REST call at a time       asks     the core's questions
chores pairs, key, fees              commands what the exchange reads
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.kraken import private, rest
from shared.kraken.answers import Failure, answer, parse_count, parse_placed, parse_token
from shared.kraken.private import SystemStatus, decode_or_drop
from shared.kraken.rest import Request, Signer
from shared.orders import (
    Accepted,
    AddOrder,
    AmendOrder,
    Armed,
    AskEach,
    AskFailed,
    AskOrders,
    CancelAll,
    Clock,
    Command,
    Filled,
    LineDown,
    Refused,
    Skew,
    Verdict,
)
from shared.units import MILLISECOND, SECOND, Ns, Pair
from strategy.session import commands
from strategy.session.asks import AskError, Known, Questions, Reply, Told
from strategy.session.chores import EVERY as CHORES
from strategy.session.chores import Chores
from strategy.session.commands import Placing, Safer
from strategy.session.desk import NEVER, Desk, Errand, Purpose, UnderWay
from strategy.session.line import LISTENING, Line, Pending, Phase, Reconnect
from strategy.session.mail import (
    Chance,
    CloseLine,
    Level,
    LineClosed,
    LineOpened,
    Note,
    OpenLine,
    RestCall,
    RestDone,
    RestFailed,
    SendText,
    SessionIn,
    SessionOut,
    Settings,
    Text,
)
from strategy.session.orders import Orders
from strategy.session.wire import METHODS, Moment, Wire

SKEW_STEP: Final = Ns(50 * MILLISECOND)
"""A change of the skew by less is not worth telling."""


class Session:
    """A Machine. `refused` says why this key will never be used; "" while all is well."""

    def __init__(self, settings: Settings, signer: Signer, nonce: int = 0) -> None:
        """nonce: the last one this key was used with, where somebody remembers it."""
        self._settings = settings
        self._desk = Desk(signer, settings.rest_timeout, nonce)
        self._chores = Chores(settings.pairs)
        self._orders = Orders(self._chores.pairs)
        self._wire = Wire(self._orders, settings.pairs)
        known = Known(self._chores.pairs, self._orders.cl_of, self._orders.is_new)
        self._questions = Questions(known)
        self._reconnect = Reconnect()
        self._line = Line(0)
        self._retry_at = Ns(0)
        self._system = "online"
        self._skew: int | None = None
        self._chance = 0.0
        self._now = Ns(0)
        self._clock: tuple[Ns, Ns] | None = None  # a wall time, and the boot time it was told at
        self._out: list[SessionOut] = []

    @property
    def refused(self) -> str:
        return self._chores.refused

    @property
    def nonce(self) -> int:
        """The last one used: worth remembering beyond this life."""
        return self._desk.nonce

    def step(self, now: Ns, inbox: Sequence[SessionIn]) -> Sequence[SessionOut]:
        """Hear all that waited, then do what is due."""
        self._now = now
        for mail in inbox:
            self._hear(mail)
        self._watch_line()
        self._advance_line()
        self._do_errands()
        out, self._out = self._out, []
        return out

    def wake_at(self) -> Ns:
        if self._clock is None:
            return NEVER
        line, settings = self._line, self._settings
        due = [self._desk.wake_at(self._now), self._chores.wake_at()]
        due.append(line.wake_at(settings.silence, settings.snapshot))
        if line.phase is Phase.DOWN and self._chores.ready:
            due.append(self._retry_at)
        return min(due)

    # Hearing.

    def _hear(self, mail: SessionIn) -> None:
        match mail:
            case Text(line=number, data=data):
                self._hear_text(number, data)
            case LineOpened(line=number):
                if number == self._line.number and self._line.phase is Phase.OPENING:
                    self._line.enter(Phase.GREETING, self._now)
            case LineClosed(line=number, why=why):
                if number == self._line.number and self._line.phase is not Phase.DOWN:
                    self._drop(why, close=False)
            case RestDone():
                self._hear_rest(mail)
            case RestFailed(job=job, why=why):
                under_way = self._desk.done(job)
                if under_way is not None:
                    self._fail(under_way.errand, why, Verdict.UNKNOWN)
            case Clock(wall=wall):
                self._clock = (wall, self._now)
            case Chance(value=value):
                self._chance = min(max(value, 0.0), 1.0)
            case _:
                self._obey(mail)

    def _hear_text(self, number: int, data: bytes) -> None:
        line = self._line
        if number != line.number or line.phase not in LISTENING:
            return
        line.heard_at, line.pinged = self._now, False
        message = decode_or_drop(data)
        if isinstance(message, SystemStatus):
            self._system = message.system
        heard = self._wire.hear(line, message, self._moment())
        self._out += heard.outs
        if heard.threshold:
            self._desk.learn_tier(heard.threshold)
        if heard.skew is not None:
            self._tell_skew(heard.skew)
        if heard.fault:
            self._drop(heard.fault)

    def _hear_rest(self, done: RestDone) -> None:
        under_way = self._desk.done(done.job)
        if under_way is None:
            self._note("info", "rest_answer_too_late", job=done.job)
            return
        result = answer(done.status, done.body, bytes)
        error = result.error if isinstance(result, Failure) else ""
        signed = under_way.errand.call.private
        for errand in self._desk.heard(error, self._now, signed=signed):
            self._fail(errand, error, Verdict.LIMIT)
        match under_way.errand.purpose:
            case purpose if purpose in CHORES:
                self._out += self._chores.hear(purpose, done.status, done.body, self._now)
            case Purpose.TOKEN:
                self._hear_token(done)
            case Purpose.QUESTION:
                self._hear_answer(under_way, done)
            case Purpose.ADD | Purpose.AMEND:
                self._hear_placed(under_way.errand, done)
            case _:
                self._hear_order_rest(under_way, done)

    def _hear_token(self, done: RestDone) -> None:
        token = answer(done.status, done.body, parse_token)
        if self._line.phase is not Phase.TOKEN:
            return
        if isinstance(token, Failure):
            self._drop(f"no token: {token.error}")
            return
        self._line.token = token
        self._line.enter(Phase.OPENING, self._now)
        self._reconnect = self._reconnect.tried(self._now)
        self._out.append(OpenLine(self._line.number))

    def _hear_answer(self, under_way: UnderWay, done: RestDone) -> None:
        reply = Reply(done.status, done.body, under_way.sent_at, under_way.sent_wall)
        try:
            told = self._questions.hear(reply)
        except AskError as error:
            self._out.append(AskFailed(str(error)))
            return
        if told is not None:
            self._tell(told)

    def _tell(self, told: Told) -> None:
        for order_id, cl_ord_id in told.learned:
            self._orders.learn(order_id, cl_ord_id)
        if told.strange:
            self._note("error", "trades_unreadable", ids=", ".join(told.strange[:20]))
        for event in told.events:
            # The line may have told a fill while the question was on its way.
            if isinstance(event, Filled):
                if not self._orders.is_new(event.exec_id):
                    continue
                self._orders.tell(event.exec_id)
            self._out.append(event)

    def _hear_order_rest(self, under_way: UnderWay, done: RestDone) -> None:
        """A cancel or the switch went by REST."""
        errand = under_way.errand
        count = answer(done.status, done.body, parse_count)
        if isinstance(count, Failure):
            self._fail(errand, count.error, count.verdict)
        elif errand.purpose is Purpose.ARM:
            self._out.append(Armed(under_way.sent_at, errand.timeout_s))
        elif errand.purpose is Purpose.CANCEL and count == 0:
            self._fail(errand, "no such open order", Verdict.GONE)
        else:
            self._out.append(Accepted(errand.purpose.value, errand.cl_ord_id))

    def _hear_placed(self, errand: Errand, done: RestDone) -> None:
        """An add or an amend went by REST."""
        order_id = answer(done.status, done.body, parse_placed)
        if isinstance(order_id, Failure):
            self._fail(errand, order_id.error, order_id.verdict)
            return
        adding = errand.purpose is Purpose.ADD
        if not adding or self._orders.accept(order_id, errand.cl_ord_id):
            self._out.append(Accepted(errand.purpose.value, errand.cl_ord_id, order_id))

    def _fail(self, errand: Errand, why: str, verdict: Verdict) -> None:
        """An errand brought no answer, or a refusal."""
        match errand.purpose:
            case purpose if purpose in CHORES:
                self._out.append(self._chores.failed(purpose, why, self._now))
            case Purpose.TOKEN:
                if self._line.phase is Phase.TOKEN:
                    self._drop(f"no token: {why}")
            case Purpose.QUESTION:
                self._questions.give_up()
                self._out.append(AskFailed(f"{errand.call.name}: {why}"))
            case _:
                self._out.append(Refused(errand.purpose.value, errand.cl_ord_id, why, verdict))

    def _tell_skew(self, skew: int) -> None:
        if self._skew is None or abs(skew - self._skew) > SKEW_STEP:
            self._skew = skew
            self._out.append(Skew(skew))

    # Obeying.

    def _obey(self, command: Command) -> None:
        match command:
            case AskOrders() | AskEach():
                if not self._questions.put(command):
                    self._out.append(AskFailed("too many questions wait"))
            case AddOrder() | AmendOrder():
                self._place(command)
            case CancelAll():
                # Both ways at once: a line that died unnoticed must not hold up a kill.
                if self._line.phase is Phase.UP:
                    self._obey_by_line(command)
                self._obey_by_rest(command)
            case _ if self._line.phase is Phase.UP:
                self._obey_by_line(command)
            case _:
                self._obey_by_rest(command)

    def _place(self, command: Placing) -> None:
        """By the line, whose events tell what becomes of the order; by REST where allowed."""
        method = "add" if isinstance(command, AddOrder) else "amend"
        pair = self._chores.pairs.get(command.pair)
        up = self._line.phase is Phase.UP
        if pair is None or not (up or self._settings.full):
            why = "the line is down" if pair is not None else f"unknown pair {command.pair}"
            self._out.append(Refused(method, command.cl_ord_id, why, Verdict.NOT_DONE))
        elif up:
            self._obey_by_line(command)
        else:
            self._place_by_rest(command, pair)

    def _place_by_rest(self, command: Placing, pair: Pair) -> None:
        errand = commands.placing(command, pair, self._chores.rest_names)
        taken = self._desk.send(errand, self._now, self._moment().wall)
        if taken is None:
            self._fail(errand, "REST is busy", Verdict.MARKET)
            return
        if isinstance(command, AddOrder):
            self._orders.sent(command)
        self._call(*taken, binds=True)

    def _call(self, under_way: UnderWay, request: Request, *, binds: bool = False) -> None:
        timeout = self._settings.rest_timeout
        self._out.append(RestCall(under_way.job, request, timeout, binds))

    def _obey_by_line(self, command: Placing | Safer) -> None:
        req_id = self._ask(*commands.asks(command))
        if isinstance(command, AddOrder):
            self._orders.sent(command)
        text = commands.frame(command, self._chores.pairs, self._line.token, req_id)
        self._send(text, binds=isinstance(command, Placing))

    def _obey_by_rest(self, command: Safer) -> None:
        self._put(commands.errand(command))

    def _put(self, errand: Errand) -> None:
        if not self._desk.put(errand, self._now):
            self._fail(errand, "REST takes nothing more now", Verdict.NOT_DONE)

    def _ask(self, method: str, cl_ord_id: str = "", timeout_s: int = 0) -> int:
        at = self._moment()
        return self._line.ask(Pending(method, at.now, at.wall, cl_ord_id, timeout_s))

    def _send(self, data: bytes, *, binds: bool = False) -> None:
        self._out.append(SendText(self._line.number, data, binds))

    # Doing what is due.

    def _watch_line(self) -> None:
        """Close a line that is silent or does not come up; ask one that falls silent."""
        line, now = self._line, self._now
        for pending in line.forget_unanswered(now):
            if pending.method in METHODS:
                self._note("warning", "never_acknowledged", method=pending.method)
        late = line.late(now, self._settings.silence, self._settings.snapshot)
        if late:
            self._drop(late)
        elif line.falls_silent(now, self._settings.silence):
            line.pinged = True
            self._send(private.ping(self._ask("ping")))

    def _advance_line(self) -> None:
        if self._line.phase is not Phase.DOWN or not self._chores.ready or self._clock is None:
            return
        if self._now < self._retry_at:
            return
        self._line = Line(self._line.number + 1)
        self._line.enter(Phase.TOKEN, self._now)
        self._put(Errand(Purpose.TOKEN, rest.TOKEN))

    def _drop(self, why: str, close: bool = True) -> None:
        """This line is finished; the next one is tried after a wait."""
        line = self._line
        if close and line.phase in (Phase.OPENING, *LISTENING):
            self._out.append(CloseLine(line.number, why))
        # Fills are facts whatever becomes of the line, and were noted as told.
        self._out += [event for event in line.held if isinstance(event, Filled)]
        if line.phase is Phase.UP:
            self._out.append(LineDown(why))
        self._orders.line_lost()
        self._reconnect = self._reconnect.lost(self._now, line.up_since)
        maintenance = self._system != "online"
        self._retry_at = self._reconnect.next_at(self._now, self._chance, maintenance)
        wait_s = round((self._retry_at - self._now) / SECOND, 1)
        self._note("warning", "line_down", line=line.number, why=why[:300], wait_s=wait_s)
        self._line = Line(line.number)

    def _do_errands(self) -> None:
        if self._clock is None:
            return
        overdue = self._desk.overdue(self._now)
        if overdue is not None:
            self._fail(overdue.errand, "no answer in time", Verdict.UNKNOWN)
        for errand in self._chores.due(self._now):
            self._put(errand)
        if self._chores.ready:
            call = self._questions.next_call()
            if call is not None:
                self._put(Errand(Purpose.QUESTION, call))
        if self._desk.is_waited_for:
            taken = self._desk.take(self._now, self._moment().wall)
            if taken is not None:
                self._call(*taken)

    def _moment(self) -> Moment:
        """Now in both times; wall 0 before the clock was told, when nothing is sent yet."""
        wall, told_at = self._clock or (Ns(0), self._now)
        return Moment(self._now, Ns(wall + self._now - told_at))

    def _note(self, level: Level, event: str, **fields: str | float) -> None:
        self._out.append(Note(level, event, dict(fields)))
