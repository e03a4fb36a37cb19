"""The past by REST: many pages of the simulated exchange, over HTTP, into a ledger."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.config import Home, load, read_key
from tests.e2e.harness import LOOK_EACH_S, START_S, free_ports, read_lines

LOTS = 96
"""Opening buys: two ledger rows each make four pages of Ledgers and two of TradesHistory."""


class Account:
    """The exchange alone, with a long past, and the command line beside it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.make()
        public, private = free_ports(2)
        lots = ", ".join(f'"{500 - day}:250"' for day in range(LOTS))
        (self.home.path / "user.toml").write_text(
            f"[demo]\npublic_port = {public}\nprivate_port = {private}\nopening_lots = [{lots}]\n"
        )
        self.exchange: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        self.exchange = subprocess.Popen(
            [sys.executable, "-m", "sim", "--home", str(self.home.path)],
            stdin=subprocess.DEVNULL,
        )
        # The port listens before this is written.
        log = self.home.log / "exchange.jsonl"
        deadline = time.monotonic() + START_S
        while not any("exchange_ready" in line for line in read_lines(log)):
            assert self.exchange.poll() is None
            assert time.monotonic() < deadline
            time.sleep(LOOK_EACH_S)

    def close(self) -> None:
        if self.exchange is not None:
            self.exchange.terminate()
            self.exchange.wait()

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "icryptotrader", *words, "--home", str(self.home.path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


def test_the_whole_past_comes_by_rest_once_and_its_differences_are_told(account: Account) -> None:
    assert "does icryptotrader run?" in account.run("ledger", "import", "--rest", code=1)
    account.open()
    try:
        # The second fetch meets the exchange's limit, and waits it out.
        dry = account.run("ledger", "import", "--rest", "--tier", "pro")
        said = account.run("ledger", "import", "--rest", "--tier", "pro", "--apply")
    finally:
        account.close()
    assert f"{LOTS} fills, of which {LOTS} are new" in dry
    assert "dry run: nothing was written" in dry
    assert re.search(r"BTC: the exchange says ([\d.]+), the rows add up to \1, in the book", dry)
    assert "EUR: the exchange says 60000" in dry
    assert "<- differs" not in dry
    assert f"written: {LOTS} fills" in said
    assert "The ledger is sound." in account.run("ledger", "verify")
    secret = read_key(account.home.data / "guest_key.toml").secret
    assert secret not in dry + said
    kept = sorted((account.home.path / "imports").glob("*.jsonl"))
    ledgers = [path for path in kept if "-ledgers-" in path.name]
    # Of the first fetch: a line that says what was asked, and one for each page.
    assert len(ledgers[0].read_text().splitlines()) > 1 + 3
    first = [str(path) for path in kept if path.name.endswith(ledgers[0].name[-22:])]
    assert "written: 0 fills and 0 other events" in account.run(
        "ledger", "import", "--apply", *first
    )
    assert load(account.home).mode == "demo"
