"""TOML to frozen structs; every fault is reported at once, each with its place and remedy.

Order of the layers, later wins: config/default.toml (every key, the only home of a default), then
--config FILE, then config/user.toml, then user.toml of the home, then what `icryptotrader run` was
told on its command line (run/session.toml). This file and shared/process.py alone read the
environment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.clock import Clock
from shared.config_checks import CROSS_CHECKS, place_of
from shared.config_layers import (
    ConfigError,
    Layer,
    Merged,
    convert,
    lay_session,
    merge,
    read_layer,
)
from shared.secret import ApiKey, find_secret, read_key
from shared.settings import (
    Adaptive,
    AiSignal,
    Atr,
    AvellanedaStoikov,
    Bollinger,
    Fees,
    Imbalance,
    Inventory,
    Ratio,
    Skew,
    WeightedPair,
)
from shared.settings_watch import Metrics, Tax, Telegram, Web
from shared.units import Ns

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout: where config/, supervisord.conf and deploy/ stand."""

DEFAULT_NAME: Final = "config/default.toml"
DEFAULTS: Final = ROOT / DEFAULT_NAME

HOME_VARIABLE: Final = "ICRYPTOTRADER_HOME"
PYTHON_VARIABLE: Final = "ICRYPTOTRADER_PYTHON"
"""The interpreter of the programs that supervisord.conf names."""

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the files of LoadCredential; each is named as its key."""

KEPT_VARIABLES: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "CRASH_AT", CREDENTIALS_VARIABLE,
)  # fmt: skip
"""What a program may see of its starter's environment; CRASH_AT is for drills."""

EXIT_BROKEN: Final = 70
"""Exit code of a process that found one of its own invariants broken."""

EXIT_OUTGROWN: Final = 75
"""Exit code of a process that came near a limit of the machine and drained: start it anew."""

EXIT_CONFIG: Final = 78
"""Exit code of a process that refuses its configuration."""

