"""The settings in force, as `icryptotrader config show` tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from shared.config import Config, Loaded


def as_json(config: Config) -> str:
    """One object; money is text."""
    found = msgspec.json.encode(config, order="deterministic")
    return msgspec.json.format(found, indent=2).decode()


def with_origins(loaded: Loaded) -> str:
    """`key = value   # file:line`, in the order of default.toml."""
    rows = [
        (f"{key} = {json.dumps(value, ensure_ascii=False)}", loaded.origins.get(key, "computed"))
        for key, value in _leaves(msgspec.to_builtins(loaded.config))
    ]
    width = max(len(text) for text, _ in rows if len(text) < 60)
    return "\n".join(f"{text:{width}}  # {origin}" for text, origin in rows)


def _leaves(table: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
