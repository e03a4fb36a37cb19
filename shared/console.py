"""Log lines for people: one JSON line as readable text, and a follower of all processes' files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

POLL_BYTES: Final = 1_000_000
"""Read per file and poll at most; the rest waits for the next poll."""

HEAD: Final = ("ts", "level", "process", "event", "exception")


def render(line: bytes) -> str:
    """A JSON log line as `time process LEVEL event  key=value ...`; a traceback follows indented.

    Bytes that are no log line are shown as they are. Control characters never reach the screen:
    some texts come from outside.
    """
    fields = _decode(line)
    if fields is None:
        return _printable(line.decode(errors="replace").strip())
    shown = [
        f"{str(fields.get('ts', ''))[11:23]:12}",
        f"{fields.get('process', '?')!s:9}",
        f"{str(fields.get('level', '?')).upper():8}",
        str(fields.get("event", "")),
    ]
    extra = " ".join(f"{k}={_value(v)}" for k, v in fields.items() if k not in HEAD)
    text = _printable(" ".join(shown) + (f"  {extra}" if extra else ""))
    trace = str(fields.get("exception") or "").splitlines()
    return "\n".join([text, *(f"    {_printable(row)}" for row in trace)])


class Follower:
    """New lines of all files of a folder, across rotations; older lines are skipped."""

    def __init__(self, folder: Path, pattern: str = "*.jsonl") -> None:
        self._folder = folder
        self._pattern = pattern
        self._tails = {path: _Tail(path, at_end=True) for path in self._paths()}

    def poll(self) -> list[str]:
        """What was written since the last poll, rendered, oldest first."""
        for path in self._paths():
            if path not in self._tails:
                self._tails[path] = _Tail(path, at_end=False)
        lines = [line for tail in self._tails.values() for line in tail.read()]
        return [render(line) for line in sorted(lines, key=_time_of)]

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob(self._pattern))


class _Tail:
    """The unread end of one file; the rest of a rotated file is read before its successor."""

    def __init__(self, path: Path, *, at_end: bool) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        if at_end:
            self._file.seek(0, 2)
        self._part = b""

    def read(self) -> list[bytes]:
        data = self._part + self._file.read(POLL_BYTES)
        if self._rotated() and len(data) < POLL_BYTES:
            data += self._file.read(POLL_BYTES)
            self._file.close()
            self._file = self._path.open("rb")
            data += self._file.read(POLL_BYTES)
        *lines, self._part = data.split(b"\n")
        return lines

    def close(self) -> None:
        self._file.close()

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != _inode(self._file)
        except FileNotFoundError:
            return False


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time_of(line: bytes) -> str:
    return str((_decode(line) or {}).get("ts", ""))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
