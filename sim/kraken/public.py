"""The public WebSocket: instrument, book, trade, ticker and ohlc for whoever subscribes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from shared.units import MINUTE, Pair, price_text, qty_text
from sim.engine.candles import INTERVALS, Bar
from sim.engine.exchange import Exchange
from sim.engine.instruments import ASSETS, asset_json, pair_json
from sim.engine.market import Market
from sim.engine.values import Event, Moved, Print, Refused
from sim.kraken.books import DEPTHS, View
from sim.kraken.wire import Ask, answer, check_fields, flag, quote, refusal, stamp, stamp_ns, word

Send = Callable[[int, str], None]

PRIVATE_ELSEWHERE: Final = (
    "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
)
PUBLIC_ELSEWHERE: Final = (
    "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
)
CHANNELS: Final[dict[str, frozenset[str]]] = {
    "instrument": frozenset(("channel", "snapshot", "include_tokenized_assets", "execution_venue")),
    "book": frozenset(("channel", "symbol", "depth", "snapshot")),
    "trade": frozenset(("channel", "symbol", "snapshot")),
    "ticker": frozenset(("channel", "symbol", "event_trigger", "snapshot")),
    "ohlc": frozenset(("channel", "symbol", "interval", "snapshot")),
}
_SNAPSHOT_TRADES: Final = 50
_SNAPSHOT_BARS: Final = 720
_MOST_SYMBOLS: Final = 200


class Terms(Struct, frozen=True):
    """What one subscription wants beyond its symbol."""

    depth: int = 0
    interval: int = 0
    trigger: str = ""


class PublicFace:
    """Subscriptions of all public connections and what they are sent."""

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._subs: dict[int, dict[tuple[str, str], Terms]] = {}
        self._views: dict[tuple[str, int], View] = {}

    def subscribed(self, conn: int) -> bool:
        return bool(self._subs.get(conn))

    def drop(self, conn: int) -> None:
        """A connection is gone."""
        for view in self._views.values():
            view.readers.pop(conn, None)
        self._views = {key: view for key, view in self._views.items() if view.readers}
        self._subs.pop(conn, None)

    def handle(self, conn: int, ask: Ask, wall: int) -> None:
        """One request; every outcome is an answer."""
        channel = (ask.params or {}).get("channel")
        try:
            if ask.method not in ("subscribe", "unsubscribe"):
                raise Refused(PRIVATE_ELSEWHERE)
            if channel in ("executions", "balances", "level3"):
                raise Refused(PRIVATE_ELSEWHERE)
            if not isinstance(channel, str) or channel not in CHANNELS:
                raise Refused("Unsupported event")
            params = check_fields(ask, CHANNELS[channel])
            terms = _read_terms(channel, params)
            snapshot = flag(params, "snapshot", default=channel != "trade")
            symbols = _read_symbols(params) if channel != "instrument" else [""]
        except Refused as refused:
            self._send(conn, refusal(ask, wall, refused.text))
            return
        change = self._subscribe if ask.method == "subscribe" else self._unsubscribe
        for symbol in symbols:
            try:
                if symbol and symbol not in self._exchange.markets:
                    raise Refused(f"Currency pair not supported {symbol}")
                change(conn, ask, (channel, symbol), terms, snapshot, wall)
            except Refused as refused:
                more = {"symbol": quote(symbol)} if symbol else {}
                self._send(conn, refusal(ask, wall, refused.text, **more))

    def publish(self, events: Iterable[Event], wall: int) -> None:
        """Tell the subscribers what happened on the markets."""
        moved: dict[str, int] = {}
        printed: dict[str, list[Print]] = {}
        for event in events:
            if isinstance(event, Moved):
                moved[event.pair] = event.wall
            elif isinstance(event, Print):
                printed.setdefault(event.pair, []).append(event)
        for symbol, at in moved.items():
            self._publish_books(symbol, at)
        touched: dict[str, bool] = {symbol: symbol in printed for symbol in (*moved, *printed)}
        for symbol, traded in touched.items():
            self._publish_tape(symbol, printed.get(symbol, []), traded, wall)

    def _subscribe(
        self,
        conn: int,
        ask: Ask,
        key: tuple[str, str],
        terms: Terms,
        snapshot: bool,
        wall: int,
    ) -> None:
        mine = self._subs.setdefault(conn, {})
        if key in mine:
            raise Refused("Already subscribed")
        mine[key] = terms
        channel, symbol = key
        self._send(conn, answer(ask, wall, _result(channel, symbol, terms, snapshot)))
        if channel == "instrument":
            if snapshot:
                self._send(conn, self._instrument())
            return
        market = self._exchange.markets[symbol]
        if channel == "book":
            view = self._view(market, terms.depth, wall)
            view.readers[conn] = None
            if snapshot:
                dated = self._exchange.switches.book_timestamp
                self._send(conn, view.snapshot(wall, dated=dated))
        elif snapshot:
            self._send(conn, _snapshot(channel, market, terms, wall))

    def _unsubscribe(
        self,
        conn: int,
        ask: Ask,
        key: tuple[str, str],
        terms: Terms,
        snapshot: bool,
        wall: int,
    ) -> None:
        mine = self._subs.get(conn, {})
        found = mine.get(key)
        if found is None or (found.depth, found.interval) != (terms.depth, terms.interval):
            raise Refused("Subscription Not Found")
        del mine[key]
        channel, symbol = key
        if channel == "book":
            view = self._views[symbol, found.depth]
            view.readers.pop(conn, None)
            if not view.readers:
                del self._views[symbol, found.depth]
        fields = {"channel": quote(channel)}
        if symbol:
            fields["symbol"] = quote(symbol)
        if channel == "book":
            fields["depth"] = str(terms.depth)
        if channel == "ohlc":
            fields["interval"] = str(terms.interval)
        result = "{" + ",".join(f'"{name}":{fields[name]}' for name in sorted(fields)) + "}"
        self._send(conn, answer(ask, wall, result))

    def _view(self, market: Market, depth: int, wall: int) -> View:
        """The shared view, brought up to date for its older readers first."""
        key = (market.pair.symbol, depth)
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = View(market.pair, depth)
            view.turn(market.view("buy", depth), market.view("sell", depth), wall)
        else:
            self._turn(view, market, wall)
        return view

    def _turn(self, view: View, market: Market, wall: int) -> None:
        bids, asks = market.view("buy", view.depth), market.view("sell", view.depth)
        text = view.turn(bids, asks, wall)
        if text is not None:
            for reader in view.readers:
                self._send(reader, text)

    def _publish_books(self, symbol: str, wall: int) -> None:
        market = self._exchange.markets[symbol]
        for view in self._views.values():
            if view.pair.symbol == symbol:
                self._turn(view, market, wall)

    def _publish_tape(self, symbol: str, prints: list[Print], traded: bool, wall: int) -> None:
        market = self._exchange.markets[symbol]
        frames: dict[Terms, str] = {}
        tapes = _trade_frames(market.pair, prints)
        for conn, mine in self._subs.items():
            if ("trade", symbol) in mine:
                for text in tapes:
                    self._send(conn, text)
            if (terms := mine.get(("ticker", symbol))) is not None and (
                traded or terms.trigger == "bbo"
            ):
                if terms not in frames:
                    frames[terms] = _ticker(market, "update", wall)
                self._send(conn, frames[terms])
            if traded and (terms := mine.get(("ohlc", symbol))) is not None:
                if terms not in frames:
                    frames[terms] = _ohlc(market, terms.interval, "update", 1, wall)
                self._send(conn, frames[terms])

    def _instrument(self) -> str:
        assets = ",".join(asset_json(asset) for asset in ASSETS.values())
        pairs = ",".join(pair_json(m.listing, m.status) for m in self._exchange.markets.values())
        return (
            f'{{"channel":"instrument","type":"snapshot",'
            f'"data":{{"assets":[{assets}],"pairs":[{pairs}]}}}}'
        )


def _read_terms(channel: str, params: Mapping[str, Any]) -> Terms:
    if channel == "book":
        depth = params.get("depth", 10)
        if depth not in DEPTHS or isinstance(depth, bool):
            raise Refused("Subscription depth not supported")
        return Terms(depth=int(depth))
    if channel == "ohlc":
        interval = params.get("interval", 1)
        if interval not in INTERVALS or isinstance(interval, bool):
            raise Refused("Subscription ohlc interval not supported")
        return Terms(interval=int(interval))
    if channel == "ticker":
        trigger = params.get("event_trigger", "trades")
        if trigger not in ("trades", "bbo"):
            raise Refused("Event_trigger not supported")
        return Terms(trigger=trigger)
    return Terms()


def _read_symbols(params: Mapping[str, Any]) -> list[str]:
    found = params.get("symbol")
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_SYMBOLS:
        raise Refused("Symbol(s) not found")
    return [str(symbol) for symbol in found]


def _result(channel: str, symbol: str, terms: Terms, snapshot: bool) -> str:
    """The ack's result, keys in alphabetical order as on the wire."""
    snap = f'"snapshot":{word(snapshot)}'
    match channel:
        case "instrument":
            return (
                f'{{"channel":"instrument",{snap},'
                f'"warnings":["tick_size is deprecated, use price_increment"]}}'
            )
        case "book":
            middle = f'"depth":{terms.depth},'
        case "ticker":
            middle = f'"event_trigger":"{terms.trigger}",'
        case "ohlc":
            return (
                f'{{"channel":"ohlc","interval":{terms.interval},{snap},"symbol":"{symbol}",'
                f'"warnings":["timestamp is deprecated, use interval_begin"]}}'
            )
        case _:
            middle = ""
    return f'{{"channel":"{channel}",{middle}{snap},"symbol":"{symbol}"}}'


