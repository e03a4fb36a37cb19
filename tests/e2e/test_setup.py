"""Set-up against an exchange that checks the key: rights, account, the past, what is written."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from shared.config import Home, load, read_key
from shared.config_checks import CONSENT
from shared.haltflag import raise_flag
from tests.e2e.kraken import Kraken

pytestmark = pytest.mark.house

PLACE = """# of my account
[kraken]
public_url = "ws://127.0.0.1:{0}/v2"
private_url = "ws://127.0.0.1:{1}/v2"
rest_url = "http://127.0.0.1:{1}"
"""
ANSWERS = """
mode = "live"
[live]
consent = "{0}"
[grid]
levels = 2
order_size_quote = "{3}"
[key]
api_key = "{1}"
api_secret = "{2}"
[past]
files = "{4}"
"""
LEDGERS = """"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"
"L1","D1","2023-01-02 10:00:00","deposit","","currency","ZEUR",10000.0000,0,10000.0000
"L2","TB1","2023-01-05 12:00:00","trade","","currency","ZEUR",-8000.0000,12.8000,1987.2000
"L3","TB1","2023-01-05 12:00:00","trade","","currency","XXBT",0.5000000000,0,0.5000000000
"""


@pytest.fixture
def kraken(tmp_path: Path) -> Iterator[Kraken]:
    made = Kraken(tmp_path)
    made.start()
    yield made
    made.stop()


class Desk:
    """A new user's home, whose Kraken is the simulated one."""

    def __init__(self, folder: Path, kraken: Kraken) -> None:
        self.home = Home(folder / "mine")
        self.home.make()
        self.settings = self.home.path / "user.toml"
        self.settings.write_text(PLACE.format(kraken.public, kraken.private))
        self.settings.chmod(0o600)
        self.past = folder / "ledgers.csv"
        self.past.write_text(LEDGERS)
        self._answers = folder / "answers.toml"
        self._kraken = kraken

    def answer(
        self, *, size: str = "100", secret: str = "", past: str = "", mode: int = 0o600
    ) -> None:
        key = read_key(self._kraken.key_file)
        self._answers.write_text(ANSWERS.format(CONSENT, key.key, secret or key.secret, size, past))
        self._answers.chmod(mode)

    def setup(self, *words: str, code: int = 0) -> str:
        return self.run("setup", "--answers", str(self._answers), *words, code=code)

    def run(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--home", str(self.home.path)])
        assert result.exit_code == code, result.output
        return result.output


def test_from_nothing_to_a_house_that_could_trade(tmp_path: Path, kraken: Kraken) -> None:
    desk = Desk(tmp_path, kraken)
    before = desk.settings.read_text()
    wrong = read_key(kraken.key_file).secret[:-8] + "AAAAAAA="
    desk.answer(secret=wrong)
    assert "EAPI:Invalid signature" in desk.setup(code=1)
    desk.answer(mode=0o644)
    assert "chmod 600" in desk.setup(code=1)
    assert desk.settings.read_text() == before, "nothing is written before all is in order"

    desk.answer(past=str(desk.past))
    said = desk.setup("--language", "de")
    assert kraken.mark in said
    assert "Maker 0.12 %" in said
    assert "market" in said, "the grid, as preview shows it"
    assert "written: 1 fills" in said
    assert "run --live" in said
    assert read_key(desk.home.path / "kraken_key.toml") == read_key(kraken.key_file)
    for path in (desk.settings, desk.home.path / "kraken_key.toml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = desk.settings.read_text()
    assert text.startswith("# of my account\n")
    assert read_key(kraken.key_file).secret not in text
    assert load(desk.home).grid.levels == 2
    assert "0.5000" in desk.run("lots")

    # Again: what stands there is kept, the key too, and its file is not touched.
    key_file = desk.home.path / "kraken_key.toml"
    kept = key_file.stat().st_mtime_ns
    (tmp_path / "answers.toml").write_text('pair = "BTC/EUR"\n')
    assert kraken.mark in desk.setup()
    assert key_file.stat().st_mtime_ns == kept
    assert tomllib.loads(desk.settings.read_text()) == tomllib.loads(text)


def test_a_grid_that_cannot_stand_is_said_and_a_key_that_may_withdraw_refused(
    tmp_path: Path, kraken: Kraken
) -> None:
    desk = Desk(tmp_path, kraken)
    desk.answer(size="2000")
    (desk.home.path / "user.toml").write_text(
        desk.settings.read_text() + "[regime.range_bound]\ngrid_levels = 20\n"
    )
    assert "! " not in desk.setup(), "the account can bear this grid"
    desk.answer(size="1")
    assert "! only 0 of 2" in desk.setup(), "below the least order"
    kraken.stop()
    kraken.allow(*("query-funds", "modify-trades", "withdraw-funds"))
    kraken.start()
    desk.answer()
    assert "withdraw-funds" in desk.setup("--language", "de", code=1)


def test_the_doctor_asks_the_exchange_itself(tmp_path: Path, kraken: Kraken) -> None:
    desk = Desk(tmp_path, kraken)
    desk.answer(past=str(desk.past))
    desk.setup()
    said = desk.run("doctor")
    for told in (
        f"its fingerprint is {kraken.mark}",
        "the exchange's clock and ours agree",
        "no orders of others",
        "nothing is lent or staked",
        "the whole ladder can stand",
        "the key has no nonce window",
    ):
        assert told in said, told
    raise_flag(desk.home.data, "a drill")
    assert "the halt flag is up" in desk.run("doctor", code=1)
    (desk.home.path / "kraken_key.toml").chmod(0o644)
    assert "others may read" in desk.run("doctor", code=1)
    kraken.stop()
    assert "does not answer" in desk.run("doctor", code=1)
