"""What the watchdog sees from outside of a process: ticks, sockets, memory, bot, advisor.

Rule 1: it tells, it ends nothing: a loop that stands still ends itself (shared/watchdog), and a
process that is gone is started again by the supervisor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from monitor.around import Around, ProcessSeen
from monitor.view import View
from monitor.words import Say
from shared.units import Ns

MEMORY_MOST_MB: Final = 700.0
"""A process of the house needs 60 MB; what grows beyond this leaks."""

SOCKETS_MOST: Final = 200
"""The monitor may serve 64 visitors; nobody else opens a dozen."""

TICK_LONGEST_US: Final = 50_000.0
TICKS_LEAST: Final = 0.5
"""Ticks in a second, of house time: a trading strategy ticks once at least."""

TICKS_MOST: Final = 500.0
"""A strategy that ticks without an end does not wait for anything."""


class Concern(Struct, frozen=True):
    """Something that is not as it should be. key: what it is about; level as of an alert."""

    key: str
    level: str
    text: str


def concerns(view: View, around: Around, now: Ns, say: Say) -> list[Concern]:
    """All that is out of bounds now, in words."""
    found = [concern for seen in around.processes for concern in _process(seen, say)]
    status = view.status
    if status is not None and view.strategy.up(now):
        if status.tick_us > TICK_LONGEST_US:
            took = f"{status.tick_us / 1000:.0f}"
            text = say("The strategy is slow: one tick took {took} ms.").format(took=took)
            found.append(Concern("slow", "warning", text))
        if status.phase == "trading" and view.pace.known:
            found += _pace(view.pace.per_s, say)
    if around.telegram:
        found.append(Concern("telegram", "warning", f"Telegram: {say(around.telegram)}"))
    if view.advisor is not None and view.advisor.state == "paused":
        text = f"{say('Advice of a model')}: {say(view.advisor.last_fault)}"
        found.append(Concern("advice", "warning", text))
    return found


def _process(seen: ProcessSeen, say: Say) -> Iterator[Concern]:
    name = say(seen.name)
    if seen.memory_mb > MEMORY_MOST_MB:
        text = say("{name} uses much memory: {size} MB.")
        told = text.format(name=name, size=int(seen.memory_mb // 100 * 100))
        yield Concern(f"memory:{seen.name}", "error", told)
    if seen.sockets > SOCKETS_MOST:
        text = say("{name} has many sockets open: more than {count}.")
        told = text.format(name=name, count=seen.sockets // 100 * 100)
        yield Concern(f"sockets:{seen.name}", "error", told)


def _pace(per_s: float, say: Say) -> Iterator[Concern]:
    if per_s < TICKS_LEAST:
        text = "The strategy ticks too seldom: less than once in two seconds."
        yield Concern("ticks", "error", say(text))
    elif per_s > TICKS_MOST:
        yield Concern("ticks", "error", say("The strategy ticks without a pause."))
