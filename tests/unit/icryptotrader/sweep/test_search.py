"""A search over settings: a checked space, repeatable batches, and a future it has not seen."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from icryptotrader.cli import app
from icryptotrader.sweep import runners
from icryptotrader.sweep.search import BATCH, Fold, Search, deflated, sweep, told
from icryptotrader.sweep.space import Range, read_space, with_settings
from shared.config import Config, ConfigError, Home, load
from sim.backtest.parts import Terms
from sim.backtest.tables import DataError

pytest.importorskip("optuna", reason="the extra `search` is not installed")

T0 = 1_700_000_040
SPACE = """
"grid.levels" = [1, 3]
"grid.min_spacing_bps" = { low = 40, high = 120, step = 20 }
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    rows = []
    for n in range(90):
        price = 30_000 + 400 * math.sin(n / 3)
        rows.append(f"{T0 + n * 60},{price:.1f},{price + 30:.1f},{price - 30:.1f},{price:.1f},1")
    path = tmp_path / "tape.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(Home(tmp_path / "home"))


def search(tape: Path, config: Config, **more: object) -> Search:
    space_file = tape.with_suffix(".toml")
    space_file.write_text(SPACE)
    settings: dict[str, object] = {
        "data": (tape,), "config": config, "terms": Terms(maker=1200, taker=2500),
        "space": read_space(space_file, config), "trials": 3, "folds": 2,
        "tax_rate": Decimal("0.42"), "rates": None,
    }  # fmt: skip
    return Search(**(settings | more))  # type: ignore[arg-type]


def test_each_fold_is_judged_on_what_it_has_not_seen(tape: Path, config: Config) -> None:
    folds = sweep(search(tape, config), lambda text: None)
    assert len(folds) == 2
    for fold in folds:
        assert fold.trials == 3
        assert fold.train[1] == fold.test[0]
        assert set(fold.chosen) == {"grid.levels", "grid.min_spacing_bps"}
        assert fold.deflated <= fold.inside.gain
    assert all(a.test[1] == b.test[0] for a, b in pairwise(folds))
    text = "\n".join(told(folds))
    assert "in sample" in text
    assert "out of sample" in text
    assert "after 6 trials" in text


