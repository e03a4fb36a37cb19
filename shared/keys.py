"""The demo account's keys: made by chance once, by whichever process needs one first.

One key for the strategy, one for guests, one for `bot-kill`: a nonce must rise for each key, so two
programs that shared one would refuse each other (KRAKEN.md 6.2).
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.config import ApiKey, ConfigError, read_key
from shared.config_layers import read_layer

DEMO_KEY: Final = "demo_key.toml"
GUEST_KEY: Final = "guest_key.toml"
KILL_KEY: Final = "kill_key.toml"
"""As it is to be made at the exchange: it may cancel orders and nothing else."""

FAULTS_TOKEN: Final = "faults_token"


def demo_key(data: Path, name: str = DEMO_KEY) -> ApiKey:
    """Read or make the key in this folder; the file (0600) appears whole or not at all.

    ConfigError where it cannot be used.
    """
    path = data / name
    if not path.exists():
        _make(path)
    pair = read_key(path)
    try:
        base64.b64decode(pair.secret, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError([f"{path}: api_secret is not base64; delete the file"]) from None
    return pair


def demo_rights(data: Path) -> tuple[str, ...]:
    """What the simulated exchange says its keys may do: `permissions` of the key file, for drills.

    () where the file names none: what trading needs.
    """
    found = read_layer(data / DEMO_KEY).values.get("permissions", [])
    return tuple(map(str, found)) if isinstance(found, list) else ()


def faults_token(data: Path) -> str:
    """The word that allows faults of the simulated exchange; made once, mode 0600."""
    path = data / FAULTS_TOKEN
    if not path.exists():
        _write(path, secrets.token_hex(16))
    return path.read_text(encoding="ascii").strip()


def _make(path: Path) -> None:
    key = base64.b64encode(secrets.token_bytes(42)).decode()
    secret = base64.b64encode(secrets.token_bytes(64)).decode()
    _write(path, f'api_key = "{key}"\napi_secret = "{secret}"\n')


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    # A link, unlike a rename, never replaces the key that another start has made meanwhile.
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
