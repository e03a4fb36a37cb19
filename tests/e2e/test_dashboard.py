"""The dashboard in a real browser: each state of the strategy, both sizes, both themes, actions."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from shared.bus import ControlServer
from shared.clock import Clock
from shared.control import AskTax, Reply, decode_request, encode_reply
from shared.frames import encode, topic
from tests.e2e import browser as chromium
from tests.unit.monitor.frames import alert, beat, book, fill, instrument, slot, status
from tests.unit.monitor.test_process import House, wait

pytestmark = pytest.mark.skipif(
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


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    house = House(tmp_path_factory.mktemp("board") / "home")
    strategy = Strategy(house)
    strategy.start()
    house.start()
    try:
        wait(lambda: httpx.get(f"http://127.0.0.1:{house.web}").status_code == 401)
        with chromium.browser(tmp_path_factory.mktemp("profile")) as chrome:
            made = Scene(house, strategy, chrome)
            chrome.get(f"{made.url}/?token={made.token}")
            yield made
            assert chromium.faults(made.chrome) == []
    finally:
        strategy.end()
        house.end()


STATES: dict[str, dict[str, Any]] = {
    "trades": {},
    "paused": {
        "pause": "RISK_PAUSE_ACTIVE",
        "drawdown_pct": 0.163,
        "alerts": (("error", "drawdown of 16.3 %: risk pause"),),
    },
    "held": {"hold": True, "orders": 0},
    "halted": {"phase": "halted", "orders": 0, "waits_for": ("halted: too many rejects",)},
    "locked": {"pause": "TAX_LOCK_ACTIVE", "regime": "chaos", "hold": False},
    "drifting": {"drift": "0.01000000", "foreign_orders": 2, "switch_left_s": 9.0},
}
VERDICTS = {
    "trades": "Trading, 3 orders in the book.",
    "paused": "Trading is limited",
    "held": "On hold by the operator.",
    "halted": "Halted: nothing is quoted",
    "locked": "no coin may be sold free of tax yet",
    "drifting": "Coins do not agree",
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_said_at_both_sizes_and_in_both_themes(scene: Scene, name: str) -> None:
    scene.strategy.said = STATES[name]
    scene.wait_for(VERDICTS[name])
    for size in (chromium.PHONE, chromium.DESKTOP):
        chromium.set_size(scene.chrome, size)
        for theme in ("light", "dark"):
            chromium.set_theme(scene.chrome, theme)
            scene.shoot(f"{name}-{size[0]}-{theme}")
            assert chromium.overflow(scene.chrome) <= 0, "the page is wider than the screen"
            assert chromium.faults(scene.chrome) == []
            if (size is chromium.PHONE) == (theme == "light"):
                assert chromium.barriers(scene.chrome) == []


def test_no_lots_and_five_thousand_lots(scene: Scene) -> None:
    scene.strategy.said = {}
    scene.wait_for("lots: 5000")
    charts = {"ages", "unlocks"}
    wait_until(scene, lambda: charts <= set(drawn(scene)), lambda: str(drawn(scene)))
    scene.chrome.execute_script(
        "const s = document.querySelector('[data-part=lots] summary'); s.focus(); s.click();"
    )
    time.sleep(2.5)  # The part is pushed anew meanwhile: what was opened stays open.
    # In one script each: between two questions of the driver the part may be a new one.
    opened = "return document.querySelector('[data-part=lots] details').open"
    assert scene.chrome.execute_script(opened)
    assert scene.chrome.execute_script("return document.activeElement.tagName") == "SUMMARY"
    chromium.set_size(scene.chrome, chromium.PHONE)
    scene.shoot("many-lots-375")
    assert chromium.overflow(scene.chrome) <= 0
    scene.strategy.tax = NO_LOTS
    scene.strategy.said = {"fills": 99}  # New fills: the overview is asked for again, soon.
    scene.wait_for("No lots.")
    scene.strategy.said = {}
    chromium.set_size(scene.chrome, chromium.DESKTOP)


def test_the_charts_are_drawn_and_go_on_while_they_are_zoomed(scene: Scene) -> None:
    scene.strategy.said = {"last_fills": (fill(1), fill(2))}
    names = {"price BTC/EUR", "equity"}
    wait_until(scene, lambda: names <= set(drawn(scene)), lambda: str(drawn(scene)))
    assert drawn(scene)["price BTC/EUR"][:4] == ["buy orders", "sell orders", "anchor", "price"]
    count = (
        "return document.querySelector('[data-plot=equity]').data"
        ".find((t) => t.name === 'equity').x.length"
    )
    before = scene.chrome.execute_script(count)
    zoom = "[data-plot=equity] .modebar-btn[aria-label='Zoom in']"
    scene.chrome.execute_script(
        "const b = document.querySelector(arguments[0]); b.focus(); b.click();", zoom
    )
    zoomed = shown_range(scene)
    # New samples come in: the curve grows, the zoom and the keyboard's place stay.
    wait_until(scene, lambda: scene.chrome.execute_script(count) > before, scene.text)
    assert shown_range(scene) == zoomed
    focused = "return document.activeElement.matches(arguments[0])"
    assert scene.chrome.execute_script(focused, zoom)
    scene.shoot("charts")
    assert chromium.barriers(scene.chrome) == []


def test_charts_take_the_colours_of_the_theme(scene: Scene) -> None:
    def ink() -> str:
        return str(
            scene.chrome.execute_script(
                "const n = document.querySelector('[data-plot=equity] .xtick text');"
                "return n ? getComputedStyle(n).fill : '';"
            )
        )

    def has(colour: str) -> bool:
        return ink() == colour

    for theme, colour in (("dark", "rgb(163, 173, 185)"), ("light", "rgb(85, 96, 109)")):
        chromium.set_theme(scene.chrome, theme)
        wait_until(scene, partial(has, colour), ink)


def test_without_a_script_the_page_tells_all_of_it(scene: Scene) -> None:
    scene.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        scene.chrome.get(scene.url)
        for told in ("BTC/EUR: price", "equity 24,753.21, drawdown", "As a table"):
            scene.wait_for(told)
        scene.shoot("no-script")
    finally:
        scene.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    scene.chrome.get(scene.url)


def test_a_strategy_that_is_down_is_said_and_its_return_too(scene: Scene) -> None:
    scene.strategy.said = {}
    scene.wait_for("Trading, 3 orders")
    scene.strategy.silent = True
    scene.wait_for("Start the bot")
    scene.wait_for("Last known state; it is old.")
    scene.wait_for("the exchange cancels them by itself in")
    scene.shoot("down")
    assert chromium.barriers(scene.chrome) == []
    scene.strategy.silent = False
    scene.wait_for("Trading, 3 orders")


def test_a_stale_feed_is_said_and_its_return_too(scene: Scene) -> None:
    scene.strategy.said = {"feed_age_s": 12.0, "orders": 0, "waits_for": ("market data",)}
    scene.strategy.no_feed = True
    scene.wait_for("nothing new is quoted")
    scene.wait_for("See why the feed is silent: icryptotrader doctor")
    scene.shoot("stale-feed")
    assert chromium.barriers(scene.chrome) == []
    scene.strategy.no_feed = False
    scene.strategy.said = {}
    scene.wait_for("Trading, 3 orders")


def test_german_is_spoken_and_kept(scene: Scene) -> None:
    scene.chrome.get(f"{scene.url}/?lang=de")
    scene.wait_for("Ist mein Geld sicher?")
    assert scene.chrome.find_element(By.TAG_NAME, "html").get_attribute("lang") == "de"
    scene.chrome.get(scene.url)
    scene.wait_for("Was muss ich tun?")
    scene.shoot("german")
    assert chromium.barriers(scene.chrome) == []
    chromium.set_size(scene.chrome, chromium.PHONE)
    assert chromium.overflow(scene.chrome) <= 0
    chromium.set_size(scene.chrome, chromium.DESKTOP)
    scene.chrome.get(f"{scene.url}/?lang=en")
    scene.wait_for("What must I do?")


def test_an_action_needs_reason_and_word_and_reaches_the_strategy(scene: Scene) -> None:
    scene.chrome.get(scene.url)
    scene.strategy.heard.clear()
    act(scene, "hold", reason="holiday", word="no")
    scene.wait_for("The word was not typed; nothing was done.")
    assert scene.strategy.heard == []
    scene.chrome.get(scene.url)
    act(scene, "hold", reason="holiday", word="hold")
    scene.wait_for("it was done")
    scene.shoot("done")
    assert chromium.barriers(scene.chrome) == []
    (request,) = scene.strategy.heard
    assert (type(request).__name__, request.reason) == ("Hold", "dashboard: holiday")
    for name, word, kind in (
        ("resume", "resume", "Resume"), ("cancel-all", "cancel", "CancelOrders"),
        ("kill", "kill", "Kill"),
    ):  # fmt: skip
        scene.chrome.get(scene.url)
        act(scene, name, reason="" if name == "cancel-all" else "drill", word=word)
        scene.wait_for("it was done")
        assert type(scene.strategy.heard[-1]).__name__ == kind


def test_text_from_outside_is_never_run(scene: Scene) -> None:
    """In an alert, a fill, a slot's reason, what it waits for, and a line of the log."""
    nasty = "<img src=x onerror=\"document.title='owned'\">"
    line = {"ts": "2026-05-28T20:00:00.000Z", "level": "info", "process": "feed", "event": nasty}
    with (scene.house.home.log / "feed.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    evil = slot("b1", "buy", "live", "84753.5", why=f"{nasty} in a reason")
    scene.strategy.said = {
        "slots": (evil,),
        "last_fills": (replace(fill(9), side=nasty, fee=nasty),),
        "alerts": (("error", f"{nasty} in an alert"),),
        "regime": nasty,
    }
    scene.chrome.get(scene.url)
    for where in (" in a reason", " in an alert"):
        scene.wait_for(nasty + where)
    scene.wait_for("<script>document.title='owned'</script>")
    assert scene.text().count(nasty) >= 5
    assert not scene.chrome.find_elements(By.CSS_SELECTOR, "img")
    assert scene.chrome.title == "iCryptoTrader"
    assert chromium.faults(scene.chrome) == []
    scene.strategy.said = {}


def test_it_can_be_used_with_the_keyboard_and_read_aloud(scene: Scene) -> None:
    scene.chrome.get(scene.url)
    body = scene.chrome.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert "#actions" in str(scene.chrome.switch_to.active_element.get_attribute("href"))
    assert walk_with_tab(scene, 9) == []
    bare = scene.chrome.execute_script(
        """
        const named = (n) => n.labels?.length || n.getAttribute("aria-label")
          || n.textContent.trim();
        const all = "input:not([type=hidden]),button,a,summary,svg[role=img]";
        return [...document.querySelectorAll(all)].filter((n) => !named(n))
          .map((n) => n.outerHTML);"""
    )
    assert bare == []
    levels = scene.chrome.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3')].map((n) => +n.tagName[1]);"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    twice = scene.chrome.execute_script(
        """const ids = [...document.querySelectorAll("[id]")].map((n) => n.id);
        return ids.filter((id, at) => ids.indexOf(id) !== at);"""
    )
    assert twice == []
    captions = scene.chrome.execute_script(
        "return [...document.querySelectorAll('table')].map((t) => !!t.querySelector('caption'));"
    )
    assert captions
    assert all(captions)
    assert scene.chrome.find_elements(By.CSS_SELECTOR, "[role=status]")


