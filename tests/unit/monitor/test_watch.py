"""What the watchdog finds out of bounds, and the five answers of the page."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from monitor.advisor.seen import AdvisorSeen
from monitor.answers import doing, open_gain, safe, switch_left
from monitor.around import Around, ProcessSeen
from monitor.summary import todo
from monitor.taxcards import risk_mood
from monitor.view import PACE_OVER, Pace, View, hear
from monitor.watch import concerns
from monitor.words import GERMAN, PAUSES, REGIMES, words
from shared.frames import AnyFrame
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import BOOT, NOW, TAX, WALL, beat, book, instrument, slot, status

PAUSED = AdvisorSeen("gemini", "a-model", "paused", last_fault="the key is refused (HTTP 401)")
FED = (instrument(), book(), beat())


def after(*frames: AnyFrame, view: View | None = None) -> View:
    view = view or View()
    for frame in frames:
        view = hear(view, frame, NOW, WALL)
    return view


def keys(view: View, around: Around | None = None, later_s: int = 0) -> list[str]:
    now = Ns(NOW + later_s * SECOND)
    return [found.key for found in concerns(view, around or Around(), now, str)]


def paced(per_s: float, **said: Any) -> View:
    return after(*FED, status(**said), view=View(pace=Pace(boot=BOOT, known=True, per_s=per_s)))


def test_a_house_that_is_well_gives_no_concern() -> None:
    around = Around(tax=TAX, processes=(ProcessSeen("feed", 1, 60.0, 12),))
    assert keys(paced(2.0), around) == []


@pytest.mark.parametrize(
    ("view", "around", "found"),
    [
        (paced(0.1), Around(), ["ticks"]),
        (paced(900.0), Around(), ["ticks"]),
        (paced(0.1, phase="halted"), Around(), []),
        (paced(2.0, tick_us=60_000.0), Around(), ["slow"]),
        (paced(2.0), Around(processes=(ProcessSeen("feed", 1, 800.0),)), ["memory:feed"]),
        (paced(2.0), Around(processes=(ProcessSeen("feed", 1, 9.0, 201),)), ["sockets:feed"]),
        (paced(2.0), Around(telegram="cannot be reached"), ["telegram"]),
        (replace(paced(2.0), advisor=PAUSED), Around(), ["advice"]),
        (replace(paced(2.0), advisor=replace(PAUSED, state="waits")), Around(), []),
    ],
)
def test_each_bound_has_its_concern(view: View, around: Around, found: list[str]) -> None:
    assert keys(view, around) == found
    german = [each.text for each in concerns(view, around, NOW, words("de"))]
    assert german != [each.text for each in concerns(view, around, NOW, str)] or not found


def test_of_a_silent_strategy_no_tick_is_judged() -> None:
    assert keys(paced(0.1, tick_us=1e9), later_s=60) == []


def test_a_concern_is_something_to_do() -> None:
    view = paced(2.0)
    assert todo(view, NOW) == []
    found = concerns(view, Around(telegram="cannot be reached"), NOW, str)
    assert todo(view, NOW, found) == ["Read the alerts below."]


def test_the_tick_rate_is_counted_over_ten_seconds_of_one_life() -> None:
    view, now = View(), NOW
    for ticks in (100, 104, 108):
        view = hear(view, status(counters=(("ticks", ticks),)), now, WALL)
        now = Ns(now + PACE_OVER // 2)
    assert (view.pace.known, view.pace.per_s) == (True, 0.8)
    again = hear(view, status(boot=Ns(BOOT + 1), counters=(("ticks", 3),)), now, WALL)
    assert not again.pace.known
    assert hear(View(), status(counters=()), now, WALL).pace == Pace()


@pytest.mark.parametrize(
    ("said", "later_s", "mood", "text"),
    [
        ({}, 0, "good", "Yes: every coin"),
        ({"drift": "0.1"}, 0, "bad", "differ by 0.1"),
        ({"switch_left_s": 9.0}, 0, "bad", "by itself in 9 s"),
        ({"pause": "DUAL_LOCK", "drawdown_pct": 0.17}, 0, "waiting", "17.0 % below its peak"),
        ({"lost": 2}, 0, "waiting", "fate of 2 orders"),
        ({"foreign_orders": 2}, 0, "waiting", "2 orders in the account"),
        ({"switch_left_s": 0.0}, 0, "bad", "not armed"),
        ({}, 7, "waiting", "Nobody minds 3 orders; the exchange cancels them by itself in 40 s"),
        ({}, 90, "waiting", "The exchange has cancelled the own orders by itself."),
        ({"orders": 0}, 90, "waiting", "No own order rested"),
        ({"switch_left_s": 0.0}, 90, "bad", "bot-kill"),
    ],
)
def test_whether_the_money_is_safe_is_said(
    said: dict[str, Any], later_s: int, mood: str, text: str
) -> None:
    found = safe(after(*FED, status(**said)), Ns(NOW + later_s * SECOND), str)
    assert found.mood == mood
    assert text in found.text


def test_the_switch_counts_on_while_the_strategy_is_silent() -> None:
    view = after(status(switch_left_s=47.5))
    assert switch_left(view, NOW) == 47.5
    assert switch_left(view, Ns(NOW + 40 * SECOND)) == 7.5
    assert switch_left(view, Ns(NOW + 80 * SECOND)) == 0.0
    assert switch_left(View(), NOW) == 0.0


def test_every_word_of_state_is_told_in_both_languages() -> None:
    for text in (*PAUSES.values(), *REGIMES.values()):
        assert text in GERMAN
    locked = status(pause="TAX_LOCK_ACTIVE", regime="chaos")
    assert doing(after(locked), locked, NOW, words("de")).startswith("Er kauft nur")
    strange = status(pause="something new")
    assert "something new" in doing(after(strange), strange, NOW, str)
    bare = status(slots=(slot("s1", "sell", "empty", ""), slot("b1", "buy", "live", "84753.5")))
    assert doing(after(bare), bare, NOW, str).endswith("No sell rests now; the grid says why.")
    later = Ns(NOW + 60 * SECOND)
    assert doing(after(strange), strange, later, str) == "Not known: the strategy is silent."
    held = status(hold=True)
    assert doing(after(held), held, NOW, str) == "Nothing is quoted now."


@pytest.mark.parametrize(
    ("at_risk", "left", "mood"),
    [("0.0", "0", "good"), ("0.1", "333.00", "waiting"), ("0.1", "0", "bad"), ("0.1", None, "bad")],
)
def test_coins_that_are_not_free_may_rest_while_the_worst_leaves_room(
    at_risk: str, left: str | None, mood: str
) -> None:
    assert risk_mood(replace(TAX, taxable_at_risk=at_risk, room_after_resting=left)) == mood


def test_what_the_coins_held_are_worth_above_their_cost() -> None:
    view = after(status())
    assert open_gain(view, TAX) == "262500.00"  # 12.5 coins at 85000, bought for 800000
    assert open_gain(view, None) is None
    assert open_gain(view, replace(TAX, cost="")) is None
    dollars = replace(status().pairs[0], pair="BTC/USD")
    assert open_gain(after(status(pairs=(dollars,))), TAX) is None
    two = (status().pairs[0], status().pairs[0])
    assert open_gain(after(status(pairs=two)), TAX) is None
