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


class TaxYear(Struct, frozen=True, forbid_unknown_fields=True):
    """What the person says about one tax year, EUR; what is left out (None) is as in [tax]."""

    year: Annotated[int, Meta(ge=2009, le=2199)]
    external_s23_net_eur: Decimal | None = None
    loss_carryforward_eur: Decimal | None = None
    waive_carryback: bool | None = None


class SaidOfYear(Struct, frozen=True):
    """The same, nothing left out."""

    year: int
    external_s23_net_eur: Decimal
    loss_carryforward_eur: Decimal
    waive_carryback: bool


class Tax(Struct, frozen=True, forbid_unknown_fields=True):
    holding_period_days: Annotated[int, Meta(ge=0, le=3650)]
    holding_safety_days: Annotated[int, Meta(ge=0, le=3650)]
    near_threshold_days: Annotated[int, Meta(ge=0, le=365)]
    annual_exemption_eur: Decimal
    external_s23_net_eur: Decimal
    loss_carryforward_eur: Decimal
    waive_carryback: bool
    years: Annotated[tuple[TaxYear, ...], Meta(max_length=100)]
    marginal_rate: Annotated[float, Meta(ge=0.0, le=0.6)]
    usd_leg: Literal["separate", "section23", "off"]
    reform_enacted: bool
    beyond_limit: bool
    pace_days: Annotated[int, Meta(ge=0, le=365)]
    fx_buffer_eur: Decimal
    rates_fetch: Literal["auto", "on", "off"]
    rates_each_sec: Annotated[float, Meta(ge=0.1, le=86_400.0)]
    rates_url: Annotated[str, Meta(pattern="^https://|^http://127\\.0\\.0\\.1:")]
    emergency_dd_override_pct: Ratio
    harvest_enabled: bool
    harvest_min_loss_eur: Decimal
    harvest_max_per_day: Annotated[int, Meta(ge=0, le=100)]
    harvest_target_net_eur: Decimal
    harvest_for_next_year: bool

    def of_year(self, year: int) -> SaidOfYear:
        """What holds for one tax year: its own entry, and where that is silent, [tax]."""
        own = next((each for each in self.years if each.year == year), TaxYear(year))
        external, carried, waived = (
            own.external_s23_net_eur,
            own.loss_carryforward_eur,
            own.waive_carryback,
        )
        return SaidOfYear(
            year,
            self.external_s23_net_eur if external is None else external,
            self.loss_carryforward_eur if carried is None else carried,
            self.waive_carryback if waived is None else waived,
        )


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
        if fault := _money_fault(name, value):
            found.append(f"tax.{name}: {fault}")
    found += _check_years(tax.years)
    if telegram.quiet_hours and not _is_span(telegram.quiet_hours):
        found.append('telegram.quiet_hours: write "22:00-07:00", or "" for none')
    if telegram.summary_at and not CLOCK_TIME.fullmatch(telegram.summary_at):
        found.append('telegram.summary_at: write "20:00", or "" for none')
    if telegram.enabled and not telegram.chat_id:
        found.append("telegram.chat_id: is needed where telegram.enabled is true")
    if web.password and not web.username:
        found.append("web.username: is needed where a password is given")
    return found


def _check_years(years: tuple[TaxYear, ...]) -> list[str]:
    found = []
    for number, each in enumerate(years):
        if each.year in [before.year for before in years[:number]]:
            found.append(f"tax.years: {each.year} is there twice: keep one")
        for name in each.__struct_fields__:
            value = getattr(each, name)
            if isinstance(value, Decimal) and (fault := _money_fault(name, value)):
                found.append(f"tax.years: {each.year}: {name}: {fault}")
    return found


def _money_fault(name: str, value: Decimal) -> str:
    """Only the net of other disposals may be a loss."""
    if value.is_finite() and (value >= 0 or name == "external_s23_net_eur"):
        return ""
    return f"must be a number of 0 or more, found {value}"


def _is_span(text: str) -> bool:
    begin, dash, end = text.partition("-")
    return bool(dash and CLOCK_TIME.fullmatch(begin) and CLOCK_TIME.fullmatch(end))
