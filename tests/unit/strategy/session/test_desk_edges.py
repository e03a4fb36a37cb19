"""The REST desk at its edges: what goes at once or not at all, tiers, lockouts, when to wake."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.kraken import rest
from shared.units import MINUTE, SECOND, Ns
from strategy.session.desk import LOCKOUT, NEVER, Desk, Errand, Purpose
from tests.unit.strategy.session.test_desk import ASK, HISTORY, WALL, arm, desk, nonce_of, take

CANCEL = Errand(Purpose.CANCEL, rest.cancel_order("g1", ""), "g1")
ADD = Errand(Purpose.ADD, rest.OPEN_ORDERS, "g2")


def sent(counter: Desk, now: int) -> bool:
    return counter.send(ADD, Ns(now), WALL) is not None


def test_what_hangs_on_the_moment_goes_at_once_or_not_at_all() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    assert sent(counter, 0), "questions may wait behind it"
    assert not sent(counter, 0), "one is under way"
    assert counter.overdue(Ns(10 * SECOND)) is not None
    counter.put(CANCEL, Ns(0))
    assert not sent(counter, 10 * SECOND), "what makes the account safer goes first"
    slowed = desk()
    slowed.heard("EAPI:Rate limit exceeded", Ns(0))
    assert not sent(slowed, 5 * SECOND - 1)
    assert sent(slowed, 5 * SECOND)
    locked = desk()
    locked.heard("EGeneral:Temporary lockout", Ns(0))
    assert not sent(locked, LOCKOUT - 1)
    assert sent(locked, LOCKOUT)


def test_during_a_lockout_nothing_is_taken_and_it_wakes_at_its_end() -> None:
    counter = desk()
    assert counter.wake_at(Ns(0)) == NEVER
    waited = [counter.is_waited_for]
    counter.put(ASK, Ns(0))
    counter.put(CANCEL, Ns(0))
    waited.append(counter.is_waited_for)
    counter.heard("EGeneral:Temporary lockout", Ns(0))
    waited.append(counter.is_waited_for)
    assert waited == [False, True, False]
    assert counter.put(ASK, LOCKOUT)
    counter.locked_until = Ns(2 * LOCKOUT)
    assert take(counter, 2 * LOCKOUT - 1) is None
    assert counter.wake_at(LOCKOUT) == 2 * LOCKOUT
    counter.locked_until = Ns(0)
    assert counter.put(arm(60), LOCKOUT)
    counter.locked_until = Ns(2 * LOCKOUT)
    assert counter.wake_at(LOCKOUT) == 2 * LOCKOUT
    assert take(counter, 2 * LOCKOUT) is not None


@pytest.mark.parametrize(("threshold", "calls"), [(60, 5), (125, 8), (180, 8), (7, 5)])
def test_a_higher_tier_asks_more_before_it_waits(threshold: int, calls: int) -> None:
    """Of 2 each, within the tier's most less four; the first two tiers have 15 and 20."""
    counter, made = desk(), 0
    counter.learn_tier(threshold)
    while True:
        counter.put(HISTORY, Ns(0))
        found = take(counter, 0)
        if found is None:
            break
        made += 1
        counter.done(found[1])
    assert made == calls


@pytest.mark.parametrize(("threshold", "seconds"), [(60, "3.03"), (125, "4"), (180, "2")])
def test_the_counter_decays_as_the_tier_lets_it(threshold: int, seconds: str) -> None:
    counter, now = desk(), 100 * SECOND
    counter.learn_tier(threshold)
    for _ in range(5 if threshold == 60 else 8):
        counter.put(HISTORY, Ns(now))
        found = take(counter, now)
        assert found is not None
        counter.done(found[1])
    counter.put(HISTORY, Ns(now))
    wake = counter.wake_at(Ns(now))
    assert wake - now == pytest.approx(int(Decimal(seconds) * SECOND), rel=0.01)
    assert take(counter, wake - 2) is None
    assert take(counter, wake) is not None


