"""The doctor and the models: is there a key, and is it listened to? Nothing is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from icryptotrader.doctor import house as doctor_house
from icryptotrader.doctor.findings import Outcome, examine
from shared.config import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def say(home: Home, *lines: str, mode: int = 0o600) -> None:
    file = home.path / "user.toml"
    file.write_text("\n".join(("[ai_signal]", *lines, "")))
    file.chmod(mode)


@pytest.mark.parametrize(
    ("lines", "outcome", "text"),
    [
        ((), Outcome.SKIP, "no model is asked"),
        (("enabled = true",), Outcome.FAIL, "missing"),
        (("enabled = true", 'api_key = "two words"'), Outcome.FAIL, "no key"),
        (("enabled = true", 'api_key = "CANARY-0123456789"'), Outcome.OK, "gemini/gemini-2.0"),
    ],
)
def test_a_missing_key_is_found(
    home: Home, lines: tuple[str, ...], outcome: Outcome, text: str
) -> None:
    say(home, *lines)
    found = doctor_house.advice(examine(home))
    assert found.outcome is outcome
    assert text in found.text
    assert "CANARY" not in repr(found)


def test_a_key_that_others_may_read_is_a_fault_of_the_configuration(home: Home) -> None:
    say(home, "enabled = true", 'api_key = "CANARY-0123456789"', mode=0o644)
    patient = examine(home)
    assert doctor_house.advice(patient).outcome is Outcome.SKIP
    found = doctor_house.configuration(patient)
    assert found.outcome is Outcome.FAIL
    assert "chmod 600" in found.text
    assert "CANARY" not in repr(found)
