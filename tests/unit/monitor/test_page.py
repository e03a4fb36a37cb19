"""The status page and its verdict: what a person reads in each state."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.page import body, login_page, page
from monitor.summary import summary, verdict
from monitor.view import View, hear
from shared.frames import AnyFrame
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import (
    NOW,
    WALL,
    alert,
    beat,
    book,
    fill,
    instrument,
    slot,
    status,
)

VOID = {"meta", "link", "input"}


class Balance(HTMLParser):
    """Fails where a tag is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] not in (["style"], ["script"]):
            self.text.append(data)


def read(document: str) -> str:
    parser = Balance()
    parser.feed(document)
    parser.close()
    assert parser.stack == []
    return " ".join(" ".join(parser.text).split())


def after(*frames: AnyFrame) -> View:
    view = View()
    for frame in frames:
        view = hear(view, frame, NOW, WALL)
    return view


FED = (instrument(), book(), beat())


@pytest.mark.parametrize(
    ("view", "later_s", "mood", "text"),
    [
        (View(), 0, "bad", "The strategy has not been heard yet."),
        (after(*FED, status()), 0, "good", "Trading, 3 orders in the book."),
        (after(*FED, status()), 12, "bad", "The strategy has been silent for 12 s."),
        (after(status()), 0, "bad", "The feed has not been heard yet: nothing new is quoted."),
        (after(*FED, status(phase="syncing")), 0, "waiting", "The strategy is syncing."),
        (after(*FED, status(phase="halted")), 0, "bad", "Halted: nothing is quoted"),
        (after(*FED, status(hold=True)), 0, "waiting", "On hold by the operator."),
        (after(*FED, status(waits_for=("a book", "the switch"))), 0, "waiting", "a book; the sw"),
        (after(*FED, status(pause="RISK_PAUSE_ACTIVE")), 0, "waiting", "RISK_PAUSE_ACTIVE"),
        (after(*FED, alert("x")), 0, "waiting", "has begun and has not told"),
    ],
)
def test_the_verdict_is_the_worst_that_is_known(
    view: View, later_s: int, mood: str, text: str
) -> None:
    found = verdict(view, Ns(NOW + later_s * SECOND))
    assert found.mood == mood
    assert text in found.text


def test_the_page_shows_what_is_going_on() -> None:
    shown = read(page(after(*FED, status(), alert("drift", "the balance drifts")), NOW, WALL))
    for text in (
        "2026-05-28 20:26:40 UTC",
        "Trading, 3 orders in the book.",
        "84999.0 / 85001.0",
        "47 s",
        "ACTIVE_TRADING",
        "cools down for 3 s after a reject",
        "24753.21",
        "0.15591716",
        "12 adds, 7 amends, 1 rejects",
        "2026-05-28 20:01:40",
        "the balance drifts",
        "510 good, 3 wrong",
    ):
        assert text in shown, text


def test_sells_stand_above_the_market_and_buys_below_by_price() -> None:
    shown = body(after(*FED, status()), NOW, WALL)
    places = [shown.index(f">{price}<") for price in ("85493.7", "85246.5", "84753.5")]
    assert places == sorted(places)
    assert places[1] < shown.index('class="mid"') < places[2]


def test_what_is_old_is_marked_as_old() -> None:
    late = Ns(NOW + 42 * SECOND)
    shown = body(after(*FED, status()), late, WALL)
    assert "The strategy has been silent for 42 s." in shown
    assert 'class="stale"' in shown
    assert "Last known, 42 s ago" in shown
    assert 'class="stale"' not in body(after(*FED, status()), NOW, WALL)


def test_a_book_that_is_not_valid_shows_no_price() -> None:
    pair = msgspec.structs.replace(status().pairs[0], bid="", ask="")
    view = after(*FED, book(valid=False, bids=(), asks=()), status(pairs=(pair,)))
    assert "no valid book" in read(body(view, NOW, WALL))


def test_an_unarmed_switch_is_said() -> None:
    assert "not armed" in body(after(status(switch_left_s=0.0)), NOW, WALL)


NASTY = '<script>alert("1")</script>&amp;\'"'


def test_no_text_from_outside_becomes_markup() -> None:
    nasty = status(
        system=NASTY,
        waits_for=(NASTY,),
        balances=((NASTY, NASTY),),
        slots=(slot(NASTY, NASTY, NASTY, NASTY, NASTY),),
        last_fills=(msgspec.structs.replace(fill(), time=NASTY, side=NASTY, price=NASTY),),
        counters=((NASTY, 1),),
        alerts=((NASTY, NASTY),),
        drift=NASTY,
        line=NASTY,
    )
    view = after(beat(note=NASTY, phase=NASTY), alert("k", NASTY, NASTY), nasty)
    shown = body(view, NOW, WALL)
    assert "<script" not in shown
    assert NASTY.split("&")[0] in read(shown)
    assert "<script>alert" not in login_page(NASTY, refused=True)


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=20), st.text(max_size=20), st.floats(0, 1e9), st.integers(-(10**12), 10**15)
)
def test_any_status_makes_a_whole_page(one: str, two: str, number: float, age: int) -> None:
    view = after(
        beat(note=one),
        status(phase=two, drift=one, equity=two, uptime_s=number, switch_left_s=number),
    )
    read(page(view, Ns(NOW + age), WALL))


def test_the_data_has_names_and_says_how_old_it_is() -> None:
    view = after(*FED, status(), alert("drift"))
    data = json.loads(msgspec.json.encode(summary(view, Ns(NOW + 5 * SECOND), WALL)))
    assert data["strategy"]["up"] is False
    assert data["strategy"]["silent_s"] == 5.0
    assert data["strategy"]["status"]["phase"] == "trading"
    assert data["strategy"]["status"]["slots"][0]["price"] == "85246.5"
    assert data["feed"]["beat"]["checksums"] == 510
    assert data["prices"] == [
        {
            "pair": "BTC/EUR",
            "bid": "84999.0",
            "ask": "85001.0",
            "valid": True,
            "why": "",
            "age_s": 5.0,
        }
    ]
    assert data["fills"][0]["price"] == "84500.0"
    assert data["alerts"][0]["key"] == "drift"


def test_before_anything_is_heard_the_data_says_so() -> None:
    data = json.loads(msgspec.json.encode(summary(View(), NOW, WALL)))
    assert data["strategy"] == {"up": False, "silent_s": None, "lives": 0, "status": None}
    assert data["prices"] == []
