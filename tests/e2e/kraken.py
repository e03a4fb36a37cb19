"""The simulated exchange as a process of its own: to whoever is under test it is Kraken."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import httpx

from shared.config import Home, read_key
from shared.kraken.rest import Call, make_signer, request_of
from shared.secret import fingerprint
from tests.e2e.harness import START_S, free_ports

KRAKEN: Final = """
[demo]
public_port = {0}
private_port = {1}
speed = 2
"""


class Kraken:
    """In a home of its own, twice as fast as the clock."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "kraken")
        self.home.make()
        self.public, self.private = free_ports(2)
        self._config = folder / "kraken.toml"
        self._config.write_text(KRAKEN.format(self.public, self.private))
        self._process: subprocess.Popen[bytes] | None = None
        self._nonce = 0

    def start(self) -> None:
        command = [sys.executable, "-m", "sim", "--home", str(self.home.path)]
        self._process = subprocess.Popen([*command, "--config", str(self._config)])
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the exchange has ended"
            try:
                httpx.get(f"http://127.0.0.1:{self.public}/0/public/Time", timeout=5)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the exchange does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    @property
    def key_file(self) -> Path:
        return self.home.data / "demo_key.toml"

    @property
    def mark(self) -> str:
        return fingerprint(read_key(self.key_file))

    def allow(self, *rights: str) -> None:
        """From its next start on its keys say that they may do this."""
        told = ", ".join(f'"{right}"' for right in rights)
        self.key_file.write_text(f"permissions = [{told}]\n" + self.key_file.read_text())

    @property
    def kill_key_file(self) -> Path:
        return self.home.data / "kill_key.toml"

    def ask(self, method: str, **params: str) -> Any:
        """With the guests' key, so that the nonces of the house are its own."""
        answer = self._post(self.home.data / "guest_key.toml", method, params)
        assert answer["error"] == []
        return answer["result"]

    def refusal(self, key_file: Path, method: str, **params: str) -> str:
        """The exchange's words to a holder of this key."""
        return str(self._post(key_file, method, params)["error"][0])

    def _post(self, key_file: Path, method: str, params: dict[str, str]) -> Any:
        key = read_key(key_file)
        self._nonce = max(self._nonce + 1, time.time_ns() // 1000)
        request = request_of(
            Call(method, tuple(params.items())), make_signer(key.key, key.secret), self._nonce
        )
        return httpx.post(
            f"http://127.0.0.1:{self.private}{request.path}",
            content=request.body,
            headers=dict(request.headers),
            timeout=10,
        ).json()

    def orders(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("OpenOrders")["open"]
        return found
