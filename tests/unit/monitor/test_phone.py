"""What is asked by telephone: by whom, when, and with which answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.around import Around
from monitor.phone import Asked, Code, Owner, Update, answer, asked, read_updates
from monitor.view import View
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, WALL, after, status
from tests.unit.monitor.test_page import AROUND

OWNER = Owner(42, (7,))


def message(text: str, chat: int = 42, user: int = 42, date: int = WALL // SECOND) -> Update:
    raw = {"update_id": 1, "message": {"chat": {"id": chat}, "from": {"id": user},
           "date": date, "text": text}}  # fmt: skip
    found = read_updates(json.dumps({"ok": True, "result": [raw]}).encode())
    assert found
    return found[0][0]


@pytest.mark.parametrize(
    ("update", "word"),
    [
        (message("/status"), "status"),
        (message("/Resume@my_bot 1234"), "resume"),
        (message("/status", chat=99, user=7), "status"),
        (message("/status", chat=99, user=99), None),
        (message("/status", chat=42, user=99), None),
        (message("status"), None),
        (message("/kill 1", date=WALL // SECOND - 600), None),
    ],
)
def test_only_who_may_is_obeyed_and_only_now(update: Update, word: str | None) -> None:
    found = asked(update, OWNER, WALL)
    assert (found.word if found else None) == word


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"ok":false}', b'{"ok":1}', b"\xff"])
def test_strange_answers_are_no_updates(raw: bytes) -> None:
    assert read_updates(raw) is None


def test_a_strange_update_is_passed_over_and_not_asked_for_again() -> None:
    raw = json.dumps({"ok": True, "result": [{"update_id": 8, "message": 3}, "x"]}).encode()
    assert read_updates(raw) == ([], 9)


@pytest.mark.parametrize("word", ["resume", "kill"])
def test_what_starts_or_cannot_be_undone_needs_the_fresh_code(word: str) -> None:
    view = after(status())

    def say(rest: str, code: Code, now: Ns = NOW) -> Any:
        return answer(Asked(42, word, rest), code, view, AROUND, (now, "4711", "en"))

    first = say("", Code())
    assert first.deed is None
    assert f"/{word} 4711" in first.text
    assert say("4711", first.code).deed == word
    assert say("4711", first.code).code == Code()
    for rest, code, now in (
        ("4712", first.code, NOW),
        ("4711", Code(), NOW),
        ("4711", first.code, Ns(NOW + 121 * SECOND)),
        ("4711", replace(first.code, deed="other"), NOW),
        ("", first.code, NOW),
    ):
        assert say(rest, code, now).deed is None


def test_questions_are_answered_from_the_view() -> None:
    view = after(status())
    for word, text in (
        ("status", "🟢"), ("orders", "84753.5"), ("lots", "12.5 BTC"), ("tax", "879.90"),
        ("nonsense", "/status"),
    ):  # fmt: skip
        assert text in answer(Asked(42, word), Code(), view, AROUND, (NOW, "1", "de")).text
    for word in ("status", "orders", "lots", "tax"):
        assert answer(Asked(42, word), Code(), View(), Around(), (NOW, "1", "en")).text


def test_a_german_telephone_is_told_german() -> None:
    view, later = after(status()), Ns(NOW + 60 * SECOND)
    for word, text in (
        ("orders", "Letzter bekannter Stand; er ist alt."), ("lots", "steuerfrei ab"),
        ("tax", "Gewinn der Verkäufe dieses Jahr, vor Steuer: <b>812.34 EUR</b>"),
        ("status", "Die Strategie schweigt"), ("kill", "innerhalb von zwei Minuten"),
    ):  # fmt: skip
        assert text in answer(Asked(42, word), Code(), view, AROUND, (later, "1", "de")).text
    told = answer(Asked(42, "orders"), Code(), view, AROUND, (NOW, "1", "de")).text
    assert told.index("85493.7") < told.index("85246.5") < told.index("84753.5")
