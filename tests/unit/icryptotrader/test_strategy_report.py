"""The strategy over known histories: both halves, every variant, beside doing nothing."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from icryptotrader.strategy_report import CASES, VARIANTS, report
from shared.charts import script_file
from tests.unit.strategy.core.build import CONFIG

MINUTES = 180


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("data")
    rows = ["time,open,high,low,close,volume"]
    price = 9_000.0
    for minute in range(MINUTES):
        close = 9_000.0 * (1 + 0.01 * math.sin(minute / 7))
        high, low = max(price, close) * 1.0005, min(price, close) * 0.9995
        rows.append(f"{1_530_000_000 + 60 * minute},{price:.1f},{high:.1f},{low:.1f},{close:.1f},5")
        price = round(close, 1)
    (folder / CASES[0].file.removesuffix(".gz")).write_text("\n".join(rows))
    (folder / CASES[0].file).write_text("\n".join(rows))
    said: list[str] = []
    assert report(folder, CONFIG, folder / "out", None, said.append) == 0
    return folder / "out", said


def test_each_half_is_played_by_each_variant(made: tuple[Path, list[str]]) -> None:
    _, said = made
    for half in ("chosen on", "judged by"):
        for variant in VARIANTS:
            assert sum(half in line and f" {variant} " in line for line in said) == 1


def test_a_history_that_is_not_there_is_named(made: tuple[Path, list[str]]) -> None:
    assert sum("is not there, left out" in line for line in made[1]) == len(CASES) - 1


def test_net_is_grid_and_inventory(made: tuple[Path, list[str]]) -> None:
    for line in made[1]:
        if line.startswith(CASES[0].name) and "left out" not in line:
            net, grid, inventory = (float(cell) for cell in line[54:].split()[:3])
            assert net == pytest.approx(grid + inventory, abs=2.0)


def test_both_pages_are_written_and_the_page_has_a_plot(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    page = (out / "report.html").read_text()
    own = page.replace(script_file().read_text(encoding="utf-8"), "")
    assert own.count('class="draw"') == 2
    assert "http:" not in own
    (data,) = re.findall(r'id="figures">(.*?)</script>', own)
    for figure in json.loads(data).values():
        assert [trace["name"] for trace in figure["data"]] == ["left alone", *VARIANTS]
    assert "Avellaneda-Stoikov" in (out / "report.txt").read_text()


def test_without_any_history_it_says_so(tmp_path: Path) -> None:
    assert report(tmp_path, CONFIG, tmp_path / "out", None, lambda _: None) == 2
