"""Rates that are handed over: booked with their file, refused where they cannot be true."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import pytest

from shared.control import CONTROL_VERSION, AskRates, TakeRates
from shared.units import Ns
from strategy.core.out import Tell
from strategy.core.published import describe, take, with_fresh
from strategy.ledger.entries import EvidenceEntry, RateEntry
from strategy.ledger.rates import Newest, RatesError
from tests.unit.strategy.core.desk import Desk

SATURDAY = Ns(1_795_260_000 * 10**9)  # 21 November 2026, 11:20 in Berlin
HEADER = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE\r\n"


def file_of(*rows: tuple[str, str], currency: str = "USD") -> bytes:
    key = f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A"
    return (HEADER + "".join(f"{key},{day},{value}\r\n" for day, value in rows)).encode()


def request(data: bytes, sha256: str = "") -> TakeRates:
    told = sha256 or hashlib.sha256(data).hexdigest()
    return TakeRates(CONTROL_VERSION, "m" * 24, "ECB EXR", told, data)


KNOWN = {"USD": Newest(date(2026, 11, 19), Decimal("1.1000"))}


def test_what_is_new_is_booked_with_the_file_it_stands_in() -> None:
    data = file_of(("2026-11-19", "1.1"), ("2026-11-20", "1.1034"))
    said, fresh, out = take(KNOWN, request(data), SATURDAY)
    assert said == "1 rates of the ECB until 2026-11-20"
    assert [entry.data for entry in out if isinstance(entry, EvidenceEntry)] == [data]
    assert [e.rate.value for e in out if isinstance(e, RateEntry)] == [Decimal("1.1034")]
    known = with_fresh(KNOWN, fresh)
    assert known["USD"].day == date(2026, 11, 20)
    assert take(known, request(data), SATURDAY)[1:] == ([], [])
    assert "until 2026-11-20; 2026-11-20 should be" in describe(known, SATURDAY)[0]


def test_another_rate_of_the_last_day_restates_it() -> None:
    _, fresh, _ = take(KNOWN, request(file_of(("2026-11-19", "1.1001"))), SATURDAY)
    assert [rate.value for rate in fresh] == [Decimal("1.1001")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (file_of(("2026-11-20", "11.034")), "cannot be true"),
        (file_of(("2026-11-23", "1.1034")), "from the future"),
        (file_of(("2026-11-20", "1.1"), currency="SEK"), "holds no rate"),
        (b"<html>maintenance", "not an xml file"),
        (b"\x00\xff\xfe", "neither text nor a zip"),
    ],
)
def test_what_cannot_be_true_refuses_the_whole_file(data: bytes, why: str) -> None:
    with pytest.raises(RatesError, match=why):
        take(KNOWN, request(data), SATURDAY)


def test_bytes_that_are_not_those_that_were_meant_are_refused() -> None:
    with pytest.raises(RatesError, match="hash"):
        take(KNOWN, request(file_of(("2026-11-20", "1.1")), "0" * 64), SATURDAY)


def test_a_jump_is_told_and_booked() -> None:
    _, fresh, out = take(KNOWN, request(file_of(("2026-11-20", "1.2"))), SATURDAY)
    assert len(fresh) == 1
    assert any(isinstance(each, Tell) and "jump of more than 5 %" in each.text for each in out)


def test_the_running_strategy_takes_a_file_once_and_tells_what_it_knows() -> None:
    desk = Desk()
    data = file_of(("2020-01-02", "1.1193"))
    fields = {"name": "ECB EXR", "sha256": hashlib.sha256(data).hexdigest(), "data": data}
    first, again = (desk.ask(TakeRates, **fields) for _ in range(2))
    assert (first.ok, first.data["new"]) == (True, 1)
    assert (again.ok, again.data["new"]) == (True, 0)
    assert desk.ask(AskRates).data["until"] == {"USD": "2020-01-02"}
    assert desk.memory.published["USD"].value == Decimal("1.1193")
    refused = desk.ask(TakeRates, **fields | {"data": b"x"})
    assert not refused.ok
