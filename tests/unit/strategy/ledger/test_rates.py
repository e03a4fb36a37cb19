"""ECB rates: each published form of file, the days without one, and what cannot be true."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shared.units import Ns
from strategy.ledger.rates import (
    Looked,
    Rate,
    Rates,
    RatesError,
    doubts,
    fingerprint,
    is_published,
    is_target_day,
    parse,
    published_day,
)

HISTORY = "Date,USD,JPY,\n2026-10-30,1.1172,175.68,\n2026-10-29,N/A,175,\n2026-10-28,1.12,1,\n"
FRIDAY = Rate(date(2026, 10, 30), "USD", Decimal("1.1172"))
XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube>
<Cube time='2026-10-30'><Cube currency='USD' rate='1.1172'/><Cube currency="JPY" rate="175"/></Cube>
<Cube time="2026-10-28"><Cube currency="USD" rate="1.12"/></Cube></Cube></gesmes:Envelope>"""
SDMX = (
    "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,TIME_PERIOD,OBS_VALUE,OBS_STATUS,TITLE\r\n"
    'EXR.D.USD.EUR.SP00.A,D,USD,EUR,SP00,2026-10-28,1.12,A,"US dollar, Euro"\r\n'
    'EXR.D.USD.EUR.SP00.A,D,USD,EUR,SP00,2026-10-29,NaN,H,"US dollar, Euro"\r\n'
    'EXR.M.USD.EUR.SP00.A,M,USD,EUR,SP00,2026-10-01,1.5,A,"monthly"\r\n'
    'EXR.D.USD.EUR.SP00.A,D,USD,EUR,SP00,2026-10-30,1.1172,A,"US dollar, Euro"\r\n'
)
SHORT_SDMX = (
    "KEY,TIME_PERIOD,OBS_VALUE\r\nEXR.D.USD.EUR.SP00.A,2026-10-28,1.12\r\n"
    "EXR.D.USD.EUR.SP00.A,2026-10-30,1.1172\r\n"
)
BOTH = [Rate(date(2026, 10, 28), "USD", Decimal("1.12")), FRIDAY]


def zipped(text: str, name: str = "eurofxref-hist.csv") -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(name, text)
    return whole.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        HISTORY.encode(),
        b"\xef\xbb\xbf" + HISTORY.encode(),
        zipped(HISTORY),
        XML.encode(),
        SDMX.encode(),
        SHORT_SDMX.encode(),
    ],
    ids=["csv", "csv with a mark", "zip", "xml", "sdmx", "short sdmx"],
)
def test_every_form_says_the_same(data: bytes) -> None:
    assert parse(data) == BOTH


def test_the_daily_file_spells_its_month() -> None:
    assert parse(b"Date, USD, JPY, \n30 October 2026, 1.1172, 175.68, \n") == [FRIDAY]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"PK\x03\x04 broken",
        zipped("x", "readme.txt"),
        b"Day,USD\n2026-10-30,1.1\n",
        b"Date,USD\n2026-13-30,1.1\n",
        b"Date,USD\n30 Oktober 2026,1.1\n",
        b"Date,USD\n2026-10-30,one\n",
        b"Date,USD\n2026-10-30,-1\n",
        b"Date,USD\n2026-10-30,Infinity\n",
        b"Date,JPY\n2026-10-30,175\n",
        b"<a><b></a>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
        b"<html></html>",
    ],
)
def test_what_is_no_list_of_rates_is_refused(data: bytes) -> None:
    with pytest.raises(RatesError):
        parse(data)


def test_the_history_of_24_years_has_a_rate_on_every_target_day_and_no_other() -> None:
    folder = Path(__file__).resolve().parents[5] / "shared" / "data" / "ecb"
    files = sorted(folder.glob("*.zip"))
    if not files:
        pytest.skip("the recorded history of rates is not here")
    known = {rate.day for rate in parse(files[0].read_bytes())}
    since = date(2002, 1, 1).toordinal()
    for ordinal in range(since, max(known).toordinal() + 1):
        day = date.fromordinal(ordinal)
        assert is_target_day(day) is (day in known), day


def test_a_day_without_a_rate_takes_the_one_before() -> None:
    thursday = Rate(date(2024, 3, 28), "USD", Decimal("1.0811"))
    rates = Rates([thursday])
    for day in (28, 29, 30, 31):
        assert rates.look_up("USD", date(2024, 3, day)) == Looked(
            thursday.day, thursday.value, False
        )
    assert published_day(date(2024, 4, 1)) == thursday.day


def test_a_working_day_whose_rate_is_missing_is_valued_for_now_and_restated() -> None:
    day = date(2026, 11, 2)
    before = Rates([FRIDAY])
    assert before.look_up("USD", day) == Looked(FRIDAY.day, FRIDAY.value, True)
    after = before.with_all([Rate(day, "USD", Decimal("1.12"))])
    assert after.look_up("USD", day) == Looked(day, Decimal("1.12"), False)
    assert (len(before), len(after), after.newest("USD"), after.newest("GBP")) == (1, 2, day, None)
    assert after.all() == [FRIDAY, Rate(day, "USD", Decimal("1.12"))]


def test_rates_too_old_are_none_at_all_and_the_euro_is_itself() -> None:
    assert Rates([FRIDAY]).look_up("USD", date(2026, 12, 1)) is None
    assert Rates().look_up("EUR", date(2026, 12, 1)) == Looked(date(2026, 12, 1), Decimal(1), False)


@pytest.mark.parametrize(
    ("hour", "minute", "out"), [(14, 59, False), (15, 0, True)], ids=["before 16:00", "at 16:00"]
)
def test_a_rate_is_out_at_four_in_frankfurt(hour: int, minute: int, out: bool) -> None:
    moment = datetime(2026, 11, 2, hour, minute, tzinfo=UTC)
    assert is_published(date(2026, 11, 2), Ns(int(moment.timestamp()) * 10**9)) is out
    assert is_published(date(2026, 11, 1), Ns(int(moment.timestamp()) * 10**9))


def test_odd_rates_are_told_and_impossible_ones_refused() -> None:
    day = date(2026, 10, 30)
    jump = [Rate(date(2026, 10, 29), "USD", Decimal("1.00")), FRIDAY]
    assert len(doubts(jump, day)) == 1
    assert doubts([*BOTH, Rate(day, "JPY", Decimal(175))], day) == []
    with pytest.raises(RatesError, match="future"):
        doubts([FRIDAY], date(2026, 10, 29))
    with pytest.raises(RatesError, match="cannot be true"):
        doubts([Rate(day, "USD", Decimal("0.1"))], day)


def test_a_file_is_named_by_its_bytes() -> None:
    assert fingerprint(b"") != fingerprint(b"a")
    assert len(fingerprint(b"")) == 64
