"""The card of the page about the models' advice: what was said, what it moves, what it costs.

Rule 1: what a model wrote is never shown; only its opinion, which is a word and three numbers.
"""

from __future__ import annotations

from monitor.advisor.pace import Usage
from monitor.advisor.seen import AdvisorSeen
from monitor.markup import card, duration, mark, moment, t
from monitor.view import View
from monitor.words import REGIMES, Say
from shared.frames import AdviceView, Status

MOODS = {"asking": "good", "waits": "", "paused": "bad"}


def advice(view: View, say: Say) -> str:
    """Nothing where no advice is listened to."""
    status, seen = view.status, view.advisor
    if status is None or not status.advice.enabled:
        return ""
    rows = [*_standing(status, say), *(_asked(seen, say) if seen is not None else ())]
    return f'<div class="cards">{card(say("Advice of a model"), rows)}</div>'


def _standing(status: Status, say: Say) -> list[tuple[str, str]]:
    """What the strategy makes of it."""
    given = status.advice
    rows = [(say("last opinion that stands"), _opinion(given, say))]
    if given.verdict:
        rows.append((say("fades within"), duration(given.left_s)))
    if given.regime_hint:
        name = REGIMES.get(given.regime_hint, given.regime_hint)
        rows.append((say("expects a market"), t(say(name))))
    for pair in status.pairs:
        laid = f"{say('the prices lean by')} {pair.lean_bps:+.1f} bps"
        rows.append((pair.pair, t(f"{say('wanted')} {pair.advice_bps:+.1f} bps, {laid}")))
    return rows


def _opinion(given: AdviceView, say: Say) -> str:
    if given.off:
        return mark(f"{say('switched off')}: {given.off}", "waiting")
    if not given.verdict:
        return t(say("none"))
    return t(f"{given.verdict} ({given.confidence:.0%}), {given.bias_bps:+.1f} bps")


def _asked(seen: AdvisorSeen, say: Say) -> list[tuple[str, str]]:
    """What the advisor does, and what it spent."""
    state = f"{say(seen.state)}: {say(seen.why)}" if seen.why else say(seen.state)
    rows = [
        (say("model"), t(f"{seen.provider}/{seen.model}")),
        (say("advisor"), mark(state, MOODS.get(seen.state, ""))),
    ]
    if seen.opinion_wall:
        rows.append((say("last answer"), t(moment(seen.opinion_wall))))
    if seen.last_fault:
        faults = sum(count for _, count in seen.faults)
        rows.append((f"{say('faults')}: {faults}", mark(seen.last_fault, "waiting")))
    return rows + _spent(seen.usage, say)


def _spent(usage: Usage, say: Say) -> list[tuple[str, str]]:
    asked = f"{usage.questions}, {usage.opinions} {say('answered')}"
    tokens = f"{usage.tokens_in:,} + {usage.tokens_out:,}"
    cost = f"{usage.usd:.4f} USD ({usage.day or '-'}: {usage.day_usd:.4f})"
    return [
        (say("questions"), t(asked)),
        (say("tokens in and out"), t(tokens)),
        (say("cost in all"), t(cost)),
    ]
