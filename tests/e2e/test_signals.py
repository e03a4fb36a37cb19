"""TERM that comes again and again while a program stops: each ends once, in order, with 0."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from icryptotrader.run import STOP_ORDER
from shared.config import program_environment
from tests.e2e.harness import House, read_lines
from tests.e2e.test_safety import trading

pytestmark = pytest.mark.house

READY = {
    # Program: the line of its log that says that it listens.
    "sim": ("exchange", "exchange_ready"),
    "feed": ("feed", "feed_started"),
    "strategy": ("strategy", "rest_failed"),
    "monitor": ("monitor", "monitor is up"),
}
STOPS_WITHIN_S = 120.0


@pytest.mark.parametrize("module", READY)
def test_a_hail_of_signals_changes_nothing_about_the_end(tmp_path: Path, module: str) -> None:
    """Alone in its home: what it lacks (a line, a market) must not hold its end up either."""
    house = House(tmp_path)
    house.home.make()
    settings = (tmp_path / "settings.toml").read_text()
    (house.home.path / "user.toml").write_text(settings)
    log, ready = READY[module]
    environment = program_environment(house.home, sys.executable)
    command = [sys.executable, "-P", "-m", module, "--home", str(house.home.path)]
    program = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STOPS_WITHIN_S
        path = house.home.log / f"{log}.jsonl"
        while not any(ready in line for line in read_lines(path)):
            assert program.poll() is None, read_lines(path)
            assert time.monotonic() < deadline, f"{module} does not come up"
            time.sleep(0.05)
        while program.poll() is None:
            assert time.monotonic() < deadline, f"{module} does not stop"
            program.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert program.returncode == 0, read_lines(path)[-5:]
    finally:
        program.kill()
        program.wait()


def test_a_house_under_a_hail_of_signals_stops_in_order(tmp_path: Path) -> None:
    with House(tmp_path, args=("--speed", "4")) as house:
        trading(house)
        pids = {name: house.pid(name) for name in (*STOP_ORDER, "supervisord", "run")}
        os.kill(pids["run"], signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN_S
        while house.ended() is None:
            assert time.monotonic() < deadline, house.tail()
            alive = [name for name in STOP_ORDER if f"/proc/{pids[name]}" in _processes()]
            # The one whose turn it is: the others have not been told yet.
            for name in [*alive[:1], "supervisord", "run"]:
                try:
                    os.kill(pids[name], signal.SIGTERM)
                except ProcessLookupError:
                    continue
            time.sleep(0.005)
        assert house.join() == 0, house.tail()
        assert "Stopped in order" in house.tail()


def _processes() -> frozenset[str]:
    return frozenset(str(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
