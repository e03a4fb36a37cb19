"""The cards of the page about the strategy: state, safety, money, grid, fills.

Rule 1: what is not known is said, not shown as zero, and old values are marked as old.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from monitor.answers import doing, open_gain, safe, switch_left
from monitor.around import Around
from monitor.markup import card, decimal, duration, mark, t, table
from monitor.summary import SWITCH_LOW_S
from monitor.view import View, touch
from monitor.words import PAUSES, REGIMES, Say
from shared.frames import FillView, PairView, SlotView, Status
from shared.units import Ns

FILLS_SHOWN: Final = 12
NOT_DEEDS: Final = ("ticks", "tape_frames")
EXIT_SLOT: Final = "x"
"""Of the strategy: for flatten and emergencies alone; shown while an order stands in it."""

Rows = Sequence[tuple[str, str]]


def state(view: View, status: Status, now: Ns, say: Say) -> str:
    good = status.pause == "ACTIVE_TRADING"
    counted = ", ".join(f"{n} {say(what)}" for what, n in status.counters if what not in NOT_DEEDS)
    pace = f"{view.pace.per_s:.1f} {say('per second')}" if view.pace.known else say("unknown")
    rows = (
        (say("phase"), mark(say(status.phase), "good" if status.phase == "trading" else "waiting")),
        (say("may"), mark(say(PAUSES.get(status.pause, "")), "good" if good else "waiting")),
        (say("pause"), t(status.pause)),
        (say("hold"), mark(say("yes"), "waiting") if status.hold else t(say("no"))),
        (say("regime"), t(f"{say(REGIMES.get(status.regime, ''))} ({status.regime})")),
        (say("exchange"), t(say(status.system or "unknown"))),
        (say("up for"), duration(status.uptime_s)),
        (say("ticks, the last one took"), t(f"{pace}, {status.tick_us / 1000:.2f} ms")),
        (say("done"), t(counted or say("nothing"))),
    )
    return card(say("What does it do now, and why?"), rows, t(doing(view, status, now, say)))


def safety(view: View, status: Status, now: Ns, say: Say) -> str:
    left = switch_left(view, now)
    idle = say("not armed") if status.switch_left_s <= 0 else say("has fired")
    switch = idle if left <= 0 else f"{int(left)} s"
    agree = status.drift.strip("-0.") == ""
    rows = (
        (
            say("dead man's switch fires in"),
            mark(switch, "good" if left > SWITCH_LOW_S else "bad"),
        ),
        (say("age of market data"), f"{status.feed_age_s:.1f} s"),
        (say("private line"), mark(say(status.line), "good" if status.line == "up" else "bad")),
        (say("own orders"), f"{status.orders}"),
        (say("orders of unknown fate"), mark(f"{status.lost}", "bad" if status.lost else "")),
        (
            say("orders of others"),
            mark(f"{status.foreign_orders}", "bad" * bool(status.foreign_orders)),
        ),
        (
            say("rate counter"),
            f"{status.rate_used:.0f} {t(say('of'))} {status.rate_limit:.0f}",
        ),
        (say("balance less ledger"), mark(status.drift, "" if agree else "bad")),
    )
    state = safe(view, now, say)
    return card(say("Is my money safe?"), rows, mark(state.text, state.mood))


def money(view: View, status: Status, around: Around, say: Say) -> str:
    tax = around.tax
    quote = status.pairs[0].pair.partition("/")[2] if status.pairs else ""
    rows: list[tuple[str, str]] = [
        (say("equity"), t(f"{status.equity} {quote}")),
        (say("drawdown"), f"{status.drawdown_pct * 100:.2f} %"),
    ]
    rows += [(f"{say('balance')} {asset}", t(total)) for asset, total in status.balances]
    answer = t(say("Not known yet."))
    if tax is not None:
        told = say("This year {gain} {currency} before tax, {net} {currency} after tax.")
        net = tax.gain_after_tax
        answer = t(told.format(gain=tax.gain, net=net, currency=tax.currency))
        rows += [
            (say("gain of sales this year, before tax"), t(f"{tax.gain} {tax.currency}")),
            (say("of these taxable"), t(tax.gain_taxable)),
            (say("tax on it, at your rate"), t(tax.tax)),
            (say("after tax"), mark(f"{net} {tax.currency}", "bad" if net[:1] == "-" else "good")),
            (say("gain of sales of all years"), t(tax.gain_all_years)),
        ]
        if (held := open_gain(view, tax)) is not None:
            rows.append((say("coins held above their cost, not sold"), t(held)))
    rows += [
        (say("fills booked"), f"{status.fills}"),
        (
            say("fees of maker and taker"),
            f"{status.maker_pct:g} %, {status.taker_pct:g} %",
        ),
    ]
    return card(say("What did it earn?"), rows, answer)


def pair_facts(view: View, pair: PairView, say: Say) -> str:
    """One line of facts and the plan's reasons."""
    facts = [
        f"{say('anchor')} {pair.anchor}" if pair.anchor else "",
        f"VWAP {pair.vwap}" * bool(pair.vwap),
        f"{say('step')} {pair.buy_spacing_bps:g} bps",
        f"{say('volatility')} {pair.volatility_pct:.0%}",
        say(pair.breaker),
    ]
    reasons = "".join(f"<li>{t(say(why))}</li>" for why in pair.why)
    return f'<p class="dim">{t(", ".join(filter(None, facts)))}</p>' + (
        f"<ul>{reasons}</ul>" if reasons else ""
    )


