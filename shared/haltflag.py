"""The halt flag: a file that stops the strategy and needs no process to be raised.

Rule 1: who raises it writes it whole before anything else is done; the reason stands in it.
Rule 2: only a person's resume lowers it. Whatever is there and cannot be read counts as raised.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NAME: Final = "HALT"
LONGEST_REASON: Final = 500


def raise_flag(data: Path, reason: str) -> None:
    """Write data/HALT, mode 0600; a reason that stands there already is replaced. OSError."""
    draft = data / f".{NAME}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{reason[:LONGEST_REASON]}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(data / NAME)


def read_flag(data: Path) -> str | None:
    """Why the flag is up; None where it is not."""
    path = data / NAME
    try:
        path.stat()  # needs no descriptor: a process that has none left must not think it is up
        return path.read_text(errors="replace")[:LONGEST_REASON].strip() or "no reason given"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{NAME} cannot be read: {error.strerror}"


def lower_flag(data: Path) -> None:
    """OSError where it cannot be removed: then it is still up."""
    (data / NAME).unlink(missing_ok=True)
