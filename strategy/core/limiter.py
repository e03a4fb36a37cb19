"""Stage 11, admit: Kraken's trading rate counter, kept by us before the exchange refuses.

One counter per account and pair that decays continuously. Young orders are dear to amend and
dearer to cancel (Kraken, trading rate limits).
Rule 1: an urgent cancel is counted and never held back.
Rule 2: when the counter is short, what takes risk away goes first, then what is nearest to the
market; the rest is asked for again on the next tick, and is older and cheaper by then.
Rule 3: what costs extra because it is young may fill the first half of the counter alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from shared.settings_house import RateLimit
from shared.units import SECOND, Ns
from strategy.core.slots import Add, Amend, Cancel, Intent, reduces

AMEND_AGES: Final = ((5, 3), (10, 2), (15, 1))
YOUNG_PART: Final = 0.5
TIER_DECAYS: Final = ((180, 3.75), (125, 2.34), (60, 1.0))
"""(threshold, decay each second): Kraken, trading rate limits: Pro, Intermediate, Starter."""

CANCEL_AGES: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))


class Limiter(Struct, frozen=True):
    """The counter as it stood at `at`, and the account's own threshold where it was told."""

    counter: float = 0.0
    at: Ns = Ns(0)
    threshold: int = 0

    def value(self, now: Ns, cfg: RateLimit) -> float:
        """The counter now. It decays as the account's own tier lets it, never faster than set."""
        if now == self.at:
            return self.counter
        decay = (
            min(cfg.decay_rate, tier_decay(self.threshold)) if self.threshold else cfg.decay_rate
        )
        return max(0.0, self.counter - decay * (now - self.at) / SECOND)


@lru_cache(maxsize=16)
def tier_decay(threshold: int) -> float:
    """What a tier's counter loses in a second; between two thresholds as the lower one's does."""
    return next((decay for least, decay in TIER_DECAYS if threshold >= least), TIER_DECAYS[-1][1])


COSTS: Final[dict[type, tuple[float, int, tuple[tuple[int, int], ...]]]] = {
    Add: (1.0, 0, ()),
    Amend: (1.0, AMEND_AGES[-1][0], AMEND_AGES),
    Cancel: (0.0, CANCEL_AGES[-1][0], CANCEL_AGES),
}
"""What an intent costs, until which age of its order (seconds) it costs more, and how much more."""


def cost(intent: Intent, now: Ns) -> float:
    """What the exchange will add to its counter."""
    least, young, ages = COSTS[type(intent)]
    age = now - intent.slot.changed
    if age >= young * SECOND:
        return least
    return least + next(float(extra) for seconds, extra in ages if age < seconds * SECOND)


def charged(limiter: Limiter, intent: Intent, now: Ns, cfg: RateLimit) -> Limiter:
    """The counter after this intent has left the house."""
    counter = limiter.value(now, cfg) + cost(intent, now)
    return Limiter(counter, now, limiter.threshold)


def admit(limiter: Limiter, intents: Sequence[Intent], now: Ns, cfg: RateLimit) -> list[Intent]:
    """Urgent cancels first and always; the others while the counter stays below the headroom.

    Only what leaves is charged (`charged`): the gate may still refuse what is admitted here.
    """
    if not intents:
        return []
    most = _most(limiter, cfg)
    counter = limiter.value(now, cfg)
    admitted: list[Intent] = []
    for intent in sorted(intents, key=_order):
        price = cost(intent, now)
        young = price > COSTS[type(intent)][0]
        urgent = isinstance(intent, Cancel) and intent.urgent
        if urgent or counter + price <= (most * YOUNG_PART if young else most):
            counter += price
            admitted.append(intent)
    return admitted


def waits(limiter: Limiter, now: Ns, cfg: RateLimit) -> str:
    """Why what was not admitted is not sent, with the figures that decided."""
    most = _most(limiter, cfg)
    return f"waits for the rate counter: {limiter.value(now, cfg):.0f} of {most:.0f} used"


def _most(limiter: Limiter, cfg: RateLimit) -> float:
    """The account's own threshold less the headroom; that of the settings until it is known."""
    return (limiter.threshold or cfg.max_counter) * cfg.headroom_pct


def _order(intent: Intent) -> tuple[int, int]:
    """Which goes first: by kind, then by how near to the market its rung is."""
    if isinstance(intent, Cancel):
        return 0 if intent.urgent else 1, 0
    eases = isinstance(intent, Amend) and reduces(intent.slot, intent.wish)
    return 1 if eases else 2, intent.wish.rung
