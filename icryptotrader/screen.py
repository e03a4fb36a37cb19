"""The console of `icryptotrader run`: plain lines, coloured by level on a terminal only.

Rule 1: a console that has gone (closed terminal, broken pipe) stops the writing, never the house.
"""

from __future__ import annotations

import re
from typing import Final, TextIO

_COLOURS: Final = {
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
    "WARNING": "\x1b[33m",
    "DEBUG": "\x1b[2m",
}
_PLAIN: Final = "\x1b[0m"
_LEVEL: Final = re.compile(r"^\S+ +\S+ +(?P<level>DEBUG|WARNING|ERROR|CRITICAL) ")


class Screen:
    """Writes lines to a stream until the stream is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty()
        self.gone = False

    def show(self, *lines: str, level: str = "") -> None:
        """Each line coloured by `level`, or by the level that it names as a log line does."""
        if self.gone:
            return
        try:
            for line in lines:
                self._stream.write(self._paint(line, level) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.gone = True

    def _paint(self, line: str, level: str) -> str:
        if not self._colour:
            return line
        found = _LEVEL.match(line)
        colour = _COLOURS.get(level or (found["level"] if found else ""))
        return f"{colour}{line}{_PLAIN}" if colour else line
