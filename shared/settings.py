"""The settings of the strategy's models, and what must hold between them.

config.py reads them with all the others; every default stands in config/default.toml.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.05, le=86_400.0)]
TRADED = ("BTC/EUR", "BTC/USD")
Window = Annotated[int, Meta(ge=2, le=240)]


class Bollinger(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    window: Window
    multiplier: Annotated[float, Meta(gt=0.0, le=10.0)]
    spacing_scale: Annotated[float, Meta(gt=0.0, le=10.0)]
    min_spacing_bps: Decimal
    max_spacing_bps: Decimal


class Atr(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    window: Window
    multiplier: Annotated[float, Meta(gt=0.0, le=20.0)]
    min_spacing_bps: Decimal
    max_spacing_bps: Decimal


class AvellanedaStoikov(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    gamma: Annotated[float, Meta(ge=0.01, le=2.0)]
    horizon_sec: Annotated[float, Meta(ge=60.0, le=86_400.0)]
    fill_decay: Annotated[float, Meta(gt=0.0, le=100.0)]
    max_spread_bps: Decimal
    max_skew_bps: Decimal
    obi_sensitivity_bps: Decimal


class Skew(Struct, frozen=True, forbid_unknown_fields=True):
    max_skew_bps: Decimal
    obi_sensitivity_bps: Decimal


class Imbalance(Struct, frozen=True, forbid_unknown_fields=True):
    levels: Annotated[int, Meta(ge=1, le=100)]
    level_decay: Annotated[float, Meta(gt=0.0, le=1.0)]
    half_life_sec: Annotated[float, Meta(gt=0.0, le=3600.0)]


class Adaptive(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    window_hours: Annotated[int, Meta(ge=12, le=720)]
    warm_up_hours: Annotated[int, Meta(ge=3, le=720)]
    chaos_quantile: Annotated[float, Meta(ge=0.5, le=1.0)]
    chaos_factor: Annotated[float, Meta(ge=0.5, le=5.0)]
    chaos_min_pct: Annotated[float, Meta(gt=0.0, le=100.0)]
    chaos_max_pct: Annotated[float, Meta(gt=0.0, le=100.0)]
    trend_factor: Annotated[float, Meta(ge=0.1, le=20.0)]
    trend_min_bps: Decimal
    trend_max_bps: Decimal


class AiSignal(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    provider: Literal["gemini", "anthropic", "openai"]
    api_key: str
    api_url: Annotated[str, Meta(pattern="^$|^https://|^http://127\\.0\\.0\\.1:")]
    # It becomes a part of an address and of what the operator is shown.
    model: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
    temperature: Annotated[float, Meta(ge=-1.0, le=2.0)]
    max_tokens: Annotated[int, Meta(ge=16, le=8192)]
    cooldown_sec: Annotated[float, Meta(ge=10.0, le=86_400.0)]
    timeout_sec: Annotated[float, Meta(ge=1.0, le=120.0)]
    weight: Ratio
    max_bias_bps: Decimal
    decay_sec: Annotated[float, Meta(ge=10.0, le=86_400.0)]
    breaker_failures: Annotated[int, Meta(ge=1, le=100)]
    breaker_pause_sec: Annotated[float, Meta(ge=10.0, le=86_400.0)]
    input_price_usd: Decimal
    output_price_usd: Decimal
    daily_budget_usd: Decimal


class Fees(Struct, frozen=True, forbid_unknown_fields=True):
    fallback_volume_usd: Annotated[int, Meta(ge=0, le=10**12)]


class Inventory(Struct, frozen=True, forbid_unknown_fields=True):
    rebalance_cap_pct: Annotated[float, Meta(gt=0.0, le=1.0)]


class WeightedPair(Struct, frozen=True, forbid_unknown_fields=True):
    symbol: str
    weight: Annotated[float, Meta(gt=0.0, le=1.0)]


def check_pairs(pairs: tuple[WeightedPair, ...]) -> list[str]:
    """Pairs of one coin, each once; weights together at most the whole account."""
    found = []
    symbols = [pair.symbol for pair in pairs]
    for symbol in symbols:
        if symbol not in TRADED:
            found.append(f"pairs: {symbol!r} is not traded; use one of {', '.join(TRADED)}")
    if len(dict.fromkeys(symbols)) < len(symbols):
        found.append("pairs: a symbol stands there twice")
    if sum(pair.weight for pair in pairs) > 1.0 + 1e-9:
        found.append("pairs: the weights sum to more than 1")
    return found


def check_signal(signal: AiSignal, mode: str) -> list[str]:
    """Money is a number of 0 or more, the cap is bounded; live keys go to their provider alone."""
    found = []
    for name, most in {
        "max_bias_bps": 100,
        "input_price_usd": 10_000,
        "output_price_usd": 10_000,
        "daily_budget_usd": 10_000,
    }.items():
        value = getattr(signal, name)
        if not (value.is_finite() and 0 <= value <= most):
            found.append(f"ai_signal.{name}: must be from 0 to {most}, found {value}")
    if signal.api_url and mode == "live":
        found.append('ai_signal.api_url: must be "" in live mode, the provider\'s own address')
    return found


def check_adaptive(adaptive: Adaptive) -> list[str]:
    """Bounds in their order; money is a number."""
    found = []
    for name in ("trend_min_bps", "trend_max_bps"):
        value = getattr(adaptive, name)
        if not (value.is_finite() and 0 < value <= 10_000):
            found.append(f"regime.adaptive.{name}: must be above 0, at most 10000, found {value}")
    if found:
        return found
    if adaptive.warm_up_hours > adaptive.window_hours:
        found.append("regime.adaptive.warm_up_hours: must be at most window_hours")
    if adaptive.chaos_min_pct > adaptive.chaos_max_pct:
        found.append("regime.adaptive.chaos_min_pct: must be at most chaos_max_pct")
    if adaptive.trend_min_bps > adaptive.trend_max_bps:
        found.append("regime.adaptive.trend_min_bps: must be at most trend_max_bps")
    return found


def check_models(
    bollinger: Bollinger, atr: Atr, stoikov: AvellanedaStoikov, skew: Skew
) -> list[str]:
    """What no single field can say: money is a number of 0 or more, least is below most."""
    found = []
    for section, values in {
        "bollinger": bollinger, "atr": atr, "avellaneda_stoikov": stoikov, "skew": skew
    }.items():  # fmt: skip
        for name in values.__struct_fields__:
            value = getattr(values, name)
            if isinstance(value, Decimal) and not (value.is_finite() and 0 <= value <= 10_000):
                found.append(f"{section}.{name}: must be from 0 to 10000, found {value}")
    if found:
        return found
    bands: dict[str, Bollinger | Atr] = {"bollinger": bollinger, "atr": atr}
    for section, band in bands.items():
        if band.min_spacing_bps > band.max_spacing_bps:
            found.append(f"{section}: min_spacing_bps must be at most max_spacing_bps")
    return found
