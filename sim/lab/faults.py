"""Chance, and what it does to everything that travels: the fate of a simulated run.

Rule 1: all chance of a run comes from one generator with one seed, held here.
Rule 2: a fault is counted where it takes effect, not where it is planned.
Rule 3: after `heal` nothing fails any more; what is broken is left to be found.

What happens by itself at some moment (a kill, a cut, a change of mode) is in
sim/lab/troubles.py; it plans here what shall become of the next matching message.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from shared.frames import FeedFrame
from shared.kraken.rest import Request
from shared.units import MILLISECOND, SECOND, Ns
from sim.kraken.wire import stamp
from sim.wires import BUS_DELAY, REST_DELAY, WIRE_DELAY, Answer, Hop, Owner, Ways

_REQ_ID: Final = re.compile(r'"req_id":(\d+)')
_CL_ORD_ID: Final = re.compile(r'"cl_ord_id":\[?"([^"]+)"')
_MOST_PLANS: Final = 60

OUTCOME_UNKNOWN: Final = (
    "EService:Unavailable",
    "EService:Busy",
    "EGeneral:Internal error",
    "EGeneral:Internal error:5",
    "EService:Deadline elapsed",
    "EWhatever:Nobody has told us",
)
NOT_DONE: Final = (
    "EOrder:Insufficient funds",
    "EOrder:Order minimum not met",
    "EOrder:Cost minimum not met",
    "EOrder:Tick size check failed",
    "EOrder:Invalid price",
    "EOrder:Orders limit exceeded",
    "EOrder:Post only order",
    "EOrder:Cannot open position",
    "EOrder:Positions limit exceeded",
    "EOrder:Margin allowance exceeded",
    "EOrder:Insufficient margin",
    "EOrder:Scheduled orders limit exceeded",
    "EGeneral:Invalid arguments",
    "EGeneral:Invalid arguments:volume minimum not met",
    "EGeneral:Permission denied",
    "EGeneral:Unknown method",
    "EAccount:Invalid permissions",
    "EAuth:Account temporary disabled",
    "EAPI:Feature disabled",
    "EQuery:Unknown asset pair",
    "EQuery:Unknown asset",
    "ETrade:Invalid request",
    "EService:Market in cancel_only mode",
    "EService:Market in post_only mode",
)
LIMITS: Final = (
    "EOrder:Rate limit exceeded",
    "EOrder:Domain rate limit exceeded",
    "EGeneral:Too many requests",
    "EService:Throttled: 1790000000",
)


class Plan(Struct, frozen=True):
    """What shall become of the next request of one of `methods`, or of its answer.

    do: lose_request, hold (it arrives late), refuse, pretend (success is answered, nothing is
    done), mask (done, but `error` is answered), lose, late, twice.
    """

    fault: str
    methods: tuple[str, ...]
    do: str
    error: str = ""
    delay: int = 0
    then: Callable[[str], None] | None = None  # told the cl_ord_id that was met


class RestPlan(Struct, frozen=True):
    """What shall become of the next REST call whose path ends on one of `names` ("" = any).

    but: not of one whose body holds this.
    """

    fault: str
    names: tuple[str, ...]
    answer: Answer
    but: bytes = b"\0"


class PublicPlan(Struct, frozen=True):
    """What shall become of the next book update: a function from it to what is sent instead."""

    fault: str
    change: Callable[[str], list[Hop]]


class Fates:
    """A `Fate` by seed. `injected` counts what took effect, by catalogue number."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.injected: dict[str, int] = {}
        self.now: Callable[[], Ns] = lambda: Ns(0)
        self.wall: Callable[[], Ns] = lambda: Ns(0)
        self.healed = False
        self.wall_skew = 0
        self.frame_loss = 0.0
        self.frame_delay = 0.0
        self.jitter = 0  # ns, of each private text on its way
        self.plans: list[Plan] = []
        self.rest_plans: list[RestPlan] = []
        self.public_plans: list[PublicPlan] = []
        self.private_plans: list[PublicPlan] = []
        self.balance_plans: list[PublicPlan] = []
        self.muted: dict[tuple[Owner, str], Ns] = {}
        self.closed_until: dict[Owner, Ns] = {}
        self.dying: Callable[[Sequence[object]], int | None] | None = None
        self.on_book: Callable[[str], None] = lambda text: None
        self.on_spoiled: Callable[[], None] = lambda: None  # a message of the book will not arrive
        self.on_refusal: Callable[[str], None] = lambda text: None
        self._answers: dict[tuple[int, int], tuple[Plan, str]] = {}

    def count(self, fault: str, by: int = 1) -> None:
        self.injected[fault] = self.injected.get(fault, 0) + by

    def heal(self) -> None:
        self.healed = True
        self.plans.clear()
        self.rest_plans.clear()
        self.public_plans.clear()
        self.private_plans.clear()
        self.balance_plans.clear()
        self.muted.clear()
        self.closed_until.clear()
        self._answers.clear()
        self.dying = None
        self.frame_loss = self.frame_delay = 0.0
        self.jitter = self.wall_skew = 0

    def plan(self, plan: Plan | RestPlan) -> None:
        """Lie in wait; plans that met nothing are forgotten when there are too many."""
        if isinstance(plan, Plan):
            self.plans = [*self.plans, plan][-_MOST_PLANS:]
        else:
            self.rest_plans = [*self.rest_plans, plan][-_MOST_PLANS:]

    def forget(self, fault: str) -> None:
        """Plans of this fault that met nothing."""
        self.plans = [plan for plan in self.plans if plan.fault != fault]
        self.rest_plans = [plan for plan in self.rest_plans if plan.fault != fault]

    # The fate of what travels.

    def outbound(self, owner: Owner, conn: int, text: str) -> Ways:
        if owner == "feed" or self.healed:
            return (Hop(text),), ()
        delay = WIRE_DELAY + self._drawn(self.jitter)
        if not self.plans:
            return (Hop(text, delay),), ()
        method = text[11 : text.index('"', 11)]
        place = next((n for n, p in enumerate(self.plans) if method in p.methods), None)
        if place is None:
            return (Hop(text, delay),), ()
        plan = self.plans.pop(place)
        self.count(plan.fault)
        if plan.then is not None:
            named = _CL_ORD_ID.search(text)
            plan.then(named[1] if named else "")
        found = _REQ_ID.search(text)
        req_id = int(found[1]) if found else 0
        if plan.do == "lose_request":
            return (), ()
        if plan.do == "hold":
            return (Hop(text, plan.delay),), ()
        if plan.do == "refuse":
            return (), (Hop(self._refusal(method, req_id, plan.error), 2 * delay),)
        if plan.do == "pretend":
            return (), (Hop(self._success(method, req_id), 2 * delay),)
        self._answers[conn, req_id] = plan, method
        return (Hop(text, delay),), ()

    def inbound(self, owner: Owner, conn: int, text: str) -> Sequence[Hop]:
        if owner == "feed":
            return self._public(text)
        if text.startswith('{"error"'):
            self.on_refusal(text)
        if self.healed:
            return (Hop(text),)
        delay = WIRE_DELAY + self._drawn(self.jitter)
        if self.muted and self._is_muted(owner, text):
            return ()
        if text.startswith('{"channel"'):
            if self.private_plans and text.startswith('{"channel":"executions","type":"update"'):
                plan = self.private_plans.pop(0)
                self.count(plan.fault)
                return plan.change(text)
            if self.balance_plans and text.startswith('{"channel":"balances","type":"update"'):
                return self.balance_plans.pop(0).change(text)
            return (Hop(text, delay),)
        return self._answer(conn, text, delay) if self._answers else (Hop(text, delay),)

    def _answer(self, conn: int, text: str, delay: int) -> Sequence[Hop]:
        found = _REQ_ID.search(text)
        planned = self._answers.pop((conn, int(found[1])), None) if found else None
        if planned is None or found is None:
            return (Hop(text, delay),)
        plan, method = planned
        match plan.do:
            case "lose":
                return ()
            case "mask":
                if '"success":false' in text:
                    return (Hop(text, delay),)
                return (Hop(self._refusal(method, int(found[1]), plan.error), delay),)
            case "late":
                return (Hop(text, plan.delay, ordered=False),)
            case _:
                return (Hop(text, delay), Hop(text, plan.delay, ordered=False))

    def _public(self, text: str) -> Sequence[Hop]:
        if text.startswith('{"channel":"book"'):
            self.on_book(text)
        if self.muted and self._is_muted("feed", text):
            self.on_spoiled()
            return ()
        if self.public_plans and text.startswith('{"channel":"book","type":"update"'):
            plan = self.public_plans.pop(0)
            self.count(plan.fault)
            self.on_spoiled()
            return plan.change(text)
        return (Hop(text),)

    def _is_muted(self, owner: Owner, text: str) -> bool:
        for (whose, prefix), until in list(self.muted.items()):
            if self.now() >= until:
                del self.muted[whose, prefix]
            elif whose == owner and text.startswith(prefix):
                return True
        return False

    def connecting(self, owner: Owner) -> str:
        if self.now() < self.closed_until.get(owner, Ns(0)):
            self.count("F59")
            return "HTTP 503"
        return ""

    def frame(self, frame: FeedFrame) -> int | None:
        if self.frame_loss and self.random.random() < self.frame_loss:
            self.count("F61")
            return None
        if self.frame_delay and self.random.random() < self.frame_delay:
            self.count("X8")
            return self._drawn(2_000 * MILLISECOND)
        return BUS_DELAY

    def rest(self, request: Request) -> Answer:
        for place, plan in enumerate(self.rest_plans):
            if request.path.endswith(plan.names) and plan.but not in request.body:
                del self.rest_plans[place]
                self.count(plan.fault)
                return plan.answer
        return Answer(delay=REST_DELAY + self._drawn(self.jitter))

    def dies_at(self, out: Sequence[object]) -> int | None:
        return self.dying(out) if self.dying is not None else None

    def skew(self) -> int:
        return self.wall_skew

    def chance(self) -> float:
        return self.random.random()

    def _drawn(self, most: int) -> int:
        return int(self.random.random() * most) if most else 0

    def _refusal(self, method: str, req_id: int, error: str) -> str:
        at = stamp(self.wall())
        return (
            f'{{"error":"{error}","method":"{method}","req_id":{req_id},"success":false,'
            f'"time_in":"{at}","time_out":"{at}"}}'
        )

    def _success(self, method: str, req_id: int) -> str:
        at = stamp(self.wall())
        return (
            f'{{"method":"{method}","req_id":{req_id},"result":{{}},"success":true,'
            f'"time_in":"{at}","time_out":"{at}"}}'
        )


def seconds(count: float) -> Ns:
    return Ns(int(count * SECOND))


def html() -> Answer:
    """An outage as Cloudflare words it; nothing was carried out."""
    return Answer(executed=False, instead=(520, b"<html><h1>Web server error</h1></html>"))


def failing(error: str, *, executed: bool) -> Answer:
    body = f'{{"error":["{error}"]}}'.encode()
    return Answer(executed=executed, instead=(200, body))
