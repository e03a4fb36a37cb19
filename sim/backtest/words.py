"""What the simulated exchange says, as the core hears it: the typed way round its JSON."""

from __future__ import annotations

from decimal import Decimal

from shared import orders
from shared.units import Pair, Sats, Side, Ticks
from sim.engine.account import Account
from sim.engine.instruments import ASSETS, round_half_up
from sim.engine.values import Exec, Trade


def event_of(pair: Pair, event: Exec) -> orders.Event | None:
    """One event of an order; None for what the core does not need to hear."""
    order = event.order
    match event.kind:
        case "new":
            return orders.Accepted("add", order.cl_ord_id, order.order_id)
        case "trade" if event.trade is not None:
            return fill_of(pair, event.trade)
        case "amended":
            price, qty = Ticks(event.price), Sats(event.qty)
            return orders.Amended(order.cl_ord_id, order.order_id, price, qty)
        case "filled" | "canceled" | "expired":
            filled = Sats(event.filled)
            return orders.Gone(order.cl_ord_id, order.order_id, event.kind, filled, event.reason)
    return None


def fill_of(pair: Pair, trade: Trade) -> orders.Filled:
    """A fill with the cost as the ledger booked it: what the balance has moved by."""
    decimals = ASSETS[pair.quote].decimals
    drop = pair.price_decimals + pair.qty_decimals - decimals
    fee = Decimal(trade.fee).scaleb(-decimals)
    return orders.Filled(
        exec_id=trade.exec_id,
        order_id=trade.order_id,
        cl_ord_id=trade.cl_ord_id,
        pair=trade.pair,
        side=Side(trade.side),
        price=Ticks(trade.price),
        qty=Sats(trade.qty),
        cost=Decimal(round_half_up(trade.cost, drop)).scaleb(-decimals),
        fees=((pair.quote, fee),) if fee else (),
        wall=trade.wall,
        trade_id=trade.trade_id,
        maker=trade.maker,
    )


def balances_of(account: Account) -> orders.Balances:
    """All totals, holds included."""
    return orders.Balances(
        {
            asset: Decimal(units).scaleb(-ASSETS[asset].decimals)
            for asset, units in account.balances.items()
        }
    )
