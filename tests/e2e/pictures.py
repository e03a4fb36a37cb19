"""The pictures of the README, taken of a real paper house: `make pictures`.

Rule 1: nothing in them is made up: a house trades, a browser looks. They change with the product
when this is run again; tests/house/test_docs.py holds their number and size.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from shared.config import load
from tests.e2e import browser as chromium
from tests.e2e.harness import House

FILLS: Final = 14
"""So many own fills, the four opening lots among them, make a chart worth a look."""

PATIENCE_S: Final = 240.0
DESKTOP: Final = (1280, 1180)
PHONE: Final = (375, 1000)
SCALE: Final = 0.7


def main(folder: Path) -> int:
    """Write the pictures; 1 where there is no browser."""
    if not (chromium.CHROMIUM and chromium.DRIVER):
        sys.stderr.write(f"{chromium.WHY_NOT}\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        with House(place, args=("--speed", "5")) as house:
            house.wait_for_fills(FILLS, PATIENCE_S)
            token = (house.home.data / "dashboard_token").read_text().strip()
            port = load(house.home).web.port
            with chromium.browser(place / "profile") as chrome:
                chrome.get(f"http://127.0.0.1:{port}/?token={token}")
                WebDriverWait(chrome, 60).until(
                    lambda page: (
                        page.find_elements(By.CSS_SELECTOR, "[data-plot^=price][data-drawn]")
                        and page.find_elements(By.CSS_SELECTOR, "[data-plot=ages][data-drawn]")
                    )
                )
                _take(chrome, folder)
            house.stop()
    return 0


def _take(chrome: webdriver.Chrome, folder: Path) -> None:
    chromium.set_theme(chrome, "light")
    _shoot(chrome, DESKTOP, folder / "dashboard.png")
    _shoot(chrome, DESKTOP, folder / "lots.png", "[data-part=lots]")
    chromium.set_theme(chrome, "dark")
    _shoot(chrome, PHONE, folder / "phone.png")


def _shoot(chrome: webdriver.Chrome, size: tuple[int, int], path: Path, part: str = "") -> None:
    """The top of the page of this size, or a part of the page."""
    chromium.set_size(chrome, size)
    clip: dict[str, Any] = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
    if part:
        box = chrome.execute_script(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [b.y + scrollY, b.height];",
            part,
        )
        clip |= {"y": box[0] - 8, "height": box[1] + 8}
    found = chrome.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip | {"scale": SCALE}}
    )
    path.write_bytes(base64.b64decode(found["data"]))
    sys.stdout.write(f"{path}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
