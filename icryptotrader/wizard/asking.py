"""Who answers the questions: a person at the terminal, or a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from icryptotrader.wizard.questions import EXTRA, QUESTIONS, Question, Value
from shared.config_layers import value_at


class Asker(Protocol):
    """Brings an answer to a question; None where the person left."""

    def __call__(self, question: Question, text: str, default: Value) -> Value | None: ...


class Answers:
    """Answers from a file instead of a person: TOML of the form of user.toml."""

    again = False

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __call__(self, question: Question, text: str, default: Value) -> Value | None:
        try:
            found: Value = value_at(self._values, question.key)
        except (KeyError, TypeError):
            return default
        return found

    def has(self, key: str) -> bool:
        """Whether the file answers this question."""
        return key in _leaves(self._values)

    def unasked(self) -> list[str]:
        """Keys of the file that answer nothing."""
        asked = [question.key for question in (*QUESTIONS, *EXTRA)]
        return [key for key in _leaves(self._values) if key not in asked]


def _leaves(table: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}"


def ask_person(question: Question, text: str, default: Value) -> Value | None:
    """On the terminal; None where Ctrl-C was pressed."""
    import questionary

    shown = str(default)
    match question.kind:
        case "choice":
            found = questionary.select(text, list(question.choices), default=shown).ask()
        case "yes":
            found = questionary.confirm(text, default=bool(default)).ask()
        case "secret":
            found = questionary.password(text).ask()
            found = default if found == "" else found
        case "text":
            found = questionary.text(text, default=shown).ask()
    return found if isinstance(found, str | bool) else None
