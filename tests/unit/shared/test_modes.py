"""What each mode may connect to, and what it refuses to be configured with."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.belonging import stranger
from shared.config import ConfigError, Home, load
from shared.config_checks import CONSENT, is_line
from shared.endpoints import endpoints
from shared.kraken import rights
from shared.kraken.answers import parse_key_info
from shared.secret import ApiKey, fingerprint

HOSTS = (
    '[kraken]\npublic_url = "wss://ws.kraken.com/v2"\n'
    'private_url = "wss://elsewhere.example/v2"\nrest_url = "https://elsewhere.example"\n'
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def say(home: Home, text: str) -> None:
    path = home.path / "user.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def faults(home: Home) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(home)
    return caught.value.faults


@pytest.mark.parametrize("mode", ["demo", "paper"])
def test_without_real_money_the_account_is_on_this_machine_whatever_is_set(
    home: Home, mode: str
) -> None:
    say(home, f'mode = "{mode}"\n{HOSTS}[demo]\nprivate_port = 4711\n')
    found = endpoints(load(home))
    assert found.private == "ws://127.0.0.1:4711/v2"
    assert found.rest == "http://127.0.0.1:4711"
    assert ("kraken.com" in found.public) == (mode == "paper")


def test_live_goes_where_it_is_told(home: Home) -> None:
    say(home, f'mode = "live"\n{HOSTS}[live]\nconsent = "{CONSENT}"\n')
    found = endpoints(load(home))
    assert found.private == "wss://elsewhere.example/v2"
    assert found.rest == "https://elsewhere.example"


def test_live_wants_its_consent_word_for_word(home: Home) -> None:
    say(home, 'mode = "live"\n[live]\nconsent = "yes"\n')
    assert any("live.consent" in fault and CONSENT in fault for fault in faults(home))


@pytest.mark.parametrize("key", ["public_url", "private_url", "rest_url"])
def test_no_key_travels_in_plain_text(home: Home, key: str) -> None:
    say(
        home,
        f'mode = "live"\n[live]\nconsent = "{CONSENT}"\n[kraken]\n{key} = "ws://kraken.example"\n',
    )
    assert [fault for fault in faults(home) if f"kraken.{key}: must be an encrypted" in fault]


def test_an_address_is_encrypted_or_of_this_machine() -> None:
    assert is_line("wss://ws.kraken.com/v2", "ws")
    assert is_line("ws://127.0.0.1:1/v2", "ws")
    assert is_line("https://[::1]:1", "http")
    for bad in ("ws://ws.kraken.com", "wss://", "", "ws://[", "https://x:port", "ftp://127.0.0.1"):
        assert not is_line(bad, "ws"), bad


def test_paper_holds_no_key_and_knows_the_private_address_when_it_sees_it(home: Home) -> None:
    say(home, 'mode = "paper"\n[kraken]\napi_key = "abc"\napi_secret = "c2VjcmV0"\n')
    told = faults(home)
    assert [fault.split(": ")[1] for fault in told] == ["kraken.api_key", "kraken.api_secret"]
    assert not any("abc" in fault or "c2VjcmV0" in fault for fault in told)
    say(home, 'mode = "paper"\n[kraken]\npublic_url = "wss://ws-auth.kraken.com/v2"\n')
    assert "this is the private address" in faults(home)[0]


def test_a_ledger_stays_with_the_mode_that_it_was_begun_in() -> None:
    assert stranger("", "live") == ""
    assert stranger("live", "live") == ""
    assert "begun in paper mode" in stranger("paper", "live")


def test_a_fingerprint_names_a_key_and_says_nothing_about_it() -> None:
    key = ApiKey("public part", "c2VjcmV0")
    assert fingerprint(key) == fingerprint(ApiKey("public part", "other"))
    assert fingerprint(key) != fingerprint(ApiKey("public parT", "c2VjcmV0"))
    assert len(fingerprint(key)) == 9


@pytest.mark.parametrize(
    "right",
    ["withdraw-funds", "add-funds", "earn-funds", "export-data", "add-withdraw-address", "new"],
)
def test_a_right_that_trading_does_not_need_is_one_too_many(right: str) -> None:
    assert rights.excess([*rights.NEEDED, "query-ledger", right]) == [right]
    assert rights.missing(rights.NEEDED) == []
    assert rights.missing(["query-funds"])[0] == "Query Open Orders & Trades"


def test_what_a_key_says_of_itself_is_read_in_both_spellings() -> None:
    camel = (
        b'{"apiKeyName":"a","nonceWindow":15,"permissions":["query-funds"],'
        b'"validUntil":"1800000000","ipAllowlist":["192.0.2.1"]}'
    )
    snake = (
        b'{"api_key_name":"a","nonce_window":"15","permissions":["query-funds"],'
        b'"valid_until":"1800000000","ip_allowlist":["","192.0.2.1"]}'
    )
    assert parse_key_info(camel) == parse_key_info(snake)
    assert parse_key_info(camel).nonce_window == 15
