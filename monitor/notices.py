"""Changes of the view as notices for a telephone: fills, pauses, silence, alarms, the day's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from monitor.around import Around, TaxSeen
from monitor.markup import decimal, t
from monitor.outbox import BERLIN, Notice
from monitor.summary import silence
from monitor.view import View
from monitor.watch import Concern, concerns
from monitor.words import PAUSES, Language, words
from shared.frames import FillView, Status
from shared.units import SECOND, Ns

FILLS_TOLD: Final = 10
REPORT: Final = "report"
"""The key of what is told of the year's tax report: no alarm, but not to be missed."""

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "buy": ("Bought", "Gekauft"),
    "sell": ("Sold", "Verkauft"),
    "at": ("at", "zu"),
    "fee": ("fee", "Gebühr"),
    "more": ("more fills", "weitere Ausführungen"),
    "pause": ("Risk state", "Risikozustand"),
    "held": ("On hold", "Angehalten"),
    "resumed": ("Quoting again", "Stellt wieder"),
    "halted": ("HALTED", "NOTHALT"),
    "silent": ("Alarm", "Alarm"),
    "back": ("is back", "ist wieder da"),
    "day": ("Today", "Heute"),
    "equity": ("Equity", "Vermögen"),
    "drawdown": ("drawdown", "Rückgang"),
    "year": ("gain this year", "Gewinn dieses Jahr"),
    "after": ("after tax", "nach Steuer"),
    "room": ("room under the Freigrenze", "Luft bis zur Freigrenze"),
    "fills": ("fills", "Ausführungen"),
    "unlock": ("Free of tax from tomorrow", "Ab morgen steuerfrei"),
}


class Memory(Struct, frozen=True):
    """What was told, so that only changes are."""

    begun: bool = False
    fills: tuple[str, ...] = ()
    phase: str = ""
    pause: str = ""
    hold: bool = False
    strategy_up: bool = True
    feed_up: bool = True
    alerts: Ns = Ns(0)  # wall of the newest alert that was told
    day: str = ""  # German date of the last daily summary
    fills_at_day: int = 0
    watched: tuple[str, ...] = ()  # what the watchdog had found


def notice(
    memory: Memory, view: View, around: Around, now: Ns, wall: Ns, settings: Rules
) -> tuple[Memory, list[Notice]]:
    """What is to be told now, and what to remember. The first look tells nothing of the past."""
    status = view.status
    say = _speaker(settings.language)
    found = list(_processes(memory, view, now, settings.language)) if memory.begun else []
    # Of Telegram's own troubles it cannot tell by Telegram.
    seen = concerns(view, replace(around, telegram=""), now, words(settings.language))
    found += _watchdog(memory, seen, settings.language)
    watched = tuple(concern.key for concern in seen)
    day, summary_due = _day(memory, wall, settings.summary_at)
    fills_at_day = memory.fills_at_day
    if status is not None and memory.begun:
        found += _state(memory, status, settings.language)
        found += _fills(memory, view.fills, say)
        found += _alarms(memory, view, settings.language)
        if summary_due:
            found += _summary(status, around.tax, status.fills - fills_at_day, say)
            found += _unlocks(around.tax, wall, say)
            fills_at_day = status.fills
    if status is None:
        kept = Memory(
            fills=memory.fills,
            begun=memory.begun,
            day=day,
            strategy_up=view.strategy.up(now),
            watched=watched,
        )
        return kept, found
    return (
        Memory(
            begun=True,
            fills=tuple(fill.exec_id for fill in view.fills),
            phase=status.phase,
            pause=status.pause,
            hold=status.hold,
            strategy_up=view.strategy.up(now),
            feed_up=view.feed.up(now),
            alerts=max((told.wall for told in view.alerts), default=memory.alerts),
            day=day,
            fills_at_day=fills_at_day if memory.begun else status.fills,
            watched=watched,
        ),
        found,
    )


class Rules(Struct, frozen=True):
    """How to tell."""

    language: Language = "en"
    summary_at: str = ""


Speak = Callable[[str], str]


def _speaker(language: Language) -> Speak:
    place = 1 if language == "de" else 0
    return lambda key: TEXTS[key][place]


def _processes(memory: Memory, view: View, now: Ns, language: Language) -> Iterator[Notice]:
    say = words(language)
    for name, heard, was_up in (
        ("The strategy", view.strategy, memory.strategy_up),
        ("The feed", view.feed, memory.feed_up),
    ):
        if was_up and not heard.up(now):
            text = f"<b>{t(say(name))} {t(silence(heard, now, say))}.</b>"
            yield Notice(f"up:{name}", "critical", text)
        elif not was_up and heard.up(now):
            back = TEXTS["back"][1 if language == "de" else 0]
            yield Notice(f"up:{name}", "warning", f"{t(say(name))} {t(back)}.")


