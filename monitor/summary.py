"""The verdict in a sentence and what a person must do: what is asked first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from monitor.view import Heard, View
from monitor.watch import Concern
from monitor.words import PAUSES, Say
from shared.units import SECOND, Ns

Mood = Literal["good", "waiting", "bad"]

SWITCH_LOW_S: Final = 15.0
"""Below this no order is sent: the dead man's switch is about to fire."""


class Verdict(Struct, frozen=True):
    mood: Mood
    text: str


def verdict(view: View, now: Ns, say: Say = str) -> Verdict:
    """How things stand, worst first, in a sentence."""
    status = view.status
    if not view.strategy.up(now):
        return Verdict("bad", f"{say('The strategy')} {silence(view.strategy, now, say)}.")
    if status is None:
        text = "The strategy has begun and has not told its state yet."
        return Verdict("waiting", say(text))
    if status.phase == "halted":
        return Verdict("bad", say("Halted: nothing is quoted until a person resumes."))
    if not view.feed.up(now):
        quiet = f"{say('The feed')} {silence(view.feed, now, say)}"
        return Verdict("bad", f"{quiet}: {say('nothing new is quoted')}.")
    if status.hold:
        return Verdict("waiting", say("On hold by the operator."))
    if status.phase != "trading":
        return Verdict("waiting", f"{say('The strategy is')} {say(status.phase)}.")
    if status.waits_for:
        return Verdict("waiting", f"{say('Waiting')}: {say('; '.join(status.waits_for))}.")
    if status.pause not in ("", "ACTIVE_TRADING"):
        may = say(PAUSES.get(status.pause, "")) or status.pause
        return Verdict("waiting", f"{say('Trading is limited')}: {may} ({status.pause}).")
    return Verdict("good", f"{say('Trading')}, {status.orders} {say('orders in the book')}.")


def todo(view: View, now: Ns, watched: Sequence[Concern] = ()) -> list[str]:
    """What a person must do, most urgent first; English, the key of `words`."""
    status = view.status
    if not view.strategy.up(now):
        return ["Start the bot: icryptotrader run"]
    found = []
    if not view.feed.up(now):
        found.append("See why the feed is silent: icryptotrader doctor")
    if status is None:
        return found
    if status.phase == "halted":
        found.append("Read why it halted, then resume or stop it.")
    elif status.hold:
        found.append("Resume when you are ready.")
    if status.phase == "trading" and 0 < status.switch_left_s <= SWITCH_LOW_S:
        found.append(
            "The dead man's switch is about to fire: the line to the exchange is not well."
        )
    if status.drift.strip("-0."):
        found.append("Coins do not agree with the ledger: strategy-ctl reconcile")
    if status.foreign_orders:
        found.append(
            "Orders that are not ours rest in the account: the dead man's switch cancels them too."
        )
    if watched or any(level in ("error", "critical") for level, _ in status.alerts):
        found.append("Read the alerts below.")
    return found


def silence(heard: Heard, now: Ns, say: Say = str) -> str:
    """`has been silent for 12 s`, `has not been heard yet`."""
    silent = heard.silent_ns(now)
    if silent is None:
        return say("has not been heard yet")
    return f"{say('has been silent for')} {silent / SECOND:.0f} s"
