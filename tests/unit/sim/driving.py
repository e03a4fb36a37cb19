"""Small worlds for the tests of the simulated exchange: a scripted market, a driven venue."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from shared.config import ApiKey, Config, Home, load
from shared.units import SECOND, Ns
from sim.build import build
from sim.engine.account import Account
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS
from sim.engine.market import Market
from sim.engine.store import SqliteStore
from sim.engine.values import TIERS, Request, Switches
from sim.kraken.signing import sign
from sim.kraken.venue import Host, Venue
from sim.sources import Hit, Quote, Tick

WALL = Ns(1_790_000_000 * SECOND)
BOOT = Ns(1_000 * SECOND)
MID = 850_000
BTC = 100_000_000  # Sats
KEY = ApiKey("test-key", base64.b64encode(b"secret" * 8).decode())


class Scripted:
    """A source that tells what it was given."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []

    def seek(self, position: int) -> None: ...

    def next_at(self) -> int | None:
        return self.ticks[0].at if self.ticks else None

    def until(self, position: int) -> Iterator[Tick]:
        while self.ticks and self.ticks[0].at <= position:
            yield self.ticks.pop(0)

    def opening(self) -> Quote:
        return Quote(0, MID, MID + 1)

    def history(self, seconds: int) -> Iterator[Hit]:
        return iter(())


def make_exchange(
    switches: Switches | None = None, *, eur: int = 10_000, btc: int = 1, tier: str = "pro"
) -> Exchange:
    """An exchange with one scripted market and some money (whole euros, whole coins)."""
    chosen = switches or Switches()
    market = Market(LISTINGS["BTC/EUR"], Scripted(), 0, WALL)
    account = Account(chosen, 1200, 2500)
    exchange = Exchange({"BTC/EUR": market}, account, TIERS[tier], chosen)
    account.post("QDEPOSIT1", WALL, "deposit", "EUR", eur * 10_000, 0)
    account.post("QDEPOSIT2", WALL, "deposit", "BTC", btc * 10**10, 0)
    return exchange


def order(side: str = "buy", price: int = MID - 100, qty: int = 1_000_000, **more: Any) -> Request:
    """A resting limit order of 0.01 BTC unless told otherwise."""
    given = {"pair": "BTC/EUR", "side": side, "order_type": "limit", "price": price, "qty": qty}
    return Request(**{**given, **more})


def trade(exchange: Exchange, at_s: int, taker: str, price: int, qty: int) -> None:
    """Others trade at this price, which is the touch then."""
    source = exchange.markets["BTC/EUR"].source
    assert isinstance(source, Scripted)
    touch = (price - 1, price) if taker == "buy" else (price, price + 1)
    at = at_s * SECOND
    source.ticks += [Quote(at, *touch), Hit(at, taker, price, qty, "market")]
    exchange.advance(at, Ns(WALL + at))


@cache
def _shipped() -> Config:
    return load(Home(Path("/nonexistent")))


def default_config(**demo: Any) -> Config:
    """The configuration as it is shipped, with changes to its [demo]."""
    config = _shipped()
    return replace(config, demo=replace(config.demo, **{"latency_ms": 0, **demo}))


class Driven:
    """A venue with its own time; one call, one answer."""

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        store: SqliteStore | None = None,
        now: Ns = BOOT,
        **demo: Any,
    ) -> None:
        self.now = now
        self._lead = WALL - BOOT
        self.config = default_config(**demo)
        self.venue: Venue = build(
            self.config,
            KEY,
            self.now,
            self.wall,
            store=store,
            pairs=("BTC/EUR",),
            switches=switches or Switches(),
        )
        self._nonce = 0

    @property
    def wall(self) -> Ns:
        return Ns(self.now + self._lead)

    def connect(self, host: Host) -> int:
        conn = self.venue.connect(host, self.now, self.wall)
        assert self.take(conn)[0]["channel"] == "status"
        return conn

    def ask(self, conn: int, method: str, params: Any = None, req_id: int | None = None) -> Any:
        """Send one request; everything that comes back at once."""
        message: dict[str, Any] = {"method": method}
        if params is not None:
            message["params"] = params
        if req_id is not None:
            message["req_id"] = req_id
        return self.say(conn, json.dumps(message))

    def say(self, conn: int, text: str) -> list[dict[str, Any]]:
        self.take(conn)
        self.venue.receive(conn, text, self.now, self.wall)
        return self.take(conn)

    def take(self, conn: int) -> list[dict[str, Any]]:
        return [
            json.loads(text, parse_float=Decimal) if text else {}
            for number, text in self.venue.outbox()
            if number == conn
        ]

    def run(self, seconds: float) -> list[tuple[int, str]]:
        """Let time pass, step by step, as a driver does; what was sent."""
        end = Ns(self.now + int(seconds * SECOND))
        sent = []
        while self.now < end:
            self.now = Ns(min(end, max(self.venue.wake_at(), self.now + 1)))
            self.venue.advance(self.now, self.wall)
            sent += self.venue.outbox()
        return sent

    def get(self, name: str, **fields: Any) -> Any:
        path = f"/0/public/{name}" + (f"?{urlencode(fields)}" if fields else "")
        _, body = self.venue.rest("GET", path, {}, b"", self.now, self.wall)
        return json.loads(body)

    def post(self, name: str, headers: Mapping[str, str] | None = None, **fields: Any) -> Any:
        self._nonce += 1
        body = urlencode({"nonce": self._nonce, **fields}).encode()
        path = f"/0/private/{name}"
        signed = {"API-Key": KEY.key, "API-Sign": sign(KEY.secret, path, str(self._nonce), body)}
        status, found = self.venue.rest(
            "POST", path, {**signed, **(headers or {})}, body, self.now, self.wall
        )
        assert status == 200
        return json.loads(found)

    def token(self) -> str:
        found: str = self.post("GetWebSocketsToken")["result"]["token"]
        return found
