"""What must hold between settings.

Rule 1: a check returns sentences that begin with the setting they speak about.
Rule 2: no setting is silently ignored: what would promise too much is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from shared.settings import check_adaptive, check_models, check_pairs, check_signal
from shared.settings_watch import check_watch

if TYPE_CHECKING:
    from shared.config import Config
    from shared.settings_trade import RegimeValues


CONSENT: Final = "this trades with real money"
"""What `live.consent` must say, word for word."""

MOST_BPS: Final = 10_000
MOST_FEE_PCT: Final = 10
LOT: Final = re.compile(r"[0-9]{1,5}:[0-9]{1,12}(\.[0-9]{1,8})?")
PLAIN: Final = "must be an encrypted address,"


def _check_order(config: Config) -> list[str]:
    found = []
    risk, time, ws = config.risk, config.time, config.ws
    if config.pair not in ("BTC/EUR", "BTC/USD"):
        found.append(f'pair: "{config.pair}" is not traded; use "BTC/EUR" or "BTC/USD"')
    if risk.max_portfolio_drawdown_pct >= risk.emergency_drawdown_pct:
        found.append("risk: max_portfolio_drawdown_pct must be below emergency_drawdown_pct")
    hedge = config.hedge
    if hedge.enabled and hedge.trigger_drawdown_pct >= risk.max_portfolio_drawdown_pct:
        found.append(
            "hedge.trigger_drawdown_pct: must be below risk.max_portfolio_drawdown_pct, where the "
            "risk pause ends all buys"
        )
    if risk.price_velocity_freeze_pct <= 0 or risk.max_portfolio_drawdown_pct <= 0:
        found.append(
            "risk: price_velocity_freeze_pct and max_portfolio_drawdown_pct must be above 0: "
            "else nothing would ever be quoted"
        )
    if ws.heartbeat_interval_sec * 2 > ws.cancel_after_timeout_sec:
        found.append("ws: heartbeat_interval_sec must be at most half of cancel_after_timeout_sec")
    if time.deadline_sec >= time.ack_sec:
        found.append("time: deadline_sec must be below ack_sec")
    if time.beat_sec <= time.watchdog_sec:
        found.append("time: beat_sec must be above watchdog_sec")
    if not time.feed_stale_sec < time.feed_cancel_sec:
        found.append("time: feed_stale_sec must be below feed_cancel_sec")
    if not config.grid.post_only:
        found.append("grid: post_only must be true: the grid never takes")
    return found


def _check_mode(config: Config) -> list[str]:
    """What keeps a mode honest: paper without a key, live not by a slip and not in plain text."""
    kraken, found = config.kraken, []
    if config.mode == "demo":
        return []
    if not is_line(kraken.public_url, "ws"):
        found.append(f"kraken.public_url: {PLAIN} wss://, found {kraken.public_url}")
    if config.mode == "paper":
        if host_of(kraken.public_url) in (host_of(kraken.private_url), host_of(kraken.rest_url)):
            found.append("kraken.public_url: this is the private address; paper never goes there")
        found += [
            f"kraken.{name}: paper needs no key, so that no process holds one; use "
            "kraken.key_file, which paper never opens"
            for name in ("api_key", "api_secret")
            if getattr(kraken, name)
        ]
        return found
    if config.live.consent != CONSENT:
        found.append(f'live.consent: mode "live" moves real money; write: consent = "{CONSENT}"')
    if not is_line(kraken.private_url, "ws"):
        found.append(f"kraken.private_url: {PLAIN} wss://, found {kraken.private_url}")
    if not is_line(kraken.rest_url, "http"):
        found.append(f"kraken.rest_url: {PLAIN} https://, found {kraken.rest_url}")
    return found


def is_line(url: str, scheme: str) -> bool:
    """Whether an address is encrypted (`wss`, `https`), or of this machine and need not be."""
    try:
        found = urlsplit(url)
        found.port  # noqa: B018 - a port that is no number is told by asking for it
    except ValueError:
        return False
    if not found.hostname:
        return False
    here = found.hostname in ("127.0.0.1", "::1", "localhost")
    return found.scheme == f"{scheme}s" or (here and found.scheme == scheme)


def host_of(url: str) -> str:
    """Host and port of an address; "" where it is none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _check_money(config: Config) -> list[str]:
    found = []
    for name, value in {
        "grid.order_size_quote": config.grid.order_size_quote,
        "limits.order_quote": config.limits.order_quote,
        "limits.daily_loss_quote": config.limits.daily_loss_quote,
        "demo.start_price": config.demo.start_price,
    }.items():
        if not (value.is_finite() and value > 0):
            found.append(f"{name}: must be a number above 0, found {value}")
    for name, value in {
        "grid.base_reserve": config.grid.base_reserve,
        "grid.lowest": config.grid.lowest,
        "grid.highest": config.grid.highest,
        "demo.quote_balance": config.demo.quote_balance,
    }.items():
        if not (value.is_finite() and value >= 0):
            found.append(f"{name}: must be a number of 0 or more, found {value}")
    for name, value, most in (
        ("grid.min_spacing_bps", config.grid.min_spacing_bps, MOST_BPS),
        ("grid.adverse_selection_bps", config.grid.adverse_selection_bps, MOST_BPS),
        ("grid.least_edge_bps", config.grid.least_edge_bps, MOST_BPS),
        ("regime.trend_momentum_bps", config.regime.trend_momentum_bps, MOST_BPS),
        ("demo.maker_pct", config.demo.maker_pct, MOST_FEE_PCT),
        ("demo.taker_pct", config.demo.taker_pct, MOST_FEE_PCT),
    ):
        if not (value.is_finite() and 0 <= value <= most):
            found.append(f"{name}: must be from 0 to {most}, found {value}")
    for lot in config.demo.opening_lots:
        if not LOT.fullmatch(lot):
            found.append(
                f'demo.opening_lots: must be "age in days:worth", as "400:6000", found "{lot}"'
            )
    if not found and 0 < config.grid.highest <= config.grid.lowest:
        found.append("grid.highest: must be above grid.lowest, or 0 for no bound")
    if not found and config.grid.order_size_quote > config.limits.order_quote:
        found.append("grid.order_size_quote: larger than limits.order_quote; lower it")
    return found


