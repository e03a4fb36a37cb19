"""I20: what the strategy holds in memory, against what the ledger would tell its next life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from shared.units import SECOND, Ns
from strategy.core.memory import Day, Memory

PEAK_WITHIN: Final = Ns(65 * SECOND)
"""It is written each minute at the most."""


def unkept(memory: Memory, facts: Mapping[str, str]) -> str:
    """What a life that begins now would not know, or know otherwise; "" if nothing.

    facts: of the ledger, between two steps.
    """
    external = f"external:{memory.coin}"
    believed: list[tuple[str, object, object]] = [
        ("halt", memory.halt, facts.get("halt", "")),
        ("hold", memory.hold, facts.get("hold", "")),
        ("kill", memory.kill.stage, facts.get("kill", "")),
        ("drift", memory.audit.held, bool(facts.get("drift"))),
        ("cursor", int(memory.cursor), int(facts.get("cursor", "0"))),
        (external, memory.audit.external, int(facts.get(external, "0"))),
        ("day", memory.day, msgspec.json.decode(facts.get("day", "{}"), type=Day)),
        ("books", _text(memory.books.expected), facts.get("books", "{}")),
    ]
    for pair in memory.pairs.values():
        unmatched, anchor = f"unmatched:{pair.name}", f"anchor:{pair.name}"
        believed.append((unmatched, _text(pair.unmatched), facts.get(unmatched, "[]")))
        if pair.hung.anchor.base > 0.0:
            believed.append((anchor, _text(pair.hung.anchor), facts.get(anchor, "")))
    peak = float(facts.get("peak", "0"))
    if memory.risk.peak > peak and memory.now - memory.peak_kept[0] > PEAK_WITHIN:
        return f"the peak is {memory.risk.peak} in memory, and {peak} in the ledger"
    for name, held, kept in believed:
        if held != kept:
            return f"{name} is {held!r} in memory, and {kept!r} in the ledger"
    return ""


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
