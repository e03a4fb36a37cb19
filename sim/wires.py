"""The wires of a virtual world: connections, REST and the bus between our machines.

Rule 1: what travels is delayed, lost or altered only as a `Fate` says; `Steady` is a good line.
Rule 2: one direction of one connection keeps its order, unless the fate lets a text step out.
Rule 3: what a process sent before it died arrives all the same; its answers go to nobody.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from msgspec import Struct

from shared.frames import FeedFrame
from shared.kraken.rest import Request
from shared.units import MILLISECOND, SECOND, Ns
from sim.kraken.venue import HANG_UP, Venue

WIRE_DELAY: Final = Ns(2 * MILLISECOND)
BUS_DELAY: Final = Ns(200_000)
REST_DELAY: Final = Ns(40 * MILLISECOND)
GIVEN_UP: Final = Ns(60 * SECOND)
"""After this the exchange drops a connection that nobody reads any more."""

Owner = Literal["feed", "trader"]


class Hop(Struct, frozen=True):
    """One text that arrives after `delay` ns; `ordered` false lets later ones overtake it."""

    text: str
    delay: int = WIRE_DELAY
    ordered: bool = True


Ways = tuple[Sequence[Hop], Sequence[Hop]]


class Answer(Struct, frozen=True):
    """What becomes of one REST call.

    executed: whether the exchange carries it out. instead: what is answered whatever it says.
    alter: changes the body that it answers. lost: nothing is answered.
    """

    executed: bool = True
    instead: tuple[int, bytes] | None = None
    alter: Callable[[bytes], bytes] | None = None
    lost: bool = False
    delay: int = REST_DELAY


class Fate(Protocol):
    """Who decides what becomes of everything that travels."""

    def inbound(self, owner: Owner, conn: int, text: str) -> Sequence[Hop]: ...

    def outbound(self, owner: Owner, conn: int, text: str) -> Ways:
        """What goes on to the exchange, and what is answered without it."""
        ...

    def connecting(self, owner: Owner) -> str:
        """Why a connection cannot be made; "" where it can."""
        ...

    def frame(self, frame: FeedFrame) -> int | None:
        """The delay of a frame on the bus; None where it is lost."""
        ...

    def rest(self, request: Request) -> Answer: ...

    def dies_at(self, out: Sequence[object]) -> int | None:
        """How many items of a step's outbox the strategy hands over before it is killed."""
        ...

    def skew(self) -> int:
        """The strategy's wall clock less the exchange's, ns."""
        ...

    def chance(self) -> float: ...


class Steady:
    """A world in which nothing fails."""

    def inbound(self, owner: Owner, conn: int, text: str) -> Sequence[Hop]:
        return (Hop(text),)

    def outbound(self, owner: Owner, conn: int, text: str) -> Ways:
        return (Hop(text),), ()

    def connecting(self, owner: Owner) -> str:
        return ""

    def frame(self, frame: FeedFrame) -> int | None:
        return BUS_DELAY

    def rest(self, request: Request) -> Answer:
        return Answer()

    def dies_at(self, out: Sequence[object]) -> int | None:
        return None

    def skew(self) -> int:
        return 0

    def chance(self) -> float:
        return 0.0


class Client(Protocol):
    """What one of our processes is told of its lines."""

    def opened(self, owner: Owner, line: int) -> None: ...

    def closed(self, owner: Owner, line: int, why: str) -> None: ...

    def heard(self, owner: Owner, line: int, raw: bytes) -> None: ...


class Wire(Struct):
    """One connection. `free_in`, `free_out`: when each direction is free of what travels on it."""

    owner: Owner
    line: int
    conn: int
    free_in: int = 0
    free_out: int = 0
    dead: bool = False  # half-open: nothing passes, and nobody is told


