"""The inbox: each kind of item and who hears it. One place, so nothing is heard twice or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

from msgspec.structs import replace

from shared import control, frames, orders
from shared.units import Ns
from strategy.core import deadman, hear, killing, reconcile, reference, requests, withdrawals
from strategy.core.memory import Memory
from strategy.core.out import Flagged, In, Out, StopAsked, Tell, Unwritten


def hear_item(memory: Memory, item: In, now: Ns) -> list[Out]:
    """Change what is known; hand out what must be booked, told or answered because of it."""
    hears = HEARD_BY.get(type(item))
    if hears is None:
        raise AssertionError(f"nobody hears {type(item).__name__}")
    return hears(memory, item, now)


# The market, as the feed tells it.


def _hear_book(memory: Memory, book: frames.Book, now: Ns) -> list[Out]:
    if book.pair in memory.pairs:
        memory.pairs[book.pair].tape.hear_book(book, now, memory.config.time)
    return []


def _hear_vwap(memory: Memory, vwap: frames.Vwap, now: Ns) -> list[Out]:
    if vwap.pair in memory.pairs:
        memory.pairs[vwap.pair].tape.hear_vwap(vwap)
    return []


def _hear_instrument(memory: Memory, told: frames.Instrument, now: Ns) -> list[Out]:
    if told.pair.symbol in memory.pairs:
        memory.pairs[told.pair.symbol].tape.hear_instrument(told)
    return []


def _hear_beat(memory: Memory, beat: frames.Beat, now: Ns) -> list[Out]:
    memory.feed_system = beat.system
    return []


def _count_frame(memory: Memory, frame: frames.Trades | frames.Candle, now: Ns) -> list[Out]:
    memory.count("tape_frames")
    return []


# The house.


def _hear_clock(memory: Memory, clock: orders.Clock, now: Ns) -> list[Out]:
    memory.wall = clock.wall
    return []


def _stop(memory: Memory, asked: StopAsked, now: Ns) -> list[Out]:
    requests.stop(memory, now)
    return []


def _hear_ledger(memory: Memory, ledger: Unwritten, now: Ns) -> list[Out]:
    """The ledger cannot be written, or can again."""
    memory.unwritten = (ledger.why, now)
    if ledger.why:
        text = f"{ledger.why}; no new orders until it is written"
        return [Tell("critical", "ledger", text)]
    memory.alerts.pop("ledger", None)
    return [Tell("info", "ledger", "the ledger is written again; nothing was lost")]


def _hear_flag(memory: Memory, flag: Flagged, now: Ns) -> list[Out]:
    # Up since before, and known: what it asked for is done or under way.
    return [] if memory.kill.stage else killing.kill(memory, killing.Who.FLAG, flag.why, now)


# The account, as the exchange tells it.


def _hear_price(memory: Memory, told: orders.SecondPrice, now: Ns) -> list[Out]:
    if told.pair in memory.pairs:
        pair = memory.pairs[told.pair]
        pair.reference = reference.told(pair.reference, told)
    return []


def _hear_switch(memory: Memory, armed: orders.Armed, now: Ns) -> list[Out]:
    memory.switch = deadman.answered(memory.switch, armed)
    return []


def _hear_balances(memory: Memory, balances: orders.Balances, now: Ns) -> list[Out]:
    memory.balances = {**memory.balances, **balances.totals}
    memory.balance_at = now
    return []


def _hear_fees(memory: Memory, fees: orders.Fees, now: Ns) -> list[Out]:
    if fees.pair in memory.pairs:
        memory.pairs[fees.pair].set_fees(fees)
    return []


def _hear_pairs(memory: Memory, told: orders.Pairs, now: Ns) -> list[Out]:
    for spec in told.pairs:
        if spec.symbol in memory.pairs:
            memory.pairs[spec.symbol].tape.hear_pair(spec)
    return []


def _hear_skew(memory: Memory, told: orders.Skew, now: Ns) -> list[Out]:
    memory.skew = Ns(told.ns)
    return []


def _hear_counter(memory: Memory, event: orders.RateCounter, now: Ns) -> list[Out]:
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
    return []


HEARD_BY: Final[dict[type[Any], Callable[[Memory, Any, Ns], list[Out]]]] = {
    frames.Book: _hear_book,
    frames.Vwap: _hear_vwap,
    frames.Instrument: _hear_instrument,
    frames.Beat: _hear_beat,
    frames.Trades: _count_frame,
    frames.Candle: _count_frame,
    orders.Clock: _hear_clock,
    StopAsked: _stop,
    Unwritten: _hear_ledger,
    Flagged: _hear_flag,
    **dict.fromkeys(get_args(control.AnyRequest), requests.answer),
    orders.Filled: hear.booked,
    orders.Accepted: hear.accepted,
    orders.Amended: hear.amended,
    orders.Gone: hear.gone,
    orders.Refused: hear.refused,
    orders.Listed: reconcile.listed,
    orders.Looked: reconcile.looked,
    orders.AskFailed: reconcile.ask_failed,
    orders.Withdrawals: withdrawals.hear,
    orders.LedgerPage: withdrawals.hear_page,
    orders.LineUp: hear.line_up,
    orders.LineDown: hear.line_down,
    orders.System: hear.system,
    orders.SecondPrice: _hear_price,
    orders.Armed: _hear_switch,
    orders.Balances: _hear_balances,
    orders.Fees: _hear_fees,
    orders.Pairs: _hear_pairs,
    orders.RateCounter: _hear_counter,
    orders.Skew: _hear_skew,
}
"""Each member of `In`, and nothing else."""
