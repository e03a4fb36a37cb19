"""A monitor with a strategy that says what it is told to, and a browser that looks at its page."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from shared.bus import ControlServer
from shared.clock import Clock
from shared.control import AskTax, Reply, decode_request, encode_reply
from shared.frames import encode, topic
from tests.e2e import browser as chromium
from tests.unit.monitor.frames import alert, beat, book, instrument, status
from tests.unit.monitor.test_process import House, wait

NEEDS_BROWSER = pytest.mark.skipif(
    not (chromium.CHROMIUM and chromium.DRIVER), reason=chromium.WHY_NOT
)

SHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder for pictures to look at; "" for none."""

NO_LOTS: dict[str, Any] = {
    "currency": "EUR", "year": 2026, "gain": "0", "gain_free": "0", "gain_taxable": "0",
    "freigrenze": "1000", "room": "1000", "tax": "0.00", "gain_after_tax": "0.00",
    "gain_all_years": "0", "lots": 0, "total": "0.00000000", "free": "0.00000000",
    "resting_sells": "0.00000000", "taxable_at_risk": "0.00000000", "ages": [], "unlocks": [],
    "oldest": [],
}  # fmt: skip
MANY_LOTS = NO_LOTS | {
    "lots": 5000,
    "total": "12.50000000",
    "free": "3.10000000",
    "gain": "812.34",
    "gain_taxable": "120.10",
    "room": "879.90",
    "gain_after_tax": "812.34",
    "ages": [
        ("0-29", 900, "2.25"), ("30-89", 1100, "2.75"),
        ("90-179", 1000, "2.5"),
        ("180-329", 800, "1.9"), ("330+", 1200, "3.1"),
    ],
    "unlocks": [(f"2027-01-{day:02}", "0.0025") for day in range(1, 29)],
    "oldest": [
        {"acquired": "2025-01-01", "left": "0.00250000", "cost": "212.50", "currency": "EUR",
         "free_from": "2026-01-06", "days_to_go": 0, "free": True},
    ] * 60,
}  # fmt: skip


class Strategy(threading.Thread):
    """Stands in for the strategy and the feed on the bus: says what it is told to, and listens."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.said: dict[str, Any] = {}
        self.tax = MANY_LOTS
        self.heard: list[Any] = []
        self.silent = False
        self.no_feed = False
        self._stop_asked = threading.Event()
        self._house = house
        self._feed = house.publisher("feed.pub")
        self._bus = house.publisher("strategy.pub")

    def run(self) -> None:
        asyncio.run(self._live())

    def end(self) -> None:
        self._stop_asked.set()
        self.join(10)

    async def _live(self) -> None:
        path = self._house.home.run / "strategy.ctl"
        server = ControlServer(asyncio.get_running_loop(), path, self._on_request)
        seq = 1
        try:
            while not self._stop_asked.is_set():
                seq += 1
                if not self.silent:
                    self._say(seq)
                await asyncio.sleep(0.2)
        finally:
            server.close()

    def _say(self, seq: int) -> None:
        now = Clock().now()
        for kind, frame in (
            ("a", instrument(seq=seq)), ("b", book(heard_at=now, seq=seq)),
            ("c", beat(heard_at=now, seq=seq)),
        ):  # fmt: skip
            if not self.no_feed:
                self._feed.send(topic("feed" + kind), encode(frame))
        self._bus.send(topic("status"), encode(status(seq=seq, **self.said)))
        if seq % 10 == 0:
            evil = replace(alert("x", "<script>document.title='owned'</script>"), seq=seq)
            self._bus.send(topic("alert"), encode(evil))

    def _on_request(self, payload: bytes, reply: Callable[[bytes], None]) -> None:
        request = decode_request(payload)
        assert request is not None
        if isinstance(request, AskTax):
            reply(encode_reply(Reply(request.request_id, True, "lots", self.tax)))
            return
        self.heard.append(request)
        reply(encode_reply(Reply(request.request_id, True, "it was done")))


class Scene:
    """A monitor, a strategy that can be told what to say, and a browser that is signed in."""

    def __init__(self, house: House, strategy: Strategy, chrome: Any) -> None:
        self.house = house
        self.strategy = strategy
        self.chrome = chrome
        self.url = f"http://127.0.0.1:{house.web}"
        self.token = (house.home.data / "dashboard_token").read_text().strip()

    def text(self) -> str:
        """What stands on the page; "" between two pages."""
        try:
            return str(self.chrome.find_element(By.TAG_NAME, "body").text)
        except WebDriverException:
            return ""

    def leave_by(self, press: Callable[[], None]) -> None:
        """Do what loads another page, and wait until the present one is gone."""
        self.chrome.execute_script("window.left = true;")
        press()
        ready = "return !window.left && document.readyState === 'complete';"
        # While one page makes way for the next, the driver may fail in several ways.
        waiting = WebDriverWait(self.chrome, 20, 0.1, [WebDriverException])
        waiting.until(lambda chrome: chrome.execute_script(ready))

    def wait_for(self, what: str) -> None:
        give_up = time.monotonic() + 30
        while what not in self.text():
            assert time.monotonic() < give_up, self.text()
            time.sleep(0.1)

    def shoot(self, name: str) -> None:
        if SHOTS:
            chromium.shoot(self.chrome, Path(SHOTS) / f"{name}.png")


@contextmanager
def opened(folder: Path) -> Iterator[Scene]:
    """A scene of its own in this folder, on a desktop's screen; at its end no fault was shown."""
    house = House(folder / "home")
    strategy = Strategy(house)
    strategy.start()
    house.start()
    try:
        wait(lambda: httpx.get(f"http://127.0.0.1:{house.web}").status_code == 401)
        with chromium.browser(folder / "profile") as chrome:
            chromium.set_size(chrome, chromium.DESKTOP)
            made = Scene(house, strategy, chrome)
            chrome.get(f"{made.url}/?token={made.token}")
            yield made
            assert chromium.faults(made.chrome) == []
    finally:
        strategy.end()
        house.end()


def wait_until(scene: Scene, holds: Callable[[], bool], told: Callable[[], str]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, told()
        time.sleep(0.2)
