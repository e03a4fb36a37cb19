"""The status page and its verdict: what a person reads in each state."""

from __future__ import annotations

import json
import os
import re
import socket
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.advisor.seen import AdvisorSeen
from monitor.api import summary
from monitor.around import (
    Around,
    Fidelity,
    LotRow,
    ProcessSeen,
    TaxSeen,
    keep_log,
    read_fidelity,
    read_processes,
    read_tax,
)
from monitor.charts import figures
from monitor.page import login_page, page, parts
from monitor.summary import todo, verdict
from monitor.view import SAMPLE_EACH, SAMPLES_KEPT, RatesSeen, Told, View, Wire, hear
from monitor.watch import Concern
from monitor.words import GERMAN, Language, choose, words
from shared.frames import AnyFrame, FillView
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import (
    NOW,
    TAX,
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

AROUND = Around(
    tax=TAX,
    log=("a line of the log",),
    fidelity=Fidelity(0.971, 150_000_000, 3_000_000, 1_000_000, WALL),
)


def body(view: View, now: Ns, wall: Ns, language: Language = "en") -> str:
    return "".join(parts(view, AROUND, now, wall, language).values())


def whole(view: View, now: Ns, language: Language = "en") -> str:
    return page(view, AROUND, now, WALL, "csrf", language)


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
    shown = read(whole(after(*FED, status(), alert("drift", "the balance drifts")), NOW))
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
        "812.34 EUR",
        "879.90 EUR (of 1000)",
        "2027-01-01",
        "a line of the log",
    ):
        assert text in shown, text


def test_sells_stand_above_the_market_and_buys_below_by_price() -> None:
    shown = body(after(*FED, status()), NOW, WALL)
    places = [shown.index(f">{price}<") for price in ("85493.7", "85246.5", "84753.5")]
    assert places == sorted(places)
    assert places[1] < shown.index('class="mid"') < places[2]


def test_empty_slots_of_one_reason_stand_in_one_row() -> None:
    slots = (
        *(slot(f"s{n}", "sell", "empty", "", "no coins left") for n in (1, 2, 3)),
        slot("s4", "sell", "empty", "", "cools down"),
        slot("b1", "buy", "live", "84753.5"),
        slot("b2", "buy", "live", "84253.5"),
    )
    shown = read(body(after(*FED, status(slots=slots)), NOW, WALL))
    assert shown.count("no coins left") == 1
    assert "s1, s2, s3" in shown or "s3, s2, s1" in shown
    assert shown.count("rests in the book") == 2


def test_what_is_old_is_marked_as_old() -> None:
    late = Ns(NOW + 42 * SECOND)
    shown = body(after(*FED, status()), late, WALL)
    assert "The strategy has been silent for 42 s." in shown
    assert 'class="cards stale"' in shown
    assert "Last known state; it is old." in shown
    assert 'class="cards stale"' not in body(after(*FED, status()), NOW, WALL)


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
    assert "<script>alert" not in login_page(NASTY, "en", fault=NASTY, named=True)


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=20), st.text(max_size=20), st.floats(0, 1e9), st.integers(-(10**12), 10**15)
)
def test_any_status_makes_a_whole_page(one: str, two: str, number: float, age: int) -> None:
    view = after(
        beat(note=one),
        status(phase=two, drift=one, equity=two, uptime_s=number, switch_left_s=number),
    )
    read(whole(view, Ns(NOW + age)))


def test_the_data_has_names_and_says_how_old_it_is() -> None:
    view = after(*FED, status(), alert("drift"))
    data = json.loads(msgspec.json.encode(summary(view, AROUND, Ns(NOW + 5 * SECOND), WALL)))
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


def test_the_data_is_documented_key_by_key() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    told = [key for row in rows for key in re.findall("`(\\w+)`", row.split("|")[1])]
    top = list(summary(View(), Around(), NOW, WALL))
    assert sorted(told) == sorted([*top, *TaxSeen.__struct_fields__])
    for kind in (LotRow, ProcessSeen, RatesSeen, AdvisorSeen, Told, Concern, FillView, Wire):
        assert all(f"`{name}`" in page for name in kind.__struct_fields__), kind


def test_before_anything_is_heard_the_data_says_so() -> None:
    data = json.loads(msgspec.json.encode(summary(View(), Around(), NOW, WALL)))
    assert data["strategy"] == {"up": False, "silent_s": None, "lives": 0, "status": None}
    assert data["prices"] == []


def test_how_far_a_backtest_may_be_believed_stands_among_the_processes(tmp_path: Path) -> None:
    shown = read(body(View(), NOW, WALL))
    assert "Simulation against the market" in shown
    assert "97.1%" in shown
    assert "1.50000000" in shown
    path = tmp_path / "sim_fidelity.json"
    assert read_fidelity(path) is None
    path.write_text("{")
    assert read_fidelity(path) is None


def test_german_says_everything_that_english_says() -> None:
    """No word of ours is left in English: the German page has none of the keys of the table."""
    views = [after(*FED, status(**said)) for said in ({}, {"hold": True}, {"drift": "1"})]
    for view in [*views, View(), after(status(switch_left_s=3.0, foreign_orders=1))]:
        shown = read(whole(view, NOW, "de"))
        english = [text for text in GERMAN if len(text) > 14 and f" {text} " in f" {shown} "]
        assert english == []
    assert "Was muss ich tun?" in shown


