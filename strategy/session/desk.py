"""The REST desk: one call under way at a time, each with a deadline, the urgent ones first.

Rule 1: one signed request is under way at a time, so that nonces arrive in the order they rise.
Rule 2: the desk never sends anything twice; who asked decides whether to ask again.
Rule 3: what makes the account safer (cancels, the switch) waits for no counter of ours.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct

from shared.kraken.rest import Call, Request, Signer, request_of
from shared.units import MINUTE, SECOND, Ns

MOST_QUEUED: Final = 200

LOCKOUT: Final = Ns(15 * MINUTE)
"""Kraken REST: how long `EGeneral:Temporary lockout` is reported to last."""

MAKE_WAY: Final = Ns(SECOND // 2)
"""How long a call under way may hold up the cancelling of everything."""

NEVER: Final = Ns(2**62)

# Kraken REST, limits: (most, decay per second) by the account's trading threshold. Each account
# has at least the first; part of it stays free for what is urgent.
REST_TIERS: Final = {60: (15.0, 0.33), 125: (20.0, 0.5), 180: (20.0, 1.0)}
HEADROOM: Final = 4.0

_NONCE_STEP_US: Final = 3_600 * 1_000_000


class Purpose(enum.Enum):
    PAIRS = "pairs"
    KEY = "key"
    FEES = "fees"
    TICKER = "ticker"
    WITHDRAWALS = "withdrawals"
    LEDGER = "ledger"
    TOKEN = "token"
    QUESTION = "question"
    ADD = "add"
    AMEND = "amend"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    ARM = "arm"


URGENT: Final = (Purpose.CANCEL, Purpose.CANCEL_ALL, Purpose.ARM)


class Errand(Struct, frozen=True):
    """A call, and what its answer is for."""

    purpose: Purpose
    call: Call
    cl_ord_id: str = ""
    timeout_s: int = 0  # ARM: what the switch is set to


class UnderWay(Struct, frozen=True):
    """sent_at: boot time, sent_wall: wall time of sending."""

    job: int
    errand: Errand
    sent_at: Ns
    sent_wall: Ns


class Desk:
    def __init__(self, signer: Signer, timeout: Ns, nonce: int = 0) -> None:
        """nonce: the last one that this key was used with, where somebody remembers it."""
        self.nonce = nonce
        self.locked_until = Ns(0)
        self._signer = signer
        self._timeout = timeout
        self._urgent: list[Errand] = []
        self._queue: list[Errand] = []
        self._under_way: UnderWay | None = None
        self._last_job = 0
        self._counter = 0.0
        self._counted_at = Ns(0)
        self._most, self._decay = REST_TIERS[60]
        self._slow_until = Ns(0)
        self._slow_failures = 0
        self._nonce_failures = 0

    def put(self, errand: Errand, now: Ns) -> bool:
        """False where it cannot be taken: the queue is full, or the key is locked out."""
        queue = self._urgent if errand.purpose in URGENT else self._queue
        if now < self.locked_until or len(queue) >= MOST_QUEUED:
            return False
        # A newer arming replaces one that still waits, and the same cancel need not wait twice.
        if errand.purpose is Purpose.ARM:
            queue[:] = [each for each in queue if each.purpose is not Purpose.ARM]
        if errand not in queue:
            queue.insert(0 if errand.purpose is Purpose.CANCEL_ALL else len(queue), errand)
        return True

    @property
    def is_waited_for(self) -> bool:
        """Whether a call waits for its turn."""
        return bool(self._urgent or self._queue)

    def take(self, now: Ns, wall: Ns) -> tuple[UnderWay, Request] | None:
        """The next call to send, signed, or None."""
        if self._under_way is not None or now < self.locked_until:
            return None
        if self._urgent:
            errand = self._urgent.pop(0)
        elif self._queue and now >= self._free_at(now):
            errand = self._queue.pop(0)
        else:
            return None
        return self._sign(errand, now, wall)

    def _sign(self, errand: Errand, now: Ns, wall: Ns) -> tuple[UnderWay, Request]:
        self._charge(errand.call.weight, now)
        self.nonce = max(self.nonce + 1, wall // 1_000)
        self._last_job += 1
        self._under_way = UnderWay(self._last_job, errand, now, wall)
        return self._under_way, request_of(errand.call, self._signer, self.nonce)

    def send(self, errand: Errand, now: Ns, wall: Ns) -> tuple[UnderWay, Request] | None:
        """At once or not at all: what was decided on this moment's market must not wait here."""
        busy = self._under_way is not None or bool(self._urgent)
        if busy or now < max(self.locked_until, self._slow_until):
            return None
        return self._sign(errand, now, wall)

    def done(self, job: int) -> UnderWay | None:
        """The call that is answered by this job; None for one that was given up."""
        found = self._under_way
        if found is None or found.job != job:
            return None
        self._under_way = None
        return found

    def overdue(self, now: Ns) -> UnderWay | None:
        """Give up the call under way if its time is over."""
        found = self._under_way
        if found is None or now < self._patience_ends(found):
            return None
        self._under_way = None
        return found

    def heard(self, error: str, now: Ns, *, signed: bool = True) -> list[Errand]:
        """Learn from an answer ("" = success); what must be given up is returned.

        signed: whether the call carried a nonce; only such an answer proves one.
        """
        if "Temporary lockout" in error:
            self.locked_until = Ns(now + LOCKOUT)
            given_up = [*self._urgent, *self._queue]
            self._urgent.clear()
            self._queue.clear()
            return given_up
        if "Invalid nonce" in error:
            # Somebody used this key with a clock ahead of ours. A blind retry counts towards a
            # lockout; a nonce that is far higher does not repeat the fault.
            self._nonce_failures += 1
            self.nonce += _NONCE_STEP_US << min(2 * self._nonce_failures, 16)
            self._slow(now)
        elif "ate limit" in error or "Too many requests" in error or "Throttled" in error:
            self._slow(now)
        elif not error:
            self._slow_failures = 0
            self._nonce_failures = 0 if signed else self._nonce_failures
        return []

    def learn_tier(self, threshold: int) -> None:
        """threshold: of the trading counter; it tells the account's tier."""
        self._most, self._decay = REST_TIERS.get(threshold, REST_TIERS[60])

    def wake_at(self, now: Ns) -> Ns:
        if self._under_way is not None:
            return self._patience_ends(self._under_way)
        if self._urgent:
            return self.locked_until
        if self._queue:
            return max(self._free_at(now), self.locked_until)
        return NEVER

    def _patience_ends(self, call: UnderWay) -> Ns:
        """A kill does not wait for a call that hangs; one given up cannot arrive any more.

        Its nonce is lower than that of the cancel which overtakes it.
        """
        killing = self._urgent[:1] and self._urgent[0].purpose is Purpose.CANCEL_ALL
        return Ns(call.sent_at + (min(MAKE_WAY, self._timeout) if killing else self._timeout))

    def _slow(self, now: Ns) -> None:
        self._slow_until = Ns(now + (5 * SECOND << min(self._slow_failures, 4)))
        self._slow_failures += 1

    def _charge(self, weight: int, now: Ns) -> None:
        self._counter = self._decayed(now) + weight
        self._counted_at = now

    def _decayed(self, now: Ns) -> float:
        return max(self._counter - (now - self._counted_at) / SECOND * self._decay, 0.0)

    def _free_at(self, now: Ns) -> Ns:
        """When the next call that is not urgent may be made."""
        above = self._decayed(now) + self._queue[0].call.weight - (self._most - HEADROOM)
        wait = int(above / self._decay * SECOND) + 1 if above > 0 else 0
        return max(Ns(now + wait), self._slow_until)
