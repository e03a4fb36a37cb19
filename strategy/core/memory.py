"""Everything the strategy knows: one object, so a digest of it is a digest of the strategy.

Small parts are frozen structs that a stage replaces; three big ones change in place and only in
their own module: the tapes, the slots' list, the lots. Every write stands in the pipeline or in
`hear`, `reconcile` and `requests`, which it calls.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from shared.config import Config
from shared.control import Reply
from shared.frames import FillView
from shared.orders import Fees
from shared.units import BPS, SECOND, Ns, Sats, Side
from strategy.core.advice import NEUTRAL, Advice
from strategy.core.books import Books
from strategy.core.breaker import Breaker
from strategy.core.deadman import Deadman
from strategy.core.decide import Sides
from strategy.core.grid import Hung, Unmatched
from strategy.core.imbalance import Imbalance
from strategy.core.lifecycle import Phase
from strategy.core.limiter import Limiter
from strategy.core.market import Tape, View
from strategy.core.openorders import OpenOrders, Places, after_amend, look_through, places_of
from strategy.core.outgoing import Outgoing
from strategy.core.owed import Owed
from strategy.core.plan import Anchor, Laid, Plan
from strategy.core.reference import Reference
from strategy.core.regime import Regime
from strategy.core.risk import Pause, Risk
from strategy.core.samples import Samples
from strategy.core.slots import Intent, Slot, State
from strategy.core.spacing import Asked, Spacing
from strategy.core.taxdesk import PER_SAT, desk_of, taxes_from
from strategy.core.thresholds import Ranked, Record, Thresholds
from strategy.ledger.entries import IntentEntry
from strategy.ledger.events import TaxEvent
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Newest, Rate

CURSOR_OVERLAP: Final = Ns(30 * SECOND)
"""The history is read again from this far behind: REST lags behind the stream (RELIABILITY F76)."""

_NOTHING: Final = Decimal(0)
OUTGOING_FACT: Final = "outgoing"
UNEXPLAINED: Final = Ns(2 * SECOND)
"""A balance that lags behind a fill is no difference."""

EXIT_SLOT: Final = "x"
PREFIX: Final = "g"
_OURS: Final = re.compile(f"{PREFIX}[0-9a-z]{{7}}[0-9][bs][0-9a-z]+")


def is_ours(cl_ord_id: str) -> bool:
    """Whether an order bears the form of our ids; any other is somebody else's."""
    return _OURS.fullmatch(cl_ord_id) is not None


class Permit(Struct, frozen=True):
    """What this tick may do. why names the first that says no."""

    buy: bool
    sell: bool
    change: bool  # adds and amends; cancels are always allowed
    why: tuple[str, ...] = ()
    exits: bool = False  # an emergency may sell


NOTHING: Final = Permit(False, False, False, ("starting",))


class Start(Struct, frozen=True):
    """What a new life is given: what the ledger remembers, and its own birth."""

    boot: Ns
    wall: Ns
    stamp: str  # base-36 boot stamp of our order ids, never used before
    intents: tuple[IntentEntry, ...] = ()
    facts: dict[str, str] = {}
    fills: int = 0
    halted: str = ""  # why this life starts halted (crash guard); "" if it does not
    published: dict[str, Newest] = {}  # the last known ECB rate of each currency
    others: tuple[TaxEvent, ...] = ()  # what the tax book knows besides the coin's fills
    ecb: tuple[Rate, ...] = ()
    build: str = ""  # which program it is, for people
    booked: dict[str, Sats] = {}  # cl_ord_id -> what the ledger has of the order of an intent
    kept: bool = True  # a ledger keeps what it is told, and fills are shown; else neither is worded


