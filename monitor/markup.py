"""HTML from values. Rule 1: every text passes `t`: some of it comes from the exchange."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from shared.units import SECOND, Ns

MOODS = {"info": "", "good": "good", "warning": "waiting"}


def t(text: object) -> str:
    """Text as HTML, attributes included."""
    return html.escape(str(text), quote=True)


def mark(text: str, mood: str) -> str:
    """A text with a mood (good, waiting, bad), which is told by weight as well as by colour."""
    return f'<strong class="{mood}">{t(text)}</strong>' if mood else t(text)


def mood_of(level: str) -> str:
    return MOODS.get(level, "bad")


def card(title: str, rows: Iterable[tuple[str, str]], answer: str = "") -> str:
    """rows: name as text and value as HTML. answer: HTML that says it before the details do."""
    inside = "".join(f"<dt>{t(name)}</dt><dd>{value}</dd>" for name, value in rows)
    head = f'<p class="answer">{answer}</p>' if answer else ""
    return f"<section><h2>{t(title)}</h2>{head}<dl>{inside}</dl></section>"


def table(caption: str, heads: Sequence[tuple[str, str]], rows: str, kind: str = "") -> str:
    """heads: text and class of each column; rows: HTML."""
    row = "".join(f'<th scope="col" class="{css}">{t(text)}</th>' for text, css in heads)
    return (
        f'<table class="{kind}"><caption class="unseen">{t(caption)}</caption>'
        f"<thead><tr>{row}</tr></thead><tbody>{rows}</tbody></table>"
    )


def moment(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC"


def seconds(duration: int | None) -> str:
    return "?" if duration is None else f"{max(duration, 0) / SECOND:.0f} s"


def duration(length_s: float) -> str:
    minutes, rest = divmod(int(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def decimal(text: str) -> Decimal:
    """For order and shape only; 0 where the text is no number."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)
