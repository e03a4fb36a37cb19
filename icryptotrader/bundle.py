"""`icryptotrader support-bundle`: what somebody who helps needs to see, and no secret.

Rule 1: files that hold secrets or money's history (keys, tokens, ledger, user.toml) are not taken.
Rule 2: every text passes `redact`: the secrets we know, and whatever has the shape of one.
"""

from __future__ import annotations

import platform
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from icryptotrader.config_show import with_origins
from icryptotrader.doctor.command import diagnose
from icryptotrader.doctor.findings import examine
from icryptotrader.wizard.flow import KEY_FILE
from shared.config import ConfigError, Home, load, read_secret
from shared.config_layers import SECRET_KEYS, read_layer
from shared.version import build

TAIL_BYTES: Final = 2_000_000
SECRET_LEAST: Final = 6
BLACK: Final = "[redacted]"

SHAPES: Final = (
    re.compile(r"\b\d{6,}:[A-Za-z0-9_\-]{30,}"),  # a Telegram bot's token
    re.compile(r"(?<![\w+/])[A-Za-z0-9+/_\-]{40,}={0,2}"),  # keys, secrets, tokens in base64
    re.compile(r"(?i)(api[-_ ]?(?:key|sign|secret)|password|token)(\W{1,4})[^\s\"',}]{6,}"),
)


def write_bundle(home: Home, target: Path) -> list[str]:
    """Write the archive, for its owner alone, and name what is in it; FileExistsError, OSError."""
    secrets = known_secrets(home)
    names = []
    target.touch(mode=0o600, exist_ok=False)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _contents(home):
            archive.writestr(name, redact(text, secrets))
            names.append(name)
    return names


def redact(text: str, secrets: list[str]) -> str:
    """The text without the secrets given and without what looks like one."""
    for secret in secrets:
        text = text.replace(secret, BLACK)
    text = SHAPES[0].sub(BLACK, text)
    text = SHAPES[1].sub(BLACK, text)
    return SHAPES[2].sub(rf"\1\2{BLACK}", text)


def known_secrets(home: Home) -> list[str]:
    """All secrets of this installation that can be read, the longest first."""
    found = []
    for key in SECRET_KEYS:
        try:
            found.append(read_secret(home, key))
        except ConfigError:
            continue
    token = home.data / "dashboard_token"
    if token.exists():
        found.append(token.read_text(errors="replace").strip())
    for key_file in _key_files(home):
        try:
            found += [str(value) for value in read_layer(key_file).values.values()]
        except ConfigError:
            found.append(key_file.read_text(errors="replace").strip())
    return sorted((s for s in found if len(s) >= SECRET_LEAST), key=len, reverse=True)


def _key_files(home: Home) -> list[Path]:
    """Those of the simulated exchange, of the set-up, and those that the configuration names."""
    places = [home.data / "demo_key.toml", home.data / "guest_key.toml", home.path / KEY_FILE]
    try:
        kraken = load(home).kraken
        named = (kraken.key_file, kraken.cancel_key_file)
        places += [Path(name).expanduser() for name in named if name]
    except ConfigError:
        pass
    return [place for place in places if place.is_file()]


def _contents(home: Home) -> Iterator[tuple[str, str]]:
    yield "about.txt", f"iCryptoTrader {build()}\n{platform.platform()}\n"
    patient = examine(home)
    settings = "\n".join(patient.faults)
    if patient.loaded is not None:
        settings = with_origins(patient.loaded) + "\n" + "\n".join(patient.loaded.notes)
    yield "settings.txt", settings
    yield "doctor.json", _json(diagnose(home))
    yield "status.json", _json(patient.status)
    for path in sorted(home.log.glob("*")):
        if path.is_file():
            yield f"log/{path.name}", _tail(path)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).decode(errors="replace")
