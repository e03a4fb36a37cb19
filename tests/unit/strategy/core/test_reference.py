"""The slower reference, the second source, and the daily loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import control
from shared.orders import AddOrder, AmendOrder, SecondPrice
from shared.units import DAY, MINUTE, SECOND, Ns, Ticks
from strategy.core.daily import overspent, turn_day
from strategy.core.market import Freshness
from strategy.core.memory import Day
from strategy.core.reference import (
    HALF_LIFE,
    NEVER,
    SECOND_PRICE_AGE,
    Reference,
    doubt,
    follow,
    follow_all,
    reaches_at,
    slower,
    told,
)
from strategy.core.risk import Risk
from tests.unit.strategy.core.build import BOOT, MID, WALL, make_config, make_memory, make_view
from tests.unit.strategy.core.desk import Desk


def test_the_slow_mean_begins_with_the_first_fresh_mid_and_halves_the_way_in_its_half_life() -> (
    None
):
    known = follow(Reference(), make_view(), BOOT)
    assert known.slow == MID
    known = follow(known, make_view(2 * MID), Ns(BOOT + HALF_LIFE))
    assert known.slow == pytest.approx(1.5 * MID)


def test_a_book_that_is_not_fresh_moves_nothing() -> None:
    known = Reference(float(MID), BOOT)
    assert follow(known, make_view(2 * MID, freshness=Freshness.SETTLING), Ns(BOOT + 1)) == known


def test_the_vwap_goes_before_the_slow_mean_and_the_mid_is_the_last_resort() -> None:
    assert slower(Reference(5.0), make_view(vwap=7.0)) == 7.0
    assert slower(Reference(5.0), make_view()) == 5.0
    assert slower(Reference(), make_view()) == MID


def ticker(desk: Desk, mid: int) -> SecondPrice:
    return SecondPrice("BTC/EUR", Ticks(mid - 5), Ticks(mid + 5), desk.now)


def test_while_feed_and_ticker_disagree_nothing_is_added_and_what_rests_stays() -> None:
    desk = Desk()
    desk.begin()
    desk.run(1, ticker(desk, MID))
    resting, sent = dict(desk.resting), len(desk.sent)
    desk.run(1, ticker(desk, MID * 5 // 4))
    desk.fill(next(iter(desk.resting)))
    desk.run(20)
    added = [c for c in desk.sent[sent:] if isinstance(c, AddOrder | AmendOrder)]
    assert not added
    assert len(desk.resting) == len(resting) - 1
    # A second price that nobody renews decides nothing any more.
    desk.run(15)
    assert any(isinstance(c, AddOrder) for c in desk.sent[sent:])


def test_a_ticker_of_another_pair_is_nobodys_business() -> None:
    desk = Desk()
    desk.begin()
    desk.run(1, SecondPrice("ETH/EUR", Ticks(1), Ticks(2), desk.now))
    assert desk.memory.pairs["BTC/EUR"].reference.second == 0.0
    assert told(Reference(), ticker(desk, MID)).second == MID


def test_the_day_begins_once_with_the_first_known_equity_and_is_kept() -> None:
    memory = make_memory()
    assert turn_day(memory) == []
    memory.risk = Risk(equity=1_000.0, peak=1_000.0)
    [fact] = turn_day(memory)
    assert turn_day(memory) == []
    assert make_memory(facts={"day": fact.value}).day == memory.day  # type: ignore[union-attr]
    memory.wall = Ns(memory.wall + DAY)
    memory.risk = Risk(equity=900.0, peak=1_000.0)
    assert turn_day(memory)
    assert memory.day.equity == 900.0


def test_the_day_turns_at_midnight_in_germany() -> None:
    memory = make_memory()
    memory.risk = Risk(equity=1.0, peak=1.0)
    summer_midnight = WALL - WALL % DAY + DAY - 2 * 60 * MINUTE  # 22:00 UTC in September
    memory.wall = Ns(summer_midnight - SECOND)
    turn_day(memory)
    before = memory.day.day
    memory.wall = Ns(summer_midnight)
    turn_day(memory)
    assert memory.day.day > before


@pytest.mark.parametrize(("equity", "stops"), [(900.0, False), (899.99, True), (0.0, False)])
def test_a_loss_above_the_limit_stops(equity: float, stops: bool) -> None:
    memory = make_memory(make_config(limits={"daily_loss_quote": "100"}))
    memory.day = Day("2026-09-21", 1_000.0)
    memory.risk = Risk(equity=equity, peak=1_000.0)
    assert bool(overspent(memory)) is stops


def test_a_lossy_day_halts_until_a_person_resumes_and_is_counted_anew_from_there() -> None:
    desk = Desk(make_config(limits={"daily_loss_quote": "500"}))
    desk.begin()
    desk.mid = MID * 19 // 20
    desk.run(2)
    assert "since the day began" in desk.memory.halt
    assert "since the day began" in desk.facts["halt"]
    desk.run(5)
    assert not desk.resting
    assert desk.resume().ok
    desk.run(10)
    assert not desk.memory.halt
    assert desk.ask(control.AskStatus).data["phase"] == "trading"


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Reference(), ""),
        (Reference(second=MID * 0.8, second_at=BOOT), ""),  # a quarter off: the collar itself
        (Reference(second=MID / 1.26, second_at=BOOT), "26.0%"),
        (Reference(second=MID / 0.74, second_at=BOOT), "26.0%"),
        (Reference(second=MID / 1.26, second_at=Ns(BOOT - SECOND_PRICE_AGE)), "26.0%"),
        (Reference(second=MID / 1.26, second_at=Ns(BOOT - SECOND_PRICE_AGE - 1)), ""),
        (Reference(slow=MID * 9.0, at=BOOT), ""),
    ],
)
def test_two_sources_are_doubted_while_they_are_further_apart_than_the_collar(
    known: Reference, why: str
) -> None:
    said = doubt(known, make_view(), BOOT, 0.25)
    assert said == (why and f"the book and the exchange's ticker are {why} apart")


def test_following_a_run_is_following_each_of_its_mids() -> None:
    nows = [Ns(BOOT + n * n * SECOND) for n in range(1, 20)]
    mids = [MID + 37.0 * n * (-1) ** n for n in range(1, 20)]
    begun = Reference(float(MID), BOOT, 7.0, Ns(8))
    known = begun
    for now, mid in zip(nows, mids, strict=True):
        known = follow(known, make_view(mid), now)
    found = follow_all(begun, nows, mids)
    assert found.slow == pytest.approx(known.slow, rel=1e-12)
    assert (found.at, found.second, found.second_at) == (nows[-1], 7.0, 8)
    assert replace(known, slow=found.slow) == found


@given(
    st.integers(900, 1_100),
    st.integers(900, 1_100),
    st.lists(st.tuples(st.integers(1, 200), st.integers(0, 150)), min_size=1, max_size=30),
)
def test_the_slow_mean_gets_to_a_price_no_sooner_than_said(
    price: int, bound: int, steps: list[tuple[int, int]]
) -> None:
    known, now = Reference(slow=1_000.25, at=BOOT), BOOT
    rises = price > known.slow
    reaches = reaches_at(known, price, bound)
    for seconds, short in steps:
        now = Ns(now + seconds * SECOND)
        known = follow(known, make_view(bound - short if rises else bound + short), now)
        if now < reaches:
            assert (known.slow < price) is rises


def test_the_slow_mean_gets_half_the_way_in_its_half_life_and_never_beyond_the_mids() -> None:
    known = Reference(slow=1_000.0, at=BOOT)
    assert reaches_at(known, 1_050.0, 1_100.0) == BOOT + HALF_LIFE
    assert reaches_at(known, 950.0, 900.0) == BOOT + HALF_LIFE
    assert reaches_at(known, 1_050.0, 1_050.0) == reaches_at(known, 950.0, 990.0) == NEVER


def test_a_mid_that_is_no_price_moves_nothing_and_the_second_price_is_kept() -> None:
    known = Reference(5.0, BOOT, 7.0, Ns(8))
    assert follow(known, make_view(0.0), Ns(BOOT + 1)) == known
    begun = follow(Reference(second=7.0, second_at=Ns(8)), make_view(), BOOT)
    assert begun == Reference(float(MID), BOOT, 7.0, Ns(8))
    heard = told(known, SecondPrice("BTC/EUR", Ticks(10), Ticks(15), Ns(9)))
    assert heard == Reference(5.0, BOOT, 12.5, Ns(9))
