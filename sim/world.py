"""Virtual time: exchange, feed and strategy in one process, on one heap, by one seed.

The three are the objects that run live; only the wires between them are made up (sim/wires.py).
Whoever has mail or whose `wake_at` has come is stepped. The same start and the same fate give the
same run, to the last message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from feed import mail as feed_mail
from feed.market import settings_of as feed_settings
from feed.session import Session as FeedSession
from shared import frames
from shared.config import ApiKey, Config
from shared.kraken.rest import make_signer
from shared.orders import Clock, Filled
from shared.units import SECOND, Ns
from sim.build import DEFAULT_SWITCHES, build
from sim.engine.values import Switches
from sim.memory_ledger import DiskFullError, MemoryLedger
from sim.sources import Source
from sim.wires import Fate, Owner, Steady, Wires
from strategy.core.memory import Memory, Start, stamp_of
from strategy.core.out import Report, StopAsked, Stopped, Tell
from strategy.core.pipeline import Core
from strategy.journaling import fingerprint
from strategy.session import mail as line_mail
from strategy.session.session import Session as PrivateSession
from strategy.trader import NONCE_FACT, Commit, In, Out, Trader

BEGIN: Final = Ns(1_000 * SECOND)
WALL: Final = Ns(1_790_000_000 * SECOND)  # 2026-09-21, 13:33 UTC

STANDSTILL: Final = 10_000
"""Turns at one moment without time passing: a loop between machines, our own fault."""


class Watcher(Protocol):
    """Who looks on. It may raise; it must change nothing."""

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """The strategy has made a step; nothing of its outbox has left yet."""
        ...

    def published(self, now: Ns, frame: frames.FeedFrame) -> None:
        """The feed has published a frame."""
        ...

    def turned(self, now: Ns) -> None:
        """Everything that was due at this moment has happened."""
        ...


class World:
    """One exchange and one house around it, in virtual time."""

    def __init__(
        self,
        config: Config,
        begin: Ns = BEGIN,
        wall: Ns = WALL,
        source: Source | None = None,
        fate: Fate | None = None,
        switches: Switches = DEFAULT_SWITCHES,
        tier: str = "pro",
        watched: bool = True,
    ) -> None:
        """begin, wall: the same moment in boot time and in wall time.

        source: the configured pair's market, where the configuration does not say it.
        fate: what fails; nothing, where it is not given. tier: of the account's rate limits.
        watched: whether the strategy makes its view for people, twice a second at the most.
        """
        self.config = config
        self.now = begin
        self._wall_lead = Ns(wall - begin)
        self._watched = watched
        self._key = ApiKey("world", "c2ltdWxhdGVk")
        self.venue = build(
            *(config, self._key, begin, wall),
            pairs=config.symbols,
            source=source,
            switches=switches,
            tier=tier,
        )
        self.exchange = self.venue.exchange
        self.fate = fate or Steady()
        self.wires = Wires(self.venue, self, self.fate)
        self.wires.now, self.wires.wall = begin, wall
        self.opening_fills = frozenset(self.exchange.trades)
        self.ledger = MemoryLedger()
        self.trader: Trader | None = None
        self.feed: FeedSession | None = None
        self.status: frames.Status | None = None
        self.stopped: Stopped | None = None
        self.tells: list[tuple[Ns, Tell]] = []
        self.digest = 0
        self.steps = 0
        self.feed_heard_at = Ns(0)  # when a text last reached the feed
        self.frozen: dict[Owner, Ns] = {}  # a process that is stopped, and until when
        self.lives = 0
        self.born_at = begin  # when the strategy began its life
        self.died_at = begin  # when the strategy last ended, for whatever reason
        self.watcher: Watcher | None = None
        self.on_frame: Callable[[Ns, bytes, frames.Frame], None] | None = None
        # A Machine's wake_at changes only when it is stepped: asked once for each step.
        self._venue_due: int = begin
        self._venue_turns = -1
        self._feed_due: int = begin
        self._trader_due: int = begin
        self._count = 0
        self._feed_inbox: list[feed_mail.In] = []
        self._trader_inbox: dict[object, In] = {}

    @property
    def wall(self) -> Ns:
        """The exchange's clock."""
        return Ns(self.now + self._wall_lead)

    # Lives.

    def start_feed(self) -> None:
        self.feed = FeedSession(self.config.symbols, feed_settings(self.config.feed), self.now)
        self._feed_due = self.now

    def start_trader(self) -> bool:
        """A new life of the strategy, with what the ledger remembers; False if one lives."""
        if self.trader is not None or self.ledger.full:
            return False
        wall = Ns(self.wall + self.fate.skew())
        facts = self.ledger.facts
        stamp = stamp_of(wall, facts.get("stamp", ""))
        facts["stamp"] = stamp
        intents = tuple(self.ledger.intents.values())
        coin = self.config.pair.partition("/")[0]
        start = Start(
            self.now, wall, stamp, intents, dict(facts), len(self.ledger.fills),
            booked=self.ledger.booked(),
        )  # fmt: skip
        core = Core(Memory(self.config, start, self.ledger.lots(coin)), watched=self._watched)
        signer = make_signer(self._key.key, self._key.secret)
        nonce = int(facts.get(NONCE_FACT, "0"))
        session = PrivateSession(line_mail.settings_of(self.config), signer, nonce)
        self.trader = Trader(core, session)
        self._trader_inbox.clear()
        self._put_trader(line_mail.Chance(self.fate.chance()))
        self.stopped = None
        self._trader_due = self.now
        self.lives += 1
        self.born_at = self.now
        return True

    def kill_feed(self) -> None:
        self.wires.drop_all("feed")
        self.feed = None
        self._feed_inbox.clear()
        self.frozen.pop("feed", None)

    def kill_trader(self) -> None:
        self.wires.drop_all("trader")
        self.trader = None
        self.died_at = self.now
        self._trader_inbox.clear()
        self.frozen.pop("trader", None)

    def freeze(self, owner: Owner, duration: int) -> None:
        """Stop a process for a while: its mail waits, its time passes."""
        self.frozen[owner] = Ns(self.now + duration)

    def ask(self, item: In) -> None:
        """Put a request of the operator, or a signal, into the strategy's mail."""
        self._put_trader(item)

    def stop_trader(self) -> None:
        self._put_trader(StopAsked("asked"))

    def cut(self, owner: Owner) -> None:
        """Break the line of the feed or of the trader; both sides notice."""
        self.wires.cut(owner)

    # Time.

    def run(self, duration: int, until: Callable[[], bool] | None = None) -> None:
        """Let `duration` ns pass, or less where `until()` becomes true."""
        end = self.now + duration
        turns = 0
        while until is None or not until():
            at = self._next_moment()
            if at > end:
                self._pass(Ns(end))
                self.venue.advance(self.now, self.wall)
                self.wires.collect()
                return
            turns = turns + 1 if at <= self.now else 0
            assert turns < STANDSTILL, "time stands still"
            self._pass(Ns(max(self.now, at)))
            self._turn()

    def _pass(self, now: Ns) -> None:
        self.now = self.wires.now = now
        self.wires.wall = Ns(now + self._wall_lead)

    def _next_moment(self) -> int:
        venue = self.venue
        if venue.turns != self._venue_turns:
            # Asked again only where something of it has moved.
            self._venue_due, self._venue_turns = venue.wake_at(), venue.turns
        at = self._venue_due
        mail = self.wires.next_at()
        if mail is not None and mail < at:
            at = mail
        if self.feed is not None:
            due: int = self.now if self._feed_inbox else self._feed_due
            if self.frozen:
                due = max(due, self.frozen.get("feed", 0))
            if due < at:
                at = due
        if self.trader is not None:
            due = self.now if self._trader_inbox else self._trader_due
            if self.frozen:
                due = max(due, self.frozen.get("trader", 0))
            if due < at:
                at = due
        return at

    def _turn(self) -> None:
        """Everything that is due at this moment: the market, the mail, the machines."""
        now, wires = self.now, self.wires
        if now >= self._venue_due:
            self.venue.advance(now, self.wall)
            wires.collect()
        wires.deliver_due()
        wires.collect()
        if self.frozen:
            self.frozen = {owner: until for owner, until in self.frozen.items() if until > now}
        feed, trader = self.feed, self.trader
        mail = bool(self._feed_inbox)
        if feed is not None and "feed" not in self.frozen and (mail or now >= self._feed_due):
            inbox, self._feed_inbox = self._feed_inbox, []
            for out in feed.step(now, inbox):
                self._post_feed(out)
            self._feed_due = feed.wake_at()
        mail = bool(self._trader_inbox)
        if trader is not None and "trader" not in self.frozen and (mail or now >= self._trader_due):
            self._step_trader(trader)
        wires.collect()
        if self.watcher is not None:
            self.watcher.turned(now)

    def _step_trader(self, trader: Trader) -> None:
        mail = [Clock(Ns(self.wall + self.fate.skew())), *self._trader_inbox.values()]
        self._trader_inbox = {}
        self.steps += 1
        out = trader.step(self.now, mail)
        self._trader_due = trader.wake_at()
        if self.watcher is not None:
            self.watcher.stepped(self.now, mail, out)
        dies_at = self.fate.dies_at(out)
        for item in out if dies_at is None else out[:dies_at]:
            try:
                self._post_trader(item)
            except DiskFullError:
                # The shell ends before any letter of this step leaves.
                dies_at = 0
                break
        if dies_at is not None:
            self.kill_trader()

    # What the wires tell.

    def opened(self, owner: Owner, line: int) -> None:
        if owner == "feed" and self.feed is not None:
            self._feed_inbox.append(feed_mail.LineOpened(line, self.fate.chance()))
        elif owner == "trader":
            self._put_trader(line_mail.LineOpened(line))

    def closed(self, owner: Owner, line: int, why: str) -> None:
        if owner == "feed" and self.feed is not None:
            self._feed_inbox.append(feed_mail.LineClosed(line, why, self.fate.chance()))
        elif owner == "trader":
            self._put_trader(line_mail.Chance(self.fate.chance()))
            self._put_trader(line_mail.LineClosed(line, why))

    def heard(self, owner: Owner, line: int, raw: bytes) -> None:
        if owner == "feed" and self.feed is not None:
            self.feed_heard_at = self.now
            self._feed_inbox.append(feed_mail.Text(line, raw, self.now))
        elif owner == "trader":
            self._put_trader(line_mail.Text(line, raw))

    def _put_trader(self, item: In) -> None:
        if self.trader is not None:
            self._count += 1
            self._trader_inbox[self._count] = item

    def hear_frame(self, frame: frames.FeedFrame) -> None:
        """A frame reaches the strategy; of the books that wait, only the newest of a pair."""
        if self.trader is None:
            return
        if isinstance(frame, frames.Book):
            self._trader_inbox.pop(frame.pair, None)
            self._trader_inbox[frame.pair] = frame
        else:
            self._put_trader(frame)

    # What the machines do.

    def _post_feed(self, out: feed_mail.Out) -> None:
        match out:
            case feed_mail.Publish(topic, frame):
                if self.on_frame is not None:
                    self.on_frame(self.now, topic, frame)
                if self.watcher is not None:
                    self.watcher.published(self.now, frame)
                delay = self.fate.frame(frame)
                if delay is not None:
                    self.wires.later(delay, lambda: self.hear_frame(frame))
            case feed_mail.OpenLine(line):
                self.wires.connect("feed", line)
            case feed_mail.CloseLine(line):
                self.wires.drop("feed", line)
            case feed_mail.SendText(line, raw):
                self.wires.send("feed", line, raw)
            case feed_mail.Note():
                return

    def _post_trader(self, out: Out) -> None:
        match out:
            case Commit(entries):
                self.ledger.commit(entries)
                self.digest = (self.digest * 31 + fingerprint(entries)) % (1 << 64)
            case line_mail.OpenLine(line):
                self.wires.connect("trader", line)
            case line_mail.CloseLine(line):
                self.wires.drop("trader", line)
            case line_mail.SendText(line, data):
                self.wires.send("trader", line, data)
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
        asked_by = self.trader

        def answered(found: tuple[int, bytes] | None) -> None:
            if self.trader is not asked_by:
                return
            if found is None:
                self._put_trader(line_mail.RestFailed(call.job, "ReadTimeout"))
            else:
                self._put_trader(line_mail.RestDone(call.job, *found, self.now))

        self.wires.call(call.request, answered)

    # The truth, for whoever checks.

    def booked(self) -> dict[str, Filled]:
        """The ledger's fills by exec_id."""
        return {exec_id: entry.fill for exec_id, entry in self.ledger.fills.items()}


def minutes(count: float) -> Ns:
    return Ns(int(count * 60 * SECOND))
