"""`icryptotrader caps`: shown, refused when looser, accepted with a reason, never while it runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from icryptotrader.caps import accept_caps, show_caps
from shared.caps import FACT, HardCaps, read_caps, to_fact
from shared.config import ROOT, Home
from shared.process import lock
from strategy.ledger.entries import Remember
from strategy.ledger.store import Store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose ledger holds the shipped caps; the file is its own copy."""
    place = Home(tmp_path / "home")
    place.make()
    file = tmp_path / "caps.toml"
    file.write_text((ROOT / "config" / "hard_caps.toml").read_text())
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[limits]\nhard_caps_file = "{file}"\n')
    place.session_file.write_text(f'config_file = "{settings}"\n')
    monkeypatch.chdir(tmp_path)
    store = Store.open(place.data / "ledger.sqlite")
    store.commit([Remember(FACT, to_fact(read_caps(file)))])
    store.close()
    return place


def loosen(home: Home) -> None:
    file = home.path.parent / "caps.toml"
    file.write_text(file.read_text().replace('"5000"', '"9000"'))


def test_what_holds_is_shown(home: Home) -> None:
    code, lines = show_caps(home)
    assert code == 0
    assert all(any(name in line for line in lines) for name in HardCaps.__struct_fields__)


def test_looser_caps_are_named_and_hold_only_once_accepted(home: Home) -> None:
    loosen(home)
    code, lines = show_caps(home)
    assert code == 1
    assert "order_quote 5000 -> 9000" in "\n".join(lines)
    assert accept_caps(home, "a larger account") == (0, ["accepted: order_quote 5000 -> 9000"])
    assert show_caps(home)[0] == 0
    with closing(sqlite3.connect(home.data / "ledger.sqlite")) as db:
        [(what, why)] = db.execute("SELECT what, why FROM audit").fetchall()
    assert what == "caps accept"
    assert why.endswith("a larger account")


def test_while_the_strategy_runs_nothing_is_accepted(home: Home) -> None:
    loosen(home)
    held = lock(home.run / "strategy.lock")
    code, lines = accept_caps(home, "now")
    held.release()
    assert code == 1
    assert "stop it first" in lines[0]
    assert show_caps(home)[0] == 1


def test_without_a_ledger_they_hold_from_the_first_start_on(home: Home) -> None:
    for path in home.data.iterdir():
        path.unlink()
    assert show_caps(home)[0] == 0
    assert accept_caps(home, "early")[0] == 1
