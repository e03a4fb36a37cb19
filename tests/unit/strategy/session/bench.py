"""A private session, a clock moved by hand, and an exchange that answers by a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

from shared import orders as o
from shared.kraken.rest import make_signer
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.session import mail as m
from strategy.session.session import Session

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "kraken"
WALL = Ns(1_790_000_000 * 10**9)
PAIR_ROW = {
    "altname": "XBTEUR",
    "wsname": "XBT/EUR",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "ordermin": "0.00005",
    "costmin": "0.45",
    "tick_size": "0.1",
    "status": "online",
}
REST: dict[str, Any] = {
    "AssetPairs": {"XXBTZEUR": PAIR_ROW},
    "GetApiKeyInfo": {"permissions": ["modify-trades"]},
    "TradeVolume": {
        "fees": {"XXBTZEUR": {"fee": "0.2500"}},
        "fees_maker": {"XXBTZEUR": {"fee": "0.1200"}},
    },
    "Ticker": {"XXBTZEUR": {"a": ["85000.5", "1", "1.0"], "b": ["84999.5", "1", "1.0"]}},
    "GetWebSocketsToken": {"token": "SECRETTOKEN", "expires": 900},
    "OpenOrders": {"open": {}},
    "ClosedOrders": {"closed": {}, "count": 0},
    "TradesHistory": {"trades": {}, "count": 0},
    "BalanceEx": {"ZEUR": {"balance": "100.0", "hold_trade": "1"}},
    "CancelOrder": {"count": 1},
    "CancelAll": {"count": 2},
    "CancelAllOrdersAfter": {"currentTime": "x", "triggerTime": "y"},
}
T = TypeVar("T")


class Bench:
    """A session, a clock moved by hand, and an exchange that answers by a script."""

    def __init__(self, rest: dict[str, Any] | None = None) -> None:
        made = m.Settings(("BTC/EUR",), Ns(5 * SECOND), Ns(5 * SECOND))
        self.session = Session(made, make_signer("THEKEY", "c2VjcmV0"))
        self.now = Ns(1_000 * SECOND)
        self.rest = {**REST, **(rest or {})}
        self.outs: list[m.SessionOut] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.sequence = {"executions": 0, "balances": 0}

    def step(self, *inbox: m.SessionIn) -> list[m.SessionOut]:
        """Step, and answer every REST call until none is left."""
        clock = o.Clock(Ns(WALL + self.now))
        mail: Sequence[m.SessionIn] = (clock, *inbox)
        made: list[m.SessionOut] = []
        while mail:
            outs = self.session.step(self.now, mail)
            made += outs
            mail = [self._answer(out) for out in outs if isinstance(out, m.RestCall)]
        self.outs += made
        return made

    def _answer(self, call: m.RestCall) -> m.SessionIn:
        name = call.request.path.rpartition("/")[2].partition("?")[0]
        fields = {key: value[0] for key, value in parse_qs(call.request.body.decode()).items()}
        self.calls.append((name, fields))
        found = self.rest[name]
        if callable(found):
            found = found(fields)
        if isinstance(found, Exception):
            return m.RestFailed(call.job, str(found))
        if isinstance(found, str):
            body = json.dumps({"error": [found]})
        else:
            body = json.dumps({"error": [], "result": found})
        return m.RestDone(call.job, 200, body.encode(), self.now)

    def wait(self, duration: int, *inbox: m.SessionIn) -> list[m.SessionOut]:
        self.now = Ns(self.now + duration)
        return self.step(*inbox)

    @property
    def line(self) -> int:
        return [each.line for each in self.outs if isinstance(each, m.OpenLine)][-1]

    def text(self, **body: object) -> m.Text:
        return m.Text(self.line, json.dumps(body).encode())

    def rows(self, *rows: dict[str, Any], channel: str = "executions") -> m.Text:
        self.sequence[channel] += 1
        number = self.sequence[channel]
        kind = "snapshot" if number == 1 else "update"
        return self.text(channel=channel, type=kind, data=list(rows), sequence=number)

    def ack(self, method: str, error: str = "", **result: object) -> m.Text:
        """Answer the newest request of this method."""
        req_id = [each["req_id"] for each in self.sent() if each["method"] == method][-1]
        body: dict[str, Any] = {"method": method, "req_id": req_id, "success": not error}
        return self.text(**body, **({"error": error} if error else {"result": result}))

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(each.data) for each in self.outs if isinstance(each, m.SendText)]

    def greet(self) -> list[m.SessionOut]:
        """Open the line and let the engine say that it is online."""
        self.step()
        self.sequence = {"executions": 0, "balances": 0}
        status = self.text(channel="status", type="update", data=[{"system": "online"}])
        return self.step(m.LineOpened(self.line), status)

    def up(self, *orders: dict[str, Any]) -> list[m.SessionOut]:
        self.greet()
        return self.step(self.rows(*orders), self.rows(EUR, channel="balances"))


EUR = {"asset": "EUR", "balance": 100.5}
ADD = o.AddOrder("g1", "BTC/EUR", Side.BUY, Ticks(800_000), Sats(10_000), WALL)
NEW = {"exec_type": "new", "order_status": "new", "order_id": "O1", "cl_ord_id": "g1"}
FULL = {
    **NEW,
    "symbol": "BTC/EUR",
    "side": "buy",
    "order_qty": 0.0001,
    "limit_price": 80000.0,
    "cum_qty": 0.0,
}
TRADE = {
    "exec_type": "trade",
    "order_status": "partially_filled",
    "order_id": "O1",
    "cl_ord_id": "g1",
    "exec_id": "T1",
    "trade_id": 7,
    "symbol": "BTC/EUR",
    "side": "buy",
    "last_qty": 0.00004,
    "last_price": 80000.0,
    "liquidity_ind": "m",
    "cost": 3.2,
    "cum_qty": 0.00004,
    "fees": [{"asset": "EUR", "qty": 0.0038}],
    "timestamp": "2026-09-25T17:48:26.844359Z",
}
FILLED = o.Filled(
    "T1",
    "O1",
    "g1",
    "BTC/EUR",
    Side.BUY,
    Ticks(800_000),
    Sats(4_000),
    Decimal("3.2"),
    (("EUR", Decimal("0.0038")),),
    Ns(1_790_358_506_844_359_000),
    7,
    True,
)


def of(kind: type[T], outs: Sequence[object]) -> list[T]:
    return [each for each in outs if isinstance(each, kind)]


def events(outs: Sequence[object]) -> list[object]:
    """What the core is told, without what is told beside every ack."""
    beside = (m.Note, m.RestCall, m.SendText, m.OpenLine, m.CloseLine, o.Skew, o.SecondPrice)
    return [each for each in outs if not isinstance(each, beside)]
