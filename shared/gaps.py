"""What the sequence of a topic tells: a gap, another life of the publisher, an echo of an old one.

Sequence numbers do not tell age: after a stall a subscriber is first handed stale frames in perfect
sequence. Whoever decides checks the times in the frame as well.
"""

from __future__ import annotations

import enum
from typing import Final

from shared.units import Ns

TOPICS_LIMIT: Final = 1_000
"""Topics remembered; a publisher of ours has a dozen for each pair."""


class Arrival(enum.Enum):
    FIRST = "first"  # of this topic
    NEXT = "next"
    GAP = "gap"  # frames were missed; each frame is a whole fact, so this one heals
    RESTART = "restart"  # another life of the publisher
    OLD = "old"  # of an earlier life, or heard before: to be ignored


class Gaps:
    """Checks boot and sequence per topic, and counts what was found."""

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[Ns, int]] = {}
        self.missed = 0  # frames
        self.restarts = 0
        self.old = 0

    def check(self, topic: bytes, boot: Ns, seq: int) -> Arrival:
        """How this frame follows the last one of its topic; remembers it unless it is OLD."""
        last = self._last.get(topic)
        arrival = _compare(last, boot, seq)
        match arrival:
            case Arrival.OLD:
                self.old += 1
                return arrival
            case Arrival.GAP if last is not None:
                self.missed += seq - last[1] - 1
            case Arrival.RESTART:
                self.restarts += 1
        if last is not None or len(self._last) < TOPICS_LIMIT:
            self._last[topic] = boot, seq
        return arrival


def _compare(last: tuple[Ns, int] | None, boot: Ns, seq: int) -> Arrival:
    if last is None:
        return Arrival.FIRST
    last_boot, last_seq = last
    if boot != last_boot:
        return Arrival.RESTART if boot > last_boot else Arrival.OLD
    if seq <= last_seq:
        return Arrival.OLD
    return Arrival.NEXT if seq == last_seq + 1 else Arrival.GAP
