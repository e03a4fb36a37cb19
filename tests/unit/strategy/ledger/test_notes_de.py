"""Every sentence of book and import has its German; what is none of them stays as it is."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from strategy.ledger.notes_de import in_german
from strategy.ledger.year import reform_warning

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "T5#USD: no acquisition is known of 6710.72000000 USD",
            "T5#USD: von 6710.72000000 USD ist keine Anschaffung bekannt",
        ),
        (
            "L9: 0.04000000 BTC came as a deposit without proof of date or cost",
            "L9: 0.04000000 BTC kamen als Einzahlung ohne Nachweis von Zeitpunkt oder Kosten",
        ),
        (
            "X1: a trade of ETH and BTC is not booked",
            "X1: ein Tausch von ETH und BTC ist nicht gebucht",
        ),
        ("T7: buy of ETH/BTC is not booked", "T7: Kauf von ETH/BTC ist nicht gebucht"),
        ("X8: BTC and EUR both came", "X8: BTC und EUR kamen beide"),
        (
            "L22: margin  of -0.01 BTC is not booked",
            "L22: margin  über -0.01 BTC ist nicht gebucht",
        ),
        ("something else entirely", "something else entirely"),
    ],
)
def test_a_sentence_is_told_in_german(english: str, german: str) -> None:
    assert in_german(english) == german


def notes_of(path: str) -> list[str]:
    """The sentences a file adds to its notes, each value in them a word."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [each.value if isinstance(each, ast.Constant) else "XY" for each in node.values]
            found.append("".join(str(part) for part in parts))
    wanted = r"XY: .*(not booked|not valued|is known of|without proof|was moved|both XY|yourself)"
    return [text for text in found if re.match(wanted, text)]


@pytest.mark.parametrize("path", ["strategy/ledger/book.py", "strategy/ledger/history.py"])
def test_no_note_is_without_its_german(path: str) -> None:
    notes = notes_of(path)
    assert len(notes) >= 4
    for note in notes:
        told = note.replace("both XY", "both came").replace("XY of XY/XY", "buy of A/B")
        assert in_german(told) != told, told


def test_the_warning_of_the_reform_is_told_in_german() -> None:
    assert "Gesetzentwurf" in in_german(reform_warning(date(2027, 1, 1), enacted=False))
