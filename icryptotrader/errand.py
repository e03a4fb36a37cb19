"""Short-lived programs of the roof: a backup, the year's report; one of each kind at a time.

Rule: they work on the ledger as it lies on the disk, beside a running strategy; no tick waits.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from shared.config import Home, program_environment

LONGEST_WORD: Final = 500


class Errand:
    """One command of `icryptotrader`, run now and again; what it says stands in log/NAME.log."""

    def __init__(self, home: Home, name: str, *words: str) -> None:
        self.name = name
        self._home = home
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it; it must not be under way."""
        assert self._process is None, self.name
        command = [sys.executable, "-P", "-m", "icryptotrader", "--home", str(self._home.path)]
        with self._log.open("wb") as said:
            self._process = subprocess.Popen(
                [*command, *self._words],
                env=program_environment(self._home, sys.executable),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def under_way(self) -> bool:
        return self._process is not None

    def ended(self) -> int | None:
        """The exit code, once; None while it is under way or was never begun."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._process = None
        return code

    def said(self) -> list[str]:
        """What it said, without empty lines."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line[:LONGEST_WORD] for line in lines if line.strip()]

    @property
    def _log(self) -> Path:
        return self._home.log / f"{self.name}.log"
