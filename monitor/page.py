"""The dashboard: one page that says in five seconds whether the money is safe, and why.

Rule 1: every text passes `t`: some of it comes from the exchange.
Rule 2: nothing is loaded from elsewhere; style and script stand in the page, allowed by their hash,
and the chart library comes from this very server.
Rule 3: it reads top to bottom without its script, which only replaces the parts that changed and
draws the charts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from monitor import advicecard, cards, taxcards
from monitor.actions import forms
from monitor.around import Around, Fidelity, ProcessSeen
from monitor.charts import equity_chart, library_at, price_chart
from monitor.markup import card, mark, moment, mood_of, seconds, t, table
from monitor.style import SCRIPT, STYLE
from monitor.summary import silence, todo, verdict
from monitor.view import Heard, View
from monitor.watch import concerns
from monitor.words import Language, Say, words
from shared.units import Ns

Parts = dict[str, str]

REFRESH_S: Final = 10
NEAR: Final = 0.9
"""A simulation that saw as much of what happened is near enough to be believed."""
COIN: Final = 10**8


def page(view: View, around: Around, now: Ns, wall: Ns, csrf: str, language: Language) -> str:
    """The whole document. now, wall: house time; the script is sent `parts` from then on."""
    say = words(language)
    shown = parts(view, around, now, wall, language)
    inside = "".join(f'<div data-part="{name}">{text}</div>' for name, text in shown.items())
    lost = say("The monitor does not answer: what stands below is old.")
    other = "en" if language == "de" else "de"
    return _document(
        f'<a class="skip" href="#actions">{t(say("Skip to the actions"))}</a>'
        f'<div class="lost" role="alert"><div class="verdict bad">{t(lost)}</div></div>'
        f'<main class="page"><header><h1>iCryptoTrader</h1><nav aria-label="{t(say("Page"))}">'
        f'<a href="#actions">{t(say("Actions"))}</a>'
        f'<a href="/?lang={other}" lang="{other}" hreflang="{other}">'
        f"{'English' if other == 'en' else 'Deutsch'}</a>"
        f'<form method="post" action="/logout"><input type="hidden" name="csrf" value="{t(csrf)}">'
        f'<button class="plain">{t(say("Sign out"))}</button></form></nav></header>{inside}'
        f'<section id="actions"><h2>{t(say("Actions"))}</h2>'
        f'<div class="actions">{forms(csrf, say)}</div></section></main><script>{SCRIPT}</script>',
        language,
        f'<noscript><meta http-equiv="refresh" content="{REFRESH_S}"></noscript>'
        f'<script src="{t(library_at())}" id="library" async></script>',
    )


def parts(view: View, around: Around, now: Ns, wall: Ns, language: Language) -> Parts:
    """Name -> HTML of everything that changes by itself, in the order of the page."""
    say = words(language)
    return {
        "head": _head(view, wall, say),
        "verdict": _verdict(view, now, say),
        "todo": _todo(view, around, now, say),
        "strategy": _strategy(view, around, now, say),
        "market": _market(view, say),
        "advice": advicecard.advice(view, say),
        "lots": taxcards.lots(around, say),
        "health": _health(view, around, now, say),
        "alerts": _alerts(view, around, now, say),
        "log": _log(around, say),
    }


def login_page(token_file: str, language: Language, *, fault: str, named: bool) -> str:
    """What somebody sees who is not signed in. named: a name and password may be given too."""
    say = words(language)
    again = f'<p class="bad" role="alert">{t(say(fault))}</p>' if fault else ""
    name = (
        f'<p><label for="name">{t(say("Name"))}</label><input id="name" name="username" '
        'autocomplete="username"></p>'
        if named
        else ""
    )
    label = f"{say('Token')} / {say('Password')}" if named else say("Token")
    return _document(
        "<main class='page'><header><h1>iCryptoTrader</h1></header>"
        f"<section><h2>{t(say('This page needs a token'))}</h2>"
        f"<p>{t(say('It stands in'))} <code>{t(token_file)}</code> "
        f"{t(say('on the machine that trades, and can only be read by the user who started it.'))}"
        f'</p>{again}<form method="post" action="/">{name}<p><label for="token">{t(label)}</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required>'
        f"</p><button>{t(say('Show the status'))}</button></form></section></main>",
        language,
    )


def result_page(title: str, text: str, language: Language, *, ok: bool) -> str:
    """What became of an action."""
    say = words(language)
    mood = "good" if ok else "bad"
    return _document(
        "<main class='page'><header><h1>iCryptoTrader</h1></header>"
        f'<div class="verdict {mood}" role="alert">{t(say("Done" if ok else "Not done"))}: '
        f'{t(say(title))}</div><section><p>{t(say(text))}</p><p><a href="/">{t(say("Back"))}</a>'
        "</p></section></main>",
        language,
    )


def _head(view: View, wall: Ns, say: Say) -> str:
    mode = view.status.mode if view.status else ""
    money = {"demo": say("play money"), "paper": say("play money, real prices")}.get(mode, "")
    told = ", ".join(filter(None, (mode, money, moment(wall))))
    return f'<p class="dim">{t(told)}</p>'


def _verdict(view: View, now: Ns, say: Say) -> str:
    state = verdict(view, now, say)
    return f'<div class="verdict {state.mood}" role="status">{t(state.text)}</div>'


def _todo(view: View, around: Around, now: Ns, say: Say) -> str:
    what = todo(view, now, concerns(view, around, now, say))
    inside = "".join(f"<li>{mark(say(text), 'bad')}</li>" for text in what)
    shown = f"<ul>{inside}</ul>" if what else mark(say("Nothing."), "good")
    return f"<section><h2>{t(say('What must I do?'))}</h2>{shown}</section>"


def _strategy(view: View, around: Around, now: Ns, say: Say) -> str:
    status = view.status
    if status is None:
        return ""
    css, old = "cards", ""
    if not view.strategy.up(now):
        css = "cards stale"
        old = f'<p class="bad">{t(say("Last known state; it is old."))}</p>'
    three = cards.safety(view, status, now, say) + cards.state(view, status, now, say)
    return f'{old}<div class="{css}">{three}{cards.money(view, status, around, say)}</div>'


def _market(view: View, say: Say) -> str:
    status = view.status
    if status is None:
        return ""
    shown = ""
    for pair in status.pairs:
        slots = [slot for slot in status.slots if slot.pair == pair.pair]
        price = cards.price_of(view, pair, say)
        shown += (
            f"<section><h2>{t(say('Price, grid and fills'))}: {t(pair.pair)} &ensp; {t(price)}"
            f'</h2><div class="two"><div>{price_chart(view, pair, slots, say)}'
            f"{cards.pair_facts(view, pair, say)}</div>"
            f"{cards.grid(slots, pair.pair, price, say)}</div></section>"
        )
    equity = f"<h2>{t(say('Equity and drawdown'))}</h2>{equity_chart(view, say)}"
    fills = cards.fills(view.fills, say)
    return f'{shown}<div class="two"><section>{equity}</section>{fills}</div>'


def _health(view: View, around: Around, now: Ns, say: Say) -> str:
    heads = (
        (say("process"), ""),
        (say("state"), ""),
        (say("heard"), "n"),
        (say("starts seen"), "n long"),
        (say("sockets"), "n long"),
        (say("memory"), "n"),
    )
    seen = {each.name: each for each in around.processes}
    heard = {"feed": view.feed, "strategy": view.strategy}
    names = (*heard, *(name for name in seen if name not in heard))
    rows = "".join(_process(say, name, heard.get(name), seen.get(name), now) for name in names)
    inside = table(say("Processes"), heads, rows)
    listed = f"<section><h2>{t(say('Processes'))}</h2>{inside}</section>"
    near = _fidelity(around.fidelity, say)
    return f'<div class="cards">{listed}{_feed(view, now, say)}{near}</div>'


def _fidelity(found: Fidelity | None, say: Say) -> str:
    """How far a backtest may be believed; nothing where that was never measured."""
    if found is None:
        return ""
    mood = "good" if found.fidelity >= NEAR else "warn"
    rows = (
        (say("both filled"), mark(f"{found.fidelity:.1%}", mood)),
        (say("really filled"), f"{found.real_qty / COIN:.8f}"),
        (say("missed"), f"{found.missed / COIN:.8f}"),
        (say("made up"), f"{found.extra / COIN:.8f}"),
        (say("measured"), moment(found.at_wall)),
    )
    return card(say("Simulation against the market"), rows)


def _process(say: Say, name: str, heard: Heard | None, seen: ProcessSeen | None, now: Ns) -> str:
    """A row. heard: None of a process that tells nothing over the bus."""
    up = heard is None or heard.up(now)
    state = mark(say("up"), "good") if up else mark(say("silent"), "bad")
    silent = heard.silent_ns(now) if heard else None
    age = say("never") if heard and silent is None else seconds(silent) if heard else ""
    memory, sockets = (f"{seen.memory_mb:.0f} MB", f"{seen.sockets}") if seen else ("", "")
    return (
        f'<tr><td>{t(say(name))}</td><td>{state}</td><td class="n">{t(age)}</td>'
        f'<td class="n long">{heard.lives if heard else ""}</td>'
        f'<td class="n long">{t(sockets)}</td><td class="n">{t(memory)}</td></tr>'
    )


def _feed(view: View, now: Ns, say: Say) -> str:
    beat = view.beat
    if beat is None:
        text = f"{say('The feed')} {silence(view.feed, now, say)}."
        return f"<section><h2>{t(say('feed'))}</h2>{mark(text, 'bad')}</section>"
    quiet = f"{say('The feed')} {silence(view.feed, now, say)}"
    rows = (
        (say("phase"), t(beat.phase) if view.feed.up(now) else mark(quiet, "bad")),
        (say("exchange heard"), f"{seconds(now - beat.heard_at)} {t(say('ago'))}"),
        (
            say("checksums"),
            f"{beat.checksums} {t(say('good'))}, {beat.checksum_faults} {t(say('wrong'))}",
        ),
        (say("connections, resubscriptions"), f"{beat.connects}, {beat.resubscribes}"),
        (say("not understood"), f"{beat.dropped}"),
        (say("waits for"), t(beat.note or say("nothing"))),
        (say("frames missed by this page"), f"{view.wire.missed}"),
    )
    return card(say("feed"), rows)


def _alerts(view: View, around: Around, now: Ns, say: Say) -> str:
    open_now = view.status.alerts if view.status else ()
    told = "".join(
        f"<li>{mark(say(level), mood_of(level))} {t(say(text))}</li>" for level, text in open_now
    )
    told += "".join(
        f"<li>{mark(say(seen.level), mood_of(seen.level))} {t(seen.text)}</li>"
        for seen in concerns(view, around, now, say)
    )
    past = "".join(
        f'<li><span class="dim">{moment(seen.wall)}</span> '
        f"{mark(say(seen.level), mood_of(seen.level))} {t(say(seen.text))}</li>"
        for seen in view.alerts
    )
    earlier = f"<h3>{t(say('Earlier'))}</h3><ul>{past}</ul>" if past else ""
    shown = f"<ul>{told}</ul>" if told else t(say("None open."))
    return f"<section><h2>{t(say('Alerts'))}</h2>{shown}{earlier}</section>"


def _log(around: Around, say: Say) -> str:
    text = "\n".join(reversed(around.log))
    return (
        f"<section><h2>{t(say('Log, newest first'))}</h2>"
        f'<pre class="log" data-keep="log" lang="en" tabindex="0">{t(text)}</pre></section>'
    )


def _document(inside: str, language: Language, head: str = "") -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>iCryptoTrader</title><link rel="icon" href="data:,">{head}'
        f"<style>{STYLE}</style></head><body>{inside}</body></html>"
    )


Look = Callable[[], tuple[View, Around, Ns, Ns]]
"""The view, what is around it, and house time now: since boot, and on the wall."""
