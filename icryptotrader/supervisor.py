"""supervisord as a child of `icryptotrader run`: it drains and ends when its parent dies.

Rule 1: one supervisord at a time works in a home; a second one ends before it starts anything.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

from supervisor import supervisord  # type: ignore[import-untyped]

from shared.process import LockHeld, die_with_parent, lock, no_more_stops

LOCK: Final = Path("run/supervisord.lock")


def main() -> int:
    """Become supervisord in the current folder; the arguments are its own."""
    # The parent waits for its signals with all of them blocked, and a mask is inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    die_with_parent()
    try:
        held = lock(LOCK)
    except LockHeld as error:
        sys.stderr.write(f"supervisord: {error}\n")
        return 1
    supervisord.main()
    no_more_stops()
    held.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
