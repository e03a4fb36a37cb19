"""Stage 2, guard: a price that runs freezes the grid, and hysteresis lets it go again.

Frozen by a move of the freeze size within 60 s; free again once the 60 s move has stayed below
half of that size for the cool-down.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from shared.settings_trade import Risk
from shared.units import SECOND, Ns
from strategy.core.market import View

RECOVERY_SHARE = 0.5


class Breaker(Struct, frozen=True):
    frozen_at: Ns = Ns(0)  # 0 = not frozen
    calm_since: Ns = Ns(0)  # 0 = not calm
    trips: int = 0

    @property
    def frozen(self) -> bool:
        return self.frozen_at > 0


def guard(breaker: Breaker, view: View, now: Ns, cfg: Risk) -> Breaker:
    """The breaker after this tick; a view that is not fresh neither freezes nor frees."""
    if not view.fresh:
        # A calm that nobody saw is none.
        return msgspec.structs.replace(breaker, calm_since=Ns(0))
    if not breaker.frozen:
        if view.move_60s >= cfg.price_velocity_freeze_pct:
            return Breaker(now, Ns(0), breaker.trips + 1)
        return breaker
    if view.move_60s >= cfg.price_velocity_freeze_pct * RECOVERY_SHARE:
        return msgspec.structs.replace(breaker, calm_since=Ns(0))
    if not breaker.calm_since:
        return msgspec.structs.replace(breaker, calm_since=now)
    if now - breaker.calm_since >= cfg.price_velocity_cooldown_sec * SECOND:
        return Breaker(trips=breaker.trips)
    return breaker
