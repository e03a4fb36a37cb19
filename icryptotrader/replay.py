"""`icryptotrader replay`: a recording into a fresh strategy, or a journal through it again.

A recording is fed to the strategy that trades live, against the simulated exchange whose market
is the same recording. Time is the recording's own, so the strategy cannot tell how fast it is
played, and two runs of one file and configuration end with one digest.

With --speed the frames also travel the real bus, dated as if they came now: a strategy or a
monitor that runs in the same home without a feed hears them.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace as changed

from shared import frames
from shared.bus import BusError, Publisher, Subscriber
from shared.chunks import BadFileError
from shared.clock import Clock
from shared.config import Config, ConfigError, Home, load
from shared.journal import Journal, read_journal
from shared.process import LockHeld
from shared.recording import Recording, read_recording
from shared.units import SECOND, Ns, price_of
from sim.recorded import Recorded, ticks_of
from sim.world import World
from strategy.core.pipeline import Core
from strategy.core.snapshot import restore
from strategy.journaling import fingerprint, unpack

TAIL: Final = Ns(2 * SECOND)
"""House time after the last frame, for what is still on its way."""

HELLO: Final = frames.topic("hello")
"""No frame: whoever else listens drops it."""

JOIN_EACH_S: Final = 0.02
LOST_S: Final = 60.0

Say = Callable[[str], None]
Dated = tuple[Ns, frames.FeedFrame]


def replay(path: Path, speed: int, fast: bool, home: Home, say: Say) -> int:
    """0; 1 where a journal's strategy acts differently; 2 for a file that cannot be used."""
    try:
        if path.suffix == ".journal":
            return _replay_journal(read_journal(path), say)
        recording = read_recording(path)
        config = load(home)
        kept = _frames(recording)
        world, pair = _world(recording, kept, config)
    except BadFileError as error:
        say(str(error))
        return 2
    except ConfigError as error:
        say("\n".join(error.faults))
        return 78
    if recording.torn:
        say(f"the file ends before its end: {recording.torn}; what is readable is played")
    try:
        if fast:
            for received, frame in kept:
                _play(world, received, frame)
        else:
            asyncio.run(_play_over_bus(world, kept, speed, home))
    except (BusError, LockHeld) as error:
        say(f"the bus of {home.path} is taken (a feed runs there?): {error}")
        return 1
    world.run(TAIL)
    _summarise(world, kept, pair, say)
    return 0


def _frames(recording: Recording) -> list[Dated]:
    found = []
    for received, _, payload in recording:
        frame = frames.decode(payload)
        if isinstance(frame, frames.FeedFrame):
            found.append((received, frame))
    return found


def _world(recording: Recording, kept: Sequence[Dated], config: Config) -> tuple[World, str]:
    """The strategy before the recorded market. BadFileError where the file holds none."""
    pair = config.pair if config.pair in recording.head.pairs else recording.head.pairs[0]
    ticks = ticks_of(kept, pair, kept[0][0] if kept else Ns(0))
    if not ticks:
        raise BadFileError(f"the recording holds no valid book of {pair}: nothing to trade on")
    head = recording.head
    begin = kept[0][0]
    wall = Ns(head.begin_wall + begin - head.begin)
    world = World(changed(config, pair=pair), begin, wall, source=Recorded(ticks))
    world.start_trader()
    return world, pair


def _play(world: World, received: Ns, frame: frames.FeedFrame) -> None:
    world.run(max(0, received - world.now))
    world.hear_frame(frame)


