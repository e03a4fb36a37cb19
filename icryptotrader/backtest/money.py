"""Before and after tax: a backtest's result, and what doing something simpler would have brought.

Rule 1: tax is what the tax book says (strategy/ledger): FIFO, the holding period by the calendar,
the Freigrenze, losses carried; a year's taxable gain times the rate. Nothing is kept back for coins
that are still held; what selling them on the last day would cost is a figure of its own.
Rule 2: the alternatives start with the same coins and the same money at the same price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.orders import Filled
from shared.units import SECOND, Ns, Pair, Side, cents, cost_of
from strategy.core.grid import bought, sold
from strategy.ledger.book import Book, BookError
from strategy.ledger.events import (
    KRAKEN,
    Exchanged,
    TaxEvent,
    euros,
    in_order,
    key_of,
    of_trade,
    units_of,
)
from strategy.ledger.parts import day_of, nets
from strategy.ledger.rates import EURO, Rates
from strategy.ledger.trade import trade_of
from strategy.ledger.year import YearResult, settle

_ZERO: Final = Decimal(0)


class TaxYear(Struct, frozen=True):
    """EUR. taxable: what is left of the net after Freigrenze and carried losses."""

    year: int
    net: Decimal
    exempt: bool
    taxable: Decimal
    tax: Decimal


class Outcome(Struct, frozen=True):
    """One way to have spent the time; money in the quote currency.

    equity: at the end, coins at the last price. after_tax: less the tax on what was sold.
    sold_out: what is left if all coins were sold on the last day, after fee and tax.
    """

    name: str
    equity: Decimal
    tax: Decimal
    after_tax: Decimal
    sold_out: Decimal
    years: tuple[TaxYear, ...] = ()


class Frame(Struct, frozen=True):
    """What all outcomes share. taker: ratio; rates: None where the quote currency counts as EUR."""

    pair: Pair
    first: tuple[Ns, int]  # wall, Ticks
    last: tuple[Ns, int]
    taker: Decimal
    tax_rate: Decimal
    rates: Rates | None
    opening: tuple[Exchanged, ...]
    coins: int  # Sats at the beginning
    money: Decimal


def events_of(fills: Iterable[Filled]) -> Iterator[Exchanged]:
    """Fills as the tax book hears them."""
    trades = (trade_of(fill) for fill in fills)
    return (of_trade(trade) for trade in trades if trade is not None)


def outcome(
    frame: Frame, name: str, events: Iterable[Exchanged], coins: int, money: Decimal
) -> Outcome:
    """The result of these trades after the opening; coins (Sats) and money are what is left.

    events: in their order, read once. BookError where a rate is missing.
    """
    wall, price = frame.last
    equity = cost_of(frame.pair, price, coins) + money
    # Without rates the quote currency counts as euros, one for one; the report says so.
    heard: Callable[[Exchanged], Exchanged] = _as_euro if frame.rates is None else _as_it_is
    sums = TaxSums(Rates() if frame.rates is None else frame.rates, track_currencies=False)
    for event in merge(in_order(frame.opening), events, key=key_of):
        sums.feed(heard(event))
    years = _tax_years(frame, sums)
    tax = _in_quote(frame, sum((year.tax for year in years), _ZERO))
    sold_out = money - tax
    if coins > 0:
        sale = _trade(frame, "end", Ns(wall + SECOND), price, coins, Side.SELL)
        gross = sale.gross - sale.fees[0][1]
        sums.feed(heard(sale))
        sold_tax = sum((year.tax for year in _tax_years(frame, sums)), _ZERO)
        sold_out = money + gross - _in_quote(frame, sold_tax)
    return Outcome(
        name, cents(equity), cents(tax), cents(equity - tax), cents(sold_out), tuple(years)
    )


class TaxSums:
    """A tax book of which the sums are kept and no row: it is as long as what is held.

    coins: net of the taxable parts of coins by year, euro cents; years of free ones are 0. all:
    with the currencies' own legs. money: what those legs gained, taxable or not.
    """

    def __init__(self, rates: Rates, *, track_currencies: bool = True) -> None:
        self._book = Book(rates, track_currencies=track_currencies)
        self._last: tuple[Ns, int, str] = (Ns(0), 0, "")
        self.coins: dict[int, int] = {}
        self.all: dict[int, int] = {}
        self.money = 0

    def feed(self, event: TaxEvent) -> None:
        """The next event in order. BookError where a rate is missing."""
        assert key_of(event) >= self._last, (self._last, event)
        self._last = key_of(event)
        self._book.feed(event)
        rows = self._book.rows
        for year, net in nets(rows, currency_legs=False).items():
            self.coins[year] = self.coins.get(year, 0) + net
        for year, net in nets(rows, currency_legs=True).items():
            self.all[year] = self.all.get(year, 0) + net
        self.money += sum(row.gain for row in rows if row.currency_leg)
        rows.clear()
        self._book.notes.clear()


def _as_it_is(event: Exchanged) -> Exchanged:
    return event


def _tax_years(frame: Frame, sums: TaxSums) -> list[TaxYear]:
    """Every year with sales so far."""
    results = settle({year: euros(net) for year, net in sums.coins.items()})
    return [_tax_year(result, frame.tax_rate) for _, result in sorted(results.items())]


def alternatives(frame: Frame, weeks: Sequence[tuple[Ns, int]]) -> list[Outcome]:
    """Hold, half and half, weekly buying. weeks: the first price of each week."""
    return [
        _rebalanced(frame, "hold", Decimal(1)),
        _rebalanced(frame, "50/50", Decimal("0.5")),
        _weekly(frame, weeks),
    ]


def _rebalanced(frame: Frame, name: str, share: Decimal) -> Outcome:
    """Bring the coins' share to `share` at the first price, then do nothing."""
    wall, price = frame.first
    coin = cost_of(frame.pair, price, 10**frame.pair.qty_decimals)
    wanted = share * (cost_of(frame.pair, price, frame.coins) + frame.money)
    missing = wanted - cost_of(frame.pair, price, frame.coins)
    if missing >= 0:
        missing = min(missing, frame.money / (1 + frame.taker))
    qty = int(abs(missing) / coin * 10**frame.pair.qty_decimals)
    if not qty:
        return outcome(frame, name, [], frame.coins, frame.money)
    side = Side.BUY if missing > 0 else Side.SELL
    trade = _trade(frame, name, wall, price, qty, side)
    coins, money = _after(frame.coins, frame.money, trade, qty)
    return outcome(frame, name, [trade], coins, money)


