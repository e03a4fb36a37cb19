"""`tax check-cases FILE`: golden cases through the engine that books, gates and reports.

Rule 1: nothing here computes tax; a case is translated, the engine asked, the answers compared.
Rule 2: a case or an event that is not understood is a difference, never passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from icryptotrader.tax.case_events import (
    Case,
    CaseError,
    by_year,
    day,
    moment,
    need,
    number,
    quantity,
    rows,
    table,
    year,
)
from icryptotrader.tax.case_ledgers import ledger
from icryptotrader.tax.case_years import (
    compare_years,
    differs,
    differs_in_number,
    expected_of,
    settled,
)
from strategy.ledger.book import BookError
from strategy.ledger.events import Units, quantity_of
from strategy.ledger.form import lines_of
from strategy.ledger.parts import day_of
from strategy.ledger.rates import Rate, Rates, RatesError, parse
from strategy.ledger.room import Stock, tax_free
from strategy.ledger.tax import anniversary, first_free_day
from strategy.ledger.year import is_new_stock, joint

SCHEMA: Final = "icryptotrader-tax-cases/1"


def check_cases(file: Path, rates_file: Path | None, tell: Callable[[str], None]) -> int:
    """Print pass, or the differences, for each case; 0 if all pass, 1 if not, 2 for a bad file.

    Rates that the cases state win over those of `rates_file`, which stands in place of the history
    that was installed with this program.
    """
    try:
        rates = Rates(parse(rates_file.read_bytes())) if rates_file else _installed()
    except (OSError, RatesError) as error:
        tell(f"{rates_file}: cannot be read: {error}")
        return 2
    try:
        cases = _read(file)
        checks = list(_checks(cases, rates))
    except (OSError, ValueError, RecursionError, CaseError) as error:
        tell(f"{file}: cannot be read: {error}")
        return 2
    passed = failed = 0
    for name, check in checks:
        found = _guarded(check)
        passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
        tell(f"{'FAIL' if found else 'pass'}  {name}")
        for difference in found:
            tell(f"      {difference}")
    if not checks:
        tell(f"{file}: holds no cases")
    tell(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


@lru_cache(maxsize=1)
def _installed() -> Rates:
    from icryptotrader.tax.rates import packaged

    return Rates(parse(packaged()[1]))


def _read(file: Path) -> Case:
    cases = json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    if not isinstance(cases, dict) or cases.get("schema", SCHEMA) != SCHEMA:
        raise CaseError(f"it is not a file of cases ({SCHEMA})")
    return cases


Check = Callable[[], list[str]]


def _checks(cases: Case, rates: Rates) -> Iterator[tuple[str, Check]]:
    """(name, what finds its differences) of everything a file holds; CaseError for a bad table."""
    stated = [
        Rate(day(on, "ecb_usd_per_eur"), "USD", _rate(value, f"ecb_usd_per_eur {on}"))
        for on, value in table(cases.get("ecb_usd_per_eur"), "ecb_usd_per_eur").items()
    ]
    # What is installed judges the looked-up values; rows beyond its end stand for themselves.
    for_looking = Rates(_told_rates(cases)).with_all(rates.all())
    rates = rates.with_all(stated)

    def of(check: Callable[..., list[str]], case: object, *more: Any) -> Check:
        return lambda: check(table(case, "a case"), *more)

    for name, row in _listed(cases, "holding_period_table", "acquired"):
        yield f"holding {name}", of(_holding, row)
    for name, row in _listed(cases, "ecb_lookup_table", "trade_day"):
        yield f"rate {name}", of(_looked_up, row, for_looking)
    for name, lines in table(cases.get("anlage_so_lines"), "anlage_so_lines").items():
        yield f"form {name}", of(_form, {"year": name, "lines": lines})
    for name, row in _listed(cases, "cases", "id"):
        yield name, of(_case, row, rates)
    for name, row in _listed(cases, "reform_scenarios", "id"):
        yield name, of(_reform, row)


def _listed(cases: Case, key: str, name: str) -> Iterator[tuple[str, object]]:
    """What a list of the file holds, each by the name that its own key gives it, else its place."""
    held = [] if cases.get(key) is None else cases[key]
    if not isinstance(held, list):
        raise CaseError(f"{key!r} should be a list")
    for place, row in enumerate(held):
        told = row.get(name) if isinstance(row, dict) else None
        yield f"{key}[{place}]" if told is None else str(told), row


def _told_rates(cases: Case) -> Iterator[Rate]:
    for _, row in _listed(cases, "ecb_lookup_table", "trade_day"):
        try:
            told = table(row, "ecb_lookup_table")
            on, value = day(need(told, "rate_day"), ""), _rate(need(told, "usd_per_eur"), "")
        except CaseError:
            continue  # the row's own check will say so
        yield Rate(on, "USD", value)


def _rate(value: object, key: str) -> Decimal:
    found = number(value, key)
    if found <= 0:
        raise CaseError(f"{key!r} should be above 0")
    return found


def _guarded(check: Check) -> list[str]:
    """A malformed case is a difference of its own."""
    try:
        return check()
    except CaseError as error:
        return [f"the case cannot be read: {error}"]
    except BookError as error:
        return [str(error)]


def _case(case: Case, rates: Rates) -> list[str]:
    match case.get("kind"):
        case "ledger":
            return ledger(case, rates)
        case "year_math":
            return _year_math(case)
        case "max_tax_free":
            return _max_tax_free(case)
        case "spouses":
            return _spouses(case)
        case other:
            return [f"kind {other!r} is not understood"]


# Tables.


def _holding(row: Case) -> list[str]:
    bought = day(need(row, "acquired"), "acquired")
    return [
        *differs("last_taxable_day", str(anniversary(bought)), need(row, "last_taxable_day")),
        *differs(
            "first_tax_free_day", str(first_free_day(bought)), need(row, "first_tax_free_day")
        ),
    ]


def _looked_up(row: Case, rates: Rates) -> list[str]:
    found = rates.look_up("USD", day(need(row, "trade_day"), "trade_day"))
    if found is None or found.provisional:
        return ["no rate of that day is known: name a file with --rates"]
    return [
        *differs("rate_day", str(found.day), need(row, "rate_day")),
        *differs_in_number("usd_per_eur", found.value, need(row, "usd_per_eur")),
    ]


def _form(row: Case) -> list[str]:
    ours, theirs = lines_of(year(row["year"], "anlage_so_lines")), row["lines"]
    if ours is None or theirs is None:
        return differs("known", ours is not None, theirs is not None)
    found = []
    for name, value in table(theirs, "anlage_so_lines").items():
        if name not in ("note", "confidence"):
            found += differs(name, getattr(ours, name, "no such line"), value)
    return found


def _reform(case: Case) -> list[str]:
    bought = day_of(moment(need(case, "buy_ts"), "buy_ts"))
    stock = "new_stock" if is_new_stock(bought) else "old_stock"
    return [
        *differs("german_date", str(bought), need(case, "german_date")),
        *differs("would_be", stock, need(case, "would_be")),
    ]


# Arithmetic.


def _year_math(case: Case) -> list[str]:
    net = by_year(need(table(case.get("input"), "input"), "net"), "net")
    return compare_years(settled(case, net), expected_of(case))


def _spouses(case: Case) -> list[str]:
    given, expected = table(case.get("input"), "input"), expected_of(case)
    people = {
        name: number(net, f"net {name}") for name, net in table(need(given, "net"), "net").items()
    }
    offset = bool(given.get("offset_between_spouses", False))
    taxable, together = joint(people, year(need(given, "year"), "year"), offset=offset)
    found = []
    for name, value in table(need(expected, "taxable_eur"), "taxable_eur").items():
        found += differs_in_number(f"taxable {name}", taxable.get(name), value)
    return found + differs_in_number("joint", together, need(expected, "joint_taxable_eur"))


def _max_tax_free(case: Case) -> list[str]:
    given, expected = table(case.get("input"), "input"), expected_of(case)
    stock = [
        Stock(
            str(need(lot, "lot", "id")),
            quantity(lot, "qty", "remaining"),
            day(need(lot, "acquired", "acquired_ts"), "acquired"),
        )
        for lot in rows(need(given, "lots"), "lots")
    ]
    safety = need({"safety": 0} | dict(given), "safety_days", "holding_safety_days", "safety")
    free = tax_free(
        sorted(stock, key=lambda lot: lot.acquired),
        day(need(given, "as_of"), "as_of"),
        Units(0) if given.get("reserved_qty") is None else quantity(given, "reserved_qty"),
        int(number(safety, "safety_days")),
    )
    found = differs_in_number(
        "max_tax_free_qty", quantity_of(free.qty), need(expected, "max_tax_free_qty")
    )
    coming, wanted = free.next_unlock, expected.get("next_unlock")
    if coming is None or wanted is None:
        return found + differs("next_unlock", coming is not None, wanted is not None)
    unlock = table(wanted, "next_unlock")
    return [
        *found,
        *differs("next_unlock.date", str(coming.day), need(unlock, "date")),
        *differs_in_number("next_unlock.qty", quantity_of(coming.qty), need(unlock, "qty")),
        *differs("next_unlock.lot", coming.lot, unlock.get("lot", coming.lot)),
    ]
