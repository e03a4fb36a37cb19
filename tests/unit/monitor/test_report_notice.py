"""The year's tax report is told on the telephone, though it is no alarm."""

from __future__ import annotations

from monitor.around import Around
from monitor.notices import Memory, Rules, notice
from monitor.view import View, hear
from tests.unit.monitor.frames import NOW, WALL, alert, status


def test_the_report_is_told_once_and_other_news_is_not() -> None:
    memory = Memory()
    view = hear(View(), status(), NOW, WALL)
    memory, _ = notice(memory, view, Around(), NOW, WALL, Rules())
    text = "the tax report of 2026 is final: reports/2026"
    for told in (
        alert(level="info", key="phase", text="in sync"),
        alert(level="info", key="report", text=text),
    ):
        view = hear(view, told, NOW, WALL)
    memory, found = notice(memory, view, Around(), NOW, WALL, Rules())
    assert [(each.level, each.text) for each in found] == [("info", text)]
    _, again = notice(memory, view, Around(), NOW, WALL, Rules())
    assert again == []
