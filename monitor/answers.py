"""The five answers of the page: is the money safe, what happens and why, what was earned.

Rule 1: an answer is one sentence and a mood; what is not known is said as such, never guessed.
"""

from __future__ import annotations

from typing import Final

from monitor.around import TaxSeen
from monitor.markup import decimal
from monitor.summary import SWITCH_LOW_S, Verdict
from monitor.view import View
from monitor.words import PAUSES, REGIMES, Say
from shared.frames import Status
from shared.units import SECOND, Ns

NO_BUY: Final = "No buy rests now; the grid says why."
DEEP: Final = ("RISK_PAUSE_ACTIVE", "DUAL_LOCK", "EMERGENCY_SELL")


def switch_left(view: View, now: Ns) -> float:
    """Seconds until the exchange cancels by itself, counted on while the strategy is silent."""
    status = view.status
    if status is None or status.switch_left_s <= 0:
        return 0.0
    return max(0.0, status.switch_left_s - (view.strategy.silent_ns(now) or 0) / SECOND)


def safe(view: View, now: Ns, say: Say) -> Verdict:
    """Is my money safe? The worst that is known, first."""
    status = view.status
    if status is None:
        return Verdict("waiting", say("Not known: the strategy has not told its state."))
    if not view.strategy.up(now):
        return _left_alone(status, switch_left(view, now), say)
    if status.drift.strip("-0."):
        told = say("Look: coins at the exchange and in the ledger differ by {drift}.")
        return Verdict("bad", told.format(drift=status.drift))
    if status.phase == "trading" and 0 < status.switch_left_s <= SWITCH_LOW_S:
        text = "The line is not well; the exchange cancels all orders by itself in {left} s."
        return Verdict("bad", say(text).format(left=int(status.switch_left_s)))
    if status.pause in DEEP:
        told = say("The account stands {fall} % below its peak; the bot holds back.")
        return Verdict("waiting", told.format(fall=f"{status.drawdown_pct * 100:.1f}"))
    if status.lost:
        text = "The fate of {count} orders is not known yet; the exchange is being asked."
        return Verdict("waiting", say(text).format(count=status.lost))
    if status.foreign_orders:
        told = say("{count} orders in the account are not the bot's.")
        return Verdict("waiting", told.format(count=status.foreign_orders))
    if status.switch_left_s <= 0 and status.orders:
        text = "The dead man's switch is not armed: orders would rest if the bot died."
        return Verdict("bad", say(text))
    return Verdict("good", say("Yes: every coin is accounted for, every order is watched."))


def _left_alone(status: Status, left: float, say: Say) -> Verdict:
    """The strategy is silent: what becomes of its orders."""
    if not status.orders:
        return Verdict("waiting", say("No own order rested when the strategy was last heard."))
    if left > 0:
        text = "Nobody minds {count} orders; the exchange cancels them by itself in {left} s."
        return Verdict("waiting", say(text).format(count=status.orders, left=int(left)))
    if status.switch_left_s > 0:
        return Verdict("waiting", say("The exchange has cancelled the own orders by itself."))
    text = "Orders may rest at the exchange, and nobody minds them: bot-kill cancels them."
    return Verdict("bad", say(text))


def doing(view: View, status: Status, now: Ns, say: Say) -> str:
    """What it does now, in a sentence; the market's mood is the first pair's."""
    if not view.strategy.up(now):
        return say("Not known: the strategy is silent.")
    if status.phase != "trading" or status.hold:
        return say("Nothing is quoted now.")
    may = say(PAUSES.get(status.pause, status.pause))
    market = say(REGIMES.get(status.regime, status.regime))
    told = say("It {may}. The market is {market}.").format(may=may, market=market)
    for side, text in (("sell", "No sell rests now; the grid says why."), ("buy", NO_BUY)):
        if not any(slot.price for slot in status.slots if slot.side == side):
            told = f"{told} {say(text)}"
    return told


def open_gain(view: View, tax: TaxSeen | None) -> str | None:
    """What the coins held are worth above their cost at the middle of the market; not realised.

    None where a side of it is not known, several pairs share the account, or their money is not
    the money of the tax.
    """
    if tax is None or not tax.cost or view.status is None or len(view.status.pairs) != 1:
        return None
    pair = view.status.pairs[0]
    bid, ask = decimal(pair.bid), decimal(pair.ask)
    if pair.pair.partition("/")[2] != tax.currency:
        return None
    if bid <= 0 or ask <= 0:
        return None
    return f"{decimal(tax.total) * (bid + ask) / 2 - decimal(tax.cost):.2f}"
