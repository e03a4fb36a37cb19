"""A German year turns in a running house: rates come from the ECB, the report is made and told."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from icryptotrader import housetime
from icryptotrader.housetime import Moment
from shared.clock import machine_wall
from shared.config import Home, load
from shared.units import SECOND, Ns
from strategy.ledger.evidence import read_evidence
from strategy.ledger.tax import BERLIN, berlin_day
from tests.e2e.ecb import Portal, portal
from tests.e2e.harness import House, read_lines

pytestmark = pytest.mark.house

SPEED = 10
BEFORE_S = 150
"""Of house time, from the start to the turn of the year."""

TRADES = """txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers
TBUSD1,OB1,XBTUSD,{year}-12-29 12:00:00,buy,limit,60000.0,6000.00000,9.60000,0.1,0.0,,
TSUSD1,OS1,XBTUSD,{year}-12-30 12:00:00,sell,limit,66000.0,6600.00000,10.56000,0.1,0.0,,
"""


def command(home: Home, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "icryptotrader", "--home", str(home.path), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def near_the_turn(home: Home) -> int:
    """House time is set shortly before the next turn of the German year; the year that ends."""
    year = berlin_day(machine_wall()).year
    turn = int(datetime(year + 1, 1, 1, tzinfo=BERLIN).timestamp()) * SECOND
    home.make()
    moment = Moment(Ns(turn - BEFORE_S * SECOND), 0, "", SPEED, True)
    housetime.save(home.data / "clock.toml", moment)
    return year


def settings_of(ecb: Portal) -> str:
    return f'[tax]\nrates_fetch = "on"\nrates_each_sec = 1\nrates_url = "{ecb.url}"\n'


def test_the_year_turns_and_its_report_is_there(tmp_path: Path) -> None:
    with portal() as ecb:
        ecb.failures = 2
        house = House(tmp_path, settings_of(ecb), demo=f"speed = {SPEED}")
        year = near_the_turn(house.home)
        (tmp_path / "t.csv").write_text(TRADES.format(year=year))
        code, said = command(house.home, "ledger", "import", str(tmp_path / "t.csv"), "--apply")
        assert code == 0, said
        code, said = command(house.home, "tax", "report", str(year))
        assert code == 1
        assert "no rate of the ECB for USD" in said
        with house:
            house.wait("the strategy", house.status)
            ledger = house.home.data / "ledger.sqlite"
            house.wait("rates", lambda: read_evidence(ledger).rates)
            port = load(house.home).metrics.port
            house.wait("no day is missing", lambda: "ecb_rates_days_behind 0.0" in scrape(port))
            assert "icryptotrader_ecb_rates_failures 0.0" in scrape(port)
            house.wait("the turn of the year", lambda: f"report of {year}" in told(house))
            # Whatever the turn found, the year is over and its rates are there: now it is final.
            house.wait("the report", lambda: final(house, year))
            code, said = command(
                house.home, "tax", "verify-report", str(house.home.path / "reports" / str(year))
            )
            assert code == 0, said
            log = house.home.log / "strategy.jsonl"
            house.wait("the word of it", lambda: any(is_word(line) for line in read_lines(log)))
            assert house.stop() == 0
        rates = read_evidence(ledger, files=True)
        assert {entry.source for entry in rates.rates} <= {file.sha256 for file in rates.files}
        assert len(ecb.asked) > 2
        today = datetime.fromtimestamp(machine_wall() // SECOND, UTC).date()
        assert max(entry.rate.day for entry in rates.rates) > today


def scrape(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    except httpx.HTTPError:
        return ""


def told(house: House) -> str:
    return "\n".join(read_lines(house.console))


def final(house: House, year: int) -> bool:
    """The roof's own report, or one made by hand where rates came after the turn."""
    if f"tax report of {year} is final" in told(house):
        return True
    return f"tax report of {year} is final" in command(house.home, "tax", "year-end")[1]


def is_word(line: str) -> bool:
    return '"report"' in line and "tax report of" in line