@pytest.mark.parametrize(
    ("error", "slows"),
    [
        ("EAPI:Rate limit exceeded", True),
        ("EGeneral:Too many requests", True),
        ("EService: Throttled: 9", True),
        ("EAPI:Invalid nonce", True),
        ("EOrder:Unknown order", False),
    ],
)
def test_what_says_that_it_is_too_much_slows_the_questions(error: str, slows: bool) -> None:
    counter = desk()
    assert counter.heard(error, Ns(7)) == []
    counter.put(ASK, Ns(7))
    assert counter.wake_at(Ns(7)) == (7 + 5 * SECOND if slows else 7)


def test_an_error_that_is_none_of_these_ends_no_slowness() -> None:
    counter = desk()
    for error in ("EAPI:Rate limit exceeded", "EOrder:X", "EAPI:Rate limit exceeded"):
        counter.heard(error, Ns(0))
    counter.put(ASK, Ns(0))
    assert counter.wake_at(Ns(0)) == 10 * SECOND


def test_after_a_signed_success_the_search_for_a_nonce_begins_anew() -> None:
    counter = desk()
    jumps = []
    for error in ("EAPI:Invalid nonce", "EAPI:Invalid nonce", "", "EAPI:Invalid nonce"):
        before = counter.nonce
        counter.heard(error, Ns(0))
        jumps.append(counter.nonce - before)
    assert jumps[1] == 4 * jumps[0]
    assert jumps[2] == 0
    assert jumps[3] == jumps[0]


def test_a_new_life_goes_on_from_the_nonce_that_somebody_remembers() -> None:
    counter = Desk(rest.make_signer("key", "c2VjcmV0"), Ns(10 * SECOND), nonce=WALL)
    counter.put(ASK, Ns(0))
    found = take(counter, 0)
    assert found is not None
    assert nonce_of(found[2]) == counter.nonce == WALL + 1
    counter.nonce = 5
    counter.done(found[1])
    counter.put(ASK, Ns(0))
    found = take(counter, 0)
    assert found is not None
    assert nonce_of(found[2]) == WALL // 1_000, "microseconds of the wall clock"


def test_cancelling_everything_overtakes_what_waits_and_nothing_waits_twice() -> None:
    counter = desk()
    everything = Errand(Purpose.CANCEL_ALL, rest.CANCEL_ALL)
    for errand in (CANCEL, everything, everything, CANCEL):
        assert counter.put(errand, Ns(0))
    order = []
    while (found := take(counter, 0)) is not None:
        order.append(found[0].purpose)
        counter.done(found[1])
    assert order == [Purpose.CANCEL_ALL, Purpose.CANCEL]
    counter.put(ASK, Ns(0))
    assert take(counter, 0) is not None
    counter.put(CANCEL, Ns(0))
    assert counter.wake_at(Ns(0)) == 10 * SECOND, "one cancel waits for the call under way"


def test_the_late_answer_of_a_call_that_was_given_up_is_not_that_of_the_next_one() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    late = take(counter, 0)
    assert late is not None
    assert counter.overdue(Ns(10 * SECOND)) is not None
    counter.put(arm(60), Ns(10 * SECOND))
    now = take(counter, 10 * SECOND)
    assert now is not None
    assert counter.done(late[1]) is None
    found = counter.done(now[1])
    assert found is not None
    assert (found.errand, found.sent_at, found.sent_wall) == (arm(60), 10 * SECOND, WALL)


def test_what_is_urgent_wakes_at_once_whatever_the_questions_wait_for() -> None:
    counter = desk()
    assert counter.overdue(Ns(MINUTE)) is None, "nothing is under way"
    counter.heard("EAPI:Rate limit exceeded", Ns(0))
    counter.put(ASK, Ns(0))
    assert counter.is_waited_for
    assert counter.wake_at(Ns(0)) == 5 * SECOND
    counter.put(CANCEL, Ns(0))
    assert counter.wake_at(Ns(0)) == 0
    alone = desk()
    alone.put(CANCEL, Ns(0))
    assert alone.is_waited_for
    assert alone.wake_at(Ns(0)) == 0
