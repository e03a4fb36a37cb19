"""A script of Kraken's public answers that a feed session is driven with by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from feed.mail import (
    LineOpened,
    Note,
    OpenLine,
    Out,
    Publish,
    SendText,
    Text,
)
from feed.market import Settings
from feed.session import Session
from shared.kraken.checksum import book_checksum
from shared.units import MILLISECOND, SECOND, Ns, fixed_text

PAIRS = ("BTC/EUR", "BTC/USD")
SETTINGS = Settings(
    depth=10,
    vwap_windows_s=(60, 300),
    candle_interval_min=1,
    publish_gap=Ns(50 * MILLISECOND),
    line_silence=Ns(5 * SECOND),
    book_silence=Ns(30 * SECOND),
    answer=Ns(5 * SECOND),
)
STATUS = (
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
    '"api_version":"v2","connection_id":18125794168470749634}]}'
)
PAIR_ROW = (
    '{"symbol":"%s","base":"BTC","quote":"EUR","status":"online","qty_precision":8,'
    '"qty_increment":0.00000001,"price_precision":1,"price_increment":0.1,"cost_precision":5,'
    '"cost_min":0.50,"qty_min":0.00005000}'
)
INSTRUMENT = '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[%s]}}'
ASKS = [(850_010 + i, 10_000 + i) for i in range(10)]
BIDS = [(850_000 - i, 20_000 + i) for i in range(10)]

Levels = list[tuple[int, int]]


def wire(levels: Levels) -> str:
    texts = [(fixed_text(t, 1), fixed_text(s, 8)) for t, s in levels]
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in texts) + "]"


def book(pair: str, kind: str, bids: Levels, asks: Levels, checksum: int) -> str:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{pair}","bids":{wire(bids)},'
        f'"asks":{wire(asks)},"checksum":{checksum},"timestamp":"2026-09-25T17:48:26.844359Z"}}]}}'
    )


def snapshot(pair: str) -> str:
    return book(pair, "snapshot", BIDS, ASKS, book_checksum(ASKS, BIDS))


def trades(pair: str, first: int, count: int, kind: str = "update", second: int = 30) -> str:
    rows = [
        f'{{"symbol":"{pair}","side":"buy","price":85000.{n % 10},"qty":0.10000000,'
        f'"ord_type":"limit","trade_id":{first + n},"timestamp":"2026-09-25T17:48:{second}.0Z"}}'
        for n in range(count)
    ]
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(rows)}]}}'


class Exchange:
    """Drives a session by hand; `sent` are its requests since they were last taken."""

    def __init__(self, pairs: Sequence[str] = PAIRS) -> None:
        self.session = Session(pairs, SETTINGS, Ns(SECOND))
        self.now = Ns(SECOND)
        self.beat = 2 * SECOND
        self.line = 0
        self.out: list[Out] = []
        self.step()

    def step(self, *inbox: Any) -> list[Out]:
        out = list(self.session.step(self.now, inbox))
        self.out += out
        for item in out:
            if isinstance(item, OpenLine):
                self.line = item.line
        return out

    def say(self, *texts: str) -> list[Out]:
        return self.step(*(Text(self.line, text.encode(), self.now) for text in texts))

    def wait(self, seconds: float, heartbeats: bool = True) -> list[Out]:
        """Let time pass, waking the session when it wants, with a heartbeat each second."""
        end, out = Ns(int(self.now + seconds * SECOND)), []
        while self.now < end:
            self.now = Ns(min(end, max(self.session.wake_at(), self.now + 1), self.beat))
            if self.now >= self.beat:
                self.beat += SECOND
                if heartbeats:
                    out += self.say('{"channel":"heartbeat"}')
                    continue
            out += self.step()
        return out

    def sent(self) -> list[dict[str, Any]]:
        found = [json.loads(item.raw) for item in self.out if isinstance(item, SendText)]
        self.out = [item for item in self.out if not isinstance(item, SendText)]
        return found

    def ack(self, *requests: dict[str, Any]) -> None:
        for request in requests:
            params = {k: v for k, v in request["params"].items() if k != "symbol"}
            for symbol in request["params"].get("symbol", [None]):
                result = params | ({"symbol": symbol} if symbol else {})
                answer = {
                    "method": request["method"],
                    "req_id": request["req_id"],
                    "result": result,
                    "success": True,
                    "time_in": "2026-09-25T17:48:30.000001Z",
                    "time_out": "2026-09-25T17:48:30.000002Z",
                }
                self.say(json.dumps(answer))

    def connect(self) -> None:
        self.step(LineOpened(self.line, 0.0))
        self.say(STATUS)

    def go_live(self) -> None:
        """Everything that comes before the first valid book."""
        self.connect()
        self.ack(*self.sent())
        self.say(INSTRUMENT % ",".join(PAIR_ROW % pair for pair in self.session.markets))
        self.ack(*self.sent())
        self.say(*(snapshot(pair) for pair in self.session.markets))
        for pair in self.session.markets:
            self.say(trades(pair, 100, 2, "snapshot"))
            self.say(
                f'{{"channel":"ticker","type":"snapshot","data":[{{"symbol":"{pair}","bid":85000.0,'
                f'"ask":85001.0,"last":85000.5}}]}}',
                f'{{"channel":"ohlc","type":"snapshot","data":[{{"symbol":"{pair}","open":85000.0,'
                f'"high":85002.0,"low":84999.0,"close":85001.0,"trades":3,"volume":0.3,'
                f'"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1}}]}}',
            )


def live(pairs: Sequence[str] = ("BTC/EUR",)) -> Exchange:
    exchange = Exchange(pairs)
    exchange.go_live()
    exchange.wait(0.1)
    exchange.out.clear()
    return exchange


def published(out: Sequence[Out], kind: type[Any]) -> list[Any]:
    return [i.frame for i in out if isinstance(i, Publish) and isinstance(i.frame, kind)]


def notes(out: Sequence[Out]) -> list[str]:
    return [item.event for item in out if isinstance(item, Note)]
