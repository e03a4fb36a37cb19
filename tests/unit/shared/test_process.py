"""Locks, ends and crash points, against real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shared.process import LockHeld, holder, lock

ROOT = Path(__file__).resolve().parents[3]


def start(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=dict(os.environ) | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_a_second_holder_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    held = lock(tmp_path / "run" / "feed.lock")
    with pytest.raises(LockHeld, match=f"feed.lock is held by process {os.getpid()}"):
        lock(held.path)
    assert holder(held.path) == os.getpid()
    held.release()
    assert holder(held.path) == 0
    lock(held.path).release()


def test_a_lock_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    held = lock(tmp_path / "run" / "feed.lock")
    assert stat.S_IMODE(held.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(held.path.parent.stat().st_mode) == 0o700
    held.release()


def test_a_holder_notices_that_its_file_was_deleted(tmp_path: Path) -> None:
    held = lock(tmp_path / "feed.lock")
    assert held.held()
    held.path.unlink()
    assert not held.held()
    held.release()
    assert not held.held()


def test_a_killed_holder_frees_the_lock_at_once(tmp_path: Path) -> None:
    path = tmp_path / "feed.lock"
    other = start(
        f"""
        from pathlib import Path
        from shared.process import lock
        held = lock(Path({str(path)!r}))
        print("locked", flush=True)
        input()
        """
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(LockHeld) as refused:
        lock(path)
    assert refused.value.pid == other.pid
    other.kill()
    finish(other)
    assert holder(path) == 0
    lock(path).release()


def test_the_lock_is_not_inherited_by_a_program_that_is_started(tmp_path: Path) -> None:
    held = lock(tmp_path / "feed.lock")
    child = start("input()")
    held.release()
    lock(held.path).release()
    child.communicate("\n", timeout=60)


def test_nobody_holds_a_lock_that_never_was(tmp_path: Path) -> None:
    assert holder(tmp_path / "none.lock") == 0
    (tmp_path / "odd.lock").write_text("no pid")
    assert holder(tmp_path / "odd.lock") == 0


def test_a_child_is_told_to_stop_when_its_parent_is_killed() -> None:
    child = "\n".join(
        [
            "import signal, sys",
            "from shared.process import die_with_parent",
            "die_with_parent()",
            "print('ready', flush=True)",
            "caught = signal.sigwait({signal.SIGTERM})",
            "print('stopped by', caught.name, flush=True)",
        ]
    )
    parent = start(
        f"""
        import signal, subprocess, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
        subprocess.Popen([sys.executable, "-c", {child!r}])
        signal.pause()
        """
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    assert parent.stdout.readline() == "stopped by SIGTERM\n"
    finish(parent)


def test_a_hardened_process_makes_private_files_and_no_core(tmp_path: Path) -> None:
    code, out = finish(
        start(
            f"""
            import resource
            from pathlib import Path
            from shared.process import harden
            harden()
            file = Path({str(tmp_path / "file")!r})
            file.touch()
            print(oct(file.stat().st_mode & 0o777), resource.getrlimit(resource.RLIMIT_CORE))
            """
        )
    )
    assert (code, out) == (0, "0o600 (0, 0)\n")


CRASHING = """
from shared.process import crash_point
for turn in range(5):
    crash_point("other")
    crash_point("after_send")
    print(turn, flush=True)
"""


@pytest.mark.parametrize(
    ("crash_at", "code", "out"),
    [
        ("", 0, "0\n1\n2\n3\n4\n"),
        ("nowhere", 0, "0\n1\n2\n3\n4\n"),
        ("after_send", -signal.SIGKILL, ""),
        ("after_send:3", -signal.SIGKILL, "0\n1\n"),
    ],
)
def test_a_drill_kills_the_process_at_the_named_point(crash_at: str, code: int, out: str) -> None:
    assert finish(start(CRASHING, CRASH_AT=crash_at)) == (code, out)


AWAITING = """
import signal, sys
from shared.process import await_signal
STOPS = (signal.SIGTERM, signal.SIGINT)
signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
print("ready", flush=True)
heard = None
while heard is None:
    heard = await_signal(STOPS, 0.01)
print(heard.name)
"""


def test_a_process_that_was_stopped_and_continued_heard_no_signal_that_nobody_sent() -> None:
    process = start(AWAITING)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(20):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "SIGINT\n")
