"""The settings of what is traded: the grid, its limits, risk, regimes and the hedge.

config.py reads them with all the others; every default stands in config/default.toml.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.settings import Adaptive, Ratio, Seconds


class Grid(Struct, frozen=True, forbid_unknown_fields=True, cache_hash=True):
    levels: Annotated[int, Meta(ge=0, le=20)]
    order_size_quote: Decimal
    min_spacing_bps: Decimal
    adverse_selection_bps: Decimal
    least_edge_bps: Decimal
    post_only: bool
    base_reserve: Decimal
    sell_floor: Literal["paired", "none"]
    requote_tolerance: Annotated[float, Meta(ge=0.0, le=0.9)]
    requote_age_sec: Annotated[float, Meta(ge=0.0, le=3600.0)]
    enlarge_age_sec: Annotated[float, Meta(ge=0.0, le=86_400.0)]
    anchor: Literal["vwap", "mid", "blend"]
    rungs: Literal["geometric", "arithmetic"]
    trailing: Literal["off", "up", "down", "both"]
    lowest: Decimal
    highest: Decimal
    taker_leg: bool
    spacing_quantum_bps: Decimal
    narrow_after_sec: Annotated[float, Meta(ge=0.0, le=86_400.0)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    order_quote: Decimal
    open_orders: Annotated[int, Meta(ge=1, le=225)]
    collar_pct: Annotated[float, Meta(gt=0.0, le=0.5)]
    fills_per_minute: Annotated[int, Meta(ge=1)]
    fills_per_hour: Annotated[int, Meta(ge=1)]
    rejects_in_a_row: Annotated[int, Meta(ge=1)]
    daily_loss_quote: Decimal
    btc_max_pct: Ratio
    hard_caps_file: str


class Risk(Struct, frozen=True, forbid_unknown_fields=True):
    max_portfolio_drawdown_pct: Ratio
    emergency_drawdown_pct: Ratio
    price_velocity_freeze_pct: Ratio
    price_velocity_cooldown_sec: Seconds


class RegimeValues(Struct, frozen=True, forbid_unknown_fields=True, cache_hash=True):
    btc_target_pct: Ratio
    btc_max_pct: Ratio
    btc_min_pct: Ratio
    grid_levels: Annotated[int, Meta(ge=0, le=20)]
    order_size_scale: Annotated[float, Meta(gt=0.0, le=10.0)]
    signal_enabled: bool


class Regime(Struct, frozen=True, forbid_unknown_fields=True):
    half_life_sec: Seconds
    least_dwell_sec: Annotated[float, Meta(ge=0.0, le=86_400.0)]
    chaos_volatility_pct: Annotated[float, Meta(gt=0.0, le=100.0)]
    trend_momentum_bps: Decimal
    sample_sec: Seconds
    range_bound: RegimeValues
    trending_up: RegimeValues
    trending_down: RegimeValues
    chaos: RegimeValues
    adaptive: Adaptive


class Hedge(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    strategy: Literal["reduce_exposure", "inverse_grid"]
    trigger_drawdown_pct: Ratio
    max_reduction_pct: Ratio
