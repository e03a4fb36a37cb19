"""Kraken's dead man's switch: when to re-arm it, and whether it still covers us.

It cancels *everything in the account*, once, when its time runs out. The time runs from the
moment we sent the request, not from the answer. It is re-armed only from inside a step, so a core
that stands still cannot re-arm it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from shared.orders import Armed
from shared.settings_house import Ws
from shared.units import SECOND, Ns

RETRY: Final = Ns(5 * SECOND)
GATE_LEFT_S: Final = 15


class Deadman(Struct, frozen=True):
    until: Ns = Ns(0)  # when it fires; 0 = not armed
    asked_at: Ns = Ns(0)  # the last request, answered or not

    def left_s(self, now: Ns) -> float:
        return (self.until - now) / SECOND if self.until > now else 0.0

    def covers(self, now: Ns, cfg: Ws) -> bool:
        """Whether an order may be sent: enough time is left to be re-armed or to be saved by it."""
        return self.left_s(now) >= min(GATE_LEFT_S, cfg.cancel_after_timeout_sec / 4)

    def fired(self, now: Ns) -> bool:
        return self.until > 0 and now >= self.until


def due(switch: Deadman, now: Ns, cfg: Ws) -> bool:
    """Whether to (re-)arm now: each interval, or RETRY after a request that brought nothing."""
    return now >= due_at(switch, cfg)


def due_at(switch: Deadman, cfg: Ws) -> Ns:
    """When that is."""
    if not switch.asked_at:
        return Ns(0)
    armed_at = switch.until - cfg.cancel_after_timeout_sec * SECOND
    unanswered = switch.asked_at > armed_at
    wait = RETRY if unanswered else cfg.heartbeat_interval_sec * SECOND
    return Ns(switch.asked_at + wait)


def asked(switch: Deadman, now: Ns) -> Deadman:
    return msgspec.structs.replace(switch, asked_at=now)


def answered(switch: Deadman, armed: Armed) -> Deadman:
    if armed.timeout_s == 0:
        return Deadman(Ns(0), switch.asked_at)
    until = Ns(armed.sent_at + armed.timeout_s * SECOND)
    return msgspec.structs.replace(switch, until=max(switch.until, until))
