"""What must hold in a simulated run: after every step, at the exchange, and at rest.

Rule 1: a check looks from outside: at what travels, at the exchange's truth and at the ledger. It
reads the strategy's own memory only where it says what the strategy believes.
Rule 2: a check that fails raises Violation with its number and the moment; nothing is repaired.

Numbers I1 to I28 are the invariants of the project's reliability catalogue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from feed.market import MISMATCH
from shared import frames
from shared.kraken.checksum import book_checksum
from shared.orders import Filled
from shared.units import MINUTE, SECOND, Ns, Side, price_of
from sim.engine.desk import MET_ITSELF, USER
from sim.engine.instruments import ASSETS
from sim.engine.values import Event, Exec, Order, Print, Trade
from sim.lab.beliefs import Beliefs
from sim.lab.kept import unkept
from sim.lab.letters import CLOCKS_APART, Letters
from sim.lab.paces import Paces
from sim.lab.rested import coins, faults_at_rest, unrest
from sim.lab.shadow import Shadow
from sim.lab.taxes import TaxTruth
from sim.lab.told import Told
from sim.world import World
from strategy.core.lifecycle import Phase
from strategy.core.memory import EXIT_SLOT, is_ours
from strategy.core.slots import State
from strategy.trader import In, Out

SWITCH_GRACE: Final = Ns(10 * SECOND)
BOOKS_KEPT: Final = 400
SETTLED_AFTER: Final = Ns(20 * SECOND)
MONEY_KNOWN: Final = Ns(120 * SECOND)
ALONE_FOR: Final = Ns(15 * MINUTE)
PRICES_APART: Final = 0.01
"""Of the account: what its coins may be worth otherwise at the price that the strategy saw."""
YOUNG: Final = Ns(30 * SECOND)
LATE: Final = Ns(5 * SECOND)
"""By then the last of a book's messages that were held up has arrived."""
ON_ITS_WAY: Final = Ns(SECOND // 2)
SILENT_FOR: Final = Ns(16 * SECOND)


class Violation(Exception):  # noqa: N818 - what a run found, not an error of the simulator
    """`check` names what did not hold."""

    def __init__(self, check: str, text: str) -> None:
        super().__init__(f"{check}: {text}")
        self.check = check


class Expectation(Struct, frozen=True):
    """What an injected fault must lead to, by when; void once a later upheaval hides it."""

    fault: str
    what: str
    due: Ns
    upheaval: int
    holds: Callable[[], bool]


class Checks:
    """Watches one World. `asserted` counts, by fault, what it had to lead to and did."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asserted: dict[str, int] = {}
        self.upheavals = 0  # what makes a single fault's consequence impossible to judge
        self.troubled_at = world.now
        self.declared: dict[str, int] = {}  # what the owner moved in and out, by asset
        self.foreign_trade_at = Ns(-(10**18))
        self.money_moved_at = Ns(-(10**18))  # or was told wrongly
        self.locked_out = False  # the key was: REST answers nothing for a quarter of an hour
        self.killed = False  # the operator had every order cancelled, foreign ones too
        self._expected: list[Expectation] = []
        self._letters = Letters(world, self.fail)
        self._told = Told(world, self._letters, self.fail)
        self._paces = Paces(world, self.fail)
        self._beliefs = Beliefs(world)
        self.shadow: Shadow | None = None  # the real file, in some runs
        self._lives = 0
        self._feed_good_at = world.now
        self._prints: dict[int, Print] = {}
        self._checksums: deque[int] = deque(maxlen=BOOKS_KEPT)
        self._held_since: Ns | None = None
        self._feed_says = ""
        self._shown: tuple[object, ...] = ()
        self._book_begun_at = world.now  # when a whole book was last sent
        self._book_spoiled_at = Ns(0)  # when a message of it was last kept or changed on its way
        self._truth = TaxTruth(world.config.pair.partition("/")[0], world.config.tax)
        for trade in world.exchange.trades.values():
            self._book_truth(trade)
        world.watcher = self
        world.venue.witness = self.happened

    def fail(self, check: str, text: str) -> None:
        at = (self.world.now - 1_000 * SECOND) / SECOND
        raise Violation(check, f"{text} (at {at:.3f} s)")

    # What faults must lead to.

    def upheave(self) -> None:
        """Something happened that hides what single faults lead to."""
        self.upheavals += 1
        self.troubled_at = self.world.now

    def expect(self, fault: str, what: str, within: int, holds: Callable[[], bool]) -> None:
        if self.world.frozen:
            return  # nobody notices anything while he sleeps
        due = Ns(self.world.now + within)
        self._expected.append(Expectation(fault, what, due, self.upheavals, holds))

    def confirm(self, fault: str) -> None:
        """What this fault must lead to was seen."""
        self.asserted[fault] = self.asserted.get(fault, 0) + 1

    @property
    def nonces_refused(self) -> int:
        return self._letters.nonces_refused

    def emptied(self, fault: str, since: Ns) -> None:
        """I19: what rested when a kill was asked for, or was on its way then, rests no more."""
        begun = self.world.wall - (self.world.now - since) + ON_ITS_WAY
        left = [order.cl_ord_id for order in self.ours() if order.opened_wall <= begun]
        if left:
            self.fail("I19", f"{left} rest {(self.world.now - since) / SECOND:.1f} s after a kill")
        self.confirm(fault)

    def _judge(self, now: Ns) -> None:
        kept: list[Expectation] = []
        for each in self._expected:
            if each.upheaval != self.upheavals or self.world.trader is None:
                continue
            if each.holds():
                self.confirm(each.fault)
            elif now > each.due and self._can_know():
                self.fail(each.fault, f"did not happen: {each.what}")
            elif now <= each.due:
                kept.append(each)
        self._expected = kept

    def _can_know(self) -> bool:
        """Whether the strategy could have learned what it should know; else the end judges."""
        trader = self.world.trader
        if trader is None or self.locked_out:
            return False
        return trader.core.memory.phase is Phase.TRADING

    # What the strategy does.

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """A step of the strategy, before anything of it has left."""
        if self.world.lives != self._lives:
            self._lives = self.world.lives
            self._check_file()
        self._letters.stepped(now, inbox, out)
        self._told.stepped(now, inbox, out)
        self._paces.stepped(now, inbox, out)
        if self._expected:
            self._judge(now)

    def _check_file(self) -> None:
        """I20: the ledger's file tells a new life what was written."""
        if self.shadow is not None and (why := self.shadow.unlike()):
            self.fail("ledger", why)

    # What the feed says.

    def genuine(self, text: str) -> None:
        """A book message as the exchange made it, before anything happened to it."""
        start = text.rindex('"checksum":') + 11
        end = start
        while text[end].isdigit():
            end += 1
        self._checksums.append(int(text[start:end]))
        if text.startswith('{"channel":"book","type":"snapshot"'):
            self._book_begun_at = self.world.now

    def spoiled(self) -> None:
        """A book message does not arrive as the exchange made it, or not when it was made."""
        self._book_spoiled_at = self.world.now

    def published(self, now: Ns, frame: frames.FeedFrame) -> None:
        """I14: a valid book is two-sided, not crossed, and one that the exchange had."""
        if isinstance(frame, frames.Trades):
            self._check_tape(frame)
        if not isinstance(frame, frames.Book):
            return
        if frame.heard_at > self.world.feed_heard_at:
            self.fail("I15", "a book is published as younger than the last word about it")
        found, self._feed_says = frame.why != self._feed_says, frame.why
        if found and frame.why == MISMATCH and self._book_begun_at > self._book_spoiled_at + LATE:
            self.fail("F50", "a checksum does not match, and every message came as it was sent")
        if not frame.valid:
            if frame.bids or frame.asks:
                self.fail("I14", "an invalid book has levels")
            return
        self._feed_good_at = now
        if not frame.bids or not frame.asks or frame.bids[0] >= frame.asks[0]:
            self.fail("I14", f"published as valid: {frame.bids[:1]} / {frame.asks[:1]}")
        shown = frame.bids, frame.bid_qtys, frame.asks, frame.ask_qtys
        if shown == self._shown:
            return  # as before: looked at already
        self._shown = shown
        checksum = book_checksum(
            zip(frame.asks, frame.ask_qtys, strict=True),
            zip(frame.bids, frame.bid_qtys, strict=True),
        )
        if checksum not in self._checksums:
            self.fail("I14", "published as valid: a book that the exchange never had")

    def _check_tape(self, frame: frames.Trades) -> None:
        """I14: the feed's trades are the exchange's, each once and in their order."""
        numbers = [trade.trade_id for trade in frame.trades]
        if any(later <= sooner for sooner, later in pairwise(numbers)):
            self.fail("I14", f"the tape is out of order: {numbers}")
        for trade in frame.trades:
            known = self._prints.get(trade.trade_id)
            if known is not None and (known.price, known.qty) != (trade.price, trade.qty):
                self.fail("I14", f"the tape says {trade}, and it was {known}")

    # What happens at the exchange.

    def refused(self, text: str) -> None:
        """I13: the exchange itself never has to refuse for our pace.

        A new life learns the counter from the first event, and may be refused before it.
        """
        young = self.world.now - self.world.born_at < YOUNG
        if "Rate limit exceeded" in text and not young:
            self.fail("I13", f"the exchange refuses: {text}")

    def happened(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Exec):
                self._hear_exec(event)
            elif isinstance(event, Print):
                self._prints[event.trade_id] = event

    def _hear_exec(self, event: Exec) -> None:
        order = event.order
        owner = self.world.ledger.owners.get(order.cl_ord_id)
        if owner is not None:
            self._beliefs.touched(order)
        if event.trade is not None:
            passed = self._book_truth(event.trade)
            if owner is None:
                self.foreign_trade_at = self.world.now
            elif passed and self._must_keep(owner[0]):
                self.fail("I8", f"{order.cl_ord_id} passes the room of the year by {passed:.2f}")
            elif not event.trade.maker and owner[0] != "x":
                self.fail("I11", f"{order.cl_ord_id} of slot {owner[0]} took")
        if owner is not None and event.kind == "canceled" and event.reason == MET_ITSELF:
            self.fail("I11", f"{order.cl_ord_id} met another order of ours")
        stranger = owner is None and not is_ours(order.cl_ord_id) and not self.killed
        if stranger and event.kind == "canceled" and event.reason == USER:
            self.fail("F81", f"{order.order_id} of somebody else was cancelled")
        if owner is None or event.kind not in ("new", "amended"):
            return
        exchange = self.world.exchange
        age = self.world.now - self._letters.sent_at.get(order.cl_ord_id, self.world.now)
        if age > self.world.config.time.deadline_sec * SECOND + CLOCKS_APART:
            self.fail("F71", f"{order.cl_ord_id} is {event.kind} {age / SECOND:.1f} s late")
        if event.kind == "new":
            self._letters.rejects = 0  # whatever becomes of its answer
            if not exchange.switch_wall and not self._letters.disarmed_from_the_grave(
                self.world.now
            ):
                self.fail("I3", f"{order.cl_ord_id} was accepted while the switch is off")
            rivals = [
                other.cl_ord_id
                for other in exchange.open.values()
                if other is not order and self.world.ledger.owners.get(other.cl_ord_id) == owner
            ]
            if rivals:
                self.fail("I1", f"slot {owner[0]} has {order.cl_ord_id} and {rivals}")
            self._check_exposure(order)
        if order.side == "sell" and order.status == "open":
            self._check_free()

    def _must_keep(self, slot: str) -> bool:
        """Whether a sale of this slot has to stay within the room of the year.

        The owner's own sales take the coins from under ours; an emergency may pass the room.
        """
        trader = self.world.trader
        flatten = trader is not None and trader.core.memory.flatten
        alone = self.world.now - self.foreign_trade_at > ALONE_FOR
        return alone and (slot != EXIT_SLOT or flatten)

    def _check_exposure(self, order: Order) -> None:
        """I10: the orders of ours, and the coins if all our buys fill."""
        world, limits = self.world, self.world.config.limits
        known = [each for each in self.ours() if each.cl_ord_id in world.ledger.intents]
        if len(known) > limits.open_orders:
            self.fail("I10", f"{order.cl_ord_id} is one more than limits.open_orders")
        settled = world.now - max(self.money_moved_at, self.foreign_trade_at) > MONEY_KNOWN
        if order.side == "sell" or not settled:
            return
        market = world.exchange.markets[order.pair]
        scale = 10 ** (market.pair.price_decimals + market.pair.qty_decimals)
        money = world.exchange.account.balances[market.pair.quote]
        worth = coins(world) * market.liquidity.bid / scale
        bound = sum(each.left * each.price for each in known if each.side == "buy") / scale
        account = worth + money / 10 ** ASSETS[market.pair.quote].decimals
        if worth + bound > (limits.btc_max_pct + PRICES_APART) * account:
            share = (worth + bound) / account
            self.fail("I10", f"coins are {share:.1%} of the account if all our buys fill")

    def _check_free(self) -> None:
        """I8: our resting sells stay within the free coins and the room of the year."""
        if self.world.now - self.foreign_trade_at < SETTLED_AFTER * 3:
            return  # the owner sold coins under our orders: they are judged at rest
        resting = [
            (price_of(self.world.exchange.markets[order.pair].pair, order.price), order.left)
            for order in self.ours()
            if order.side == "sell"
        ]
        if why := self._truth.objection(resting, self.world.wall):
            self.fail("I8", why)

    def _book_truth(self, trade: Trade) -> float:
        """EUR by which the year passes its limit with this trade."""
        decimals = 4
        spec = self.world.exchange.markets[trade.pair].pair
        paid = Decimal(trade.cost).scaleb(-spec.price_decimals - spec.qty_decimals)
        fill = Filled(
            trade.exec_id, trade.order_id, trade.cl_ord_id, trade.pair, Side(trade.side),
            trade.price, trade.qty, paid,  # type: ignore[arg-type]
            (("EUR", Decimal(trade.fee).scaleb(-decimals)),), trade.wall, trade.trade_id,
            trade.maker,
        )  # fmt: skip
        return float(self._truth.passed_by(fill))

    def ours(self) -> list[Any]:
        """The orders of ours that rest at the exchange."""
        owners = self.world.ledger.owners
        return [o for o in self.world.exchange.open.values() if o.cl_ord_id in owners]

    # At every moment.

    def turned(self, now: Ns) -> None:
        exchange = self.world.exchange
        off = not exchange.switch_wall and exchange.system == "online"
        if off and exchange.open and self.ours() and not self._letters.disarmed_from_the_grave(now):
            self.fail("I3", "orders of ours rest while the switch is off")
        if self.world.trader is None and exchange.open and exchange.system == "online":
            gone_for = now - self.world.died_at
            limit = self.world.config.ws.cancel_after_timeout_sec * SECOND + SWITCH_GRACE
            if gone_for > limit and self.ours():
                self.fail("I2", f"orders of ours rest {gone_for / SECOND:.0f} s after the end")

    def each_second(self, now: Ns) -> None:
        """Slower looks: a silent feed empties the book, nothing of ours stays unowned."""
        world = self.world
        trader = world.trader
        if world.frozen:
            self.troubled_at = now
        calm = now - self.troubled_at > SETTLED_AFTER and trader is not None
        if calm and now - self._feed_good_at > SILENT_FOR and world.exchange.system == "online":
            assert trader is not None
            memory = trader.core.memory
            resting = all(s.state in (State.EMPTY, State.LIVE) for s in memory.all_slots())
            if memory.phase is Phase.TRADING and resting and self.ours():
                feed_age = memory.pairs[world.config.pair].tape.age(now)
                if feed_age > SILENT_FOR:
                    self.fail("I15", "orders of ours rest on a feed that is long silent")
        if calm:
            self._check_held(now)
        else:
            self._held_since = None  # nobody looked: it may be another hold by now
        if trader is not None and (why := unkept(trader.core.memory, world.ledger.facts)):
            self.fail("I20", why)
        if why := self._beliefs.wrong(now, self.troubled_at):
            self.fail("belief", why)
        if self._expected:
            self._judge(now)

    def _check_held(self, now: Ns) -> None:
        """I18: halted or held, our orders leave the book, but for exits."""
        trader = self.world.trader
        assert trader is not None
        memory = trader.core.memory
        facts = self.world.ledger.facts
        held = facts.get("halt", "") or facts.get("hold", "")
        if not held or memory.line != "up" or memory.lost():
            self._held_since = None
            return
        if self._held_since is None:
            self._held_since = now
        elif now - self._held_since > SETTLED_AFTER and self.ours():
            self.fail("I18", f"orders of ours still rest while halted or held: {held}")

    # At rest.

    def unrest(self) -> str:
        """What is not in order yet; "" once all has come right."""
        return unrest(self.world)

    def at_rest(self) -> None:
        """I5 to I7, once nothing is on its way."""
        self._check_file()
        if self.shadow is not None and (why := self.shadow.faults()):
            self.fail("ledger", why)
        coin = self.world.config.pair.partition("/")[0]
        for check, why in faults_at_rest(self.world, self.declared.get(coin, 0)):
            self.fail(check, why)