def test_the_number_of_processes_changes_nothing(tape: Path, config: Config) -> None:
    def found(jobs: int) -> list[Fold]:
        return sweep(search(tape, config, jobs=jobs), lambda text: None)

    assert found(1) == found(2)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    told = tmp_path / "scheduler.json"
    words = [sys.executable, "-m", "dask"]
    here = ["--no-dashboard", "--scheduler-file", str(told)]
    folder = str(tmp_path / "work")
    begun: list[subprocess.Popen[bytes]] = []

    def start(*more: str) -> None:
        begun.append(
            subprocess.Popen(
                [*words, *more, *here], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        for _ in range(2):
            start("worker", "--no-nanny", "--nthreads", "1", "--local-directory", folder)
        deadline = time.monotonic() + 120
        while not told.exists() or not told.read_bytes().endswith(b"}"):
            assert time.monotonic() < deadline, "the scheduler does not come up"
            time.sleep(0.1)
        yield json.loads(told.read_bytes())["address"]
    finally:
        for process in begun:
            process.kill()
            process.wait()


def test_a_cluster_of_several_processes_finds_what_this_machine_finds(
    tape: Path, config: Config, cluster: str
) -> None:
    here = sweep(search(tape, config), lambda text: None)
    assert sweep(search(tape, config, dask=cluster), lambda text: None) == here


def test_a_cluster_that_is_not_there_is_named(
    tape: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    monkeypatch.setattr(runners, "CONNECT_S", 0.5)
    with pytest.raises(DataError, match="no scheduler answers"):
        sweep(search(tape, config, dask="tcp://127.0.0.1:1"), lambda text: None)


def test_a_search_goes_on_where_it_stood(tape: Path, config: Config, tmp_path: Path) -> None:
    kept = tmp_path / "trials.journal"
    sweep(search(tape, config, storage=kept, folds=1, trials=2), lambda text: None)
    lines: list[str] = []
    folds = sweep(search(tape, config, storage=kept, folds=1, trials=4), lines.append)
    assert folds[0].trials == 4
    assert lines == ["fold 1: 4 of 4 trials"]


def test_an_interrupted_search_finds_what_an_uninterrupted_one_finds(
    tape: Path, config: Config, tmp_path: Path
) -> None:
    kept = tmp_path / "trials.journal"
    whole = sweep(search(tape, config, folds=1, trials=BATCH + 1), lambda text: None)

    def interrupts(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(search(tape, config, storage=kept, folds=1, trials=BATCH + 1), interrupts)
    again = sweep(search(tape, config, storage=kept, folds=1, trials=BATCH + 1), lambda text: None)
    assert again == whole


def test_trials_of_another_search_are_not_mixed_with_it(
    tape: Path, config: Config, tmp_path: Path
) -> None:
    kept, other = tmp_path / "trials.journal", tmp_path / "other.csv"
    other.write_text(tape.read_text().replace("30000.0", "30001.0"))
    sweep(search(tape, config, storage=kept, folds=1, trials=1), lambda text: None)
    for more, named in (
        ({"data": (other,)}, "data"),
        ({"space": {"grid.levels": (2, 4)}}, "space"),
        ({"tax_rate": Decimal("0.3")}, "tax"),
        ({"terms": Terms(maker=2500, taker=4000)}, "settings"),
    ):
        with pytest.raises(DataError, match=f"other {named}: give this one its own file"):
            sweep(search(tape, config, storage=kept, folds=1, trials=1, **more), lambda text: None)
    kept.write_bytes(b"\x95 no file of trials")
    with pytest.raises(DataError, match="not a file of kept trials"):
        sweep(search(tape, config, storage=kept, folds=1, trials=1), lambda text: None)


def test_names_may_stand_without_quotes_and_in_tables(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    quoted = read_space(path, config)
    path.write_text(SPACE.replace('"', ""))
    assert read_space(path, config) == quoted
    path.write_text("[grid]\n" + SPACE.replace('"', "").replace("grid.", ""))
    assert read_space(path, config) == quoted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no setting"),
        ("x", "tape.toml"),
        ('"grid.height" = [1]', "no such setting"),
        ('"grid" = [1]', "a table"),
        ('"grid.levels" = []', "empty list"),
        ('"grid.levels" = [99]', "<= 20"),
        ('"grid.levels" = { low = 5, high = 5 }', "low must be below high"),
        ('"grid.levels" = { low = 0, high = 5, log = true }', "low above 0"),
        ('"grid.levels" = { low = 1 }', "high"),
        ('"grid.levels" = { low = 1, high = 5, step = 0 }', "step must be above 0"),
        ("[grid]\nheight = [1]", "no such setting"),
    ],
)
def test_a_faulty_space_is_told_before_any_run(
    text: str, why: str, tmp_path: Path, config: Config
) -> None:
    path = tmp_path / "tape.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_space(path, config)
    assert any(why in fault for fault in caught.value.faults), caught.value.faults


def test_settings_reach_the_tables_within_tables(config: Config) -> None:
    found = with_settings(
        config, {"regime.range_bound.btc_max_pct": 0.7, "grid.min_spacing_bps": 45}
    )
    assert found.regime.range_bound.btc_max_pct == 0.7
    assert found.grid.min_spacing_bps == Decimal(45)
    assert isinstance(Range(1, 2), Range)


@given(st.lists(st.floats(-0.9, 5.0), min_size=2, max_size=40))
def test_luck_is_only_ever_taken_off(gains: list[float]) -> None:
    assert deflated(gains) <= max(gains)
    assert deflated([gains[0]]) == gains[0]


def test_the_command_tells_and_writes(tape: Path, tmp_path: Path) -> None:
    space, out = tmp_path / "space.toml", tmp_path / "out.json"
    space.write_text(SPACE)
    words = ["--space", str(space), "--data", str(tape), "--trials", "1", "--folds", "1"]
    home = ["sweep", "--home", str(tmp_path / "home"), "--pair", "BTC/EUR"]
    found = CliRunner().invoke(app, [*home, *words, "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "out of sample" in found.output
    [fold] = json.loads(out.read_bytes())
    page = out.with_suffix(".html").read_text()
    assert page.startswith("<!doctype html>")
    assert " src=" not in page  # nothing to fetch
    for text in (
        "grid.min_spacing_bps",
        f"{fold['outside']['gain']:+.2%}",
        "after 1 trials",
        "tape.csv",
    ):
        assert text in page, text
    assert page.count('data-plot="') == 2
    found = CliRunner().invoke(app, [*home, *words, "--fill", "queue"])
    assert (found.exit_code, found.output.count("\n")) == (2, 1)
    assert "bars do not say" in found.output
    found = CliRunner().invoke(app, [*home, *words, "--out", str(tape / "out.json")])
    assert found.exit_code == 1
    assert "name a folder" in found.output
    found = CliRunner().invoke(app, [*home, *words[:-1], "40"])
    assert found.exit_code == 2
    assert "too little data" in found.output
