"""What each process settles with the kernel: it dies with its parent, ends once, is alone.

Rule 1: a lock is taken before anything that only one process may do (bind, connect, write).
Rule 2: a lock file is never deleted: a second file of that name would be a second lock.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.clock import perf
from shared.units import SECOND

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4

LOOK_EACH_S: Final = 0.1

STOPS: Final = (signal.SIGTERM, signal.SIGINT)

CRASH_VARIABLE: Final = "CRASH_AT"
"""Drills only: `CRASH_AT=after_intent` ends the process there, `after_intent:3` the third time."""

_crash_name, _, _crash_count = os.environ.get(CRASH_VARIABLE, "").partition(":")
_crash_left = int(_crash_count) if _crash_count.isdigit() else 1


class LockHeld(Exception):  # noqa: N818 - it is a state of the world, not a mistake
    """Another process has this lock; `pid` is what it wrote, 0 where that is unreadable."""

    def __init__(self, path: Path, pid: int) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{path.name} is held by {who}: only one may run at a time")
        self.path = path
        self.pid = pid


class Lock:
    """A lock that lasts until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def held(self) -> bool:
        """False once the file was deleted or replaced: then a second process may have it too."""
        return self._descriptor >= 0 and _same_file(self.path, self._descriptor)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def die_with_parent() -> None:
    """SIGTERM when the parent dies, and everything `harden` does. Called first in each process."""
    harden()
    parent = os.getppid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It died between the two calls: the kernel will not tell us any more.
        os.kill(os.getpid(), signal.SIGTERM)


def on_stop(call: Callable[[Callable[[], None]], object], told: Callable[[str], None]) -> None:
    """`told` by the first TERM or INT, with its name; any later one changes nothing.

    call: the loop's call_soon_threadsafe. Not by add_signal_handler: a loop that closes gives the
    signals their default action back, and a TERM that comes while the process ends would kill it
    in the middle of its last writes.
    """

    def heard(number: int, frame: object) -> None:
        no_more_stops()
        with suppress(RuntimeError):  # the loop has closed: we are on our way out already
            call(lambda: told(signal.Signals(number).name))

    for number in STOPS:
        signal.signal(number, heard)


def await_signal(wanted: Collection[signal.Signals], at_most_s: float) -> signal.Signals | None:
    """One of these, all of them blocked, that is there after at most so long; None where none is.

    Not by what sigtimedwait returns: after a stop and a continue from outside (Ctrl-Z and `fg`, a
    machine that was suspended) this Python's hands out a signal that nobody sent.
    """
    end = perf() + int(at_most_s * SECOND)
    while not signal.sigpending() & set(wanted):
        left_s = (end - perf()) / SECOND
        if left_s <= 0:
            return None
        signal.sigtimedwait((), min(left_s, LOOK_EACH_S))  # a sleep, and nothing else
    return signal.Signals(signal.sigwait(wanted))


def no_more_stops() -> None:
    """TERM and INT mean nothing from here on: this process ends, by itself and in order."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def offer_memory(score: int) -> None:
    """Where memory runs out, the kernel ends first who offers most: never before the strategy.

    score: 0 to 1000, what the kernel's own measure is raised by. Called before `die_with_parent`,
    after which the file is not ours any more. What cannot be offered is no reason not to run.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(score))


def harden() -> None:
    """New files for the owner only, no core dumps, no look into memory or environment."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_DUMPABLE, 0)


def lock(path: Path) -> Lock:
    """Take an exclusive lock at once, or raise LockHeld with the holder's pid."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(10):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _read_pid(descriptor)
            os.close(descriptor)
            raise LockHeld(path, pid) from None
        if _same_file(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return Lock(path, descriptor)
        # The file was replaced between open and flock: what we hold is nobody's lock.
        os.close(descriptor)
    raise LockHeld(path, 0)


def holder(path: Path) -> int:
    """The pid of the process that holds this lock, 0 where nobody does.

    Asks the kernel's list instead of trying the lock: a try would, for a moment, hold it.
    """
    try:
        inode = path.stat().st_ino
        pid = int(path.read_text().strip() or 0)
        listed = Path("/proc/locks").read_text()
    except (OSError, ValueError):
        return 0
    for line in listed.splitlines():
        # "7: FLOCK  ADVISORY  WRITE 4711 fe:01:131093 0 EOF"
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[4:5] == [str(pid)] and len(fields) > 5:
            device_and_inode = fields[5].split(":")
            if device_and_inode[-1] == str(inode):
                return pid
    return 0


def crash_point(name: str) -> None:
    """A place where a drill may end this process as `kill -9` does; costs one comparison."""
    if name == _crash_name:
        _pass_crash_point()


def _pass_crash_point() -> None:
    global _crash_left
    _crash_left -= 1
    if _crash_left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def _read_pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0
