"""What is told to the telephone, from two looks at the house."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from monitor.around import Around, ProcessSeen
from monitor.notices import Memory, Rules, notice
from monitor.view import View, hear
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, WALL, after, alert, fill, status
from tests.unit.monitor.test_page import AROUND

RULES = Rules("en", "20:00")


def told(before: View, then: View, around: Around = AROUND, wall: Ns = WALL) -> list[str]:
    memory, _ = notice(Memory(), before, AROUND, NOW, WALL, RULES)
    _, found = notice(memory, then, around, NOW, wall, RULES)
    return [each.text for each in found]


def test_the_first_look_tells_nothing_of_the_past() -> None:
    view = after(status(hold=True, pause="RISK_PAUSE_ACTIVE"), alert("x", level="critical"))
    assert notice(Memory(), view, AROUND, NOW, WALL, RULES)[1] == []


def test_a_fill_is_told_once() -> None:
    first = after(status())
    second = after(status(last_fills=(fill(1), fill(2, "sell"))), view=first)
    (text,) = told(first, second)
    assert "Sold 0.00591716 BTC/EUR at <b>84500.0</b>, fee 0.60000 EUR" in text
    assert told(second, second) == []


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"pause": "RISK_PAUSE_ACTIVE", "drawdown_pct": 0.16}, "RISK_PAUSE_ACTIVE</b> (16.0 %)"),
        ({"hold": True, "waits_for": ("on hold: tea",)}, "On hold: on hold: tea"),
        ({"phase": "halted", "waits_for": ("too many <rejects>",)}, "too many &lt;rejects&gt;"),
        ({"tick_us": 400_000.0}, "one tick took 400 ms"),
    ],
)
def test_changes_of_the_strategy_are_told(said: dict[str, Any], text: str) -> None:
    found = told(after(status()), after(status(**said)))
    assert len(found) == 1
    assert text in found[0]


def test_silence_and_return_are_told() -> None:
    view = after(status())
    memory, _ = notice(Memory(), view, AROUND, NOW, WALL, RULES)
    later = Ns(NOW + 60 * SECOND)
    memory, found = notice(memory, view, AROUND, later, WALL, RULES)
    assert [each.level for each in found] == ["critical", "critical"]
    _, found = notice(memory, after(status(), now=later), AROUND, later, WALL, RULES)
    assert all("is back" in each.text for each in found)


def test_alarms_of_the_bus_and_of_memory_are_told() -> None:
    first = after(status())
    then = hear(first, alert("disk", "the disk is full", "error"), NOW, Ns(WALL + 1))
    then = hear(then, alert("chat", "nothing", "info"), NOW, Ns(WALL + 2))
    assert told(first, then) == ["<b>error</b>: the disk is full"]
    fat = replace(AROUND, processes=(ProcessSeen("feed", 1, 912.0),))
    assert told(first, first, fat) == ["<b>error</b>: feed uses much memory: 900 MB."]


def test_what_the_watchdog_found_is_told_once_until_it_has_been_well_again() -> None:
    view, fat = after(status()), replace(AROUND, processes=(ProcessSeen("feed", 1, 912.0),))
    memory, counts = Memory(), []
    for around in (fat, fat, AROUND, fat):
        memory, found = notice(memory, view, around, NOW, WALL, RULES)
        counts.append(len(found))
    assert counts == [1, 0, 0, 1]


def test_the_daily_summary_comes_once_a_german_day() -> None:
    view = after(status())
    noon, evening = Ns(1_780_048_800 * SECOND), Ns(1_780_081_200 * SECOND)  # 12:00, 21:00 CEST
    memory, found = notice(Memory(), view, AROUND, NOW, noon, RULES)
    unlock = replace(AROUND, tax=replace(AROUND.tax, unlocks=(("2026-05-30", "0.5"),)))  # type: ignore[type-var]
    memory, found = notice(memory, view, unlock, NOW, evening, RULES)
    text = "\n".join(each.text for each in found)
    assert "Equity 24753.21" in text
    assert "after tax 812.34" in text
    assert "Free of tax from tomorrow: 0.5 BTC" in text
    assert notice(memory, view, unlock, NOW, evening, RULES)[1] == []
