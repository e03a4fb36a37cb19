"""The support bundle: no canary gets out."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from icryptotrader.bundle import BLACK, redact, write_bundle
from shared.config import Home

TOKEN = "canary-of-the-dashboard-0123"
BOT = "123456789:AAcanaryAAcanaryAAcanaryAAcanary12"
PASSWORD = "canary password"
SHORT = "canary-of-a-key-in-a-file"
KEY = "canarycanarycanarycanarycanarycanary/canary+canary=="


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    (made.data / "dashboard_token").write_text(TOKEN)
    (made.data / "dashboard_token").chmod(0o600)
    user = made.path / "user.toml"
    user.touch(0o600)
    user.write_text(f'[web]\nusername = "me"\npassword = "{PASSWORD}"\n[telegram]\n'
                    f'bot_token = "{BOT}"\n')  # fmt: skip
    (made.path / "kraken_key.toml").write_text(
        f'api_key = "{SHORT}-public"\napi_secret = "{SHORT}-private"\n'
    )
    (made.log / "feed.jsonl").write_text(
        f'{{"event":"d","why":"{SHORT}-private {SHORT}-public"}}\n'
    )
    (made.log / "strategy.jsonl").write_text(
        f'{{"event":"a","token":"{TOKEN}"}}\n{{"event":"b","url":"/bot{BOT}/getMe"}}\n'
        f'{{"event":"c","api_key":"{KEY}"}}\nplain {PASSWORD} text {KEY}\n'
    )
    return made


def test_no_canary_gets_out(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    names = write_bundle(home, target)
    assert {"settings.txt", "doctor.json", "log/strategy.jsonl"} <= set(names)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as archive:
        text = "".join(archive.read(name).decode() for name in names)
    for canary in (TOKEN, BOT, PASSWORD, KEY, "canary"):
        assert canary not in text
    assert BLACK in text
    assert '"event":"a"' in text


def test_it_never_replaces_a_file(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        write_bundle(home, target)
    assert target.read_text() == "mine"


def test_a_faulty_configuration_is_told_and_no_secret_of_it(home: Home, tmp_path: Path) -> None:
    (home.path / "user.toml").write_text("[web]\npassword = 77777777\nlevles = 1\n")
    names = write_bundle(home, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert "unknown key" in archive.read("settings.txt").decode()
        assert not any("77777777" in archive.read(name).decode() for name in names)


def test_what_a_helper_needs_stays_readable() -> None:
    line = 'fill side=buy price=84500.0 qty=0.00591716 exec_id=TGBX4D-AAAAA-BBBBBB file="a/b/c.py"'
    assert redact(line, []) == line
