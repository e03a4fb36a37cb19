"""user.toml as text: one key set, every other line kept; faults; written for the owner alone."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from icryptotrader.wizard.questions import Value
from shared.config import DEFAULTS, Config, ConfigError, check_layers
from shared.config_layers import Layer, lines_of, read_layer, value_at


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
    try:
        config_of(source, path)
    except ConfigError as error:
        named = re.compile(rf"(^|[\s]){re.escape(key)}:")
        return [fault for fault in error.faults if not key or named.search(fault)]
    return []


def config_of(source: str, path: Path) -> Config:
    """The defaults with this text over them; ConfigError with every fault."""
    layer = Layer(str(path), tomllib.loads(source), lines_of(source))
    return check_layers([read_layer(DEFAULTS, "config/default.toml"), layer]).config


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
