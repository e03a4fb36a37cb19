"""`bot-kill` without a house: a real exchange process, and whatever may be wrong with its key."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from shared.config import EXIT_CONFIG, Home
from shared.config_checks import CONSENT
from tests.e2e.kraken import Kraken

pytestmark = pytest.mark.house

ORDER: Final = {
    "pair": "XBTEUR", "type": "buy", "ordertype": "limit", "price": "30000", "volume": "0.001",
}  # fmt: skip


@pytest.fixture(scope="module")
def kraken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kraken]:
    made = Kraken(tmp_path_factory.mktemp("kill"))
    made.start()
    yield made
    made.stop()


class Killer:
    """A live installation in which nothing runs."""

    def __init__(self, folder: Path, kraken: Kraken) -> None:
        self.home = Home(folder / "home")
        self.home.make()
        self._kraken = kraken

    def doctor(self, key_file: Path) -> dict[str, str]:
        """What the doctor finds about this key."""
        self._configure(key_file, log_level="INFO", port=self._kraken.private)
        command = [sys.executable, "-m", "icryptotrader", "--home", str(self.home.path)]
        done = subprocess.run(
            [*command, "doctor", "--json"], capture_output=True, text=True, check=False, timeout=120
        )
        findings = json.loads(done.stdout)["findings"]
        [found] = [each for each in findings if each["name"] == "kill key"]
        return dict(found)

    def _configure(self, key_file: Path | str, log_level: str, port: int) -> None:
        (self.home.path / "user.toml").write_text(
            f'mode = "live"\nlog_level = "{log_level}"\n'
            f'[live]\nconsent = "{CONSENT}"\n[kraken]\n'
            f'public_url = "ws://127.0.0.1:{self._kraken.public}/v2"\n'
            f'private_url = "ws://127.0.0.1:{self._kraken.private}/v2"\n'
            f'rest_url = "http://127.0.0.1:{port}"\n'
            f'cancel_key_file = "{key_file}"\n'
        )
        (self.home.path / "user.toml").chmod(0o600)

    def kill(self, key_file: Path | str, port: int = 0) -> subprocess.CompletedProcess[str]:
        # A fault elsewhere in the file is no reason not to cancel.
        self._configure(key_file, log_level="LOUD", port=port or self._kraken.private)
        command = [sys.executable, "-m", "icryptotrader.bot_kill", "--home", str(self.home.path)]
        done = subprocess.run(
            [*command, "drill"], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.stderr == "", "no traceback, whatever happens"
        # The flag needs neither key nor net.
        assert (self.home.data / "HALT").read_text() == "drill\n"
        (self.home.data / "HALT").unlink()
        return done


@pytest.fixture
def killer(tmp_path: Path, kraken: Kraken) -> Killer:
    return Killer(tmp_path, kraken)


def fault(kraken: Kraken, **what: Any) -> None:
    word = (kraken.home.data / "faults_token").read_text()
    address = f"http://127.0.0.1:{kraken.public}/faults"
    headers = {"Authorization": f"Bearer {word}"}
    assert httpx.post(address, json=[what], headers=headers).status_code == 200


def test_the_kill_key_cancels_and_can_do_nothing_else(kraken: Kraken, killer: Killer) -> None:
    kraken.ask("AddOrder", **ORDER)
    assert kraken.orders()
    done = killer.kill(kraken.kill_key_file)
    assert killer.doctor(kraken.kill_key_file)["outcome"] == "ok"
    assert done.returncode == 0, done.stdout
    assert "1 orders cancelled; nothing rests in the account" in done.stdout
    assert "log_level: must be one of" in done.stdout
    assert "may do more" not in done.stdout
    assert kraken.orders() == {}
    for method in ("AddOrder", "Balance", "GetWebSocketsToken"):
        assert kraken.refusal(kraken.kill_key_file, method, **ORDER) == "EGeneral:Permission denied"


def test_a_key_that_may_do_more_kills_first_and_is_told_of_then(
    kraken: Kraken, killer: Killer
) -> None:
    kraken.ask("AddOrder", **ORDER)
    done = killer.kill(kraken.home.data / "guest_key.toml")
    assert done.returncode == 0, done.stdout
    assert kraken.orders() == {}
    warned = done.stdout.partition("nothing rests in the account")[2]
    assert "may do more than cancel" in warned
    assert "modify-trades" in warned
    looked = killer.doctor(kraken.home.data / "guest_key.toml")
    assert looked["outcome"] == "warn"
    assert "modify-trades" in looked["text"]


def test_a_key_that_cannot_be_used_is_told_at_once_with_the_remedy(
    kraken: Kraken, killer: Killer, tmp_path: Path
) -> None:
    kraken.ask("AddOrder", **ORDER)
    strange, garbled = tmp_path / "strange.toml", tmp_path / "garbled.toml"
    strange.write_text('api_key = "nobody"\napi_secret = "QQ=="\n')
    garbled.write_text('api_key = "nobody"\napi_secret = "no base64!"\n')
    for path in (strange, garbled):
        path.chmod(0o600)
    for key_file, why in (
        (strange, "EAPI:Invalid key"),
        (garbled, "garbled.toml"),
        (tmp_path / "nowhere.toml", "nowhere.toml"),
        ("", "kraken.cancel_key_file is not set"),
    ):
        begun = time.monotonic()
        done = killer.kill(key_file)
        assert done.returncode == EXIT_CONFIG, done.stdout
        assert why in done.stdout
        assert "dead man's switch" in done.stdout, "what else will empty the book"
        assert time.monotonic() - begun < 60
    assert kraken.orders(), "and it says so because nothing was cancelled"
    assert killer.kill(kraken.kill_key_file).returncode == 0


def test_an_exchange_that_is_away_is_asked_again_and_told_of(
    kraken: Kraken, killer: Killer
) -> None:
    kraken.ask("AddOrder", **ORDER)
    fault(kraken, do="mode", status="maintenance")
    done = killer.kill(kraken.kill_key_file)
    assert done.returncode == 1, done.stdout
    assert "NOT confirmed that nothing rests: E" in done.stdout
    assert kraken.orders()
    # A part of the tries fails: the others are enough.
    fault(kraken, do="mode", status="online")
    fault(kraken, do="rest_status", status="502", about="CancelAll", times=2)
    done = killer.kill(kraken.kill_key_file)
    assert done.returncode == 0, done.stdout
    assert "not yet: HTTP 502" in done.stdout
    assert kraken.orders() == {}


def test_without_a_network_the_flag_is_up_and_the_rest_is_told(
    kraken: Kraken, killer: Killer
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        done = killer.kill(kraken.kill_key_file, nobody.getsockname()[1])
    assert done.returncode == 1
    assert "the exchange cannot be reached (ConnectError)" in done.stdout
    assert "the dead man's switch" in done.stdout
