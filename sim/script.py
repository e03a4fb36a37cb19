"""Faults from outside: a script of what the exchange shall do wrong, told while it runs.

Rule 1: a fault is taken whole or refused with its reason; nothing of a bad script takes effect.
Rule 2: it begins after `after_ms`, and ends when it was done `times` times or `for_ms` is over.
Rule 3: nothing here waits or sends: it says what shall become of a message, and the server does it.

docs/faults.md shows every fault with an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.units import MILLISECOND, Ns
from sim.engine.instruments import ASSETS

MOST_ACTIVE: Final = 200
Millis = Annotated[int, Meta(ge=0, le=3_600_000)]

On = Literal["public", "private", "both"]
OUTGOING: Final = ("drop", "dup", "delay", "reorder", "truncate", "garbage", "wrong_checksum")
INCOMING: Final = ("lose", "reject")
REST: Final = ("rest_delay", "rest_error", "rest_status", "rest_lose")
AT_ONCE: Final = ("close", "mode", "transfer", "withdraw", "stall")
Do = Literal[
    "drop", "dup", "delay", "reorder", "truncate", "garbage", "wrong_checksum",
    "lose", "reject",
    "rest_delay", "rest_error", "rest_status", "rest_lose",
    "close", "mode", "transfer", "withdraw", "stall",
]  # fmt: skip


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a script.

    about: a channel (`book`), a method (`add_order`) or a REST method (`OpenOrders`); "" = all.
    times: how often; 0 = as long as `for_ms` lasts, or once where that is 0 too.
    every: only each so-maniest message that matches. error: of reject and rest_error.
    status: of mode (`cancel_only`), rest_status ("502") and withdraw ("" begins one, "success",
    "cancel"). asset, amount: of transfer, and of a withdrawal that begins.
    """

    do: Do
    on: On = "both"
    about: Annotated[str, Meta(max_length=64)] = ""
    times: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    every: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    after_ms: Millis = 0
    for_ms: Millis = 0
    delay_ms: Millis = 0
    error: Annotated[str, Meta(max_length=300)] = "EService:Unavailable"
    status: Annotated[str, Meta(max_length=32)] = ""
    asset: Annotated[str, Meta(max_length=8)] = ""
    amount: Decimal = Decimal(0)


class Plan(Struct):
    """A fault that waits or works."""

    fault: Fault
    begins: Ns
    ends: Ns  # 0 = never by time
    left: int  # -1 = as often as it matches
    met: int = 0
    held: str = ""  # of reorder: the frame that waits for its follower


_script = msgspec.json.Decoder(list[Fault] | Fault)
_CHECKSUM: Final = re.compile(r'"checksum":(\d+)')
ENDINGS: Final = ("success", "cancel")
MODES: Final = ("online", "maintenance", "cancel_only", "post_only")


class ScriptError(Exception):
    """What is wrong with a script, in a sentence."""


def read(body: bytes) -> list[Fault]:
    """The faults of a script; ScriptError where one of them cannot be."""
    try:
        found = _script.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise ScriptError(str(error)) from None
    faults = found if isinstance(found, list) else [found]
    for fault in faults:
        if fault.do == "mode" and fault.status not in MODES:
            raise ScriptError(f"mode: status must be one of {', '.join(MODES)}")
        if fault.do == "rest_status" and not re.fullmatch("[45][0-9][0-9]", fault.status):
            raise ScriptError("rest_status: status must be an HTTP status such as 502")
        if fault.do in ("delay", "rest_delay") and fault.delay_ms == 0:
            raise ScriptError(f"{fault.do}: delay_ms must be above 0")
        if fault.do == "stall" and fault.for_ms == 0:
            raise ScriptError("stall: for_ms must be above 0")
        if fault.do == "transfer" and not _moves(fault):
            raise ScriptError("transfer: needs asset and amount, as text; below 0 takes away")
        if fault.do == "withdraw" and fault.status not in ("", *ENDINGS):
            raise ScriptError(f"withdraw: status must be empty, {' or '.join(ENDINGS)}")
        if fault.do == "withdraw" and not fault.status and not (_moves(fault) and fault.amount > 0):
            raise ScriptError("withdraw: needs asset and amount, as text, above 0")
    return faults


