"""The settings of those who watch and of the tax year, and what must hold between them.

config.py reads them with all the others; every default stands in config/default.toml.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Days = Annotated[int, Meta(ge=0, le=366)]

CLOCK_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Tax(Struct, frozen=True, forbid_unknown_fields=True):
    holding_period_days: Annotated[int, Meta(ge=0, le=3650)]
    holding_safety_days: Annotated[int, Meta(ge=0, le=3650)]
    near_threshold_days: Annotated[int, Meta(ge=0, le=365)]
    annual_exemption_eur: Decimal
    external_s23_net_eur: Decimal
    loss_carryforward_eur: Decimal
    waive_carryback: bool
    marginal_rate: Annotated[float, Meta(ge=0.0, le=0.6)]
    usd_leg: Literal["separate", "section23", "off"]
    emergency_dd_override_pct: Ratio
    harvest_enabled: bool
    harvest_min_loss_eur: Decimal
    harvest_max_per_day: Annotated[int, Meta(ge=0, le=100)]
    harvest_target_net_eur: Decimal


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    port: Port
    prefix: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$")]


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    host: Literal["127.0.0.1", "::1", "localhost"]
    port: Port
    username: Annotated[str, Meta(max_length=64)]
    password: str
    language: Literal["auto", "en", "de"]


class Telegram(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    bot_token: str
    chat_id: Annotated[str, Meta(pattern="^(-?[0-9]{1,20})?$")]
    allowed_user_ids: Annotated[tuple[int, ...], Meta(max_length=20)]
    language: Literal["en", "de"]
    quiet_hours: str
    summary_at: str
    per_minute: Annotated[int, Meta(ge=1, le=20)]
    api_url: Annotated[str, Meta(pattern="^https://|^http://127\\.0\\.0\\.1:")]


def check_watch(tax: Tax, telegram: Telegram, web: Web) -> list[str]:
    """What no single field can say: money is a number, a time is HH:MM, names come in pairs."""
    found = []
    for name in tax.__struct_fields__:
        value = getattr(tax, name)
        if not isinstance(value, Decimal):
            continue
        least = Decimal("-Infinity") if name == "external_s23_net_eur" else Decimal(0)
        if not (value.is_finite() and value >= least):
            found.append(f"tax.{name}: must be a number of 0 or more, found {value}")
    if telegram.quiet_hours and not _is_span(telegram.quiet_hours):
        found.append('telegram.quiet_hours: write "22:00-07:00", or "" for none')
    if telegram.summary_at and not CLOCK_TIME.fullmatch(telegram.summary_at):
        found.append('telegram.summary_at: write "20:00", or "" for none')
    if telegram.enabled and not telegram.chat_id:
        found.append("telegram.chat_id: is needed where telegram.enabled is true")
    if web.password and not web.username:
        found.append("web.username: is needed where a password is given")
    return found


def _is_span(text: str) -> bool:
    begin, dash, end = text.partition("-")
    return bool(dash and CLOCK_TIME.fullmatch(begin) and CLOCK_TIME.fullmatch(end))
