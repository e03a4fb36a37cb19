"""The house of a backtest: the core that trades live, before the simulated exchange's matching.

Between the two there is no JSON: commands and events are handed over as they are (shared/orders),
each as late as the latency says. Time is the data's own.

Rule 1: the core is the production core and is stepped as live: mail first, then one tick.
Rule 2: the market is told what happened, never what will; an order can fill only by what is told
after it has reached the exchange.
Rule 3: what is over is forgotten, on both sides: a long history needs no more memory than a short
one. Fills are told in their order, so nothing asks for it again.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from typing import Final, Protocol, TypeGuard, get_args

from msgspec.structs import replace

from shared import control, frames, orders
from shared.config import Config
from shared.units import SECOND, Ns, Ticks
from sim.backtest.parts import Point, Terms, adapted
from sim.backtest.points import Points
from sim.backtest.venue import Venue
from sim.sources import Hit, Quote, Tick
from strategy.core.bulk import Learned
from strategy.core.memory import Memory, Start, stamp_of
from strategy.core.out import In
from strategy.core.pipeline import Core
from strategy.core.quiet import Band
from strategy.ledger.lots import Lots

BEGIN: Final = Ns(1_000 * SECOND)
"""House time at which the data begins."""

SETTLED_AT_ONCE: Final = 256
"""Fills after which the core forgets what only one told late would ask for (Rule 3)."""

_ALL: Final = 1 << 60  # Sats: whoever stands at the price is filled
_COMMANDS: Final = frozenset(get_args(orders.Command))
_ABOUT_ORDERS: Final = frozenset(
    (orders.AddOrder, orders.AmendOrder, orders.CancelOrder, orders.CancelAll)
)


class Watcher(Protocol):
    """Who keeps what a report needs (sim/backtest/course.py)."""

    def filled(self, fill: orders.Filled) -> None: ...

    def passed(self, points: Points, lead: int, coins: int, money: int) -> None:
        """`priced` for each of these points, whose wall is `lead` later."""
        ...

    def stepped(self, wall: Ns, memory: Memory) -> None: ...

    def priced(self, wall: Ns, price: int, coins: int, money: int) -> None:
        """Ticks; the account's Sats and its money in units (Ticks x Sats), holds included."""
        ...


