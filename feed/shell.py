"""Websocket in, bus out: where the feed's session meets the world."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from feed.line import CONNECT_LIMIT
from feed.mail import CloseLine, In, LineClosed, LineOpened, Note, OpenLine, Publish, SendText, Text
from feed.mail import Out as SessionOut
from feed.market import settings_of
from feed.session import Session
from shared import frames
from shared.bus import Publisher
from shared.config import Config
from shared.drive import Mailbox, drive, end_on_error
from shared.endpoints import endpoints
from shared.lines import Lines
from shared.process import on_stop
from shared.units import Ns
from shared.watchdog import Watchdog

FEED_PATH: Final = "run/feed.pub"
FEED_LOCK: Final = Path("run/feed.lock")

COLLECT_EACH: Final = 60
"""Beats between two garbage collections."""


async def run(config: Config, log: FilteringBoundLogger, watchdog: Watchdog) -> None:
    """Feed the bus until SIGTERM or SIGINT; LockHeld or BusError where the bus is taken.

    The working folder is the home folder.
    """
    clock = config.make_clock()
    publisher = Publisher(FEED_PATH, FEED_LOCK)
    mailbox: Mailbox[In] = Mailbox()
    loop = asyncio.get_running_loop()
    end_on_error(loop, mailbox)
    lines = Lines(
        endpoints(config).public,
        clock.real_seconds(CONNECT_LIMIT),
        opened=lambda line: mailbox.put(LineOpened(line, random.random())),
        text=lambda line, raw: mailbox.put(Text(line, raw, clock.now())),
        closed=lambda line, why: mailbox.put(LineClosed(line, why, random.random())),
    )
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
                log.debug("sent", text=raw.decode())
            case OpenLine(line):
                lines.open(line)
            case CloseLine(line, why):
                log.warning("line_closed", line=line, why=why)
                lines.close(line)
            case Note(level, event, fields):
                getattr(log, level)(event, **fields)

    session = Session(config.symbols, settings_of(config.feed), clock.now())
    driving = asyncio.ensure_future(drive(session, mailbox, clock, post))

    def stop(_name: str) -> None:
        driving.cancel()

    on_stop(loop.call_soon_threadsafe, stop)
    log.info("feed_started", url=lines.url, pairs=list(config.symbols), speed=clock.speed)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await driving
    finally:
        await lines.close_all()
        publisher.close()
    log.info("feed_stopped")


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
