"""ECB euro reference rates: read in every published form, look up by German day, doubt the odd.

Rule 1: a rate is units of the foreign currency for one euro: EUR = amount / rate.
Rule 2: a day without a rate takes the last one published before it. Which days have none is known
from the TARGET calendar, not from gaps in the data: a gap on a working day is provisional.
Rule 3: columns are found by their names, never by their places.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final
from xml.etree import ElementTree

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.ledger.archive import ArchiveError, csv_inside
from strategy.ledger.tax import BERLIN

EURO: Final = "EUR"
LARGEST_FILE: Final = 64_000_000
"""Bytes of a file, unpacked; the whole history is 4 million."""

CURRENCIES: Final = ("AUD", "CAD", "CHF", "GBP", "JPY", "USD")
"""Foreign money, as far as Kraken trades coins against it and the ECB has a rate."""

BELIEVED: Final = {
    "AUD": (Decimal("0.8"), Decimal("4.0")),
    "CAD": (Decimal("0.7"), Decimal("3.5")),
    "CHF": (Decimal("0.5"), Decimal("3.0")),
    "GBP": (Decimal("0.3"), Decimal("2.0")),
    "JPY": (Decimal("60"), Decimal("400")),
    "USD": (Decimal("0.5"), Decimal("2.0")),
}
"""Units for one euro, as far as one can believe them: about half the least there was since 1999 to
twice the most. USD was 0.8252 to 1.5990."""

ODD_JUMP: Final = Decimal("0.05")
PUBLISHED_AT_HOUR: Final = 16
"""Frankfurt time at which a working day's rates are published."""

_NO_RATE: Final = ("", "N/A", "NaN", "-")
_LONGEST_CLOSE: Final = 10


class RatesError(Exception):
    """A file is no list of ECB rates, or holds a rate nobody can believe."""


class Rate(Struct, frozen=True, order=True):
    """One published rate: `value` units of `currency` for one euro on `day`."""

    day: date
    currency: str
    value: Decimal


class Newest(Struct, frozen=True):
    """The last published day that is known of a currency, and its rate."""

    day: date
    value: Decimal


class Looked(Struct, frozen=True, gc=False):
    """A rate for a trade. provisional: the day's own rate should exist and is not known yet."""

    day: date
    value: Decimal
    provisional: bool


EURO_ITSELF: Final = Decimal(1)


class Rates:
    """All known rates; a later rate of the same day and currency stands in for the earlier."""

    def __init__(self, rates: Iterable[Rate] = (), *, stand_in: bool = False) -> None:
        """stand_in: where no rate is known, one to one, provisional: for counting coins only."""
        self._known = {(rate.currency, rate.day): rate.value for rate in rates}
        self._stand_in = stand_in
        self._found: dict[tuple[str, date], Looked | None] = {}  # answers: all rates stay known

    def __len__(self) -> int:
        return len(self._known)

    def with_all(self, rates: Iterable[Rate]) -> Rates:
        """These and the given ones, which win."""
        found = Rates(rates)
        found._known = self._known | found._known  # before anything is asked of it
        return found

    def all(self) -> list[Rate]:
        """Every rate, by day and currency."""
        return sorted(Rate(day, currency, value) for (currency, day), value in self._known.items())

    def look_up(self, currency: str, day: date) -> Looked | None:
        """The rate for a trade of this German day; None if nothing within ten days is known."""
        if currency == EURO:
            return _euro_on(day)
        key = currency, day
        if key not in self._found:
            self._found[key] = self._look_up(currency, day)
        return self._found[key]

    def _look_up(self, currency: str, day: date) -> Looked | None:
        due = published_day(day)
        provisional = False
        for back in range(_LONGEST_CLOSE + 1):
            found = self._known.get((currency, due - timedelta(days=back)))
            if found is not None:
                return Looked(due - timedelta(days=back), found, provisional)
            # What the calendar promised is missing; what an older day says is only for now.
            provisional = True
        return Looked(due, EURO_ITSELF, True) if self._stand_in else None

    def newest(self, currency: str) -> date | None:
        """The last day of which a rate is known."""
        return max((day for known, day in self._known if known == currency), default=None)


@lru_cache(maxsize=4096)
def _euro_on(day: date) -> Looked:
    return Looked(day, EURO_ITSELF, False)


# The calendar.


def is_target_day(day: date) -> bool:
    """Whether TARGET is open, and so a rate is published (closing days since 2002)."""
    if day.weekday() >= 5 or (day.month, day.day) in ((1, 1), (5, 1), (12, 25), (12, 26)):
        return False
    easter = _easter(day.year)
    return day not in (easter - timedelta(days=2), easter + timedelta(days=1))


@lru_cache(maxsize=4096)
def published_day(day: date) -> date:
    """The last day not after this one on which a rate is published."""
    while not is_target_day(day):
        day -= timedelta(days=1)
    return day


