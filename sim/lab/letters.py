"""What the strategy is told and what it sends: each letter held against what it knew then.

Rule 1: nothing of the strategy's own memory is read; only its mail, its letters, its commits. The
one exception is X9, which is about what the strategy believes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from shared import frames
from shared.kraken.rest import Request
from shared.orders import Filled
from shared.units import MILLISECOND, SECOND, Ns, Side
from sim.kraken.wire import read_stamp
from sim.lab.faults import NOT_DONE
from sim.lab.shown import Shown
from sim.lab.waits import Waits
from sim.wires import GIVEN_UP
from sim.world import World
from strategy.core.slots import State
from strategy.ledger.entries import FillEntry, IntentEntry, Remember
from strategy.session import mail
from strategy.trader import Commit, In, Out

COVER_S: Final = 14.9
"""Seconds that the switch must still cover when an order leaves, less rounding."""

REST_METHODS: Final = {
    "AddOrder": b"add_order",
    "AmendOrder": b"amend_order",
    "CancelOrder": b"cancel_order",
}
REST_FIELDS: Final = {"type": "side", "price": "limit_price", "volume": "order_qty"}
"""Fields of REST in the line's words."""

STOPS: Final = ("halt", "hold", "drift")
"""Facts that forbid orders from the step on that writes them."""

