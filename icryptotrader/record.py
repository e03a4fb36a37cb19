"""`icryptotrader record`: keeps what the feed publishes in a file, until stopped or full."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from shared.bus import Gaps, Subscriber
from shared.clock import Clock
from shared.config import Config, Home
from shared.frames import WIRE, FeedFrame, decode
from shared.process import on_stop
from shared.recording import RecordingHead, RecordingWriter


class Recorded(Struct, frozen=True):
    """What a recording came to."""

    frames: int
    written: int  # bytes
    missed: int  # frames that the bus dropped
    strange: int  # messages that are no frames of the feed; they are not in the file
    why: str  # why it ended: "stopped", "full", "the time is up", or what the disk said


def record(
    home: Home,
    config: Config,
    path: Path,
    product: str,
    *,
    most_bytes: int,
    seconds: float | None = None,
    replace: bool = False,
    tell: Callable[[str], None] = lambda _line: None,
) -> Recorded:
    """Record until SIGINT or SIGTERM, `most_bytes` of file or `seconds` of this machine.

    Works while the house runs or before it does: the feed is waited for. tell(line) is told how
    it goes. FileExistsError where the path is taken; OSError where it cannot be made.
    """
    clock = config.make_clock()
    head = RecordingHead(product, WIRE, config.symbols, clock.now(), clock.wall(), clock.speed)
    path = path.absolute()
    writer = RecordingWriter(path, head, most_bytes, replace=replace)
    # A socket's path may be short only; the bus is reached from the folder of the house.
    os.chdir(home.path)
    return asyncio.run(_record(writer, clock, seconds, tell))


async def _record(
    writer: RecordingWriter, clock: Clock, seconds: float | None, tell: Callable[[str], None]
) -> Recorded:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[str] = loop.create_future()
    gaps = Gaps()
    strange = 0

    def end(why: str) -> None:
        if not ended.done():
            ended.set_result(why)

    def keep(topic: bytes, payload: bytes) -> None:
        nonlocal strange
        frame = decode(payload)
        if not isinstance(frame, FeedFrame):
            strange += 1
            return
        gaps.check(topic, frame.boot, frame.seq)
        try:
            if not ended.done() and not writer.append(clock.now(), topic, payload):
                end("full")
        except OSError as error:
            end(error.strerror or str(error))

    on_stop(loop.call_soon_threadsafe, lambda _: end("stopped"))
    if seconds is not None:
        loop.call_later(seconds, end, "the time is up")
    subscriber = Subscriber(loop, ["run/feed.pub"], [f"{WIRE}/".encode()], keep)
    telling = asyncio.create_task(_tell(writer, tell))
    why = await ended
    telling.cancel()
    subscriber.close()
    try:
        writer.close()
    except OSError as error:
        why = error.strerror or str(error)
    return Recorded(writer.frames, writer.written, gaps.missed, strange, why)


async def _tell(writer: RecordingWriter, tell: Callable[[str], None]) -> None:
    """Each ten seconds how much there is; at first, that the feed is waited for."""
    if writer.frames == 0:
        await asyncio.sleep(2)
    if writer.frames == 0:
        tell("waiting for the feed: is `icryptotrader run` up?")
    while True:
        await asyncio.sleep(10)
        tell(f"{writer.frames} frames, {writer.written / 1e6:.1f} MB")
