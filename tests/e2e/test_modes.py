"""Paper and live as real processes, against a simulated exchange that poses as Kraken."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from shared.config import Home
from shared.config_checks import CONSENT
from tests.e2e.harness import House
from tests.e2e.kraken import Kraken

pytestmark = pytest.mark.house

PAPER: Final = """
mode = "paper"
[tax]
rates_fetch = "off"
[kraken]
public_url = "ws://127.0.0.1:{0}/v2"
private_url = "ws://127.0.0.1:{1}/v2"
rest_url = "http://127.0.0.1:{1}"
key_file = "{2}"
"""

LIVE: Final = """
mode = "live"
[tax]
rates_fetch = "off"
[live]
consent = "{3}"
[kraken]
public_url = "ws://127.0.0.1:{0}/v2"
private_url = "ws://127.0.0.1:{1}/v2"
rest_url = "http://127.0.0.1:{1}"
key_file = "{2}"
cancel_key_file = "{4}"
"""


def live_with(kraken: Kraken, consent: str = CONSENT) -> str:
    kill_key = kraken.kill_key_file
    return LIVE.format(kraken.public, kraken.private, kraken.key_file, consent, kill_key)


@pytest.fixture
def kraken(tmp_path: Path) -> Iterator[Kraken]:
    made = Kraken(tmp_path)
    made.start()
    yield made
    made.stop()


def test_paper_trades_on_a_real_feed_and_never_knocks_at_the_private_host(
    tmp_path: Path, kraken: Kraken
) -> None:
    with socket.socket() as private_host:
        private_host.bind(("127.0.0.1", 0))
        private_host.listen()
        private_host.setblocking(False)
        port = private_host.getsockname()[1]
        nowhere = tmp_path / "no_such_key.toml"
        settings = PAPER.format(kraken.public, port, nowhere)
        with House(tmp_path, settings) as house:
            house.wait("the session", house.home.session_file.exists)
            told = house.wait_for_fills(house.opening_lots() + 1)
            assert told["mode"] == "paper"
            assert kraken.ask("OpenOrders")["open"] == {}, "paper's orders are not there"
            assert house.open_orders(), "they rest in its own exchange"
            with pytest.raises(BlockingIOError):
                private_host.accept()
            assert house.stop() == 0, house.tail()
        with pytest.raises(BlockingIOError):
            private_host.accept()
        # What was traded on paper is no ledger for real trades.
        (tmp_path / "settings.toml").write_text(live_with(kraken))
        house.start("--live", "--fingerprint", kraken.mark)
        assert house.join() == 78
        assert "begun in paper mode" in house.tail()


def test_live_wants_three_consents_and_a_doctor_who_finds_nothing(
    tmp_path: Path, kraken: Kraken
) -> None:
    def house_with(consent: str, *args: str) -> House:
        return House(tmp_path, live_with(kraken, consent), args)

    yes = ("--live", "--fingerprint", kraken.mark)
    refusals = (
        ("", yes, "live.consent", 78),
        (CONSENT, yes[1:], "--live: missing", 78),
        (CONSENT, yes[:1], "--fingerprint: missing", 78),
        (CONSENT, (*yes[:2], "0000-0000"), "not that of the configured key", 78),
    )
    for consent, args, why, code in refusals:
        house = house_with(consent, *args)
        house.start()
        assert house.join() == code, house.tail()
        assert why in house.tail(2), house.tail()
    assert kraken.orders() == {}

    with house_with(CONSENT, *yes) as house:
        house.wait("orders", lambda: house.status().get("orders", 0) >= 2)
        assert kraken.orders(), "they rest there"
        assert house.status()["mode"] == "live"
        assert house.pid("exchange") == 0, "there is nothing to simulate"
        assert not (house.home.data / "exchange.sqlite").exists()
        # The same account from another home: the first one goes on, alone.
        (tmp_path / "second").mkdir()
        second = House(tmp_path / "second", live_with(kraken), yes)
        second.start()
        assert second.join() == 78
        assert f"process {house.pid('strategy')} on this machine trades" in second.tail()
        kill = [sys.executable, "-m", "icryptotrader.bot_kill", "--home", str(house.home.path)]
        assert subprocess.run(kill, capture_output=True, timeout=60, check=False).returncode == 0
        assert kraken.orders() == {}, "the kill switch, by a key of its own"
        house.wait("the halt", lambda: house.status().get("phase") == "halted")
        assert house.stop() == 0, house.tail()
    assert kraken.orders() == {}, "drained"

    kraken.stop()
    kraken.allow("query-funds", "modify-trades", "withdraw-funds")
    kraken.start()
    house.start()
    assert house.join() == 1
    assert "may do more than trade: withdraw-funds" in house.tail()
    assert kraken.orders() == {}


def test_nobody_starts_a_live_strategy_past_the_front_door(tmp_path: Path, kraken: Kraken) -> None:
    home = Home(tmp_path / "home")
    home.make()
    (home.path / "user.toml").write_text(live_with(kraken))
    command = [sys.executable, "-m", "strategy", "--home", str(home.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "nobody consented" in done.stderr
