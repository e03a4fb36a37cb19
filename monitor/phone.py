"""A telephone's commands and buttons: what is asked, by whom, and what is answered.

Rule 1: only the owner's chat and the allowed users are obeyed; anybody else gets no word.
Rule 2: what stops is one button away; what starts again or cannot be undone needs a fresh code.
Rule 3: a command older than COMMAND_AGE_S is not carried out: it waited while nobody listened.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from monitor.around import Around
from monitor.markup import decimal, t
from monitor.summary import todo, verdict
from monitor.view import View
from monitor.words import Language, Say, words
from shared.units import SECOND, Ns

COMMAND_AGE_S: Final = 120
CODE_LIFE: Final = Ns(120 * SECOND)
ROWS_SHOWN: Final = 12

Deed = Literal["hold", "resume", "kill"]


class User(Struct, frozen=True):
    id: int


class Chat(Struct, frozen=True):
    id: int


class Message(Struct, frozen=True):
    chat: Chat
    date: int
    text: str = ""
    sender: User | None = msgspec.field(default=None, name="from")


class Press(Struct, frozen=True):
    """A button."""

    id: str
    sender: User = msgspec.field(name="from")
    data: str = ""
    message: Message | None = None


class Update(Struct, frozen=True):
    """What getUpdates brings; other kinds of updates have neither."""

    update_id: int
    message: Message | None = None
    callback_query: Press | None = None


class Owner(Struct, frozen=True):
    """Who is obeyed."""

    chat_id: int
    user_ids: tuple[int, ...] = ()


class Asked(Struct, frozen=True):
    """A command of somebody who may. press: the button to be acknowledged, "" for text."""

    chat_id: int
    word: str
    rest: str = ""
    press: str = ""


class Code(Struct, frozen=True):
    """What must be typed, for what, and until when."""

    deed: str = ""
    text: str = ""
    until: Ns = Ns(0)


class Answer(Struct, frozen=True):
    """What is sent back, what is done, and the code that is awaited from now on."""

    text: str
    deed: Deed | None = None
    code: Code = Code()


def read_updates(raw: bytes) -> tuple[list[Update], int] | None:
    """The updates understood and the next offset; None where the answer is not `ok`."""
    try:
        found = msgspec.json.decode(raw)
        if not (isinstance(found, dict) and found.get("ok") is True):
            return None
        rows = found.get("result")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    updates, offset = [], 0
    for row in rows if isinstance(rows, list) else []:
        number = row.get("update_id") if isinstance(row, dict) else None
        if isinstance(number, int):
            offset = max(offset, number + 1)
        try:
            updates.append(msgspec.convert(row, Update))
        except msgspec.ValidationError:
            continue
    return updates, offset


def asked(update: Update, owner: Owner, wall: Ns) -> Asked | None:
    """The command of an update; None where there is none, or nobody who may, or it is old."""
    if (press := update.callback_query) is not None:
        chat = press.message.chat.id if press.message else owner.chat_id
        if not _may(owner, chat, press.sender.id):
            return None
        word, _, rest = press.data.partition(" ")
        return Asked(chat, word, rest, press.id)
    message = update.message
    if message is None or not message.text.startswith("/"):
        return None
    if wall // SECOND - message.date > COMMAND_AGE_S:
        return None
    if not _may(owner, message.chat.id, message.sender.id if message.sender else 0):
        return None
    word, _, rest = message.text[1:].partition(" ")
    return Asked(message.chat.id, word.partition("@")[0].lower(), rest.strip())


def answer(
    asked: Asked, code: Code, view: View, around: Around, moment: tuple[Ns, str, Language]
) -> Answer:
    """moment: house time, a fresh code, the language."""
    now, fresh, language = moment
    say = words(language)
    match asked.word:
        case "status" | "start" | "help":
            return Answer(status_text(view, now, language), code=code)
        case "orders":
            return Answer(orders_text(view, now, say), code=code)
        case "lots":
            return Answer(lots_text(around, say), code=code)
        case "tax":
            return Answer(tax_text(around, say), code=code)
        case "hold":
            return Answer("", "hold", code)
        case "resume" | "kill" as deed:
            if asked.rest and asked.rest == code.text and code.deed == deed and now < code.until:
                return Answer("", deed)
            told = {
                "en": f"To {deed}, type within two minutes:",
                "de": "Zur Bestätigung innerhalb von zwei Minuten eintippen:",
            }[language]
            wanted = Code(deed, fresh, Ns(now + CODE_LIFE))
            return Answer(f"{told} <code>/{deed} {fresh}</code>", code=wanted)
        case _:
            return Answer("/status /orders /lots /tax /hold /resume /kill", code=code)


def keyboard() -> dict[str, Any]:
    """The buttons below each answer."""
    rows = (("status", "orders", "lots", "tax"), ("hold", "resume", "kill"))
    return {
        "inline_keyboard": [
            [{"text": word.capitalize(), "callback_data": word} for word in row] for row in rows
        ]
    }


def status_text(view: View, now: Ns, language: Language) -> str:
    say = words(language)
    state = verdict(view, now, say)
    sign = {"good": "🟢", "waiting": "🟡", "bad": "🔴"}[state.mood]
    lines = [f"{sign} <b>{t(state.text)}</b>"]
    if (status := view.status) is not None:
        lines.append(f"{t(say('equity'))} {t(status.equity)}, {t(say('drawdown'))} "
                     f"{status.drawdown_pct * 100:.1f} %")  # fmt: skip
        lines += [f"{t(p.pair)} {t(p.bid)} / {t(p.ask)}, {t(p.regime)}" for p in status.pairs]
    lines += [f"→ {t(say(text))}" for text in todo(view, now)]
    return "\n".join(lines)


def orders_text(view: View, now: Ns, say: Say) -> str:
    """The orders that rest, from the highest price down; old ones are called old."""
    slots = [slot for slot in view.status.slots if slot.price] if view.status else []
    slots.sort(key=lambda slot: decimal(slot.price), reverse=True)
    rows = [f"{s.slot:3} {s.side:4} {s.price:>10} {s.qty}" for s in slots[:ROWS_SHOWN]]
    if len(slots) > ROWS_SHOWN:
        rows.append(f"... {len(slots) - ROWS_SHOWN}")
    old = "" if view.strategy.up(now) else f"{t(say('Last known state; it is old.'))}\n"
    told = f"<pre>{t(chr(10).join(rows))}</pre>" if rows else t(say("No own order rests."))
    return f"{old}{told}"


def lots_text(around: Around, say: Say) -> str:
    if (tax := around.tax) is None:
        return t(say("Not known yet."))
    rows = [f"{lot.acquired} {lot.left} {lot.free_from}" for lot in tax.oldest[:ROWS_SHOWN]]
    head = f"{say('acquired')}, {say('left')}, {say('free of tax from')}:"
    table = f"\n{t(head)}\n<pre>{t(chr(10).join(rows))}</pre>" if rows else ""
    total = f"{say('lots')}: {tax.lots}, {tax.total} BTC, {tax.free} {say('free')}"
    return f"{t(total)}{table}"


def tax_text(around: Around, say: Say) -> str:
    if (tax := around.tax) is None:
        return t(say("Not known yet."))
    room = "?" if tax.room is None else f"{tax.room} EUR ({say('of')} {tax.freigrenze})"
    rows = (
        (say("gain of sales this year, before tax"), f"{tax.gain} {tax.currency}"),
        (say("of these taxable"), tax.gain_taxable),
        (say("tax on it, at your rate"), tax.tax),
        (say("after tax"), f"{tax.gain_after_tax} {tax.currency}"),
        (f"{say('room left under the Freigrenze')} {tax.year}", room),
        (say("resting sells that are not free of tax"), f"{tax.taxable_at_risk} BTC"),
    )
    return "\n".join(f"{t(name)}: <b>{t(value)}</b>" for name, value in rows)


def _may(owner: Owner, chat_id: int, user_id: int) -> bool:
    """The owner's own chat, where chat and user are one; else a user who is named."""
    return user_id in owner.user_ids or (chat_id == owner.chat_id and user_id == owner.chat_id)
