"""The operator's safety net with real processes: kill, halt, caps, drift, restarts in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.config import load
from tests.e2e import truth
from tests.e2e.harness import House

pytestmark = pytest.mark.house

BRISK = """
[ws]
cancel_after_timeout_sec = 20
heartbeat_interval_sec = 5
"""

KILL_S = 2.0
"""Within so many seconds of the word nothing rests any more; on a machine that has the time."""


def trading(house: House) -> dict[str, Any]:
    def ready() -> dict[str, Any]:
        told = house.status()
        return told if told.get("phase") == "trading" and told.get("orders", 0) > 5 else {}

    return house.wait("trading with orders", ready, 90)


def bot_kill(house: House, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "icryptotrader.bot_kill", "--home", str(house.home.path)]
    return subprocess.run(
        [*command, *args], capture_output=True, text=True, check=False, timeout=60
    )


def add_a_foreign_order(house: House) -> None:
    """Far below the market, by somebody else."""
    house.rest(
        "AddOrder", pair="XBTEUR", type="buy", ordertype="limit", price="30000.0", volume="0.001"
    )


def kill_by_word(house: House) -> None:
    """strategy-ctl kill: the book is empty in time, by the clocks of the house."""
    code, told = house.ctl("kill", "drill", "--yes", "kill")
    assert code == 0, told
    assert_emptied(house, truth.killed_at(house))


def kill_by_flag(house: House, why: str) -> None:
    """bot-kill, likewise: from the moment at which the flag stood there."""
    done = bot_kill(house, why)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing rests in the account" in done.stdout
    config = load(house.home)
    raised_ns = time.time_ns() - (house.home.data / "HALT").stat().st_mtime_ns
    assert_emptied(house, config.make_clock().wall() - raised_ns * config.speed)


def assert_emptied(house: House, since: int) -> None:
    house.wait("nothing to rest", lambda: not truth.resting(house))
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert truth.emptied_s(house, since) < KILL_S * max(1.0, crowd)


def test_a_kill_empties_the_book_in_two_seconds_and_holds_over_kill_9_until_resumed(
    tmp_path: Path,
) -> None:
    with House(tmp_path, BRISK, ("--speed", "4")) as house:
        trading(house)
        add_a_foreign_order(house)
        kill_by_word(house)
        house.wait("halted", lambda: house.status().get("phase") == "halted")
        house.kill("strategy")
        told = house.wait("the next life, halted", lambda: halted(house), 90)
        assert any("killed: drill" in why for why in told["waits_for"])
        # The switch was left to run out, and nothing has armed it again.
        house.wait("the switch to run out", lambda: house.status().get("switch_left_s") == 0.0)
        assert not truth.resting(house)
        assert house.stop() == 0, house.tail()
        house.start()
        house.wait("halted after a whole restart", lambda: halted(house), 90)
        assert not truth.resting(house)
        assert house.ctl("resume", "drill over")[0] == 0
        trading(house)
        assert house.stop() == 0, house.tail()


def halted(house: House) -> dict[str, Any]:
    told = house.status()
    return told if told.get("phase") == "halted" else {}


def test_bot_kill_needs_no_strategy_and_the_next_life_honours_its_flag(tmp_path: Path) -> None:
    with House(tmp_path, BRISK, ("--speed", "4")) as house:
        trading(house)
        # A strategy that stands still hears of nothing, and nobody else is needed.
        stopped = house.kill("strategy", signal.SIGSTOP)
        kill_by_flag(house, "stuck")
        assert (house.home.data / "HALT").read_text() == "stuck\n"
        assert (house.home.data / "HALT").stat().st_mode & 0o777 == 0o600
        house.kill("strategy")
        house.wait("another life", lambda: house.pid("strategy") not in (0, stopped))
        told = house.wait("halted by the flag", lambda: halted(house), 90)
        assert any("killed: stuck" in why for why in told["waits_for"])
        assert not truth.resting(house)
        assert house.ctl("resume", "over")[0] == 0
        house.wait("the flag lowered", lambda: not (house.home.data / "HALT").exists())
        trading(house)
        # While it runs, it sees the flag by itself.
        kill_by_flag(house, "again")
        house.wait("halted while running", lambda: halted(house))
        assert not truth.resting(house)
        assert house.stop() == 0, house.tail()
        # With no house at all it says what it could not do, and the flag is up all the same.
        (house.home.data / "HALT").unlink()
        done = bot_kill(house, "nobody there")
        # 78 where another test's exchange listens at that port by now: it knows no such key.
        assert done.returncode in (1, 78)
        assert "NOT confirmed" in done.stdout
        assert (house.home.data / "HALT").exists()


def test_a_ledger_that_cannot_be_written_takes_the_orders_out_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with House(tmp_path, BRISK, ("--speed", "4")) as house:
        trading(house)
        pid = house.pid("strategy")
        place = house.home.data / "ledger.sqlite"
        with closing(sqlite3.connect(place, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            # What must be written brings the fault to light: a hold that is pressed and released.
            assert "NOT on the disk yet" in house.ctl("hold", "drill")[1]["text"]
            assert house.ctl("resume", "drill")[0] == 0
            house.wait("no order left", lambda: not truth.resting(house), 60)
            told = house.status()
            assert any("cannot be written" in why for why in told["waits_for"]), told["waits_for"]
            other.execute("ROLLBACK")
        trading(house)
        assert house.pid("strategy") == pid
        assert house.stop() == 0, house.tail()
        with closing(sqlite3.connect(place)) as db:
            audited = [row[0] for row in db.execute("SELECT what FROM audit ORDER BY id")]
        assert audited[-2:] == ["hold", "resume"]
