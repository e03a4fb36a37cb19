"""The report that is made by itself: a draft until its rates are there, then final for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from shared.clock import machine_wall
from shared.config import Home
from strategy.ledger.tax import berlin_day

YEAR = berlin_day(machine_wall()).year - 1
TRADES = f"""txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers
T1,O1,XBTUSD,{YEAR}-12-29 12:00:00,buy,limit,60000.0,6000.00000,9.60000,0.1,0.0,,
T2,O2,XBTUSD,{YEAR}-12-30 12:00:00,sell,limit,66000.0,66000.00000,10.56000,0.1,0.0,,
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def run(home: Home, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--home", str(home.path), *words])
    assert result.exit_code == code, result.output
    return result.output


def test_a_draft_becomes_final_once_its_rates_are_there(home: Home, tmp_path: Path) -> None:
    assert run(home, "tax", "year-end") == ""
    (tmp_path / "t.csv").write_text(TRADES)
    run(home, "ledger", "import", str(tmp_path / "t.csv"), "--apply")
    assert "no rate of the ECB for USD" in run(home, "tax", "year-end", code=1)
    # Of neither day: what is known is older and stands in for now.
    (tmp_path / "r.csv").write_text(f"Date,USD\n{YEAR}-12-23,1.05\n")
    run(home, "tax", "rates", str(tmp_path / "r.csv"))
    assert "is a draft (provisional_rates)" in run(home, "tax", "year-end")
    assert run(home, "tax", "year-end") == ""
    pack = home.path / "reports" / str(YEAR)
    before = (pack / "report-de.txt").read_text()
    assert "ENTWURF" in before
    days = "".join(f"{YEAR}-12-{day},1.1\n" for day in range(24, 32))
    (tmp_path / "r.csv").write_text(f"Date,USD\n{days}")
    run(home, "tax", "rates", str(tmp_path / "r.csv"))
    assert "is final" in run(home, "tax", "year-end")
    assert run(home, "tax", "year-end") == ""
    after = (pack / "report-de.txt").read_text()
    assert "ENDGÜLTIG" in after
    assert "every byte follows" in run(home, "tax", "verify-report", str(pack))
    assert sorted(path.name for path in pack.parent.iterdir()) == [str(YEAR)]


def test_a_year_without_any_event_has_no_report(home: Home, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRADES.replace(str(YEAR), str(YEAR + 1)).replace("12-", "01-"))
    run(home, "ledger", "import", str(tmp_path / "t.csv"), "--apply")
    assert run(home, "tax", "year-end") == ""
    assert not (home.path / "reports").exists()
