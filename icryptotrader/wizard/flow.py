"""`icryptotrader setup`: asks in plain words, checks each answer at once, writes user.toml.

Rule 1: what stands in user.toml already is the answer that is offered, and its comments stay.
Rule 2: nothing is written before all is answered and the whole configuration has no fault.
Rule 3: with an answers file nothing is asked: every question is answered by its key or its default.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from icryptotrader.doctor.asking import Account
from icryptotrader.ledger_import import import_history
from icryptotrader.wizard.account import about, grid_of, judge_bot, judge_key
from icryptotrader.wizard.asking import Answers, Asker
from icryptotrader.wizard.edit import (
    config_of,
    current,
    faults_of,
    set_key,
    shaped,
    write_private,
)
from icryptotrader.wizard.questions import (
    API_KEY,
    API_SECRET,
    DONE,
    GRID,
    KEEP_KEY,
    PAST,
    QUESTIONS,
    RUNNING,
    UNASKED,
    WRITE_PAST,
    Language,
    Question,
    Value,
)
from shared.config import DEFAULTS, ApiKey, Config, ConfigError, Home, read_key
from shared.config_layers import value_at
from shared.kraken import rights
from shared.process import holder
from shared.secret import fingerprint

HEADER: Final = "# Your settings, by `icryptotrader setup`. docs/config.md lists all there are.\n"
KEY_FILE: Final = "kraken_key.toml"

Tell = Callable[[str], None]


class _Left(Exception):  # noqa: N818 - a person may leave at any question
    """Nobody answers any more, or an answers file has a wrong answer."""


class _Key(Struct, frozen=True):
    """The account's key. fresh: it is not in its file yet."""

    key: ApiKey
    account: Account
    fresh: bool


class _Talk(Struct, frozen=True):
    """Who answers, who is told, in which language."""

    ask: Asker
    tell: Tell
    place: int  # of the language in a Text

    def answer(self, question: Question, default: Value, **more: str) -> Value:
        text = question.text[self.place]
        given = self.ask(question, text.format(**more) if more else text, default)
        if given is None:
            raise _Left
        return given

    def refuse(self, faults: list[str]) -> None:
        """Say what is wrong; who cannot answer again has answered wrongly."""
        for fault in faults:
            self.tell(f"  {fault}")
        if faults and not getattr(self.ask, "again", True):
            raise _Left


def setup(path: Path, ask: Asker, language: Language, tell: Tell, home: Home) -> bool:
    """Ask everything and write; False where the person left or an answer cannot be used."""
    talk = _Talk(ask, tell, 1 if language == "de" else 0)
    try:
        _setup(path, talk, home)
    except _Left:
        return False
    return True


def _setup(path: Path, talk: _Talk, home: Home) -> None:
    if isinstance(talk.ask, Answers):
        strange = talk.ask.unasked()
        talk.refuse([UNASKED[talk.place].format(key=key) for key in strange])
    source = path.read_text(encoding="utf-8") if path.exists() else HEADER
    for question in QUESTIONS:
        source = _ask_setting(path, source, question, talk)
    found: _Key | None = None
    if current(source, _defaults())("mode") == "live":
        source, found = _ask_key(path, source, talk, home)
    if faults := faults_of(source, path, ""):
        talk.refuse(faults)
        raise _Left
    config = config_of(source, path)
    if found is not None and found.fresh:
        place = Path(config.kraken.key_file).expanduser()
        pairs = (("api_key", found.key.key), ("api_secret", found.key.secret))
        write_private(place, "".join(f"{name} = {json.dumps(value)}\n" for name, value in pairs))
    write_private(path, source)
    _tell_account(config, talk, found)
    if found is not None:
        _bring_in_the_past(talk, home)
    live = " --live" if found is not None else ""
    talk.tell(DONE[talk.place].format(path=path, live=live))


def _ask_setting(path: Path, source: str, question: Question, talk: _Talk) -> str:
    """The text with the answer in it; the question is asked until its answer can be used."""
    defaults = _defaults()
    known = current(source, defaults)
    if question.when is not None and known(question.when[0]) != question.when[1]:
        return source
    while True:
        given = talk.answer(question, known(question.key))
        draft = set_key(source, question.key, shaped(given, value_at(defaults, question.key)))
        faults = faults_of(draft, path, question.key)
        if not faults and question.key == "telegram.bot_token":
            api = str(current(draft, defaults)("telegram.api_url"))
            faults, said = judge_bot(api, str(given), talk.place)
            if said:
                talk.tell(f"  {said}")
        if not faults:
            return draft
        talk.refuse(faults)


def _ask_key(path: Path, source: str, talk: _Talk, home: Home) -> tuple[str, _Key]:
    """A key that opens the account, and the text with the place of its file in it."""
    if holder(home.run / "strategy.lock"):
        talk.tell(RUNNING[talk.place])
        raise _Left
    source, kept = _keep_key(source, talk, home)
    if kept is not None:
        account = judge_key(home, config_of(source, path), kept, talk.place)
        if isinstance(account, Account):
            return source, _Key(kept, account, fresh=False)
        talk.refuse([account])
    boxes = ", ".join(rights.NEEDED.values())
    while True:
        name = str(talk.answer(API_KEY, "", rights=boxes)).strip()
        secret = str(talk.answer(API_SECRET, "")).strip()
        key = ApiKey(name, secret)
        account = judge_key(home, config_of(source, path), key, talk.place)
        if isinstance(account, Account):
            return source, _Key(key, account, fresh=True)
        talk.refuse([account])


def _keep_key(source: str, talk: _Talk, home: Home) -> tuple[str, ApiKey | None]:
    """Where the key shall stand, and the one that stands there, if it shall stay."""
    named = str(current(source, _defaults())("kraken.key_file"))
    place = Path(named).expanduser() if named else home.path / KEY_FILE
    source = set_key(source, "kraken.key_file", str(place))
    try:
        key = read_key(place)
    except ConfigError:
        return source, None
    given = isinstance(talk.ask, Answers) and talk.ask.has(API_KEY.key)
    keep = talk.answer(KEEP_KEY, not given, mark=fingerprint(key))
    return source, key if keep is True else None


def _tell_account(config: Config, talk: _Talk, found: _Key | None) -> None:
    for line in about(found.key, found.account, talk.place) if found is not None else ():
        talk.tell(line)
    talk.tell("")
    talk.tell(GRID[talk.place])
    talk.tell(grid_of(config, found.account if found is not None else None))
    talk.tell("")


def _bring_in_the_past(talk: _Talk, home: Home) -> None:
    """Exports of the past into the ledger: first what they would change, then, if wanted, so."""
    while True:
        given = str(talk.answer(PAST, ""))
        files = [Path(name.strip()).expanduser() for name in given.split(",") if name.strip()]
        if not files:
            return
        if import_history(home, files, apply=False, tell=talk.tell) == 0:
            break
        talk.refuse([given])
    if talk.answer(WRITE_PAST, True) is True:
        code = import_history(home, files, apply=True, tell=talk.tell, why="set-up")
        talk.refuse([given] if code else [])


def _defaults() -> dict[str, object]:
    return tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
