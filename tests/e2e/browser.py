"""A headless Chromium of Debian, driven by selenium; None where there is none."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
WHY_NOT = "needs Debian's chromium and chromium-driver"

AXE = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")

PHONE = (375, 812)
DESKTOP = (1280, 1000)


@contextmanager
def browser(
    folder: Path, *, dark: bool = False, language: str = "en"
) -> Iterator[webdriver.Chrome]:
    """A fresh browser with its profile in the folder."""
    assert CHROMIUM
    assert DRIVER
    options = Options()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--lang={language}",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options, Service(DRIVER))
    try:
        made.set_script_timeout(20)
        yield made
    finally:
        made.quit()


def set_size(chrome: webdriver.Chrome, size: tuple[int, int]) -> None:
    """The viewport itself, smaller than a window may be."""
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600},
    )


def set_theme(chrome: webdriver.Chrome, theme: str) -> None:
    """light or dark, as the visitor's system says."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def shoot(chrome: webdriver.Chrome, path: Path) -> None:
    """The whole page as a picture."""
    found = chrome.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    path.write_bytes(base64.b64decode(found["data"]))


def overflow(chrome: webdriver.Chrome) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(
        chrome.execute_script("return document.documentElement.scrollWidth - window.innerWidth;")
    )


def barriers(chrome: webdriver.Chrome) -> list[str]:
    """What axe-core finds (WCAG A and AA, best practice), the contrast of every text included."""
    # Through the debugger: the page's own policy lets no foreign script in.
    chrome.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
    found = chrome.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[0]);"
    )
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def faults(chrome: webdriver.Chrome) -> list[str]:
    """Errors of scripts and of the policy in the console; a request that is refused is none."""
    return [
        row["message"]
        for row in chrome.get_log("browser")
        if row["level"] == "SEVERE" and row["source"] != "network"
    ]
