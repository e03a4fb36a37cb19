"""Orders that were really sent, before a recorded market: which of them fill, and when."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, cast

from msgspec import Struct

from shared import orders
from shared.units import DAY, Ns, Pair, Side
from sim.backtest.parts import Still, Told, request_of
from sim.engine.account import Account
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, LISTINGS
from sim.engine.liquidity import Liquidity
from sim.engine.market import Market
from sim.engine.values import TIERS, Exec, Refused, Request, Switches
from sim.opening import FIRST_TRADE
from sim.sources import Quote, Tick

Asked = tuple[Ns, orders.AddOrder | orders.AmendOrder | orders.CancelOrder]
"""When it left us, and what."""

Resting = tuple[str, Side, int, int]
"""cl_ord_id, side, price (Ticks), open quantity (Sats) of an order that rested from the start."""

Played = tuple[Ns, int, int, Decimal]
"""A fill: when it was known here, price (Ticks), quantity (Sats), fee."""

_PLENTY: Final = 10**15  # ledger units: funds are not what is compared
_FAR: Final = Ns(1_790_000_000 * 10**9)
"""A wall far above any age: what is compared does not depend on the date."""


class Model(Struct, frozen=True):
    """round_trip: by how much an order is late in the market's time, ns. ahead: Sats before it.

    maker, taker: the account's rates in 10⁻⁶.
    """

    pair: Pair
    round_trip: int
    ahead: int
    maker: int
    taker: int


def simulate(
    model: Model,
    ticks: Sequence[Tick],
    begin: Ns,
    asked: Sequence[Asked],
    resting: Sequence[Resting],
) -> dict[str, list[Played]]:
    """Fills by cl_ord_id. begin: house time of the market's position 0."""
    symbol = model.pair.symbol
    first = next(tick for tick in ticks if isinstance(tick, Quote))
    source = Told(first)
    market = Market(LISTINGS[symbol], source, 0, _FAR)
    still = Still(first.bid, first.ask, 10**12, model.ahead)
    market.liquidity = cast(Liquidity, still)
    market.next_poke = 1 << 62
    switches = Switches()
    account = Account(switches, model.maker, model.taker)
    account.fix_rates(model.maker, model.taker)
    exchange = Exchange({symbol: market}, account, TIERS["pro"], switches)
    market.open_tape(FIRST_TRADE)
    for asset in (model.pair.base, model.pair.quote):
        account.post("start", Ns(_FAR - DAY), "deposit", asset, _PLENTY, 0)
    found: dict[str, list[Played]] = {}
    for name, side, price, qty in resting:
        request = Request(symbol, side.value, "limit", price, qty, post_only=True, cl_ord_id=name)
        exchange.add(request, _FAR)
    work = [(tick.at, 0, n, tick) for n, tick in enumerate(ticks)]
    late = [
        (max(0, at + model.round_trip - begin), 1, n, what) for n, (at, what) in enumerate(asked)
    ]
    for position, _, _, item in heapq.merge(work, late):
        wall = Ns(_FAR + position)
        if isinstance(item, Tick):
            source.tell(item)
            exchange.advance(position, wall)
        else:
            _obey(exchange, item, wall)
        _collect(exchange, found, Ns(begin + position), ASSETS[model.pair.quote].decimals)
    return found


def _obey(
    exchange: Exchange, item: orders.AddOrder | orders.AmendOrder | orders.CancelOrder, wall: Ns
) -> None:
    name = item.cl_ord_id
    try:
        match item:
            case orders.AddOrder():
                request = request_of(item)
                exchange.add(_undated(request), wall)
            case orders.AmendOrder(price=price, qty=qty):
                order = exchange.find(cl_ord_id=name)
                exchange.amend(order, wall, qty=qty, price=price, post_only=True)
            case orders.CancelOrder():
                # By our id alone: the exchange's own ids are others here.
                exchange.cancel(exchange.find(cl_ord_id=name), wall)
    except Refused:
        # The real exchange said something of its own; what is compared are the fills.
        return


def _undated(request: Request) -> Request:
    """Without its deadline: the journal's wall clock is not this market's."""
    return Request(
        request.pair, request.side, request.order_type, request.price, request.qty,
        tif=request.tif, post_only=request.post_only, cl_ord_id=request.cl_ord_id,
    )  # fmt: skip


def _collect(exchange: Exchange, found: dict[str, list[Played]], now: Ns, decimals: int) -> None:
    for event in exchange.take_events():
        if isinstance(event, Exec) and event.kind == "trade" and event.trade is not None:
            trade = event.trade
            fee = Decimal(trade.fee).scaleb(-decimals)
            found.setdefault(trade.cl_ord_id, []).append((now, trade.price, trade.qty, fee))
    exchange.forget_changes()
