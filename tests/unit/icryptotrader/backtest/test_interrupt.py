"""Ctrl-C at a real process: it ends between two rows and tells what it has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sim.backtest.apart import WORTH_IT

PRESSES = """
import os, signal
from sim.backtest.data import History
whole = History.bars
def bars(history):
    for number, row in enumerate(whole(history)):
        if number == {row}:
            os.killpg(os.getpgrp(), signal.SIGINT)  # as a terminal does
        yield row
History.bars = bars
from icryptotrader.cli import main
main()
"""


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(200, id="in one process"),
        pytest.param(WORTH_IT + 700, id="while the other walk goes on beside it"),
    ],
)
def test_ctrl_c_ends_a_run_and_the_report_says_so(row: int, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    rows = (f"{1_600_000_020 + n * 60},30000,30010,29990,30000,1" for n in range(row + 800))
    tape.write_text("\n".join(rows))
    done = subprocess.run(
        [sys.executable, "-c", PRESSES.format(row=row),
         "backtest", "--home", str(tmp_path / "home"), "--pair", "BTC/EUR",
         "--data", str(tape), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, timeout=100, check=False,
        start_new_session=True, cwd=Path(__file__).resolve().parents[4],
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stdout
    assert "Traceback" not in done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["whole"] is False
    assert row < report["rows"] < row + 300
