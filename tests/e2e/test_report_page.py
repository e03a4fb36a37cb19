"""A backtest's report in a real browser: opened from disk, it draws itself and asks nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from typer.testing import CliRunner

from icryptotrader.cli import app
from tests.e2e import browser as chromium

pytestmark = pytest.mark.skipif(
    not (chromium.CHROMIUM and chromium.DRIVER), reason=chromium.WHY_NOT
)

PLACES = ["equity", "drawdown", "price", "coins", "unlocks"]


def tape() -> str:
    """Minute bars that wander 3 % up and down."""
    rows, price = [], 30_000.0
    for n in range(120):
        then = 30_000.0 * (1 + 0.03 * ((n * 7) % 40 - 20) / 20)
        high, low = max(price, then) + 20, min(price, then) - 20
        rows.append(f"{1_700_000_040 + n * 60},{price},{high},{low},{then},3.5,9")
        price = then
    return "\n".join(rows)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    folder = tmp_path_factory.mktemp("report")
    (folder / "tape.csv").write_text(tape())
    words = ["backtest", "--home", str(folder / "home"), "--pair", "BTC/EUR"]
    words += ["--data", str(folder / "tape.csv"), "--out", str(folder / "out")]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    with chromium.browser(folder / "profile") as opened:
        opened.get((folder / "out" / "report.html").as_uri())
        wait(lambda: drawn(opened) == PLACES)
        yield opened


def test_it_draws_every_chart_and_asks_nobody(chrome: webdriver.Chrome) -> None:
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert chromium.faults(chrome) == []


def test_it_fits_and_can_be_read_at_both_sizes_and_in_both_themes(
    chrome: webdriver.Chrome,
) -> None:
    for size, theme in ((chromium.PHONE, "light"), (chromium.DESKTOP, "dark")):
        chromium.set_size(chrome, size)
        chromium.set_theme(chrome, theme)
        assert chromium.overflow(chrome) <= 0
        assert chromium.barriers(chrome) == []
    assert chromium.faults(chrome) == []


def test_charts_of_the_run_are_zoomed_together_and_back(chrome: webdriver.Chrome) -> None:
    whole = shown(chrome, "price")
    chrome.execute_script(
        "document.querySelector('[data-plot=equity] [aria-label=\"Zoom in\"]').click();"
    )
    wait(lambda: shown(chrome, "price") == shown(chrome, "equity") != whole)
    chrome.execute_script(
        "document.querySelector('[data-plot=coins] [aria-label=\"Reset axes\"]').click();"
    )
    wait(lambda: shown(chrome, "price") == shown(chrome, "equity") == whole)


def wait(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def drawn(chrome: webdriver.Chrome) -> list[str]:
    return list(
        chrome.execute_script(
            "return [...document.querySelectorAll('[data-drawn]')].map((n) => n.dataset.plot);"
        )
    )


def shown(chrome: webdriver.Chrome, place: str) -> list[float]:
    """The stretch of time a chart shows, in ms."""
    return list(
        chrome.execute_script(
            "const a = document.querySelector(arguments[0]).layout.xaxis;"
            "return a.range.map((at) => Math.round(a.r2l ? a.r2l(at) : new Date(at)));",
            f"[data-plot={place}]",
        )
    )
