"""The dashboard in a real browser: what it shows, at both sizes, in both themes and languages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from selenium.webdriver.common.by import By

from tests.e2e import browser as chromium
from tests.e2e.board import NEEDS_BROWSER, NO_LOTS, Scene, opened, wait_until
from tests.unit.monitor.frames import fill, slot

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("board")) as made:
        yield made


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
