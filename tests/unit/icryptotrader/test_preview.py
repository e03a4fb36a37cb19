"""The page that shows a grid before it runs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from typer.testing import CliRunner

from icryptotrader.cli import app
from icryptotrader.preview import preview
from tests.unit.strategy.core.build import BTC_EUR, CONFIG, make_config

PRICE = Decimal(85_000)
RATES = (0.0012, 0.0025)


def test_it_shows_each_rung_once_highest_first_and_the_market_between() -> None:
    lines = preview(CONFIG, BTC_EUR, PRICE, RATES).splitlines()
    rungs = [line for line in lines if line.startswith(("buy", "sell"))]
    prices = [float(line.split()[2]) for line in rungs]
    assert len(rungs) == 10
    assert prices == sorted(prices, reverse=True)
    market = next(n for n, line in enumerate(lines) if "market" in line)
    assert lines[market - 1].startswith("sell 1")
    assert lines[market + 1].startswith("buy  1")


def test_it_says_fees_break_even_and_capital() -> None:
    page = preview(CONFIG, BTC_EUR, PRICE, RATES)
    assert "floor of the fees 39.0 bps" in page
    assert "break-even step  24.0 bps" in page
    assert "2500.00 EUR for the buys" in page
    assert "!" not in page


def test_an_account_that_is_too_small_is_told_what_is_missing() -> None:
    page = preview(CONFIG, BTC_EUR, PRICE, RATES, (Decimal(100), Decimal(0)))
    assert "! the buys need 2500.00 EUR, there are 100.00" in page
    assert "! coins are 0.0% of the account: nothing is sold below" in page
    assert "of the account" not in preview(CONFIG, BTC_EUR, PRICE, RATES)


def test_a_grid_without_levels_has_a_page_too() -> None:
    page = preview(make_config(grid={"levels": 0}), BTC_EUR, PRICE, RATES)
    assert "capital needed   0.00 EUR" in page


def test_rungs_that_can_never_stand_are_told() -> None:
    """More levels than the regime quotes, or beyond the collar of the gate."""
    page = preview(make_config(grid={"levels": 8}), BTC_EUR, PRICE, RATES)
    assert "! grid.levels is 8, but regime.range_bound.grid_levels quotes 5" in page
    wide = make_config(grid={"min_spacing_bps": "300"})
    assert "! only 3 of 5 buys can stand: outside the price collar" in preview(
        wide, BTC_EUR, PRICE, RATES
    )


def test_several_pairs_have_a_page_each(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        '[[pairs]]\nsymbol = "BTC/EUR"\nweight = 0.7\n[[pairs]]\nsymbol = "BTC/USD"\nweight = 0.3\n'
    )
    arguments = ["preview", "--config", str(file), "--money", "10000", "--coins", "0.02"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    assert "BTC/EUR: 70% of the account" in found.output
    assert "BTC/USD at 85000.0 USD" in found.output
    assert "free of tax, there are 0.00600000" in found.output


def test_the_command_asks_nobody_and_prints_it() -> None:
    found = CliRunner().invoke(app, ["preview", "--price", "50000", "--maker", "0.4"])
    assert found.exit_code == 0, found.output
    assert "BTC/EUR at 50000.0" in found.output
    assert "95.0 bps" in found.output
