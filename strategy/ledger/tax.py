"""The holding period of § 23 EStG: until when a sale is taxable, and from when on it is free.

Rule 1: the calendar decides, never a count of days or seconds (§ 187 (1), § 188 (2) and (3) BGB).
Rule 2: the book classifies by German dates; the gate wants the German *and* the UTC calendar past
the period, plus the safety days (no law names a time zone, and § 108 (3) AO may or may not move
an end that falls on a weekend or a holiday).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from shared.units import SECOND, Ns

BERLIN: Final = ZoneInfo("Europe/Berlin")  # legal time: §§ 1 (2), 4 EinhZeitG

_HOUR: Final = 3600 * SECOND


def anniversary(day: date) -> date:
    """The last taxable day of a coin acquired on `day`: same day and month, one year later."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # § 188 (3) BGB: 29 February ends on the last day of the next February.
        return date(day.year + 1, 2, 28)


def first_free_day(day: date) -> date:
    """The first day on which a coin acquired on `day` may be sold free of tax."""
    return anniversary(day) + timedelta(days=1)


def berlin_day(wall: Ns) -> date:
    """The German calendar date of a moment: dates lots and sales, and decides the tax year."""
    return _berlin_day(wall // _HOUR)


@lru_cache(maxsize=4096)
def _berlin_day(hour: int) -> date:
    # Berlin's clock has been whole hours off UTC since 1893.
    return datetime.fromtimestamp(hour * 3600, BERLIN).date()


def berlin_date(wall: Ns) -> str:
    """The same as text, "2026-11-21"."""
    return _berlin_date(wall // _HOUR)


@lru_cache(maxsize=4096)
def _berlin_date(hour: int) -> str:
    return _berlin_day(hour).isoformat()


def utc_day(wall: Ns) -> date:
    """The calendar date of a moment as the exchange writes it."""
    return datetime.fromtimestamp(wall // SECOND, UTC).date()


def is_taxable(buy_wall: Ns, sell_wall: Ns) -> bool:
    """Whether a sale falls into the period of "not more than one year": for the book.

    § 23 (1) s. 1 Nr. 2 s. 1 EStG; both walls are those of the fills, not of the orders.
    """
    return berlin_day(sell_wall) <= anniversary(berlin_day(buy_wall))


def is_free(buy_wall: Ns, now_wall: Ns, safety_days: int) -> bool:
    """Whether the gate may sell this coin now as free of tax: surely past the period."""
    return now_wall >= free_from_wall(buy_wall, safety_days)


def free_from_wall(buy_wall: Ns, safety_days: int) -> Ns:
    """The first moment from which `is_free` holds, ns since 1970 UTC. Grows with `buy_wall`."""
    # Both calendars turn on a full hour, so an hour's coins are all set free together.
    return _free_from(buy_wall // _HOUR, safety_days)


@lru_cache(maxsize=4096)
def _free_from(hour: int, safety_days: int) -> Ns:
    moment = Ns(hour * _HOUR)
    wait = timedelta(days=safety_days)
    berlin = datetime.combine(first_free_day(berlin_day(moment)) + wait, time(), BERLIN)
    utc = datetime.combine(first_free_day(utc_day(moment)) + wait, time(), UTC)
    return Ns(int(max(berlin.timestamp(), utc.timestamp())) * SECOND)