CLOCKS_APART: Final = Ns(5 * SECOND)
"""As far as our clock may be off before it is noticed; a deadline is a moment by that clock."""
CLOCK_OFF: Final = Ns(SECOND * 3 // 2)
CLOCK_KNOWN: Final = Ns(60 * SECOND)
"""Each answer tells the skew; in this time one comes that was not held up."""

PASSING: Final = ("EOrder:Post only order", "EService:Market in ")
"""What is no fault of ours: the price went there first, the engine takes nothing for now. Such a
refusal says nothing of the next order, so the house does not stop for it: the slot rests (I24)."""
COUNTED: Final = frozenset(error for error in NOT_DONE if not error.startswith(PASSING))
BEGUN: Final = (b'"exec_type":"new"', b'"exec_type":"pending_new"')
"""Events that tell of an order for the first time: it was accepted."""

COST_ROUNDED: Final = Decimal("0.0001")
"""EUR by which what a fill cost may be rounded on its way."""

REFUSALS_MOST: Final = 6
REFUSALS_WITHIN: Final = Ns(10 * SECOND)
REST_PATIENCE: Final = Ns(10 * SECOND)
"""After this a call is given up for lost, and its answer is not heard any more."""

BY_REST: Final = -1
"""In place of a line's number."""

_STATUS: Final = re.compile(rb'\{"error":\[\],"result":\{"status":"([a-z_]+)"')
_SEQUENCE: Final = re.compile(rb'"sequence":(\d+)')


class Asked(Struct, frozen=True):
    """A request about an order that waits for its answer."""

    line: int
    req_id: int
    cl_ord_id: str
    at: Ns


class Letters:
    """Watches the mail of one World's strategy.

    sent_at: when each add left or its last amend, by cl_ord_id. covered_until: when the switch
    runs out, as far as the strategy was told. arm_sent_at: when it was last asked for, and whether
    that was answered. rejects: adds by the line that were refused in a row, each while it was
    waited for: nothing follows from a word about an order that was lost, or heard of, before.
    """

    def __init__(self, world: World, fail: Callable[[str, str], None]) -> None:
        self.sent_at: dict[str, Ns] = {}
        self.covered_until = Ns(0)
        self.arm_sent_at = Ns(0)
        self.arm_answered = False
        self.rejects = 0
        self._disarmed = (0, Ns(0))  # by which life by its line, and when
        self.skew = (0, world.now)  # the strategy's clock less the exchange's, and since when
        self.nonces_refused = 0  # an earlier life's clock was ahead: REST has to be found again
        self._world = world
        self._fail = fail
        self._lives = 0
        self._asked: dict[str, Asked] = {}  # by slot
        self._arms: dict[tuple[int, int], Ns] = {}
        self._rest_arms: dict[int, tuple[int, Ns]] = {}  # by job: the timeout, when it was sent
        self._shown = Shown(world.config)
        self._waits = Waits()
        self._system = ""
        self._refusals: dict[str, deque[Ns]] = {}
        self._written: dict[str, IntentEntry] = {}  # of the step that is looked at
        self._sequences: dict[int, int] = {}  # of executions, by line
        self._gap = ""

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """Hold a step's letters against what the strategy had been told when it wrote them."""
        if self._world.lives != self._lives:
            self._begin_life()
        if self._world.fate.skew() != self.skew[0]:
            self.skew = (self._world.fate.skew(), now)
        self._waits.clock(self.skew[0], now)
        for item in inbox:
            self._waits.hear(item, now)
            if isinstance(item, frames.Book):
                self._shown.hear(item, now)
            elif isinstance(item, mail.Text):
                self._hear_text(item)
            elif isinstance(item, mail.LineClosed):
                self._asked.clear()
            elif isinstance(item, mail.RestDone):
                self._hear_rest(item)
        facts = self._world.ledger.facts
        self._written.clear()
        for each in out:
            match each:
                case Commit(entries):
                    for entry in entries:
                        if isinstance(entry, FillEntry):
                            self._check_fill(entry.fill)
                        elif isinstance(entry, IntentEntry):
                            self._written[entry.cl_ord_id] = entry
                        elif isinstance(entry, Remember) and entry.key in STOPS:
                            facts = {**facts, entry.key: entry.value}
                case mail.SendText(line, data):
                    self._check_letter(now, line, data, facts)
                case mail.RestCall(job, request):
                    self._check_call(now, job, request, facts)
                case mail.CloseLine(line):
                    self._asked.clear()
                    self._waits.closed(line, now)
                    self._gap = ""
                case _:
                    pass
        # Given up in this step at the latest, and not a moment of sleep before it.
        self._rest_arms = {
            job: arm for job, arm in self._rest_arms.items() if now - arm[1] < REST_PATIENCE
        }
        if self._gap:
            self._fail("X3", f"the line goes on although {self._gap}")

    def _begin_life(self) -> None:
        self._lives = self._world.lives
        self._asked.clear()
        self._arms.clear()
        self._rest_arms.clear()
        self._refusals.clear()
        self._sequences.clear()
        self.covered_until = self.arm_sent_at = Ns(0)
        self.arm_answered, self.rejects = False, 0
        self._shown = Shown(self._world.config)
        self._waits.begin(self._world.now)
        self._system = self._gap = ""

    def _hear_text(self, item: mail.Text) -> None:
        text = item.data
        if text.startswith(b'{"channel":"status"'):
            found: Any = msgspec.json.decode(text)
            self._system = found["data"][0]["system"]
        elif text.startswith((b'{"method"', b'{"error"')):
            self._hear_answer(item.line, text)
        elif text.startswith(b'{"channel":"executions"'):
            self._follow(item.line, text)
            if any(begun in text for begun in BEGUN):
                self.rejects = 0
            self._settle(text)

    def _settle(self, text: bytes) -> None:
        """An event or a list that names the order says what the answer would have said."""
        for slot, asked in list(self._asked.items()):
            if asked.cl_ord_id.encode() in text:
                del self._asked[slot]

    def _hear_rest(self, done: mail.RestDone) -> None:
        self.nonces_refused += b"Invalid nonce" in done.body
        for slot, asked in list(self._asked.items()):
            if (asked.line, asked.req_id) == (BY_REST, done.job):
                del self._asked[slot]
                self.rejects = 0 if b'"txid"' in done.body else self.rejects
        timeout_s, sent_at = self._rest_arms.pop(done.job, (0, Ns(0)))
        if timeout_s and done.body.startswith(b'{"error":[],"result":{"currentTime"'):
            self._covered(sent_at, timeout_s)
        self._hear_status(done.body)
        self._settle(done.body)

    def _hear_status(self, body: bytes) -> None:
        """The engine's state, as REST tells it to whom no line does."""
        found = _STATUS.match(body)
        if found is not None:
            self._system = found[1].decode()

    def _follow(self, line: int, text: bytes) -> None:
        found = _SEQUENCE.search(text)
        if found is None:
            return
        number = int(found[1])
        last = self._sequences.get(line)
        self._sequences[line] = number
        if last is not None and number != last + 1 and not self._gap:
            self._gap = f"executions went from {last} to {number}"

    def _hear_answer(self, line: int, text: bytes) -> None:
        found: Any = msgspec.json.decode(text)
        req_id = found.get("req_id", 0)
        sent_at = self._arms.pop((line, req_id), None)
        if sent_at is not None:
            self._waits.armed(sent_at, self._world.now)
        if sent_at is not None and found["success"]:
            self._covered(sent_at, self._world.config.ws.cancel_after_timeout_sec)
        if not found.get("success") and found.get("method") in ("add_order", "amend_order"):
            self._waits.refused(found["error"], self._world.now)
        if found["method"] == "add_order" and found["success"]:
            self.rejects = 0
        for slot, asked in list(self._asked.items()):
            if (asked.line, asked.req_id) == (line, req_id):
                del self._asked[slot]
                if not found["success"] and found["method"] == "add_order":
                    self._refused(slot)
                    in_time = self._world.now - asked.at < self._patience()
                    self.rejects += in_time and found["error"] in COUNTED

    def _covered(self, sent_at: Ns, timeout_s: int) -> None:
        until = Ns(sent_at + timeout_s * SECOND)
        if until > self._world.now:  # an answer may be heard later than what it grants
            self.covered_until = max(self.covered_until, until)
        self.arm_answered = self.arm_answered or sent_at >= self.arm_sent_at

    def _armed(self, now: Ns) -> None:
        self.arm_sent_at, self.arm_answered = now, False

    def disarmed_from_the_grave(self, now: Ns) -> bool:
        """Whether an earlier life's last letter may have come after this one's arming.

        A line that stalls hands on what it was given by a process that is dead; the strategy
        cannot know it, and arms anew within its usual interval.
        """
        life, at = self._disarmed
        return life < self._lives and now - at < GIVEN_UP and self.covered_until > now

    def _refused(self, slot: str) -> None:
        """I24: a slot that is refused rests, longer each time."""
        times = self._refusals.setdefault(slot, deque())
        times.append(self._world.now)
        while times and times[0] < self._world.now - REFUSALS_WITHIN:
            times.popleft()
        if len(times) >= REFUSALS_MOST:
            self._fail("I24", f"slot {slot} was refused {len(times)} times within 10 s")

    def _check_fill(self, fill: Filled) -> None:
        trade = self._world.exchange.trades.get(fill.exec_id)
        if trade is None:
            self._fail("I4", f"fill {fill.exec_id} is booked and never happened")
            return
        fee = sum((amount for _, amount in fill.fees), Decimal(0))
        booked = (fill.side.value, int(fill.qty), int(fill.price), fee.scaleb(4), fill.maker)
        if booked != (trade.side, trade.qty, trade.price, Decimal(trade.fee), trade.maker):
            self._fail("I4", f"fill {fill.exec_id} is booked as {booked}, and was {trade}")
        spec = self._world.exchange.markets[trade.pair].pair
        if any(asset != spec.quote for asset, _ in fill.fees):
            self._fail("I4", f"the fee of {fill.exec_id} is booked in {fill.fees}")
        cost = Decimal(trade.cost).scaleb(-spec.price_decimals - spec.qty_decimals)
        told = fill.order_id, fill.trade_id
        if abs(fill.cost - cost) > COST_ROUNDED or told != (trade.order_id, trade.trade_id):
            self._fail("I4", f"fill {fill.exec_id} is booked as {fill}, and was {trade}")
        if abs(fill.wall - trade.wall) > MILLISECOND or fill.cl_ord_id not in ("", trade.cl_ord_id):
            self._fail("I4", f"fill {fill.exec_id} is booked as {fill}, and was {trade}")

    # What it sends.

    def _check_letter(self, now: Ns, line: int, data: bytes, facts: Mapping[str, str]) -> None:
        method = data[11 : data.index(b'"', 11)]
        if method == b"cancel_all_orders_after":
            found: Any = msgspec.json.decode(data)
            if found["params"]["timeout"]:
                self._arms[line, found["req_id"]] = now
                self._armed(now)
            else:
                self.covered_until = Ns(0)
                self._disarmed = self._lives, now
        if method not in (b"add_order", b"amend_order", b"cancel_order"):
            return
        found = msgspec.json.decode(data)
        params = found["params"]
        named = params.get("cl_ord_id", "")
        cl_ord_id = named[0] if isinstance(named, list) else named
        asked = Asked(line, found["req_id"], cl_ord_id, now)
        self._check_request(now, method, params, asked, facts)

    def _check_call(self, now: Ns, job: int, request: Request, facts: Mapping[str, str]) -> None:
        """What goes by REST, held against the same rules; and one more where it binds money."""
        self._waits.asked(job, request.path, now)
        name = request.path.rpartition("/")[2]
        method = REST_METHODS.get(name, b"")
        if not method and name != "CancelAllOrdersAfter":
            return
        fields = dict(parse_qsl(request.body.decode()))
        if name == "CancelAllOrdersAfter":
            self._rest_arms[job] = int(fields["timeout"]), now
            if fields["timeout"] == "0":
                self.covered_until = Ns(0)
            else:
                self._armed(now)
        cl_ord_id = fields.get("cl_ord_id", "")
        if not method or not cl_ord_id:
            return
        if method != b"cancel_order":
            self._check_outcomes(cl_ord_id)
        params = {REST_FIELDS.get(key, key): value for key, value in fields.items()}
        self._check_request(now, method, params, Asked(BY_REST, job, cl_ord_id, now), facts)

    def _check_outcomes(self, cl_ord_id: str) -> None:
        """X9: by REST nothing is placed while the outcome of another order is unknown."""
        trader = self._world.trader
        assert trader is not None
        for slot in trader.core.memory.all_slots():
            open_question = slot.state not in (State.EMPTY, State.LIVE)
            if open_question and slot.cl_ord_id != cl_ord_id:
                self._fail("X9", f"{cl_ord_id} leaves by REST, {slot.cl_ord_id} is {slot.state}")

    def _check_request(
        self,
        now: Ns,
        method: bytes,
        params: dict[str, Any],
        asked: Asked,
        facts: Mapping[str, str],
    ) -> None:
        cl_ord_id = asked.cl_ord_id
        owners, written = self._world.ledger.owners, self._written.get(cl_ord_id)
        own = (written.slot, written.side) if written is not None else ("", Side.BUY)
        slot, side = owners.get(cl_ord_id) or own
        if method == b"add_order" and (written is None or cl_ord_id in owners):
            self._fail("F1", f"{cl_ord_id} leaves without an intent of its own on paper")
        price, qty = self._price_and_qty(params)
        if method == b"add_order" and written is not None:
            said = params["side"], price, qty
            if said != (written.side.value, written.price, written.qty):
                self._fail("F1", f"{cl_ord_id} leaves as {said}, and is {written} on paper")
        if method != b"cancel_order":
            self.sent_at[cl_ord_id] = now
            self._check_deadline(now, params)
            self._check_market(now, price, slot, side)
            self._check_stops(now, price * qty, slot, side, facts)
        if slot:
            self._check_flight(now, slot, asked, method)

    def _check_flight(self, now: Ns, slot: str, asked: Asked, method: bytes) -> None:
        before = self._asked.get(slot)
        patience = self._patience()
        if before is not None and before.line == asked.line and now - before.at < patience:
            self._fail("flight", f"{method.decode()} about slot {slot}, which is in flight")
        self._asked[slot] = asked

    def _patience(self) -> float:
        """How long an answer is waited for before the order counts as lost, in ns."""
        return self._world.config.time.ack_sec * SECOND

    def _check_deadline(self, now: Ns, params: Mapping[str, Any]) -> None:
        """F71: what arrives late must not take effect."""
        skew, since = self.skew
        if abs(skew) > CLOCK_OFF or now - since < CLOCK_KNOWN:
            return  # what the strategy takes for now is looked at where the order comes to life
        wait = int(self._world.config.time.deadline_sec * SECOND)
        ahead = read_stamp(params.get("deadline"), "deadline") - self._world.wall - wait
        if ahead > CLOCKS_APART:
            self._fail("F71", f"a deadline lies {ahead / SECOND:.1f} s too far ahead")

    def _price_and_qty(self, params: Mapping[str, Any]) -> tuple[int, int]:
        """Of an add or amend, in Ticks and Sats; 0 where it says none."""
        spec = self._world.exchange.markets[self._world.config.pair].pair
        price = float(params.get("limit_price") or 0) * 10**spec.price_decimals
        return round(price), round(float(params.get("order_qty") or 0) * 10**spec.qty_decimals)

    def _check_stops(
        self, now: Ns, worth: int, slot: str, side: Side, facts: Mapping[str, str]
    ) -> None:
        """Whether anything may leave at all. worth: of the order, in Ticks x Sats."""
        leaving, config = slot == "x", self._world.config
        if (objection := self._waits.objection(now, leaving=leaving)) is not None:
            self._fail(*objection)
        halted = facts.get("halt", "") or facts.get("hold", "")
        if halted and not (leaving and halted == "flatten"):
            self._fail("I18", f"an order leaves while halted or held: {halted}")
        if self._system != "online":
            self._fail("F86", f"an order leaves while the exchange is {self._system or 'unknown'}")
        left = (self.covered_until - now) / SECOND
        if left < COVER_S:
            self._fail("I3", f"an order leaves and the switch covers it for {left:.1f} s only")
        if facts.get("drift") and side is Side.SELL:
            self._fail("F82", "a sell leaves while the balance differs from the ledger")
        spec = self._world.exchange.markets[config.pair].pair
        if worth > config.limits.order_quote.scaleb(spec.price_decimals + spec.qty_decimals):
            self._fail("I12", f"an order of {worth} leaves, which limits.order_quote forbids")

    def _check_market(self, now: Ns, price: int, slot: str, side: Side) -> None:
        """Whether it may leave on what is known of the market."""
        leaving = slot == "x"
        if (objection := self._shown.objection(now, leaving=leaving)) is not None:
            self._fail(*objection)
        book = self._shown.book
        if book is None or not price:
            return
        if not leaving:
            crosses = price >= book.asks[0] if side is Side.BUY else price <= book.bids[0]
            if crosses:
                self._fail("I11", f"{side} at {price} crosses {book.bids[0]} / {book.asks[0]}")
        middle = (book.bids[0] + book.asks[0]) / 2
        if abs(price / middle - 1.0) > self._world.config.limits.collar_pct + 1e-9:
            self._fail("I12", f"{side} at {price} is far from {middle}")
