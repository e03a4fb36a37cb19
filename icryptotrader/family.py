"""The processes below this one: who is left, and their end.

Rule 1: `run` adopts the orphans of its descendants, so that "nothing is left running" is a fact
that the kernel knows and not a guess.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36


def adopt_orphans() -> None:
    """From now on a descendant whose parent dies becomes a child of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def children(root: Path = Path("/proc")) -> list[int]:
    """The pids of this process's living children, adopted ones included; dead ones are reaped."""
    found = [
        int(entry.name)
        for entry in root.iterdir()
        if entry.name.isdigit() and _parent(entry) == os.getpid()
    ]
    return [pid for pid in sorted(found) if not _reap(pid)]


def kill(pids: list[int]) -> None:
    """SIGKILL; who has gone meanwhile is no matter."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _parent(entry: Path) -> int:
    try:
        # pid (name) state ppid ...; the name may hold spaces and brackets.
        return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _reap(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return done == pid
