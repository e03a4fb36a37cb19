"""When rates are fetched, and what exactly the ECB is asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec.structs import replace

from monitor import taxcards
from monitor.around import Around
from monitor.rates import Wanted, address, is_wanted
from monitor.view import RatesSeen
from monitor.words import words
from shared.config import Config, Home, load
from shared.settings import WeightedPair
from tests.unit.monitor.frames import TAX, WALL


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


def test_the_page_says_how_late_the_rates_are() -> None:
    seen = RatesSeen("2026-11-12", "2026-11-20", 8, WALL, 2, "the ECB answers HTTP 503")
    shown = taxcards.lots(Around(tax=TAX, rates=seen), words("de"))
    assert "Kurse der EZB bis" in shown
    assert "2026-11-12 (nicht abgerufen: the ECB answers HTTP 503)" in shown
    assert "Kurse der EZB bis" not in taxcards.lots(Around(tax=TAX), words("de"))
    assert "noch keine" in taxcards.lots(Around(tax=TAX, rates=RatesSeen()), words("de"))
