"""`tax check-cases FILE`: golden cases through the engine that books, gates and reports.

Rule 1: nothing here computes tax; a case is translated, the engine asked, the answers compared.
Rule 2: a case or an event that is not understood is a difference, never passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from shared.units import SECOND, Ns, Side
from strategy.ledger.book import Book, BookError, keep
from strategy.ledger.events import (
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    Units,
    euros,
    quantity_of,
    units_of,
)
from strategy.ledger.form import lines_of
from strategy.ledger.parts import OpenLot, Row, day_of, nets
from strategy.ledger.rates import Rate, Rates, parse
from strategy.ledger.room import Stock, tax_free
from strategy.ledger.tax import anniversary, first_free_day
from strategy.ledger.year import YearResult, is_new_stock, joint, settle

Case = dict[str, Any]
SCHEMA: Final = "icryptotrader-tax-cases/1"


def check_cases(file: Path, rates_file: Path | None, tell: Callable[[str], None]) -> int:
    """Print pass, or the differences, for each case; 0 if all pass, 1 if not, 2 for a bad file.

    Those rates that the cases state win over those of `rates_file`.
    """
    try:
        cases = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        stored = parse(rates_file.read_bytes()) if rates_file else []
    except (OSError, ValueError) as error:
        tell(f"{file}: cannot be read: {error}")
        return 2
    if not isinstance(cases, dict) or cases.get("schema", SCHEMA) != SCHEMA:
        tell(f"{file}: is not a file of cases ({SCHEMA})")
        return 2
    rates = Rates(stored)
    passed = failed = 0
    for name, found in _checked(cases, rates):
        passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
        tell(f"{'FAIL' if found else 'pass'}  {name}")
        for difference in found:
            tell(f"      {difference}")
    tell(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def _checked(cases: Case, rates: Rates) -> Iterator[tuple[str, list[str]]]:
    """(name, differences) of everything a file holds."""
    stated = [
        Rate(date.fromisoformat(day), "USD", Decimal(value))
        for day, value in cases.get("ecb_usd_per_eur", {}).items()
    ]
    looked = [
        Rate(date.fromisoformat(row["rate_day"]), "USD", Decimal(row["usd_per_eur"]))
        for row in cases.get("ecb_lookup_table", [])
    ]
    # A stored history judges the values; without one, the calendar alone judges the days.
    for_looking = Rates(looked).with_all(rates.all())
    rates = rates.with_all(stated)
    for row in cases.get("holding_period_table", []):
        yield f"holding {row.get('acquired')}", _guarded(_holding, row)
    for row in cases.get("ecb_lookup_table", []):
        yield f"rate {row.get('trade_day')}", _guarded(_looked_up, row, for_looking)
    for year, lines in cases.get("anlage_so_lines", {}).items():
        yield f"form {year}", _guarded(_form, {"year": year, "lines": lines})
    for case in cases.get("cases", []):
        yield str(case.get("id")), _guarded(_case, case, rates)
    for case in cases.get("reform_scenarios", []):
        yield str(case.get("id")), _guarded(_reform, case)


def _guarded(check: Callable[..., list[str]], case: Case, *more: Any) -> list[str]:
    """A malformed case is a difference of its own."""
    try:
        return check(case, *more)
    except (KeyError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
        return [f"the case cannot be read: {type(error).__name__}: {error}"]
    except BookError as error:
        return [str(error)]


def _case(case: Case, rates: Rates) -> list[str]:
    match case.get("kind"):
        case "ledger":
            return _ledger(case, rates)
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
    bought = date.fromisoformat(row["acquired"])
    return [
        *_differs("last_taxable_day", str(anniversary(bought)), row["last_taxable_day"]),
        *_differs("first_tax_free_day", str(first_free_day(bought)), row["first_tax_free_day"]),
    ]


def _looked_up(row: Case, rates: Rates) -> list[str]:
    found = rates.look_up("USD", date.fromisoformat(row["trade_day"]))
    if found is None or found.provisional:
        return ["no rate of that day is known: name a file with --rates"]
    return [
        *_differs("rate_day", str(found.day), row["rate_day"]),
        *_differs_in_number("usd_per_eur", found.value, row["usd_per_eur"]),
    ]


def _form(row: Case) -> list[str]:
    ours, theirs = lines_of(int(row["year"])), row["lines"]
    if ours is None or theirs is None:
        return _differs("known", ours is not None, theirs is not None)
    found = []
    for name, value in theirs.items():
        if name not in ("note", "confidence"):
            found += _differs(name, getattr(ours, name, "no such line"), value)
    return found


def _reform(case: Case) -> list[str]:
    day = day_of(_wall(case["buy_ts"]))
    stock = "new_stock" if is_new_stock(day) else "old_stock"
    return [
        *_differs("german_date", str(day), case["german_date"]),
        *_differs("would_be", stock, case["would_be"]),
    ]


# Arithmetic.


def _year_math(case: Case) -> list[str]:
    given = case["input"]
    waived = frozenset(int(year) for year in given.get("waive_carryback", ()))
    results = settle(_by_year(given["net"]), _by_year(given.get("carryforward_in", {})), waived)
    return _compare_years(results, case["expected"]["years"])


def _spouses(case: Case) -> list[str]:
    given, expected = case["input"], case["expected"]
    people = {name: Decimal(net) for name, net in given["net"].items()}
    offset = bool(given.get("offset_between_spouses", False))
    taxable, together = joint(people, int(given["year"]), offset=offset)
    found = []
    for name, value in expected["taxable_eur"].items():
        found += _differs_in_number(f"taxable {name}", taxable.get(name), value)
    return found + _differs_in_number("joint", together, expected["joint_taxable_eur"])


def _max_tax_free(case: Case) -> list[str]:
    given, expected = case["input"], case["expected"]
    stock = [
        Stock(lot["lot"], units_of(Decimal(lot["qty"])), _day(lot["acquired"]))
        for lot in given["lots"]
    ]
    free = tax_free(
        sorted(stock, key=lambda lot: lot.acquired),
        _day(given["as_of"]),
        units_of(Decimal(given.get("reserved_qty", "0"))),
        int(given.get("safety_days", 0)),
    )
    found = _differs_in_number(
        "max_tax_free_qty", quantity_of(free.qty), expected["max_tax_free_qty"]
    )
    coming, wanted = free.next_unlock, expected.get("next_unlock")
    if coming is None or wanted is None:
        return found + _differs("next_unlock", coming is not None, wanted is not None)
    return [
        *found,
        *_differs("next_unlock.date", str(coming.day), wanted["date"]),
        *_differs_in_number("next_unlock.qty", quantity_of(coming.qty), wanted["qty"]),
        *_differs("next_unlock.lot", coming.lot, wanted.get("lot", coming.lot)),
    ]


YEAR_KEYS: Final[dict[str, Callable[[YearResult], object]]] = {
    "gesamtgewinn_eur": lambda year: year.net,
    "freigrenze_eur": lambda year: year.limit,
    "freigrenze_exempt": lambda year: year.exempt,
    "taxable_before_loss_deduction_eur": lambda year: year.before_loss,
    "carryback_from_next_year_used_eur": lambda year: year.back_in,
    "carryforward_in_eur": lambda year: year.forward_in,
    "carryforward_used_eur": lambda year: year.forward_used,
    "taxable_income_eur": lambda year: year.taxable,
    "carryforward_out_eur": lambda year: year.forward_out,
}


def _compare_years(results: dict[int, YearResult], expected: Case) -> list[str]:
    found = []
    for year, wanted in expected.items():
        result = results.get(int(year))
        if result is None:
            found.append(f"{year}: we have no such year")
            continue
        for key, value in wanted.items():
            if key not in YEAR_KEYS:
                found.append(f"{year}: {key} is not understood")
            elif isinstance(value, bool):
                found += _differs(f"{year} {key}", YEAR_KEYS[key](result), value)
            else:
                found += _differs_in_number(f"{year} {key}", YEAR_KEYS[key](result), value)
    return found


# Ledgers.


def _ledger(case: Case, rates: Rates) -> list[str]:
    tracked = bool(case.get("track_fx", False))
    events = [_event(raw, place) for place, raw in enumerate(case["events"])]
    book = keep(events, rates, track_currencies=tracked)
    expected = case["expected"]
    if "error" in expected:
        # A tool may stop where more is sold than was bought; we book it as unknown and say so.
        unknown = any(row.basis is None for row in book.rows)
        return _differs("sold more than known", unknown, True)
    found = _compare_rows(book.rows, expected.get("disposals", []), case.get("id", ""))
    found += _compare_open(book.open_lots(), expected.get("open_lots"))
    found += _compare_rate_days(events, rates, case.get("ecb_dates_used", {}))
    net = _with_external(case, nets(book.rows, currency_legs=True))
    results = settle(net, _by_year(case.get("carryforward_in", {})))
    found += _compare_years(results, expected.get("years", {}))
    return found + _compare_alternatives(case, book)


def _with_external(case: Case, net: dict[int, int]) -> dict[int, Decimal]:
    """The years' nets in EUR, other results of the person under § 23 included.

    A case tells those by year, or as one number for the years it expects.
    """
    found = {year: euros(cents) for year, cents in net.items()}
    told = case.get("external_s23_net_eur", {})
    if not isinstance(told, dict):
        told = dict.fromkeys(case["expected"].get("years", {}), told)
    for year, value in _by_year(told).items():
        found[year] = found.get(year, Decimal(0)) + value
    return found


def _compare_alternatives(case: Case, book: Book) -> list[str]:
    """The total without the currency leg, where a case tells it; other methods are not offered."""
    found = []
    for other in case.get("alternatives", []):
        if other.get("name") == "usd_leg_section20_or_ignored":
            for year, cents in nets(book.rows, currency_legs=False).items():
                result = settle({year: euros(cents)})[year]
                found += _differs_in_number("without USD", result.net, other["gesamtgewinn_eur"])
                found += _differs("exempt", result.exempt, other["freigrenze_exempt"])
    return found


def _compare_rows(rows: list[Row], expected: list[Case], name: str) -> list[str]:
    if len(rows) != len(expected):
        ours = ", ".join(f"{row.label}/{_lot_name(row)}" for row in rows)
        return [f"{len(rows)} disposals instead of {len(expected)}: {ours}"]
    found = []
    for row, wanted in zip(rows, expected, strict=True):
        where = f"{wanted.get('sell')}/{wanted.get('lot')}"
        if not _names(row.label, str(wanted["sell"])):
            found.append(f"{where}: we sell {row.label}")
        known = row.basis is not None
        if known:
            found += _differs(f"{where} lot", _lot_name(row), wanted["lot"])
            bought = str(day_of(row.basis.wall)) if row.basis else ""
            found += _differs(f"{where} acquired", bought, wanted["acquired"])
        elif wanted["lot"] and "unknown" not in str(wanted["lot"]).lower():
            found.append(f"{where}: we know no lot for it")
        found += _differs(f"{where} disposed", str(day_of(row.sale.wall)), wanted["disposed"])
        found += _differs(f"{where} taxable", row.taxable, wanted["taxable"])
        for key, value in (
            ("qty", quantity_of(row.qty)),
            ("proceeds_eur", euros(row.proceeds)),
            ("cost_eur", euros(row.cost)),
            ("werbungskosten_eur", euros(row.costs)),
            ("gain_eur", euros(row.gain)),
        ):
            found += _differs_in_number(f"{where} {key}", value, wanted[key])
    return found


def _compare_open(ours: list[OpenLot], expected: list[Case] | None) -> list[str]:
    """Open lots, whatever their order; foreign money left over only where the case lists it."""
    if expected is None:
        return []
    listed = {str(lot["lot"]) for lot in expected}
    have = {
        (lot.account, lot.basis.id): lot
        for lot in ours
        if ":" not in lot.basis.id or lot.basis.id in listed
    }
    found = []
    for wanted in expected:
        lot = have.pop((wanted["account"], wanted["lot"]), None)
        where = f"open {wanted['account']}/{wanted['lot']}"
        if lot is None:
            found.append(f"{where}: not open with us")
            continue
        found += _differs_in_number(f"{where} qty", quantity_of(lot.qty), wanted["qty"])
        found += _differs_in_number(f"{where} cost_eur", euros(lot.cost), wanted["cost_eur"])
        found += _differs(f"{where} acquired", str(day_of(lot.basis.wall)), wanted["acquired"])
    return found + [f"open {account}/{name}: not expected" for account, name in have]


def _compare_rate_days(events: list[TaxEvent], rates: Rates, expected: Case) -> list[str]:
    found = []
    for event in events:
        if event.id in expected:
            looked = rates.look_up("USD", day_of(event.wall))
            found += _differs(
                f"rate day {event.id}", str(looked and looked.day), expected[event.id]
            )
    return found


# Translating.


def _event(raw: Case, place: int) -> TaxEvent:
    """One event of a case. ValueError where its type is not understood."""
    name, wall = str(raw["id"]), _wall(raw["ts"])
    seq = _seq(raw, place)
    match raw["type"]:
        case "buy" | "sell" as side:
            return Exchanged(
                name, wall, seq, raw["account"], raw.get("asset", "BTC"), Side(side),
                units_of(Decimal(raw["qty"])), raw["quote_ccy"], Decimal(raw["quote_gross"]),
                tuple(_fees(raw)), str(raw.get("order", "")),
            )  # fmt: skip
        case "fx_sell" | "fx_buy" as way:
            euro = Decimal(raw["eur_received"] if way == "fx_sell" else raw["eur_paid"])
            return Exchanged(
                name, wall, seq, raw["account"], raw["ccy"],
                Side.SELL if way == "fx_sell" else Side.BUY,
                units_of(Decimal(raw["amount"])), "EUR", euro, tuple(_fees(raw)),
            )  # fmt: skip
        case "transfer":
            return Moved(
                name, wall, seq, raw["from_account"], raw["to_account"], raw.get("asset", "BTC"),
                units_of(Decimal(raw["qty"])), _units(raw, "network_fee_btc"),
            )  # fmt: skip
        case "withdrawal":
            return Departed(
                name, wall, seq, raw["account"], _asset(raw),
                units_of(Decimal(raw["qty"] if "qty" in raw else raw["amount"])),
                _units(raw, "network_fee_btc"),
            )  # fmt: skip
        case "deposit" | "reward" as way:
            bought = raw.get("acquired_ts")
            return Arrived(
                name, wall, seq, raw["account"], _asset(raw),
                units_of(Decimal(raw["qty"] if "qty" in raw else raw["amount"])),
                Origin(way) if bought is None else Origin.PURCHASE,
                None if bought is None else _wall(bought),
                Decimal(raw["cost_eur"]) if "cost_eur" in raw else None,
            )  # fmt: skip
        case other:
            raise ValueError(f"event {name}: type {other!r} is not understood")


def _seq(raw: Case, place: int) -> int:
    """What orders events of one moment: the exchange's number, else the place in the file."""
    return next((int(raw[key]) for key in ("seq", "trade_id") if key in raw), place)


