"""BTC/EUR against BTC/USD: the same run on both pairs, from euros to euros, after tax.

Rule 1: both begin with the same euros and the same coins, bought for the same euros. Settings in
money are euros in the one run and as many euros' worth of dollars in the other.
Rule 2: for BTC/USD the euros are changed into dollars at the begin and back at the end, at the
ECB's rate of the day and for CHANGE_FEE.
Rule 3: dollars are an asset of their own (TAX.md 5; § 23 (1) s. 1 Nr. 2 s. 3 EStG): the tax book
keeps them first in, first out. The tax is told without and with their own gains; what is left is
reckoned with them, the careful view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.backtest.money import Frame, TaxSums, events_of
from shared.config import Config, ConfigError
from shared.units import SECOND, Ns, Pair, Side, cents, cost_of
from sim.backtest.packed import Listed, Packed
from sim.backtest.parts import Terms
from sim.backtest.run import Played, headline
from sim.opening import read_lots
from strategy.ledger.book import BookError
from strategy.ledger.events import (
    KRAKEN,
    Arrived,
    Exchanged,
    Origin,
    TaxEvent,
    euros,
    in_order,
    key_of,
    units_of,
)
from strategy.ledger.parts import day_of
from strategy.ledger.rates import EURO, Rates
from strategy.ledger.year import settle

CHANGE_FEE: Final = Decimal("0.002")
"""A ratio: what the exchange takes of euros changed into dollars and back (its list for pairs of
currencies, at the lowest volume)."""

OTHER: Final = {"BTC/EUR": "BTC/USD", "BTC/USD": "BTC/EUR"}

PAIRS_ASSUME: Final = (
    "for BTC/USD euros are changed into dollars at the begin and back at the end, at the ECB's "
    f"rate of the day and for {float(CHANGE_FEE):.1%}; settings in money are worth the same euros "
    "in both runs",
    "dollars are an asset of their own, first in, first out: what they gain within a year is "
    "taxed, also when they are spent on coins (the careful view, which is disputed)",
    "rows converted by the ECB's rates know no move of the dollar within a day, and no difference "
    "between the two order books",
)

_ZERO: Final = Decimal(0)


class PairResult(Struct, frozen=True):
    """A run on one pair; money in EUR.

    source: the files, or how the rows were made. rate_first, rate_last: dollars for a euro, 1 for
    BTC/EUR. equity: at the end, coins at the last price, dollars at the last rate. tax: on coins
    alone; tax_all: the dollars' own gains too. after_tax: equity less tax_all. sold_out: all coins
    sold, all dollars changed back, after fees and tax_all of that. dollars: what holding dollars
    itself brought until then, the last change's fee included.
    """

    pair: str
    source: str
    first: str
    last: str
    fills: int
    start: Decimal
    equity: Decimal
    tax: Decimal
    tax_all: Decimal
    after_tax: Decimal
    sold_out: Decimal
    dollars: Decimal
    rate_first: Decimal
    rate_last: Decimal


class Account(Struct, frozen=True):
    """What a run did, as the tax book hears it, and what is left: coins in Sats, money in quote."""

    frame: Frame
    fills: Listed[Exchanged]
    coins: int
    money: Decimal


def other_config(config: Config, rates: Rates, wall: Ns) -> Config:
    """The configuration for the other pair: as many euros, at the rate of the first day.

    ConfigError for a pair that has no other; BookError where no rate is known.
    """
    other = other_of(config.pair)
    rate = rate_of(rates, "USD", wall)
    by = rate if other == "BTC/USD" else 1 / rate
    # What is traded with is changed for a fee; coins that are there already are not.
    changed = by * (1 - CHANGE_FEE) if other == "BTC/USD" else by / (1 - CHANGE_FEE)
    lots = read_lots(config.demo.opening_lots)
    grid, limits, demo = config.grid, config.limits, config.demo
    return replace(
        config,
        pair=other,
        pairs=(),
        grid=replace(grid, order_size_quote=cents(grid.order_size_quote * by)),
        limits=replace(
            limits,
            order_quote=cents(limits.order_quote * by),
            daily_loss_quote=cents(limits.daily_loss_quote * by),
        ),
        demo=replace(
            demo,
            quote_balance=cents(demo.quote_balance * changed),
            opening_lots=tuple(f"{age}:{cents(worth * by)}" for age, worth in lots),
        ),
    )


def other_of(symbol: str) -> str:
    """BTC/EUR and BTC/USD are each other's other pair; ConfigError for any other."""
    if symbol not in OTHER:
        raise ConfigError([f"--against: {symbol} has no other pair: {' or '.join(OTHER)}"])
    return OTHER[symbol]


def account_of(played: Played, terms: Terms, tax_rate: Decimal, rates: Rates) -> Account:
    """What the headline run of a pair comes to."""
    run = headline(played)
    ended, last = run.ended, run.course.last
    assert last is not None
    pair = ended.pair
    taker = terms.taker if terms.taker is not None else 8000
    frame = Frame(
        pair=pair, first=(played.first, run.course.points[0].price), last=(last.wall, last.price),
        taker=Decimal(taker).scaleb(-6), tax_rate=tax_rate, rates=rates,
        opening=tuple(events_of(ended.opening)), coins=ended.opening_coins,
        money=_money(pair, ended.opening_money),
    )  # fmt: skip
    fills = Packed(Exchanged, events_of(run.course.fills))
    return Account(frame, fills, ended.coins, _money(pair, ended.money))


