"""supervisord.conf and deploy/: the order of the stop, the time limits, no open port."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

from icryptotrader import run

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = ("exchange", "feed", "strategy", "monitor")
MODULES: Final = {"exchange": "sim", "feed": "feed", "strategy": "strategy", "monitor": "monitor"}


def read_conf() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "supervisord.conf")
    return parser


def program(name: str) -> configparser.SectionProxy:
    return read_conf()[f"program:{name}"]


def default_settings() -> dict[str, dict[str, float]]:
    return tomllib.loads((ROOT / "config" / "default.toml").read_text(encoding="utf-8"))


def test_there_are_four_programs_and_no_group() -> None:
    sections = read_conf().sections()
    assert [s for s in sections if s.startswith("program:")] == [f"program:{n}" for n in PROGRAMS]
    assert not [s for s in sections if s.startswith("group:")]


def test_the_listener_hears_who_is_given_up_and_is_stopped_last() -> None:
    watch = read_conf()["eventlistener:watch"]
    assert watch["events"] == "PROCESS_STATE_FATAL,TICK_5"
    assert int(watch["priority"]) < int(program("exchange")["priority"])
    assert "redirect_stderr" not in watch, "its standard output is supervisord's"


def test_there_is_no_port() -> None:
    conf = read_conf()
    assert "inet_http_server" not in conf
    assert conf["unix_http_server"]["file"] == "run/supervisor.sock"
    assert conf["unix_http_server"]["chmod"] == "0600"


def test_what_is_stopped_first_is_started_last() -> None:
    """supervisord stops ungrouped programs by falling priority: the strategy before the feed."""
    priorities = [int(program(name)["priority"]) for name in PROGRAMS]
    assert priorities == sorted(priorities)
    assert len(set(priorities)) == len(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_its_package_with_assertions_on(name: str) -> None:
    command = program(name)["command"]
    assert f" -m {MODULES[name]} " in command
    assert not re.search(r"\s-O+\b", command)
    assert "PYTHONOPTIMIZE" not in (ROOT / "supervisord.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_crash_is_restarted_and_an_orderly_end_is_not(name: str) -> None:
    assert program(name)["autorestart"] == "unexpected"
    assert program(name)["exitcodes"] == "0"
    assert program(name)["stopsignal"] == "TERM"


def test_the_strategy_has_time_to_drain() -> None:
    limit = int(program("strategy")["stopwaitsecs"])
    assert limit >= 2 * default_settings()["time"]["drain_sec"]


def test_every_limit_is_above_what_it_holds() -> None:
    """Programs stop one after the other; `run` waits for all, and systemd for `run`."""
    programs = sum(int(program(name)["stopwaitsecs"]) for name in PROGRAMS)
    programs += int(read_conf()["eventlistener:watch"]["stopwaitsecs"])
    assert programs < run.STOP_LIMIT_S
    assert systemd_limit() > run.STOP_LIMIT_S


def test_what_a_program_prints_goes_to_a_file_of_bounded_size() -> None:
    for name in PROGRAMS:
        assert program(name)["stdout_logfile"] == "log/%(program_name)s.out"
        assert program(name)["stdout_logfile_maxbytes"] == "1MB"
        assert program(name).getboolean("redirect_stderr")


def test_files_are_the_owners_alone() -> None:
    assert read_conf()["supervisord"]["umask"] == "077"


@pytest.mark.parametrize("name", ["icryptotrader.service", "icryptotrader-backup.service"])
def test_a_service_is_locked_in(name: str) -> None:
    """systemd's own judgement, of ten: 2.0 at most."""
    judge = shutil.which("systemd-analyze")
    if judge is None:
        pytest.skip("systemd-analyze is not on this machine")
    unit = ROOT / "deploy" / name
    command = [judge, "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_a_faulty_configuration_is_not_tried_again_and_the_rest_not_too_often() -> None:
    """A refused `run --live` (78) stays down; a doctor without a network (1) may try again."""
    unit = (ROOT / "deploy" / "icryptotrader.service").read_text(encoding="utf-8")
    assert "RestartPreventExitStatus=78" in unit
    pause = re.search(r"^RestartSec=(\d+)$", unit, re.MULTILINE)
    assert pause
    assert int(pause[1]) >= 30


def test_every_alert_is_tried() -> None:
    folder = ROOT / "deploy"
    rules = re.findall(r"- alert: (\w+)", (folder / "alerts.yml").read_text(encoding="utf-8"))
    tried = (folder / "alerts_test.yml").read_text(encoding="utf-8")
    for name in rules:
        assert f"  - name: {name}\n" in tried, f"{name} never rings in alerts_test.yml"
        assert f"alertname: {name}, exp_alerts: []" in tried, f"{name} is never quiet there"
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not on this machine: the rules were not tried")
    command = [tool, "test", "rules", str(folder / "alerts_test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_runs_as_nobody_special_and_has_time_to_drain() -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER icryptotrader$", image, re.MULTILINE)
    assert "--require-hashes" in image
    compose = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    grace = re.search(r"stop_grace_period: (\d+)s", compose)
    assert grace
    assert int(grace[1]) > run.STOP_LIMIT_S
    for line in ("cap_drop: [ALL]", "read_only: true", "no-new-privileges:true"):
        assert line in compose


def systemd_limit() -> int:
    unit = (ROOT / "deploy" / "icryptotrader.service").read_text(encoding="utf-8")
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert found
    return int(found[1])
