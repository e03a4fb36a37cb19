"""The view as plain data for programs: /api/status, documented in docs/api.md.

Rule 1: keys are added, never renamed: scripts of the owner read them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from monitor.answers import safe
from monitor.around import Around
from monitor.summary import todo, verdict
from monitor.view import Heard, View, touch
from monitor.watch import concerns
from shared.units import SECOND, Ns


def summary(view: View, around: Around, now: Ns, wall: Ns) -> dict[str, Any]:
    """What /api/status answers. The last known status stands beside how old it is."""
    state = verdict(view, now)
    watched = concerns(view, around, now, str)
    return {
        "wall_ns": wall,
        "mood": state.mood,
        "verdict": state.text,
        "safe": safe(view, now, str),
        "todo": todo(view, now, watched),
        "watch": watched,
        "ticks_per_s": round(view.pace.per_s, 2) if view.pace.known else None,
        "strategy": _process(view.strategy, now) | {"status": _fields(view.status)},
        "feed": _process(view.feed, now) | {"beat": _fields(view.beat)},
        "prices": [_price(view, pair, now) for pair in sorted({*view.books, *view.pairs})],
        "fills": view.fills,
        "alerts": view.alerts,
        "bus": view.wire,
        "advisor": view.advisor,
        "tax": around.tax,
        "tax_wall_ns": around.tax_at,
        "rates": around.rates,
        "processes": around.processes,
    }


def _process(heard: Heard, now: Ns) -> dict[str, Any]:
    silent = heard.silent_ns(now)
    return {
        "up": heard.up(now),
        "silent_s": None if silent is None else round(silent / SECOND, 3),
        "lives": heard.lives,
    }


def _price(view: View, pair: str, now: Ns) -> dict[str, Any]:
    book, best = view.books.get(pair), touch(view, pair)
    return {
        "pair": pair,
        "bid": best[0] if best else None,
        "ask": best[1] if best else None,
        "valid": best is not None,
        "why": book.why if book else "no book yet",
        "age_s": round((now - book.heard_at) / SECOND, 3) if book else None,
    }


def _fields(frame: Struct | None) -> dict[str, Any] | None:
    """By name: on the bus a frame is a list."""
    return None if frame is None else msgspec.structs.asdict(frame)
