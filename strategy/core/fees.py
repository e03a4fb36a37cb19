"""Fees and the least profitable spacing between two rungs."""

from __future__ import annotations

from typing import Final

from shared.config import Grid
from shared.units import BPS

LEAST_BPS: Final = 1.0
"""Rungs stand apart even where nothing is charged and nothing else is asked for."""


def floor_bps(maker: float, cfg: Grid) -> float:
    """The spacing below which a round trip does not pay: two maker fees, what a fill costs beyond
    its fee (adverse selection) and the least edge. maker is a ratio (0.0012); the result is bps.
    """
    bps = 2 * maker * BPS + float(cfg.adverse_selection_bps) + float(cfg.least_edge_bps)
    return max(bps, LEAST_BPS)
