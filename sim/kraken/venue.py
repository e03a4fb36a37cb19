"""The exchange's Kraken face: connections, both WebSockets and REST over one engine, silent.

A Venue is driven with (now, wall) and never waits, so that a server can run it in real time and a
scheduler in virtual time:

    conn = venue.connect("private", now, wall)       # greets with a status frame
    venue.receive(conn, text, now, wall)             # one frame of the client
    status, body = venue.rest("POST", path, headers, body, now, wall)
    venue.advance(now, wall)                         # the market, timers, heartbeats
    for conn, text in venue.outbox(): ...            # what is due now, in order
    venue.wake_at()                                  # when to advance at the latest

Rule 1: whatever an input caused is durable in the store before it appears in the outbox.
Rule 2: HANG_UP as text means that the exchange closes the connection.
Rule 3: all that leaves passes `_send`, the one place where a fault can be put in its way
(`tamper`: a function of connection and text that returns the texts to send instead).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, Protocol

from msgspec import Struct

from shared.config import ApiKey
from shared.units import SECOND, Ns
from sim.engine.exchange import Exchange
from sim.engine.liquidity import mix
from sim.engine.values import Event, Exec, LedgerRow, Refused, System, SystemChanged
from sim.kraken.private import PrivateFace
from sim.kraken.public import PublicFace
from sim.kraken.rest import Call, Rest
from sim.kraken.rest_account import AccountMethods
from sim.kraken.rest_orders import OrderMethods
from sim.kraken.tokens import Tokens
from sim.kraken.wire import Ask, malformed, read_ask, refusal, stamp

HANG_UP: Final = ""
Host = Literal["public", "private"]
Tamper = Callable[[int, str], list[str]]

_BEAT_NS: Final = SECOND
_IDLE_NS: Final = 60 * SECOND
_SAVE_NS: Final = SECOND
_HEARTBEAT: Final = '{"channel":"heartbeat"}'
_OF_THE_ACCOUNT: Final = frozenset({Exec, LedgerRow})


class Store(Protocol):
    """Where the account is kept."""

    def save(self, exchange: Exchange, position: int) -> None:
        """Write down, in one transaction, what changed since the last time."""
        ...


class Line(Struct):
    """One WebSocket connection."""

    host: Host
    number: int  # the connection_id that the status frame tells
    heard_at: Ns
    beat_at: Ns


def _due_of(line: Line) -> int:
    """When a line is owed a heartbeat or, without any subscription, is closed."""
    return line.beat_at or line.heard_at + _IDLE_NS


class Venue:
    """An exchange with its connections."""

    def __init__(
        self,
        exchange: Exchange,
        key: ApiKey,
        now: Ns,
        *,
        position: int = 0,
        latency_ns: int = 0,
        store: Store | None = None,
        guests: Sequence[ApiKey] = (),
        rights: Sequence[str] = (),
        killers: Sequence[ApiKey] = (),
    ) -> None:
        """guests: further keys of the same account, each with a nonce of its own.

        killers: keys of it that may cancel orders and nothing else.

        rights: what all of them say they may do; () = what trading needs.
        """
        self.exchange = exchange
        self.tamper: Tamper | None = None
        self.witness: Callable[[list[Event]], None] | None = None  # told what happened, as it does
        self._store = store
        self._begin = now
        self._position = position
        self._latency = latency_ns
        self._lines: dict[int, Line] = {}
        self._count = 0
        self._now = now
        self._wall_lead = 0  # by how much the wall is ahead of now
        self._due: deque[tuple[Ns, int, str]] = deque()  # of private lines, by latency
        self._out: list[tuple[int, str]] = []
        self._save_at = now
        self.turns = 0  # counts what may have moved `wake_at`
        tokens = Tokens(key.secret)
        self._public = PublicFace(exchange, self._send)
        self._private = PrivateFace(exchange, tokens, self._send)
        private = {
            **AccountMethods(exchange, tokens, rights).table(),
            **OrderMethods(exchange).table(),
        }
        self._rest = Rest(exchange, (key, *guests), private, killers)
        self.tokens = tokens

    def position(self, now: Ns) -> int:
        """Market time: ns since the market opened, standing still while the exchange is down."""
        return self._position + now - self._begin

    def connect(self, host: Host, now: Ns, wall: Ns) -> int:
        """A client has connected; its number."""
        self._now = now
        self.turns += 1
        self._count += 1
        number = (mix(self._count) << 32 | mix(self._count ^ 0x5BD1E995) | 1 << 63) & (2**64 - 1)
        self._lines[self._count] = Line(host, number, now, Ns(0))
        self._send(self._count, self._status(number))
        return self._count

    def host(self, conn: int) -> Host:
        """On which of its two addresses this client, connected now, is."""
        return self._lines[conn].host

    def transfer(self, asset: str, units: int, now: Ns, wall: Ns) -> None:
        """Coins or money come (units above 0) or go by the owner's hand, in ledger units."""
        self.advance(now, wall)
        self.exchange.transfer(asset, units, wall)
        self._publish(self._commit(now), wall)

    def withdraw(self, step: str, asset: str, units: int, now: Ns, wall: Ns) -> None:
        """The owner takes coins or money out. step: "" = begin, "success", "cancel": the oldest."""
        self.advance(now, wall)
        if step:
            self.exchange.end_withdrawal(wall, done=step == "success")
        else:
            self.exchange.withdraw(asset, units, 0, wall)
        self._publish(self._commit(now), wall)

    def disconnect(self, conn: int) -> None:
        """A client is gone. Its orders stay: a line that drops cancels nothing."""
        if self._lines.pop(conn, None) is not None:
            self.turns += 1
            self._public.drop(conn)
            self._private.drop(conn)

    def receive(self, conn: int, text: str, now: Ns, wall: Ns) -> None:
        """One text frame of a client."""
        line = self._lines.get(conn)
        if line is None:
            return
        self.advance(now, wall)
        line.heard_at = now
        try:
            exponents = self.exchange.switches.exponent_numbers
            ask = read_ask(text, wall, exponents=exponents)
        except Refused as refused:
            self._send(conn, malformed(refused.text, wall))
            return
        if ask.method == "ping":
            self._pong(conn, ask, wall)
        elif line.host == "public":
            self._public.handle(conn, ask, wall)
        else:
            answers = self._private.handle(conn, ask, wall)
            events = self._commit(now)
            for found in answers:
                self._send(conn, found)
            self._publish(events, wall)
        self._begin_beat(line, conn, now)

    def rest(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        now: Ns,
        wall: Ns,
    ) -> tuple[int, bytes]:
        """One HTTP request; header names in any case. HTTP status and JSON body."""
        self.advance(now, wall)
        lower = {name.lower(): value for name, value in headers.items()}
        found = self._rest.handle(Call(method, path, lower, body), wall)
        self._publish(self._commit(now), wall)
        return found

    def advance(self, now: Ns, wall: Ns) -> None:
        """Let time pass up to now."""
        self._now = now
        self._wall_lead = wall - now
        self.turns += 1
        self.exchange.advance(self.position(now), wall)
        self._publish(self._commit(now), wall)
        late = [conn for conn, line in self._lines.items() if now >= _due_of(line)]
        for conn in late:
            line = self._lines[conn]
            if line.beat_at:
                self._send(conn, _HEARTBEAT)
                # Unconditional and on its own grid; what a stall missed is not made up.
                line.beat_at = Ns(max(line.beat_at + _BEAT_NS, now))
            else:
                self._send(conn, HANG_UP)
                self.disconnect(conn)

    def set_system(self, system: System, now: Ns, wall: Ns) -> None:
        """Change the engine's state, as maintenance does; every line is told."""
        self.advance(now, wall)
        self.exchange.set_system(system, wall)
        self._publish(self._commit(now), wall)

    def outbox(self) -> list[tuple[int, str]]:
        """What is due to be sent, in order; it is handed out once."""
        while self._due and self._due[0][0] <= self._now:
            _, conn, text = self._due.popleft()
            self._out.append((conn, text))
            self.turns += 1
        if not self._out:
            return []
        found, self._out = self._out, []
        return found

    def wake_at(self) -> Ns:
        """The moment at which something happens by itself."""
        position, wall = self.exchange.wake_at()
        moments: list[int] = [self._save_at] if self._store is not None else []
        if position is not None:
            moments.append(position - self._position + self._begin)
        if wall is not None:
            # The wall keeps pace with now; how far apart they are was said at the last step.
            moments.append(wall - self._wall_lead)
        if self._due:
            moments.append(self._due[0][0])
        moments += map(_due_of, self._lines.values())
        return Ns(min(moments, default=self._now + SECOND))

    def close(self, now: Ns) -> None:
        """Write down where the market stands."""
        self._save_at = now
        self._commit(now)

    def _pong(self, conn: int, ask: Ask, wall: Ns) -> None:
        if ask.params is not None:
            error = "Unsupported field: 'params' for the given msg type: ping"
            self._send(conn, refusal(ask, wall, error))
            return
        req_id = f'"req_id":{ask.req_id},' if ask.req_id is not None else ""
        self._send(
            conn,
            f'{{"method":"pong",{req_id}"time_in":"{stamp(ask.time_in)}",'
            f'"time_out":"{stamp(wall)}"}}',
        )

    def _begin_beat(self, line: Line, conn: int, now: Ns) -> None:
        face = self._public if line.host == "public" else self._private
        if not face.subscribed(conn):
            line.beat_at = Ns(0)
        elif not line.beat_at:
            line.beat_at = Ns(now + _BEAT_NS)

    def _commit(self, now: Ns) -> list[Event]:
        """Make what happened durable and hand over the events."""
        exchange = self.exchange
        events = exchange.take_events()
        if self.witness is not None and events:
            self.witness(events)
        if self._store is None:
            exchange.forget_changes()
            return events
        if exchange.is_dirty() or now >= self._save_at:
            self._save_at = Ns(now + _SAVE_NS)
            self._store.save(exchange, self.position(now))
            exchange.forget_changes()
        return events

    def _publish(self, events: list[Event], wall: Ns) -> None:
        if not events:
            return
        self._public.publish(events, wall)
        if any(type(event) in _OF_THE_ACCOUNT for event in events):
            self._private.publish(events, wall)
        if any(type(event) is SystemChanged for event in events):
            for conn, line in self._lines.items():
                self._send(conn, self._status(line.number))

    def _status(self, number: int) -> str:
        return (
            f'{{"channel":"status","type":"update","data":[{{"version":"2.0.10",'
            f'"system":"{self.exchange.system}","api_version":"v2","connection_id":{number},'
            f'"upcoming_maintenance":[],"emergency":[]}}]}}'
        )

    def _send(self, conn: int, text: str) -> None:
        line = self._lines.get(conn)
        if line is None:
            return
        for found in self.tamper(conn, text) if self.tamper is not None else (text,):
            if self._latency and line.host == "private":
                self._due.append((Ns(self._now + self._latency), conn, found))
            else:
                self._out.append((conn, found))
