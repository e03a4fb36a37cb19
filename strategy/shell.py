"""The strategy's I/O: private line, REST, bus, control, ledger, signals, journal.

Rule 1: the outbox is handled in order, the commit first. What binds money leaves only while all is
written (keeping.py); a ledger that is broken ends the process before any letter of its step leaves.
Rule 2: nothing here decides. One task dies, the process dies.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from shared import control, frames, haltflag
from shared.bus import ControlServer, Publisher, Subscriber
from shared.clock import Clock, perf
from shared.config import Config
from shared.drive import Mailbox, drive, end_on_error
from shared.endpoints import endpoints
from shared.lines import Lines
from shared.orders import Clock as ClockEvent
from shared.process import crash_point, no_more_stops, on_stop
from shared.units import SECOND, Ns
from shared.vitals import farewell, memory_limit, too_much
from shared.watchdog import Watchdog
from strategy.core.out import (
    Answer,
    Booked,
    Flagged,
    Report,
    StopAsked,
    Stopped,
    Tell,
    Unflag,
    Unwritten,
)
from strategy.keeping import Keeper
from strategy.ledger.entries import Entry, FillEntry, Imported
from strategy.ledger.store import Store
from strategy.mirror import write_mirror
from strategy.session.mail import (
    Chance,
    CloseLine,
    Fatal,
    LineClosed,
    LineOpened,
    Note,
    OpenLine,
    RestCall,
    RestDone,
    RestFailed,
    SendText,
    Text,
)
from strategy.trader import Commit, In, Out, Trader

STRATEGY_LOCK: Final = Path("run/strategy.pub.lock")
CONNECT_LIMIT: Final = Ns(10 * SECOND)
DATA: Final = Path("data")
COLLECT_EACH: Final = 3000
"""Steps between two garbage collections: what a step makes is freed by reference counts."""


LOOK_EACH: Final = 5 * SECOND
"""Of this machine's time: between two looks at what we use of it."""

REQUESTS_WAITING: Final = 256
LEAST_REST_S: Final = 1.0
"""Seconds of this machine: a fast-running house must not give up on a slow disk."""


class RefusedError(Exception):
    """The session refuses to work with this account or key; the text says why."""


class OutgrownError(Exception):
    """Drained because a limit of the machine was near; the text says which one."""


class UncleanStopError(Exception):
    """Told to stop, and could not confirm that nothing of ours rests."""


class Timed:
    """A Trader that is told the wall clock at each step, and whose steps are measured."""

    def __init__(self, trader: Trader, clock: Clock) -> None:
        self._trader = trader
        self._clock = clock
        self.took_us = 0.0

    def step(self, now: Ns, inbox: Sequence[In]) -> Sequence[Out]:
        begin = perf()
        out = self._trader.step(now, [ClockEvent(self._clock.wall()), *inbox])
        self.took_us = (perf() - begin) / 1000
        return out

    def wake_at(self) -> Ns:
        return self._trader.wake_at()


