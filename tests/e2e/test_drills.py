"""The operator's drills, and what may happen to single processes, with the real house."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shared.clock import perf
from shared.config import EXIT_CONFIG
from shared.units import SECOND
from tests.e2e import truth
from tests.e2e.harness import House, read_lines
from tests.e2e.test_safety import BRISK, halted, trading

pytestmark = pytest.mark.house

FAST = f"""
{BRISK}
[time]
beat_sec = 600
watchdog_sec = 4
"""


def drill(house: House, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "icryptotrader", "--home", str(house.home.path), "drill", name]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def strategy(house: House) -> subprocess.CompletedProcess[str]:
    """A strategy of its own in this home."""
    command = [sys.executable, "-m", "strategy", "--home", str(house.home.path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_operators_drills_pass(tmp_path: Path) -> None:
    with House(tmp_path, BRISK, ("--speed", "4")) as house:
        trading(house)
        for name in ("feed-loss", "switch", "kill", "restore"):
            done = drill(house, name)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"drill {name}: passed" in done.stdout
        assert drill(house, "unknown").returncode == 2
        assert house.stop() == 0, house.tail()
        assert drill(house, "kill").returncode == 1


def test_a_blocked_strategy_is_ended_with_a_traceback_and_too_many_crashes_start_halted(
    tmp_path: Path,
) -> None:
    with House(tmp_path, FAST, ("--speed", "4")) as house:
        trading(house)
        # A second one beside it ends at once and touches nothing.
        second = strategy(house)
        assert second.returncode == EXIT_CONFIG
        assert "only one may run" in second.stderr
        # Longer still than the watchdog allows: ended as soon as it is continued.
        pid, stopped = house.kill("strategy", signal.SIGSTOP), perf()
        house.wait("the switch to clear the book", lambda: not truth.resting(house), 90)
        house.wait("the watchdog's limit and a quarter", lambda: perf() - stopped > 5.5 * SECOND)
        os.kill(pid, signal.SIGCONT)
        house.wait("another life", lambda: house.pid("strategy") not in (0, pid), 90)
        house.wait("a traceback", lambda: read_lines(house.home.log / "strategy.stacks"), 60)
        trading(house)
        # Four crashes within ten minutes, as the ledger remembers them.
        assert house.stop() == 0, house.tail()
        with closing(sqlite3.connect(house.home.data / "ledger.sqlite")) as db, db:
            [wall] = db.execute("SELECT max(started) FROM life").fetchone()
            db.executemany(
                "INSERT INTO life (started, ended, ending) VALUES (?, ?, 'invariant')",
                [(wall + n, wall + n) for n in range(1, 5)],
            )
        house.start()
        told = house.wait("halted by the crash guard", lambda: halted(house), 90)
        assert any("4 crashes within 10 minutes" in why for why in told["waits_for"])
        assert house.ctl("resume", "looked into")[0] == 0
        trading(house)
        assert house.stop() == 0, house.tail()


@pytest.mark.parametrize("harm", ["garbage", "flipped", "stranger"])
def test_a_ledger_that_cannot_be_trusted_is_refused_in_one_line(tmp_path: Path, harm: str) -> None:
    house = House(tmp_path)
    house.home.make()
    place = house.home.data / "ledger.sqlite"
    if harm == "garbage":
        place.write_bytes(os.urandom(8_192))
    elif harm == "stranger":
        with closing(sqlite3.connect(place)) as db, db:
            db.execute("CREATE TABLE other (id INTEGER)")
    else:
        with House(tmp_path) as lived:
            trading(lived)
            assert lived.stop() == 0
        with closing(sqlite3.connect(place)) as db, db:
            db.execute("UPDATE fill SET qty = qty + 1 WHERE seq = 1")
    place.chmod(0o600)
    done = strategy(house)
    assert done.returncode == EXIT_CONFIG, done.stderr
    assert "the ledger cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