def _snapshot(channel: str, market: Market, terms: Terms, wall: int) -> str:
    if channel == "ticker":
        return _ticker(market, "snapshot", wall)
    if channel == "ohlc":
        return _ohlc(market, terms.interval, "snapshot", _SNAPSHOT_BARS, wall)
    rows = ",".join(_trade(market.pair, found) for found in list(market.prints)[-_SNAPSHOT_TRADES:])
    return f'{{"channel":"trade","type":"snapshot","data":[{rows}]}}'


def _trade_frames(pair: Pair, prints: list[Print]) -> list[str]:
    """One message for all trades of one moment."""
    rows: dict[int, list[str]] = {}
    for found in prints:
        rows.setdefault(found.wall, []).append(_trade(pair, found))
    return [
        f'{{"channel":"trade","type":"update","data":[{",".join(row)}]}}' for row in rows.values()
    ]


def _trade(pair: Pair, found: Print) -> str:
    return (
        f'{{"symbol":"{pair.symbol}","side":"{found.side}",'
        f'"price":{price_text(pair, found.price)},"qty":{qty_text(pair, found.qty)},'
        f'"ord_type":"{found.order_type}","trade_id":{found.trade_id},'
        f'"timestamp":"{stamp(found.wall)}"}}'
    )


def _ticker(market: Market, kind: str, wall: int) -> str:
    pair = market.pair
    bid, ask = market.view("buy", 1), market.view("sell", 1)
    day = market.candles.day(wall) or Bar(wall, *(4 * (market.last,)))
    change = day.close - day.open
    hundredths = (20_000 * change + day.open) // (2 * day.open)
    bid_price, bid_qty = bid[0] if bid else (0, 0)
    ask_price, ask_qty = ask[0] if ask else (0, 0)
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{pair.symbol}",'
        f'"bid":{price_text(pair, bid_price)},"bid_qty":{qty_text(pair, bid_qty)},'
        f'"ask":{price_text(pair, ask_price)},"ask_qty":{qty_text(pair, ask_qty)},'
        f'"last":{price_text(pair, market.last)},"volume":{qty_text(pair, day.volume)},'
        f'"vwap":{price_text(pair, day.vwap)},"low":{price_text(pair, day.low)},'
        f'"high":{price_text(pair, day.high)},"change":{price_text(pair, change)},'
        f'"change_pct":{hundredths / 100:.2f},"trades":{day.trades},'
        f'"timestamp":"{stamp(wall)}"}}]}}'
    )


def _ohlc(market: Market, interval: int, kind: str, count: int, wall: int) -> str:
    bars = list(market.candles.bars(interval, count)) if count > 1 else []
    if count == 1 and (running := market.candles.running(interval)) is not None:
        bars = [running]
    rows = ",".join(_bar(market.pair, bar, interval) for bar in bars)
    return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{stamp_ns(wall)}","data":[{rows}]}}'


def _bar(pair: Pair, bar: Bar, interval: int) -> str:
    return (
        f'{{"symbol":"{pair.symbol}","open":{price_text(pair, bar.open)},'
        f'"high":{price_text(pair, bar.high)},"low":{price_text(pair, bar.low)},'
        f'"close":{price_text(pair, bar.close)},"trades":{bar.trades},'
        f'"volume":{qty_text(pair, bar.volume)},"vwap":{price_text(pair, bar.vwap)},'
        f'"interval_begin":"{stamp_ns(bar.begin)}","interval":{interval},'
        f'"timestamp":"{stamp(bar.begin + interval * MINUTE)}"}}'
    )
