"""The watchdog, against real processes that stand still in different ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

HEAD = """
import ctypes, sys, time
from shared.watchdog import Watchdog
dog = Watchdog(0.4, open(sys.argv[1], "a"))
"""


def run(body: str, file: Path) -> int:
    return subprocess.run(
        [sys.executable, "-c", HEAD + body, str(file)], cwd=ROOT, timeout=60, check=False
    ).returncode


@pytest.mark.parametrize(
    "stuck",
    [
        "while True: pass",
        "time.sleep(50)",
        "ctypes.PyDLL(None).usleep(50_000_000)",
    ],
    ids=["a busy loop", "a call that waits", "a call that keeps the interpreter to itself"],
)
def test_a_loop_that_stands_still_is_ended_with_a_traceback(stuck: str, tmp_path: Path) -> None:
    assert run(stuck, tmp_path / "trace") == 1
    assert "Timeout" in (tmp_path / "trace").read_text()


def test_a_loop_that_turns_lives_on(tmp_path: Path) -> None:
    body = "for _ in range(100):\n    time.sleep(0.01)\n    dog.pet()"
    assert run(body, tmp_path / "trace") == 0
    assert (tmp_path / "trace").read_text() == ""


def test_a_stopped_watchdog_ends_nothing(tmp_path: Path) -> None:
    assert run("dog.stop()\ntime.sleep(0.8)", tmp_path / "trace") == 0


def test_a_pet_that_comes_too_late_ends_the_process_even_before_the_timer_has_woken(
    tmp_path: Path,
) -> None:
    body = (
        "import faulthandler\nfaulthandler.cancel_dump_traceback_later()\n"
        "time.sleep(0.8)\ndog.pet()"
    )
    assert run(body, tmp_path / "trace") == 1
    assert "most recent call first" in (tmp_path / "trace").read_text()
