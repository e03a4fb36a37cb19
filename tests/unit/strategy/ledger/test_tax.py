"""The holding period: every worked case of the calendar rule, to the nanosecond."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.units import SECOND, Ns
from strategy.ledger.tax import (
    BERLIN,
    anniversary,
    berlin_date,
    berlin_day,
    first_free_day,
    free_from_wall,
    is_free,
    is_taxable,
    utc_day,
)

# (acquired, last taxable day, first free day)
WORKED = [
    ("1999-12-31", "2000-12-31", "2001-01-01"),
    ("2021-06-15", "2022-06-15", "2022-06-16"),
    ("2022-03-15", "2023-03-15", "2023-03-16"),
    ("2023-01-01", "2024-01-01", "2024-01-02"),
    ("2023-02-27", "2024-02-27", "2024-02-28"),
    ("2023-02-28", "2024-02-28", "2024-02-29"),
    ("2023-03-01", "2024-03-01", "2024-03-02"),
    ("2023-07-01", "2024-07-01", "2024-07-02"),
    ("2023-09-01", "2024-09-01", "2024-09-02"),
    ("2023-12-30", "2024-12-30", "2024-12-31"),
    ("2023-12-31", "2024-12-31", "2025-01-01"),
    ("2024-01-01", "2025-01-01", "2025-01-02"),
    ("2024-02-27", "2025-02-27", "2025-02-28"),
    ("2024-02-28", "2025-02-28", "2025-03-01"),
    ("2024-02-29", "2025-02-28", "2025-03-01"),
    ("2024-03-01", "2025-03-01", "2025-03-02"),
    ("2024-05-10", "2025-05-10", "2025-05-11"),
    ("2024-12-31", "2025-12-31", "2026-01-01"),
    ("2025-01-31", "2026-01-31", "2026-02-01"),
    ("2025-11-20", "2026-11-20", "2026-11-21"),
    ("2026-12-31", "2027-12-31", "2028-01-01"),
    ("2027-02-28", "2028-02-28", "2028-02-29"),
    ("2027-03-01", "2028-03-01", "2028-03-02"),
    ("2028-02-29", "2029-02-28", "2029-03-01"),
]


def wall(text: str) -> Ns:
    """An ISO time (UTC unless it says otherwise) in ns."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Ns(int(moment.timestamp()) * SECOND)


def german_midnight(day: date) -> Ns:
    return Ns(int(datetime(day.year, day.month, day.day, tzinfo=BERLIN).timestamp()) * SECOND)


@pytest.mark.parametrize(("acquired", "last", "free"), WORKED)
def test_the_year_ends_with_the_anniversary_day(acquired: str, last: str, free: str) -> None:
    assert anniversary(date.fromisoformat(acquired)) == date.fromisoformat(last)
    assert first_free_day(date.fromisoformat(acquired)) == date.fromisoformat(free)


@pytest.mark.parametrize(("acquired", "last", "free"), WORKED)
def test_the_book_changes_its_mind_at_german_midnight(acquired: str, last: str, free: str) -> None:
    midnight = german_midnight(date.fromisoformat(free))
    for hour in ("00:00", "12:00", "22:30"):
        bought = Ns(
            int(datetime.fromisoformat(f"{acquired}T{hour}").replace(tzinfo=BERLIN).timestamp())
            * SECOND
        )
        assert is_taxable(bought, Ns(midnight - 1))
        assert not is_taxable(bought, midnight)


@pytest.mark.parametrize(("acquired", "last", "free"), WORKED)
@pytest.mark.parametrize("safety_days", [0, 4])
def test_the_gate_opens_when_both_calendars_are_past(
    acquired: str, last: str, free: str, safety_days: int
) -> None:
    bought = wall(f"{acquired}T12:00")  # the same date in both calendars
    utc_midnight = wall(f"{free}T00:00") + safety_days * 86_400 * SECOND
    assert free_from_wall(bought, safety_days) == utc_midnight  # an hour or two after Berlin's
    assert is_free(bought, Ns(utc_midnight), safety_days)
    assert not is_free(bought, Ns(utc_midnight - 1), safety_days)


def test_near_midnight_the_later_date_decides() -> None:
    bought = wall("2024-06-30T22:30:00")  # 1 July in Germany, 30 June in UTC
    assert berlin_day(bought) == date(2024, 7, 1)
    assert utc_day(bought) == date(2024, 6, 30)
    assert is_taxable(bought, wall("2025-07-01T21:59:59"))
    assert not is_taxable(bought, wall("2025-07-01T22:00:00"))
    assert free_from_wall(bought, 0) == wall("2025-07-01T22:00:00")


def test_a_sale_after_german_midnight_belongs_to_the_next_year() -> None:
    assert berlin_day(wall("2024-12-31T23:30:00")) == date(2025, 1, 1)
    assert berlin_date(wall("2024-12-31T23:30:00")) == "2025-01-01"


def test_a_nanosecond_before_midnight_is_still_the_old_day() -> None:
    midnight = wall("2025-01-01T00:00:00")
    assert utc_day(Ns(midnight - 1)) == date(2024, 12, 31)
    assert utc_day(midnight) == date(2025, 1, 1)


def test_what_was_bought_later_is_never_free_earlier() -> None:
    """The free coins are a prefix of the queue only because of this."""
    start = wall("2023-02-20T00:00:00")
    hours = [Ns(start + hour * 3600 * SECOND) for hour in range(24 * 400)]
    moments = [free_from_wall(hour, 4) for hour in hours]
    assert moments == sorted(moments)


def test_the_gate_never_frees_what_the_book_calls_taxable() -> None:
    start = datetime(2023, 2, 20, tzinfo=UTC)
    for hours in range(0, 24 * 760, 5):
        bought = Ns(int((start + timedelta(hours=hours)).timestamp()) * SECOND)
        assert not is_taxable(bought, free_from_wall(bought, 0))
