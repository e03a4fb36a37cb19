"""When rates are fetched, and what exactly the ECB is asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec.structs import replace

from monitor.rates import Wanted, address, is_wanted
from shared.config import Config, Home, load
from shared.settings import WeightedPair


def config_of(folder: Path) -> Config:
    return load(Home(folder))


def test_a_demo_in_euros_asks_nobody(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert not is_wanted(config)
    assert is_wanted(replace(config, pair="BTC/USD"))
    both = tuple(WeightedPair(name, 0.5) for name in ("BTC/EUR", "BTC/USD"))
    assert is_wanted(replace(config, pairs=both))
    assert is_wanted(replace(config, mode="live"))
    assert not is_wanted(replace(config, mode="live", tax=replace(config.tax, rates_fetch="off")))
    assert is_wanted(replace(config, tax=replace(config.tax, rates_fetch="on")))


def test_only_what_came_since_is_asked_for() -> None:
    due = date(2026, 11, 20)
    until = {"USD": date(2026, 11, 18), "GBP": date(2026, 11, 17)}
    assert Wanted(until, due, ("GBP", "USD")).since() == date(2026, 11, 17)
    assert Wanted(until, due, ("CHF", "USD")).since() == date(2025, 10, 16)


def test_the_address_is_that_of_the_data_portal(tmp_path: Path) -> None:
    url = config_of(tmp_path).tax.rates_url
    asked = address(url, ("GBP", "USD"), date(2026, 11, 17), date(2026, 11, 20))
    assert asked == (
        "https://data-api.ecb.europa.eu/service/data/EXR/D.GBP+USD.EUR.SP00.A"
        "?format=csvdata&detail=dataonly&startPeriod=2026-11-17&endPeriod=2026-11-20"
    )
