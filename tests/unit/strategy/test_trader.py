"""Session and core as one Machine: who hears what, in which order it leaves, and when to wake."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.kraken.rest import make_signer
from shared.orders import Clock, Command, LineDown, LineUp, Refused
from shared.units import SECOND, Ns
from strategy.core.out import In as CoreIn
from strategy.core.out import Out as CoreOut
from strategy.core.out import Report, StopAsked, Stopped
from strategy.core.pipeline import Core
from strategy.ledger.entries import Entry, IntentEntry, Remember
from strategy.session.mail import Chance, Note, RestCall, RestFailed, SendText, settings_of
from strategy.session.session import Session
from strategy.trader import NONCE_FACT, Commit, In, Out, Trader
from tests.unit.strategy.core.build import BOOT, CONFIG, WALL, make_book, make_memory
from tests.unit.strategy.core.desk import Desk


class Kept:
    """Both sides of each step, in the order in which the trader told them."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Ns, list[object]]] = []

    def told(self, now: Ns, inbox: Sequence[CoreIn]) -> None:
        self.lines.append(("told", now, list(inbox)))

    def did(self, now: Ns, outbox: Sequence[CoreOut]) -> None:
        self.lines.append(("did", now, list(outbox)))


def make_trader(core: Core | None = None) -> tuple[Trader, Kept]:
    session = Session(settings_of(CONFIG), make_signer("key", "c2VjcmV0"))
    kept = Kept()
    return Trader(core or Core(make_memory()), session, kept), kept


def kinds(out: Sequence[Out]) -> list[type]:
    return [type(item) for item in out]


def clock(now: Ns) -> Clock:
    return Clock(Ns(WALL + now - BOOT))


def test_the_line_is_for_the_session_and_the_market_for_the_core() -> None:
    trader, kept = make_trader()
    inbox: list[In] = [clock(BOOT), Chance(0.5), make_book(BOOT), RestFailed(99, "late")]
    out = trader.step(BOOT, inbox)
    assert RestCall in kinds(out)
    [told, did] = kept.lines
    assert told == ("told", BOOT, [clock(BOOT), make_book(BOOT)])
    assert did[0] == "did"


def test_the_recorder_is_told_before_the_core_and_again_after_it() -> None:
    trader, kept = make_trader()
    for second in range(3):
        now = Ns(BOOT + second * SECOND)
        trader.step(now, [clock(now)])
    assert [kind for kind, _, _ in kept.lines] == ["told", "did"] * 3


def test_a_command_the_session_cannot_send_is_heard_in_the_next_step() -> None:
    """The core believes the line to be up; the session knows that it is not."""
    desk = Desk()
    desk.connect()
    desk.run(2)
    trader, kept = make_trader(desk.core)
    now = desk.now
    while not any(isinstance(item, Command) for item in kept.lines[-1][2]) if kept.lines else True:
        now = Ns(now + SECOND // 2)
        book = make_book(now, boot=desk.feed_boot, seq=10**6 + now)
        out = trader.step(now, [clock(now), book])
        assert now < BOOT + 60 * SECOND
    adds = [item for item in kept.lines[-1][2] if isinstance(item, IntentEntry)]
    assert adds
    assert SendText not in kinds(out)
    assert trader.wake_at() == now
    trader.step(now, [])
    refused = [item for item in kept.lines[-2][2] if isinstance(item, Refused)]
    assert [each.cl_ord_id for each in refused] == [each.cl_ord_id for each in adds]
    assert trader.wake_at() > now
    assert not desk.memory.index


def test_the_commit_leaves_first_then_the_letters_and_people_hear_last() -> None:
    desk = Desk()
    desk.connect()
    desk.run(2)
    trader, kept = make_trader(desk.core)
    now = desk.now
    out: list[Out] = []
    while not any(isinstance(item, Commit) for item in out):
        now = Ns(now + SECOND)
        out = trader.step(now, [clock(now), make_book(now, boot=1, seq=10**6 + now)])
    assert isinstance(out[0], Commit)
    assert sum(isinstance(item, Commit) for item in out) == 1
    entries = [item for item in kept.lines[-1][2] if isinstance(item, Entry)]
    assert out[0].entries == tuple(entries)
    work = [place for place, item in enumerate(out) if isinstance(item, RestCall | Note | SendText)]
    reports = [place for place, item in enumerate(out) if isinstance(item, Report)]
    assert not work or not reports or max(work) < min(reports)
    assert not any(isinstance(item, Command) for item in out)


def test_a_step_without_fills_and_adds_commits_nothing() -> None:
    trader, _ = make_trader()
    assert Commit not in kinds(trader.step(BOOT, [clock(BOOT)]))


def test_it_wakes_for_whoever_is_first() -> None:
    trader, _ = make_trader()
    trader.step(BOOT, [clock(BOOT)])
    assert trader.wake_at() == min(trader.core.wake_at(), trader.session.wake_at())
    assert trader.wake_at() <= BOOT + SECOND


def test_a_stop_before_the_line_is_up_ends_at_once() -> None:
    trader, kept = make_trader()
    trader.step(BOOT, [clock(BOOT)])
    out = trader.step(Ns(BOOT + 1), [StopAsked("test")])
    assert Stopped in kinds(out)
    heard = {type(item) for _, _, items in kept.lines for item in items}
    assert not heard & {LineUp, LineDown}


def test_the_same_inboxes_make_the_same_outboxes() -> None:
    one, _ = make_trader()
    other, _ = make_trader()
    for second in range(30):
        now = Ns(BOOT + second * SECOND)
        inbox: list[In] = [clock(now), Chance(0.25), make_book(now, seq=second + 1)]
        assert msgspec.json.encode(one.step(now, inbox)) == msgspec.json.encode(
            other.step(now, inbox)
        )
        assert one.core.memory.digest() == other.core.memory.digest()


def test_the_nonce_is_written_down_each_minute_and_at_the_end() -> None:
    trader, _ = make_trader()

    def nonces(now: Ns, *inbox: In) -> list[str]:
        out = trader.step(now, [clock(now), *inbox])
        entries = [entry for item in out if isinstance(item, Commit) for entry in item.entries]
        return [e.value for e in entries if isinstance(e, Remember) and e.key == NONCE_FACT]

    assert nonces(BOOT) == []
    for job in range(1, 5):
        nonces(Ns(BOOT + job), RestFailed(job, "down"))
    used = trader.session.nonce
    assert used > 0
    assert nonces(Ns(BOOT + 59 * SECOND)) == []
    assert nonces(Ns(BOOT + 60 * SECOND))[0] >= str(used)
    assert nonces(Ns(BOOT + 61 * SECOND)) == []
    later = Session(settings_of(CONFIG), make_signer("key", "c2VjcmV0"), 10**18)
    assert later.nonce == 10**18
