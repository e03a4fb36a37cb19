"""Set-up: each answer is checked at once, comments stay, nothing half is written."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icryptotrader.wizard.asking import Answers
from icryptotrader.wizard.edit import set_key
from icryptotrader.wizard.flow import setup as set_up
from icryptotrader.wizard.questions import QUESTIONS, Language, Question, Value
from shared.config import DEFAULTS, Home
from shared.config_layers import value_at
from tests.unit.icryptotrader.serving import served

GIVEN: dict[str, Any] = {
    "pair": "BTC/EUR",
    "grid": {"levels": 4, "order_size_quote": "250"},
    "telegram": {"enabled": True, "bot_token": "1:abc", "chat_id": "42", "language": "de"},
}


def setup(path: Path, ask: Any, language: Language, tell: Callable[[str], None]) -> bool:
    return set_up(path, ask, language, tell, Home(path.parent / "home"))


class Bots(BaseHTTPRequestHandler):
    """Telegram, as far as it says who a token is."""

    def do_GET(self) -> None:
        good = self.path == "/bot1:abc/getMe"
        body = {"ok": good} if good else {"ok": False, "description": "Unauthorized"}
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def telegram() -> Iterator[str]:
    with served(Bots) as address:
        yield address


def test_an_answers_file_writes_settings_for_the_owner_alone(tmp_path: Path, telegram: str) -> None:
    path, said = tmp_path / "config" / "user.toml", list[str]()
    path.parent.mkdir()
    path.write_text(f'[telegram]\napi_url = "{telegram}"\n')
    assert setup(path, Answers(GIVEN), "en", said.append)
    found = tomllib.loads(path.read_text())
    assert found["grid"]["levels"] == 4
    assert found["telegram"] == GIVEN["telegram"] | {"api_url": telegram}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in said[-1]
    again = path.read_text()
    assert setup(path, Answers({}), "de", said.append)
    assert path.read_text() == again
    assert "Geschrieben" in said[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"grid": {"levels": 99}},
        {"pair": "DOGE/EUR"},
        {"grid": {"order_size_quote": "much"}},
        {"telegram": {"enabled": True, "chat_id": "me"}},
        {"tax": {"marginal_rate": 42}},
        {"mode": "live", "live": {"consent": "yes"}},
        {"grid": {"levles": 3}},
    ],
)
def test_a_wrong_answer_writes_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    path, said = tmp_path / "user.toml", list[str]()
    assert not setup(path, Answers(change), "en", said.append)
    assert not path.exists()
    assert said


def test_a_token_that_telegram_refuses_is_asked_for_again(tmp_path: Path, telegram: str) -> None:
    path, said = tmp_path / "user.toml", list[str]()
    path.write_text(f'[telegram]\napi_url = "{telegram}"\nchat_id = "42"\n')
    tokens = ["1:xyz", "1:abc"]

    def person(question: Question, text: str, default: Value) -> Value | None:
        if question.key == "telegram.enabled":
            return True
        return tokens.pop(0) if question.key == "telegram.bot_token" else default

    assert setup(path, person, "en", said.append)
    assert any("Unauthorized" in line for line in said)
    assert tomllib.loads(path.read_text())["telegram"]["bot_token"] == "1:abc"


def test_the_grid_of_the_answers_is_shown(tmp_path: Path) -> None:
    said = list[str]()
    answers = Answers({"mode": "paper", "grid": {"levels": 3}})
    assert setup(tmp_path / "user.toml", answers, "en", said.append)
    assert "buy  3" in "\n".join(said)


def test_a_person_is_asked_again_and_may_leave(tmp_path: Path) -> None:
    path, said, asked = tmp_path / "user.toml", list[str](), list[str]()

    def person(question: Question, text: str, default: Value) -> Value | None:
        asked.append(question.key)
        if question.key == "grid.levels" and asked.count("grid.levels") == 1:
            return "99"
        if question.key == "tax.marginal_rate":
            return "0,35"
        return str(default) if question.kind == "text" else default

    assert setup(path, person, "de", said.append)
    assert asked.count("grid.levels") == 2
    assert "telegram.chat_id" not in asked
    assert tomllib.loads(path.read_text())["tax"]["marginal_rate"] == 0.35
    path.unlink()
    assert not setup(path, lambda question, text, default: None, "en", said.append)
    assert not path.exists()


def test_comments_and_other_settings_stay(tmp_path: Path) -> None:
    path = tmp_path / "user.toml"
    path.write_text("# mine\n[grid]\n# few\nlevels = 2  # for now\n\n[ws]\n")
    assert setup(path, Answers({"grid": {"levels": 3}}), "en", lambda line: None)
    text = path.read_text()
    for kept in ("# mine", "# few", "levels = 3  # for now", "[ws]"):
        assert kept in text


def test_every_question_is_about_a_setting() -> None:
    defaults = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    for question in QUESTIONS:
        value_at(defaults, question.key)
        assert all(question.text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pair", "grid.levels", "grid.post_only", "tax.usd_leg", "web.port"]),
            st.one_of(
                st.booleans(), st.integers(-(2**62), 2**62), st.text("ab#\"'[]=ü ", max_size=9)
            ),
        ),
        max_size=8,
    )
)
def test_what_is_set_is_what_is_read(pairs: list[tuple[str, Value]]) -> None:
    text, wanted = "# head\n", dict[str, Value]()
    for key, value in pairs:
        text = set_key(text, key, value)
        wanted[key] = value
    found = tomllib.loads(text)
    assert all(value_at(found, key) == value for key, value in wanted.items())
    assert text.startswith("# head\n")