def test_what_is_typed_survives_the_pushes(scene: Scene) -> None:
    scene.chrome.get(scene.url)
    scene.chrome.find_element(By.XPATH, "//summary[text()='Hold']").click()
    field = scene.chrome.find_element(By.ID, "hold-reason")
    field.send_keys("half a sent")
    time.sleep(2.2)
    assert field.get_attribute("value") == "half a sent"
    assert scene.chrome.switch_to.active_element == field


def test_a_monitor_that_is_gone_is_said_on_the_open_page(scene: Scene) -> None:
    scene.chrome.get(scene.url)
    scene.wait_for("What must I do?")
    assert scene.house.process
    scene.house.process.kill()
    scene.house.process.communicate()
    scene.wait_for("The monitor does not answer")
    scene.house.start()
    wait(lambda: httpx.get(scene.url).status_code == 401)
    give_up = time.monotonic() + 30
    while "The monitor does not answer" in scene.text():
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_signing_out_ends_it_and_guessing_is_slowed(scene: Scene) -> None:
    scene.chrome.get(scene.url)
    scene.leave_by(scene.chrome.find_element(By.XPATH, "//button[text()='Sign out']").click)
    scene.wait_for("This page needs a token")
    scene.shoot("login")
    assert chromium.barriers(scene.chrome) == []
    for _ in range(6):
        field = scene.chrome.find_element(By.ID, "token")
        scene.leave_by(partial(field.send_keys, "guess", Keys.ENTER))
        scene.wait_for("This page needs a token")
    scene.wait_for("Too many tries")


