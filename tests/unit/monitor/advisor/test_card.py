"""The card: what was said, what it moves, what it costs; nothing that a model wrote."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from monitor.advicecard import advice
from monitor.advisor.opinion import Opinion
from monitor.advisor.pace import Usage
from monitor.advisor.seen import AdvisorSeen
from monitor.around import Around
from monitor.page import parts
from monitor.view import View, hear
from monitor.words import words
from shared.frames import AdviceView
from shared.units import Ns
from tests.unit.monitor.frames import NOW, WALL, beat, book, instrument, status

GIVEN = AdviceView(True, "", "STRONG_BUY", 0.8, "chaos", "gemini/a-model", 12.0, 60.0, 840.0)
SEEN = AdvisorSeen(
    "gemini", "a-model", "paused", "the breaker is open", Opinion("STRONG_BUY", 0.8, 50.0, ""),
    WALL, "leans by +12.0 bps", "no answer in 10 s", (("timeout", 2), ("server", 1)),
    Usage(WALL, 9, 6, 3_600, 270, Decimal("0.0123"), "2026-05-28", Decimal("0.004")),
)  # fmt: skip


def view_of(given: AdviceView, seen: AdvisorSeen | None = None) -> View:
    pair = replace(status().pairs[0], advice_bps=11.2, lean_bps=9.75)
    view = View(advisor=seen)
    for frame in (instrument(), book(), beat(), status(advice=given, pairs=(pair,))):
        view = hear(view, frame, NOW, WALL)
    return view


def test_it_tells_opinion_lean_state_and_cost() -> None:
    text = advice(view_of(GIVEN, SEEN), words("en"))
    for told in (
        "STRONG_BUY (80%), +12.0 bps", "14 min 0 s", "wild: nothing is bought",
        "wanted +11.2 bps, the prices lean by +9.8 bps", "gemini/a-model", "faults: 3",
        "paused: the breaker is open", "no answer in 10 s", "9, 6 answered",
        "3,600 + 270", "0.0123 USD (2026-05-28: 0.0040)",
    ):  # fmt: skip
        assert told in text, told


def test_it_speaks_german() -> None:
    text = advice(view_of(GIVEN, SEEN), words("de"))
    for told in ("Rat eines Sprachmodells", "pausiert: nach Fehlern", "9, 6 beantwortet"):
        assert told in text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (AdviceView(True), "<dd>none</dd>"),
        (AdviceView(True, "I do not <b>trust</b> it"), "I do not &lt;b&gt;trust&lt;/b&gt; it"),
    ],
)
def test_where_nothing_stands_it_says_so(given: AdviceView, told: str) -> None:
    assert told in advice(view_of(given, SEEN), words("en"))


def test_it_is_on_the_page_where_advice_is_listened_to_and_else_nowhere() -> None:
    shown = parts(view_of(GIVEN, SEEN), Around(), NOW, Ns(WALL), "en")
    assert "Advice of a model" in shown["advice"]
    assert parts(view_of(AdviceView()), Around(), NOW, Ns(WALL), "en")["advice"] == ""
    assert advice(View(), words("en")) == ""
