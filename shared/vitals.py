"""What this process uses of what it may use: memory, address space, descriptors.

Rule 1: looking never fails for want of what is looked at: a list of open files that cannot be
opened means that no descriptor is left.
"""

from __future__ import annotations

import errno
import resource
from pathlib import Path
from typing import Final

from msgspec import Struct

PROC: Final = Path("/proc")
CGROUPS: Final = Path("/sys/fs/cgroup")

TOO_MUCH: Final = 0.8
"""Of a limit: what is left is for an orderly end."""


class Use(Struct, frozen=True):
    """used and limit in the same unit; a limit of 0 is none."""

    what: str
    used: int
    limit: int

    @property
    def is_too_much(self) -> bool:
        return self.limit > 0 and self.used > TOO_MUCH * self.limit


def look(memory_limit: int) -> list[Use]:
    """Of this process now. memory_limit: bytes, as of `memory_limit()`."""
    page = resource.getpagesize()
    pages, resident = (PROC / "self" / "statm").read_text().split()[:2]
    return [
        Use("bytes of memory", int(resident) * page, memory_limit),
        Use("bytes of address space", int(pages) * page, _soft(resource.RLIMIT_AS)),
    ]


def descriptors() -> Use:
    """Asked on its own, and first: at the limit nothing else can be read either."""
    limit = _soft(resource.RLIMIT_NOFILE)
    try:
        used = sum(1 for _ in (PROC / "self" / "fd").iterdir())
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        used = limit
    return Use("descriptors", used, limit)


def too_much(memory_limit: int) -> str:
    """The first that is more than it should be, as a sentence; "" where none is."""
    first = descriptors()
    uses = [first] if first.is_too_much else [first, *look(memory_limit)]
    for use in uses:
        if use.is_too_much:
            return f"{use.used:,} of {use.limit:,} {use.what} are in use"
    return ""


def farewell(why: str) -> str:
    """What the operator is told when a life ends for that, whole."""
    return f"{why}: own orders are cancelled, then the strategy starts anew"


def memory_limit() -> int:
    """Bytes: the least of the machine's memory and of the limits of this process's cgroups."""
    total = (PROC / "meminfo").read_text().partition("MemTotal:")[2].split()[0]
    found = [int(total) * 1024]
    group = (PROC / "self" / "cgroup").read_text().rpartition("0::")[2].strip()
    folder = CGROUPS / group.lstrip("/")
    for place in (folder, *folder.parents):
        try:
            text = (place / "memory.max").read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return min(found)


def _soft(which: int) -> int:
    limit = resource.getrlimit(which)[0]
    return 0 if limit == resource.RLIM_INFINITY else limit
