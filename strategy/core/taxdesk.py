"""The ledger's desk as the strategy holds it: its settings, its events, and what was found out.

The desk hears every fill with the lots; deposits, withdrawals, manual lots and the trades of other
coins it is given at the start of a life, and rates as they are published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from msgspec import Struct

from shared.config import Config
from shared.units import Ns
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.events import UNITS_DECIMALS, Exchanged, TaxEvent
from strategy.ledger.lots import Lots
from strategy.ledger.plans import Harvest
from strategy.ledger.rates import EURO, Rate, Rates
from strategy.ledger.trade import SATS_DECIMALS
from strategy.ledger.year import ZERO

HARVESTED_FACT: Final = "harvested"
PER_SAT: Final[int] = 10 ** (UNITS_DECIMALS - SATS_DECIMALS)


class Taxes(Struct, frozen=True):
    """What was found out about the tax, and stays for a while.

    day: the German day of the pace; per_day: Units that may be sold on it, None for no cap; lasts:
    days until locked at what was sold of late, None if longer than a year. harvest: the sale at a
    loss that is under way, or why there is none; harvested: how many were sent on which day.
    """

    day: str = ""
    per_day: int | None = None
    lasts: int | None = None
    harvest: Harvest | None = None
    harvest_at: Ns = Ns(0)
    harvest_fills: int = 0  # how many fills there were then
    harvested: tuple[str, int] = ("", 0)


def settings_of(config: Config) -> DeskSettings:
    """What the person says of the year, as the desk takes it."""
    tax = config.tax
    foreign = any(not symbol.endswith(f"/{EURO}") for symbol in config.symbols)
    return DeskSettings(
        coin=config.pair.partition("/")[0],
        safety_days=tax.holding_safety_days,
        own_limit=tax.annual_exemption_eur,
        each_year=tax.external_s23_net_eur,
        external={each.year: tax.of_year(each.year).external_s23_net_eur for each in tax.years},
        buffer=tax.fx_buffer_eur if foreign else ZERO,
        usd_leg=tax.usd_leg,
        reform_enacted=tax.reform_enacted,
        beyond=tax.beyond_limit,
    )


class Told(Protocol):
    """What the ledger tells a new life besides the lots."""

    @property
    def others(self) -> tuple[TaxEvent, ...]: ...

    @property
    def ecb(self) -> tuple[Rate, ...]: ...


def desk_of(config: Config, lots: Lots, told: Told) -> Desk:
    """A desk that knows these lots' trades, the other events and the rates."""
    return Desk([*lots.trades(), *told.others], Rates(told.ecb), settings_of(config))


def others_in(events: Iterable[TaxEvent], lots: Lots) -> tuple[TaxEvent, ...]:
    """All events but those that the lots know as trades."""
    return tuple(event for event in events if not lots.has(event.id))


def needed(rates: Iterable[Rate], config: Config, others: Iterable[TaxEvent]) -> Iterator[Rate]:
    """The rates that can matter: of the pairs' quote currencies and of what happened before."""
    wanted = {symbol.partition("/")[2] for symbol in config.symbols}
    for event in others:
        wanted.add(event.asset)
        if isinstance(event, Exchanged):
            wanted.update((event.currency, *(asset for asset, _ in event.fees)))
    return (rate for rate in rates if rate.currency in wanted)


def taxes_from(facts: Mapping[str, str]) -> Taxes:
    """What a new life remembers: the fact `harvested`, "2026-11-21 2"."""
    day, _, count = facts.get(HARVESTED_FACT, "").partition(" ")
    return Taxes(harvested=(day, int(count)) if count.isdigit() else ("", 0))
