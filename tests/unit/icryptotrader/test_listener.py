"""Who runs but shows no life, and who was given up: by values, no clock, no supervisord."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from icryptotrader.listener import Listener, Pulse, feel, lifeless, limits_of
from shared.config import Config, Home, load
from shared.units import SECOND, Ns


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    home = Home(tmp_path)
    home.make()
    monkeypatch.chdir(tmp_path)
    return load(home)


def at(seconds: float) -> Ns:
    return Ns(int(seconds * SECOND))


def test_a_beat_that_changes_is_life_whatever_its_date_says() -> None:
    pulses = feel({}, {"feed": (7, 100)}, at(1))
    pulses = feel(pulses, {"feed": (7, 100)}, at(20))
    assert pulses == {"feed": Pulse(7, 100, at(1))}
    assert feel(pulses, {"feed": (7, 99)}, at(20))["feed"].since == at(20)
    assert feel(pulses, {"feed": (8, 100)}, at(20))["feed"].since == at(20), "another life"
    assert feel(pulses, {}, at(20)) == {}


def test_the_strategy_may_be_silent_until_its_switch_has_fired(config: Config) -> None:
    limits = limits_of(config)
    assert limits["feed"] == at(30)
    assert limits["strategy"] == at(60 + 15)
    pulses = {name: Pulse(1, 1, at(0)) for name in ("feed", "strategy")}
    assert lifeless(pulses, at(30), limits) == []
    assert lifeless(pulses, at(31), limits) == ["feed"]
    assert lifeless(pulses, at(76), limits) == ["feed", "strategy"]


class Supervisor:
    """supervisord's two methods, as its socket answers them."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.started: list[str] = []

    def getAllProcessInfo(self) -> list[dict[str, Any]]:  # noqa: N802 - supervisord's name
        return self.rows

    def startProcess(self, name: str, wait: bool) -> None:  # noqa: N802 - supervisord's name
        assert not wait
        self.started.append(name)


def test_a_program_that_stands_still_is_killed_and_one_that_beats_is_not(config: Config) -> None:
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeps) as dead, subprocess.Popen(sleeps) as alive:
        rows = [
            {"name": "feed", "statename": "RUNNING", "pid": dead.pid},
            {"name": "monitor", "statename": "RUNNING", "pid": alive.pid},
            {"name": "strategy", "statename": "STOPPED", "pid": 0},
        ]
        watch = Listener(config, Supervisor(rows))
        for name in ("feed", "monitor", "strategy"):
            Path(f"run/{name}.beat").touch()
        for second in range(0, 40, 5):
            os.utime("run/monitor.beat", (second, second))
            watch.hear("TICK_5", "when:0", at(second))
        assert dead.wait(30) == -9
        assert alive.poll() is None
        alive.kill()


def test_who_holds_no_money_is_tried_again_after_a_minute(config: Config) -> None:
    supervisor = Supervisor([])
    watch = Listener(config, supervisor)
    for name in ("feed", "strategy"):
        payload = f"processname:{name} groupname:{name} from_state:BACKOFF"
        watch.hear("PROCESS_STATE_FATAL", payload, at(0))
    watch.hear("TICK_5", "when:0", at(59))
    assert supervisor.started == []
    watch.hear("TICK_5", "when:0", at(60))
    watch.hear("TICK_5", "when:0", at(65))
    assert supervisor.started == ["feed"]


class Gone:
    def getAllProcessInfo(self) -> list[dict[str, Any]]:  # noqa: N802 - supervisord's name
        raise ConnectionRefusedError


def test_a_supervisord_that_does_not_answer_ends_nothing(config: Config) -> None:
    watch = Listener(config, Gone())
    watch.hear("TICK_5", "when:0", at(0))
