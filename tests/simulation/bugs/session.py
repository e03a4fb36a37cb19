"""The private line and REST."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.units import MINUTE, SECOND, Ns
from strategy import trader
from strategy.core import memory
from strategy.session import desk as session_desk
from strategy.session import line as session_line
from strategy.session import mail as session_mail
from strategy.session import session
from tests.simulation.bugs.patches import HOUR, Patches, bug


@bug("a missing message of the private line goes unnoticed")
def sequence_is_ignored(p: Patches) -> None:
    p.set(session_line.Line, "follow", lambda self, channel, snapshot, sequence: "")


@bug("a silent line is taken for a quiet one")
def silence_is_golden(p: Patches) -> None:
    before = session_mail.settings_of

    def settings_of(config: Any) -> Any:
        return replace(before(config), silence=Ns(10 * MINUTE))

    p.set(session_mail, "settings_of", settings_of)


@bug("an answer is taken for that of the oldest request")
def answers_are_mixed_up(p: Patches) -> None:
    def answered(self: Any, req_id: int) -> Any:
        oldest = next(iter(self._pending), None)
        return self._pending.pop(oldest) if oldest is not None else None

    p.set(session_line.Line, "answered", answered)


@bug("the order id of a new life begins where the last one began")
def ids_repeat(p: Patches) -> None:
    before = memory.Memory.next_id

    def next_id(self: Any, pair: Any, side: Any) -> str:
        return before(self, pair, side).replace(self.stamp, "0000000")

    p.set(memory.Memory, "next_id", next_id)


@bug("the nonce does not rise")
def nonce_stands_still(p: Patches) -> None:
    before = session_desk.request_of
    p.set(session_desk, "request_of", lambda call, signer, nonce: before(call, signer, 1_000))


@bug("the nonce follows the wall clock, wherever it leaps")
def nonce_follows_the_clock(p: Patches) -> None:
    before = session_desk.Desk._sign

    def sign(self: Any, errand: Any, now: Ns, wall: Ns) -> Any:
        self.nonce = min(self.nonce, wall // 1_000 - 1)
        return before(self, errand, now, wall)

    p.set(session_desk.Desk, "_sign", sign)


@bug("what REST allows is not counted")
def rest_is_not_counted(p: Patches) -> None:
    p.set(session_desk.Desk, "_decayed", lambda self, now: 0.0)


@bug("a line that was lost once is not opened again")
def no_reconnect(p: Patches) -> None:
    before = session_line.Reconnect.next_at

    def next_at(self: Any, now: Ns, chance: float, maintenance: bool) -> Ns:
        return Ns(before(self, now, chance, maintenance) + HOUR)

    p.set(session_line.Reconnect, "next_at", next_at)


@bug("a line that was lost is opened again without any wait")
def reconnects_in_a_storm(p: Patches) -> None:
    p.set(session_line.Reconnect, "next_at", lambda self, now, *rest: Ns(now + SECOND // 20))
    p.set(session_line.Reconnect, "tried", lambda self, now: self)


@bug("the key's last nonce is not kept for the next life")
def nonce_is_not_kept(p: Patches) -> None:
    p.set(trader.Trader, "_nonce_fact", lambda self, now, ending: ())


@bug("how far the clock is off is not heard")
def clock_is_not_heard(p: Patches) -> None:
    p.set(session.Session, "_tell_skew", lambda self, skew: None)
