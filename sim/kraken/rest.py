"""REST: paths to methods, checks of key, signature and nonce, and the public methods.

Rule 1: HTTP 200 also for refusals: {"error": [...]} (Kraken REST). Unknown fields are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from shared.config import ApiKey
from shared.kraken.rights import CANCELLING
from shared.units import SECOND, fixed_text, price_text, qty_text
from sim.engine.candles import INTERVALS, Bar
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, find, find_asset, rest_asset, rest_pair
from sim.engine.limits import Counter
from sim.engine.market import Market
from sim.engine.values import Refused
from sim.kraken.requests import bad
from sim.kraken.rest_fields import Fields, Method, count
from sim.kraken.signing import is_signed
from sim.kraken.wire import parse, stamp_s

_PUBLIC: Final = "/0/public/"
_PRIVATE: Final = "/0/private/"
_HISTORY: Final = frozenset(("Ledgers", "TradesHistory", "QueryLedgers", "ClosedOrders"))
_ORDERS: Final = frozenset(
    (
        *("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder"),
        *("CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter"),
    )
)
_OF_KILLERS: Final = frozenset(
    ("CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter", "GetApiKeyInfo")
)
_MOST_BARS: Final = 720
_MOST_TRADES: Final = 1_000
_PUBLIC_BURST: Final = 30
_SECONDS_UNTIL: Final = 10**12  # a smaller `since` of Trades is meant in seconds
_LARGEST_NONCE: Final = 1 << 64


class Call(Struct, frozen=True):
    """One HTTP request. `path` as requested, with its query."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class _Holder:
    """One API key: its nonce rises and its calls are counted apart from any other's."""

    def __init__(self, key: ApiKey, decay: float, kills: bool) -> None:
        self.secret = key.secret
        self.kills = kills  # it may cancel, and nothing else
        self.nonce = 0
        self.counter = Counter(decay)


