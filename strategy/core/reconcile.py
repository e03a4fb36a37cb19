"""Reconciliation: what the exchange's list says about our slots. One path for start and doubt.

Rule 1: an order on the list is found; ours without a slot is an orphan and is cancelled; one that
does not bear our prefix is somebody else's and is only counted.
Rule 2: an order missing from the list is gone only after two misses, both asked for later than
its deadline, and a targeted query (the list may omit an order for a moment).
Rule 3: of an order that was acknowledged, one "never heard of it" is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from shared.orders import (
    AskEach,
    AskFailed,
    AskOrders,
    CancelOrder,
    Gone,
    Listed,
    Looked,
    RestingOrder,
)
from shared.units import MINUTE, SECOND, Ns
from strategy.core import byrest, hear, owed
from strategy.core.memory import CURSOR_OVERLAP, Asking, Memory, PairMemory, is_ours
from strategy.core.out import Out, Tell
from strategy.core.slots import IN_FLIGHT, Input, Slot, State, move
from strategy.ledger.entries import Remember

MISSES: Final = 2
DOUBTS: Final = 5
"""Answers "never heard of it" about an order that the exchange itself had acknowledged."""
LONGEST_DEADLINE: Final = MINUTE
"""Kraken v2, add_order: a deadline that lies further ahead is refused."""
SKEW_ALLOWANCE: Final = Ns(SECOND)
ASK_WHILE_LOST: Final = Ns(3 * SECOND)
ASK_WHILE_OWED: Final = Ns(10 * SECOND)
ANSWER_WITHIN: Final = Ns(60 * SECOND)
LONGEST_PAUSE_S: Final = 30
ORPHAN_AGAIN: Final = Ns(10 * SECOND)
MOST_ASKED: Final = 50
"""Orders of one question: as many ids as one call may name."""


def listed(memory: Memory, event: Listed, now: Ns) -> list[Out]:
    """Hold the exchange's list against our slots."""
    if memory.line == "down" or event.asked_at < memory.line_up_at:
        return []  # the line was cut since: what changed meanwhile nobody heard
    # Wishes that came up while the answer was on its way are still to be met.
    memory.asking = replace(
        memory.asking, asked_at=Ns(0), listed_at=event.asked_at, failures=0, not_before=Ns(0)
    )
    out: list[Out] = []
    cursor = Ns(max(memory.cursor, event.until - CURSOR_OVERLAP))
    if cursor != memory.cursor:
        memory.cursor = cursor
        out.append(Remember("cursor", str(cursor)))
    seen: dict[str, None] = {}
    foreign: list[str] = []
    for order in event.orders:
        seen[order.cl_ord_id] = None
        if not is_ours(order.cl_ord_id):
            foreign.append(order.order_id)
            continue
        _found(memory, order, event.asked_at, now)
    if foreign and tuple(foreign) != memory.foreign:
        text = f"{len(foreign)} orders of somebody else rest in this account; they are left alone"
        out.append(Tell("warning", "foreign_orders", text))
    memory.foreign = tuple(foreign)
    for pair in memory.pairs.values():
        for place, slot in enumerate(pair.slots):
            if slot.state is not State.EMPTY and slot.cl_ord_id not in seen:
                pair.slots[place] = _missed(memory, slot, event.asked_at, now)
    memory.orphans = {
        cl_ord_id: sent_at
        for cl_ord_id, sent_at in memory.orphans.items()
        if cl_ord_id in seen or not 0 < sent_at < event.asked_at
    }
    return out + owed.give_up(memory, event.asked_at)


def _found(memory: Memory, order: RestingOrder, asked_at: Ns, now: Ns) -> None:
    found = memory.slot_of(order.cl_ord_id)
    if found is None:
        ended = memory.gone_at.get(order.cl_ord_id)
        if ended is None or ended < asked_at:
            memory.orphans.setdefault(order.cl_ord_id, Ns(0))
        return
    pair, place = found
    pair.slots[place] = adopt(memory, pair.slots[place], order, asked_at)


def adopt(memory: Memory, slot: Slot, order: RestingOrder, asked_at: Ns) -> Slot:
    """The slot, told by the list what rests in it."""
    now, was = memory.now, slot.state
    if was is not State.LOST and slot.since >= asked_at:
        return slot  # the list is older than what we have sent or heard since
    slot = replace(slot, order_id=order.order_id, misses=0, doubts=0)
    stood = (order.price, order.qty) != (slot.price, slot.qty)
    if was is State.LOST and slot.was_price and stood and _may_act(memory, slot, asked_at):
        return slot  # the old order stands, but our amend may still take effect
    slot = move(slot, Input.FOUND, now)
    if slot.state is not State.LIVE:
        return slot
    if order.filled > slot.filled:
        owed.owe(memory, slot.cl_ord_id, order.filled - slot.heard, asked_at)
    return replace(
        slot,
        price=order.price,
        qty=order.qty,
        filled=max(slot.filled, order.filled),
        changed=slot.changed if was is State.LIVE else now,
    )


def _missed(memory: Memory, slot: Slot, asked_at: Ns, now: Ns) -> Slot:
    """The slot after a list that did not name its order."""
    if slot.state in IN_FLIGHT or slot.since >= asked_at:
        return slot
    if _may_act(memory, slot, asked_at):
        return slot  # it may still come to life
    misses = slot.misses + 1
    # By REST nobody tells of its end: one miss is enough to ask about it, never to give it up.
    if slot.state is State.LIVE and (misses >= MISSES or memory.line == "rest"):
        slot = replace(move(slot, Input.CUT, now), since=slot.since)
    return replace(slot, misses=misses)