class Wires:
    """All lines, and everything that is on its way. `log` is a hash over all that passed."""

    def __init__(self, venue: Venue, client: Client, fate: Fate) -> None:
        self.venue = venue
        self.fate = fate
        self.now = Ns(0)
        self.wall = Ns(0)
        self.log = hashlib.blake2b(digest_size=8)
        self._client = client
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._by_conn: dict[int, Wire] = {}
        self._by_line: dict[tuple[Owner, int], Wire] = {}

    # Time.

    def later(self, delay: int, what: Callable[[], None]) -> None:
        self._at(self.now + delay, what)

    def _at(self, at: int, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._mail, (at, self._count, what))

    def next_at(self) -> int | None:
        return self._mail[0][0] if self._mail else None

    def deliver_due(self) -> None:
        mail, now = self._mail, self.now
        while mail and mail[0][0] <= now:
            heapq.heappop(mail)[2]()

    def note(self, what: bytes) -> None:
        """Something that passed, for the hash of the run."""
        self.log.update(self.now.to_bytes(8, "little") + what)

    # Lines.

    def connect(self, owner: Owner, line: int) -> None:
        def connect() -> None:
            why = self.fate.connecting(owner)
            if why:
                self._client.closed(owner, line, why)
                return
            host: Literal["public", "private"] = "public" if owner == "feed" else "private"
            conn = self.venue.connect(host, self.now, self.wall)
            wire = Wire(owner, line, conn)
            self._by_conn[conn] = self._by_line[owner, line] = wire
            self._client.opened(owner, line)

        self.later(WIRE_DELAY, connect)

    def send(self, owner: Owner, line: int, raw: bytes) -> None:
        """From a process of ours to the exchange."""
        wire = self._by_line.get((owner, line))
        if wire is None:
            return
        self.note(raw)
        if wire.dead:
            return
        there, back = self.fate.outbound(owner, wire.conn, raw.decode())
        for hop in there:
            at = self.now + hop.delay
            if hop.ordered:
                at = wire.free_out = max(at, wire.free_out)
            self._at(at, self._arrive(wire.conn, hop.text))
        for hop in back:
            self.tell(wire, hop)

    def _arrive(self, conn: int, text: str) -> Callable[[], None]:
        return lambda: self.venue.receive(conn, text, self.now, self.wall)

    def collect(self) -> None:
        """What the exchange has to say, onto the wires."""
        for conn, text in self.venue.outbox():
            wire = self._by_conn.get(conn)
            if wire is None or wire.dead:
                continue
            if text == HANG_UP:
                self._by_conn.pop(conn)
                self._close_client(wire, "closed by the exchange")
                continue
            for hop in self.fate.inbound(wire.owner, conn, text):
                self.tell(wire, hop)

    def tell(self, wire: Wire, hop: Hop) -> None:
        """A text to one of our processes, by its line."""
        at = self.now + hop.delay
        if hop.ordered:
            at = wire.free_in = max(at, wire.free_in)
        self._at(at, self._deliver(wire, hop.text.encode()))

    def _deliver(self, wire: Wire, raw: bytes) -> Callable[[], None]:
        def deliver() -> None:
            if self._by_line.get((wire.owner, wire.line)) is wire and not wire.dead:
                self.note(raw)
                self._client.heard(wire.owner, wire.line, raw)

        return deliver

    def drop(self, owner: Owner, line: int) -> None:
        """A process of ours closed a line, or died; what it sent before is still on its way."""
        wire = self._by_line.pop((owner, line), None)
        if wire is None:
            return
        at = max(self.now + WIRE_DELAY, wire.free_out)
        self._at(at + (GIVEN_UP if wire.dead else 0), self._leave(wire.conn))

    def drop_all(self, owner: Owner) -> None:
        for wire in self.of(owner):
            self.drop(owner, wire.line)

    def _leave(self, conn: int) -> Callable[[], None]:
        def leave() -> None:
            self._by_conn.pop(conn, None)
            self.venue.disconnect(conn)

        return leave

    def of(self, owner: Owner) -> list[Wire]:
        """The lines that a process of ours holds open, oldest first."""
        return [wire for wire in self._by_line.values() if wire.owner == owner]

    def cut(self, owner: Owner) -> None:
        """Break the lines of a process; both sides notice, and what was under way is lost."""
        for wire in self.of(owner):
            self._by_conn.pop(wire.conn, None)
            self.venue.disconnect(wire.conn)
            self._close_client(wire, "cut")

    def part(self, owner: Owner) -> None:
        """Our side loses its lines at once; what it sent before still arrives, late if stalled."""
        for wire in self.of(owner):
            self._at(max(self.now + WIRE_DELAY, wire.free_out), self._leave(wire.conn))
            self._close_client(wire, "reset")

    def _close_client(self, wire: Wire, why: str) -> None:
        if self._by_line.get((wire.owner, wire.line)) is wire:
            del self._by_line[wire.owner, wire.line]
            self._client.closed(wire.owner, wire.line, why)

    def half_open(self, owner: Owner) -> None:
        """The lines of a process are dead in both directions, and nobody is told."""
        for wire in self.of(owner):
            wire.dead = True

    def stall(self, owner: Owner, duration: int) -> None:
        """What travels from now on arrives late, in order, all at once."""
        for wire in self.of(owner):
            until = self.now + duration
            wire.free_in, wire.free_out = max(wire.free_in, until), max(wire.free_out, until)

    # REST.

    def call(self, request: Request, answered: Callable[[tuple[int, bytes] | None], None]) -> None:
        """One request; `answered` is told status and body, or None where nothing comes."""
        fate = self.fate.rest(request)
        self.note(request.path.encode() + request.body)

        def arrive() -> None:
            found: tuple[int, bytes] | None = None
            if fate.executed:
                status, body = self.venue.rest(
                    request.method,
                    request.path,
                    dict(request.headers),
                    request.body,
                    self.now,
                    self.wall,
                )
                found = status, body if fate.alter is None else fate.alter(body)
            if fate.instead is not None:
                found = fate.instead

            def answer() -> None:
                if found is not None:
                    self.note(found[1])
                answered(None if fate.lost else found)

            self.later(fate.delay, answer)

        self.later(WIRE_DELAY, arrive)