def wait_until(scene: Scene, holds: Callable[[], bool], told: Callable[[], str]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, told()
        time.sleep(0.2)


def drawn(scene: Scene) -> dict[str, list[str]]:
    """The traces of each chart that is drawn, as the browser has them."""
    found = scene.chrome.execute_script(
        "return [...document.querySelectorAll('[data-drawn]')].map("
        "(n) => [n.dataset.plot, n.data.map((t) => t.name)]);"
    )
    return {name: traces for name, traces in found}


def shown_range(scene: Scene) -> list[str]:
    return list(
        scene.chrome.execute_script(
            "return document.querySelector('[data-plot=equity]').layout.xaxis.range.slice();"
        )
    )


def act(scene: Scene, name: str, *, reason: str, word: str) -> None:
    form = scene.chrome.find_element(By.CSS_SELECTOR, f"form[action='/act/{name}']")
    form.find_element(By.XPATH, "./ancestor::details/summary").click()
    if reason:
        form.find_element(By.NAME, "reason").send_keys(reason)
    field = form.find_element(By.NAME, "word")
    scene.leave_by(partial(field.send_keys, word, Keys.ENTER))


def walk_with_tab(scene: Scene, places: int) -> list[str]:
    """Where the focus cannot be seen on its way through the page.

    A push may draw a chart anew between two keys, which keeps the focus where it was: that key
    counts for nothing, the next one goes on.
    """
    found: dict[str, bool] = {}
    for _ in range(3 * places):
        told, style, width = scene.chrome.execute_script(
            "const n = document.activeElement, s = getComputedStyle(n);"
            "const chart = n.closest('[data-plot]')?.dataset.plot || '';"
            "return [chart + n.outerHTML.slice(0, 80), s.outlineStyle, s.outlineWidth];"
        )
        found[told] = style == "none" or width == "0px"
        if len(found) == places:
            break
        ActionChains(scene.chrome).send_keys(Keys.TAB).perform()
    assert len(found) == places, "the keyboard does not get on"
    return [told for told, hidden in found.items() if hidden]
