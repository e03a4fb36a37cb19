"""What the session is told, and what it asks of whoever drives it.

Each attempt to connect has a number, so that a late word of an old line is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from shared.frames import FeedFrame
from shared.units import Ns


class LineOpened(Struct, frozen=True):
    """chance: in [0, 1), spreads the next reconnect; drawn by whoever may draw."""

    line: int
    chance: float = 0.0


class LineClosed(Struct, frozen=True):
    """Closed by the other side, or never opened."""

    line: int
    why: str
    chance: float = 0.0


class Text(Struct, frozen=True, gc=False):
    """One frame of the exchange. at: when its last byte was heard."""

    line: int
    raw: bytes
    at: Ns


class OpenLine(Struct, frozen=True):
    """Connect, and say LineOpened or LineClosed with this number."""

    line: int


class CloseLine(Struct, frozen=True):
    """Drop this line at once; nothing it says is heard any more."""

    line: int
    why: str


class SendText(Struct, frozen=True):
    line: int
    raw: bytes


class Publish(Struct, frozen=True):
    topic: bytes
    frame: FeedFrame


class Note(Struct, frozen=True):
    """For the log. level: debug, info, warning, error."""

    level: str
    event: str
    fields: Mapping[str, str | int]


In = LineOpened | LineClosed | Text
Out = OpenLine | CloseLine | SendText | Publish | Note
