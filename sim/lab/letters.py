"""What the strategy is told and what it sends: each letter held against what it knew then.

Rule 1: nothing of the strategy's own memory is read; only its mail, its letters, its commits. The
one exception is X9, which is about what the strategy believes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from shared import frames
from shared.kraken.rest import Request
from shared.orders import Filled
from shared.units import SECOND, Ns, Side
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
REFUSALS_MOST: Final = 6
REFUSALS_WITHIN: Final = Ns(10 * SECOND)
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
    """Watches the mail of one World's strategy. sent_at: when each add left, by cl_ord_id."""

    def __init__(self, world: World, fail: Callable[[str, str], None]) -> None:
        self.sent_at: dict[str, Ns] = {}
        self.nonces_refused = 0  # an earlier life's clock was ahead: REST has to be found again
        self._world = world
        self._fail = fail
        self._lives = 0
        self._asked: dict[str, Asked] = {}  # by slot
        self._arms: dict[tuple[int, int], Ns] = {}
        self._rest_arms: dict[int, tuple[int, Ns]] = {}  # by job: the timeout, when it was sent
        self._covered_until = Ns(0)
        self._book: frames.Book | None = None
        self._system = ""
        self._refusals: dict[str, deque[Ns]] = {}
        self._written: dict[str, tuple[str, Side]] = {}  # intents of the step that is looked at
        self._sequences: dict[int, int] = {}  # of executions, by line
        self._gap = ""

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """Hold a step's letters against what the strategy had been told when it wrote them."""
        if self._world.lives != self._lives:
            self._begin_life()
        for item in inbox:
            if isinstance(item, frames.Book):
                self._hear_book(item)
            elif isinstance(item, mail.Text):
                self._hear_text(item)
            elif isinstance(item, mail.LineClosed):
                self._asked.clear()
            elif isinstance(item, mail.RestDone):
                self._hear_rest(item)
        facts = self._world.ledger.facts
        halted = facts.get("halt", "") or facts.get("hold", "")
        self._written.clear()
        for each in out:
            match each:
                case Commit(entries):
                    for entry in entries:
                        if isinstance(entry, FillEntry):
                            self._check_fill(entry.fill)
                        elif isinstance(entry, IntentEntry):
                            self._written[entry.cl_ord_id] = (entry.slot, entry.side)
                        elif isinstance(entry, Remember) and entry.key in ("halt", "hold"):
                            facts = {**facts, entry.key: entry.value}
                            halted = facts.get("halt", "") or facts.get("hold", "")
                case mail.SendText(line, data):
                    self._check_letter(now, line, data, halted)
                case mail.RestCall(job, request):
                    self._check_call(now, job, request, halted)
                case mail.CloseLine():
                    self._asked.clear()
                    self._gap = ""
                case _:
                    pass
        if self._gap:
            self._fail("X3", f"the line goes on although {self._gap}")

    def _begin_life(self) -> None:
        self._lives = self._world.lives
        self._asked.clear()
        self._arms.clear()
        self._rest_arms.clear()
        self._refusals.clear()
        self._sequences.clear()
        self._covered_until = Ns(0)
        self._book = None
        self._system = self._gap = ""

    def _hear_book(self, book: frames.Book) -> None:
        last = self._book
        if last is None or (book.boot, book.seq) > (last.boot, last.seq):
            self._book = book

    def _hear_text(self, item: mail.Text) -> None:
        text = item.data
        if text.startswith(b'{"channel":"status"'):
            found: Any = msgspec.json.decode(text)
            self._system = found["data"][0]["system"]
        elif text.startswith((b'{"method"', b'{"error"')):
            self._hear_answer(item.line, text)
        elif text.startswith(b'{"channel":"executions"'):
            self._follow(item.line, text)
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
        timeout_s, sent_at = self._rest_arms.pop(done.job, (0, Ns(0)))
        if timeout_s and done.body.startswith(b'{"error":[],"result"'):
            self._covered_until = max(self._covered_until, Ns(sent_at + timeout_s * SECOND))
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
        if sent_at is not None and found["success"]:
            timeout = self._world.config.ws.cancel_after_timeout_sec * SECOND
            self._covered_until = max(self._covered_until, Ns(sent_at + timeout))
        for slot, asked in list(self._asked.items()):
            if (asked.line, asked.req_id) == (line, req_id):
                del self._asked[slot]
                if not found["success"] and found["method"] == "add_order":
                    self._refused(slot)

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
        booked = (fill.side.value, int(fill.qty), int(fill.price), fee.scaleb(4))
        if booked != (trade.side, trade.qty, trade.price, Decimal(trade.fee)):
            self._fail("I4", f"fill {fill.exec_id} is booked as {booked}, and was {trade}")

    # What it sends.

    def _check_letter(self, now: Ns, line: int, data: bytes, halted: str) -> None:
        method = data[11 : data.index(b'"', 11)]
        if method == b"cancel_all_orders_after":
            found: Any = msgspec.json.decode(data)
            if found["params"]["timeout"]:
                self._arms[line, found["req_id"]] = now
            else:
                self._covered_until = Ns(0)
        if method not in (b"add_order", b"amend_order", b"cancel_order"):
            return
        found = msgspec.json.decode(data)
        params = found["params"]
        named = params.get("cl_ord_id", "")
        cl_ord_id = named[0] if isinstance(named, list) else named
        asked = Asked(line, found["req_id"], cl_ord_id, now)
        self._check_request(now, method, params, asked, halted)

    def _check_call(self, now: Ns, job: int, request: Request, halted: str) -> None:
        """What goes by REST, held against the same rules; and one more where it binds money."""
        name = request.path.rpartition("/")[2]
        method = REST_METHODS.get(name, b"")
        if not method and name != "CancelAllOrdersAfter":
            return
        fields = dict(parse_qsl(request.body.decode()))
        if name == "CancelAllOrdersAfter":
            self._rest_arms[job] = int(fields["timeout"]), now
            if fields["timeout"] == "0":
                self._covered_until = Ns(0)
        cl_ord_id = fields.get("cl_ord_id", "")
        if not method or not cl_ord_id:
            return
        if method != b"cancel_order":
            self._check_outcomes(cl_ord_id)
        price = fields.get("price") or fields.get("limit_price")
        params = {"limit_price": price} if price else {}
        self._check_request(now, method, params, Asked(BY_REST, job, cl_ord_id, now), halted)

    def _check_outcomes(self, cl_ord_id: str) -> None:
        """X9: by REST nothing is placed while the outcome of another order is unknown."""
        trader = self._world.trader
        assert trader is not None
        for slot in trader.core.memory.all_slots():
            open_question = slot.state not in (State.EMPTY, State.LIVE)
            if open_question and slot.cl_ord_id != cl_ord_id:
                self._fail("X9", f"{cl_ord_id} leaves by REST, {slot.cl_ord_id} is {slot.state}")

    def _check_request(
        self, now: Ns, method: bytes, params: dict[str, Any], asked: Asked, halted: str
    ) -> None:
        cl_ord_id = asked.cl_ord_id
        owners = self._world.ledger.owners
        slot, side = owners.get(cl_ord_id) or self._written.get(cl_ord_id, ("", Side.BUY))
        if method == b"add_order" and (not slot or cl_ord_id in owners):
            self._fail("F1", f"{cl_ord_id} leaves without an intent of its own on paper")
        if method == b"add_order":
            self.sent_at[cl_ord_id] = now
        if method != b"cancel_order":
            self._check_order(now, params, slot, side, halted)
        if slot:
            self._check_flight(now, slot, asked, method)

    def _check_flight(self, now: Ns, slot: str, asked: Asked, method: bytes) -> None:
        before = self._asked.get(slot)
        patience = self._world.config.time.ack_sec * SECOND
        if before is not None and before.line == asked.line and now - before.at < patience:
            self._fail("flight", f"{method.decode()} about slot {slot}, which is in flight")
        self._asked[slot] = asked

    def _check_order(
        self, now: Ns, params: dict[str, Any], slot: str, side: Side, halted: str
    ) -> None:
        book, leaving = self._book, slot == "x"
        if halted and not (leaving and halted == "flatten"):
            self._fail("I18", f"an order leaves while halted or held: {halted}")
        if self._system != "online":
            self._fail("F86", f"an order leaves while the exchange is {self._system or 'unknown'}")
        left = (self._covered_until - now) / SECOND
        if left < COVER_S:
            self._fail("I3", f"an order leaves and the switch covers it for {left:.1f} s only")
        if book is None or not book.valid or not book.bids or not book.asks:
            self._fail("I14", "an order leaves on an invalid book")
            return
        age = (now - book.heard_at) / SECOND
        if age > self._world.config.time.feed_stale_sec:
            self._fail("I15", f"an order leaves on a book of {age:.1f} s ago")
        if "limit_price" not in params:
            return
        decimals = self._world.exchange.markets[self._world.config.pair].pair.price_decimals
        price = round(float(params["limit_price"]) * 10**decimals)
        if not leaving:
            crosses = price >= book.asks[0] if side is Side.BUY else price <= book.bids[0]
            if crosses:
                self._fail("I11", f"{side} at {price} crosses {book.bids[0]} / {book.asks[0]}")
        middle = (book.bids[0] + book.asks[0]) / 2
        if abs(price / middle - 1.0) > self._world.config.limits.collar_pct + 1e-9:
            self._fail("I12", f"{side} at {price} is far from {middle}")
