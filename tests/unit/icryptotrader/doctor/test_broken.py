"""Each check is tried by breaking what it looks at; each finding says what to do."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from msgspec.structs import replace

from icryptotrader.doctor import account, house, machine
from icryptotrader.doctor.command import diagnose
from icryptotrader.doctor.findings import Finding, Outcome, Patient, examine
from shared.belonging import MODE_FACT
from shared.clock import machine_wall
from shared.config import Home
from shared.config_checks import CONSENT
from shared.haltflag import raise_flag
from shared.kraken import rights
from shared.kraken.answers import Failure, KeyInfo
from shared.orders import Verdict
from shared.secret import ApiKey
from shared.units import DAY, SECOND
from strategy.ledger.entries import Remember
from strategy.ledger.store import Store
from tests.unit.icryptotrader.serving import served

GOOD = KeyInfo(tuple(rights.NEEDED), "bot", 0, 0, ("192.0.2.1",))
KEY = ApiKey("public", "c2VjcmV0")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


@pytest.fixture
def live(home: Home) -> Patient:
    """A house before its start with a good key, without a word to any exchange."""
    nowhere = "127.0.0.1:9"
    path = home.path / "user.toml"
    path.write_text(
        f'mode = "live"\n[live]\nconsent = "{CONSENT}"\n[kraken]\nrest_url = "http://{nowhere}"\n'
        f'public_url = "ws://{nowhere}"\nprivate_url = "ws://{nowhere}"\n'
    )
    path.chmod(0o600)
    return replace(examine(home), key=KEY, key_fault="", info=GOOD)


Check = Callable[[Patient], Finding]


def judged(check: Check, patient: Patient, outcome: Outcome, *words: str) -> None:
    found = check(patient)
    assert found.outcome is outcome, found
    assert bool(found.remedy) == (outcome in (Outcome.WARN, Outcome.FAIL))
    for word in words:
        assert word in found.text, found.text


def test_the_key(live: Patient) -> None:
    judged(account.key, live, Outcome.OK, "nothing else", "fingerprint")
    more = replace(GOOD, permissions=(*GOOD.permissions, "withdraw-funds", "unheard-of"))
    judged(account.key, replace(live, info=more), Outcome.FAIL, "withdraw-funds, unheard-of")
    less = replace(GOOD, permissions=GOOD.permissions[1:])
    judged(account.key, replace(live, info=less), Outcome.FAIL, "lacks: Query Funds")
    refused = Failure("EAPI:Invalid key", Verdict.NOT_DONE)
    judged(account.key, replace(live, info=refused), Outcome.FAIL, "EAPI:Invalid key")
    none = replace(live, key=None, key_fault="no API key is given", info=None)
    judged(account.key, none, Outcome.FAIL, "no API key")


def test_the_keys_window_end_and_place(live: Patient) -> None:
    judged(account.nonce_window, live, Outcome.OK)
    judged(account.key_limits, live, Outcome.OK, "192.0.2.1")
    wide = replace(live, info=replace(GOOD, nonce_window=5_000))
    judged(account.nonce_window, wide, Outcome.WARN)
    everywhere = replace(live, info=replace(GOOD, ip_allowlist=()))
    judged(account.key_limits, everywhere, Outcome.WARN, "everywhere")
    soon = (machine_wall() + 3 * DAY) // SECOND
    judged(account.key_limits, replace(live, info=replace(GOOD, valid_until=soon)), Outcome.WARN)
    over = replace(live, info=replace(GOOD, valid_until=1))
    judged(account.key_limits, over, Outcome.WARN, "0 days")


def test_the_key_of_bot_kill(live: Patient, home: Home) -> None:
    judged(account.kill_key, live, Outcome.WARN, "no key")
    path = home.path / "kill.toml"
    with (home.path / "user.toml").open("a") as settings:
        settings.write(f'cancel_key_file = "{path}"\n')
    named = replace(examine(home), key=KEY, key_fault="", info=GOOD)
    judged(account.kill_key, named, Outcome.FAIL, "kill.toml: No such file")
    path.write_text('api_key = "public"\napi_secret = "c2VjcmV0"\n')
    path.chmod(0o600)
    judged(account.kill_key, named, Outcome.WARN, "the strategy's own key")
    path.write_text('api_key = "other"\napi_secret = "c2VjcmV0"\n')
    judged(account.kill_key, named, Outcome.FAIL, "cannot be reached")


def test_an_exchange_that_does_not_answer(live: Patient) -> None:
    judged(account.exchange_clock, live, Outcome.FAIL, "does not answer")
    judged(account.exchange_status, live, Outcome.FAIL, "does not answer")


def test_orders_of_others_are_told_to_a_running_house_and_keep_one_from_starting(
    live: Patient,
) -> None:
    others = replace(live, status={"foreign_orders": 1})
    judged(account.foreign_orders, others, Outcome.WARN, "cancelled too")
    judged(account.foreign_orders, replace(others, starting=True), Outcome.FAIL)


def test_real_money_is_pointed_at_its_checklist(live: Patient) -> None:
    judged(account.mode, live, Outcome.WARN, "live")
    judged(account.agreement, live, Outcome.WARN)


def test_a_ledger_of_another_mode(live: Patient) -> None:
    judged(house.ledger_mode, live, Outcome.SKIP)
    store = Store.open(live.home.data / "ledger.sqlite")
    store.commit([Remember(MODE_FACT, "demo")])
    store.close()
    judged(house.ledger_mode, live, Outcome.FAIL, "demo", "live")


def test_hard_caps_that_are_gone(home: Home) -> None:
    judged(house.hard_caps, examine(home), Outcome.OK)
    (home.path / "user.toml").write_text('[limits]\nhard_caps_file = "/nowhere/caps.toml"\n')
    judged(house.hard_caps, examine(home), Outcome.FAIL, "caps.toml")


def test_a_port_that_is_taken(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (home.path / "user.toml").write_text(f"[web]\nport = {port}\n")
        judged(machine.ports, examine(home), Outcome.WARN, f"web.port {port}")


def test_before_a_start_nothing_runs_and_that_is_no_fault(home: Home) -> None:
    found = {finding.name: finding for finding in diagnose(home, starting=True)}
    assert found["processes"].outcome is Outcome.SKIP
    assert not [f for f in found.values() if f.outcome is Outcome.FAIL]


def test_a_halted_house_may_start_or_nobody_could_resume_it(home: Home) -> None:
    raise_flag(home.data, "a drill")
    judged(house.halt_flag, examine(home), Outcome.FAIL, "a drill")
    judged(house.halt_flag, examine(home, starting=True), Outcome.WARN, "a drill")


def test_a_messenger_that_is_away_keeps_nothing_from_starting(home: Home) -> None:
    path = home.path / "user.toml"
    path.write_text(
        '[telegram]\nenabled = true\nbot_token = "1:a"\nchat_id = "1"\n'
        'api_url = "http://127.0.0.1:9"\n'
    )
    path.chmod(0o600)
    judged(house.telegram, examine(home), Outcome.WARN, "does not answer")


class Bots(BaseHTTPRequestHandler):
    """Telegram, where another program already asks for this bot's messages."""

    def do_GET(self) -> None:
        taken = self.path.startswith("/bot1:taken/getUpdates")
        hooked = {"url": "https://elsewhere.example"} if "1:hooked" in self.path else {}
        body = {"ok": not taken, "result": hooked}
        if taken:
            body["error_code"] = 409
        if "1:wrong" in self.path:
            body = {"ok": False, "description": "Unauthorized"}
        self.send_response(409 if taken else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def telegram() -> Iterator[str]:
    with served(Bots) as address:
        yield address


@pytest.mark.parametrize(
    ("token", "outcome", "word"),
    [
        ("1:good", Outcome.OK, "the bot is"),
        ("1:taken", Outcome.FAIL, "409"),
        ("1:hooked", Outcome.FAIL, "webhook"),
        ("1:wrong", Outcome.FAIL, "Unauthorized"),
    ],
)
def test_a_bot_that_another_program_uses(
    home: Home, telegram: str, token: str, outcome: Outcome, word: str
) -> None:
    path = home.path / "user.toml"
    path.write_text(
        f'[telegram]\nenabled = true\nbot_token = "{token}"\nchat_id = "1"\n'
        f'api_url = "{telegram}"\n'
    )
    path.chmod(0o600)
    judged(house.telegram, examine(home), outcome, word)
