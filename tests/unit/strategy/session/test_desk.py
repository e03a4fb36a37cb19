"""The REST desk: one call at a time, rising nonces, patience with limits."""

from __future__ import annotations

from urllib.parse import parse_qs

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kraken import rest
from shared.kraken.rest import Request, make_signer
from shared.units import MINUTE, SECOND, Ns
from strategy.session.desk import LOCKOUT, Desk, Errand, Purpose

WALL = Ns(1_790_000_000 * 10**9)
ASK = Errand(Purpose.QUESTION, rest.OPEN_ORDERS)
HISTORY = Errand(Purpose.QUESTION, rest.trades_history(Ns(0), 0))


def desk() -> Desk:
    return Desk(make_signer("key", "c2VjcmV0"), Ns(10 * SECOND))


def arm(timeout_s: int) -> Errand:
    call = rest.cancel_all_orders_after(timeout_s)
    return Errand(Purpose.ARM, call, timeout_s=timeout_s)


def nonce_of(request: Request) -> int:
    return int(parse_qs(request.body.decode())["nonce"][0])


def take(counter: Desk, now: int, wall: int = WALL) -> tuple[Errand, int, Request] | None:
    taken = counter.take(Ns(now), Ns(wall))
    return None if taken is None else (taken[0].errand, taken[0].job, taken[1])


def test_one_call_is_under_way_at_a_time() -> None:
    counter = desk()
    assert counter.put(ASK, Ns(0))
    assert counter.put(arm(60), Ns(0))
    first = take(counter, 0)
    assert first is not None
    assert first[0].purpose is Purpose.ARM  # what is urgent goes first
    assert take(counter, 0) is None
    assert counter.done(first[1] + 1) is None
    assert counter.done(first[1]) is not None
    assert take(counter, 0) is not None


def test_a_call_without_answer_is_given_up_and_its_late_answer_is_nobodys() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    first = take(counter, 0)
    assert first is not None
    assert counter.wake_at(Ns(0)) == 10 * SECOND
    assert counter.overdue(Ns(10 * SECOND - 1)) is None
    assert counter.overdue(Ns(10 * SECOND)) is not None
    assert counter.done(first[1]) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3_600 * 10**9, 3_600 * 10**9), max_size=20))
def test_nonces_rise_whatever_the_clock_does(jumps: list[int]) -> None:
    counter, last, now = desk(), 0, 0
    for jump in jumps:
        now += MINUTE
        counter.put(ASK, Ns(now))
        found = take(counter, now, WALL + jump)
        assert found is not None
        assert nonce_of(found[2]) > last
        last = nonce_of(found[2])
        counter.done(found[1])


def test_a_nonce_that_was_used_up_is_not_tried_again_soon() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    first = take(counter, 0)
    assert first is not None
    counter.done(first[1])
    counter.heard("EAPI:Invalid nonce", Ns(0))
    counter.put(ASK, Ns(0))
    assert take(counter, 0) is None
    again = take(counter, 5 * SECOND)
    assert again is not None
    assert nonce_of(again[2]) - nonce_of(first[2]) > 3_600 * 1_000_000


def test_an_unsigned_answer_says_nothing_about_nonces_long_seed_2000() -> None:
    """Else each public answer began the search for a nonce that is high enough anew."""
    counter, steps, last, now = desk(), [], 0, 0
    for _ in range(4):
        counter.put(ASK, Ns(now))
        found = take(counter, now)
        assert found is not None
        steps.append(nonce_of(found[2]) - last)
        last = nonce_of(found[2])
        counter.done(found[1])
        counter.heard("EAPI:Invalid nonce", Ns(now))
        counter.heard("", Ns(now), signed=False)
        now += MINUTE
    assert steps[3] > 3 * steps[2] > 9 * steps[1]


def test_questions_wait_for_the_counter_and_the_switch_does_not() -> None:
    counter, now, made = desk(), 0, 0
    while True:
        counter.put(HISTORY, Ns(now))
        found = take(counter, now)
        if found is None:
            break
        made += 1
        counter.done(found[1])
    assert made == 5  # of 2 each, within 15 less what stays free
    counter.put(arm(60), Ns(now))
    urgent = take(counter, now)
    assert urgent is not None
    counter.done(urgent[1])
    wake = counter.wake_at(Ns(now))
    assert now < wake < 10 * SECOND
    assert take(counter, wake) is not None


def test_a_rate_limit_slows_questions_longer_each_time() -> None:
    counter, waits = desk(), []
    for _ in range(6):
        counter.heard("EAPI:Rate limit exceeded", Ns(0))
        counter.put(ASK, Ns(0))
        waits.append(counter.wake_at(Ns(0)) // SECOND)
    assert waits == [5, 10, 20, 40, 80, 80]
    counter.heard("", Ns(0))
    counter.heard("EGeneral:Too many requests", Ns(0))
    assert counter.wake_at(Ns(0)) == 5 * SECOND


def test_a_lockout_stops_everything_and_says_so() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    counter.put(arm(60), Ns(0))
    given_up = counter.heard("EGeneral:Temporary lockout", Ns(0))
    assert [each.purpose for each in given_up] == [Purpose.ARM, Purpose.QUESTION]
    assert not counter.put(arm(60), Ns(LOCKOUT - 1))
    assert counter.put(arm(60), LOCKOUT)


def test_the_newest_arming_counts_and_a_cancel_waits_once() -> None:
    counter = desk()
    cancel = Errand(Purpose.CANCEL, rest.cancel_order("g1", ""), "g1")
    for errand in (arm(60), cancel, arm(30), cancel):
        assert counter.put(errand, Ns(0))
    order = []
    while (found := take(counter, 0)) is not None:
        order.append((found[0].purpose, found[0].timeout_s))
        counter.done(found[1])
    assert order == [(Purpose.CANCEL, 0), (Purpose.ARM, 30)]


def test_the_queue_is_bounded() -> None:
    counter = desk()
    names = [f"g{number}" for number in range(300)]
    taken = [
        counter.put(Errand(Purpose.CANCEL, rest.cancel_order(name, ""), name), Ns(0))
        for name in names
    ]
    assert taken.count(True) == 200


def test_a_kill_waits_half_a_second_for_a_call_that_hangs_and_goes_first() -> None:
    counter = desk()
    counter.put(ASK, Ns(0))
    hanging = take(counter, 0)
    assert hanging is not None
    counter.put(arm(60), Ns(0))
    counter.put(Errand(Purpose.CANCEL_ALL, rest.CANCEL_ALL), Ns(0))
    assert counter.wake_at(Ns(0)) == SECOND // 2
    assert counter.overdue(Ns(SECOND // 2 - 1)) is None
    given_up = counter.overdue(Ns(SECOND // 2))
    assert given_up is not None
    assert given_up.errand == ASK
    taken = take(counter, SECOND // 2)
    assert taken is not None
    assert taken[0].purpose is Purpose.CANCEL_ALL
    assert nonce_of(taken[2]) > nonce_of(hanging[2])