class PairMemory:
    """What is known of one pair."""

    def __init__(self, name: str, index: int, config: Config, boot: Ns) -> None:
        self.name = name
        self.quote = name.partition("/")[2]
        self.index = index
        self.tape = Tape(boot)
        self.view: View | None = None
        self.breaker = Breaker()
        self.reference = Reference()
        self.regime = Regime()
        self.advice: Advice = NEUTRAL
        self.judged = False  # whether the ladder of the settings was held against the account
        self.record = Record()
        self.ranked = Ranked()  # of which record
        self.edges: Thresholds | None = None  # None until first derived from the record
        self.samples = Samples()
        self.imbalance = Imbalance()
        self.spacing = Spacing()
        self.asked: tuple[object, float, Asked] = (None, 0.0, Asked())  # of which samples
        self.settled: tuple[object, ...] | None = None  # spacing, what was asked for, the floor
        self.rested: tuple[object, list[Slot]] = (None, [])  # wishes and slots that are one
        self.restless: Sides | None = None
        self.bound: tuple[tuple[object, ...], Sequence[tuple[int, int]]] = ((None,), ())
        self.hung = Hung()
        self.unmatched: Unmatched = ()
        self.limiter = Limiter()
        self.permit = NOTHING
        self.plan: Plan | None = None
        self.laid: Laid | None = None
        self.stood: tuple[object, ...] = ()  # the price and the ground (ground.py) at which
        self.wish: tuple[Plan, Hung, Laid] | None = None  # this was wished, before it was trimmed
        self.trimmed: tuple[object, Laid] | None = None  # what was laid so before, and its trim
        self.wished: tuple[object, int, int] = (None, 0, 0)  # what is laid, its Sats and its units
        self.meant: tuple[tuple[object, ...], tuple[int, int]] = ((None,) * 3, (0, 0))  # taxgate.py
        self.intents: Sequence[Intent] = ()  # what stage 10 asked for in the last tick
        self.notes: dict[str, str] = {}  # slot name -> why it is as it is
        self.floor_bps = 0.0  # of the fees; 0.0 while they are not known
        self.maker: float | None = None  # ratios; None until the account's own rates are known
        self.taker: float | None = None
        levels = config.grid.levels
        names = [(f"b{k}", Side.BUY) for k in range(1, levels + 1)]
        names += [(f"s{k}", Side.SELL) for k in range(1, levels + 1)]
        names.append((EXIT_SLOT, Side.SELL))
        self.slots: list[Slot] = [Slot(slot, name, side) for slot, side in names]
        self._open, self._places = look_through(self.slots), places_of(self.slots, EXIT_SLOT)
        self.totals: tuple[object, object, tuple[int, int]] = (None, None, (0, 0))  # of which words

    @property
    def open(self) -> OpenOrders:
        if self._open.slots != self.slots:
            self._open = look_through(self.slots)
        return self._open

    def amend(self, place: int, slot: Slot) -> None:
        """An amend of the order at this place was sent, which leaves it as this slot."""
        self._open = after_amend(self.open, place, slot)
        self.slots[place] = slot

    @property
    def spacing_bps(self) -> float:
        return self.spacing.bps

    def side(self, side: Side) -> list[Slot]:
        """The slots of the grid on one side; that of exits is none of them."""
        return [self.slots[place] for place in self._standing().sides[side]]

    def place(self, name: str) -> int:
        """Where the slot of this name stands in `slots`."""
        return self._standing().names[name]

    def _standing(self) -> Places:
        """A slot keeps its name and its place, so this is old only where some were added."""
        if self._places.count != len(self.slots):
            self._places = places_of(self.slots, EXIT_SLOT)
        return self._places

    def place_for(self, intent: IntentEntry) -> int:
        """Where an order of an earlier life belongs: a further slot where its own is no more.

        The grid has fewer levels than it had, so no wish keeps that order, and it is cancelled.
        """
        for place, slot in enumerate(self.slots):
            if slot.name == intent.slot and slot.state is State.EMPTY:
                return place
        self.slots.append(Slot(f"{intent.side.value[0]}{len(self.slots)}", self.name, intent.side))
        return len(self.slots) - 1

    def set_fees(self, fees: Fees) -> None:
        self.maker, self.taker = float(fees.maker), float(fees.taker)


class Asking(Struct, frozen=True):
    """What we have asked the exchange about our orders, and when to ask again."""

    asked_at: Ns = Ns(0)  # of the question under way; 0 = none
    wanted: bool = True  # ask as soon as the line allows
    listed_at: Ns = Ns(0)  # when the last complete answer was asked for
    failures: int = 0
    not_before: Ns = Ns(0)
    each: tuple[str, ...] = ()  # the orders that a targeted question is under way about
    each_at: Ns = Ns(0)


class Kill(Struct, frozen=True):
    """Where the kill switch stands. stage: "" (not killed), "cancelling", "done"."""

    stage: str = ""
    begun_at: Ns = Ns(0)
    sent_at: Ns = Ns(0)  # the last CancelAll
    tries: int = 0


class Audit(Struct, frozen=True):
    """Coins at the exchange against the ledger, in Sats. external: declared by a person."""

    external: int = 0
    drift: int = 0
    since: Ns = Ns(0)  # since when it is this difference; 0 while there is none
    held: bool = False  # sells wait for a person


class Day(Struct, frozen=True):
    """A German calendar day ("2026-11-21") and the equity it began with; "" = not begun."""

    day: str = ""
    equity: float = 0.0


