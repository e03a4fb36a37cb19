"""The exchange's own values: orders, fills, ledger rows, what happened, and its open questions.

Rule 1: prices are Ticks, quantities Sats, exact costs a count of 10 ** -(price + qty decimals),
ledger amounts a count of 10 ** -decimals of their asset. No float is money.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from shared.units import Ns

System = Literal["online", "post_only", "cancel_only", "maintenance"]

CLOSED: Final = frozenset({"closed", "canceled", "expired"})
"""REST words for an order that is done; `open` is the fourth."""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """A request that the exchange declines; `text` is Kraken's documented string."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Switches(Struct, frozen=True):
    """Every open question about the real exchange, each answerable both ways.

    Clients must get along with every combination; the defaults are the likelier answers.
    """

    post_only_form: Literal["canceled", "refused"] = "canceled"
    """A post-only order that would take: accepted and then canceled, or refused in the ack."""
    last_fill_status: Literal["partially_filled", "filled"] = "partially_filled"
    """What the trade event of the completing fill says of the order."""
    filled_keys: Literal["short", "full"] = "short"
    """The `filled` event: the keys of `canceled`, or those of an order snapshot."""
    rate_key: str = "ratecount"
    """How the executions channel names the rate counter."""
    batch_cancel_form: Literal["orders_cancelled", "count"] = "orders_cancelled"
    fee_rounding: Literal["half_up", "down", "up"] = "half_up"
    trigger_off: str = "0"
    """triggerTime of cancel_all_orders_after when it is disabled."""
    counter_refuses_cancels: bool = False
    cancel_all_costs: bool = False
    """Whether cancel_all charges the rate counter as single cancels do."""
    ioc_rest: Literal["canceled", "expired"] = "canceled"
    """What becomes of the part of an immediate-or-cancel order that found nobody."""
    volume_minimum: Literal["arguments", "order"] = "arguments"
    """Wording: EGeneral:Invalid arguments:volume minimum not met, or EOrder:Order minimum ..."""
    exponent_numbers: bool = True
    """Whether 5e-05 is taken for a number."""
    bare_integers: bool = True
    """Whether 80000 is taken for a price (else: must be a number_float)."""
    book_timestamp: bool = True
    """Whether book snapshots carry a timestamp (those before 2026 do not)."""


class Tier(Struct, frozen=True):
    """What an account level allows (Kraken, trading and REST rate limits)."""

    threshold: int  # of the trading counter, per pair
    decay: float  # per second
    open_orders: int  # per pair
    rest_max: int
    rest_decay: float


TIERS: Final = {
    "starter": Tier(60, 1.0, 60, 15, 0.33),
    "intermediate": Tier(125, 2.34, 80, 20, 0.5),
    "pro": Tier(180, 3.75, 225, 20, 1.0),
}

# Spot fees in force since 2026-07-09: 30-day volume from, maker and taker in 10⁻⁶ of the cost.
FEES: Final = (
    (0, 4000, 8000),
    (2_500, 3000, 6000),
    (10_000, 2200, 3800),
    (25_000, 2000, 3500),
    (50_000, 1500, 3000),
    (100_000, 1200, 2500),
    (250_000, 1000, 2200),
    (500_000, 800, 2000),
    (1_000_000, 600, 1800),
    (2_500_000, 400, 1500),
    (5_000_000, 200, 1200),
    (10_000_000, 0, 1000),
    (50_000_000, 0, 900),
    (100_000_000, 0, 800),
    (250_000_000, 0, 700),
    (400_000_000, 0, 600),
    (500_000_000, 0, 500),
)