def price_of(view: View, pair: PairView, say: Say) -> str:
    bid, ask = touch(view, pair.pair) or (pair.bid, pair.ask)
    return f"{bid} / {ask}" if bid and ask else say("no valid book")


def grid(slots: Sequence[SlotView], pair: str, price: str, say: Say) -> str:
    """Sells above, the market in the middle, buys below: as the prices stand."""
    slots = [slot for slot in slots if slot.price or slot.slot != EXIT_SLOT]
    sells = [slot for slot in slots if slot.side == "sell"]
    buys = [slot for slot in slots if slot.side != "sell"]
    middle = f'<tr class="mid"><td colspan="6">{t(price)}</td></tr>'
    rows = _slots(reversed(_outwards(sells, 1)), say) + middle
    rows += _slots(_outwards(buys, -1), say)
    heads = (
        (say("slot"), ""),
        (say("state"), ""),
        (say("price"), "n"),
        (say("quantity"), "n"),
        (say("filled"), "n"),
        (say("why"), "why"),
    )
    return table(f"{say('Grid')} {pair}", heads, rows, "grid")


def _outwards(slots: Iterable[SlotView], away: int) -> list[SlotView]:
    """From the market outwards (away: +1 up, -1 down), the empty ones last."""

    def place(slot: SlotView) -> tuple[bool, Decimal, str]:
        price = decimal(slot.price)
        return not price, price * away, slot.slot

    return sorted(slots, key=place)


def _gathered(slots: Iterable[SlotView]) -> list[SlotView]:
    """Empty slots of one reason as one row, where the first of them would stand."""
    found: dict[tuple[str, str], SlotView] = {}
    for slot in slots:
        key = (slot.why, "") if not slot.price and slot.state == "empty" else ("", slot.slot)
        known = found.get(key)
        found[key] = replace(known, slot=f"{known.slot}, {slot.slot}") if known else slot
    return list(found.values())


def _slots(slots: Iterable[SlotView], say: Say) -> str:
    return "".join(
        f'<tr><td class="{side(slot.side)}">{t(slot.slot)}</td><td>{t(say(slot.state))}</td>'
        f'<td class="n">{t(slot.price)}</td><td class="n">{t(slot.qty if slot.price else "")}</td>'
        f'<td class="n extra">{t(slot.filled if decimal(slot.filled) else "")}</td>'
        f'<td class="why">{t(say(slot.why))}</td></tr>'
        for slot in _gathered(slots)
    )


def fills(known: Sequence[FillView], say: Say) -> str:
    rows = "".join(
        f"<tr><td>{t(fill.time[:19].replace('T', ' '))}</td>"
        f'<td class="{side(fill.side)}">{t(say(fill.side))}</td>'
        f'<td class="n">{t(fill.price)}</td><td class="n">{t(fill.qty)}</td>'
        f'<td class="n long">{t(fill.cost)}</td><td class="n long">{t(fill.fee)}</td></tr>'
        for fill in known[:FILLS_SHOWN]
    )
    heads = (
        (say("time (UTC)"), ""),
        (say("side"), ""),
        (say("price"), "n"),
        (say("quantity"), "n"),
        (say("cost"), "n long"),
        (say("fee"), "n long"),
    )
    inside = table(say("Fills"), heads, rows) if rows else t(say("None yet."))
    return f"<section><h2>{t(say('Fills'))}</h2>{inside}</section>"


def side(name: str) -> str:
    return "sell" if name == "sell" else "buy"
