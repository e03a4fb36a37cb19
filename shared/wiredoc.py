"""Writes docs/wire.md from the frames: `python -m shared.wiredoc > docs/wire.md`."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Final

import msgspec

from shared import control, frames, units

HEAD: Final = """\
# The wire

Written by `python -m shared.wiredoc` from the structs; a test compares. Do not edit.

Each process publishes whole facts over ZeroMQ PUB on unix sockets in the home's `run/` folder
(mode 0700). A message has two parts: the topic (`{wire}/book/BTC/EUR`) and the payload, a msgpack
array: the tag, then the fields in the order below. Fields are appended with defaults, never
reordered, never retyped; anything else is a new wire version: the first part of each topic.

| socket | pattern | binds | connects |
|---|---|---|---|
| `run/feed.pub` | PUB | feed | strategy, monitor, record |
| `run/strategy.pub` | PUB | strategy | monitor |
| `run/strategy.ctl` | ROUTER | strategy | strategy-ctl, monitor |

Prices are Ticks and quantities Sats: counts of the pair's steps (see Instrument). Times are ns
since boot unless they are named wall (ns since 1970 UTC).
"""

CONTROL: Final = """\
## Control

One request, one reply, as JSON objects (version {version}, at most {limit} bytes). `type` names the
request. The same `request_id` is answered from memory, so a request can be repeated without harm.
"""

VALUES: Final = (
    units.Pair,
    frames.Trade,
    frames.VwapWindow,
    frames.PairView,
    frames.SlotView,
    frames.AdviceView,
    frames.FillView,
)
"""What stands inside frames."""


def write() -> str:
    """The whole page."""
    parts = [HEAD.format(wire=frames.WIRE), "## Frames\n", _struct(frames.Frame)]
    parts += [_struct(kind) for kind in frames.AnyFrame.__args__]
    parts += ["## Values inside frames\n", *(_struct(kind) for kind in VALUES)]
    parts.append(CONTROL.format(version=control.CONTROL_VERSION, limit=control.REQUEST_LIMIT))
    requests = control.AnyRequest.__args__
    parts += [_struct(kind) for kind in (control.Request, *requests, control.Reply)]
    return "\n".join(parts).rstrip() + "\n"


def _struct(kind: type[msgspec.Struct]) -> str:
    """A heading, what the struct is, and its own fields with type and meaning."""
    tag = kind.__struct_config__.tag
    heading = f"### {kind.__name__}" + (f" (`{tag}`)" if tag and tag != kind.__name__ else "")
    lines = [heading, ""]
    if said := inspect.getdoc(kind):
        lines += [said, ""]
    if rows := _fields(kind):
        lines += ["| field | type | |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    """Rows of the fields that the class itself adds; what they mean is their comment."""
    source = inspect.getsource(kind)
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    rows = []
    for node in body.body:
        if isinstance(node, ast.AnnAssign):
            line = source.splitlines()[node.lineno - 1]
            meaning = line.partition("#")[2].strip().replace("|", "\\|")
            shape = ast.unparse(node.annotation).replace("|", "\\|")
            rows.append(f"| {ast.unparse(node.target)} | `{shape}` | {meaning} |")
    return rows


if __name__ == "__main__":
    sys.stdout.write(write())
