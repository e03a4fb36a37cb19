"""Orders, fills and ledger rows as the private channels print them (Kraken v2, executions)."""

from __future__ import annotations

from typing import Final

from shared.units import Pair, fixed_text, price_text, qty_text
from sim.engine.instruments import ASSETS, LISTINGS, amount_text, cost_text
from sim.engine.values import Exec, LedgerRow, Order, Switches, Trade
from sim.kraken.wire import quote, stamp

WARNINGS: Final = (
    '["cancel_reason is deprecated, use reason","stop_price is deprecated, use triggers.price",'
    '"trigger is deprecated use triggers.reference",'
    '"triggered_price is deprecated use triggers.last_price"]'
)


def report(event: Exec, switches: Switches) -> str:
    """One execution report, with the keys that its kind carries and no others."""
    match event.kind:
        case "pending_new":
            return _pending(event.order, event.wall)
        case "new":
            return _new(event)
        case "trade":
            return _trade(event, switches)
        case "amended":
            return _amended(event)
        case "filled" if switches.filled_keys == "full":
            return snapshot_order(event.order, kind="filled", status="filled", wall=event.wall)
        case _:
            return _done(event)


def snapshot_order(order: Order, *, kind: str = "", status: str = "", wall: int = 0) -> str:
    """A whole order, as the snapshot lists it."""
    pair = LISTINGS[order.pair].pair
    status = status or ("partially_filled" if order.filled else "new")
    return (
        f'{{"order_id":"{order.order_id}",{_plain_order(order, pair)}'
        f'"exec_type":"{kind or "new"}",{_terms(order, pair)}'
        f'"order_status":"{status}",{_totals(pair, order.filled, order.cost, order.fee)},'
        f'"amended":{"true" if order.amended else "false"},'
        f'"fee_ccy_pref":"fciq",{_id(order.cl_ord_id, order.userref)},'
        f'"timestamp":"{stamp(wall or order.touched_wall)}"{_post_only(order)}}}'
    )


def snapshot_trade(trade: Trade) -> str:
    """A fill as the snapshot lists it: always `filled`, without the order's totals."""
    pair = LISTINGS[trade.pair].pair
    return f'{{{_trade_head(trade, pair)}"order_status":"filled",{_trade_fees(trade, pair)}}}'


def ledger_row(row: LedgerRow) -> str:
    """A row of the balances channel."""
    asset = ASSETS[row.asset].name
    return (
        f'{{"ledger_id":"{row.ledger_id}","ref_id":"{row.ref_id}",'
        f'"timestamp":"{stamp(row.wall)}","type":"{row.kind}","asset":"{asset}",'
        f'"asset_class":"currency","category":"{row.kind}","wallet_type":"spot",'
        f'"wallet_id":"main","amount":{amount_text(row.asset, row.amount)},'
        f'"fee":{amount_text(row.asset, row.fee)},'
        f'"balance":{amount_text(row.asset, row.balance)}}}'
    )


def balance_row(asset: str, units: int) -> str:
    """A row of the balances snapshot."""
    text = amount_text(asset, units)
    return (
        f'{{"asset":"{asset}","asset_class":"currency","balance":{text},'
        f'"wallets":[{{"type":"spot","id":"main","balance":{text}}}]}}'
    )


def average(order_cost: int, filled: int) -> int:
    """The average price in Ticks, rounded half up; 0 before any fill."""
    return (2 * order_cost + filled) // (2 * filled) if filled else 0


def fee_text(pair: Pair, fee: int) -> str:
    """A fee with the pair's cost decimals, as the executions channel prints it."""
    return fixed_text(fee * 10 ** (pair.cost_decimals - ASSETS[pair.quote].decimals), 5)


def _pending(order: Order, wall: int) -> str:
    pair = LISTINGS[order.pair].pair
    return (
        f'{{"order_id":"{order.order_id}",{_plain_order(order, pair)}'
        f'"cum_cost":{cost_text(pair, 0)},"exec_type":"pending_new",{_terms(order, pair)}'
        f'{_id(order.cl_ord_id, order.userref)},"order_status":"pending_new",'
        f'"fee_usd_equiv":{fee_text(pair, 0)},"fee_ccy_pref":"fciq",'
        f'"timestamp":"{stamp(wall)}"{_post_only(order)}}}'
    )


