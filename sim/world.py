"""Virtual time: exchange, feed and strategy in one process, on one heap, by one seed.

The three are the objects that run live; only the wires between them are made up here. A delivery
is a moment on the heap; whoever has mail or whose `wake_at` has come is stepped. The same start
gives the same run, to the last message.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from feed import mail as feed_mail
from feed.market import settings_of as feed_settings
from feed.session import Session as FeedSession
from shared import frames
from shared.config import ApiKey, Config
from shared.kraken.rest import make_signer
from shared.orders import Clock, Filled
from shared.units import MILLISECOND, SECOND, Ns
from sim.build import build
from sim.kraken import HANG_UP
from sim.sources import Source
from strategy import session_mail as line_mail
from strategy.core.memory import Memory, Start, stamp_of
from strategy.core.out import Report, StopAsked, Stopped, Tell
from strategy.core.pipeline import Core
from strategy.journaling import fingerprint
from strategy.ledger.entries import (
    Entry,
    FillEntry,
    IntentDone,
    IntentEntry,
    Remember,
)
from strategy.ledger.lots import Lots, coin_of
from strategy.session import Session as PrivateSession
from strategy.trader import Commit, In, Trader

BEGIN: Final = Ns(1_000 * SECOND)
WALL: Final = Ns(1_790_000_000 * SECOND)  # 2026-09-21, 13:33 UTC

WIRE_DELAY: Final = Ns(2 * MILLISECOND)
BUS_DELAY: Final = Ns(200_000)
REST_DELAY: Final = Ns(40 * MILLISECOND)
STANDSTILL: Final = 10_000
"""Turns at one moment without time passing: a loop between machines, our own fault."""


class MemoryLedger:
    """What a ledger remembers between two lives, without a disk."""

    def __init__(self) -> None:
        self.fills: dict[str, FillEntry] = {}
        self.intents: dict[str, IntentEntry] = {}
        self.facts: dict[str, str] = {}
        self.commits = 0

    def commit(self, entries: tuple[Entry, ...]) -> None:
        self.commits += 1
        for entry in entries:
            match entry:
                case FillEntry(fill):
                    assert fill.exec_id not in self.fills, f"{fill.exec_id} booked twice"
                    self.fills[fill.exec_id] = entry
                case IntentEntry(cl_ord_id):
                    assert cl_ord_id not in self.intents, f"{cl_ord_id} used twice"
                    self.intents[cl_ord_id] = entry
                case IntentDone(cl_ord_id):
                    self.intents.pop(cl_ord_id, None)
                case Remember(key, value):
                    self.facts[key] = value
                case _:
                    continue

    def lots(self, coin: str) -> Lots:
        queue = Lots(coin)
        for entry in self.fills.values():
            if coin_of(entry.fill.pair) == coin:
                queue.book(entry.fill)
        return queue


class Parcel(Struct, frozen=True, order=True):
    """Something that arrives at a moment; `number` keeps the order of equal moments."""

    at: Ns
    number: int


class World:
    """One exchange and one house around it, in virtual time."""

    def __init__(
        self, config: Config, begin: Ns = BEGIN, wall: Ns = WALL, source: Source | None = None
    ) -> None:
        """begin, wall: the same moment in boot time and in wall time.

        source: the configured pair's market, where the configuration does not say it.
        """
        self.config = config
        self.now = begin
        self._wall_lead = Ns(wall - begin)
        self._key = ApiKey("world", "c2ltdWxhdGVk")
        self.venue = build(config, self._key, begin, wall, pairs=(), source=source)
        self.exchange = self.venue.exchange
        self.opening_fills = frozenset(self.exchange.trades)
        self.ledger = MemoryLedger()
        self.trader: Trader | None = None
        self.feed: FeedSession | None = None
        self.status: frames.Status | None = None
        self.stopped: Stopped | None = None
        self.tells: list[tuple[Ns, Tell]] = []
        self.digest = 0
        self.steps = 0
        self.on_frame: Callable[[Ns, bytes, frames.Frame], None] | None = None
        self._mail: list[tuple[Parcel, Callable[[], None]]] = []
        self._count = 0
        self._feed_inbox: list[feed_mail.In] = []
        self._trader_inbox: dict[object, In] = {}
        self._lines: dict[int, tuple[str, int]] = {}  # connection -> whose, its line number
        self._conns: dict[tuple[str, int], int] = {}

    @property
    def wall(self) -> Ns:
        return Ns(self.now + self._wall_lead)

    # Lives.

    def start_feed(self) -> None:
        self.feed = FeedSession(self.config.pairs, feed_settings(self.config.feed), self.now)

    def start_trader(self) -> None:
        """A new life of the strategy, with what the ledger remembers."""
        facts = self.ledger.facts
        stamp = stamp_of(self.wall, facts.get("stamp", ""))
        facts["stamp"] = stamp
        intents = tuple(self.ledger.intents.values())
        coin = self.config.pair.partition("/")[0]
        start = Start(self.now, self.wall, stamp, intents, dict(facts), len(self.ledger.fills))
        core = Core(Memory(self.config, start, self.ledger.lots(coin)))
        signer = make_signer(self._key.key, self._key.secret)
        session = PrivateSession(line_mail.settings_of(self.config), signer, self.wall)
        self.trader = Trader(core, session)
        self._trader_inbox.clear()
        self.stopped = None

    def kill_feed(self) -> None:
        self._hang_up_all("feed")
        self.feed = None
        self._feed_inbox.clear()

    def kill_trader(self) -> None:
        self._hang_up_all("trader")
        self.trader = None
        self._trader_inbox.clear()

    def ask(self, item: In) -> None:
        """Put a request of the operator, or a signal, into the strategy's mail."""
        self._put_trader(item)

    def stop_trader(self) -> None:
        self._put_trader(StopAsked("asked"))

    # Time.

    def run(self, duration: int, until: Callable[[], bool] = lambda: False) -> None:
        """Let `duration` ns pass, or less where `until()` becomes true."""
        end = self.now + duration
        turns = 0
        while not until():
            at = self._next_moment()
            if at > end:
                self.now = Ns(end)
                self.venue.advance(self.now, self.wall)
                return
            turns = turns + 1 if at <= self.now else 0
            assert turns < STANDSTILL, "time stands still"
            self.now = max(self.now, at)
            self._turn()

    def _next_moment(self) -> Ns:
        moments = [self.venue.wake_at()]
        if self._mail:
            moments.append(self._mail[0][0].at)
        if self.feed is not None:
            moments.append(self.now if self._feed_inbox else self.feed.wake_at())
        if self.trader is not None:
            moments.append(self.now if self._trader_inbox else self.trader.wake_at())
        return min(moments)

    def _turn(self) -> None:
        """Everything that is due at this moment: the market, the mail, the machines."""
        now = self.now
        if now >= self.venue.wake_at():
            self.venue.advance(now, self.wall)
            self._collect()
        while self._mail and self._mail[0][0].at <= now:
            heapq.heappop(self._mail)[1]()
        self._collect()
        if self.feed is not None and (self._feed_inbox or now >= self.feed.wake_at()):
            inbox, self._feed_inbox = self._feed_inbox, []
            for out in self.feed.step(now, inbox):
                self._post_feed(out)
        trader = self.trader
        if trader is not None and (self._trader_inbox or now >= trader.wake_at()):
            mail = [Clock(self.wall), *self._trader_inbox.values()]
            self._trader_inbox = {}
            self.steps += 1
            for item in trader.step(now, mail):
                self._post_trader(item)
        self._collect()

    # Wires.

    def _later(self, delay: int, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._mail, (Parcel(Ns(self.now + delay), self._count), what))

    def _collect(self) -> None:
        """What the exchange has to say, onto the wires."""
        for conn, text in self.venue.outbox():
            whose = self._lines.get(conn)
            if whose is None:
                continue
            if text == HANG_UP:
                self._hang_up(conn)
                continue
            self._later(WIRE_DELAY, self._deliver(conn, whose, text.encode()))

    def _deliver(self, conn: int, whose: tuple[str, int], raw: bytes) -> Callable[[], None]:
        def deliver() -> None:
            if self._lines.get(conn) != whose:
                return
            if whose[0] == "feed":
                self._feed_inbox.append(feed_mail.Text(whose[1], raw, self.now))
            else:
                self._put_trader(line_mail.Text(whose[1], raw))

        return deliver

    def _put_trader(self, item: In) -> None:
        self._count += 1
        self._trader_inbox[self._count] = item

    def _connect(self, owner: str, line: int) -> None:
        def connect() -> None:
            conn = self.venue.connect(
                "public" if owner == "feed" else "private", self.now, self.wall
            )
            self._lines[conn] = (owner, line)
            self._conns[owner, line] = conn
            if owner == "feed":
                self._feed_inbox.append(feed_mail.LineOpened(line))
            else:
                self._put_trader(line_mail.LineOpened(line))

        self._later(WIRE_DELAY, connect)

    def _send(self, owner: str, line: int, raw: bytes) -> None:
        def receive() -> None:
            conn = self._conns.get((owner, line))
            if conn is not None:
                self.venue.receive(conn, raw.decode(), self.now, self.wall)

        self._later(WIRE_DELAY, receive)

    def _drop(self, owner: str, line: int) -> None:
        conn = self._conns.pop((owner, line), None)
        if conn is not None:
            self._lines.pop(conn, None)
            self.venue.disconnect(conn)

    def _hang_up(self, conn: int) -> None:
        """The exchange closed the connection."""
        owner, line = self._lines.pop(conn)
        self._conns.pop((owner, line), None)
        if owner == "feed" and self.feed is not None:
            self._feed_inbox.append(feed_mail.LineClosed(line, "closed by the exchange"))
        elif owner == "trader" and self.trader is not None:
            self._put_trader(line_mail.LineClosed(line, "closed by the exchange"))

    def _hang_up_all(self, owner: str) -> None:
        for whose, line in [key for key in self._conns if key[0] == owner]:
            self._drop(whose, line)

    def cut(self, owner: str) -> None:
        """Break the line of the feed or of the trader; both sides notice."""
        for key, conn in list(self._conns.items()):
            if key[0] == owner:
                self.venue.disconnect(conn)
                self._hang_up(conn)

    def _post_feed(self, out: feed_mail.Out) -> None:
        match out:
            case feed_mail.Publish(topic, frame):
                if self.on_frame is not None:
                    self.on_frame(self.now, topic, frame)
                self._later(BUS_DELAY, lambda: self.hear_frame(frame))
            case feed_mail.OpenLine(line):
                self._connect("feed", line)
            case feed_mail.CloseLine(line):
                self._drop("feed", line)
            case feed_mail.SendText(line, raw):
                self._send("feed", line, raw)
            case feed_mail.Note():
                return

    def hear_frame(self, frame: frames.FeedFrame) -> None:
        """A frame reaches the strategy; of the books that wait, only the newest of a pair."""
        if self.trader is None:
            return
        if isinstance(frame, frames.Book):
            self._trader_inbox.pop(frame.pair, None)
            self._trader_inbox[frame.pair] = frame
        else:
            self._put_trader(frame)

    def _post_trader(self, out: object) -> None:
        match out:
            case Commit(entries):
                self.ledger.commit(entries)
                self.digest = (self.digest * 31 + fingerprint(entries)) % (1 << 64)
            case line_mail.OpenLine(line):
                self._connect("trader", line)
            case line_mail.CloseLine(line):
                self._drop("trader", line)
            case line_mail.SendText(line, data):
                self._send("trader", line, data)
            case line_mail.RestCall():
                self._rest(out)
            case line_mail.Fatal(why):
                raise AssertionError(why)
            case Report(status):
                self.status = status
            case Tell():
                self.tells.append((self.now, out))
            case Stopped():
                self.stopped = out
            case _:
                return

    def _rest(self, call: line_mail.RestCall) -> None:
        request = call.request
        asked_by = self.trader

        def arrive() -> None:
            status, body = self.venue.rest(
                request.method,
                request.path,
                dict(request.headers),
                request.body,
                self.now,
                self.wall,
            )

            def answer() -> None:
                if self.trader is asked_by:
                    self._put_trader(line_mail.RestDone(call.job, status, body, self.now))

            self._later(REST_DELAY, answer)

        self._later(WIRE_DELAY, arrive)

    # The truth, for whoever checks.

    def booked(self) -> dict[str, Filled]:
        """The ledger's fills by exec_id."""
        return {exec_id: entry.fill for exec_id, entry in self.ledger.fills.items()}


def minutes(count: float) -> Ns:
    return Ns(int(count * 60 * SECOND))