class Memory:
    """The account, its pairs, and what we are waiting for."""

    def __init__(self, config: Config, start: Start, lots: Lots) -> None:
        self.config = config
        self.boot = self.now = start.boot
        self.wall = start.wall
        self.stamp, self.build, self.kept = start.stamp, start.build, start.kept
        self.lots, self.others = lots, start.others
        self.desk, self.taxes = desk_of(config, lots, start), taxes_from(start.facts)
        self.pairs = {
            name: PairMemory(name, index, config, start.boot)
            for index, name in enumerate(config.symbols)
        }
        # The pair whose quote currency is the account's, and what is traded.
        self.first, self.coin = self.pairs[config.symbols[0]], config.pair.partition("/")[0]
        self.phase = Phase.STARTING
        # Why it is on hold, and why advice is switched off; "" where neither is.
        self.hold, self.deaf = (start.facts.get(name, "") for name in ("hold", "deaf"))
        self.halt = start.halted or start.facts.get("halt", "")
        self.kill = Kill(start.facts.get("kill", ""), begun_at=start.boot)
        self.unwritten = ("", Ns(0))  # why the ledger cannot be written, and since when
        self.flatten = False
        # When a stop was asked for, and the switch was last asked to be disarmed; 0 = never.
        self.stop_asked_at = self.disarming = Ns(0)
        self.clear_once = False  # cancel-all was asked for in this step
        self.replies: dict[str, Reply] = {}
        # down, up, or rest: who tells us of our orders; and since when it is so.
        self.line, self.line_up_at, self.line_down_at = "down", Ns(0), start.boot
        self.system = ""
        self.balances: dict[str, Decimal] = {}
        self.balance_at = Ns(0)
        expected = start.facts.get("books", "{}")
        self.books = Books(msgspec.json.decode(expected, type=dict[str, Decimal]))
        self.rates = msgspec.json.decode(start.facts.get("rates", "{}"), type=dict[str, float])
        self.rates_kept_at, self.published = Ns(0), start.published
        self.audit, self.outgoing = _remembered(start.facts, self.coin)
        self.risk = Risk(peak=float(start.facts.get("peak", "0")))
        self.balanced: tuple[object, object] = (None, None)  # balances and books that agreed
        self.peak_kept = (Ns(0), self.risk.peak)  # when the ledger was told the peak, and which
        self.day = msgspec.json.decode(start.facts.get("day", "{}"), type=Day)
        self.pause = Pause.ACTIVE_TRADING
        self.switch = Deadman()
        self.asking = Asking()
        self.cursor = Ns(int(start.facts.get("cursor", "0")))
        self.foreign: tuple[str, ...] = ()
        self.orphans: dict[str, Ns] = {}  # cl_ord_id or order_id: when its cancel was last sent
        self.index: dict[str, tuple[str, int]] = {}  # cl_ord_id -> pair, place in its slots
        self.ids, self.fills = 0, start.fills
        self.fill_times: deque[Ns] = deque(maxlen=max(2, config.limits.fills_per_hour + 1))
        self.last_fills: deque[FillView] = deque(maxlen=20)
        self.recent: dict[str, tuple[str, str]] = {}  # ended cl_ord_id -> pair, slot
        self.gone_at: dict[str, Ns] = {}  # ended cl_ord_id -> when we heard of it
        self.rejects_in_a_row = 0
        self.skew = Ns(0)
        self.counters: dict[str, int] = {}
        self.alerts: dict[str, tuple[str, str]] = {}  # key -> level, text
        self.feed_system = ""
        self.owed: dict[str, Owed] = {}  # cl_ord_id -> what has filled and is not booked
        for intent in start.intents:
            self._remember_intent(intent, start.booked.get(intent.cl_ord_id, Sats(0)))
        for pair in self.pairs.values():
            self._remember_pair(pair, start.facts)

    def _remember_intent(self, intent: IntentEntry, booked: Sats) -> None:
        """An order of an earlier life: lost until the exchange speaks about it."""
        pair = self.pairs.get(intent.pair)
        if pair is None:
            return  # of a pair that is not traded any more: its order is an orphan
        place = pair.place_for(intent)
        slot = pair.slots[place]
        pair.slots[place] = Slot(
            slot.name,
            slot.pair,
            slot.side,
            State.LOST,
            cl_ord_id=intent.cl_ord_id,
            price=intent.price,
            qty=intent.qty,
            filled=booked,
            heard=booked,
            since=self.now,
            deadline=intent.deadline,
            exit_order=slot.name == EXIT_SLOT,
        )
        self.index[intent.cl_ord_id] = (pair.name, place)

    def _remember_pair(self, pair: PairMemory, facts: dict[str, str]) -> None:
        anchor = facts.get(f"anchor:{pair.name}")
        if anchor:
            pair.hung = Hung(msgspec.json.decode(anchor, type=Anchor))
            pair.spacing = Spacing(pair.hung.anchor.step * BPS)
        unmatched = facts.get(f"unmatched:{pair.name}")
        if unmatched:
            pair.unmatched = msgspec.json.decode(unmatched, type=Unmatched)

    def slot_of(self, cl_ord_id: str) -> tuple[PairMemory, int] | None:
        found = self.index.get(cl_ord_id)
        return (self.pairs[found[0]], found[1]) if found else None

    def all_slots(self) -> Iterator[Slot]:
        for pair in self.pairs.values():
            yield from pair.slots

    def busy(self) -> int:
        return sum([pair.open.busy for pair in self.pairs.values()])

    def lost(self) -> int:
        return sum(len(pair.open.lost) for pair in self.pairs.values())

    def count(self, what: str, by: int = 1) -> None:
        self.counters[what] = self.counters.get(what, 0) + by

    def next_id(self, pair: PairMemory, side: Side) -> str:
        """A client order id that no life has used: prefix, boot stamp, pair, side, counter."""
        self.ids += 1
        return f"{PREFIX}{self.stamp}{pair.index}{side.value[0]}{base36(self.ids)}"

    def free(self) -> Sats:
        """Coins at the front of the FIFO queue that are free of tax now."""
        return Sats(self.desk.free(self.wall, self.gone() * PER_SAT) // PER_SAT)

    def gone(self) -> Sats:
        """Coins that leave or have left with the oldest lots, of which the ledger does not know."""
        known = self.audit
        declared = -known.external if known.external < 0 else 0
        if not self.outgoing.rows and known.drift >= 0:
            return Sats(declared)
        lack = max(0, self.lack() or 0)
        found = self.outgoing.reserved(lack)
        if known.drift < 0 and self.now - known.since >= UNEXPLAINED:
            found = max(found, lack)  # gone without a word so far: the sells may be held soon
        return Sats(declared + found)

    def going(self) -> int:
        """Coins (Sats) that the balance still shows and a withdrawal will take."""
        if not self.outgoing.rows:
            return 0
        return max(0, self.outgoing.on_the_way() - max(0, self.lack() or 0))

    def lack(self) -> int | None:
        """Coins (Sats) that the ledger has and the balance has not; None where one is unknown."""
        pair = self.first
        spec = pair.tape.pair
        if spec is None or spec.base not in self.balances:
            return None
        return self.held() + self.audit.external - self.base_total(pair)

    def held(self) -> Sats:
        """Coins on the account, as far as the ledger knows."""
        return Sats(self.desk.total() // PER_SAT)

    def base_total(self, pair: PairMemory) -> int:
        """The account's coins in Sats, as the exchange said last; 0 where it has not."""
        return self.totals(pair)[0]

    def quote_total(self, pair: PairMemory) -> int:
        """The account's quote currency in units (Ticks x Sats)."""
        return self.totals(pair)[1]

    def totals(self, pair: PairMemory) -> tuple[int, int]:
        """Coins and money of a pair; worked out anew with each word about the balances."""
        (of_told, of_spec, known), spec, told = pair.totals, pair.tape.pair, self.balances
        if of_told is told and of_spec is spec:
            return known
        if spec is None:
            return 0, 0
        coins = told.get(spec.base, _NOTHING).scaleb(spec.qty_decimals)
        money = told.get(spec.quote, _NOTHING).scaleb(spec.price_decimals + spec.qty_decimals)
        pair.totals = (told, spec, (int(coins), int(money)))
        return pair.totals[2]

    def digest(self) -> str:
        """A fingerprint of all that decides: two runs that agree here will act alike."""
        parts: list[object] = [
            self.phase, self.hold, self.halt, self.kill, self.audit, self.unwritten, self.flatten,
            self.line, self.system, self.day, self.switch, self.asking, self.cursor, self.ids,
            self.deaf, self.risk, self.fills, self.books, self.rates,
            self.published, self.outgoing, self.owed,
            self.lots.digest(), sorted(self.balances.items()), self.rejects_in_a_row, self.taxes,
        ]  # fmt: skip
        for pair in self.pairs.values():
            parts += [
                pair.slots, pair.hung, pair.breaker, pair.reference, pair.regime, pair.limiter,
                pair.unmatched, pair.imbalance, pair.spacing, pair.edges, pair.advice,
            ]  # fmt: skip
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _remembered(facts: dict[str, str], coin: str) -> tuple[Audit, Outgoing]:
    """What of the coins was declared, held or on its way out in an earlier life."""
    external = int(facts.get(f"external:{coin}", "0"))
    outgoing = msgspec.json.decode(facts.get(OUTGOING_FACT, "{}"), type=Outgoing)
    return Audit(external, held=bool(facts.get("drift"))), outgoing


def base36(number: int) -> str:
    """A count in the letters Kraken accepts in a client order id: 0-9 and a-z."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while True:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
        if not number:
            return text


def stamp_of(wall: Ns, last: str) -> str:
    """The boot stamp of a new life: its wall second in base 36, above the last one used."""
    second = wall // SECOND
    if last:
        second = max(second, int(last, 36) + 1)
    return base36(second).rjust(7, "0")