class Shell:
    """Carries between the Trader and the world."""

    def __init__(
        self, config: Config, trader: Trader, store: Store, log: FilteringBoundLogger,
        watchdog: Watchdog,
    ) -> None:  # fmt: skip
        self.config = config
        self.clock = config.make_clock()
        self.mailbox: Mailbox[In] = Mailbox()
        self.stopped: Stopped | None = None
        self._timed = Timed(trader, self.clock)
        self._keeper = Keeper(store.commit)
        self._log = log
        self._watchdog = watchdog
        self._boot = trader.core.memory.boot
        self._lots = trader.core.memory.lots
        self._seqs: dict[bytes, int] = {}
        self._asked: dict[str, Callable[[bytes], None]] = {}
        self._rest_tasks: set[asyncio.Task[None]] = set()
        self._steps = 0
        self._flag_told = False
        self._memory = trader.core.memory
        self._memory_limit = memory_limit()
        self._looked_at = perf()
        self._outgrown = ""

    async def run(self) -> None:
        """Until the core has stopped; the working folder is the home folder.

        Raises RefusedError, UncleanStopError, OutgrownError, LedgerError, and whatever else is
        our own fault.
        """
        loop = asyncio.get_running_loop()
        end_on_error(loop, self.mailbox)
        self._publisher = Publisher(frames.STRATEGY_PUB, STRATEGY_LOCK)
        server = ControlServer(loop, frames.STRATEGY_CTL, self._on_request)
        subscriber = Subscriber(
            loop, [frames.FEED_PUB], [f"{frames.WIRE}/".encode()], self._on_frame
        )
        limit_s = self.clock.real_seconds(CONNECT_LIMIT)
        self._lines = Lines(
            endpoints(self.config).private, limit_s, self._on_opened, self._on_text, self._on_closed
        )
        on_stop(loop.call_soon_threadsafe, self._on_stop)
        self.mailbox.put(Chance(random.random()))
        self._watch_flag()
        rest_url = endpoints(self.config).rest
        async with httpx.AsyncClient(base_url=rest_url, trust_env=False) as self._http:
            try:
                await drive(self._timed, self.mailbox, self.clock, self._post, self._done)
            finally:
                no_more_stops()
                for task in self._rest_tasks:
                    task.cancel()
                await asyncio.gather(*self._rest_tasks, return_exceptions=True)
                await self._lines.close_all()
                subscriber.close()
                server.close()
                self._publisher.close()
        assert self.stopped is not None
        if not self.stopped.clean:
            raise UncleanStopError(self.stopped.why)
        if self._outgrown:
            raise OutgrownError(self._outgrown)

    def _done(self) -> bool:
        self._watchdog.pet()
        self._watch_flag()
        self._watch_ourselves()
        if self._keeper.why:
            self._keep(self.clock.now())
        self._steps += 1
        if self._steps == COLLECT_EACH:
            # Start-up is over: what it made stays, and is not looked at again.
            gc.collect()
            gc.freeze()
            gc.disable()
        elif self._steps % COLLECT_EACH == 0:
            gc.collect()
        return self.stopped is not None

    def _watch_flag(self) -> None:
        """Once a step, which is at least once a second: is the halt flag up?"""
        if not self._flag_told and (why := haltflag.read_flag(DATA)) is not None:
            self._flag_told = True
            self.mailbox.put(Flagged(why))

    def _watch_ourselves(self) -> None:
        """Drain while there is room for it; a new life has what this one used up.

        Halted, nothing rests that could need us, and a new life would be halted as well.
        """
        now = perf()
        if now - self._looked_at < LOOK_EACH or self._outgrown or self._memory.halt:
            return
        self._looked_at = now
        self._outgrown = too_much(self._memory_limit)
        if self._outgrown:
            self._tell(self.clock.now(), Tell("critical", "resources", farewell(self._outgrown)))
            self.mailbox.put(StopAsked(self._outgrown))

    def _lower_flag(self) -> None:
        self._flag_told = False
        try:
            haltflag.lower_flag(DATA)
        except OSError as error:
            # It stays up and halts us again at once, which is the safe side.
            self._log.error("halt_flag_stays", why=error.strerror)

    # What comes in.

    def _on_stop(self, name: str) -> None:
        self.mailbox.put(StopAsked(f"signal {name}"))

    def _on_opened(self, line: int) -> None:
        self.mailbox.put(LineOpened(line))

    def _on_text(self, line: int, raw: bytes) -> None:
        self.mailbox.put(Text(line, raw))

    def _on_closed(self, line: int, why: str) -> None:
        self.mailbox.put(Chance(random.random()))
        self.mailbox.put(LineClosed(line, why))

    def _on_frame(self, topic: bytes, payload: bytes) -> None:
        frame = frames.decode(payload)
        match frame:
            case frames.Book():
                self.mailbox.put_latest(topic.decode(errors="replace"), frame)
            case (
                frames.Instrument()
                | frames.Trades()
                | frames.Vwap()
                | frames.Candle()
                | frames.Beat()
            ):
                self.mailbox.put(frame)
            case _:
                self._log.debug("frame_dropped", topic=topic.decode(errors="replace"))

    def _on_request(self, payload: bytes, reply: Callable[[bytes], None]) -> None:
        request = control.decode_request(payload)
        if request is None:
            self._log.warning("request_dropped", size=len(payload))
            return
        self._asked[request.request_id] = reply
        while len(self._asked) > REQUESTS_WAITING:
            self._asked.pop(next(iter(self._asked)))
        self.mailbox.put(request)

    # What goes out, in order.

    def _post(self, now: Ns, out: Out) -> None:
        match out:
            case Commit(entries):
                crash_point("before_commit")
                self._keep(now, entries)
                crash_point("after_commit")
            case SendText(line, raw, binds):
                if binds and self._keeper.why:
                    self._log.warning("order_not_sent", why=self._keeper.why)
                    return
                self._lines.send(line, raw)
                self._log.debug("sent", **out.outline())
                crash_point("after_send")
            case RestCall(job, binds=True) if self._keeper.why:
                self._log.warning("order_not_sent", why=self._keeper.why)
                self.mailbox.put(RestFailed(job, "not sent: the ledger cannot be written"))
            case RestCall():
                task = asyncio.ensure_future(self._rest(out))
                self._rest_tasks.add(task)
                task.add_done_callback(self._rest_tasks.discard)
            case OpenLine(line):
                self._lines.open(line)
            case CloseLine(line, why):
                self._log.warning("line_closed", line=line, why=why)
                self._lines.close(line)
            case Note(level, event, fields):
                getattr(self._log, level)(event, **fields)
            case Fatal(why):
                raise RefusedError(why)
            case _:
                self._tell(now, out)

    def _keep(self, now: Ns, entries: Sequence[Entry | Imported] = ()) -> None:
        """Commit, or keep for later; the core is told when that begins and when it ends."""
        before = self._keeper.why
        written = self._keeper.keep(now, entries)
        if bool(before) != bool(self._keeper.why):
            self.mailbox.put(Unwritten(self._keeper.why))
        self._copy(written)

    def _copy(self, entries: Sequence[Entry | Imported]) -> None:
        """persistence_backend "json": a copy of the ledger beside it, after booked fills."""
        if self.config.persistence_backend != "json":
            return
        if any(isinstance(entry, FillEntry) for entry in entries):
            try:
                write_mirror(self._lots)
            except OSError as error:
                self._log.error("ledger_copy", why=error.strerror)

    def _tell(self, now: Ns, out: Out) -> None:
        """What people are told: reports, fills, alerts, answers."""
        match out:
            case Report(status):
                took = round(self._timed.took_us, 1)
                self._publish("status", replace(status, tick_us=took), now)
            case Booked(fill):
                self._log.info(
                    "fill", side=fill.side, pair=fill.pair, price=fill.price, qty=fill.qty,
                    fee=fill.fee, exec_id=fill.exec_id,
                )  # fmt: skip
                self._publish("fill", frames.Fill(self._boot, 0, now, now, fill), now)
            case Tell(level, key, text):
                log = self._log.error if level == "critical" else getattr(self._log, level)
                log(key, text=text)
                alert = frames.Alert(self._boot, 0, now, now, level, key, text)
                self._publish("alert", alert, now)
            case Answer(reply):
                if self._keeper.why:
                    text = f"{reply.text}; NOT on the disk yet: {self._keeper.why}"
                    reply = replace(reply, text=text)
                respond = self._asked.pop(reply.request_id, None)
                if respond is not None:
                    respond(control.encode_reply(reply))
            case Unflag():
                self._lower_flag()
            case Stopped(clean, why):
                if unwritten := self._keeper.last(now):
                    clean, why = False, f"{why}; not written: {unwritten}"
                self._log.info("stopped", clean=clean, why=why)
                self.stopped = Stopped(clean, why)

    def _publish(self, kind: str, frame: frames.Frame, now: Ns) -> None:
        topic = frames.topic(kind)
        seq = self._seqs[topic] = self._seqs.get(topic, 0) + 1
        stamped = replace(frame, boot=self._boot, seq=seq, heard_at=now, changed_at=now)
        self._publisher.send(topic, frames.encode(stamped))

    async def _rest(self, call: RestCall) -> None:
        request = call.request
        timeout_s = max(self.clock.real_seconds(call.timeout), LEAST_REST_S)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._http.request(
                    request.method,
                    request.path,
                    content=request.body or None,
                    headers=dict(request.headers),
                    timeout=timeout_s,
                )
            done = RestDone(call.job, response.status_code, response.content, self.clock.now())
            self.mailbox.put(done)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            self.mailbox.put(RestFailed(call.job, type(error).__name__))
