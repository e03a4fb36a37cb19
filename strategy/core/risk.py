"""Stage 3, assess: drawdown from the peak, and the pause state looked up from it.

The pause is not remembered, it is looked up from two facts, so it has no forgotten way back. The
only memory is the peak and the severity's latch: a band is left 3 % below its edge, not at it.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.settings_trade import Risk as RiskConfig
from shared.units import Ns

LATCH: Final = 0.03
_ROUNDING: Final = 1e-9
WARNING: Final = 0.05
PROBLEM: Final = 0.10


class Severity(enum.IntEnum):
    HEALTHY = 0
    WARNING = 1
    PROBLEM = 2
    CRITICAL = 3
    EMERGENCY = 4


_SEVERITIES: Final = tuple(Severity)


class Pause(enum.StrEnum):
    ACTIVE_TRADING = "ACTIVE_TRADING"
    TAX_LOCK_ACTIVE = "TAX_LOCK_ACTIVE"
    RISK_PAUSE_ACTIVE = "RISK_PAUSE_ACTIVE"
    DUAL_LOCK = "DUAL_LOCK"
    EMERGENCY_SELL = "EMERGENCY_SELL"


ALLOWED: Final[dict[Pause, tuple[bool, bool]]] = {
    # (buys, sells); EMERGENCY_SELL leaves only exits.
    Pause.ACTIVE_TRADING: (True, True),
    Pause.TAX_LOCK_ACTIVE: (True, False),
    Pause.RISK_PAUSE_ACTIVE: (False, True),
    Pause.DUAL_LOCK: (False, False),
    Pause.EMERGENCY_SELL: (False, False),
}


# Bound once: an enum's members are slow to look up, and each tick needs these.
_EMERGENCY, _CRITICAL = Severity.EMERGENCY, Severity.CRITICAL
_ACTIVE, _TAX_LOCK = Pause.ACTIVE_TRADING, Pause.TAX_LOCK_ACTIVE


class Risk(Struct, frozen=True):
    """Equity and peak in quote currency, estimates. Peak 0.0: not known yet."""

    equity: float = 0.0
    peak: float = 0.0
    drawdown: float = 0.0
    severity: Severity = Severity.HEALTHY
    emergency_since: Ns = Ns(0)  # the drawdown itself is in that band; 0 = it is not


def assess(risk: Risk, equity: float, now: Ns, cfg: RiskConfig, *, frozen: bool = False) -> Risk:
    """The risk after this tick. An equity that is not known (0 or less) changes nothing.

    frozen: a price runs (breaker.py). What the account is worth in a spike is no peak: measured
    from there, the way back would be an emergency that sells at the price of before.
    """
    if equity <= 0.0:
        # What nobody saw does not count as time in the band.
        return replace(risk, emergency_since=Ns(0))
    higher = equity > risk.peak and not (frozen and risk.peak > 0.0)
    peak = equity if higher else risk.peak
    drawdown = (peak - equity) / peak if equity < peak else 0.0
    since = risk.emergency_since or now if drawdown >= cfg.emergency_drawdown_pct else Ns(0)
    return Risk(equity, peak, drawdown, _classify(risk.severity, drawdown, cfg), since)


def assess_range(
    risk: Risk, least: float, most: float, last: float, cfg: RiskConfig
) -> Risk | None:
    """The risk after any run of equities from least to most that ends with last.

    None where its band might change on the way: then each has to be assessed by itself.
    """
    if least <= 0.0 or risk.peak <= 0.0:
        return None
    peak = max(risk.peak, most)
    worst, best = (peak - least) / peak + _ROUNDING, (risk.peak - most) / risk.peak - _ROUNDING
    kept = risk.severity
    bands = _classify(kept, worst, cfg), _classify(kept, best, cfg)
    since = risk.emergency_since
    stands = best >= cfg.emergency_drawdown_pct if since else worst < cfg.emergency_drawdown_pct
    if bands != (kept, kept) or not stands:
        return None
    return Risk(last, peak, (peak - last) / peak, kept, since)


def moved(risk: Risk, before: float, after: float) -> Risk:
    """The risk after a deposit or withdrawal changed the equity: the drawdown stays what it was.

    A withdrawal of half the account halves the peak; a deposit into an empty one begins anew.
    """
    if before <= 0.0 or after <= 0.0:
        return Risk(peak=max(0.0, after))
    return replace(risk, equity=after, peak=risk.peak * after / before)


def _classify(before: Severity, drawdown: float, cfg: RiskConfig) -> Severity:
    """A band is entered at its edge and left once the drawdown is LATCH below it."""
    edges = (
        WARNING,
        PROBLEM,
        cfg.max_portfolio_drawdown_pct,
        cfg.emergency_drawdown_pct,
    )
    band = _band(drawdown, edges)
    if before <= band:
        return band
    return max(band, min(before, _band(drawdown + LATCH, edges)))


def _band(drawdown: float, edges: tuple[float, ...]) -> Severity:
    """The worst band whose edge is reached; a pause set below PROBLEM still pauses."""
    worst = 0
    for place, edge in enumerate(edges, start=1):
        if drawdown >= edge:
            worst = place
    return _SEVERITIES[worst]


def pause_of(severity: Severity, tax_locked: bool) -> Pause:
    """DESIGN's table of two facts."""
    if severity is _EMERGENCY:
        return Pause.EMERGENCY_SELL
    if severity is _CRITICAL:
        return Pause.DUAL_LOCK if tax_locked else Pause.RISK_PAUSE_ACTIVE
    return _TAX_LOCK if tax_locked else _ACTIVE
