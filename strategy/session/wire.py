"""What the frames of the private line mean: messages in, events out, or why to close the line.

Rule 1: an ack belongs to a request by its number, an event to an order by its ids.
Rule 2: until both snapshots are in, events wait: the core hears LineUp before any of them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct

from shared.kraken import private
from shared.kraken.private import Ack, Executions, Garbage, Message, Other, SystemStatus
from shared.kraken.values import verdict_of
from shared.orders import (
    Accepted,
    Armed,
    Balances,
    Event,
    LineUp,
    RateCounter,
    Refused,
    System,
)
from shared.units import SECOND, Ns
from strategy.session.line import MOST_HELD, Line, Pending, Phase
from strategy.session.mail import Note, SendText, SessionOut
from strategy.session.orders import Orders, UnreadableError

METHODS: Final = {
    "add_order": "add",
    "amend_order": "amend",
    "cancel_order": "cancel",
    "cancel_all": "cancel_all",
    "cancel_all_orders_after": "arm",
}
"""Kraken's methods in the core's words."""

SKEW_ROUND_TRIP: Final = Ns(2 * SECOND)
"""A slower answer says too little about the exchange's clock."""

NO_COUNTER: Final = -1.0


class Moment(Struct, frozen=True):
    """One moment in both times."""

    now: Ns
    wall: Ns


class Heard(Struct):
    """What a frame led to. fault: why the line must be closed, "" where it may go on.

    skew: the exchange's clock less ours, where the frame told. threshold: likewise the account's.
    """

    outs: list[SessionOut] = []
    fault: str = ""
    skew: int | None = None
    threshold: int = 0


class Wire:
    def __init__(self, orders: Orders, symbols: tuple[str, ...]) -> None:
        self._orders = orders
        self._symbols = symbols

    def hear(self, line: Line, message: Message, at: Moment) -> Heard:
        match message:
            case SystemStatus(system=system):
                return self._status(line, system, at)
            case Ack():
                return self._ack(line, message, at)
            case Executions():
                return self._executions(line, message, at.now)
            case private.Balances():
                return self._balances(line, message, at.now)
            case Garbage(why=why, channel=channel):
                return _garbage(why, channel)
            case Other(what=what):
                return Heard([Note("debug", "frame_ignored", {"what": what[:60]})])
            case _:
                return Heard()

    def _status(self, line: Line, system: str, at: Moment) -> Heard:
        outs: list[SessionOut] = [System(system)]
        if line.phase is Phase.GREETING:
            line.enter(Phase.SUBSCRIBING, at.now)
            for subscribe in (private.subscribe_executions, private.subscribe_balances):
                req_id = line.ask(Pending("subscribe", at.now, at.wall))
                outs.append(SendText(line.number, subscribe(line.token, req_id)))
        return Heard(outs)

    def _ack(self, line: Line, ack: Ack, at: Moment) -> Heard:
        pending = line.answered(ack.req_id)
        heard = Heard([])
        if pending is not None:
            heard.skew = _skew(pending, ack, at)
        # Kraken v2, token: a server upgrade drops it; whatever was asked, this line is finished.
        if not ack.success and (ack.method == "subscribe" or "ESession" in ack.error):
            heard.fault = f"{ack.method}: {ack.error}"
        if ack.success and ack.threshold:
            line.threshold = heard.threshold = ack.threshold
            heard.outs += [
                RateCounter(symbol, NO_COUNTER, ack.threshold) for symbol in self._symbols
            ]
        if pending is not None and pending.method in METHODS:
            heard.outs += self._outcome(pending, ack)
        elif pending is None:
            heard.outs.append(
                Note("warning", "ack_unknown", {"method": ack.method, "error": ack.error[:200]})
            )
        return heard

    def _outcome(self, pending: Pending, ack: Ack) -> list[SessionOut]:
        """The answer to one of the core's commands."""
        method, name = METHODS[pending.method], pending.cl_ord_id
        if not ack.success:
            return [Refused(method, name, ack.error, verdict_of(ack.error))]
        match method:
            case "arm":
                return [Armed(pending.sent_at, pending.timeout_s)]
            case "add":
                first = self._orders.accept(ack.order_id, name)
                return [Accepted(method, name, ack.order_id)] if first else []
            case _:
                return [Accepted(method, name, ack.order_id)]

    def _executions(self, line: Line, message: Executions, now: Ns) -> Heard:
        fault = line.follow("executions", message.snapshot, message.sequence)
        if fault:
            return Heard(fault=f"executions: {fault}")
        if message.snapshot:
            fills, line.resting, faults = self._orders.snapshot(message.rows)
            # The history, which is asked for after each LineUp, has these fills too.
            notes = [Note("error", "snapshot_row_unreadable", {"why": why}) for why in faults]
            return _complete(line, [*notes, *fills], now)
        events: list[Event] = []
        try:
            for row in message.rows:
                events += self._orders.update(row)
        except UnreadableError as error:
            # What was understood before it is true all the same.
            heard = _tell(line, events)
            heard.fault = heard.fault or f"executions: {error}"
            return heard
        events += self._counters(line, message)
        return _tell(line, events)

    def _counters(self, line: Line, message: Executions) -> list[Event]:
        """The newest counter of each pair that the message speaks of."""
        newest: dict[str, float] = {}
        for row in message.rows:
            counter = message.rate_counter if row.rate_counter is None else row.rate_counter
            symbol = row.symbol or self._orders.symbol_of(row.order_id)
            if counter is not None and symbol in self._symbols:
                newest[symbol] = counter
        return [RateCounter(symbol, value, line.threshold) for symbol, value in newest.items()]

    def _balances(self, line: Line, message: private.Balances, now: Ns) -> Heard:
        fault = line.follow("balances", message.snapshot, message.sequence)
        if fault:
            return Heard(fault=f"balances: {fault}")
        for wallet in message.rows:
            line.wallets[(wallet.asset, wallet.kind, wallet.name)] = wallet.balance
        line.balances = _totals(line.wallets)
        if message.snapshot:
            return _complete(line, [], now)
        return _tell(line, [line.balances]) if line.phase is Phase.UP else Heard()


