"""Real money: what is missing is said all at once, and what was typed is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from icryptotrader.consent import NOT_WELL, permit
from icryptotrader.startup import NotReadyError, Options
from shared.config import Home, load, read_key
from shared.config_checks import CONSENT
from shared.secret import fingerprint


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A live house whose exchange nobody serves."""
    made = Home(tmp_path / "home")
    made.make()
    (made.path / "key.toml").write_text('api_key = "public"\napi_secret = "c2VjcmV0"\n')
    (made.path / "user.toml").write_text(
        f'mode = "live"\n[live]\nconsent = "{CONSENT}"\n[kraken]\n'
        f'key_file = "{made.path / "key.toml"}"\nrest_url = "http://127.0.0.1:9"\n'
    )
    for name in ("key.toml", "user.toml"):
        (made.path / name).chmod(0o600)
    return made


def refused(home: Home, options: Options) -> NotReadyError:
    with pytest.raises(NotReadyError) as caught:
        permit(home, load(home), options)
    return caught.value


def test_all_that_is_missing_is_said_at_once(home: Home) -> None:
    (home.path / "key.toml").chmod(0o644)
    error = refused(home, Options())
    assert error.code == 78
    told = "\n".join(error.faults)
    for word in ("--live: missing", "others may read", "--fingerprint: missing"):
        assert word in told


def test_another_keys_fingerprint_is_refused_before_anything_is_asked(home: Home) -> None:
    error = refused(home, Options(live=True, fingerprint="0000-0000"))
    assert error.code == 78
    assert error.faults == ["--fingerprint: 0000-0000 is not that of the configured key"]


@pytest.mark.parametrize("change", [str, str.upper, lambda mark: mark.replace("-", "")])
def test_the_right_one_goes_on_to_the_doctor_however_it_is_typed(home: Home, change: type) -> None:
    mark = fingerprint(read_key(home.path / "key.toml"))
    error = refused(home, Options(live=True, fingerprint=change(mark)))
    assert error.code == NOT_WELL
    assert all(fault.startswith("doctor: ") for fault in error.faults)
    assert any("API key" in fault and "->" in fault for fault in error.faults)
