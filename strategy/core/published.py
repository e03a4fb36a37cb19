"""Rates of the ECB that the monitor hands over: checked, booked with their file, told to the desk.

Rule 1: a file is booked only if it tells something new: a later day, or another rate of the last.
Rule 2: a rate that cannot be true refuses the whole file; a jump is told and booked.
Rule 3: no rate, however old, stops trading: what cannot be valued is not sold, and no final report
is made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from shared.control import TakeRates
from shared.units import Ns
from strategy.core.out import Out, Tell
from strategy.ledger.entries import AuditEntry, EvidenceEntry, RateEntry
from strategy.ledger.rates import (
    CURRENCIES,
    Newest,
    Rate,
    RatesError,
    doubts,
    due_day,
    fingerprint,
    parse,
)
from strategy.ledger.tax import berlin_day

KIND = "ecb-rates"


def describe(known: Mapping[str, Newest], wall: Ns) -> tuple[str, dict[str, object]]:
    """In words and as facts: which day is known of each currency, and which should be."""
    until = {name: newest.day.isoformat() for name, newest in sorted(known.items())}
    due = due_day(wall)
    data: dict[str, object] = {
        "until": until,
        "due": due.isoformat(),
        "currencies": list(CURRENCIES),
    }
    if "USD" not in known:
        return f"no rate of the ECB is known; {due} should be", data
    return f"rates of the ECB are known until {until['USD']}; {due} should be", data


def take(
    known: Mapping[str, Newest], request: TakeRates, wall: Ns
) -> tuple[str, list[Rate], list[Out]]:
    """What is said of a file, the rates that are new, and what is booked of it.

    RatesError where the file is none, or holds what cannot be true; then nothing of it counts.
    """
    if fingerprint(request.data) != request.sha256:
        raise RatesError("the bytes do not have the hash that was told")
    rates = parse(request.data, CURRENCIES)
    before = [Rate(newest.day, name, newest.value) for name, newest in known.items()]
    told = doubts([*(rate for rate in before if rate not in rates), *rates], berlin_day(wall))
    fresh = [rate for rate in rates if _is_new(rate, known)]
    if not fresh:
        return f"nothing new: {rates[-1].day} is known", [], []
    said = f"{len(fresh)} rates of the ECB until {fresh[-1].day}"
    out: list[Out] = [EvidenceEntry(request.sha256, request.name, KIND, wall, request.data)]
    out += [RateEntry(rate, request.sha256) for rate in fresh]
    out.append(AuditEntry(wall, "monitor", "rates", f"{said}: {request.sha256}"))
    out += [Tell("warning", "rates", f"rates of the ECB: {doubt}") for doubt in told]
    return said, fresh, out


def with_fresh(known: Mapping[str, Newest], fresh: Iterable[Rate]) -> dict[str, Newest]:
    """The newest day of each currency after these."""
    found = dict(known)
    for rate in sorted(fresh):
        if rate.day >= found.get(rate.currency, Newest(date.min, rate.value)).day:
            found[rate.currency] = Newest(rate.day, rate.value)
    return found


def _is_new(rate: Rate, known: Mapping[str, Newest]) -> bool:
    newest = known.get(rate.currency)
    if newest is None or rate.day > newest.day:
        return True
    return rate.day == newest.day and rate.value != newest.value
