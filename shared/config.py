"""TOML to frozen structs; every fault is reported at once, each with its place and remedy.

Order of the layers, later wins: config/default.toml (every key, the only home of a default), then
--config FILE, then config/user.toml, then what `icryptotrader run` was told on its command line
(run/session.toml). This is the only file of the product that reads the environment.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.clock import Clock
from shared.units import Ns

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout: where config/, supervisord.conf and deploy/ stand."""

HOME_VARIABLE: Final = "ICRYPTOTRADER_HOME"
PYTHON_VARIABLE: Final = "ICRYPTOTRADER_PYTHON"
"""The interpreter of the programs that supervisord.conf names."""

KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "CRASH_AT")
"""What a program may see of its starter's environment; CRASH_AT is for drills."""

EXIT_BROKEN: Final = 70
"""Exit code of a process that found one of its own invariants broken."""

EXIT_CONFIG: Final = 78
"""Exit code of a process that refuses its configuration."""

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(gt=0.0, le=86_400.0)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Kraken(Struct, frozen=True, forbid_unknown_fields=True):
    public_url: str
    private_url: str
    rest_url: str
    key_file: str
    cancel_key_file: str


class Feed(Struct, frozen=True, forbid_unknown_fields=True):
    depth: Literal[10, 25, 100, 500, 1000]
    vwap_windows_sec: Annotated[tuple[int, ...], Meta(min_length=1, max_length=8)]
    candle_interval_min: Literal[1, 5, 15, 30, 60, 240, 1440]
    publish_per_sec: Annotated[int, Meta(ge=1, le=100)]
    line_silence_sec: Seconds
    book_silence_sec: Seconds
    snapshot_sec: Seconds


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
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
    anchor: Literal["vwap", "mid"]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    order_quote: Decimal
    open_orders: Annotated[int, Meta(ge=1, le=225)]
    collar_pct: Annotated[float, Meta(gt=0.0, le=0.5)]
    fills_per_minute: Annotated[int, Meta(ge=1)]
    fills_per_hour: Annotated[int, Meta(ge=1)]
    rejects_in_a_row: Annotated[int, Meta(ge=1)]


class Risk(Struct, frozen=True, forbid_unknown_fields=True):
    max_portfolio_drawdown_pct: Ratio
    emergency_drawdown_pct: Ratio
    price_velocity_freeze_pct: Ratio
    price_velocity_cooldown_sec: Seconds


class Tax(Struct, frozen=True, forbid_unknown_fields=True):
    holding_safety_days: Annotated[int, Meta(ge=0, le=366)]


class RegimeValues(Struct, frozen=True, forbid_unknown_fields=True):
    btc_target_pct: Ratio
    btc_max_pct: Ratio
    btc_min_pct: Ratio
    grid_levels: Annotated[int, Meta(ge=0, le=20)]
    order_size_scale: Annotated[float, Meta(gt=0.0, le=10.0)]


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


