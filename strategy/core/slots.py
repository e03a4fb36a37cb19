"""The order slot: one place in the grid, one order at most.

Rule 1: every change of a slot's state is a row of TRANSITIONS.
Rule 2: `decide` only looks at a slot at rest. In flight we wait.
Rule 3: LOST is not gone. Only the exchange's own word empties a lost slot.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec
from msgspec import Struct

from shared.orders import AddOrder, AmendOrder, CancelOrder
from shared.units import Ns, Sats, Side, Ticks


class State(enum.StrEnum):
    EMPTY = "empty"
    PENDING_NEW = "pending_new"
    LIVE = "live"
    AMEND_PENDING = "amend_pending"
    CANCEL_PENDING = "cancel_pending"
    LOST = "lost"


class Input(enum.StrEnum):
    """What may happen to a slot. The first three are ours, the others are heard."""

    ADD = "add"
    AMEND = "amend"
    CANCEL = "cancel"
    ACK = "ack"
    REJECT = "reject"  # definitely not done
    UNSURE = "unsure"  # an answer that decides nothing
    PART = "part"  # a fill that leaves the order's end to a later word
    GONE = "gone"  # filled, cancelled or expired
    TIMEOUT = "timeout"  # no answer in time
    CUT = "cut"  # the line is cut, or the switch has fired
    FOUND = "found"  # the exchange lists it
    ABSENT = "absent"  # the exchange does not know it: two misses and a targeted query


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    # The plain life of an order.
    (State.EMPTY, Input.ADD): State.PENDING_NEW,
    (State.PENDING_NEW, Input.ACK): State.LIVE,
    (State.LIVE, Input.AMEND): State.AMEND_PENDING,
    (State.AMEND_PENDING, Input.ACK): State.LIVE,
    (State.LIVE, Input.CANCEL): State.CANCEL_PENDING,
    (State.CANCEL_PENDING, Input.GONE): State.EMPTY,
    (State.LIVE, Input.GONE): State.EMPTY,
    (State.LIVE, Input.PART): State.LIVE,
    # The exchange refuses.
    (State.PENDING_NEW, Input.REJECT): State.EMPTY,
    (State.AMEND_PENDING, Input.REJECT): State.LIVE,  # the old order still stands
    (State.CANCEL_PENDING, Input.REJECT): State.LOST,
    # A fill, or the end, overtakes the ack.
    (State.PENDING_NEW, Input.PART): State.PENDING_NEW,
    (State.PENDING_NEW, Input.GONE): State.EMPTY,
    (State.AMEND_PENDING, Input.PART): State.AMEND_PENDING,
    (State.AMEND_PENDING, Input.GONE): State.EMPTY,
    (State.CANCEL_PENDING, Input.PART): State.CANCEL_PENDING,
    (State.CANCEL_PENDING, Input.ACK): State.CANCEL_PENDING,  # accepted; the event is the truth
    # Silence.
    (State.PENDING_NEW, Input.TIMEOUT): State.LOST,
    (State.AMEND_PENDING, Input.TIMEOUT): State.LOST,
    (State.CANCEL_PENDING, Input.TIMEOUT): State.LOST,
    # An answer that decides nothing.
    (State.PENDING_NEW, Input.UNSURE): State.LOST,
    (State.AMEND_PENDING, Input.UNSURE): State.LOST,
    (State.CANCEL_PENDING, Input.UNSURE): State.LOST,
    # The line is cut, or the exchange's list misses it twice.
    (State.EMPTY, Input.CUT): State.EMPTY,
    (State.PENDING_NEW, Input.CUT): State.LOST,
    (State.LIVE, Input.CUT): State.LOST,
    (State.AMEND_PENDING, Input.CUT): State.LOST,
    (State.CANCEL_PENDING, Input.CUT): State.LOST,
    (State.LOST, Input.CUT): State.LOST,
    # Only the exchange's own word finds an order again, or ends it.
    (State.LOST, Input.FOUND): State.LIVE,
    (State.LOST, Input.ABSENT): State.EMPTY,
    (State.LOST, Input.GONE): State.EMPTY,
    (State.LOST, Input.PART): State.LOST,
    (State.LOST, Input.ACK): State.LOST,
    (State.LOST, Input.REJECT): State.LOST,
    (State.LOST, Input.UNSURE): State.LOST,
    # The list confirms what we believed; a list read before our cancel took effect.
    (State.LIVE, Input.FOUND): State.LIVE,
    (State.PENDING_NEW, Input.FOUND): State.LIVE,
    (State.AMEND_PENDING, Input.FOUND): State.AMEND_PENDING,
    (State.CANCEL_PENDING, Input.FOUND): State.CANCEL_PENDING,
    # A late or repeated answer about an order that is known already.
    (State.LIVE, Input.ACK): State.LIVE,
    (State.LIVE, Input.REJECT): State.LIVE,
    (State.LIVE, Input.UNSURE): State.LIVE,
}

# Bound once: an enum's members are slow to look up, and each tick needs these.
_EMPTY: Final = State.EMPTY
_LIVE: Final = State.LIVE
_BUY: Final = Side.BUY
_NEW: Final = State.PENDING_NEW
_ADD, _AMEND, _REJECT = Input.ADD, Input.AMEND, Input.REJECT
_NO_PRICE: Final = Ticks(0)
_NO_QTY: Final = Sats(0)

IN_FLIGHT: Final = (State.PENDING_NEW, State.AMEND_PENDING, State.CANCEL_PENDING)


class Slot(Struct, frozen=True):
    """One place. `price` and `qty` are what we last wished of the exchange for it."""

    name: str  # "b3", "s1", "x"
    pair: str
    side: Side
    state: State = State.EMPTY
    cl_ord_id: str = ""
    order_id: str = ""
    price: Ticks = Ticks(0)
    qty: Sats = Sats(0)  # the total, what has filled included
    filled: Sats = Sats(0)  # executed in all: the larger of what the list and our fills say
    heard: Sats = Sats(0)  # the sum of the fills that are booked
    traded: Ticks = Ticks(0)  # the price of the last of them; 0 while there is none
    was_price: Ticks = Ticks(0)  # what stands at the exchange while an amend is under way
    was_qty: Sats = Sats(0)
    since: Ns = Ns(0)  # when the state was entered
    changed: Ns = Ns(0)  # when the order was created or last amended: its age for the rate counter
    deadline: Ns = Ns(0)  # wall time after which a pending add or amend can no longer take effect
    not_before: Ns = Ns(0)  # cool-down after a reject
    rejects: int = 0  # in a row
    misses: int = 0  # how often the exchange's list left it out
    doubts: int = 0  # how often the exchange denied that it ever was, though it was acknowledged
    exit_order: bool = False

    @property
    def open_qty(self) -> int:
        """The most that may still fill, whatever became of what is in flight."""
        most = self.qty if self.qty > self.was_qty else self.was_qty
        return most - self.filled if most > self.filled else 0

    @property
    def high_price(self) -> int:
        """The highest price at which it may still fill."""
        return self.price if self.price > self.was_price else self.was_price

    @property
    def low_price(self) -> int:
        """The lowest price at which it may still fill."""
        return self.was_price if 0 < self.was_price < self.price else self.price


class Wish(Struct, frozen=True, gc=False):
    """The order we would like to rest. qty is the total, what has filled included."""

    side: Side
    price: Ticks
    qty: Sats
    rung: int


class IllegalTransitionError(AssertionError):
    """A slot heard something that its table does not know: our own fault, the process dies."""


def move(slot: Slot, what: Input, now: Ns) -> Slot:
    """The slot after `what`; IllegalTransitionError where the table has no such row."""
    after = _after(slot, what)
    if after is slot.state:
        return slot
    if after is _EMPTY:
        return _emptied(slot, now)
    if after is _LIVE:
        stands = what is _REJECT  # the amend was refused: the old order still stands
        # Kraken v2, executions: an add may be acknowledged and refused by the engine after that.
        unproven = stands or slot.state is _NEW
        return msgspec.structs.replace(
            slot,
            state=after,
            since=now,
            misses=0,
            doubts=0,
            rejects=slot.rejects if unproven else 0,
            price=slot.was_price if stands else slot.price,
            qty=slot.was_qty if stands else slot.qty,
            was_price=_NO_PRICE,
            was_qty=_NO_QTY,
        )
    return msgspec.structs.replace(slot, state=after, since=now)


def _after(slot: Slot, what: Input) -> State:
    after = TRANSITIONS.get((slot.state, what))
    if after is None:
        raise IllegalTransitionError(f"slot {slot.pair} {slot.name}: {what} while {slot.state}")
    return after


def _emptied(slot: Slot, now: Ns) -> Slot:
    return Slot(
        slot.name,
        slot.pair,
        slot.side,
        since=now,
        not_before=slot.not_before,
        rejects=slot.rejects,
    )


def filled(slot: Slot, price: Ticks, qty: int) -> Slot:
    """A part of the order was executed; the caller moves the state by PART."""
    heard = Sats(slot.heard + qty)
    return msgspec.structs.replace(slot, heard=heard, filled=max(slot.filled, heard), traded=price)


class Add(Struct, frozen=True):
    slot: Slot
    wish: Wish


class Amend(Struct, frozen=True):
    slot: Slot
    wish: Wish


class Cancel(Struct, frozen=True):
    """urgent: it takes risk away, whatever the rate counter says."""

    slot: Slot
    why: str
    urgent: bool = True


Intent = Add | Amend | Cancel


def reduces(slot: Slot, wish: Wish) -> bool:
    """Whether the change takes risk away: a smaller order at a price no nearer to the market."""
    farther = wish.price <= slot.price if slot.side is _BUY else wish.price >= slot.price
    return farther and wish.qty <= slot.qty


def added(slot: Slot, order: AddOrder, now: Ns) -> Slot:
    return msgspec.structs.replace(
        slot,
        state=_after(slot, _ADD),
        since=now,
        cl_ord_id=order.cl_ord_id,
        price=order.price,
        qty=order.qty,
        changed=now,
        deadline=order.deadline,
        exit_order=order.exit_order,
    )


def amended(slot: Slot, order: AmendOrder, now: Ns) -> Slot:
    return msgspec.structs.replace(
        slot,
        state=_after(slot, _AMEND),
        since=now,
        price=order.price,
        qty=order.qty,
        was_price=slot.price,
        was_qty=slot.qty,
        changed=now,
        deadline=order.deadline,
    )


def canceled(slot: Slot, now: Ns) -> tuple[Slot, CancelOrder]:
    return move(slot, Input.CANCEL, now), CancelOrder(slot.cl_ord_id, slot.order_id)
