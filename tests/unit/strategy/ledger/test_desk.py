"""The desk of the gate: kept up fill by fill, the same as booked anew; free coins and room."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import DAY, Ns, Side
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.events import (
    KRAKEN,
    Arrived,
    Departed,
    Exchanged,
    Origin,
    TaxEvent,
    units_of,
)
from strategy.ledger.rates import Rate, Rates
from strategy.ledger.room import Resting

SETTINGS = DeskSettings("BTC")
ONE = units_of(Decimal(1))
TENTH = units_of(Decimal("0.1"))


def at(text: str) -> Ns:
    return Ns(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9)


def trade(name: str, side: str, when: str, gross: int, currency: str = "EUR") -> Exchanged:
    return Exchanged(name, at(when), 0, KRAKEN, "BTC", Side(side), TENTH, currency, Decimal(gross))


OLD = trade("old", "buy", "2023-01-10 12:00", 2000)
YOUNG = trade("young", "buy", "2024-05-01 12:00", 5000)


def test_free_coins_may_always_be_sold_and_young_ones_while_there_is_room() -> None:
    gate = Desk([OLD, YOUNG], Rates(), SETTINGS).gate(at("2024-06-01 12:00"), ONE)
    assert (gate.free, gate.room) == (TENTH, Decimal("999.99"))
    assert gate.fits([Resting(Decimal(90_000), TENTH)])
    assert gate.fits([Resting(Decimal("59_999.90"), TENTH)] * 2)
    assert not gate.fits([Resting(Decimal(60_000), TENTH)] * 2)
    assert gate.most_at(Decimal(60_000), 2 * TENTH, [], TENTH // 10) == TENTH + TENTH * 9 // 10


def test_of_what_is_thought_of_only_what_lies_beyond_the_free_coins_counts() -> None:
    desk, now = Desk([OLD, YOUNG], Rates(), SETTINGS), at("2024-06-01 12:00")
    within = desk.gate(now, 1)
    assert desk.gate(now, TENTH + 1) is within
    assert desk.gate(now, TENTH // 2, pending=TENTH // 2) is not within
    afar = desk.gate(now, ONE)
    assert (afar.free, afar.locked, afar.room) == (within.free, within.locked, within.room)


def test_a_withdrawal_eats_the_free_coins() -> None:
    gone = Departed("w", at("2024-05-20 12:00"), 0, KRAKEN, "BTC", TENTH)
    desk = Desk([OLD, YOUNG], Rates(), SETTINGS)
    now = at("2024-06-01 12:00")
    assert desk.gate(now, ONE, pending=TENTH // 2).free == TENTH // 2
    desk.hear(gone)
    desk.hear(gone)
    assert desk.gate(now, ONE).free == 0


def test_coins_that_came_with_an_old_date_stand_in_front() -> None:
    came = Arrived(
        "m", at("2024-05-20 12:00"), 0, KRAKEN, "BTC", TENTH, Origin.PURCHASE,
        at("2020-01-01 12:00"), Decimal(700),
    )  # fmt: skip
    desk = Desk([YOUNG], Rates(), SETTINGS)
    desk.hear(came)
    gate = desk.gate(at("2024-06-01 12:00"), ONE)
    assert [(lot.lot, lot.acquired) for lot in desk.front(ONE)] == [
        ("m", date(2020, 1, 1)),
        ("young", date(2024, 5, 1)),
    ]
    assert gate.free == TENTH


def test_both_calendars_must_be_past_the_year() -> None:
    late = trade("late", "buy", "2024-06-30 20:00", 5000)
    desk = Desk([late], Rates(), SETTINGS)
    # 1 July 2025 in Berlin already, 30 June by UTC.
    assert desk.gate(at("2025-06-30 22:30"), ONE).free == 0
    assert desk.gate(at("2025-07-01 00:00"), ONE).free == TENTH


def test_the_year_so_far_takes_from_the_room_and_a_new_year_gives_it_back() -> None:
    desk = Desk([YOUNG], Rates(), SETTINGS)
    desk.gate(at("2024-06-01 12:00"), ONE)
    desk.hear(trade("s", "sell", "2024-06-02 12:00", 5400))
    gate = desk.gate(at("2024-06-03 12:00"), ONE)
    assert (gate.net, gate.room) == (400, Decimal("599.99"))
    assert desk.gate(at("2024-12-31 23:30"), ONE).room == Decimal("999.99")


def test_without_a_rate_nothing_taxable_is_sold_until_it_is_published() -> None:
    desk = Desk([OLD], Rates(), SETTINGS)
    now = at("2024-06-04 12:00")
    desk.gate(now, ONE)
    desk.hear(trade("usd", "buy", "2024-06-03 12:00", 6000, "USD"))
    gate = desk.gate(now, ONE)
    assert gate.room is None
    assert gate.fits([Resting(Decimal(1), TENTH)])
    assert not gate.fits([Resting(Decimal(1), TENTH)] * 2)
    assert gate.most_at(Decimal(1), 2 * TENTH, []) == TENTH
    desk.learn([Rate(date(2024, 6, 3), "USD", Decimal("1.0842"))])
    assert desk.gate(now, ONE).fits([Resting(Decimal(1), TENTH)])


def test_the_gate_takes_the_worse_total_of_with_and_without_dollars() -> None:
    rates = Rates(
        Rate(date.fromisoformat(day), "USD", Decimal(value))
        for day, value in (("2025-01-13", "1.0198"), ("2025-06-30", "1.172"))
    )
    sold = trade("s", "sell", "2025-01-13 12:00", 9400, "USD")
    bought = trade("b", "buy", "2025-06-30 12:00", 9400, "USD")
    first = trade("f", "buy", "2024-11-15 12:00", 8100)
    gate = Desk([first, sold, bought], rates, SETTINGS).gate(at("2025-07-01 12:00"), ONE)
    assert gate.net == Decimal("1117.49")
    assert gate.room == Decimal("-117.50")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "buy", "sell", "out"]), st.integers(0, 9), st.integers(1, 9000)
        ),
        max_size=9,
    ).flatmap(st.permutations)
)
@settings(max_examples=60)
def test_kept_up_event_by_event_it_says_what_it_says_booked_at_once(
    told: list[tuple[str, int, int]],
) -> None:
    events: list[TaxEvent] = []
    for number, (kind, month, gross) in enumerate(told):
        wall = Ns(at("2024-01-01 12:00") + month * 30 * DAY)
        if kind == "out":
            events.append(Departed(f"e{number}", wall, 0, KRAKEN, "BTC", TENTH))
        else:
            events.append(
                Exchanged(
                    f"e{number}", wall, 0, KRAKEN, "BTC", Side(kind), TENTH, "EUR", Decimal(gross)
                )
            )
    now = at("2025-03-01 12:00")
    desk = Desk([], Rates(), SETTINGS)
    for event in events:
        desk.hear(event)
        desk.gate(now, ONE)
    assert desk.gate(now, ONE) == Desk(events, Rates(), SETTINGS).gate(now, ONE)


def test_a_settled_desk_says_what_one_that_forgets_nothing_says() -> None:
    settled, other = Desk([OLD], Rates(), SETTINGS), Desk([OLD], Rates(), SETTINGS)
    for day in range(1, 29):
        side = "sell" if day % 3 == 0 else "buy"
        told = trade(f"t{day}", side, f"2024-02-{day:02} 12:00", 4000 + day * 170 % 900)
        for desk in (settled, other):
            desk.hear(told)
        settled.settle()
        now = Ns(told.wall + 300 * DAY)
        assert settled.gate(now, 3 * ONE) == other.gate(now, 3 * ONE)
        assert settled.lots() == other.lots()
        assert settled.years() == other.years()
        assert (settled.sold(date(2024, 2, day), 7), settled.cost()) == (
            other.sold(date(2024, 2, day), 7), other.cost(),
        )  # fmt: skip
    assert settled.net(2024) != 0


def test_nothing_may_be_told_late_to_a_settled_desk() -> None:
    desk = Desk([YOUNG], Rates(), SETTINGS)
    desk.settle()
    with pytest.raises(AssertionError, match="forgotten"):
        desk.hear(OLD)