def settled(account: Account, source: str) -> PairResult:
    """From euros to euros. BookError where a day has no rate."""
    frame = account.frame
    pair, (wall, price) = frame.pair, frame.last
    rates = frame.rates or Rates()
    first, last = (rate_of(rates, pair.quote, at) for at in (frame.first[0], wall))
    foreign = pair.quote != EURO
    before: list[TaxEvent] = [_in_euros(event, first) for event in frame.opening]
    money_first = frame.money / first
    if foreign:
        money_first /= 1 - CHANGE_FEE
        before.append(_changed_in(frame, money_first))
    equity = (cost_of(pair, price, account.coins) + account.money) / last
    sums = TaxSums(rates)
    for event in merge(in_order(before), account.fills, key=key_of):
        sums.feed(event)
    tax, tax_all = _tax(frame, sums.coins), _tax(frame, sums.all)
    money, closing = _sold(account)
    if foreign and money > 0:
        closing.append(_changed_back(frame, money, last))
        money = money / last * (1 - CHANGE_FEE)
    for event in closing:
        sums.feed(event)
    start = cost_of(pair, frame.first[1], frame.coins) / first + money_first
    return PairResult(
        pair=pair.symbol, source=source, first=_day(frame.first[0]), last=_day(wall),
        fills=len(account.fills), start=cents(start), equity=cents(equity), tax=cents(tax),
        tax_all=cents(tax_all), after_tax=cents(equity - tax_all),
        sold_out=cents(money - _tax(frame, sums.all)), dollars=euros(sums.money),
        rate_first=first, rate_last=last,
    )  # fmt: skip


def doubts(results: Sequence[PairResult]) -> list[str]:
    """Why two results may not be alike; empty where they are of the same days."""
    one, two = results
    if (one.first[:10], one.last[:10]) == (two.first[:10], two.last[:10]):
        return []
    return [
        f"{one.pair} is of {one.first} to {one.last}, {two.pair} of {two.first} to {two.last}: "
        "they are alike only on the days that both have"
    ]


def rate_of(rates: Rates, currency: str, wall: Ns) -> Decimal:
    """Units for a euro on a German day; BookError where none is known."""
    found = rates.look_up(currency, day_of(wall))
    if found is None:
        raise BookError(f"no rate of the ECB for {currency} on {day_of(wall)}: give --rates FILE")
    return found.value


def _tax(frame: Frame, nets: Mapping[int, int]) -> Decimal:
    """Of the nets of all years, in euro cents."""
    years = settle({year: euros(net) for year, net in nets.items()})
    return sum((cents(year.taxable * frame.tax_rate) for year in years.values()), _ZERO)


def _sold(account: Account) -> tuple[Decimal, list[TaxEvent]]:
    """Money once all coins are sold at the last price, and the sale."""
    frame = account.frame
    if account.coins <= 0:
        return account.money, []
    wall, price = frame.last
    gross = cost_of(frame.pair, price, account.coins)
    fee = gross * frame.taker
    sale = Exchanged(
        id="end", wall=Ns(wall + SECOND), seq=1, account=KRAKEN, asset=frame.pair.base,
        side=Side.SELL, qty=units_of(Decimal(account.coins).scaleb(-frame.pair.qty_decimals)),
        currency=frame.pair.quote, gross=gross, fees=((frame.pair.quote, fee),),
    )  # fmt: skip
    return account.money + gross - fee, [sale]


def _changed_in(frame: Frame, paid: Decimal) -> Arrived:
    wall = Ns(frame.first[0] - SECOND)
    return Arrived(
        id="changed", wall=wall, seq=1, account=KRAKEN, asset=frame.pair.quote,
        qty=units_of(frame.money), origin=Origin.PURCHASE, acquired=wall, cost_eur=paid,
    )  # fmt: skip


def _changed_back(frame: Frame, money: Decimal, rate: Decimal) -> Exchanged:
    gross = money / rate
    return Exchanged(
        id="changed-back", wall=Ns(frame.last[0] + 2 * SECOND), seq=1, account=KRAKEN,
        asset=frame.pair.quote, side=Side.SELL, qty=units_of(money), currency=EURO, gross=gross,
        fees=((EURO, gross * CHANGE_FEE),),
    )  # fmt: skip


def _in_euros(event: Exchanged, rate: Decimal) -> Exchanged:
    """A buy of before the begin: its coins cost the same euros in both runs."""
    fees = tuple(
        (EURO, amount / rate) if asset == event.currency else (asset, amount)
        for asset, amount in event.fees
    )
    return replace(event, currency=EURO, gross=event.gross / rate, fees=fees)


def _money(pair: Pair, units: int) -> Decimal:
    return Decimal(units).scaleb(-pair.price_decimals - pair.qty_decimals)


def _day(wall: Ns) -> str:
    return datetime.fromtimestamp(wall // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
