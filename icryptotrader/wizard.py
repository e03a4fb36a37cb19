"""`icryptotrader setup`: asks in plain words, checks each answer at once, writes user.toml.

Rule 1: what stands in user.toml already is the answer that is offered, and its comments stay.
Rule 2: nothing is written before all is answered and the whole configuration has no fault.
Rule 3: with an answers file nothing is asked: every question is answered by its key or its default.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from shared.config import DEFAULTS, ConfigError, check_layers
from shared.config_layers import Layer, lines_of, read_layer, value_at

Language = Literal["en", "de"]
Kind = Literal["choice", "text", "secret", "yes"]
Value = str | int | float | bool


class Question(Struct, frozen=True):
    """One setting. text: English and German; when: asked only while this setting is true."""

    key: str
    kind: Kind
    text: tuple[str, str]
    choices: tuple[str, ...] = ()
    when: str = ""


QUESTIONS: Final = (
    Question(
        "pair",
        "choice",
        (
            "Which pair? For a German tax payer BTC/EUR is simpler: with BTC/USD each dollar "
            "bought and sold is a tax matter of its own, each leg converted at the ECB's rate.",
            "Welches Paar? Für deutsche Steuerpflichtige ist BTC/EUR einfacher: bei BTC/USD ist "
            "jeder gekaufte und verkaufte Dollar ein eigener Steuerfall, umgerechnet zum EZB-Kurs.",
        ),
        ("BTC/EUR", "BTC/USD"),
    ),
    Question(
        "grid.order_size_quote",
        "text",
        (
            "How much money for each rung of the grid?",
            "Wie viel Geld für jede Sprosse des Gitters?",
        ),
    ),
    Question(
        "grid.levels",
        "text",
        ("How many rungs on each side (0 to 20)?", "Wie viele Sprossen je Seite (0 bis 20)?"),
    ),
    Question(
        "grid.base_reserve",
        "text",
        ("How many bitcoins shall never be sold?", "Wie viele Bitcoin sollen nie verkauft werden?"),
    ),
    Question(
        "tax.marginal_rate",
        "text",
        (
            "Your marginal rate of income tax, as a ratio (0.42 is 42 %)?",
            "Ihr Grenzsteuersatz als Zahl (0.42 sind 42 %)?",
        ),
    ),
    Question(
        "tax.external_s23_net_eur",
        "text",
        (
            "Net gain of your other § 23 disposals this year, in EUR (losses negative)?",
            "Saldo Ihrer anderen Verkäufe nach § 23 in diesem Jahr, in EUR (Verluste negativ)?",
        ),
    ),
    Question(
        "telegram.enabled",
        "yes",
        ("Shall it write to your telephone by Telegram?", "Soll er Ihnen per Telegram schreiben?"),
    ),
    Question(
        "telegram.bot_token",
        "secret",
        ("The bot's token, from @BotFather:", "Das Token des Bots, von @BotFather:"),
        when="telegram.enabled",
    ),
    Question(
        "telegram.chat_id",
        "text",
        ("Your chat's number:", "Die Nummer Ihres Chats:"),
        when="telegram.enabled",
    ),
    Question(
        "telegram.language",
        "choice",
        ("In which language?", "In welcher Sprache?"),
        ("en", "de"),
        when="telegram.enabled",
    ),
)

DONE: Final = (
    "Written to {path}. Next: icryptotrader doctor, then icryptotrader run. Coins you hold "
    "already: icryptotrader ledger import.",
    "Geschrieben nach {path}. Weiter: icryptotrader doctor, dann icryptotrader run. Coins, die "
    "Sie schon haben: icryptotrader ledger import.",
)
HEADER: Final = "# Your settings, by `icryptotrader setup`. docs/config.md lists all there are.\n"


class Asker(Protocol):
    """Brings an answer to a question; None where the person left."""

    def __call__(self, question: Question, text: str, default: Value) -> Value | None: ...


def setup(path: Path, ask: Asker, language: Language, tell: Callable[[str], None]) -> bool:
    """Ask everything and write; False where the person left or an answer cannot be used."""
    place = 1 if language == "de" else 0
    source = path.read_text(encoding="utf-8") if path.exists() else HEADER
    defaults = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    for question in QUESTIONS:
        known = current(source, defaults)
        if question.when and known(question.when) is not True:
            continue
        accepted = False
        while not accepted:
            given = ask(question, question.text[place], known(question.key))
            if given is None:
                return False
            shape = value_at(defaults, question.key)
            draft = set_key(source, question.key, shaped(given, shape))
            told = faults_of(draft, path, question.key)
            for fault in told:
                tell(f"  {fault}")
            if told and not getattr(ask, "again", True):
                return False
            accepted = not told
        source = draft
    told = faults_of(source, path, "")
    for fault in told:
        tell(f"  {fault}")
    if told:
        return False
    write_private(path, source)
    tell(DONE[place].format(path=path))
    return True


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


def current(source: str, defaults: dict[str, Any]) -> Callable[[str], Value]:
    """What a key is now: as the text has it, else its default."""
    values = tomllib.loads(source)

    def look(key: str) -> Value:
        for table in (values, defaults):
            try:
                found: Value = value_at(table, key)
            except (KeyError, TypeError):
                continue
            return found
        raise KeyError(key)

    return look


def shaped(given: Value, like: Value) -> Value:
    """An answer typed as text, in the shape of the default; as it is where it has no such shape."""
    if not isinstance(given, str) or isinstance(like, str):
        return given
    try:
        return type(like)(given.replace(",", ".")) if not isinstance(like, bool) else given
    except ValueError:
        return given


def set_key(source: str, key: str, value: Value) -> str:
    """The TOML text with this key set; every other line stays, comments too."""
    section, _, name = key.rpartition(".")
    lines = source.splitlines()
    places = lines_of(source)
    text = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    if key in places:
        at = places[key] - 1
        comment = re.search(r"\s+#[^\"]*$", lines[at])
        lines[at] = text + (comment[0] if comment else "")
    elif not section:
        first = next((i for i, line in enumerate(lines) if line.startswith("[")), len(lines))
        lines.insert(first, text)
    elif section in places:
        lines.insert(places[section], text)
    else:
        lines += ["", f"[{section}]", text]
    return "\n".join(lines) + "\n"


def faults_of(source: str, path: Path, key: str) -> list[str]:
    """Faults of the whole configuration; with a key, those that name it."""
    layer = Layer(str(path), tomllib.loads(source), lines_of(source))
    try:
        check_layers([read_layer(DEFAULTS, "config/default.toml"), layer])
    except ConfigError as error:
        named = re.compile(rf"(^|[\s]){re.escape(key)}:")
        return [fault for fault in error.faults if not key or named.search(fault)]
    return []


def write_private(path: Path, source: str) -> None:
    """Mode 0600, whole or not at all: it may hold secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(source)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


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
