"""The ledger's disk under a strategy that trades: full, read-only, or another file in its place.

The exchange keeps its own disk: this strategy runs in a mount namespace, where `data` is a small
disk of its own with a copy of the ledger.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from shared.config import EXIT_BROKEN, EXIT_CONFIG, program_environment
from tests.e2e import truth
from tests.e2e.harness import House, read_lines
from tests.e2e.test_isolation import kept_down, stopped
from tests.e2e.test_safety import BRISK, trading

pytestmark = pytest.mark.house

ALONE: Final = ["unshare", "--user", "--map-root-user", "--mount"]

KEEPER: Final = """
import os, pathlib, shutil, subprocess, sys
data, saved, size, *command = sys.argv[1:]
if size:
    options = f"size={size},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", data], check=True)
    for name in os.listdir(saved):
        shutil.copy2(os.path.join(saved, name), data)
else:
    ledger = os.path.join(data, "ledger.sqlite")
    subprocess.run(["mount", "--bind", ledger, ledger], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", ledger], check=True)
ballast = os.path.join(data, "ballast")
program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
for line in sys.stdin:
    word = line.strip()
    if word == "fill":
        with open(ballast, "wb", buffering=0) as file:
            for block in (65536, 4096, 256):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError:
                    continue
    elif word == "free":
        os.unlink(ballast)
    elif word == "save":
        for name in os.listdir(data):
            if name.startswith("ledger.sqlite"):
                shutil.copy2(os.path.join(data, name), saved)
    elif word == "stop":
        program.terminate()
    if word in ("stop", "wait"):
        print(program.wait(60), flush=True)
    else:
        print(program.poll(), flush=True)
"""


class Alone:
    """A strategy in a mount namespace of its own, and who does things to its disk."""

    def __init__(self, house: House, saved: Path, size: str) -> None:
        """size: of the small disk, "4m"; "" where the ledger's file is only made read-only."""
        self.saved = saved
        strategy = [sys.executable, "-P", "-m", "strategy", "--home", str(house.home.path)]
        command = [*ALONE, sys.executable, "-c", KEEPER, str(house.home.data), str(saved), size]
        environment = program_environment(house.home, sys.executable)
        self._keeper = subprocess.Popen(
            [*command, *strategy],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, word: str) -> str:
        """The strategy's exit code afterwards, "None" while it lives."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        return self._keeper.stdout.readline().strip()

    def end(self) -> str:
        """What it wrote to stderr."""
        try:
            _, told = self._keeper.communicate(timeout=60)
        finally:
            self._keeper.kill()
        return told


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*ALONE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this machine lets us mount no small disk of our own")
    folder = tmp_path_factory.mktemp("disk")
    with House(folder, BRISK, ("--speed", "4")) as found:
        yield found
        trading(found)
        assert found.stop() == 0, found.tail()
        assert truth.ledger_faults(found, truth.as_kept(found)) == []


@contextmanager
def alone(house: House, saved: Path, size: str) -> Iterator[Alone]:
    """In place of the house's own strategy, with a copy of its data."""
    saved.mkdir()
    trading(house)
    with kept_down(house, "strategy"):
        for entry in house.home.data.iterdir():
            if entry.is_file() and ".sqlite" not in entry.name:
                shutil.copy2(entry, saved)
        # Without its log: one that has grown before would have room for a while.
        copy_ledger(house.home.data / "ledger.sqlite", saved / "ledger.sqlite")
        found = Alone(house, saved, size)
        try:
            yield found
        finally:
            found.end()


def copy_ledger(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source, timeout=10)) as db:
        db.execute("VACUUM INTO ?", (str(target),))
    target.chmod(0o600)


def unwritten(house: House) -> list[str]:
    told: dict[str, Any] = house.status()
    return [why for why in told.get("waits_for", ()) if "cannot be written" in why]


def test_a_full_disk_takes_the_orders_out_and_with_space_it_goes_on(
    house: House, tmp_path: Path
) -> None:
    with alone(house, tmp_path / "saved", "4m") as strategy:
        trading(house)
        assert strategy.do("fill") == "None"
        # What must be written brings it to light.
        assert "NOT on the disk yet" in house.ctl("hold", "drill")[1]["text"]
        assert house.ctl("resume", "drill")[0] == 0
        house.wait("the disk's end to be told", lambda: unwritten(house))
        house.wait("no order left", lambda: not truth.resting(house))
        assert strategy.do("free") == "None", "it lived through it"
        trading(house)
        assert strategy.do("stop") == "0"
        assert not truth.resting(house)
        strategy.do("save")
        with closing(sqlite3.connect(strategy.saved / "ledger.sqlite")) as db:
            booked = {row[0] for row in db.execute("SELECT exec_id FROM fill")}
        assert booked == set(truth.as_kept(house))


def test_a_ledger_that_is_read_only_is_refused_in_one_line(house: House, tmp_path: Path) -> None:
    with alone(house, tmp_path / "saved", "") as strategy:
        assert strategy.do("wait") == str(EXIT_CONFIG)
        told = strategy.end()
        assert "the ledger cannot be used" in told
        assert "Traceback" not in told


def test_another_file_in_the_ledgers_place_ends_the_life_and_the_next_one_owns_all(
    house: House, tmp_path: Path
) -> None:
    trading(house)
    with stopped(house, "supervisord"):
        old = house.pid("strategy")
        place = house.home.data / "ledger.sqlite"
        copy_ledger(place, tmp_path / "copy.sqlite")
        for name in ("-wal", "-shm"):
            place.with_name(place.name + name).unlink()
        (tmp_path / "copy.sqlite").replace(place)
        house.ctl("hold", "drill")
        log = house.home.log / "strategy.jsonl"
        house.wait(
            "the end of this life",
            lambda: any("deleted or replaced while in use" in line for line in read_lines(log)),
        )
    house.wait_for_another("strategy", old)
    ended = f"strategy has ended: exit status {EXIT_BROKEN}"
    house.wait("the news", lambda: ended in house.tail(200))