class Rest:
    """Both halves of the REST interface over one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        keys: Sequence[ApiKey],
        private: Mapping[str, Method],
        killers: Sequence[ApiKey] = (),
    ) -> None:
        """killers: keys that may cancel orders and nothing else."""
        self._exchange = exchange
        decay = exchange.tier.rest_decay
        self._holders = {key.key: _Holder(key, decay, kills=False) for key in keys}
        self._holders |= {key.key: _Holder(key, decay, kills=True) for key in killers}
        self._private = private
        self._public: Mapping[str, Method] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._pairs,
            "Ticker": self._ticker,
            "Depth": self._depth,
            "Trades": self._trades,
            "OHLC": self._ohlc,
        }
        self._visits = Counter(1.0)

    def handle(self, call: Call, wall: int) -> tuple[int, bytes]:
        """HTTP status and body; nothing a client sends raises."""
        try:
            found: dict[str, object] = {"error": [], "result": self._dispatch(call, wall)}
        except Refused as refused:
            found = {"error": [refused.text]}
        return 200, json.dumps(found, separators=(",", ":")).encode()

    def _dispatch(self, call: Call, wall: int) -> object:
        target = urlsplit(call.path)
        path = unquote(target.path)
        if path.startswith(_PUBLIC):
            public = self._public.get(path.removeprefix(_PUBLIC))
            if public is None:
                raise Refused("EGeneral:Unknown method")
            if self._visits.look(wall) + 1 > _PUBLIC_BURST:
                raise Refused("EGeneral:Too many requests")
            self._visits.charge(1, wall)
            return public({**_form(target.query), **_read_body(call)}, wall)
        name = path.removeprefix(_PRIVATE)
        if not path.startswith(_PRIVATE) or name not in self._private:
            raise Refused("EGeneral:Unknown method")
        fields = _read_body(call)
        holder = self._authenticate(call, fields)
        if holder.kills and name not in _OF_KILLERS:
            raise Refused("EGeneral:Permission denied")
        self._count(holder, name, wall)
        found = self._private[name](fields, wall)
        if holder.kills and name == "GetApiKeyInfo" and isinstance(found, dict):
            return {**found, "permissions": [CANCELLING]}
        return found

    def _authenticate(self, call: Call, fields: Fields) -> _Holder:
        holder = self._holders.get(call.headers.get("api-key", ""))
        if holder is None:
            raise Refused("EAPI:Invalid key")
        nonce = str(fields.get("nonce", ""))
        signature = call.headers.get("api-sign", "")
        if not is_signed(holder.secret, call.path, nonce, call.body, signature):
            raise Refused("EAPI:Invalid signature")
        if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= 20):
            raise Refused("EAPI:Invalid nonce")
        if not holder.nonce < int(nonce) < _LARGEST_NONCE:
            raise Refused("EAPI:Invalid nonce")
        holder.nonce = int(nonce)
        return holder

    def _count(self, holder: _Holder, name: str, wall: int) -> None:
        if name in _ORDERS:
            return  # The trading counter counts these.
        cost = 2 if name in _HISTORY else 1
        if holder.counter.look(wall) + cost > self._exchange.tier.rest_max:
            raise Refused("EAPI:Rate limit exceeded")
        holder.counter.charge(cost, wall)

    # Public methods.

    def _time(self, fields: Fields, wall: int) -> object:
        return {"unixtime": wall // SECOND, "rfc1123": _rfc1123(wall)}

    def _status(self, fields: Fields, wall: int) -> object:
        return {"status": self._exchange.system, "timestamp": stamp_s(wall)}

    def _assets(self, fields: Fields, wall: int) -> object:
        wanted = fields.get("asset")
        if wanted is None:
            return {asset.rest: rest_asset(asset) for asset in ASSETS.values()}
        found = {}
        for name in str(wanted).split(","):
            asset = find_asset(name)
            if asset is None:
                raise Refused("EQuery:Unknown asset")
            found[asset.rest] = rest_asset(asset)
        return found

    def _pairs(self, fields: Fields, wall: int) -> object:
        return {
            name: rest_pair(market.listing, market.status) for name, market in self._wanted(fields)
        }

    def _ticker(self, fields: Fields, wall: int) -> object:
        found = {}
        for name, market in self._wanted(fields):
            pair = market.pair
            bid, ask = market.view("buy", 1), market.view("sell", 1)
            day = market.candles.day(wall) or Bar(wall, *(4 * (market.last,)))
            last = market.prints[-1].qty if market.prints else 0

            def rest_price(ticks: int, decimals: int = pair.price_decimals) -> str:
                return fixed_text(ticks * 10 ** (5 - decimals), 5)

            def touch(
                levels: list[tuple[int, int]], decimals: int = pair.qty_decimals
            ) -> list[str]:
                price, qty = levels[0] if levels else (0, 0)
                whole = max(1, qty // 10**decimals)
                return [rest_price(price), str(whole), fixed_text(qty // 10 ** (decimals - 3), 3)]

            found[name] = {
                "a": touch(ask),
                "b": touch(bid),
                "c": [rest_price(market.last), qty_text(pair, last)],
                "v": 2 * [qty_text(pair, day.volume)],
                "p": 2 * [rest_price(day.vwap)],
                "t": 2 * [day.trades],
                "l": 2 * [rest_price(day.low)],
                "h": 2 * [rest_price(day.high)],
                "o": rest_price(day.open),
            }
        return found

    def _depth(self, fields: Fields, wall: int) -> object:
        name, market = self._one(fields)
        levels = count(fields, "count", 100, 500)
        pair, now = market.pair, wall // SECOND
        return {
            name: {
                key: [
                    [
                        fixed_text(price * 10 ** (5 - pair.price_decimals), 5),
                        fixed_text(qty // 10 ** (pair.qty_decimals - 3), 3),
                        now,
                    ]
                    for price, qty in market.view(side, levels)
                ]
                for key, side in (("asks", "sell"), ("bids", "buy"))
            }
        }

    def _trades(self, fields: Fields, wall: int) -> object:
        name, market = self._one(fields)
        most = count(fields, "count", _MOST_TRADES, _MOST_TRADES)
        since = _read_since(fields)
        if 0 < since < _SECONDS_UNTIL:
            since *= SECOND
        pair = market.pair
        found = [p for p in market.prints if p.wall > since]
        found = found[:most] if since else found[-most:]
        rows = [
            [
                fixed_text(p.price * 10 ** (5 - pair.price_decimals), 5),
                qty_text(pair, p.qty),
                p.wall / SECOND,
                p.side[0],
                p.order_type[0],
                "",
                p.trade_id,
            ]
            for p in found
        ]
        return {name: rows, "last": str(found[-1].wall if found else since or wall)}

    def _ohlc(self, fields: Fields, wall: int) -> object:
        name, market = self._one(fields)
        interval = count(fields, "interval", 1, INTERVALS[-1])
        if interval not in INTERVALS:
            raise bad("interval")
        since = _read_since(fields)
        pair = market.pair
        bars = market.candles.bars(interval, _MOST_BARS)
        rows = [
            [
                bar.begin // SECOND,
                *(price_text(pair, p) for p in (bar.open, bar.high, bar.low, bar.close, bar.vwap)),
                qty_text(pair, bar.volume),
                bar.trades,
            ]
            for bar in bars
            if bar.begin // SECOND > since or not since
        ]
        finished = bars[-2].begin if len(bars) > 1 else bars[-1].begin if bars else wall
        return {name: rows, "last": finished // SECOND}

    def _wanted(self, fields: Fields) -> list[tuple[str, Market]]:
        """The markets asked for, each under the name that the result uses for it."""
        wanted = fields.get("pair")
        if not wanted:
            return [(m.listing.rest, m) for m in self._exchange.markets.values()]
        return [self._named(name) for name in str(wanted).split(",")]

    def _one(self, fields: Fields) -> tuple[str, Market]:
        wanted = fields.get("pair")
        if not wanted:
            raise bad("pair")
        return self._named(str(wanted))

    def _named(self, name: str) -> tuple[str, Market]:
        listing = find(name)
        market = self._exchange.markets.get(listing.pair.symbol) if listing is not None else None
        if listing is None or market is None:
            raise Refused("EQuery:Unknown asset pair")
        # Measured in 2026: a pair asked for by its v2 name comes back under that name.
        return (name if name == listing.pair.symbol else listing.rest), market


def _read_body(call: Call) -> dict[str, Any]:
    """The fields of a form or of a JSON body; Refused where it is neither."""
    if not call.body:
        return {}
    try:
        text = call.body.decode()
    except UnicodeDecodeError:
        raise Refused("EAPI:Bad request") from None
    if "json" not in call.headers.get("content-type", ""):
        return _form(text)
    found = parse(text)
    if not isinstance(found, dict):
        raise Refused("EAPI:Bad request")
    return found


def _form(text: str) -> dict[str, Any]:
    try:
        pairs = parse_qs(text, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise Refused("EAPI:Bad request") from None
    return {name: values if name.endswith("[]") else values[-1] for name, values in pairs.items()}


def _read_since(fields: Fields) -> int:
    """`since` as a whole number, in whatever unit it was given."""
    given = str(fields.get("since") or "0")
    try:
        value = Decimal(given)
    except ArithmeticError:
        raise bad("since") from None
    if not value.is_finite() or value < 0 or value.adjusted() > 20:
        raise bad("since")
    return int(value)


def _rfc1123(wall: int) -> str:
    text = stamp_s(wall)
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][wall // SECOND // 86_400 % 7]
    return f"{weekday}, {day:2d} {months[month - 1]} {year % 100:02d} {text[11:19]} +0000"
