"""How a setting is tried: its value goes through the real files into the real code, and back.

A `Row` says of one setting what is changed, what is looked at, and how the two must differ. Both
runs read config/default.toml and a user.toml of their own; nothing but this one setting differs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from shared.config import Config, ConfigError, Home, load

Values = Mapping[str, Any]
"""Dotted key -> value; a list of tables as a tuple of dicts."""

See = Callable[[Config], Any] | Callable[[Config, Home], Any]


class Row(Struct, frozen=True):
    """One setting. differ: of what is seen (by default, after the change); given: on both sides.

    homely: `see` is given the home as well, where secrets and state lie.
    """

    key: str
    value: Any
    see: See
    differ: Callable[[Any, Any], bool]
    given: Values = {}
    homely: bool = False


def toml_of(values: Values) -> str:
    """As a person writes it: sections in their order, one key to a line."""
    sections: dict[str, list[str]] = {"": []}
    tables: list[str] = []
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        if isinstance(value, tuple):
            for entry in value:
                rows = "\n".join(f"{field} = {json.dumps(what)}" for field, what in entry.items())
                tables.append(f"[[{key}]]\n{rows}")
        else:
            sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    told = ["\n".join(sections.pop(""))]
    told += [f"[{section}]\n" + "\n".join(rows) for section, rows in sections.items()]
    return "\n".join([*told, *tables]) + "\n"


def write(home: Home, values: Values) -> Home:
    """A home whose user.toml says this."""
    home.make()
    path = home.path / "user.toml"
    path.write_text(toml_of(values), encoding="utf-8")
    path.chmod(0o600)
    return home


SEEN: Final[dict[tuple[See, str], Any]] = {}
"""What was looked at already: many rows share the run without a change."""


def look(row: Row, values: Values) -> Any:
    """What is seen under these settings; a refusal is seen as its text."""
    key = (row.see, toml_of(values))
    if key not in SEEN:
        SEEN[key] = _look(row, values)
    return SEEN[key]


def _look(row: Row, values: Values) -> Any:
    see: Any = row.see
    with tempfile.TemporaryDirectory() as folder:
        home = write(Home(Path(folder)), values)
        try:
            config = load(home)
        except ConfigError as error:
            return str(error)
        return see(config, home) if row.homely else see(config)


def more(before: Any, after: Any) -> bool:
    return bool(after > before)


def less(before: Any, after: Any) -> bool:
    return bool(after < before)


@cache
def exactly(first: Any, then: Any) -> Callable[[Any, Any], bool]:
    """Seen by default, and after the change."""
    return lambda before, after: bool(before == first and after == then)


def about(first: float, then: float, within: float = 0.03) -> Callable[[Any, Any], bool]:
    """Likewise, within a part of the expected."""
    return lambda before, after: (
        abs(before - first) <= within * abs(first) and abs(after - then) <= within * abs(then)
    )
