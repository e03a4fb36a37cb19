"""The `icryptotrader` command line, as processes: what people see, and the exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app


def call(*args: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    place = ["--home", str(home)] if home else []
    return subprocess.run(
        [sys.executable, "-m", "icryptotrader", *place, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "args", [(), ("run",), ("check-capture",), ("lots",), ("config",), ("config", "check")]
)
def test_help_reads_at_every_level(args: tuple[str, ...]) -> None:
    done = call(*args, "--help")
    assert done.returncode == 0
    assert "Usage: " in done.stdout


def test_the_version_is_said() -> None:
    assert call("--version").stdout.startswith("icryptotrader 0.")


def test_an_unknown_command_is_usage() -> None:
    assert call("fly").returncode == 2


def test_the_default_configuration_is_in_order(tmp_path: Path) -> None:
    done = call("config", "check", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "The configuration is in order.\n")


def test_faults_of_the_configuration_are_lines_and_no_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('pair = 3\n[grid]\nlevels = "many"\n')
    done = call("config", "check", "--config", str(bad), home=tmp_path)
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("demo", 'market = "nowhere.csv"'),
        ("limits", 'hard_caps_file = "nowhere.toml"'),
    ],
)
def test_a_file_that_is_named_and_not_there_is_a_fault(
    tmp_path: Path, section: str, line: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(f"[{section}]\n{line}\n")
    done = call("config", "check", "--config", str(bad), home=tmp_path)
    assert done.returncode == 78
    (fault,) = done.stderr.splitlines()
    assert fault.startswith(f"{bad}:2: {section}.{line.partition(' ')[0]}: ")
    assert "nowhere" in fault


def test_a_run_that_cannot_start_says_why_and_starts_nothing(tmp_path: Path) -> None:
    done = call("run", "--market", "nowhere.csv", home=tmp_path)
    assert done.returncode == 78
    assert "no such file" in done.stderr
    assert not (tmp_path / "log" / "supervisord.log").exists()


def test_a_speed_beyond_the_limit_is_usage(tmp_path: Path) -> None:
    assert call("run", "--speed", "21", home=tmp_path).returncode == 2


def test_lots_without_a_ledger_says_so(tmp_path: Path) -> None:
    done = call("lots", home=tmp_path)
    assert done.returncode == 1
    assert "no ledger yet" in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ledger", "backup"), "there is no ledger in"),
        (("ledger", "import", "nope.csv"), "nope.csv: No such file or directory"),
        (("ledger", "restore", "latest"), "there is no backup in"),
        (("caps", "accept", "why"), "there is no ledger yet"),
        (("drill", "kill"), "no house runs in"),
    ],
)
def test_a_home_without_a_house_is_said_in_a_line(
    tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    result = CliRunner().invoke(app, [*command, "--home", str(tmp_path / "none")])
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_fault_of_ours_is_one_line_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").mkdir()
    done = call("lots", home=tmp_path)
    assert done.returncode in (1, 70)
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
