"""Settings whose names and defaults bind; and each setting there is is read by somebody."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from shared.config import DEFAULTS
from shared.config_layers import SECRET_KEYS, value_at

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("shared", "feed", "strategy", "monitor", "sim", "icryptotrader")
ONLY_CHECKS: Final = ("shared/config_checks.py", "shared/settings.py", "shared/settings_watch.py")
"""A setting that is only checked does nothing."""

DECLARED: Final = ("live.consent", "tax.harvest_enabled")
"""But for these: a sentence, and what is refused in all but one value."""

BINDING: Final[dict[str, Any]] = {
    "pair": "BTC/EUR", "log_level": "INFO", "persistence_backend": "sqlite",
    "kraken.api_key": "", "kraken.api_secret": "",
    "grid.levels": 5, "grid.order_size_quote": "500", "grid.min_spacing_bps": "20",
    "grid.post_only": True, "grid.sell_floor": "paired", "grid.requote_tolerance": 0.15,
    "grid.anchor": "vwap", "grid.trailing": "off", "grid.base_reserve": "0",
    "risk.max_portfolio_drawdown_pct": 0.15, "risk.emergency_drawdown_pct": 0.20,
    "risk.price_velocity_freeze_pct": 0.03, "risk.price_velocity_cooldown_sec": 30,
    "tax.holding_period_days": 365, "tax.near_threshold_days": 330,
    "tax.annual_exemption_eur": "1000", "tax.emergency_dd_override_pct": 0.20,
    "tax.harvest_enabled": False, "tax.harvest_min_loss_eur": "50", "tax.harvest_max_per_day": 3,
    "tax.harvest_target_net_eur": "800", "tax.holding_safety_days": 4,
    "tax.external_s23_net_eur": "0", "tax.loss_carryforward_eur": "0",
    "tax.waive_carryback": False, "tax.marginal_rate": 0.42, "tax.usd_leg": "separate",
    "regime.range_bound.btc_target_pct": 0.50, "regime.range_bound.btc_max_pct": 0.60,
    "regime.range_bound.btc_min_pct": 0.40, "regime.range_bound.grid_levels": 5,
    "regime.range_bound.order_size_scale": 1.0, "regime.trending_up.order_size_scale": 0.75,
    "regime.chaos.btc_target_pct": 0.00, "regime.chaos.btc_max_pct": 0.05,
    "regime.chaos.grid_levels": 0, "regime.chaos.signal_enabled": False,
    "regime.chaos.order_size_scale": 0.5,
    "ws.cancel_after_timeout_sec": 60, "ws.heartbeat_interval_sec": 20,
    "rate_limit.max_counter": 180, "rate_limit.decay_rate": 3.75, "rate_limit.headroom_pct": 0.80,
    "bollinger.enabled": True, "bollinger.window": 20, "bollinger.multiplier": 2.0,
    "bollinger.spacing_scale": 0.5, "bollinger.min_spacing_bps": "15",
    "bollinger.max_spacing_bps": "200",
    "avellaneda_stoikov.enabled": False, "avellaneda_stoikov.gamma": 0.3,
    "avellaneda_stoikov.max_spread_bps": "500", "avellaneda_stoikov.max_skew_bps": "50",
    "avellaneda_stoikov.obi_sensitivity_bps": "10",
    "telegram.enabled": False, "telegram.bot_token": "", "telegram.chat_id": "",
    "ai_signal.enabled": False, "ai_signal.provider": "gemini", "ai_signal.api_key": "",
    "ai_signal.model": "gemini-2.0-flash", "ai_signal.temperature": 0.2,
    "ai_signal.max_tokens": 512, "ai_signal.cooldown_sec": 300, "ai_signal.weight": 0.3,
    "ai_signal.timeout_sec": 10,
    "metrics.enabled": False, "metrics.port": 9090, "metrics.prefix": "icryptotrader",
    "hedge.enabled": False, "hedge.trigger_drawdown_pct": 0.10,
    "hedge.strategy": "reduce_exposure", "hedge.max_reduction_pct": 0.50,
    "web.enabled": True, "web.port": 8080, "web.host": "127.0.0.1", "web.username": "",
    "web.password": "",
}  # fmt: skip
"""What users of older versions know: key -> default."""


@pytest.mark.parametrize("key", sorted(BINDING))
def test_a_binding_name_has_its_default(key: str) -> None:
    assert value_at(_defaults(), key) == BINDING[key]


def test_every_setting_is_read_outside_of_its_checks() -> None:
    read, named = _attributes(), _texts()
    idle = [
        key
        for key in _leaves(_defaults())
        if key.rpartition(".")[2] not in read and key not in (*named, *DECLARED)
    ]
    assert not idle, f"accepted, checked, and never looked at: {idle}"


@cache
def _defaults() -> dict[str, Any]:
    return tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))


def _leaves(table: dict[str, Any], at: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        found += _leaves(value, f"{at}{key}.") if isinstance(value, dict) else [f"{at}{key}"]
    return found


@cache
def _sources() -> tuple[str, ...]:
    paths = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    return tuple(
        path.read_text(encoding="utf-8")
        for path in paths
        if str(path.relative_to(ROOT)) not in ONLY_CHECKS
    )


@cache
def _attributes() -> frozenset[str]:
    """Every name that is looked up on something: `cfg.grid.levels` gives cfg's grid and levels."""
    return frozenset(
        node.attr
        for source in _sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


@cache
def _texts() -> frozenset[str]:
    """Secrets are asked for by their name, as a text."""
    found = re.findall(r'"([a-z_]+\.[a-z_]+)"', "\n".join(_sources()))
    return frozenset(found) & frozenset(SECRET_KEYS)
