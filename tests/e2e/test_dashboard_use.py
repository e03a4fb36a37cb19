"""The dashboard in a real browser: what a person does at it, and what falls silent behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import httpx
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e import browser as chromium
from tests.e2e.board import NEEDS_BROWSER, Scene, opened
from tests.unit.monitor.test_process import wait

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("board")) as made:
        yield made


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
