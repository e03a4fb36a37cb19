"""The console that may go away, and the processes that must."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from icryptotrader import family
from icryptotrader.screen import Screen

ERROR = "03:09:12.323 feed      ERROR    the line is down"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_levels_in_colour() -> None:
    stream = Terminal()
    Screen(stream).show(ERROR, "plain")
    assert stream.getvalue() == f"\x1b[31m{ERROR}\x1b[0m\nplain\n"


def test_a_file_sees_plain_text() -> None:
    stream = io.StringIO()
    Screen(stream).show(ERROR, level="ERROR")
    assert stream.getvalue() == f"{ERROR}\n"


def test_a_console_that_has_gone_is_written_to_no_more() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    screen = Screen(stream)
    screen.show("nobody reads this")
    screen.show("nor this")
    assert screen.gone
    with contextlib.suppress(BrokenPipeError):
        stream.close()


ORPHANS = """
import subprocess, sys, time
from icryptotrader import family
family.adopt_orphans()
# A child that leaves a grandchild behind.
subprocess.run(["sh", "-c", "sleep 60 & true"], check=True)
left = family.children()
assert len(left) == 1, left
family.kill(left)
deadline = time.monotonic() + 10
while family.children() and time.monotonic() < deadline:
    time.sleep(0.01)
assert not family.children()
"""


def test_orphans_are_adopted_found_and_ended() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHANS], timeout=30, check=False)
    assert done.returncode == 0


def test_a_process_that_is_already_gone_can_be_killed() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    family.kill([child.pid])


def test_strangers_are_no_children(tmp_path: Path) -> None:
    for pid, stat in {"1": "1 (init) S 0 1", "2": "2 (a ) b) S 1 1", "3": "broken"}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(stat)
    assert family.children(tmp_path) == []
