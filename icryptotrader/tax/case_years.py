"""The years of golden cases: what a case says of the person, settled and compared."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from icryptotrader.tax.case_events import (
    Case,
    carried,
    external,
    need,
    number,
    table,
    waived,
    year,
)
from strategy.ledger.year import YearResult, settle

YEAR_KEYS: Final[dict[str, Callable[[YearResult], object]]] = {
    "gesamtgewinn_eur": lambda result: result.net,
    "freigrenze_eur": lambda result: result.limit,
    "freigrenze_exempt": lambda result: result.exempt,
    "taxable_before_loss_deduction_eur": lambda result: result.before_loss,
    "carryback_from_next_year_used_eur": lambda result: result.back_in,
    "carryforward_in_eur": lambda result: result.forward_in,
    "carryforward_used_eur": lambda result: result.forward_used,
    "taxable_income_eur": lambda result: result.taxable,
    "carryforward_out_eur": lambda result: result.forward_out,
}


def differs(what: str, ours: object, theirs: object) -> list[str]:
    return [] if ours == theirs else [f"{what}: {ours}, expected {theirs}"]


def differs_in_number(what: str, ours: object, theirs: object) -> list[str]:
    same = isinstance(ours, Decimal) and ours == number(theirs, what)
    return [] if same else [f"{what}: {ours}, expected {theirs}"]


def expected_of(case: Case) -> Case:
    return table(need(case, "expected"), "expected")


def compare_years(results: dict[int, YearResult], expected: Case) -> list[str]:
    found = []
    for name, told in table(expected.get("years"), "years").items():
        result = results[year(name, "years")]
        for key, value in table(told, f"years {name}").items():
            if key not in YEAR_KEYS:
                found.append(f"{name}: {key} is not understood")
            elif isinstance(value, bool):
                found += differs(f"{name} {key}", YEAR_KEYS[key](result), value)
            else:
                found += differs_in_number(f"{name} {key}", YEAR_KEYS[key](result), value)
    return found


def settled(case: Case, net: dict[int, Decimal]) -> dict[int, YearResult]:
    """The years' results, with what the case says of the person; a year it expects is there."""
    told = table(expected_of(case).get("years"), "years")
    years = {year(name, "years"): Decimal(0) for name in told} | net
    for name, amount in external(case, list(years)).items():
        years[name] = years.get(name, Decimal(0)) + amount
    return settle(years, carried(case), waived(case))
