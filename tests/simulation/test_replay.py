"""A journal leads to the same commands again, wherever in a life it begins and however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.replay import replay
from shared.chunks import ChunkWriter
from shared.config import Config, Home, load
from shared.control import CONTROL_VERSION, CancelOrders, Explain, Hold, Resume
from shared.journal import MAGIC, JournalHead, JournalWriter, journals, read_journal
from shared.units import SECOND, Ns
from sim.world import World
from strategy.core.out import In, Out
from strategy.core.pipeline import Core
from strategy.core.snapshot import restore, take
from strategy.journaling import Did, JournalRecorder, fingerprint, pack, unpack
from strategy.trader import Trader

FOLLOWED: int = 120
"""Steps for which a restored memory must act as the living one did."""

EACH: int = 90

DID_SOMETHING = msgspec.msgpack.encode(Did(0xBADC0DE))


class Follower(Struct):
    """A memory taken in the middle of a life, and how many steps it has followed since."""

    core: Core
    steps: int = 0


class Shadow:
    """A recorder that restores the memory time and again and lets each copy live along."""

    def __init__(self, core: Core, config: Config) -> None:
        self.copies = 0
        self.acted = 0
        self._core = core
        self._config = config
        self._followers: list[Follower] = []
        self._steps = 0
        self._told = b""

    def told(self, now: Ns, inbox: Sequence[In]) -> None:
        if self._steps % EACH == 0:
            copy = Core(restore(self._config, take(self._core.memory)))
            assert copy.memory.digest() == self._core.memory.digest()
            self._followers.append(Follower(copy))
            self.copies += 1
        self._steps += 1
        self._told = pack(inbox)

    def did(self, now: Ns, outbox: Sequence[Out]) -> None:
        expected = fingerprint(outbox)
        self.acted += expected != 0
        for follower in self._followers:
            told = unpack(self._told)
            assert not isinstance(told, int)
            assert fingerprint(follower.core.step(now, told)) == expected, (
                f"step {self._steps}, {follower.steps} steps after the copy was made"
            )
            follower.steps += 1
        digest = self._core.memory.digest()
        assert all(each.core.memory.digest() == digest for each in self._followers)
        self._followers = [each for each in self._followers if each.steps < FOLLOWED]


def config(tmp_path: Path, volatility: float = 4.0) -> Config:
    found = load(Home(tmp_path))
    return replace(found, demo=replace(found.demo, volatility_pct=volatility))


def hard_times(world: World) -> Iterator[int]:
    """Eight minutes in which everything happens that a snapshot may fall into: span by span."""
    numbers = iter(range(1000))

    def head() -> tuple[int, str]:
        return CONTROL_VERSION, f"request-{next(numbers)}"

    for _ in range(2):
        yield 60 * SECOND
        world.cut("trader")
        yield 45 * SECOND
        world.kill_feed()
        yield 14 * SECOND
        world.start_feed()
        yield 30 * SECOND
        world.ask(Hold(*head(), "a test"))
        world.ask(Explain(*head(), "b1"))
        yield 10 * SECOND
        world.ask(Resume(*head(), "tested"))
        yield 50 * SECOND
        world.ask(CancelOrders(*head()))
        yield 20 * SECOND
    world.stop_trader()
    yield 30 * SECOND


def test_a_memory_restored_in_the_middle_of_a_life_acts_as_the_living_one(tmp_path: Path) -> None:
    settings = config(tmp_path)
    world = World(settings)
    world.start_feed()
    world.start_trader()
    assert world.trader is not None
    shadow = Shadow(world.trader.core, settings)
    world.trader = Trader(world.trader.core, world.trader.session, shadow)
    for span in hard_times(world):
        world.run(span)
    assert world.stopped is not None
    assert len(world.booked()) > len(world.opening_fills)
    assert shadow.copies > 30
    assert shadow.acted > 40


def journal_of_a_life(folder: Path, settings: Config) -> None:
    world = World(settings)
    world.start_feed()
    world.start_trader()
    assert world.trader is not None
    core = world.trader.core
    writer = JournalWriter(
        folder, "test", msgspec.msgpack.encode(settings), lambda: take(core.memory)
    )
    world.trader = Trader(core, world.trader.session, JournalRecorder(writer))
    for span in hard_times(world):
        world.run(span)
    writer.close()


def test_every_file_of_a_journal_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.journal.FILE_BYTES", 40_000)
    monkeypatch.setattr("shared.chunks.CHUNK_RAW_BYTES", 1_000)
    journal_of_a_life(tmp_path / "journal", config(tmp_path))
    files = journals(tmp_path / "journal")
    assert len(files) > 5
    for path in files:
        said: list[str] = []
        assert replay(path, 1, True, Home(tmp_path), said.append) == 0, (path, said)
        assert "all the same" in said[0]


def test_a_torn_journal_replays_up_to_the_tear(tmp_path: Path) -> None:
    journal_of_a_life(tmp_path / "journal", config(tmp_path))
    (path,) = journals(tmp_path / "journal")
    whole = path.read_bytes()
    for cut in (len(whole) // 3, len(whole) // 2, len(whole) - 7):
        path.write_bytes(whole[:cut])
        said: list[str] = []
        assert replay(path, 1, True, Home(tmp_path), said.append) == 0, said
        assert "ends before its end" in said[0]
        assert "all the same" in said[1]


def test_a_journal_stops_at_the_first_step_that_differs(tmp_path: Path) -> None:
    """The same inboxes under another configuration: other orders."""
    settings = config(tmp_path)
    journal_of_a_life(tmp_path / "journal", settings)
    (path,) = journals(tmp_path / "journal")
    said: list[str] = []
    other = replace(settings, grid=replace(settings.grid, levels=settings.grid.levels - 1))
    journal = read_journal(path)
    head = replace(journal.head, config=msgspec.msgpack.encode(other))
    rewrite(path, head, list(journal))
    assert replay(path, 1, True, Home(tmp_path), said.append) == 1
    assert said[0].startswith("step ")
    assert " differs: told [" in said[0]


def test_a_file_may_begin_between_a_step_and_what_it_did(tmp_path: Path) -> None:
    journal_of_a_life(tmp_path / "journal", config(tmp_path))
    (path,) = journals(tmp_path / "journal")
    journal = read_journal(path)
    rewrite(path, journal.head, [(journal.head.begin, DID_SOMETHING), *journal])
    said: list[str] = []
    assert replay(path, 1, True, Home(tmp_path), said.append) == 0, said


def rewrite(path: Path, head: JournalHead, records: list[tuple[Ns, bytes]]) -> None:
    writer = ChunkWriter(path, MAGIC, msgspec.msgpack.encode(head), replace=True)
    for now, payload in records:
        writer.append(now, b"", payload)
    writer.close()
