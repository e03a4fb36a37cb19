"""Ctrl-C at the commands as processes: whenever it comes, one line and exit code 130."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ENDLESS = {
    # Console script: a command that does not end by itself.
    "icryptotrader": ["sweep", "--trials", "1000000"],
    "strategy_ctl": ["watch"],
}


@pytest.mark.parametrize(
    ("script", "loaded"),
    [
        ("icryptotrader", "typer"),
        ("icryptotrader", "icryptotrader.options"),
        ("icryptotrader", "icryptotrader.cli"),
        ("icryptotrader", "sim.backtest.data"),
        ("icryptotrader", "icryptotrader.sweep.command"),
        ("strategy_ctl", "shared.bus"),
        ("strategy_ctl", "strategy.ctl"),
    ],
)
def test_ctrl_c_is_one_line_whatever_is_being_loaded(
    tmp_path: Path, script: str, loaded: str
) -> None:
    (tmp_path / "bars.csv").write_text(
        "".join(f"{1_600_000_020 + n * 60},30000,30010,29990,30000,1\n" for n in range(400))
    )
    (tmp_path / "space.toml").write_text('"grid.levels" = [3, 5]\n')
    program = f"import icryptotrader.entry as entry; entry.{script}()"
    command = [*ENDLESS.get(script, []), "--home", str(tmp_path / "home")]
    if "sweep" in command:
        command += ["--data", str(tmp_path / "bars.csv"), "--space", str(tmp_path / "space.toml")]
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-c", program, *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[3],
    ) as process:  # fmt: skip
        assert process.stderr is not None and process.stdout is not None
        # Python names each module on a line of its own as soon as it is loaded.
        assert any(line.rpartition("|")[2].strip() == loaded for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        out = process.stdout.read()
    said = [line for line in rest.splitlines() if not line.startswith("import time:")]
    assert process.returncode == 130, rest
    assert [line.partition(";")[0] for line in [*out.splitlines(), *said]][-1:] == ["interrupted"]
    assert "Traceback" not in rest


SWALLOWS = """
import os, signal
from icryptotrader import entry
def load():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 9)
    except BaseException:
        pass  # as a module does that tries to import what may be absent
    return lambda: print("nobody heard it")
entry._run(load)
"""


def test_ctrl_c_is_heard_although_what_is_being_loaded_would_swallow_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS], capture_output=True, text=True, timeout=100, check=False,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_command_that_was_started_deaf_to_ctrl_c_stays_so(tmp_path: Path) -> None:
    """`command &` and nohup ask for that."""
    program = "import icryptotrader.entry as entry; entry.icryptotrader()"
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-c", program, "config", "check",
         "--home", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        cwd=Path(__file__).resolve().parents[3],
    ) as process:  # fmt: skip
        assert process.stderr is not None and process.stdout is not None
        assert any(line.rpartition("|")[2].strip() == "typer" for line in process.stderr)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.stdout.read() == "The configuration is in order.\n"
    assert process.returncode == 0
