"""REST's private methods about the account: what it has, what it may, what it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.units import SECOND, Ns, fixed_text, price_text, qty_text
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, LISTINGS, amount_text, cost_text, find, find_asset
from sim.engine.values import FEES, Order, Refused, Trade
from sim.kraken.reports import average
from sim.kraken.requests import bad
from sim.kraken.rest_fields import Fields, Method, page, truth, wall_of, words
from sim.kraken.tokens import LIFETIME_S, Tokens

_MOST_IDS: Final = 50
_PERMISSIONS: Final = (
    *("query-funds", "query-open-trades", "query-closed-trades", "modify-trades"),
    *("close-trades", "query-ledger", "create-ws-token"),
)


class AccountMethods:
    """Each method is one of REST; `table` names them."""

    def __init__(self, exchange: Exchange, tokens: Tokens, rights: Sequence[str] = ()) -> None:
        """rights: what the account's keys are said to be allowed; () = what trading needs."""
        self._exchange = exchange
        self._tokens = tokens
        self._rights = tuple(rights) or _PERMISSIONS

    def table(self) -> Mapping[str, Method]:
        return {
            "GetWebSocketsToken": self._token,
            "GetApiKeyInfo": self._key_info,
            "Balance": self._balance,
            "BalanceEx": self._balance_ex,
            "OpenOrders": self._open_orders,
            "ClosedOrders": self._closed_orders,
            "QueryOrders": self._query_orders,
            "TradesHistory": self._trades_history,
            "QueryTrades": self._query_trades,
            "Ledgers": self._ledgers,
            "WithdrawStatus": self._withdraw_status,
            "TradeVolume": self._trade_volume,
        }

    def _token(self, fields: Fields, wall: int) -> object:
        return {"token": self._tokens.issue(wall), "expires": LIFETIME_S}

    def _key_info(self, fields: Fields, wall: int) -> object:
        return {
            "api_key_name": "simulated",
            "nonce": str(fields.get("nonce", "")),
            "nonce_window": "0",
            "permissions": list(self._rights),
            "iban": "",
            "valid_until": "0",
            "query_from": "0",
            "query_to": "0",
            "created_time": "0",
            "modified_time": "0",
            "ip_allowlist": [],
            "last_used": str(wall // SECOND),
        }

    def _balance(self, fields: Fields, wall: int) -> object:
        balances = self._exchange.account.balances
        return {ASSETS[a].rest: amount_text(a, units) for a, units in balances.items()}

    def _balance_ex(self, fields: Fields, wall: int) -> object:
        account = self._exchange.account
        return {
            ASSETS[asset].rest: {
                "balance": amount_text(asset, units),
                "hold_trade": amount_text(asset, account.holds.get(asset, 0)),
            }
            for asset, units in account.balances.items()
        }

    def _trade_volume(self, fields: Fields, wall: int) -> object:
        account = self._exchange.account
        tier = account.tier(Ns(wall))
        found: dict[str, object] = {
            "currency": "ZUSD",
            "volume": f"{account.volume(Ns(wall))}.0000",
        }
        names = [name for name in str(fields.get("pair") or "").split(",") if name]
        if not names:
            return found
        for key, column, rate, following in (
            ("fees", 2, tier.taker, tier.next_taker),
            ("fees_maker", 1, tier.maker, tier.next_maker),
        ):
            rates = [row[column] for row in FEES]
            top = tier.next_volume is None
            found[key] = {
                _listing_name(name): {
                    "fee": fixed_text(rate, 4),
                    "minfee": fixed_text(min(rate, *rates), 4),
                    "maxfee": fixed_text(max(rate, *rates), 4),
                    "nextfee": None if top else fixed_text(following, 4),
                    "nextvolume": None if top else f"{tier.next_volume}.0000",
                    "tiervolume": f"{tier.volume_from}.0000",
                }
                for name in names
            }
        return found

    # History.

    def _open_orders(self, fields: Fields, wall: int) -> object:
        with_trades = truth(fields, "trades")
        chosen = _chosen(self._exchange.open.values(), fields)
        return {"open": {order.order_id: _order(order, with_trades) for order in chosen}}

    def _closed_orders(self, fields: Fields, wall: int) -> object:
        with_trades = truth(fields, "trades")
        begin, end = self._span(fields)
        which = str(fields.get("closetime", "both"))
        chosen = [
            order
            for order in reversed(list(_chosen(self._exchange.orders.values(), fields)))
            if order.status != "open" and _in_span(order, which, begin, end)
        ]
        chosen.sort(key=lambda order: order.closed_wall, reverse=True)
        rows = {order.order_id: _order(order, with_trades) for order in page(chosen, fields)}
        found: dict[str, object] = {"closed": rows}
        if not truth(fields, "without_count"):
            found["count"] = len(chosen)
        return found

    def _query_orders(self, fields: Fields, wall: int) -> object:
        with_trades = truth(fields, "trades")
        found = {}
        for order_id in _ids(fields):
            order = self._exchange.orders.get(order_id)
            if order is not None:
                found[order_id] = _order(order, with_trades)
        return found

    def _trades_history(self, fields: Fields, wall: int) -> object:
        begin, end = self._span(fields)
        chosen = [
            trade
            for trade in reversed(list(self._exchange.trades.values()))
            if begin < trade.wall <= end
        ]
        with_ledgers = truth(fields, "ledgers")
        rows = {trade.exec_id: _trade(trade, with_ledgers) for trade in page(chosen, fields)}
        return {"trades": rows, "count": len(chosen)}

    def _query_trades(self, fields: Fields, wall: int) -> object:
        trades = self._exchange.trades
        return {name: _trade(trades[name], False) for name in _ids(fields) if name in trades}

    def _ledgers(self, fields: Fields, wall: int) -> object:
        begin, end = self._span(fields)
        assets = None
        if fields.get("asset") not in (None, "", "all"):
            wanted = [find_asset(name) for name in str(fields["asset"]).split(",")]
            assets = [asset.name for asset in wanted if asset is not None]
            if len(assets) != len(wanted):
                raise Refused("EQuery:Unknown asset")
        kind = str(fields.get("type") or "all")
        chosen = [
            row
            for row in reversed(self._exchange.account.ledger)
            if begin < row.wall <= end
            and (assets is None or row.asset in assets)
            and kind in ("all", row.kind)
        ]
        rows = {
            row.ledger_id: {
                "refid": row.ref_id,
                "time": row.wall / SECOND,
                "type": row.kind,
                "subtype": "",
                "aclass": "currency",
                "asset": ASSETS[row.asset].rest,
                "amount": amount_text(row.asset, row.amount),
                "fee": amount_text(row.asset, row.fee),
                "balance": amount_text(row.asset, row.balance),
            }
            for row in page(chosen, fields)
        }
        found: dict[str, object] = {"ledger": rows}
        if not truth(fields, "without_count"):
            found["count"] = len(chosen)
        return found

    def _withdraw_status(self, fields: Fields, wall: int) -> object:
        if "query-ledger" not in self._rights:
            raise Refused("EGeneral:Permission denied")
        asset = find_asset(str(fields.get("asset") or "XBT"))
        if asset is None:
            raise Refused("EFunding:Unknown asset")
        chosen = [each for each in self._exchange.withdrawals if each.asset == asset.name]
        found = []
        for each in reversed(chosen[-500:]):
            row = {
                "method": "Bitcoin" if asset.name == "BTC" else "SEPA",
                "aclass": "currency",
                "asset": asset.rest,
                "refid": each.ref_id,
                "txid": "" if each.status != "Success" else each.ref_id.lower(),
                "info": "simulated",
                "amount": amount_text(asset.name, each.units),
                "fee": amount_text(asset.name, each.fee),
                "time": each.wall // SECOND,
                "status": each.status,
            }
            found.append({**row, "status-prop": each.prop} if each.prop else row)
        return found

    def _span(self, fields: Fields) -> tuple[int, int]:
        """start (exclusive) and end (inclusive) as wall ns; each is a time or an id."""
        bounds = []
        for name, usual in (("start", -1), ("end", 1 << 62)):
            given = str(fields.get(name) or "")
            if not given:
                bounds.append(usual)
            elif given in self._exchange.trades:
                bounds.append(self._exchange.trades[given].wall)
            elif given in self._exchange.orders:
                bounds.append(self._exchange.orders[given].opened_wall)
            else:
                bounds.append(wall_of(given, name))
        return bounds[0], bounds[1]


def _order(order: Order, with_trades: bool) -> dict[str, object]:
    listing = LISTINGS[order.pair]
    pair = listing.pair
    price = price_text(pair, order.price)
    flags = ["fciq"] + (["post"] if order.post_only else [])
    found: dict[str, object] = {
        "refid": None,
        "userref": order.userref,
        "status": order.status,
        "opentm": order.opened_wall / SECOND,
        "starttm": 0,
        "expiretm": order.expire_wall // SECOND,
        "descr": {
            "pair": listing.alt,
            "aclass": "forex",
            "type": order.side,
            "ordertype": order.order_type,
            "price": price if order.order_type == "limit" else "0",
            "price2": "0",
            "leverage": "none",
            "order": words(order.side, order.qty, order.pair, order.order_type, order.price),
            "close": "",
        },
        "vol": qty_text(pair, order.qty),
        "vol_exec": qty_text(pair, order.filled),
        "cost": cost_text(pair, order.cost),
        "fee": fixed_text(order.fee * 10, 5),
        "price": price_text(pair, average(order.cost, order.filled)),
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "amended" if order.amended else "",
        "oflags": ",".join(flags),
    }
    if order.cl_ord_id:
        found["cl_ord_id"] = order.cl_ord_id
    if order.status != "open":
        found["closetm"] = order.closed_wall / SECOND
        found["reason"] = order.reason or None
    if with_trades and order.trades:
        found["trades"] = list(order.trades)
    return found


def _trade(trade: Trade, with_ledgers: bool) -> dict[str, object]:
    listing = LISTINGS[trade.pair]
    pair = listing.pair
    found: dict[str, object] = {
        "ordertxid": trade.order_id,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": listing.rest,
        "aclass": "forex",
        "time": trade.wall / SECOND,
        "type": trade.side,
        "ordertype": trade.order_type,
        "price": fixed_text(trade.price * 10 ** (5 - pair.price_decimals), 5),
        "cost": cost_text(pair, trade.cost),
        "fee": fixed_text(trade.fee * 10, 5),
        "vol": qty_text(pair, trade.qty),
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_id,
        "maker": trade.maker,
    }
    if trade.cl_ord_id:
        found["cl_ord_id"] = trade.cl_ord_id
    if with_ledgers:
        found["ledgers"] = list(trade.ledgers)
    return found


def _listing_name(name: str) -> str:
    listing = find(name)
    if listing is None:
        raise Refused("EQuery:Unknown asset pair")
    return name if name == listing.pair.symbol else listing.rest


def _ids(fields: Fields) -> list[str]:
    found = [name.strip() for name in str(fields.get("txid") or "").split(",") if name.strip()]
    if not 1 <= len(found) <= _MOST_IDS:
        raise bad("txid")
    return found


def _chosen(orders: Iterable[Order], fields: Fields) -> list[Order]:
    """Orders of one cl_ord_id or one userref, or all."""
    client, userref = fields.get("cl_ord_id"), fields.get("userref")
    return [
        order
        for order in orders
        if (not client or order.cl_ord_id == client)
        and (userref in (None, "") or str(order.userref) == str(userref))
    ]


def _in_span(order: Order, which: str, begin: int, end: int) -> bool:
    opened, closed = begin < order.opened_wall <= end, begin < order.closed_wall <= end
    match which:
        case "open":
            return opened
        case "close":
            return closed
        case _:
            return opened or closed
