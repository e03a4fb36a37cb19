"""What we may ask of an exchange (commands) and what it may tell us (events).

The strategy's core speaks only these; its session turns commands into Kraken's JSON and Kraken's
JSON into events. Commands name orders by our own `cl_ord_id`; events carry the exchange's
`order_id` too, because its history knows only that one.
"""

from __future__ import annotations

import enum
from decimal import Decimal

from msgspec import Struct

from shared.units import Ns, Pair, Sats, Side, Ticks

# Commands: core -> session.


class AddOrder(Struct, frozen=True, tag=True):
    """A new limit order; post-only unless `exit_order` (then immediate-or-cancel)."""

    cl_ord_id: str
    pair: str
    side: Side
    price: Ticks
    qty: Sats
    deadline: Ns  # wall time after which the exchange must not match it (RELIABILITY 0.1)
    exit_order: bool = False


class AmendOrder(Struct, frozen=True, tag=True):
    """Change price and total quantity (what has filled included) in place, still post-only."""

    cl_ord_id: str
    pair: str
    price: Ticks
    qty: Sats
    deadline: Ns


class CancelOrder(Struct, frozen=True, tag=True):
    """Cancel one order: by our id, or by the exchange's where only that is known."""

    cl_ord_id: str
    order_id: str = ""


class CancelAll(Struct, frozen=True, tag=True):
    """Cancel every order of the account, foreign ones too: only `kill` sends it."""


class ArmDeadman(Struct, frozen=True, tag=True):
    """(Re-)arm the account's dead man's switch; 0 disarms it."""

    timeout_s: int


class AskOrders(Struct, frozen=True, tag=True):
    """Ask for all that the exchange knows of us: fills since a moment, open orders, balances.

    system: the engine's state too, where no line tells it.
    """

    since: Ns  # wall time; 0 = the whole history
    system: bool = False


class AskEach(Struct, frozen=True, tag=True):
    """A targeted question about orders of which nothing certain is known.

    orders: (cl_ord_id, order_id) of each; order_id "" where the exchange has not told it.
    """

    orders: tuple[tuple[str, str], ...]


Command = AddOrder | AmendOrder | CancelOrder | CancelAll | ArmDeadman | AskOrders | AskEach


# Events: session -> core.


class Verdict(enum.StrEnum):
    """What a failed answer lets us conclude (KRAKEN.md 4.9)."""

    NOT_DONE = "not_done"  # definitely not placed, changed or cancelled
    LIMIT = "limit"  # a rate limit: not done, our own counter was too optimistic
    MARKET = "market"  # not done: not now, whatever the order is (the engine's mode, REST is busy)
    GONE = "gone"  # the order named is not open any more: filled or cancelled, ask which
    UNKNOWN = "unknown"  # the outcome is unknown: look it up, never resend


class RestingOrder(Struct, frozen=True):
    """An open order as the exchange lists it."""

    order_id: str
    cl_ord_id: str  # "" for an order that was not placed by a bot of ours
    pair: str
    side: Side
    price: Ticks
    qty: Sats  # the total
    filled: Sats


class LineUp(Struct, frozen=True, tag=True):
    """The private line is up: executions and balances have sent their snapshots."""

    orders: tuple[RestingOrder, ...]


class LineDown(Struct, frozen=True, tag=True):
    """The line is cut, or nothing it says can be trusted: every order becomes LOST."""

    why: str


class Accepted(Struct, frozen=True, tag=True):
    """A request about one order was accepted. For an add: the order exists (ack or event)."""

    method: str  # add | amend | cancel | cancel_all
    cl_ord_id: str
    order_id: str = ""


class Refused(Struct, frozen=True, tag=True):
    """A request failed. `cl_ord_id` is empty where the request named no order."""

    method: str  # add | amend | cancel | cancel_all | arm
    cl_ord_id: str
    error: str  # the exchange's own text
    verdict: Verdict


class Amended(Struct, frozen=True, tag=True):
    """The order now stands at this price and total, by our amend or by the engine's own doing."""

    cl_ord_id: str
    order_id: str
    price: Ticks
    qty: Sats


