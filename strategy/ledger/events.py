"""What happened, as the tax book hears it: trades, moves between wallets, arrivals, departures.

Quantities are whole numbers of 10⁻¹⁰ of an asset (Kraken's own books use ten decimals), of coins
and foreign currency alike; money is Decimal in the currency named; walls are ns since 1970 UTC.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Final, NewType, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns, Side
from strategy.ledger.trade import SATS_DECIMALS, Trade

Units = NewType("Units", int)
"""A quantity, as a count of 10⁻¹⁰ of its asset."""

UNITS_DECIMALS: Final = 10
KRAKEN: Final = "kraken-spot"
"""The account the bot trades on: one wallet of its own (BMF 2025, Rn. 62)."""

_CENT: Final = Decimal("0.01")
_EXACT: Final = Context(prec=60)
PER_SAT: Final[int] = 10 ** (UNITS_DECIMALS - SATS_DECIMALS)


class Exchanged(Struct, frozen=True, gc=False, tag="exchanged"):
    """A fill: `qty` of an asset against `gross` of a currency; fees in the assets charged.

    id: unique for ever (Kraken's trade id). seq: orders what happened at one moment.
    """

    id: str
    wall: Ns
    seq: int
    account: str
    asset: str
    side: Side
    qty: Units
    currency: str
    gross: Decimal
    fees: tuple[tuple[str, Decimal], ...] = ()
    order_id: str = ""
    manual: bool = False


class Moved(Struct, frozen=True, gc=False, tag="moved"):
    """Coins went from one own wallet to another: no disposal, date and cost go along (Rn. 54)."""

    id: str
    wall: Ns
    seq: int
    account: str
    to: str
    asset: str
    qty: Units
    network_fee: Units = Units(0)
    manual: bool = False


class Origin(enum.StrEnum):
    PURCHASE = "purchase"  # acquired elsewhere; date and cost are the user's word
    DEPOSIT = "deposit"  # nothing is known but the arrival
    REWARD = "reward"  # staking, earn, airdrop: other income (§ 22 Nr. 3 EStG), to be looked at


class Arrived(Struct, frozen=True, gc=False, tag="arrived"):
    """An asset came into an account otherwise than by a trade.

    acquired: when it was first bought, None if not known: then the arrival counts. cost_eur: what
    it cost, fees included; None if not known: then 0 for coins, until there is proof (TAX.md 10).
    proves: the id of a deposit whose coins these are; that deposit then counts for less. Or of a
    departure that failed: these are its coins, which never left.
    """

    id: str
    wall: Ns
    seq: int
    account: str
    asset: str
    qty: Units
    origin: Origin
    acquired: Ns | None = None
    cost_eur: Decimal | None = None
    proves: str = ""
    manual: bool = False


class Departed(Struct, frozen=True, gc=False, tag="departed"):
    """An asset left an account for a wallet we keep no book of; the oldest lots leave."""

    id: str
    wall: Ns
    seq: int
    account: str
    asset: str
    qty: Units
    network_fee: Units = Units(0)
    manual: bool = False


TaxEvent = Exchanged | Moved | Arrived | Departed


Heard = TaxEvent | Trade
"""An event, or a trade of the bot's coin as the lots know it, which stands for one."""

_H = TypeVar("_H", bound=Heard)


def id_of(event: Heard) -> str:
    return event.exec_id if isinstance(event, Trade) else event.id


def key_of(event: Heard) -> tuple[Ns, int, str]:
    """What stands in order: time, then number, then id."""
    if isinstance(event, Trade):
        return event.wall, event.trade_id, event.exec_id
    return event.wall, event.seq, event.id


def in_order(events: Iterable[_H]) -> list[_H]:
    """Sorted: in whatever order they were heard."""
    return sorted(events, key=key_of)


def as_heard(events: Iterable[Heard]) -> list[Heard]:
    """In order, and with their proofs where one is among them."""
    heard = in_order(events)
    if not any(isinstance(event, Arrived) and event.proves for event in heard):
        return heard
    return [*with_proofs(of_trade(each) if isinstance(each, Trade) else each for each in heard)]


def with_proofs(events: Iterable[TaxEvent]) -> list[TaxEvent]:
    """The events in order, each deposit less what a proof explains of it.

    A proof arrives with its deposit, at that moment and in that account; what it says beyond the
    deposit's quantity is cut off, so that no coin is made.
    """
    heard = _without_returned(in_order(events))
    deposits = {
        event.id: event for event in heard if isinstance(event, Arrived) and not event.proves
    }
    left = {name: int(event.qty) for name, event in deposits.items()}
    found: list[TaxEvent] = []
    for event in heard:
        if isinstance(event, Arrived) and event.proves in deposits:
            deposit = deposits[event.proves]
            taken = min(event.qty, left[deposit.id])
            left[deposit.id] -= taken
            if taken == 0:
                continue
            arrived = replace(
                event,
                wall=deposit.wall,
                seq=deposit.seq,
                account=deposit.account,
                asset=deposit.asset,
            )
            found.append(_cut(arrived, taken))
        elif not (isinstance(event, Arrived) and event.id in deposits):
            found.append(event)
    for name, deposit in deposits.items():
        if left[name] > 0:
            found.append(_cut(deposit, left[name]))
    return in_order(found)


def _without_returned(heard: list[TaxEvent]) -> list[TaxEvent]:
    """The events less each departure that was taken back, and what takes it back."""
    gone = {event.id for event in heard if isinstance(event, Departed)}
    back = {event.proves for event in heard if isinstance(event, Arrived) and event.proves in gone}
    if not back:
        return heard
    return [
        event
        for event in heard
        if event.id not in back and not (isinstance(event, Arrived) and event.proves in back)
    ]


def _cut(event: Arrived, qty: int) -> Arrived:
    """The same arrival of `qty` only, with that share of its cost."""
    cost = event.cost_eur
    if cost is not None:
        cost = _EXACT.divide(_EXACT.multiply(cost, Decimal(qty)), Decimal(event.qty))
    return replace(event, qty=Units(qty), cost_eur=cost)


def is_told_again(booked: TaxEvent, told: TaxEvent) -> bool:
    """One event told twice: exports cut its moment to the second, answers to requests do not.

    Of a trade ledgers.csv knows no order, and trades.csv neither whose fee it was nor fewer digits.
    """
    if abs(booked.wall - told.wall) >= SECOND:
        return False
    if isinstance(booked, Exchanged) and isinstance(told, Exchanged):
        told = replace(told, seq=booked.seq, order_id=booked.order_id, fees=booked.fees)
        if abs(told.gross - booked.gross) < _CENT:
            told = replace(told, gross=booked.gross)
    return replace(told, wall=booked.wall) == booked


def of_trade(trade: Trade, order_id: str = "") -> Exchanged:
    """A fill as the lots of the strategy know it, on the account the bot trades on."""
    asset, _, currency = trade.pair.partition("/")
    fees = [(currency, trade.fee)] if trade.fee else []
    if trade.fee_qty:
        fees.append((asset, Decimal(trade.fee_qty).scaleb(-SATS_DECIMALS, _EXACT)))
    return Exchanged(
        id=trade.exec_id,
        wall=trade.wall,
        seq=trade.trade_id,
        account=KRAKEN,
        asset=asset,
        side=trade.side,
        qty=Units(trade.qty * PER_SAT),
        currency=currency,
        gross=trade.cost,
        fees=tuple(fees),
        order_id=order_id,
    )


def units_of(quantity: Decimal) -> Units:
    """An exact quantity as Units; digits beyond the tenth are cut off."""
    return Units(int(quantity.scaleb(UNITS_DECIMALS, _EXACT).to_integral_value(ROUND_FLOOR)))


def quantity_of(units: int) -> Decimal:
    """Units as an exact quantity, with eight decimals where those suffice."""
    value = Decimal(units).scaleb(-UNITS_DECIMALS, _EXACT)
    return value.quantize(Decimal("0.00000001")) if units % PER_SAT == 0 else value


def euro_cents(amount: Decimal, rate: Decimal) -> int:
    """An amount in euro cents at a rate (foreign units for one euro), rounded half up, exactly."""
    if amount < 0:
        return -euro_cents(-amount, rate)
    if rate == 1:
        return int(amount.scaleb(2, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT))
    over, under = amount.as_integer_ratio()
    rate_over, rate_under = rate.as_integer_ratio()
    above, below = over * 100 * rate_under, under * rate_over
    return (2 * above + below) // (2 * below)


def cents_share(cents: int, part: int, whole: int) -> int:
    """cents * part / whole, rounded half up (away from zero): for cumulative rounding."""
    if cents < 0:
        return -cents_share(-cents, part, whole)
    return (2 * cents * part + whole) // (2 * whole)


def euros(cents: int) -> Decimal:
    """Whole cents as EUR with two decimals."""
    return Decimal(cents).scaleb(-2, _EXACT)