class House:
    """One account, one core and one market, in the data's time."""

    def __init__(
        self,
        config: Config,
        terms: Terms,
        wall: Ns,
        price: int,
        interval: int,
        watch: Watcher,
        *,
        skip: bool = True,
    ) -> None:
        """wall, price: of the first row. interval: length of the bars, ns; 0 for trades.

        skip: leave out steps that provably change nothing (strategy/core/quiet.py).
        """
        self.config = adapted(config, interval)
        # What comes of a moment comes after all that happens in it, be it by a nanosecond.
        self.terms = replace(terms, latency=max(terms.latency, Ns(1)))
        self.interval = interval
        self.venue = Venue(config, terms, wall, price)
        self.market, self.pair = self.venue.market, self.venue.pair
        self._watch = watch
        self.lead = wall - BEGIN
        start = Start(BEGIN, wall, stamp_of(wall, ""), kept=False)
        self.core = Core(Memory(self.config, start, Lots(self.pair.base)), watched=False)
        self.now = BEGIN
        self.steps = 0
        self._mail: list[tuple[int, int, Sequence[orders.Command], Sequence[In]]] = []
        self._count = 0
        self._seq = 0
        self._digest = hashlib.blake2b(digest_size=8)
        self._halted_at = Ns(0)
        self.halts = 0
        self._band: Band | None = None
        self._sought = True
        self.skips = skip
        self._settled = 0  # fills that the core knows for good
        self._post(self.now, *self.venue.greeting(wall))

    @property
    def wall(self) -> Ns:
        return Ns(self.now + self.lead)

    @property
    def digest(self) -> str:
        """Of every command and every fill, with their moments."""
        return self._digest.hexdigest()

    # What the market does.

    def tell(self, point: Point) -> None:
        """The market is at this price: the exchange fills, and the core will hear of it."""
        at, price, bid, bought, qty = point
        now, fill = Ns(at), self.terms.fill
        when = now - BEGIN
        ticks: list[Tick] = [Quote(when, bid, bid + 1)]
        if fill == "touch" or (fill == "queue" and qty):
            side = "buy" if bought else "sell"
            ticks.append(Hit(when, side, price, qty if fill == "queue" else _ALL, "market"))
        self._tell_ticks(now, price, ticks)

    def quote(self, now: Ns, bid: int, ask: int) -> None:
        """The touch moved, as a book told it."""
        self._tell_ticks(now, (bid + ask) // 2, [Quote(now - BEGIN, bid, ask)])

    def _tell_ticks(self, now: Ns, price: int, ticks: list[Tick]) -> None:
        self.run_until(now)
        venue = self.venue
        if venue.tell(ticks, now - BEGIN, self.wall):
            self._collect(venue.hear(self.wall))
        # At its own moment: the core may have ticked beyond it, where nothing followed from it.
        self._watch.priced(Ns(now + self.lead), price, venue.coins, venue.money)
        self._post(now + self.terms.latency)  # a book alone

    @property
    def mail_at(self) -> Ns | None:
        """When the next mail arrives; None where none is on its way."""
        return Ns(self._mail[0][0]) if self._mail else None

    @property
    def band(self) -> Band | None:
        """Inside it ticks are learned from, not run; sought when somebody asks, after each tick."""
        if not self._sought and self.skips:
            band = self.core.quiet_band()
            if band is not None and self.core.memory.halt:
                resumes = Ns(self._halted_at + self.terms.resume_after)
                band = replace(band, until=min(band.until, resumes))
            self._band, self._sought = band, True
        return self._band

    def leave_band(self) -> None:
        """The next tick changes something: it has to be run."""
        self._band, self._sought = None, True

    def ends_at(self, at: int, bid: int) -> bool:
        """Whether a band surely ends with the market's next bid: it reaches an order of ours."""
        orders = self.core.memory.first.open
        reached = not orders.highest_buy < bid < orders.lowest_sell - 1
        # The core may tick by itself before it.
        return reached and at + self.terms.latency <= self.core.wake_at()

    def learn(self, nows: Sequence[Ns], mids: Sequence[float], band: Band) -> Learned:
        """Let the core learn from the first of these ticks, which lie in the band."""

        def book(place: int) -> frames.Book:
            bid = int(mids[place])
            return self._book(bid, bid + 1, nows[place])

        learned = self.core.learn(nows, mids, book, band.kinds)
        memory = self.core.memory
        if band.refused and learned.ticks:
            memory.count("gated", band.refused * learned.ticks)
        if band.kinds and learned.ticks:
            self._watch.stepped(Ns(nows[learned.ticks - 1] + self.lead), memory)
        return learned

    def passed(self, points: Points, now: Ns) -> None:
        """The market went through these, the core has learned until now, nothing else happened."""
        if points.bids:
            bid = points.bids[-1]
            self.market.liquidity.move(bid, bid + 1)
            self._watch.passed(points, self.lead, self.venue.coins, self.venue.money)
            if self.terms.fill != "through":
                self.market.trade_count += len(points.bids)  # the tape numbers what was traded
        self.now = now

    # Time.

    def run_until(self, now: Ns) -> None:
        """Deliver what is due up to this moment, and let the core tick."""
        core, mail = self.core, self._mail
        while True:
            at = mail[0][0] if mail else now + 1
            wake = core.wake_at()
            if wake < at:
                if wake > now:
                    break
                self.now = max(self.now, wake)
                self._step([])
                continue
            if at > now:
                break
            self._deliver(Ns(at))
        self.now = max(self.now, now)

    def finish(self) -> None:
        """Let what is on its way arrive."""
        self.run_until(Ns(self.now + 4 * self.terms.latency + SECOND))

    def _deliver(self, at: Ns) -> None:
        """All mail of one moment: commands reach the exchange, then the core hears the rest."""
        self.now = max(self.now, at)
        inbox: list[In] = []
        heard = False
        while self._mail and self._mail[0][0] <= at:
            _, _, commands, events = heapq.heappop(self._mail)
            if commands:
                self._obey(commands)
                continue
            inbox += events
            heard = True
        if heard:
            self._step(inbox)

    def _step(self, inbox: list[In]) -> None:
        now, wall = self.now, self.wall
        bid, ask = self.venue.touch()
        second = orders.SecondPrice(self.pair.symbol, Ticks(bid), Ticks(ask), now)
        memory = self.core.memory
        memory.wall = wall
        book = self._book(bid, ask, now)
        out = self.core.step(now, [orders.Clock(wall), *inbox, book, second])
        self.steps += 1
        commands = [item for item in out if _is_command(item)]
        if commands:
            self._send(commands)
        self._watch.stepped(wall, memory)
        if memory.fills >= self._settled + SETTLED_AT_ONCE:
            self._settled = memory.fills
            memory.lots.settle()
            memory.desk.settle()
        if memory.halt:
            self._await_resume(now)
        self._band = None
        self._sought = bool(commands or self._mail)

    def _book(self, bid: int, ask: int, now: Ns) -> frames.Book:
        self._seq += 1
        return frames.Book(
            BEGIN, self._seq, now, now, self.pair.symbol, True, "",
            (bid,), (_ALL,), (ask,), (_ALL,), Ns(now + self.lead),
        )  # fmt: skip

    def _await_resume(self, now: Ns) -> None:
        """The operator looks once a day: a halt ends when he has seen it."""
        if not self._halted_at:
            self._halted_at, self.halts = now, self.halts + 1
        elif now - self._halted_at >= self.terms.resume_after:
            self._halted_at = Ns(0)
            self._count += 1
            name = f"backtest-{self._count}"
            self._post(now, control.Resume(control.CONTROL_VERSION, name, "seen"))

    # Commands.

    def _send(self, commands: Sequence[orders.Command]) -> None:
        letters: list[orders.Command] = []
        for command in commands:
            if type(command) in _ABOUT_ORDERS:
                self._digest.update(repr((self.wall, command)).encode())
                letters.append(command)
            else:
                self._answer(command)
        if letters:
            self._push(self.now + self.terms.latency, letters, ())

    def _answer(self, command: orders.Command) -> None:
        """What changes no order needs no matching: it is answered as of now."""
        at = self.now + 2 * self.terms.latency
        match command:
            case orders.ArmDeadman(timeout_s):
                # Nobody dies in a backtest: the switch is granted and never fires.
                self._post(at, orders.Armed(self.now, timeout_s))
            case orders.AskOrders():
                self._post(at, self.venue.listed(self.now, self.wall))
            case orders.AskEach(asked):
                told = [self.venue.looked(cl_ord_id, self.now) for cl_ord_id, _ in asked]
                self._post(at, *told)

    def _obey(self, commands: Sequence[orders.Command]) -> None:
        """Commands have reached the exchange: what it says of each is on its way, in turn."""
        wall = self.wall
        told: list[orders.Event] = []
        for command in commands:
            answer = self.venue.obey(command, wall)
            if answer is not None:
                told.append(answer)
            told += self.venue.hear(wall)
        self._collect(told)

    # Mail to the core.

    def _collect(self, told: Sequence[orders.Event]) -> None:
        """What the exchange has said is on its way to the core."""
        for event in told:
            if type(event) is orders.Filled:
                what = (event.wall, event.cl_ord_id, event.price, event.qty, event.cost, event.fees)
                self._digest.update(repr(what).encode())
                self._watch.filled(event)
        if told:
            self._post(self.now + self.terms.latency, *told)

    def _post(self, at: int, *events: In) -> None:
        """Mail to the core, which sees the book in any case."""
        self._push(at, (), events)

    def _push(self, at: int, commands: Sequence[orders.Command], events: Sequence[In]) -> None:
        self._count += 1
        heapq.heappush(self._mail, (at, self._count, commands, events))


def _is_command(item: object) -> TypeGuard[orders.Command]:
    return type(item) in _COMMANDS
