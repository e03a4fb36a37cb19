"""The inbox: each kind of item and who hears it. One place, so nothing is heard twice or never."""

from __future__ import annotations

from msgspec.structs import replace

from shared import control, frames, orders
from shared.units import Ns
from strategy.core import deadman, hear, killing, reconcile, reference, requests, withdrawals
from strategy.core.memory import Memory
from strategy.core.out import Flagged, In, Out, StopAsked, Tell, Unwritten


def hear_item(memory: Memory, item: In, now: Ns) -> list[Out]:
    """Change what is known; hand out what must be booked, told or answered because of it."""
    match item:
        case orders.Clock(wall):
            memory.wall = wall
        case frames.Book():
            if item.pair in memory.pairs:
                memory.pairs[item.pair].tape.hear_book(item, now, memory.config.time)
        case frames.Vwap():
            if item.pair in memory.pairs:
                memory.pairs[item.pair].tape.hear_vwap(item)
        case frames.Instrument():
            if item.pair.symbol in memory.pairs:
                memory.pairs[item.pair.symbol].tape.hear_instrument(item)
        case frames.Beat():
            memory.feed_system = item.system
        case frames.Trades() | frames.Candle():
            memory.count("tape_frames")
        case StopAsked():
            requests.stop(memory, now)
        case Unwritten(why):
            return _ledger(memory, why, now)
        case Flagged(why):
            # Up since before, and known: what it asked for is done or under way.
            return [] if memory.kill.stage else killing.kill(memory, killing.Who.FLAG, why, now)
        case control.Request():
            return requests.answer(memory, item, now)
        case _:
            return _about_orders(memory, item, now)
    return []


def _ledger(memory: Memory, why: str, now: Ns) -> list[Out]:
    """The ledger cannot be written, or can again."""
    memory.unwritten = (why, now)
    if why:
        return [Tell("critical", "ledger", f"{why}; no new orders until it is written")]
    memory.alerts.pop("ledger", None)
    return [Tell("info", "ledger", "the ledger is written again; nothing was lost")]


def _about_orders(memory: Memory, event: orders.Event, now: Ns) -> list[Out]:
    """What the exchange says of our orders and of the line that says so."""
    match event:
        case orders.SecondPrice() | orders.Balances():  # the most frequent first
            _about_account(memory, event, now)
        case orders.Filled():
            return hear.booked(memory, event, now)
        case orders.Accepted():
            return hear.accepted(memory, event, now)
        case orders.Amended():
            return hear.amended(memory, event, now)
        case orders.Gone():
            return hear.gone(memory, event, now)
        case orders.Refused():
            return hear.refused(memory, event, now)
        case orders.Listed():
            return reconcile.listed(memory, event, now)
        case orders.Looked():
            return reconcile.looked(memory, event, now)
        case orders.AskFailed():
            return reconcile.ask_failed(memory, event, now)
        case orders.Withdrawals():
            return withdrawals.hear(memory, event, now)
        case orders.LedgerPage():
            return withdrawals.hear_page(memory, event)
        case orders.LineUp():
            return hear.line_up(memory, event, now)
        case orders.LineDown():
            return hear.line_down(memory, event, now)
        case orders.System():
            return hear.system(memory, event, now)
        case _:
            _about_account(memory, event, now)
    return []


def _about_account(memory: Memory, event: orders.Event, now: Ns) -> None:
    match event:
        case orders.SecondPrice():
            if event.pair in memory.pairs:
                pair = memory.pairs[event.pair]
                pair.reference = reference.told(pair.reference, event)
        case orders.Armed():
            memory.switch = deadman.answered(memory.switch, event)
        case orders.Balances(totals):
            memory.balances = {**memory.balances, **totals}
            memory.balance_at = now
        case orders.Fees():
            if event.pair in memory.pairs:
                memory.pairs[event.pair].set_fees(event)
        case orders.Pairs(pairs):
            for spec in pairs:
                if spec.symbol in memory.pairs:
                    memory.pairs[spec.symbol].tape.hear_pair(spec)
        case orders.RateCounter():
            _hear_counter(memory, event, now)
        case orders.Skew(skew):
            memory.skew = Ns(skew)
        case _:
            raise AssertionError(f"nobody hears {type(event).__name__}")


def _hear_counter(memory: Memory, event: orders.RateCounter, now: Ns) -> None:
    """The exchange's own counter of one pair; its threshold is the account's.

    A counter below 0 means that only the threshold was told.
    """
    pair = memory.pairs.get(event.pair)
    for known in [pair] if pair else list(memory.pairs.values()):
        limiter = known.limiter
        if pair and event.counter >= 0:
            # What is under way is not in the exchange's number yet, but in ours.
            own = limiter.value(now, memory.config.rate_limit)
            limiter = replace(limiter, counter=max(own, event.counter), at=now)
        known.limiter = replace(limiter, threshold=event.threshold or limiter.threshold)