def _moves(fault: Fault) -> bool:
    amount = fault.amount
    return fault.asset in ASSETS and amount.is_finite() and 0 < abs(amount) < 1_000_000_000


class Script:
    """What is to go wrong, and how often it did."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.done: dict[str, int] = {}

    def add(self, faults: Sequence[Fault], now: Ns) -> None:
        """ScriptError where too many would be active."""
        if len(self.plans) + len(faults) > MOST_ACTIVE:
            raise ScriptError(f"more than {MOST_ACTIVE} faults at once")
        for fault in faults:
            begins = Ns(now + fault.after_ms * MILLISECOND)
            ends = Ns(begins + fault.for_ms * MILLISECOND if fault.for_ms else 0)
            left = fault.times or (-1 if fault.for_ms and fault.do not in AT_ONCE else 1)
            self.plans.append(Plan(fault, begins, ends, left))

    def clear(self) -> None:
        self.plans.clear()

    def outgoing(self, host: str, text: str, now: Ns) -> list[tuple[Ns, str]]:
        """What becomes of a frame to a client: (ns to wait, text), in order."""
        for waiting in list(self.plans):
            ours = waiting.fault.on in (host, "both") and self._about(waiting, text)
            if waiting.held and ours:
                held, waiting.held = waiting.held, ""
                self._forget(waiting)
                return [(Ns(0), text), (Ns(0), held)]
        plan = self._next(OUTGOING, host, now, lambda plan: self._about(plan, text))
        if plan is None:
            return [(Ns(0), text)]
        match plan.fault.do:
            case "drop":
                return []
            case "dup":
                return [(Ns(0), text), (Ns(0), text)]
            case "delay":
                return [(Ns(plan.fault.delay_ms * MILLISECOND), text)]
            case "reorder":
                plan.held = text
                return []
            case "truncate":
                return [(Ns(0), text[: len(text) // 2])]
            case "garbage":
                return [(Ns(0), "\x00{]garbage"), (Ns(0), text)]
            case _:
                return [(Ns(0), _CHECKSUM.sub(_one_more, text))]

    def incoming(self, host: str, text: str, now: Ns) -> Fault | None:
        """What becomes of a client's request: None = it arrives."""
        plan = self._next(INCOMING, host, now, lambda plan: self._about(plan, text))
        return plan.fault if plan else None

    def rest(self, host: str, path: str, now: Ns) -> Fault | None:
        """What becomes of an HTTP request: None = nothing."""
        name = path.partition("?")[0].rpartition("/")[2]
        plan = self._next(REST, host, now, lambda plan: plan.fault.about in ("", name))
        return plan.fault if plan else None

    def at_once(self, now: Ns) -> list[Fault]:
        """What is to be done now by itself: close, mode, transfer, withdraw, stall."""
        found = []
        while (plan := self._next(AT_ONCE, "both", now, lambda _: True)) is not None:
            found.append(plan.fault)
        return found

    def _next(
        self, kinds: Sequence[str], host: str, now: Ns, fits: Callable[[Plan], bool]
    ) -> Plan | None:
        """The first fault that takes effect here; its turn is counted."""
        self.plans = [p for p in self.plans if p.held or not p.ends or now < p.ends]
        for plan in self.plans:
            fault = plan.fault
            if fault.do not in kinds or now < plan.begins or plan.left == 0:
                continue
            if host != "both" and fault.on not in (host, "both"):
                continue
            if not fits(plan):
                continue
            plan.met += 1
            if plan.met % fault.every:
                continue
            if plan.left > 0:
                plan.left -= 1
            self.done[fault.do] = self.done.get(fault.do, 0) + 1
            if fault.do != "reorder":
                self._forget(plan)
            return plan
        return None

    def _forget(self, plan: Plan) -> None:
        if plan.left == 0 and not plan.held:
            self.plans.remove(plan)

    @staticmethod
    def _about(plan: Plan, text: str) -> bool:
        about = plan.fault.about
        if not about:
            return True
        compact = text[:400].replace(" ", "")
        return f'"channel":"{about}"' in compact or f'"method":"{about}"' in compact


def _one_more(found: re.Match[str]) -> str:
    return f'"checksum":{(int(found[1]) + 1) % 2**32}'