async def _play_over_bus(world: World, kept: Sequence[Dated], speed: int, home: Home) -> None:
    """Publish at the recorded pace; our own strategy listens on the bus like any other."""
    clock = Clock(speed)
    with tempfile.TemporaryDirectory() as folder:
        place = home.run if home.run.exists() else Path(folder)
        publisher = Publisher(place / "feed.pub", place / "feed.lock")
        shift = Ns(0)  # from the recording's clock to ours
        joined, arrived = asyncio.Event(), asyncio.Event()
        heard = 0

        def on_frame(_topic: bytes, payload: bytes) -> None:
            nonlocal heard
            frame = frames.decode(payload)
            if isinstance(frame, frames.FeedFrame):
                received = kept[heard][0]
                heard += 1
                _play(world, received, _shifted(frame, -shift))
                arrived.set()
            else:
                joined.set()

        loop = asyncio.get_running_loop()
        subscriber = Subscriber(loop, [place / "feed.pub"], [b""], on_frame)
        try:
            while not joined.is_set():
                # Until we are known as a listener, what is published is nobody's.
                publisher.send(HELLO, b"")
                await asyncio.sleep(JOIN_EACH_S)
            shift = Ns(clock.now() - kept[0][0] + SECOND)
            for count, (received, frame) in enumerate(kept, 1):
                wait = clock.real_seconds(received + shift - clock.now())
                await asyncio.sleep(max(0.0, wait))
                publisher.send(_topic(frame), frames.encode(_shifted(frame, shift)))
                while heard < count:
                    # One at a time: a frame that a full queue dropped would change the digest.
                    arrived.clear()
                    await asyncio.wait_for(arrived.wait(), timeout=LOST_S)
        finally:
            subscriber.close()
            publisher.close()


def _shifted(frame: frames.FeedFrame, by: int) -> frames.FeedFrame:
    """The frame as if it had been published `by` ns later."""
    return changed(
        frame,
        boot=Ns(frame.boot + by),
        heard_at=Ns(frame.heard_at + by),
        changed_at=Ns(frame.changed_at + by),
    )


def _topic(frame: frames.FeedFrame) -> bytes:
    match frame:
        case frames.Instrument(pair=pair):
            return frames.topic("instrument", pair.symbol)
        case frames.Beat():
            return frames.topic("feed")
        case _:
            return frames.topic(type(frame).__name__.lower(), frame.pair)


def _summarise(world: World, kept: Sequence[Dated], pair: str, say: Say) -> None:
    status = world.status
    assert status is not None, "a strategy reports each second"
    span = (kept[-1][0] - kept[0][0]) / SECOND
    counters = dict(status.counters)
    opening = world.opening_fills
    fills = [f for f in world.booked().values() if f.exec_id not in opening]
    buys = sum(fill.side.value == "buy" for fill in fills)
    spec = world.exchange.markets[pair].pair
    say(f"{len(kept)} frames of {pair}, {span:.0f} s")
    say(
        f"commands: {counters.get('adds', 0)} adds, {counters.get('amends', 0)} amends, "
        f"{counters.get('cancels', 0)} cancels"
    )
    say(f"fills: {buys} buys, {len(fills) - buys} sells")
    for fill in fills[-5:]:
        say(f"  {fill.side} {fill.qty / 1e8:.8f} at {price_of(spec, fill.price)}")
    say(f"equity {status.equity}, drawdown {status.drawdown_pct:.2%}, pause {status.pause}")
    say(f"digest {world.digest:016x}")


class _Difference(Struct, frozen=True):
    step: int
    now: Ns
    inbox: Sequence[object]
    was: int
    found: int


def _replay_journal(journal: Journal, say: Say) -> int:
    """Step a fresh core through what the journal's core was told; compare what it did."""
    try:
        config = msgspec.msgpack.decode(journal.head.config, type=Config)
        core = Core(restore(config, journal.head.memory))
        steps, commands, difference = _walk(core, journal)
    except (msgspec.MsgspecError, ValueError) as error:
        say(f"this version cannot replay a journal of {journal.head.product}: {error}")
        return 2
    if journal.torn:
        say(f"the journal ends before its end: {journal.torn}")
    if difference is not None:
        say(f"step {difference.step} differs: told {[type(i).__name__ for i in difference.inbox]}")
        say(f"  it did {difference.was:08x} then, {difference.found:08x} now")
        return 1
    say(f"{steps} steps, {commands} with commands or entries: all the same")
    say(f"digest of memory {core.memory.digest()}")
    return 0


def _walk(core: Core, journal: Journal) -> tuple[int, int, _Difference | None]:
    steps = commands = found = 0
    told: list[object] = []
    for now, payload in journal:
        record = unpack(payload)
        if isinstance(record, int):
            # A file may begin between a step and the record of what it did.
            if steps and record != found:
                return steps, commands, _Difference(steps, now, told, record, found)
            continue
        told = list(record)
        found = fingerprint(core.step(now, record))
        steps += 1
        commands += found != 0
    return steps, commands, None
