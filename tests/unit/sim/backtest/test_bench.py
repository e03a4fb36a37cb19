"""The bench as `make bench` calls it: each engine's rate, ratios or 'not measured'."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
YEAR = ROOT.parent / "shared/data/market/bitfinex_btcusd_1m_2018.csv.gz"


def test_the_bench_tells_rates_fills_and_which_peer_is_absent() -> None:
    if not YEAR.exists():
        pytest.skip(f"{YEAR.name} beside the checkout is absent")
    done = subprocess.run(
        [sys.executable, "tests/bench/bench_backtest.py", "400"],
        capture_output=True, text=True, timeout=250, check=True, cwd=ROOT,
    )  # fmt: skip
    told = done.stdout
    assert told.count("rungs ") == 3
    assert told.count("ours, a quiet fortnight") == 4
    assert "fills, " in told
    assert "µs a bar" in told
    for name, module in (("backtesting.py", "backtesting"), ("nautilus_trader", "nautilus_trader")):
        if find_spec(module) is None:
            assert told.count(f"{name:42}not measured") == 3
        else:
            assert told.count(f"ratio to {name}") == 3
