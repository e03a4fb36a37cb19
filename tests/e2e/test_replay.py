"""Record a running house, replay what was recorded; replay the journals of its killed lives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from shared.journal import journals
from tests.e2e.harness import House

pytestmark = pytest.mark.house

SPEED: Final = 10
RECORDED_S: Final = 10.0
LIVES: Final = 3


def icryptotrader(*args: str) -> tuple[int, str]:
    """Exit code, and what it said on both channels."""
    done = subprocess.run(
        [sys.executable, "-m", "icryptotrader", *args],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def digest(said: str) -> str:
    found = re.search(r"^digest ([0-9a-f]{16})$", said, re.MULTILINE)
    assert found, said
    return found[1]


def commands(said: str) -> int:
    found = re.search(r"^commands: (\d+) adds, (\d+) amends, (\d+) cancels$", said, re.MULTILINE)
    assert found, said
    return sum(map(int, found.groups()))


def test_a_recorded_house_replays_to_one_digest_and_its_journals_to_the_same_commands(
    tmp_path: Path,
) -> None:
    recording, elsewhere = tmp_path / "market.rec", str(tmp_path / "elsewhere")
    demo = "volatility_pct = 5.0"
    with House(tmp_path, args=("--speed", str(SPEED)), demo=demo) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        command = [sys.executable, "-m", "icryptotrader", "record", "-o", str(recording)]
        command += ["--home", str(house.home.path), "--seconds", str(RECORDED_S)]
        recorder = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(LIVES - 1):
            house.wait_until_settled("strategy")
            old = house.kill("strategy")
            house.wait_for_another("strategy", old)
            house.wait("trading", lambda: house.status().get("phase") == "trading")
        assert recorder.wait(60) == 0
        assert house.stop() == 0, house.tail()

        files = journals(house.home.data / "journal")
        assert len(files) == LIVES
        for path in files:
            code, said = icryptotrader("replay", str(path), "--home", elsewhere)
            assert code == 0, said
            assert re.search(r"\d+ steps, [1-9]\d* with commands or entries: all the same", said)

    said_fast = [icryptotrader("replay", str(recording), "--fast", "--home", elsewhere)]
    said_fast.append(icryptotrader("replay", str(recording), "--fast", "--home", elsewhere))
    code, said = said_fast[0]
    assert code == 0, said
    assert said_fast[1] == (code, said)
    assert commands(said) > 0
    code, played = icryptotrader("replay", str(recording), "--speed", "20", "--home", elsewhere)
    assert code == 0, played
    assert digest(played) == digest(said)
