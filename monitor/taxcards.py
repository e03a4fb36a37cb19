"""The cards of the page about lots and tax: ages, unlock calendar, room, what is at risk."""

from __future__ import annotations

from typing import Final

from monitor.around import Around, TaxSeen
from monitor.charts import AGES, UNLOCKS, lots_chart
from monitor.markup import card, decimal, mark, t, table
from monitor.view import RatesSeen
from monitor.words import Say

UNLOCKS_SHOWN: Final = 8
LATE_DAYS: Final = 4
"""Rates may lack this many days that should be known before that is shown as a fault."""


def lots(around: Around, say: Say) -> str:
    """The whole part: three cards and the oldest lots."""
    tax = around.tax
    if tax is None:
        return f"<section><h2>{t(say('Lots and tax'))}</h2>{t(say('Not known yet.'))}</section>"
    year = _year(tax, _rates(around.rates, say), say)
    if tax.lots == 0:
        empty = f"<section><h2>{t(say('lots'))}</h2>{t(say('No lots.'))}</section>"
        return f'<div class="cards">{year}{empty}</div>'
    three = year + _ages(tax, say) + _unlocks(tax, say)
    return f'<div class="cards">{three}</div>{_oldest(tax, say)}'


def _rates(rates: RatesSeen | None, say: Say) -> tuple[tuple[str, str], ...]:
    """Up to which day the ECB's rates are known; nothing where this house fetches none."""
    if rates is None:
        return ()
    late = rates.days_behind is None or rates.days_behind > LATE_DAYS
    text = rates.until or say("none yet")
    if rates.failures:
        text = f"{text} ({say('not fetched')}: {rates.why})"
    return ((say("rates of the ECB until"), mark(text, "bad" if late else "")),)


def _year(tax: TaxSeen, more: tuple[tuple[str, str], ...], say: Say) -> str:
    mood = risk_mood(tax)
    room = "?" if tax.room is None else f"{tax.room} {tax.currency} ({say('of')} {tax.freigrenze})"
    rows = (
        (say("in the ledger"), t(tax.total)),
        (say("of these free of tax"), t(tax.free)),
        (f"{say('room left under the Freigrenze')} {tax.year}", t(room)),
        *_leaving(tax, say),
        (say("coins in resting sells"), t(tax.resting_sells)),
        (say("of these not free of tax"), mark(tax.taxable_at_risk, mood)),
        *_ahead(tax, say),
    )
    return card(say("Lots and tax"), (*rows, *more))


def _leaving(tax: TaxSeen, say: Say) -> tuple[tuple[str, str], ...]:
    """The coins that withdrawals take first; nothing where none is under way."""
    kept = decimal(tax.leaving or "0") > 0
    return ((say("kept for withdrawals"), mark(tax.leaving, "waiting")),) if kept else ()


def risk_mood(tax: TaxSeen) -> str:
    """Of the coins that rest and are not free: bad where they may pass the Freigrenze."""
    if decimal(tax.taxable_at_risk) <= 0:
        return "good"
    left = tax.room_after_resting
    return "waiting" if left is not None and decimal(left) > 0 else "bad"


def _ahead(tax: TaxSeen, say: Say) -> tuple[tuple[str, str], ...]:
    """What rests at risk in euros, the pace of the day, what there is to know; as far as told."""
    rows = []
    if tax.room_after_resting is not None:
        left = f"{tax.room_after_resting} ({say('at worst')} {tax.worst_resting} {tax.currency})"
        rows.append((say("room once they have filled"), t(left)))
    if decimal(tax.worst_spending or "0") > 0:
        gain = f"{tax.worst_spending} {tax.currency}"
        rows.append((say("of it, gain of the dollars that buys spend"), t(gain)))
    if tax.pace_left is not None:
        pace = f"{tax.pace_left} ({say('of')} {tax.pace_per_day})"
        rows.append((say("coins the pace leaves today"), t(pace)))
    if tax.days_until_locked is not None:
        rows.append((say("days until nothing is free"), t(str(tax.days_until_locked))))
    rows += [("", t(say(note))) for note in tax.notes]
    return tuple(rows)


def _ages(tax: TaxSeen, say: Say) -> str:
    rows = "".join(
        f"<tr><td>{t(name)}</td><td class='n'>{count}</td><td class='n'>{t(coins)}</td></tr>"
        for name, count, coins in tax.ages
    )
    heads = ((say("age in days"), ""), (say("lots"), "n"), (say("coins"), "n"))
    inside = table(say("age in days"), heads, rows)
    drawn = lots_chart(AGES, say("Coins by the age of their lots, in days"))
    return f"<section><h2>{t(say('lots'))}: {tax.lots}</h2>{drawn}{inside}</section>"


def _unlocks(tax: TaxSeen, say: Say) -> str:
    rows = [
        f"<tr><td class='day'>{t(day)}</td><td class='n'>{t(coins)}</td></tr>"
        for day, coins in tax.unlocks
    ]
    heads = ((say("day"), ""), (say("coins"), "n"))
    title = say("Free of tax next")
    if not rows:
        return f"<section><h2>{t(title)}</h2>{t(say('nothing'))}</section>"
    drawn = lots_chart(UNLOCKS, say("Coins by the day from which on they are free of tax"))
    first = table(title, heads, "".join(rows[:UNLOCKS_SHOWN]))
    more = ""
    if later := rows[UNLOCKS_SHOWN:]:
        told = say("Later days")
        more = (
            f'<details data-keep="later"><summary>{t(told)}: {len(later)}</summary>'
            f"{table(told, heads, ''.join(later))}</details>"
        )
    return f"<section><h2>{t(title)}</h2>{drawn}{first}{more}</section>"


def _oldest(tax: TaxSeen, say: Say) -> str:
    rows = "".join(
        f"<tr><td class='day'>{t(lot.acquired)}</td><td class='n'>{t(lot.left)}</td>"
        f"<td class='n long'>{decimal(lot.cost):.2f} {t(lot.currency)}</td>"
        f"<td class='day'>{t(lot.free_from)}</td>"
        f"<td class='n'>{mark(say('free'), 'good') if lot.free else _days(lot.days_to_go, say)}"
        "</td></tr>"
        for lot in tax.oldest
    )
    heads = (
        (say("acquired"), ""),
        (say("left"), "n"),
        (say("cost"), "n long"),
        (say("free of tax from"), ""),
        (say("to go"), "n"),
    )
    title = f"{say('The oldest lots')} ({len(tax.oldest)} {say('of')} {tax.lots})"
    return (
        f'<section><details data-keep="lots"><summary>{t(title)}</summary>'
        f"{table(title, heads, rows)}</details></section>"
    )


def _days(count: int, say: Say) -> str:
    return t(f"{count} {say('days')}")