def is_published(day: date, now_wall: Ns) -> bool:
    """Whether the rate that values a trade of `day` must be out by now."""
    due = published_day(day)
    now = datetime.fromtimestamp(now_wall // SECOND, BERLIN)
    return (now.date(), now.hour) >= (due, PUBLISHED_AT_HOUR)


def due_day(now_wall: Ns) -> date:
    """The last day whose rate must be out by now."""
    today = datetime.fromtimestamp(now_wall // SECOND, BERLIN).date()
    return published_day(today if is_published(today, now_wall) else today - timedelta(days=1))


@lru_cache(maxsize=256)
def _easter(year: int) -> date:
    """Easter Sunday by the Gregorian computus (Meeus)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


# The files.


def parse(data: bytes, wanted: tuple[str, ...] = ("USD",)) -> list[Rate]:
    """Rates of these currencies in any of the ECB's files, oldest first; else RatesError.

    Understood: eurofxref(-hist) as zip or csv, eurofxref-daily and -hist-90d as xml, and the data
    portal's SDMX csv. Days and currencies without a value are left out.
    """
    if len(data) > LARGEST_FILE:
        raise RatesError("the file is larger than any list of ECB rates")
    if data[:2] == b"PK":
        return parse(_unzipped(data), wanted)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RatesError("the file is neither text nor a zip archive") from error
    rows = _from_xml(text) if text.lstrip().startswith("<") else _from_csv(text, wanted)
    found = sorted(
        Rate(day, currency, value)
        for day, currency, value in rows
        if currency in wanted and value is not None
    )
    if not found:
        raise RatesError(f"the file holds no rate of {', '.join(wanted)}")
    return found


def doubts(rates: Iterable[Rate], today: date) -> list[str]:
    """What is odd about rates, as sentences. RatesError where a value cannot be true."""
    said = []
    before: dict[str, Rate] = {}
    for rate in sorted(rates):
        lowest, highest = BELIEVED.get(rate.currency, (Decimal(0), Decimal("Infinity")))
        if not lowest <= rate.value <= highest:
            what = f"{rate.value} {rate.currency} for one euro"
            raise RatesError(f"{rate.day}: {what} cannot be true")
        if rate.day > today:
            raise RatesError(f"{rate.day}: a rate from the future (today is {today})")
        last = before.get(rate.currency)
        if last and abs(rate.value - last.value) > last.value * ODD_JUMP:
            jump = f"{last.value} -> {rate.value} {rate.currency}"
            said.append(f"{rate.day}: {jump} is a jump of more than 5 %")
        before[rate.currency] = rate
    return said


def fingerprint(data: bytes) -> str:
    """Names a raw file: SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


Row = tuple[date, str, Decimal | None]


def _unzipped(data: bytes) -> bytes:
    try:
        inside = csv_inside(data, LARGEST_FILE)
    except ArchiveError as error:
        raise RatesError(str(error)) from error
    if len(inside) != 1:
        raise RatesError("the archive must hold one csv file of rates")
    return next(iter(inside.values()))


def _from_csv(text: str, wanted: tuple[str, ...]) -> Iterator[Row]:
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        names = [(name or "").strip() for name in table.fieldnames or ()]
        table.fieldnames = names
        if "TIME_PERIOD" in names and "OBS_VALUE" in names:
            yield from _from_sdmx(table)
        elif "Date" in names:
            columns = [name for name in wanted if name in names]
            for row in table:
                day = _day(row["Date"] or "")
                for name in columns:
                    yield day, name, _value(row[name] or "")
        else:
            raise RatesError("no column Date, and no TIME_PERIOD with OBS_VALUE")
    except csv.Error as error:
        raise RatesError(f"not a csv file: {error}") from error


def _from_sdmx(table: csv.DictReader[str]) -> Iterator[Row]:
    for row in table:
        # Of several series only the daily reference rate against the euro counts.
        other = row.get("FREQ") or "D", row.get("CURRENCY_DENOM") or EURO
        if other != ("D", EURO) or (row.get("OBS_STATUS") or "").strip() == "H":
            continue
        # KEY is EXR.D.USD.EUR.SP00.A; the short form of the file has no column CURRENCY.
        currency = row.get("CURRENCY") or f"{row.get('KEY')}...".split(".")[2]
        yield _day(row["TIME_PERIOD"] or ""), currency, _value(row["OBS_VALUE"] or "")


def _from_xml(text: str) -> Iterator[Row]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RatesError("the xml file declares a document type: refused")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise RatesError(f"not an xml file: {error}") from error
    for dated in root.iter():
        if dated.tag.rpartition("}")[2] == "Cube" and "time" in dated.attrib:
            day = _day(dated.attrib["time"])
            for cube in dated:
                if "currency" in cube.attrib:
                    yield day, cube.attrib["currency"], _value(cube.attrib.get("rate", ""))


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def _day(text: str) -> date:
    """2026-10-30, or 30 October 2026 with the English month, whatever the locale."""
    text = text.strip()
    try:
        if spelled := re.fullmatch(r"(\d{1,2}) ([A-Z][a-z]+) (\d{4})", text):
            return date(int(spelled[3]), _MONTHS.index(spelled[2]) + 1, int(spelled[1]))
        return date.fromisoformat(text)
    except ValueError as error:
        raise RatesError(f"{text!r} is not a day") from error


def _value(text: str) -> Decimal | None:
    text = text.strip()
    if text in _NO_RATE:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise RatesError(f"{text!r} is not a rate") from error
    if not value.is_finite() or value <= 0:
        raise RatesError(f"{text!r} is not a rate")
    return value
