"""What waits to be sent to a telephone: once each, not at night, not too many, none lost unsaid.

Rule 1: the same key is told once within REPEAT_AFTER, unless its text says something new and worse.
Rule 2: in quiet hours only errors and critical alarms go out; the rest waits for the morning.
Rule 3: what waits longer is told in one message; what does not fit is counted, and the count told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns

BERLIN: Final = ZoneInfo("Europe/Berlin")
REPEAT_AFTER: Final = Ns(600 * SECOND)
WAITING_MOST: Final = 200
KEYS_KEPT: Final = 500
MESSAGE_CHARS: Final = 3_500
"""Telegram takes 4,096 characters; entities of HTML count."""

URGENT: Final = ("error", "critical")


class Notice(Struct, frozen=True):
    """Something to be told. key: what it is about; text: HTML of Telegram's kind."""

    key: str
    level: str  # info | warning | error | critical
    text: str


class Outbox(Struct, frozen=True):
    """What waits, what was told lately, and when the next message may go."""

    waiting: tuple[Notice, ...] = ()
    told: tuple[tuple[str, str, Ns], ...] = ()  # key, text, when
    dropped: int = 0
    not_before: Ns = Ns(0)
    failures: int = 0


def put(box: Outbox, notices: Iterable[Notice], now: Ns) -> Outbox:
    """Add what was not told lately; the least urgent are dropped where too many wait."""
    waiting, told, dropped = list(box.waiting), list(box.told), box.dropped
    for notice in notices:
        same = [when for key, text, when in told if (key, text) == (notice.key, notice.text)]
        if same and now - max(same) < REPEAT_AFTER:
            continue
        told.append((notice.key, notice.text, now))
        waiting = [other for other in waiting if other.key != notice.key or not other.key]
        waiting.append(notice)
    while len(waiting) > WAITING_MOST:
        place = next((i for i, n in enumerate(waiting) if n.level not in URGENT), 0)
        waiting.pop(place)
        dropped += 1
    return replace(box, waiting=tuple(waiting), told=tuple(told[-KEYS_KEPT:]), dropped=dropped)


def take(box: Outbox, now: Ns, *, quiet: bool) -> tuple[Outbox, str]:
    """The next message, "" where none may go now; what it says no longer waits."""
    if now < box.not_before:
        return box, ""
    ready = [notice for notice in box.waiting if not quiet or notice.level in URGENT]
    if not ready:
        return box, ""
    said: list[Notice] = []
    length = 0
    for notice in sorted(ready, key=lambda n: n.level not in URGENT):
        if said and length + len(notice.text) > MESSAGE_CHARS:
            break
        said.append(notice)
        length += len(notice.text) + 1
    lines = [notice.text for notice in said]
    if box.dropped:
        lines.append(f"(+{box.dropped})")
    rest = tuple(notice for notice in box.waiting if notice not in said)
    return replace(box, waiting=rest, dropped=0), "\n".join(lines)[: MESSAGE_CHARS + 500]


def sent(box: Outbox, now: Ns, per_minute: int) -> Outbox:
    """A message went out: the next one after its share of a minute."""
    return replace(box, not_before=Ns(now + 60 * SECOND // per_minute), failures=0)


def refused(box: Outbox, text: str, now: Ns, after_s: float) -> Outbox:
    """It did not go out: it waits again, first in the queue. after_s: what Telegram asked for."""
    wait_s = max(after_s, min(300.0, 2.0 ** min(box.failures, 8)))
    again = Notice("", "error", text)
    return replace(
        box,
        waiting=(again, *box.waiting),
        not_before=Ns(now + int(wait_s * SECOND)),
        failures=box.failures + 1,
    )


def is_quiet(span: str, wall: Ns) -> bool:
    """Whether a German wall clock stands in "22:00-07:00"; "" is never."""
    if not span:
        return False
    begin, _, end = span.partition("-")
    clock = f"{datetime.fromtimestamp(wall // SECOND, BERLIN):%H:%M}"
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
