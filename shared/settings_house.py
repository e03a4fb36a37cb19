"""The settings of how the house lives: its lines to the exchange, its times, the demo, this run.

config.py reads them with all the others; every default stands in config/default.toml.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.settings import Seconds
from shared.settings_watch import Port


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