def test_every_sentence_of_what_to_do_is_translated() -> None:
    said = {"drift": "1", "foreign_orders": 1, "switch_left_s": 3.0, "hold": True,
            "alerts": (("error", "x"),)}  # fmt: skip
    told = todo(after(status(**said)), NOW) + todo(View(), NOW)
    told += todo(after(*FED, status(phase="halted")), NOW)
    assert len(told) == 8
    assert all(text in GERMAN for text in told)


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("de", "en", "de"), ("en", "de", "en"), ("auto", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("auto", "en-US,de", "en"), ("auto", "", "en"), ("xx", "fr", "en"),
    ],
)  # fmt: skip
def test_which_language_is_spoken(asked: str, accepted: str, spoken: str) -> None:
    assert choose(asked, accepted) == spoken


def test_samples_are_bounded_and_reach_back() -> None:
    view = View()
    for step in range(2 * SAMPLES_KEPT + 10):
        view = hear(view, status(), NOW, Ns(WALL + step * SAMPLE_EACH))
        view = hear(view, status(), NOW, Ns(WALL + step * SAMPLE_EACH + 1))
    assert SAMPLES_KEPT / 2 <= len(view.samples) <= SAMPLES_KEPT
    assert view.samples[0].wall < WALL + 8 * SAMPLE_EACH
    assert view.samples[-1].wall == WALL + (2 * SAMPLES_KEPT + 9) * SAMPLE_EACH


def sampled(count: int, **changed: Any) -> View:
    """A view after so many samples, each one euro dearer and poorer than the one before."""
    view = View()
    for step in range(count):
        pair = msgspec.structs.replace(status().pairs[0], bid=f"{85000 + step}", ask="85100")
        told = {"equity": f"{24000 - step}", "drawdown_pct": step / 1000} | changed
        view = hear(view, status(pairs=(pair,), **told), NOW, Ns(WALL + step * SAMPLE_EACH))
    return view


@pytest.mark.parametrize("count", [0, 1, 2, 30])
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_figure_has_its_place_on_the_page_and_each_place_its_figure(
    count: int, language: Language
) -> None:
    view = sampled(count)
    places = re.findall(r'data-plot="([^"]+)"', body(view, NOW, WALL, language))
    drawn = figures(view, AROUND, words(language))
    assert places == list(drawn)
    assert len(places) == 2 * (count > 1) + 2


def test_the_figures_hold_price_grid_anchor_fills_and_drawdown() -> None:
    at = datetime.fromtimestamp((WALL + SAMPLE_EACH) / SECOND, UTC).isoformat()
    bought = msgspec.structs.replace(fill(1), time=at)
    drawn = figures(sampled(30, last_fills=(bought,)), AROUND, words("en"))
    by_name = {trace["name"]: trace for trace in drawn["price BTC/EUR"]["data"]}
    assert list(by_name) == ["buy orders", "sell orders", "anchor", "price", "bought"]
    assert by_name["bought"]["x"] == [round((WALL + SAMPLE_EACH) / 1_000_000)]
    assert len(by_name["price"]["x"]) == len(by_name["price"]["y"]) == 30
    assert by_name["price"]["x"] == sorted(by_name["price"]["x"])
    fall, peak, line = drawn["equity"]["data"]
    assert len(fall["x"]) == 60
    assert min(a - b for a, b in zip(peak["y"], line["y"], strict=True)) >= 0
    assert drawn["ages"]["data"][0]["x"] == [name for name, _, _ in TAX.ages]
    assert drawn["unlocks"]["layout"]["xaxis"]["type"] == "date"


def test_a_chart_is_told_in_a_sentence_and_in_a_table_too() -> None:
    shown = read(body(sampled(30), NOW, WALL))
    assert "BTC/EUR: price 85,064, from 85,050 to 85,064; 3 own orders" in shown
    assert "equity 23,971.00, drawdown 2.90 %" in shown
    assert shown.count("As a table") == 4  # the summaries and their captions


def test_an_answer_of_another_version_is_no_tax_overview() -> None:
    assert read_tax(msgspec.to_builtins(TAX)) == TAX
    assert read_tax({"currency": "EUR"}) is None


def test_debug_lines_and_old_lines_are_not_shown() -> None:
    lines = keep_log((), ["12:00 feed DEBUG x", "", *(f"12:00 feed INFO {n}" for n in range(99))])
    assert len(lines) == 60
    assert lines[-1].endswith("98")


def test_a_lock_that_nobody_holds_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "feed.lock").write_text("1\n")
    for folder in (tmp_path, tmp_path / "nowhere"):
        (own,) = read_processes(folder)
        assert (own.name, own.pid) == ("monitor", os.getpid())
        assert own.memory_mb > 1


def test_the_sockets_of_a_process_are_counted(tmp_path: Path) -> None:
    before = read_processes(tmp_path)[0].sockets
    one, two = socket.socketpair()
    with one, two:
        assert read_processes(tmp_path)[0].sockets >= before + 2
    assert read_processes(tmp_path, tmp_path / "no-proc")[0].sockets == 0