def _waits(status: Status, language: Language) -> str:
    return words(language)("; ".join(status.waits_for))


def _state(memory: Memory, status: Status, language: Language) -> Iterator[Notice]:
    say = _speaker(language)
    if status.phase == "halted" != memory.phase:
        yield Notice("halt", "critical", f"<b>{say('halted')}</b>: {t(_waits(status, language))}")
    if status.hold != memory.hold:
        text = say("held" if status.hold else "resumed")
        yield Notice("hold", "warning", f"{text}: {t(_waits(status, language) or '-')}")
    if status.pause != memory.pause and memory.pause:
        level = "info" if status.pause == "ACTIVE_TRADING" else "error"
        fall = f"{status.drawdown_pct * 100:.1f} %"
        means = t(words(language)(PAUSES.get(status.pause, "")))
        text = f"{say('pause')}: <b>{t(status.pause)}</b> ({fall}): {means}"
        yield Notice("pause", level, text)


def _fills(memory: Memory, fills: tuple[FillView, ...], say: Speak) -> Iterator[Notice]:
    fresh = [fill for fill in reversed(fills) if fill.exec_id not in memory.fills]
    for fill in fresh[:FILLS_TOLD]:
        text = (
            f"{say('sell' if fill.side == 'sell' else 'buy')} {t(fill.qty)} {t(fill.pair)} "
            f"{say('at')} <b>{t(fill.price)}</b>, {say('fee')} {t(fill.fee)}"
        )
        yield Notice(f"fill:{fill.exec_id}", "info", text)
    if len(fresh) > FILLS_TOLD:
        text = f"{len(fresh) - FILLS_TOLD} {say('more')}"
        yield Notice(f"fills:{fresh[-1].exec_id}", "info", text)


def _alarms(memory: Memory, view: View, language: Language) -> Iterator[Notice]:
    say = words(language)
    for told in reversed(view.alerts):
        if told.wall > memory.alerts and told.key == REPORT:
            yield Notice(f"alert:{told.key}", told.level, t(say(told.text)))
        elif told.wall > memory.alerts and told.level != "info":
            text = f"<b>{t(say(told.level))}</b>: {t(say(told.text))}"
            yield Notice(f"alert:{told.key}", told.level, text)


def _watchdog(memory: Memory, seen: list[Concern], language: Language) -> Iterator[Notice]:
    """Once when it begins; a concern that ends and begins anew is told again."""
    for concern in seen:
        if concern.key not in memory.watched:
            text = f"<b>{t(words(language)(concern.level))}</b>: {t(concern.text)}"
            yield Notice(f"watch:{concern.key}", concern.level, text)


def _day(memory: Memory, wall: Ns, summary_at: str) -> tuple[str, bool]:
    """The German date whose summary is told or was; whether it is due now."""
    here = datetime.fromtimestamp(wall // SECOND, BERLIN)
    today = here.date().isoformat()
    if not summary_at:
        return today, False
    due = f"{here:%H:%M}" >= summary_at
    if not memory.day:
        yesterday = (here.date() - timedelta(days=1)).isoformat()
        return (today if due else yesterday), False
    return (today, True) if due and memory.day != today else (memory.day, False)


def _summary(status: Status, tax: TaxSeen | None, fills: int, say: Speak) -> Iterator[Notice]:
    lines = [
        f"<b>{say('day')}</b>: {fills} {say('fills')}",
        f"{say('equity')} {t(status.equity)}, {say('drawdown')} {status.drawdown_pct * 100:.1f} %",
    ]
    if tax is not None:
        lines.append(f"{say('year')} {t(tax.gain)} {t(tax.currency)}, {say('after')} "
                     f"{t(tax.gain_after_tax)}")  # fmt: skip
        if tax.room is not None:
            lines.append(f"{say('room')}: {t(tax.room)} EUR")
    yield Notice("summary", "info", "\n".join(lines))


def _unlocks(tax: TaxSeen | None, wall: Ns, say: Speak) -> Iterator[Notice]:
    if tax is None:
        return
    here = datetime.fromtimestamp(wall // SECOND, BERLIN).date()
    tomorrow = (here + timedelta(days=1)).isoformat()
    for day, coins in tax.unlocks:
        if day == tomorrow and decimal(coins) > 0:
            yield Notice(f"unlock:{day}", "info", f"{say('unlock')}: {t(coins)} BTC")
