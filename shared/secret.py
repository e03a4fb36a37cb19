"""Secrets: read when they are needed, by the one process that needs them, from the owner's files.

Rule 1: a secret is never part of a Config: that is journaled and shown.
Rule 2: a file that others may read is refused, whatever it holds.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from shared.config_layers import ConfigError, Layer, read_layer, secret_in


class ApiKey(Struct, frozen=True):
    """A key pair; its repr never shows it."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "ApiKey(***)"


def fingerprint(key: ApiKey) -> str:
    """`1a2b-3c4d`: names a key to a person, and says nothing about it."""
    digest = hashlib.sha256(key.key.encode()).hexdigest()
    return f"{digest[:4]}-{digest[4:8]}"


def read_key(path: Path) -> ApiKey:
    """The key file of kraken.key_file; refused where others may read it."""
    _refuse_if_exposed(path)
    raw = read_layer(path).values
    key, secret = raw.get("api_key"), raw.get("api_secret")
    if not (isinstance(key, str) and isinstance(secret, str) and key and secret):
        raise ConfigError([f'{path}: needs two lines, api_key = "..." and api_secret = "..."'])
    return ApiKey(key, secret)


def find_secret(key: str, layers: Sequence[Layer], credentials: Path | None) -> str:
    """The secret of a dotted key; "" where none is given; ConfigError where it is exposed.

    credentials: the folder that systemd's LoadCredential fills; a file there is named as the key
    (`telegram.bot_token`) and comes before any layer.
    """
    if credentials is not None and (path := credentials / key).is_file():
        # systemd grants the service's user by an ACL, which shows as the group's bits.
        _refuse_if_exposed(path, 0o007)
        return path.read_text(encoding="utf-8").strip()
    for layer in reversed(layers):
        if value := secret_in(layer.values, key):
            if layer.others_may_read:
                raise ConfigError([f"{layer.place(key)}: others may read {key}; chmod 600 it"])
            return value
    return ""


def _refuse_if_exposed(path: Path, others: int = 0o077) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    if stat.S_IMODE(mode) & others:
        raise ConfigError([f"{path}: others may read this file; run: chmod 600 {path}"])
