"""The settings of the models: bounds, and where a key may go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.config import ConfigError, Home, load, read_secret
from shared.settings import check_signal
from tests.unit.strategy.core.build import make_config

DEFAULT = make_config().ai_signal


def test_it_is_off_by_default() -> None:
    assert DEFAULT.enabled is False
    assert DEFAULT.api_key == ""
    assert check_signal(DEFAULT, "live") == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("provider", "oracle"),
        ("model", ""),
        ("model", "../../v1/files?x="),
        ("model", "a b"),
        ("model", "x" * 101),
        ("api_url", "http://example.com"),
        ("api_url", "ftp://127.0.0.1:1"),
        ("api_url", "http://127.0.0.1.example.com"),
        ("temperature", 2.1),
        ("temperature", -1.1),
        ("max_tokens", 8),
        ("cooldown_sec", 1),
        ("timeout_sec", 0),
        ("weight", 1.1),
        ("max_bias_bps", "101"),
        ("max_bias_bps", "NaN"),
        ("max_bias_bps", "-1"),
        ("decay_sec", 1),
        ("breaker_failures", 0),
        ("breaker_pause_sec", 0),
        ("input_price_usd", "-1"),
        ("output_price_usd", "Infinity"),
        ("daily_budget_usd", "-0.01"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_its_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(ai_signal={key: value})
    assert f"ai_signal.{key}" in str(caught.value)


def test_a_live_key_goes_to_its_provider_alone() -> None:
    elsewhere = replace(DEFAULT, api_url="https://gateway.example.com")
    assert check_signal(elsewhere, "paper") == []
    assert "ai_signal.api_url" in check_signal(elsewhere, "live")[0]


def test_the_key_stands_in_a_file_of_its_owner_and_in_no_config(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    file = home.path / "user.toml"
    file.write_text('[ai_signal]\napi_key = "CANARY-0123456789"\n')
    file.chmod(0o600)
    assert read_secret(home, "ai_signal.api_key") == "CANARY-0123456789"
    assert "CANARY" not in repr(load(home))
    file.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        load(home)
    assert "chmod 600" in str(caught.value)
    assert "CANARY" not in str(caught.value)