def _may_act(memory: Memory, slot: Slot, asked_at: Ns) -> bool:
    """Whether our last request could take effect later than `asked_at`, by either clock.

    The deadline is the exchange's wall time; a step of our wall clock must not shorten it.
    """
    if not slot.deadline:
        return False
    sent_at = slot.changed or memory.boot  # or before this life began
    if asked_at > sent_at + LONGEST_DEADLINE + SKEW_ALLOWANCE:
        return False  # whatever our wall clock said then
    asked_wall = memory.wall + memory.skew - (memory.now - asked_at)
    patience = int(memory.config.time.deadline_sec * SECOND) + SKEW_ALLOWANCE
    young = slot.changed > 0 and asked_at <= slot.changed + patience
    return young or asked_wall <= slot.deadline + SKEW_ALLOWANCE


def looked(memory: Memory, event: Looked, now: Ns) -> list[Out]:
    """What a targeted question found of one lost order."""
    # All that it found comes in one step; what it left out is asked about again.
    memory.asking = replace(memory.asking, each=(), each_at=Ns(0))
    found = memory.slot_of(event.cl_ord_id)
    if found is None:
        return []
    pair, place = found
    slot = pair.slots[place]
    if slot.state is not State.LOST:
        return []
    if event.status == "open" and event.order is not None:
        if memory.line != "down" and event.asked_at >= memory.line_up_at:
            pair.slots[place] = adopt(memory, slot, event.order, event.asked_at)
        return []
    if event.status:
        ended = Gone(slot.cl_ord_id, slot.order_id, event.status, event.filled)
        return hear.gone(memory, ended, now)
    if slot.order_id and slot.doubts + 1 < DOUBTS:
        # It was acknowledged once: that it never was is more likely an answer from too early.
        pair.slots[place] = replace(slot, misses=0, doubts=slot.doubts + 1)
        return []
    return hear.emptied(memory, pair, place, now)


def ask_failed(memory: Memory, event: AskFailed, now: Ns) -> list[Out]:
    failures = memory.asking.failures + 1
    memory.asking = Asking(
        wanted=True,
        listed_at=memory.asking.listed_at,
        failures=failures,
        not_before=Ns(now + min(LONGEST_PAUSE_S, 2 ** min(failures, 6)) * SECOND),
    )
    return [Tell("info", "ask_failed", f"asking for our orders failed: {event.why}")]


def ask(memory: Memory, now: Ns) -> list[Out]:
    """What to ask the exchange in this step, and the cancels of orphans."""
    if memory.line == "down":
        return []
    out: list[Out] = []
    asking, lost = memory.asking, _lost(memory)
    if asking.asked_at and now - asking.asked_at > ANSWER_WITHIN:
        asking = replace(asking, asked_at=Ns(0), wanted=True)
    if not asking.asked_at and now >= asking.not_before and _due(memory, asking, lost, now):
        asking = replace(asking, asked_at=now, wanted=False)
        out.append(AskOrders(memory.cursor, memory.line == "rest"))
    if asking.each and now - asking.each_at > ANSWER_WITHIN:
        asking = replace(asking, each=())
    waits = bool(asking.each) or now < asking.not_before
    doubtful = () if waits or not lost else _doubtful(memory, lost, now)
    if doubtful:
        asking = replace(asking, each=tuple(name for name, _ in doubtful), each_at=now)
        out.append(AskEach(doubtful))
    memory.asking = asking
    for cl_ord_id, sent_at in list(memory.orphans.items()):
        if not sent_at or now - sent_at >= ORPHAN_AGAIN:
            memory.orphans[cl_ord_id] = now
            memory.count("orphans_cancelled")
            out.append(CancelOrder(cl_ord_id))
            out.append(Tell("warning", "orphan", f"cancelling {cl_ord_id}: no slot owns it"))
    return out


def _due(memory: Memory, asking: Asking, lost: Sequence[Slot], now: Ns) -> bool:
    since = now - asking.listed_at
    if asking.wanted or since >= byrest.list_each(memory):
        return True
    if memory.owed and since >= ASK_WHILE_OWED:
        return True
    # What two lists have missed waits for a question of its own: a third would only use up REST.
    return bool(lost) and since >= ASK_WHILE_LOST and any(slot.misses < MISSES for slot in lost)


def _doubtful(memory: Memory, lost: Sequence[Slot], now: Ns) -> tuple[tuple[str, str], ...]:
    """The lost orders that only a question of their own can settle: cl_ord_id, order_id."""
    found = [
        (slot.cl_ord_id, slot.order_id)
        for slot in lost
        if slot.misses >= MISSES or _told_by_none(memory, slot, now)
    ]
    return tuple(found[:MOST_ASKED])


def _lost(memory: Memory) -> list[Slot]:
    return [slot for pair in memory.pairs.values() for slot in pair.open.lost]


def _told_by_none(memory: Memory, slot: Slot, now: Ns) -> bool:
    """By REST no event will follow; where its id is known, to ask is cheaper than two lists."""
    if memory.line != "rest" or not slot.order_id:
        return False
    synced = memory.asking.listed_at >= memory.line_up_at
    return synced and not _may_act(memory, slot, now)


def time_out(memory: Memory, pair: PairMemory, now: Ns) -> list[Out]:
    """Requests that brought no answer in time: unknown, not failed."""
    patience = memory.config.time.ack_sec * SECOND
    out: list[Out] = []
    late = [pair.place(slot.name) for slot in pair.open.in_flight if now - slot.since >= patience]
    for place in sorted(late):
        slot = pair.slots[place]
        pair.slots[place] = move(slot, Input.TIMEOUT, now)
        memory.asking = replace(memory.asking, wanted=True)
        memory.count("timeouts")
        text = f"{slot.name}: no answer about {slot.cl_ord_id} while {slot.state}"
        out.append(Tell("warning", "timeout", text))
    return out