def _new(event: Exec) -> str:
    order = event.order
    return (
        f'{{"timestamp":"{stamp(event.wall)}","order_status":"new","exec_type":"new",'
        f'{_id(order.cl_ord_id, order.userref)},"order_id":"{order.order_id}"{_post_only(order)}}}'
    )


def _trade(event: Exec, switches: Switches) -> str:
    trade = event.trade
    assert trade is not None, event
    pair = LISTINGS[trade.pair].pair
    done = event.filled == event.qty
    status = switches.last_fill_status if done else "partially_filled"
    return (
        f'{{{_trade_head(trade, pair)}"order_status":"{status}",'
        f'"cum_qty":{qty_text(pair, event.filled)},"cum_cost":{cost_text(pair, event.cost)},'
        f'"avg_price":{price_text(pair, average(event.cost, event.filled))},'
        f"{_trade_fees(trade, pair)}}}"
    )


def _amended(event: Exec) -> str:
    order = event.order
    pair = LISTINGS[order.pair].pair
    status = "partially_filled" if event.filled else "new"
    return (
        f'{{"timestamp":"{stamp(event.wall)}","exec_type":"amended","order_status":"{status}",'
        f'"cum_qty":{qty_text(pair, event.filled)},"reason":{quote(event.reason)},'
        f'"amended":true,"order_qty":{qty_text(pair, event.qty)},'
        f'"limit_price":{price_text(pair, event.price)},"limit_price_type":"static",'
        f'{_id(order.cl_ord_id, order.userref)},"order_id":"{order.order_id}"}}'
    )


def _done(event: Exec) -> str:
    """filled, canceled or expired."""
    order = event.order
    pair = LISTINGS[order.pair].pair
    reason = quote(event.reason)
    reasons = f',"cancel_reason":{reason},"reason":{reason}' if event.reason else ""
    return (
        f'{{"timestamp":"{stamp(event.wall)}","order_status":"{event.kind}",'
        f'"exec_type":"{event.kind}",{_totals(pair, event.filled, event.cost, event.fee)},'
        f"{_id(order.cl_ord_id, order.userref)}{reasons},"
        f'"order_id":"{order.order_id}"{_post_only(order)}}}'
    )


def _plain_order(order: Order, pair: Pair) -> str:
    return f'"symbol":"{order.pair}","order_qty":{qty_text(pair, order.qty)},'


def _terms(order: Order, pair: Pair) -> str:
    expires = f'"expire_time":"{stamp(order.expire_wall)}",' if order.expire_wall else ""
    return (
        f'"time_in_force":"{order.tif.upper()}",{expires}"side":"{order.side}",'
        f'"order_type":"{order.order_type}","limit_price_type":"static",'
        f'"limit_price":{price_text(pair, order.price)},"stop_price":{price_text(pair, 0)},'
    )


def _totals(pair: Pair, filled: int, cost: int, fee: int) -> str:
    return (
        f'"cum_qty":{qty_text(pair, filled)},"cum_cost":{cost_text(pair, cost)},'
        f'"fee_usd_equiv":{fee_text(pair, fee)},'
        f'"avg_price":{price_text(pair, average(cost, filled))}'
    )


def _trade_head(trade: Trade, pair: Pair) -> str:
    return (
        f'"order_id":"{trade.order_id}",{_id(trade.cl_ord_id, trade.userref)},'
        f'"exec_id":"{trade.exec_id}","exec_type":"trade","trade_id":{trade.trade_id},'
        f'"symbol":"{trade.pair}","side":"{trade.side}","last_qty":{qty_text(pair, trade.qty)},'
        f'"last_price":{price_text(pair, trade.price)},'
        f'"liquidity_ind":"{"m" if trade.maker else "t"}","cost":{cost_text(pair, trade.cost)},'
        f'"order_type":"{trade.order_type}","timestamp":"{stamp(trade.wall)}",'
    )


def _trade_fees(trade: Trade, pair: Pair) -> str:
    fee = fee_text(pair, trade.fee)
    return f'"fee_usd_equiv":{fee},"fees":[{{"asset":"{pair.quote}","qty":{fee}}}]'


def _id(cl_ord_id: str, userref: int) -> str:
    return f'"cl_ord_id":{quote(cl_ord_id)}' if cl_ord_id else f'"order_userref":{userref}'


def _post_only(order: Order) -> str:
    return ',"post_only":true' if order.post_only else ""
