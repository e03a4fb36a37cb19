"""Layers of TOML become one table: where each value comes from, what is unknown, what is older.

Rule 1: a fault names file and line. tomllib keeps no lines, so `lines_of` finds them by the shape
of the text; where it cannot (a quoted or dotted key), the fault names the file alone.
Rule 2: a secret never gets past this file: it is replaced by SET_ASIDE, and its file must be 0600.
"""

from __future__ import annotations

import difflib
import json
import re
import stat
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from shared.unread import unread

Value = TypeVar("Value")

SECRET_KEYS: Final = (
    "kraken.api_key",
    "kraken.api_secret",
    "telegram.bot_token",
    "ai_signal.api_key",
    "web.password",
)
SET_ASIDE: Final = "(set)"
"""What stands in a Config where a secret was given."""

PAIRS: Final = "pairs"


class ConfigError(Exception):
    """All faults of a configuration, each with its place and its remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Layer(Struct, frozen=True):
    """One file as it was read. lines: dotted key -> line, from 1."""

    name: str
    values: dict[str, Any]
    lines: dict[str, int]
    others_may_read: bool = False

    def place(self, key: str) -> str:
        """`config/user.toml:12`, or the file alone."""
        line = self.lines.get(key)
        return f"{self.name}:{line}" if line else self.name


class Merged(Struct, frozen=True):
    """All layers as one table. origins: dotted key -> `file:line`, where it was set last."""

    values: dict[str, Any]
    origins: dict[str, str]
    faults: list[str]
    notes: list[str]


def read_layer(path: Path, name: str | None = None) -> Layer:
    """ConfigError where the file is not there, not readable, or no TOML."""
    try:
        text = path.read_bytes().decode()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError([unread(path, error)]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: not a text in UTF-8, let alone TOML"]) from None
    # A byte order mark is what some editors of other systems leave behind.
    text = text.removeprefix("\ufeff")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{name or path}: {error}"]) from None
    return Layer(name or str(path), values, lines_of(text), bool(stat.S_IMODE(mode) & 0o077))


def merge(layers: Sequence[Layer]) -> Merged:
    """Later layers win. The first one knows every key; what it does not know is a fault."""
    known = layers[0].values
    merged = Merged({}, {}, [], [])
    for layer in layers:
        fresh, told = translate_older(layer)
        merged.faults.extend(told.faults)
        merged.notes.extend(told.notes)
        merged.faults.extend(_unknown(fresh, fresh.values, known))
        merged.faults.extend(_exposed(fresh))
        merged.notes.extend(_overruled(merged, fresh, fresh.values, layers[0].name))
        _lay_over(merged, fresh, fresh.values, known)
    return merged


class Told(Struct, frozen=True):
    """What is to be said about one layer."""

    faults: list[str]
    notes: list[str]


def translate_older(layer: Layer) -> tuple[Layer, Told]:
    """Names and forms that users know from before, in the words of default.toml."""
    told = Told([], [])
    for rule in OLDER:
        layer = rule(layer, told)
    return layer, told


def _order_size(layer: Layer, told: Told) -> Layer:
    grid = layer.values.get("grid")
    if not isinstance(grid, dict) or "order_size_usd" not in grid:
        return layer
    where = layer.place("grid.order_size_usd")
    if "order_size_quote" in grid:
        told.faults.append(
            f"{where}: grid.order_size_usd is the older name of order_size_quote: keep one"
        )
        return layer
    told.notes.append(f"{where}: grid.order_size_usd is read as grid.order_size_quote")
    renamed = {
        ("order_size_quote" if k == "order_size_usd" else k): value for k, value in grid.items()
    }
    lines = dict(layer.lines)
    if line := lines.get("grid.order_size_usd"):
        lines["grid.order_size_quote"] = line
    return Layer(layer.name, layer.values | {"grid": renamed}, lines, layer.others_may_read)


def _older_coin(layer: Layer, told: Told) -> Layer:
    changed: dict[str, Any] = {}
    pair = layer.values.get("pair")
    if isinstance(pair, str) and pair.startswith("XBT/"):
        changed["pair"] = newer_pair(pair)
        told.notes.append(
            f'{layer.place("pair")}: "{pair}" is Kraken\'s older name of "{changed["pair"]}"'
        )
    rows = layer.values.get(PAIRS)
    if isinstance(rows, list) and any(_symbol(row).startswith("XBT/") for row in rows):
        changed[PAIRS] = [
            row | {"symbol": newer_pair(_symbol(row))} if _symbol(row) else row for row in rows
        ]
        told.notes.append(f"{layer.place(PAIRS)}: XBT is Kraken's older name of BTC")
    if not changed:
        return layer
    return Layer(layer.name, layer.values | changed, layer.lines, layer.others_may_read)


def newer_pair(symbol: str) -> str:
    """`XBT/EUR` as `BTC/EUR`; any other name as it is."""
    return f"BTC/{symbol[4:]}" if symbol.startswith("XBT/") else symbol


def _symbol(row: object) -> str:
    """Of a row of [[pairs]]; "" where it names none."""
    found = row.get("symbol") if isinstance(row, dict) else None
    return found if isinstance(found, str) else ""


def _json_backend(layer: Layer, told: Told) -> Layer:
    if layer.values.get("persistence_backend") == "json":
        told.notes.append(
            f'{layer.place("persistence_backend")}: persistence_backend "json": the ledger is '
            "SQLite all the same; data/ledger.json is written beside it after each booked fill"
        )
    return layer


def _holding_period(layer: Layer, told: Told) -> Layer:
    tax = layer.values.get("tax")
    if not isinstance(tax, dict) or layer.name.endswith("default.toml"):
        return layer
    days = tax.get("holding_period_days")
    if isinstance(days, int) and not isinstance(days, bool):
        # § 23 (1) Nr. 2 EStG counts a year by the calendar, not days.
        effect = (
            f"a coin counts as free {days - 365} days later than the law's year"
            if days > 365
            else "the law's calendar year decides; a number of days can only lengthen it"
        )
        told.notes.append(
            f"{layer.place('tax.holding_period_days')}: tax.holding_period_days = {days}: {effect}"
        )
    near = tax.get("near_threshold_days")
    if isinstance(near, int) and not isinstance(near, bool):
        told.notes.append(
            f"{layer.place('tax.near_threshold_days')}: tax.near_threshold_days = {near} is read "
            f"as {365 - near} days to the first free day"
        )
    return layer


OLDER: Final[tuple[Callable[[Layer, Told], Layer], ...]] = (
    _order_size,
    _older_coin,
    _json_backend,
    _holding_period,
)


def _unknown(
    layer: Layer, values: dict[str, Any], known: dict[str, Any], at: str = ""
) -> list[str]:
    found = []
    for key, value in values.items():
        name = f"{at}{key}"
        if at == "" and key == PAIRS:
            continue  # A list of tables, which its own struct checks.
        if key not in known:
            found.append(f'{layer.place(name)}: unknown key "{name}"{_nearest(key, at, known)}')
        elif isinstance(known[key], dict):
            if isinstance(value, dict):
                found += _unknown(layer, value, known[key], f"{name}.")
            else:
                found.append(f"{layer.place(name)}: {name} is a section: write [{name}] above it")
    return found


def _nearest(key: str, at: str, known: dict[str, Any]) -> str:
    homes = [name for name, keys in known.items() if isinstance(keys, dict) and key in keys]
    if homes and not at:
        return f'; it belongs under [{homes[0]}]: "{homes[0]}.{key}"'
    near = difflib.get_close_matches(key, list(known), n=1)
    if near:
        return f'; did you mean "{at}{near[0]}"?'
    return "; see config/default.toml"


def _exposed(layer: Layer) -> list[str]:
    """Secrets in a file that others may read."""
    if not layer.others_may_read:
        return []
    return [
        f"{layer.place(key)}: {key} is a secret and others may read this file; "
        f"run: chmod 600 {layer.name}"
        for key in SECRET_KEYS
        if secret_in(layer.values, key)
    ]


def secret_in(values: dict[str, Any], key: str) -> str:
    """The secret of this dotted key; "" where none is given."""
    section, _, name = key.partition(".")
    table = values.get(section)
    value = table.get(name, "") if isinstance(table, dict) else ""
    return value if isinstance(value, str) else ""


def _lay_over(
    merged: Merged, layer: Layer, values: dict[str, Any], known: dict[str, Any], at: str = ""
) -> None:
    into = merged.values
    for part in at.split(".")[:-1]:
        into = into.setdefault(part, {})
    for key, value in values.items():
        name = f"{at}{key}"
        if isinstance(value, dict) and isinstance(known.get(key, {}), dict):
            _lay_over(merged, layer, value, known.get(key, {}), f"{name}.")
            continue
        secret = name in SECRET_KEYS and isinstance(value, str) and value != ""
        into[key] = SET_ASIDE if secret else value
        merged.origins[name] = layer.place(name)


def _overruled(
    merged: Merged, layer: Layer, values: dict[str, Any], base: str, at: str = ""
) -> list[str]:
    """What a person wrote in an earlier file and takes back in this one: easily overlooked."""
    notes: list[str] = []
    for key, value in values.items():
        name = f"{at}{key}"
        if isinstance(value, dict):
            notes += _overruled(merged, layer, value, base, f"{name}.")
            continue
        before = merged.origins.get(name, base)
        if before.partition(":")[0] == base or name in SECRET_KEYS:
            continue
        if value_at(merged.values, name) != value:
            notes.append(f"{layer.place(name)}: {name} goes over what {before} says")
    return notes


def lay_session(merged: Merged, session: Layer) -> None:
    """What `icryptotrader run` settled on: our own writing, not searched for strange keys."""
    _lay_over(merged, session, {k: v for k, v in session.values.items() if k != "config_file"}, {})


def value_at(values: dict[str, Any], key: str) -> Any:
    """The value of a dotted key; KeyError where there is none."""
    for part in key.split("."):
        values = values[part]
    return values


def convert(
    kind: type[Value], merged: Merged, defaults: dict[str, Any]
) -> tuple[Value | None, list[str]]:
    """The table as a struct, key by key: every fault, each with its place.

    A faulty value is stood in for by its default, so that checks across keys can still be made;
    None where there is none.
    """
    faults: list[str] = []
    made = _convert(kind, merged.values, defaults, ("", merged.origins, faults))
    return made, faults


def _convert(
    kind: Any,
    values: dict[str, Any],
    defaults: dict[str, Any],
    told: tuple[str, dict[str, str], list[str]],
) -> Any:
    at, origins, faults = told
    given: dict[str, Any] = {}
    whole = True
    for field in msgspec.structs.fields(kind):
        name = f"{at}{field.name}"
        if field.name not in values:
            if field.required:
                faults.append(f"{name}: missing; see config/default.toml")
                whole = False
            continue
        value, stand_in = values[field.name], defaults.get(field.name)
        inner = isinstance(field.type, type) and issubclass(field.type, Struct)
        if inner and isinstance(value, dict):
            below = stand_in if isinstance(stand_in, dict) else {}
            made = _convert(field.type, value, below, (f"{name}.", origins, faults))
        else:
            made = _leaf(field.type, value)
            if isinstance(made, _Fault):
                where = f"{origins[name]}: " if name in origins else ""
                faults.append(f"{where}{name}: {made.text}, found {_shown(name, value)}")
                made = _leaf(field.type, stand_in)
        if made is None or isinstance(made, _Fault):
            whole = False
        else:
            given[field.name] = made
    return kind(**given) if whole else None


class _Fault(Struct, frozen=True):
    """Why a value is none of its type."""

    text: str


def _leaf(kind: Any, value: object) -> Any:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ArithmeticError) as error:
        known = get_args(kind) if get_origin(kind) is Literal else ()
        if known:
            return _Fault(f"must be one of {', '.join(json.dumps(one) for one in known)}")
        return _Fault(_say(error))


def _shown(name: str, value: object) -> str:
    return SET_ASIDE if name in SECRET_KEYS else repr(value)[:80]


PATTERNS: Final = (
    ("^$|^https://", 'an address that begins with https://, or ""'),
    ("^https://", "an address that begins with https://"),
    ("^[A-Za-z0-9]", "the name of a model: letters, digits and . _ : -"),
    ("^[a-z]", "lower-case letters, digits and _, a letter first"),
    ("^(-?[0-9]", 'a number in quotes, as "42", or ""'),
)
"""What a text must look like: how its pattern begins, and that in words."""

WORDS: Final = (
    (r"Invalid decimal string", 'must be a number in quotes, as "20"'),
    (r" - at `[^`]*`", ""),
    (r"Expected", "must be"),
    (r"`int( \| null)?`", "a whole number"),
    (r"`float`", "a number"),
    (r"`decimal`", 'a number in quotes, as "20"'),
    (r"`str`", 'a text in quotes, as "x"'),
    (r"`bool`", "true or false"),
    (r"`array`", "a list, as [1, 2]"),
    (r"`object`", "a section"),
)


def _say(error: Exception) -> str:
    """msgspec's sentence in the words of the file, without its path, which we name ourselves."""
    if isinstance(error, ArithmeticError):
        return "must be a number"
    text = str(error)
    _, _, wanted = text.partition("matching regex ")
    for begin, words in PATTERNS:
        if wanted.startswith((f"'{begin}", f'"{begin}')):
            return f"must be {words}"
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    return text


_SECTION: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\-]+)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.\-]+)\s*=\s*(.*)")
_QUOTES: Final = ('"""', "'''")


def lines_of(text: str) -> dict[str, int]:
    """Dotted key -> line (from 1) of valid TOML with bare keys, one to a line."""
    found: dict[str, int] = {}
    section, inside, depth = "", "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if depth > 0:
            depth += _depth(line)
            continue
        if head := _SECTION.match(line):
            section = f"{head[1]}."
            found.setdefault(head[1], number)
        elif key := _KEY.match(line):
            found.setdefault(section + key[1], number)
            opened = next((q for q in _QUOTES if key[2].startswith(q)), "")
            if opened:
                inside = "" if opened in key[2][3:] else opened
            else:
                depth = max(0, _depth(key[2]))
    return found


def _depth(text: str) -> int:
    """Brackets opened less closed, outside of strings and before a comment."""
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text).partition("#")[0]
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