class Filled(Struct, frozen=True, tag=True):
    """One execution of ours: money moved. `exec_id` is unique for ever; booked twice is once."""

    exec_id: str
    order_id: str
    cl_ord_id: str  # "" where only the history told us
    pair: str
    side: Side
    price: Ticks
    qty: Sats
    cost: Decimal  # quote currency, without fee, as the exchange states it
    fees: tuple[tuple[str, Decimal], ...]  # (asset, quantity) as actually charged
    wall: Ns  # the exchange's timestamp: what dates the trade for the tax
    trade_id: int
    maker: bool


class Gone(Struct, frozen=True, tag=True):
    """The order rests no more."""

    cl_ord_id: str
    order_id: str
    status: str  # filled | canceled | expired
    filled: Sats  # total executed over its life
    reason: str = ""


class Listed(Struct, frozen=True, tag=True):
    """The answer to AskOrders, after the Filled events that came with it.

    asked_at: boot time at which the open orders were asked for. What was sent later, or not long
    before, may be missing; an order is gone only by the rules of reconciliation.
    until: wall time up to which the history was complete when it was read.
    """

    asked_at: Ns
    orders: tuple[RestingOrder, ...]
    until: Ns


class Looked(Struct, frozen=True, tag=True):
    """What AskEach found of one order; of those it could not look up now it says nothing.

    status: open, filled, canceled, expired, or "" (never heard of).
    """

    asked_at: Ns
    cl_ord_id: str
    order: RestingOrder | None
    status: str
    filled: Sats


class AskFailed(Struct, frozen=True, tag=True):
    """AskOrders or AskEach brought no answer; ask again later."""

    why: str


class Balances(Struct, frozen=True, tag=True):
    """Totals by asset in the exchange's v2 names (BTC, EUR), orders' holds included."""

    totals: dict[str, Decimal]


class Leaving(Struct, frozen=True):
    """A withdrawal that was not cancelled. qty: coins that leave the account, `fee` among them.

    wall: when it was asked for. left: it has succeeded; before that it is under way.
    """

    ref_id: str
    qty: Decimal
    fee: Decimal
    wall: Ns
    left: bool


class Withdrawals(Struct, frozen=True, tag=True):
    """The newest withdrawals of a coin, as the exchange lists them."""

    asset: str
    rows: tuple[Leaving, ...]


class LedgerPage(Struct, frozen=True, tag=True):
    """The exchange's ledger of a coin's withdrawals, its answer as it came: it is evidence."""

    body: bytes


class Armed(Struct, frozen=True, tag=True):
    """The dead man's switch was acknowledged. Its time runs from when we *sent* the request."""

    sent_at: Ns
    timeout_s: int


class System(Struct, frozen=True, tag=True):
    """The engine's state: online, post_only, cancel_only, maintenance; others as cancel_only."""

    status: str


class Fees(Struct, frozen=True, tag=True):
    """The account's true rates for a pair, as ratios (0.0012 = 12 bps)."""

    pair: str
    maker: Decimal
    taker: Decimal


class Pairs(Struct, frozen=True, tag=True):
    """Precisions and minima of the pairs we trade."""

    pairs: tuple[Pair, ...]


class SecondPrice(Struct, frozen=True, tag=True):
    """The touch of a pair as the exchange's REST ticker tells it. at: boot time of the answer."""

    pair: str
    bid: Ticks
    ask: Ticks
    at: Ns


class RateCounter(Struct, frozen=True, tag=True):
    """The exchange's own rate counter.

    `threshold` 0 where it was not told; `counter` below 0 where only the threshold was told.
    """

    pair: str
    counter: float
    threshold: int


class Clock(Struct, frozen=True, tag=True):
    """What the wall clock says at this step: for deadlines and dates only."""

    wall: Ns


class Skew(Struct, frozen=True, tag=True):
    """The exchange's clock less ours, ns, measured from an answer's own timestamp."""

    ns: int


Event = (
    LineUp
    | LineDown
    | Accepted
    | Refused
    | Amended
    | Filled
    | Gone
    | Listed
    | Looked
    | AskFailed
    | Balances
    | Withdrawals
    | LedgerPage
    | Armed
    | System
    | Fees
    | Pairs
    | SecondPrice
    | RateCounter
    | Clock
    | Skew
)
