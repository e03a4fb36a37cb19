"""The view as plain data for programs, and its verdict in a sentence: what a person asks first."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from monitor.view import Heard, View, touch
from shared.units import SECOND, Ns

Mood = Literal["good", "waiting", "bad"]

SWITCH_LOW_S: Final = 15.0
"""Below this no order is sent: the dead man's switch is about to fire."""


class Verdict(Struct, frozen=True):
    mood: Mood
    text: str


def verdict(view: View, now: Ns) -> Verdict:
    """How things stand, worst first."""
    status = view.status
    if not view.strategy.up(now):
        return Verdict("bad", f"The strategy {silence(view.strategy, now)}.")
    if status is None:
        return Verdict("waiting", "The strategy has begun and has not told its state yet.")
    if status.phase == "halted":
        return Verdict("bad", "Halted: nothing is quoted until a person resumes.")
    if not view.feed.up(now):
        return Verdict("bad", f"The feed {silence(view.feed, now)}: nothing new is quoted.")
    if status.hold:
        return Verdict("waiting", "On hold by the operator.")
    if status.phase != "trading":
        return Verdict("waiting", f"The strategy is {status.phase}.")
    if status.waits_for:
        return Verdict("waiting", f"Waiting: {'; '.join(status.waits_for)}.")
    if status.pause not in ("", "ACTIVE_TRADING"):
        return Verdict("waiting", f"Trading is limited: {status.pause}.")
    return Verdict("good", f"Trading, {status.orders} orders in the book.")


def silence(heard: Heard, now: Ns) -> str:
    """`has been silent for 12 s`, `has not been heard yet`."""
    silent = heard.silent_ns(now)
    if silent is None:
        return "has not been heard yet"
    return f"has been silent for {silent / SECOND:.0f} s"


def summary(view: View, now: Ns, wall: Ns) -> dict[str, Any]:
    """What /api/status answers. The last known status stands beside how old it is."""
    state = verdict(view, now)
    return {
        "wall_ns": wall,
        "mood": state.mood,
        "verdict": state.text,
        "strategy": _process(view.strategy, now) | {"status": _fields(view.status)},
        "feed": _process(view.feed, now) | {"beat": _fields(view.beat)},
        "prices": [_price(view, pair, now) for pair in sorted({*view.books, *view.pairs})],
        "fills": view.fills,
        "alerts": view.alerts,
        "bus": view.wire,
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
