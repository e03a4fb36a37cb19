"""The space of a search: which settings may take which values; and a configuration with them.

A file of the space is TOML, one line for each setting, by its dotted name (or in its table):

    "grid.levels" = [3, 5, 8]                              one of these
    "grid.min_spacing_bps" = { low = 20, high = 120, step = 5 }
    "bollinger.multiplier" = { low = 1.0, high = 4.0, log = true }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.config import Config, ConfigError
from shared.config_checks import CROSS_CHECKS
from shared.unread import unread

Value = int | float | str | bool


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """From low to high, both included; ints where all three are."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False


Choice = tuple[Value, ...]
Space = dict[str, Range | Choice]


def read_space(path: Path, config: Config) -> Space:
    """ConfigError with every fault: unknown settings, empty ranges, values nobody may set."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([unread(path, error)]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: not a text in UTF-8, let alone TOML"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    space: Space = {}
    none = f'{path}: names no setting: a line for each, such as "grid.levels" = [3, 5, 8]'
    faults = [] if raw else [none]
    for key, given in _flat(raw):
        try:
            found = _read_one(given)
            ends = found if isinstance(found, tuple) else (found.low, found.high)
            for value in ends:
                _with_one(config, key.split("."), value)
            space[key] = found
        except (msgspec.ValidationError, ValueError, AttributeError) as error:
            faults.append(f'{path.name}: "{key}": {error}')
    if faults:
        raise ConfigError(faults)
    return space


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Names and what they may be; a name without quotes is a table within a table in TOML."""
    for key, given in table.items():
        if isinstance(given, dict) and given and not given.keys() & Range.__struct_fields__:
            yield from _flat(given, f"{above}{key}.")
        else:
            yield above + key, given


def _read_one(given: Any) -> Range | Choice:
    if isinstance(given, list):
        if not given:
            raise ValueError("an empty list")
        return msgspec.convert(given, tuple[Value, ...])
    found = msgspec.convert(given, Range)
    if not found.low < found.high:
        raise ValueError("low must be below high")
    if found.step is not None and not found.step > 0:
        raise ValueError("step must be above 0")
    if found.log and (found.low <= 0 or found.step is not None):
        raise ValueError("log = true wants low above 0 and no step")
    return found


def with_settings(config: Config, values: Mapping[str, Value]) -> Config:
    """The configuration with these settings; ConfigError where they do not fit together."""
    for key, value in values.items():
        config = _with_one(config, key.split("."), value)
    faults = [fault for rule in CROSS_CHECKS for fault in rule(config)]
    if faults:
        raise ConfigError(faults)
    return config


def _with_one(section: Any, names: list[str], value: Value) -> Any:
    """The section with one value changed, converted and checked as the files' values are."""
    name, *rest = names
    if not isinstance(section, Struct) or name not in section.__struct_fields__:
        raise ValueError("no such setting")
    old = getattr(section, name)
    if rest:
        return replace(section, **{name: _with_one(old, rest, value)})
    if isinstance(old, Struct):
        raise ValueError("a table, not a setting")
    told: object = str(value) if isinstance(old, Decimal) else value
    kinds = {field.name: field.type for field in msgspec.structs.fields(section)}
    return replace(section, **{name: msgspec.convert(told, kinds[name])})
