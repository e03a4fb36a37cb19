"""The account on its first day: deposits, and past buys that make old and young lots."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Final

from shared.config import ConfigError
from shared.units import DAY, Ns, Pair, price_of, to_ticks
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, round_half_up
from sim.engine.values import Order, Trade

FIRST_TRADE: Final = 1_000_000
"""The number of the public trade with which a new market begins."""

# Older lots were cheaper: a tenth less for each 200 days, at most a half.
_DAYS_PER_PART: Final = 2_000
_COIN_STEP: Final = Decimal("0.0001")


def read_lots(texts: tuple[str, ...]) -> list[tuple[int, Decimal]]:
    """`age_days:worth` as days and money, oldest first; ConfigError naming the faulty one."""
    lots = []
    for text in texts:
        days, _, worth = text.partition(":")
        try:
            lot = int(days), Decimal(worth)
        except (ValueError, ArithmeticError):
            raise _bad(text) from None
        if not (0 < lot[0] <= 20_000 and lot[1].is_finite() and 0 < lot[1] <= 1_000_000_000):
            raise _bad(text)
        lots.append(lot)
    return sorted(lots, reverse=True)


def open_account(
    exchange: Exchange,
    symbol: str,
    quote_balance: Decimal,
    lots: list[tuple[int, Decimal]],
    wall: Ns,
) -> None:
    """Book the past: a deposit before each buy, and what is left to trade with.

    lots: age in days, and what the coins are worth at the market's opening price.
    """
    market = exchange.markets[symbol]
    pair = market.pair
    account = exchange.account
    start_price = price_of(pair, market.last)
    for number, (age, worth) in enumerate(lots):
        coins = (worth / start_price).quantize(_COIN_STEP, ROUND_DOWN)
        at = Ns(wall - age * DAY)
        part = max(Decimal("0.5"), 1 - Decimal(age) / _DAYS_PER_PART)
        price = to_ticks(pair, (start_price * part).quantize(Decimal(1)))
        _buy(exchange, pair, price, int(coins.scaleb(pair.qty_decimals)), at, number + 1)
    units = int(quote_balance.scaleb(ASSETS[pair.quote].decimals))
    if units:
        account.post(_deposit_id(exchange), Ns(wall - DAY), "deposit", pair.quote, units, 0)


def _buy(exchange: Exchange, pair: Pair, price: int, qty: int, wall: Ns, trade_id: int) -> None:
    account = exchange.account
    cost = price * qty
    fee = account.fee(pair, cost, account.tier(wall).maker)
    drop = pair.price_decimals + pair.qty_decimals - ASSETS[pair.quote].decimals
    paid = round_half_up(cost, drop) + fee
    account.post(_deposit_id(exchange), Ns(wall - DAY), "deposit", pair.quote, paid, 0)
    order = Order(
        *(exchange.desk.mint("O"), pair.symbol, "buy", "limit", price, qty, "gtc", True, "", 0),
        *("cancel_newest", Ns(0), wall, wall),
    )
    trade = Trade(
        *(
            exchange.desk.mint("T"),
            order.order_id,
            pair.symbol,
            "buy",
            "limit",
            price,
            qty,
            cost,
            fee,
        ),
        *(True, trade_id, wall, "", 0, ()),
    )
    trade = account.settle(pair, trade, 0, order)
    order.filled, order.cost, order.fee = qty, cost, trade.fee
    order.status, order.closed_wall = "closed", wall
    order.trades = [trade.exec_id]
    exchange.desk.enter_past(order, trade)


def _deposit_id(exchange: Exchange) -> str:
    """The reference of a deposit: no trade's."""
    return "Q" + exchange.desk.mint("T")[1:]


def _bad(text: str) -> ConfigError:
    return ConfigError([f'demo.opening_lots: "{text}" is not "age_days:worth", such as "400:6000"'])