class Hedge(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    strategy: Literal["reduce_exposure"]
    trigger_drawdown_pct: Ratio
    max_reduction_pct: Ratio


class Ws(Struct, frozen=True, forbid_unknown_fields=True):
    cancel_after_timeout_sec: Annotated[int, Meta(ge=20, le=3600)]
    heartbeat_interval_sec: Annotated[int, Meta(ge=1, le=600)]


class RateLimit(Struct, frozen=True, forbid_unknown_fields=True):
    max_counter: Annotated[int, Meta(ge=10, le=1000)]
    decay_rate: Annotated[float, Meta(gt=0.0, le=100.0)]
    headroom_pct: Annotated[float, Meta(gt=0.0, le=1.0)]


class Time(Struct, frozen=True, forbid_unknown_fields=True):
    tick_sec: Seconds
    ack_sec: Seconds
    deadline_sec: Annotated[float, Meta(ge=0.5, le=60.0)]
    feed_stale_sec: Seconds
    feed_cancel_sec: Seconds
    feed_recover_sec: Seconds
    drain_sec: Seconds
    watchdog_sec: Seconds
    list_sec: Seconds


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    port: Port
    prefix: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$")]


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    host: Literal["127.0.0.1", "::1", "localhost"]
    port: Port


class Demo(Struct, frozen=True, forbid_unknown_fields=True):
    market: str
    seed: int
    volatility_pct: Annotated[float, Meta(gt=0.0, le=100.0)]
    start_price: Decimal
    maker_pct: Decimal
    taker_pct: Decimal
    quote_balance: Decimal
    opening_lots: tuple[str, ...]
    speed: Annotated[int, Meta(ge=1, le=20)]
    public_port: Port
    private_port: Port
    latency_ms: Annotated[int, Meta(ge=0, le=5000)]


class Anchors(Struct, frozen=True, forbid_unknown_fields=True):
    """Written by `icryptotrader run`: the moment at which this house's two clocks agree."""

    boot_anchor: int = 0
    wall_anchor: int = 0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    mode: Literal["demo", "paper", "live"]
    pair: str
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    kraken: Kraken
    feed: Feed
    grid: Grid
    limits: Limits
    risk: Risk
    tax: Tax
    regime: Regime
    hedge: Hedge
    ws: Ws
    rate_limit: RateLimit
    time: Time
    metrics: Metrics
    web: Web
    demo: Demo
    clock: Anchors = Anchors()

    @property
    def pairs(self) -> tuple[str, ...]:
        return (self.pair,)

    @property
    def speed(self) -> int:
        """How many times as fast as the machine's clock the house lives."""
        return self.demo.speed if self.mode == "demo" else 1

    def make_clock(self) -> Clock:
        return Clock(self.speed, Ns(self.clock.boot_anchor), Ns(self.clock.wall_anchor))


class ConfigError(Exception):
    """All faults of a configuration, each with its place and its remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Home(Struct, frozen=True):
    """The folder of one installation's state. Every process works from inside it."""

    path: Path

    @property
    def run(self) -> Path:
        """Sockets and locks; mode 0700: the file system is the lock."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def session_file(self) -> Path:
        return self.run / "session.toml"

    def make(self) -> None:
        for folder in (self.path, self.run, self.log, self.data):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)


def find_home(given: str | None = None) -> Home:
    """--home, else the environment's, else var/ in the checkout."""
    chosen = given or os.environ.get(HOME_VARIABLE) or str(ROOT / "var")
    return Home(Path(chosen).expanduser().resolve())


def program_environment(home: Home, python: str) -> dict[str, str]:
    """What the programs of a house are given of the environment: no key, no stranger's setting."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {HOME_VARIABLE: str(home.path), PYTHON_VARIABLE: python}


def load(home: Home, extra: Path | None = None) -> Config:
    """Read all layers; ConfigError with every fault at once."""
    session = _read(home.session_file) if home.session_file.exists() else {}
    named = extra or (Path(session["config_file"]) if "config_file" in session else None)
    session.pop("config_file", None)
    merged: dict[str, Any] = {}
    faults: list[str] = []
    layers = [(ROOT / "config" / "default.toml", None)]
    if named is not None:
        layers.append((named, None))
    user = ROOT / "config" / "user.toml"
    if user.exists():
        layers.append((user, None))
    known = _read(layers[0][0])
    for path, _ in layers:
        try:
            layer = _read(path)
        except ConfigError as error:
            faults += error.faults
            continue
        layer, told = _translate_older(layer, path)
        faults += told
        faults += _unknown(layer, known, str(path))
        _merge(merged, layer)
    _merge(merged, session)
    if faults:
        raise ConfigError(faults)
    return check(merged)


def check(raw: dict[str, Any]) -> Config:
    """Convert section by section, then cross-check; ConfigError with every fault."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Config):
        if field.name not in raw:
            if field.required:
                faults.append(f"{field.name}: missing; see config/default.toml")
            continue
        try:
            values[field.name] = msgspec.convert(raw[field.name], field.type)
        except (msgspec.ValidationError, InvalidOperation) as error:
            faults.append(f"{field.name}: {_say(error)}")
    if "pair" in values:
        values["pair"] = values["pair"].replace("XBT", "BTC")
    if faults:
        raise ConfigError(faults)
    config = Config(**values)
    faults = [fault for rule in CROSS_CHECKS for fault in rule(config)]
    if faults:
        raise ConfigError(faults)
    return config


def _check_order(config: Config) -> list[str]:
    found = []
    risk, time, ws = config.risk, config.time, config.ws
    if config.mode != "demo":
        found.append(f'mode: "{config.mode}" is not offered by this version; use "demo"')
    if config.pair not in ("BTC/EUR", "BTC/USD"):
        found.append(f'pair: "{config.pair}" is not traded; use "BTC/EUR" or "BTC/USD"')
    if risk.max_portfolio_drawdown_pct >= risk.emergency_drawdown_pct:
        found.append("risk: max_portfolio_drawdown_pct must be below emergency_drawdown_pct")
    if ws.heartbeat_interval_sec * 2 > ws.cancel_after_timeout_sec:
        found.append("ws: heartbeat_interval_sec must be at most half of cancel_after_timeout_sec")
    if time.deadline_sec >= time.ack_sec:
        found.append("time: deadline_sec must be below ack_sec")
    if not time.feed_stale_sec < time.feed_cancel_sec:
        found.append("time: feed_stale_sec must be below feed_cancel_sec")
    if not config.grid.post_only:
        found.append("grid: post_only must be true: the grid never takes")
    return found


def _check_money(config: Config) -> list[str]:
    found = []
    for name, value in {
        "grid.order_size_quote": config.grid.order_size_quote,
        "limits.order_quote": config.limits.order_quote,
        "demo.start_price": config.demo.start_price,
    }.items():
        if not (value.is_finite() and value > 0):
            found.append(f"{name}: must be a number above 0, found {value}")
    for name, value in {
        "grid.min_spacing_bps": config.grid.min_spacing_bps,
        "grid.adverse_selection_bps": config.grid.adverse_selection_bps,
        "grid.least_edge_bps": config.grid.least_edge_bps,
        "grid.base_reserve": config.grid.base_reserve,
        "regime.trend_momentum_bps": config.regime.trend_momentum_bps,
        "demo.maker_pct": config.demo.maker_pct,
        "demo.taker_pct": config.demo.taker_pct,
        "demo.quote_balance": config.demo.quote_balance,
    }.items():
        if not (value.is_finite() and value >= 0):
            found.append(f"{name}: must be a number of 0 or more, found {value}")
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


CROSS_CHECKS: Final = (_check_order, _check_money, _check_regimes)


def _translate_older(layer: dict[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Older names that SETTINGS.md binds us to; a fault where both are given."""
    grid = layer.get("grid")
    if not isinstance(grid, dict) or "order_size_usd" not in grid:
        return layer, []
    if "order_size_quote" in grid:
        return layer, [
            f"{path}: grid.order_size_usd is the older name of order_size_quote: keep one"
        ]
    renamed = {k: v for k, v in grid.items() if k != "order_size_usd"}
    return layer | {"grid": renamed | {"order_size_quote": grid["order_size_usd"]}}, []


def _unknown(layer: dict[str, Any], known: dict[str, Any], where: str, at: str = "") -> list[str]:
    found = []
    for key, value in layer.items():
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1)
            hint = f'; did you mean "{at}{near[0]}"?' if near else "; see config/default.toml"
            found.append(f'{where}: unknown key "{at}{key}"{hint}')
        elif isinstance(value, dict) and isinstance(known[key], dict):
            found += _unknown(value, known[key], where, f"{at}{key}.")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([f"{path}: {error}"]) from None


def _merge(into: dict[str, Any], layer: dict[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _say(error: Exception) -> str:
    return str(error).replace("`$", "`").replace("$.", "") or "not a number"


class ApiKey(Struct, frozen=True):
    """A key pair; its repr never shows it."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "ApiKey(***)"


def read_key(path: Path) -> ApiKey:
    """The key file of kraken.key_file; refused where others may read it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError([f"{path}: others may read this file; run: chmod 600 {path}"])
    raw = _read(path)
    key, secret = raw.get("api_key"), raw.get("api_secret")
    if not (isinstance(key, str) and isinstance(secret, str) and key and secret):
        raise ConfigError([f'{path}: needs two lines, api_key = "..." and api_secret = "..."'])
    return ApiKey(key, secret)
