"""Where the commands begin: from their first moment on Ctrl-C is one line and exit code 130.

Rule 1: nothing is loaded before Ctrl-C is heard, not even what types need at run time: to load a
command takes a fifth of a second.
Rule 2: while it loads there is nothing to undo, and the process is left at once. An exception could
be swallowed there, by a module that tries to import what may be absent.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

EXIT_INTERRUPTED = 130


def icryptotrader() -> NoReturn:
    """The console script `icryptotrader`."""

    def load() -> Callable[[], int | None]:
        from icryptotrader.cli import main

        return main

    _run(load)


def strategy_ctl() -> NoReturn:
    """The console script `strategy-ctl`."""

    def load() -> Callable[[], int | None]:
        from strategy.ctl import main

        return main

    _run(load)


def bot_kill() -> NoReturn:
    """The console script `bot-kill`."""

    def load() -> Callable[[], int | None]:
        from icryptotrader.bot_kill import main

        return main

    _run(load)


def _run(load: Callable[[], Callable[[], int | None]]) -> NoReturn:
    """Load a command, carry it out, and exit with what it returns."""
    try:
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:  # else it is ignored, by a shell's `&` or nohup
            signal.signal(signal.SIGINT, _leave)
        program = load()
        signal.signal(signal.SIGINT, before)
        sys.exit(program())
    except KeyboardInterrupt:
        _leave()
    except SystemExit as end:
        if _is_unsaid(end):
            _leave()
        if end.code == EXIT_INTERRUPTED:
            _end()
        raise


def _leave(_number: int = 0, _frame: FrameType | None = None) -> NoReturn:
    os.write(2, b"interrupted\n")
    _end()


def _end() -> NoReturn:
    """Exit with our code. Python by itself would now and then let the signal kill it instead.

    It does where Ctrl-C had passed through code that was compiled at run time, as a dataclass is.
    """
    try:
        sys.stdout.flush()
    finally:  # also where whoever read our output has gone
        os._exit(EXIT_INTERRUPTED)


def _is_unsaid(end: SystemExit) -> bool:
    """Whether Ctrl-C broke off a command that says nothing of it: typer makes that an exit code."""
    above = end.__context__
    return above is not None and isinstance(above.__cause__, KeyboardInterrupt)
