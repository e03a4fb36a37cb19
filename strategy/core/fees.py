"""Fees, and the least profitable spacing between two rungs.

The account's true rates come from the exchange. Where it does not tell them in time, the dated
schedule of the day stands in for them: the tier that the settings name, or the first.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from shared.settings import Fees
from shared.settings_trade import Grid
from shared.units import BPS, DAY, MINUTE, Ns

LEAST_BPS: Final = 1.0
"""Rungs stand apart even where nothing is charged and nothing else is asked for."""

PATIENCE: Final = MINUTE
"""For the exchange's word about the account's rates, before the schedule stands in."""

Tiers = tuple[tuple[int, float, float], ...]
"""(30-day volume in USD from, maker in percent, taker in percent), smallest first."""

SCHEDULES: Final[tuple[tuple[date, Tiers], ...]] = (
    # Kraken, fee schedule, BTC/USD and BTC/EUR; in force from the day named, newest first.
    (
        date(2026, 7, 9),
        (
            (0, 0.40, 0.80), (2_500, 0.30, 0.60), (10_000, 0.22, 0.38), (25_000, 0.20, 0.35),
            (50_000, 0.15, 0.30), (100_000, 0.12, 0.25), (250_000, 0.10, 0.22),
            (500_000, 0.08, 0.20), (1_000_000, 0.06, 0.18), (2_500_000, 0.04, 0.15),
            (5_000_000, 0.02, 0.12), (10_000_000, 0.0, 0.10), (50_000_000, 0.0, 0.09),
            (100_000_000, 0.0, 0.08), (250_000_000, 0.0, 0.07), (400_000_000, 0.0, 0.06),
            (500_000_000, 0.0, 0.05),
        ),
    ),
    (
        date(1970, 1, 1),
        (
            (0, 0.25, 0.40), (10_000, 0.20, 0.35), (50_000, 0.14, 0.24), (100_000, 0.12, 0.22),
            (250_000, 0.10, 0.20), (500_000, 0.08, 0.18), (1_000_000, 0.06, 0.16),
            (2_500_000, 0.04, 0.14), (5_000_000, 0.02, 0.12), (10_000_000, 0.0, 0.10),
        ),
    ),
)  # fmt: skip


def floor_bps(maker: float, taker: float, cfg: Grid) -> float:
    """The spacing below which a round trip does not pay: the fees of both legs, what a fill costs
    beyond its fee (adverse selection) and the least edge. Rates are ratios (0.0012); bps come out.
    """
    legs = maker + (taker if cfg.taker_leg else maker)
    bps = legs * BPS + float(cfg.adverse_selection_bps) + float(cfg.least_edge_bps)
    return max(bps, LEAST_BPS)


def scheduled(wall: Ns, cfg: Fees) -> tuple[float, float]:
    """(maker, taker) as ratios: what the schedule in force on that day charges."""
    day = date(1970, 1, 1) + timedelta(days=wall // DAY)
    tiers = next(tiers for since, tiers in SCHEDULES if day >= since)
    _, maker, taker = [tier for tier in tiers if tier[0] <= cfg.fallback_volume_usd][-1]
    return maker / 100.0, taker / 100.0
