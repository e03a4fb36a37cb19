"""TOML to frozen structs; every fault is reported at once, each with its place and remedy.

Order of the layers, later wins: config/default.toml (every key, the only home of a default), then
--config FILE, then config/user.toml, then user.toml of the home, then what `icryptotrader run` was
told on its command line (run/session.toml). This file and shared/process.py alone read the
environment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    AiSignal,
    Atr,
    AvellanedaStoikov,
    Bollinger,
    Fees,
    Imbalance,
    Inventory,
    Skew,
    WeightedPair,
)
from shared.settings_house import (
    Anchors,
    Demo,
    Feed,
    Kraken,
    Live,
    Orders,
    RateLimit,
    Settled,
    Time,
    Ws,
)
from shared.settings_trade import Grid, Hedge, Limits, Regime, Risk
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


__all__ = ["ApiKey", "Config", "ConfigError", "Home", "read_key"]