Seconds = Annotated[float, Meta(ge=0.05, le=86_400.0)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Kraken(Struct, frozen=True, forbid_unknown_fields=True):
    public_url: str
    private_url: str
    rest_url: str
    api_key: str
    api_secret: str
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


class Orders(Struct, frozen=True, forbid_unknown_fields=True):
    rest_fallback: Literal["cancel", "full"]


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
    beat_sec: Seconds
    list_sec: Seconds


class Demo(Struct, frozen=True, forbid_unknown_fields=True):
    market: str
    seed: int
    volatility_pct: Annotated[float, Meta(gt=0.0, le=100.0)]
    start_price: Decimal
    maker_pct: Decimal
    taker_pct: Decimal
    quote_balance: Decimal
    opening_lots: tuple[str, ...]
    pace_days: Annotated[int, Meta(ge=0, le=365)]
    speed: Annotated[int, Meta(ge=1, le=20)]
    public_port: Port
    private_port: Port
    latency_ms: Annotated[int, Meta(ge=0, le=5000)]


class Live(Struct, frozen=True, forbid_unknown_fields=True):
    consent: str


class Settled(Struct, frozen=True, forbid_unknown_fields=True):
    """Written by `icryptotrader run`: the fingerprint of the key that may trade in this run."""

    key_fingerprint: str = ""


class Anchors(Struct, frozen=True, forbid_unknown_fields=True):
    """Written by `icryptotrader run`: the moment at which this house's two clocks agree."""

    boot_anchor: int = 0
    wall_anchor: int = 0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    mode: Literal["demo", "paper", "live"]
    pair: str
    pairs: Annotated[tuple[WeightedPair, ...], Meta(max_length=4)]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    persistence_backend: Literal["sqlite", "json"]
    kraken: Kraken
    feed: Feed
    grid: Grid
    limits: Limits
    risk: Risk
    tax: Tax
    regime: Regime
    fees: Fees
    bollinger: Bollinger
    atr: Atr
    avellaneda_stoikov: AvellanedaStoikov
    imbalance: Imbalance
    skew: Skew
    inventory: Inventory
    ai_signal: AiSignal
    hedge: Hedge
    orders: Orders
    ws: Ws
    rate_limit: RateLimit
    time: Time
    metrics: Metrics
    web: Web
    telegram: Telegram
    demo: Demo
    live: Live
    clock: Anchors = Anchors()
    settled: Settled = Settled()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The pairs that are traded, the first one's quote currency being the account's."""
        return tuple(pair.symbol for pair in self.pairs) or (self.pair,)

    @property
    def speed(self) -> int:
        """How many times as fast as the machine's clock the house lives."""
        return self.demo.speed if self.mode == "demo" else 1

    def make_clock(self) -> Clock:
        return Clock(self.speed, Ns(self.clock.boot_anchor), Ns(self.clock.wall_anchor))


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


class Loaded(Struct, frozen=True):
    """A configuration in force. origins: dotted key -> `file:line`; notes: for a person."""

    config: Config
    origins: dict[str, str]
    notes: tuple[str, ...]


def load(home: Home, extra: Path | None = None) -> Config:
    """Read all layers; ConfigError with every fault at once."""
    return load_all(home, extra).config


def load_all(home: Home, extra: Path | None = None) -> Loaded:
    """As `load`, with where each value comes from."""
    layers, session = read_layers(home, extra)
    return check_layers(layers, session)


def load_running(home: Home) -> Config:
    """For the bot itself: a demo has a pace of its own where nobody has set tax.pace_days."""
    loaded = load_all(home)
    config, key = loaded.config, "tax.pace_days"
    own = not loaded.origins.get(key, DEFAULT_NAME).startswith(DEFAULT_NAME)
    if config.mode != "demo" or own:
        return config
    tax = msgspec.structs.replace(config.tax, pace_days=config.demo.pace_days)
    return msgspec.structs.replace(config, tax=tax)


def load_despite_faults(home: Home, extra: Path | None = None) -> tuple[Config, list[str]]:
    """For emergencies: a faulty value is as default.toml has it, and its fault is told.

    ConfigError where a file is no TOML, or a fault touches which account is meant.
    """
    layers, session = read_layers(home, extra)
    merged = merge(layers)
    if session is not None:
        lay_session(merged, session)
    found, faults = convert(Config, merged, layers[0].values)
    faults = merged.faults + faults
    grave = (" mode:", " kraken.", '"kraken.')
    if found is None or any(word in fault for fault in faults for word in grave):
        raise ConfigError(faults)
    return found, faults


def check_layers(layers: Sequence[Layer], session: Layer | None = None) -> Loaded:
    """Layers as they were read, default.toml first; ConfigError with every fault at once."""
    merged = merge(layers)
    if session is not None:
        lay_session(merged, session)
    found, faults = convert(Config, merged, layers[0].values)
    faults = merged.faults + faults
    if found is not None:
        faults += [_placed(fault, merged) for rule in CROSS_CHECKS for fault in rule(found)]
    if found is None or faults:
        raise ConfigError(faults)
    notes = tuple(merged.notes)
    return Loaded(_lengthen(found), merged.origins, notes)


def check(raw: dict[str, Any]) -> Config:
    """A table as a Config; ConfigError with every fault."""
    found, faults = convert(Config, Merged(raw, {}, [], []), {})
    if found is not None:
        faults += [fault for rule in CROSS_CHECKS for fault in rule(found)]
    if found is None or faults:
        raise ConfigError(faults)
    return _lengthen(found)


def read_layers(home: Home, extra: Path | None = None) -> tuple[list[Layer], Layer | None]:
    """The files of a configuration, later wins, and what `run` settled on; ConfigError."""
    session = None
    if home.session_file.exists():
        session = read_layer(home.session_file, "run/session.toml")
    told = session.values.get("config_file") if session else None
    named = extra or (Path(told) if isinstance(told, str) else None)
    wanted = [(DEFAULTS, DEFAULT_NAME, True)]
    if named is not None:
        wanted.append((named, str(named), True))
    wanted.append((ROOT / "config" / "user.toml", "config/user.toml", False))
    wanted.append((home.path / "user.toml", str(home.path / "user.toml"), False))
    layers, faults = [], []
    for path, name, needed in wanted:
        if not needed and not path.exists():
            continue
        try:
            layers.append(read_layer(path, name))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return layers, session


def read_secret(home: Home, key: str) -> str:
    """A secret of SECRET_KEYS; "" where none is given; ConfigError where others may read it."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    layers, _ = read_layers(home)
    return find_secret(key, layers, Path(folder) if folder else None)


def account_key(home: Home, config: Config) -> ApiKey:
    """The key of the real account: kraken.key_file, else api_key and api_secret; ConfigError."""
    if config.kraken.key_file:
        return read_key(Path(config.kraken.key_file).expanduser())
    key, secret = read_secret(home, "kraken.api_key"), read_secret(home, "kraken.api_secret")
    if not (key and secret):
        raise ConfigError(["kraken.key_file: no API key is given; run: icryptotrader setup"])
    return ApiKey(key, secret)


def _lengthen(config: Config) -> Config:
    """holding_period_days can only lengthen the law's year (§ 23 (1) Nr. 2 EStG)."""
    longer = max(config.tax.holding_safety_days, config.tax.holding_period_days - 365)
    tax = msgspec.structs.replace(config.tax, holding_safety_days=longer)
    return msgspec.structs.replace(config, tax=tax)


def _placed(fault: str, merged: Merged) -> str:
    """A fault with the file and line of the setting that it names first."""
    where = place_of(fault, merged.origins)
    return f"{where}: {fault}" if where else fault


__all__ = [
    "ApiKey", "Config", "ConfigError", "Home", "Metrics", "Ratio", "Tax", "Telegram", "Web",
    "read_key",
]  # fmt: skip
