"""A program that was stopped from outside cannot end itself: the listener does."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.harness import House, read_lines

pytestmark = pytest.mark.house

IMPATIENT = """
[time]
watchdog_sec = 2
beat_sec = 4
"""


def test_a_feed_that_shows_no_life_is_killed_and_started_again(tmp_path: Path) -> None:
    with House(tmp_path, IMPATIENT) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        for name in ("feed", "strategy", "watch"):
            house.wait_until_settled(name)
        strategy, old = house.pid("strategy"), house.kill("feed", signal.SIGSTOP)
        house.wait_for_another("feed", old)
        house.wait("trading again", lambda: house.status().get("phase") == "trading", 90)
        assert house.pid("strategy") == strategy
        said = [json.loads(line) for line in read_lines(house.home.log / "watch.jsonl")]
        assert [row["program"] for row in said if row["event"] == "program_lifeless"] == ["feed"]
        assert house.stop() == 0, house.tail()
