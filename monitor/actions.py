"""What a person may do from the page: the forms, and the requests they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from monitor.markup import t
from monitor.words import Say
from shared.control import (
    CONTROL_VERSION,
    AnyRequest,
    CancelOrders,
    Hold,
    Kill,
    Resume,
)

LONGEST_REASON: Final = 200
REASON: Final = "Reason, kept in the ledger's audit trail"


class Action(Struct, frozen=True):
    """One form. word: what must be typed to confirm."""

    name: str
    title: str
    text: str
    word: str
    reason: bool
    danger: bool = False


ACTIONS: Final = (
    Action(
        "hold",
        "Hold",
        "Own orders are cancelled and nothing is quoted until you resume.",
        "hold",
        True,
    ),
    Action("resume", "Resume", "Ends a hold or a halt.", "resume", True),
    Action(
        "cancel-all",
        "Cancel all",
        "Own orders are cancelled once; the grid may quote again.",
        "cancel",
        False,
    ),
    Action(
        "kill",
        "Kill",
        "Every order of the account is cancelled, those of others too, and the bot halts.",
        "kill",
        True,
        danger=True,
    ),
)
BY_NAME: Final = {action.name: action for action in ACTIONS}


def forms(csrf: str, say: Say) -> str:
    """All forms, each closed until it is wanted."""
    return "".join(_form(action, csrf, say) for action in ACTIONS)


def _form(action: Action, csrf: str, say: Say) -> str:
    name = action.name
    reason = (
        f'<p><label for="{name}-reason">{t(say(REASON))}</label>'
        f'<input id="{name}-reason" name="reason" maxlength="{LONGEST_REASON}" '
        'required autocomplete="off"></p>'
        if action.reason
        else ""
    )
    css = ' class="danger"' if action.danger else ""
    return (
        f"<details><summary>{t(say(action.title))}</summary>"
        f'<form method="post" action="/act/{name}"><p>{t(say(action.text))}</p>{reason}'
        f'<p><label for="{name}-word">{t(say("Type this word to confirm"))}: '
        f'<strong>{action.word}</strong></label><input id="{name}-word" name="word" required '
        f'autocomplete="off" autocapitalize="none" spellcheck="false"></p>'
        f'<input type="hidden" name="csrf" value="{t(csrf)}">'
        f"<button{css}>{t(say('Do it'))}: {t(say(action.title))}</button></form></details>"
    )


def fault_of(action: Action, form: Mapping[str, str]) -> str:
    """Why this form is not carried out; "" where it is."""
    if form.get("word", "").strip().lower() != action.word:
        return "The word was not typed; nothing was done."
    if action.reason and not form.get("reason", "").strip():
        return "A reason is needed; nothing was done."
    return ""


def request_of(name: str, reason: str, request_id: str, who: str) -> AnyRequest:
    """The request to the strategy; who: the path it came by, for the audit trail."""
    told = f"{who}: {reason.strip()[:LONGEST_REASON]}"
    head = (CONTROL_VERSION, request_id)
    match name:
        case "hold":
            return Hold(*head, reason=told)
        case "resume":
            return Resume(*head, reason=told)
        case "kill":
            return Kill(*head, reason=told, word="kill")
        case _:
            return CancelOrders(*head)
