"""Websocket in, bus out: where the feed's session meets the world."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from feed.line import CONNECT_LIMIT
from feed.mail import CloseLine, In, LineClosed, LineOpened, Note, OpenLine, Publish, SendText, Text
from feed.mail import Out as SessionOut
from feed.market import settings_of
from feed.session import Session
from shared import frames
from shared.bus import Publisher
from shared.clock import Clock
from shared.config import Config
from shared.drive import Mailbox, drive, end_on_error
from shared.units import Ns
from shared.watchdog import Watchdog

FEED_PATH: Final = "run/feed.pub"
FEED_LOCK: Final = Path("run/feed.lock")

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""The instrument snapshot of all pairs has a third of a megabyte, and grows."""

UNSENT_LIMIT: Final = 200
"""Requests that wait for a socket that takes nothing: beyond it the line is no good."""

COLLECT_EACH: Final = 60
"""Beats between two garbage collections."""


def public_url(config: Config) -> str:
    """The embedded exchange's in demo mode, else Kraken's."""
    embedded = {"demo": f"ws://127.0.0.1:{config.demo.public_port}/v2"}
    return embedded.get(config.mode, config.kraken.public_url)


async def run(config: Config, log: FilteringBoundLogger, watchdog: Watchdog) -> None:
    """Feed the bus until SIGTERM or SIGINT; LockHeld or BusError where the bus is taken.

    The working folder is the home folder.
    """
    clock = config.make_clock()
    publisher = Publisher(FEED_PATH, FEED_LOCK)
    mailbox: Mailbox[In] = Mailbox()
    loop = asyncio.get_running_loop()
    end_on_error(loop, mailbox)
    lines = Lines(public_url(config), clock, mailbox.put)
    idle = _Collector()

    def post(_now: Ns, out: SessionOut) -> None:
        match out:
            case Publish(topic, frame):
                publisher.send(topic, frames.encode(frame))
                if isinstance(frame, frames.Beat):
                    watchdog.pet()
                    idle.beat(frame.phase == "live")
            case SendText(line, raw):
                lines.send(line, raw)
            case OpenLine(line):
                lines.open(line)
            case CloseLine(line, why):
                log.warning("line_closed", line=line, why=why)
                lines.close(line)
            case Note(level, event, fields):
                getattr(log, level)(event, **fields)

    session = Session(config.pairs, settings_of(config.feed), clock.now())
    driving = asyncio.ensure_future(drive(session, mailbox, clock, post))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, driving.cancel)
    log.info("feed_started", url=lines.url, pairs=list(config.pairs), speed=clock.speed)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await driving
    finally:
        await lines.close_all()
        publisher.close()
    log.info("feed_stopped")


class Lines:
    """Connections by their number: opened, read and dropped as the session says."""

    def __init__(self, url: str, clock: Clock, put: Callable[[In], None]) -> None:
        self.url = url
        self._clock = clock
        self._put = put
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unsent: dict[int, asyncio.Queue[bytes]] = {}

    def open(self, line: int) -> None:
        self._tasks[line] = asyncio.ensure_future(self._live(line))

    def send(self, line: int, raw: bytes) -> None:
        """In order, as soon as the socket takes it; nothing where the line is gone."""
        unsent = self._unsent.get(line)
        if unsent is None:
            return
        try:
            unsent.put_nowait(raw)
        except asyncio.QueueFull:
            self.close(line)
            self._put(LineClosed(line, "it takes no requests", random.random()))

    def close(self, line: int) -> None:
        task = self._tasks.pop(line, None)
        if task is not None:
            task.cancel()

    async def close_all(self) -> None:
        tasks = list(self._tasks.values())
        for line in list(self._tasks):
            self.close(line)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, line: int) -> None:
        """From the attempt to connect to the end of the line, which is said in words."""
        try:
            why = await self._talk(line)
        except (OSError, TimeoutError, WebSocketException) as error:
            why = f"{type(error).__name__}: {error}"[:200]
        self._tasks.pop(line, None)
        self._put(LineClosed(line, why, random.random()))

    async def _talk(self, line: int) -> str:
        limit_s = self._clock.real_seconds(CONNECT_LIMIT)
        socket = await connect(
            self.url,
            max_size=MESSAGE_BYTES,
            compression=None,
            open_timeout=limit_s,
            # Its own keepalive closes healthy lines when the loop is busy; ours asks for any byte.
            ping_interval=None,
            close_timeout=1,
            # The simulated exchange is on this machine: no proxy stands between.
            proxy=None if self.url.startswith("ws://127.0.0.1:") else True,
        )
        unsent = self._unsent[line] = asyncio.Queue[bytes](UNSENT_LIMIT)
        sending = asyncio.ensure_future(_send_all(socket, unsent))
        self._put(LineOpened(line, random.random()))
        try:
            while True:
                raw = await socket.recv(decode=False)
                self._put(Text(line, raw, self._clock.now()))
        except ConnectionClosed as error:
            return f"closed by the exchange: {error}"[:200]
        finally:
            del self._unsent[line]
            sending.cancel()
            # An orderly close would wait for an answer of a line that may be dead.
            socket.transport.abort()


async def _send_all(socket: ClientConnection, unsent: asyncio.Queue[bytes]) -> None:
    # The reader meets the same end of the line and reports it.
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send(await unsent.get(), text=True)


class _Collector:
    """Garbage is collected once a minute, after a beat; what start-up has made is left alone."""

    def __init__(self) -> None:
        self._beats = 0

    def beat(self, live: bool) -> None:
        if self._beats == 0:
            if not live:
                return
            gc.collect()
            gc.freeze()
            gc.disable()
        self._beats += 1
        if self._beats % COLLECT_EACH == 0:
            gc.collect()
