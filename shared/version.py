"""Which build runs here: the package's version, and the commit where one can be told.

Rule 1: no git is called: a checkout says it in .git, an archive in COMMIT (filled in by
`git archive`), an image in the same file. What was changed since that commit is not looked at.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGE: Final = "icryptotrader"
ROOT: Final = Path(__file__).resolve().parents[1]
SHORT: Final = 12
"""Digits of a commit that are shown."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@lru_cache(maxsize=1)
def build() -> str:
    """`0.1.0+g6bb2f3d0a1b2` (PEP 440, local version), or `0.1.0` where no commit is known."""
    commit = commit_of(ROOT)
    return version(PACKAGE) + (f"+g{commit[:SHORT]}" if commit else "")


def commit_of(root: Path) -> str:
    """The commit a folder stands at, as hexadecimal digits; "" where nothing tells it."""
    return _of_git(root / ".git") or _hash_in(_read(root / "COMMIT"))


def _of_git(place: Path) -> str:
    """gitrepository-layout(5), gitfile: a worktree's .git is a file that names its folder."""
    pointer = _read(place) if place.is_file() else ""
    folder = (place.parent / pointer.partition("gitdir:")[2].strip()) if pointer else place
    head = _read(folder / "HEAD").strip()
    name = head.partition("ref:")[2].strip()
    if not name:
        return _hash_in(head)
    common = folder / (_read(folder / "commondir").strip() or ".")
    loose = _hash_in(_read(folder / name)) or _hash_in(_read(common / name))
    if loose:
        return loose
    for line in _read(common / "packed-refs").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return _hash_in(commit)
    return ""


def _hash_in(text: str) -> str:
    found = _COMMIT.fullmatch(text.strip())
    return found[0] if found else ""


def _read(path: Path) -> str:
    """A small text file; "" where there is none or it may not be read."""
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""