def _asset(raw: Case) -> str:
    return str(raw.get("asset") or raw.get("ccy") or "BTC")


def _fees(raw: Case) -> Iterator[tuple[str, Decimal]]:
    if "fee" in raw:
        yield str(raw.get("fee_ccy") or raw["quote_ccy"]), Decimal(raw["fee"])
    for fee in raw.get("fees", []):
        yield fee["ccy"], Decimal(fee["amount"])


def _units(raw: Case, key: str) -> Units:
    return units_of(Decimal(raw.get(key, "0")))


def _wall(text: str) -> Ns:
    """ns since 1970 of an ISO time with its offset; exact to the microsecond."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} lacks its offset from UTC")
    return Ns(int(moment.timestamp()) * SECOND + moment.microsecond * 1000)


def _day(text: str) -> date:
    """A day, or the German day of a moment."""
    return day_of(_wall(text)) if "T" in text else date.fromisoformat(text)


def _by_year(raw: Case) -> dict[int, Decimal]:
    return {int(year): Decimal(value) for year, value in raw.items()}


def _lot_name(row: Row) -> str:
    return row.basis.id if row.basis else ""


def _names(ours: str, theirs: str) -> bool:
    """Whether two labels name one fill; what marks money that was spent is a matter of taste."""
    if ours == theirs:
        return True
    name, _, mark = ours.partition("#")
    return mark not in ("", "fee") and name in theirs.replace("#", ":").split(":")


def _differs(what: str, ours: object, theirs: object) -> list[str]:
    return [] if ours == theirs else [f"{what}: {ours}, expected {theirs}"]


def _differs_in_number(what: str, ours: object, theirs: object) -> list[str]:
    same = isinstance(ours, Decimal) and ours == Decimal(str(theirs))
    return [] if same else [f"{what}: {ours}, expected {theirs}"]
