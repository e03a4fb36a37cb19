"""Watching: pictures until told, a strategy that is down is waited for."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from strategy.ctl_watch import watch


def test_it_draws_and_goes_on_while_the_strategy_is_down() -> None:
    answers: list[tuple[Mapping[str, Any] | None, str]] = [
        (None, "the strategy cannot be asked"),
        ({"phase": "trading", "equity": "24753.21"}, ""),
    ]
    stream = io.StringIO()
    watch(lambda: answers.pop(0), Console(file=stream, width=120), 0.2, 2)
    assert answers == []
    assert "24753.21" in stream.getvalue()


def test_a_signal_ends_it() -> None:
    count = 0

    def fetch() -> tuple[Mapping[str, Any] | None, str]:
        nonlocal count
        count += 1
        if count == 1:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return {}, ""

    watch(fetch, Console(file=io.StringIO(), width=100), 30.0)
    assert count == 1