def _check_regimes(config: Config) -> list[str]:
    found = []
    for name in ("range_bound", "trending_up", "trending_down", "chaos"):
        values: RegimeValues = getattr(config.regime, name)
        if not values.btc_min_pct <= values.btc_target_pct <= values.btc_max_pct:
            found.append(f"regime.{name}: btc_min_pct <= btc_target_pct <= btc_max_pct must hold")
    return found


def _check_models(config: Config) -> list[str]:
    found = check_pairs(config.pairs)
    if config.pairs and config.pair != config.pairs[0].symbol:
        found.append("pairs: the first symbol must be `pair`, the account's currency")
    found += check_models(config.bollinger, config.atr, config.avellaneda_stoikov, config.skew)
    found += check_adaptive(config.regime.adaptive)
    found += check_signal(config.ai_signal, config.mode)
    quantum = config.grid.spacing_quantum_bps
    if not (quantum.is_finite() and 1 <= quantum <= 100):
        found.append(f"grid.spacing_quantum_bps: must be from 1 to 100, found {quantum}")
    return found


def _check_watch(config: Config) -> list[str]:
    return check_watch(config.tax, config.telegram, config.web)


CROSS_CHECKS: Final = (
    _check_mode,
    _check_order,
    _check_money,
    _check_regimes,
    _check_models,
    _check_watch,
)


def place_of(fault: str, origins: dict[str, str]) -> str:
    """`file:line` of the first setting a fault names that is not a default; "" for none.

    A setting is named in full, or by its last word beside the first one's or in its section.
    """
    head, _, rest = fault.partition(":")
    section = head.rpartition(".")[0]
    words = re.findall(r"[a-z_0-9]+(?:\.[a-z_0-9]+)*", rest)
    named = [head, *words, *(f"{head}.{word}" for word in words)]
    named += [f"{section}.{word}" for word in words]
    places = [origins[name] for name in named if name in origins]
    changed = [place for place in places if not place.startswith("config/default.toml")]
    return (changed or [""])[0]
