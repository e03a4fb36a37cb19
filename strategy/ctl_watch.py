"""`strategy-ctl watch`: the status on the terminal, drawn anew each second until Ctrl-C.

Rule 1: a strategy that is down or silent is shown as such, and its return too; watching goes on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from shared.process import await_signal
from strategy import ctl_screen

Fetch = Callable[[], tuple[Mapping[str, Any] | None, str]]
"""The status, or None and why there is none."""

STOPS: Final = (signal.SIGINT, signal.SIGTERM)


def watch(fetch: Fetch, console: Console, every_s: float, rounds: int | None = None) -> None:
    """Draw until a signal to stop, or so many times. On no terminal each picture is printed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while rounds is None or rounds > 0:
                live.update(picture(*fetch()), refresh=True)
                rounds = None if rounds is None else rounds - 1
                if rounds != 0 and await_signal(STOPS, every_s) is not None:
                    return
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def picture(data: Mapping[str, Any] | None, why: str) -> Group:
    """The screen as `strategy-ctl status` has it, or why there is nothing to show."""
    if data is None:
        return Group(Text(why, "red"), Text("Ctrl-C ends watching.", "dim"))
    return Group(*ctl_screen.status(data), Text("Ctrl-C ends watching.", "dim"))