def _skew(pending: Pending, ack: Ack, at: Moment) -> int | None:
    """Their middle less ours, as if both ways took equally long; None where nothing is told."""
    if ack.time_in is None or ack.time_out is None:
        return None
    if at.now - pending.sent_at > SKEW_ROUND_TRIP:
        return None
    return (ack.time_in + ack.time_out - pending.sent_wall - at.wall) // 2


def _totals(wallets: dict[tuple[str, str, str], Decimal]) -> Balances:
    """What trading may spend, by asset; what earns elsewhere stays apart (BTC.flex)."""
    totals: dict[str, Decimal] = {}
    for (asset, kind, name), balance in wallets.items():
        key = asset if kind == "spot" else f"{asset}.{name}"
        totals[key] = totals.get(key, Decimal(0)) + balance
    return Balances(totals)


def _complete(line: Line, outs: list[SessionOut], now: Ns) -> Heard:
    """A snapshot came: with the second one the line is up, and what waited is told."""
    if line.phase is Phase.UP or line.resting is None or line.balances is None:
        return Heard(outs)
    line.enter(Phase.UP, now)
    line.up_since = now
    held, line.held = line.held, []
    return Heard([*outs, LineUp(line.resting), line.balances, *held])


def _tell(line: Line, events: list[Event]) -> Heard:
    if line.phase is Phase.UP:
        return Heard([*events])
    line.held += events
    return Heard(fault="too much came before the snapshots" if len(line.held) > MOST_HELD else "")


def _garbage(why: str, channel: str) -> Heard:
    """An unreadable ack leaves its request unanswered; anything else may have been a fill."""
    note = Note("error", "frame_unreadable", {"why": why, "channel": channel[:60]})
    if channel and channel not in ("executions", "balances"):
        return Heard([note])
    return Heard([note], fault="an unreadable frame")