def _weekly(frame: Frame, weeks: Sequence[tuple[Ns, int]]) -> Outcome:
    """The money in equal parts, one each week."""
    coins, money = frame.coins, frame.money
    part = money / (1 + frame.taker) / max(1, len(weeks))
    events = []
    for number, (wall, price) in enumerate(weeks):
        coin = cost_of(frame.pair, price, 10**frame.pair.qty_decimals)
        qty = int(part / coin * 10**frame.pair.qty_decimals)
        if qty:
            trade = _trade(frame, f"week-{number}", wall, price, qty, Side.BUY)
            coins, money = _after(coins, money, trade, qty)
            events.append(trade)
    return outcome(frame, "weekly buying", events, coins, money)


class GridProfit(Struct, frozen=True):
    """Quote currency. grid: of sells answered by cheaper buys of the run, after both fees.

    inventory: all the rest, what the coins held meanwhile gained or lost. fees: paid in all.
    """

    grid: Decimal
    inventory: Decimal
    fees: Decimal
    round_trips: int


def grid_profit(pair: Pair, fills: Iterable[Filled], total: Decimal) -> GridProfit:
    """Split a run's result. A sell answers the cheapest buys that no sell has answered yet."""
    unmatched: tuple[tuple[int, int], ...] = ()
    fees, units, matched_fees, trips = _ZERO, 0, _ZERO, 0
    rate = _ZERO
    for fill in fills:
        paid = sum((amount for _, amount in fill.fees), _ZERO)
        fees += paid
        rate = paid / fill.cost if fill.cost else _ZERO
        if fill.side is Side.BUY:
            unmatched = bought(unmatched, fill.price, fill.qty)
            continue
        left = int(fill.qty)
        for price, held in unmatched:
            part = min(left, held)
            units += (fill.price - price) * part
            matched_fees += rate * cost_of(pair, fill.price + price, part)
            left -= part
            trips += part > 0
            if not left:
                break
        unmatched = sold(unmatched, fill.qty)
    gross = Decimal(units).scaleb(-pair.price_decimals - pair.qty_decimals)
    grid = gross - matched_fees
    return GridProfit(cents(grid), cents(total - grid), cents(fees), trips)


def _tax_year(result: YearResult, rate: Decimal) -> TaxYear:
    return TaxYear(
        result.year, result.net, result.exempt, result.taxable, cents(result.taxable * rate)
    )


def _trade(frame: Frame, name: str, wall: Ns, price: int, qty: int, side: Side) -> Exchanged:
    gross = cost_of(frame.pair, price, qty)
    return Exchanged(
        id=name, wall=wall, seq=1, account=KRAKEN, asset=frame.pair.base, side=side,
        qty=units_of(Decimal(qty).scaleb(-frame.pair.qty_decimals)), currency=frame.pair.quote,
        gross=gross, fees=((frame.pair.quote, gross * frame.taker),),
    )  # fmt: skip


def _after(coins: int, money: Decimal, trade: Exchanged, qty: int) -> tuple[int, Decimal]:
    sign = trade.side.sign
    return coins + sign * qty, money - sign * trade.gross - trade.fees[0][1]


def _as_euro(event: Exchanged) -> Exchanged:
    fees = tuple(
        (EURO if asset == event.currency else asset, amount) for asset, amount in event.fees
    )
    return replace(event, currency=EURO, fees=fees)


def _in_quote(frame: Frame, amount: Decimal) -> Decimal:
    """EUR in the quote currency at the last day's rate."""
    if frame.rates is None or frame.pair.quote == EURO or not amount:
        return amount
    looked = frame.rates.look_up(frame.pair.quote, day_of(frame.last[0]))
    if looked is None:
        raise BookError(f"no rate of the ECB for {frame.pair.quote} on {day_of(frame.last[0])}")
    return amount * looked.value
