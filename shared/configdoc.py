"""docs/config.md, written from the structs and the comments of default.toml.

`python -m shared.configdoc > docs/config.md`; a test compares.
"""

from __future__ import annotations

import re
import sys
import tomllib
import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from shared.config import DEFAULTS, Config
from shared.config_layers import SECRET_KEYS

INTRO: Final = """# Settings

Written from the structs and from the comments in `config/default.toml`; do not edit by hand.

Put what you want to change into `config/user.toml` (mode 0600). Layers, later wins:
`config/default.toml`, `--config FILE`, `config/user.toml`, `user.toml` in the home, and what
`icryptotrader run` was told on its command line. `icryptotrader config check` says every fault at
once, with file and line; `icryptotrader config show --origin` says where each value comes from.

Money, quantities and basis points are text and exact (`"500"`); ratios are numbers (0.15 = 15 %).
A setting marked *secret* stands in a file of mode 0600, or is a systemd credential of its name.

Older names are understood and said at the start: `order_size_usd` for `order_size_quote`, `XBT/`
for `BTC/`.
"""


class Setting(Struct, frozen=True):
    """A row of the page."""

    key: str
    kind: str
    default: str
    text: str


def write() -> str:
    """The whole page."""
    source = DEFAULTS.read_text(encoding="utf-8")
    comments, heads = read_comments(source)
    parts = [INTRO]
    for section, rows in _sections(Config, tomllib.loads(source), comments):
        parts.append(f"\n## {f'[{section}]' if section else 'At the top'}\n")
        if heads.get(section):
            parts.append(f"{heads[section]}\n")
        parts.append("| key | value | default | |\n|---|---|---|---|")
        parts += [f"| `{r.key}` | {r.kind} | `{r.default}` | {r.text} |" for r in rows]
    return "\n".join(parts) + "\n"


def _sections(
    kind: type[Struct], values: dict[str, Any], comments: dict[str, str], at: str = ""
) -> Iterator[tuple[str, list[Setting]]]:
    rows, below = [], []
    for field in msgspec.structs.fields(kind):
        if field.name not in values:
            continue
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            below.append((field.type, field.name))
        else:
            key = f"{at}{field.name}"
            text = comments.get(key, "") or _sister(key, comments)
            if key in SECRET_KEYS:
                text = f"*secret*; {text}"
            default = _toml(values[field.name])
            rows.append(Setting(field.name, say_type(field.type), default, text.strip("; ")))
    if rows:
        yield at.rstrip("."), rows
    for inner, name in below:
        yield from _sections(inner, values[name], comments, f"{at}{name}.")


def _sister(key: str, comments: dict[str, str]) -> str:
    """The comment of the same key in another part of its section."""
    top, last = key.split(".")[0], key.split(".")[-1]
    found = [c for k, c in comments.items() if k.startswith(f"{top}.") and k.endswith(f".{last}")]
    return found[0] if found else ""


def say_type(kind: Any) -> str:
    """A field's type and range in words."""
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        return f"{say_type(base)}{''.join(_range(meta) for meta in metas)}"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{_toml(choice)}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {say_type(get_args(kind)[0])}"
    if isinstance(kind, types.UnionType):
        return " or ".join(say_type(part) for part in get_args(kind))
    return NAMES[kind.__name__]


NAMES: Final = {
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "str": "text",
    "Decimal": "exact number",
    "TaxYear": "a year and what is said of it",
    "WeightedPair": "symbol and weight",
}


def _range(meta: msgspec.Meta) -> str:
    words = [
        f"{word} {value:,}"
        for word, value in (
            ("from", meta.ge),
            ("above", meta.gt),
            ("to", meta.le),
            ("below", meta.lt),
        )
        if value is not None
    ]
    return f", {' '.join(words)}" if words else ""


def read_comments(source: str) -> tuple[dict[str, str], dict[str, str]]:
    """Dotted key -> its comment, and section -> the comment at its head."""
    found: dict[str, str] = {}
    heads: dict[str, str] = {}
    above: list[str] = []
    section, last, fresh = "", "", False
    for line in source.splitlines():
        if head := re.match(r"\[(.+)\]", line):
            section, above, last, fresh = head[1], [], "", True
        elif line.startswith("#"):
            above.append(line.lstrip("# ").rstrip())
        elif key := re.match(r"(\w+) *= *(.*)", line):
            beside = _beside(key[2])
            name = f"{section}.{key[1]}".lstrip(".")
            if above and fresh and beside:
                heads[section] = " ".join(above)
                found[name] = beside
            else:
                found[name] = " ".join([*above, beside]).strip()
            above, last, fresh = [], name, False
        elif more := re.match(r" +# (.*)", line):
            if last:
                found[last] += f" {more[1]}"
        elif not line.strip():
            above = []
    return found, heads


def _beside(rest: str) -> str:
    """The comment after a value; a # inside of quotes is none."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', lambda text: "_" * len(text[0]), rest)
    place = bare.find("#")
    return rest[place + 1 :].strip() if place >= 0 else ""


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return str(value)


if __name__ == "__main__":
    sys.stdout.write(write())