class Order(Struct):
    """One order as the engine keeps it. Changes in place; closed for good once `status` says so."""

    order_id: str
    pair: str  # v2 symbol
    side: str  # "buy" | "sell"
    order_type: str  # "limit" | "market"
    price: int  # Ticks; 0 for a market order
    qty: int  # Sats, the total, what has filled included
    tif: str  # "gtc" | "gtd" | "ioc" | "fok"
    post_only: bool
    cl_ord_id: str  # "" if none was given
    userref: int  # 0 if none was given
    stp: str  # "cancel_newest" | "cancel_oldest" | "cancel_both"
    expire_wall: Ns  # 0 = never
    opened_wall: Ns
    touched_wall: Ns  # created or last amended: the age that the rate counter looks at
    status: str = "open"  # open | closed | canceled | expired
    closed_wall: Ns = Ns(0)
    reason: str = ""
    filled: int = 0  # Sats
    cost: int = 0  # exact
    fee: int = 0  # ledger units of the quote currency
    hold: int = 0  # ledger units: of the quote (buy) or of the base (sell)
    ahead: int = 0  # Sats of the background that stand before us at our price
    place: int = 0  # time priority among our own orders
    amended: bool = False
    trades: list[str] = []

    @property
    def left(self) -> int:
        return self.qty - self.filled


class Request(Struct, frozen=True):
    """What add_order asks for, after its JSON or form has been understood."""

    pair: str
    side: str
    order_type: str
    price: int
    qty: int
    tif: str = "gtc"
    post_only: bool = False
    cl_ord_id: str = ""
    userref: int = 0
    stp: str = "cancel_newest"
    expire_wall: Ns = Ns(0)
    deadline_wall: Ns = Ns(0)


class Trade(Struct, frozen=True):
    """One fill of an order of the account."""

    exec_id: str
    order_id: str
    pair: str
    side: str
    order_type: str
    price: int
    qty: int
    cost: int  # exact
    fee: int  # ledger units of the quote currency
    maker: bool
    trade_id: int  # the public trade's number
    wall: Ns
    cl_ord_id: str
    userref: int
    ledgers: tuple[str, ...] = ()


class LedgerRow(Struct, frozen=True):
    """One entry of the account's ledger; balance is that of the asset after it."""

    ledger_id: str
    ref_id: str
    wall: Ns
    kind: str  # "trade" | "deposit"
    asset: str
    amount: int
    fee: int
    balance: int


class Withdrawal(Struct):
    """What the owner takes out. units: sent, `fee` on top; until it ends both are held."""

    ref_id: str
    asset: str
    units: int
    fee: int
    wall: Ns
    status: str = "Pending"  # then Success, or Failure with `prop` canceled
    prop: str = ""


class Exec(Struct, frozen=True):
    """What happened to an order, with its totals at that moment."""

    kind: str  # pending_new | new | trade | filled | canceled | expired | amended
    order: Order
    wall: Ns
    filled: int
    cost: int
    fee: int
    qty: int
    price: int
    reason: str = ""
    trade: Trade | None = None


class Print(Struct, frozen=True):
    """One trade on the public tape of a pair."""

    pair: str
    trade_id: int
    side: str  # of the taker
    price: int
    qty: int
    order_type: str
    wall: Ns


class Moved(Struct, frozen=True):
    """The book of a pair changed."""

    pair: str
    wall: Ns


class SystemChanged(Struct, frozen=True):
    """The engine's state changed."""

    system: System


Event = Exec | LedgerRow | Print | Moved | SystemChanged


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS: Final = [low + high for high in _LETTERS for low in _LETTERS]
_SPLIT: Final = [f"{pair[0]}-{pair[1]}" for pair in _PAIRS]
_HALF: Final = (1 << 40) - 1
_SPREAD: Final = 0x2C1B3C6D4F5A6978B3D1  # odd: multiplication by it permutes the 80-bit numbers


def mint_id(prefix: str, count: int) -> str:
    """A counted id in the exchange's form, OXXXXX-XXXXX-XXXXXX; never the same twice."""
    left = (count * _SPREAD + 0x9E3779B97F4A7C15) % (1 << 80)
    low, high = left & _HALF, left >> 40
    # 16 letters of five bits, the lowest first.
    return (
        f"{prefix}{_PAIRS[low & 1023]}{_PAIRS[low >> 10 & 1023]}{_SPLIT[low >> 20 & 1023]}"
        f"{_PAIRS[low >> 30]}{_PAIRS[high & 1023]}-{_PAIRS[high >> 10 & 1023]}"
        f"{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 30]}"
    )


def is_order_id(text: str) -> bool:
    """Whether a text has the form of an order id at all (17 signs in three groups)."""
    groups = text.split("-")
    return [len(group) for group in groups] == [6, 5, 6] and text.startswith("O")
