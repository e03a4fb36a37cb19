"""Ledger cases: a book kept of their events, compared part by part, lot by lot, year by year."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from icryptotrader.tax.case_events import Case, need, rows, table, tax_events
from icryptotrader.tax.case_years import (
    compare_years,
    differs,
    differs_in_number,
    expected_of,
    settled,
)
from strategy.ledger.book import Book, keep
from strategy.ledger.events import TaxEvent, Units, euros, quantity_of
from strategy.ledger.parts import OpenLot, Row, day_of, nets
from strategy.ledger.rates import Rates


def ledger(case: Case, rates: Rates) -> list[str]:
    events, expected = tax_events(need(case, "events")), expected_of(case)
    book = keep(events, rates, track_currencies=bool(case.get("track_fx", False)))
    if "error" in expected:
        # A tool may stop where more is sold than was bought; we book it as unknown and say so.
        unknown = any(row.basis is None for row in book.rows)
        return differs("sold more than known", unknown, True)
    if not any(key in expected for key in ("disposals", "years", "open_lots")):
        return ["'expected' has neither 'disposals' nor 'years' nor 'open_lots'"]
    found = []
    if "disposals" in expected:
        found += _compare_rows(book.rows, rows(expected["disposals"], "disposals"))
    if "open_lots" in expected:
        found += _compare_open(book.open_lots(), rows(expected["open_lots"], "open_lots"))
    found += _compare_rate_days(events, rates, table(case.get("ecb_dates_used"), "ecb_dates_used"))
    net = nets(book.rows, currency_legs=True)
    results = settled(case, {of_year: euros(cents) for of_year, cents in net.items()})
    return found + compare_years(results, expected) + _compare_alternatives(case, book)


def _compare_alternatives(case: Case, book: Book) -> list[str]:
    """The total without the currency leg, where a case tells it; other methods are not offered."""
    found = []
    for other in rows(case.get("alternatives"), "alternatives"):
        if other.get("name") == "usd_leg_section20_or_ignored":
            net = nets(book.rows, currency_legs=False)
            results = settled(case, {of_year: euros(cents) for of_year, cents in net.items()})
            for of_year in net:
                result = results[of_year]
                for key, ours in (
                    ("gesamtgewinn_eur", result.net),
                    ("taxable_eur", result.taxable),
                ):
                    if key in other:
                        found += differs_in_number(f"without USD {key}", ours, other[key])
                if "freigrenze_exempt" in other:
                    found += differs("exempt", result.exempt, other["freigrenze_exempt"])
    return found


def _compare_rows(ours: Sequence[Row], expected: list[Case]) -> list[str]:
    if len(ours) != len(expected):
        # Pieces of one lot that came back from another wallet may be told as one.
        ours = _joined(ours)
    if len(ours) != len(expected):
        told = ", ".join(f"{row.label}/{_lot_name(row)}" for row in ours)
        return [f"{len(ours)} disposals instead of {len(expected)}: {told}"]
    found = []
    for row, wanted in zip(_as_told(ours, expected), expected, strict=True):
        found += _compare_row(row, wanted)
    return found


def _compare_row(row: Row, wanted: Case) -> list[str]:
    sell, lot = need(wanted, "sell"), wanted.get("lot")
    where = f"{sell}/{lot}"
    found = [] if _names(row.label, str(sell)) else [f"{where}: we sell {row.label}"]
    if row.basis is not None:
        found += differs(f"{where} lot", _lot_name(row), lot)
        bought = str(day_of(row.basis.wall))
        found += differs(f"{where} acquired", bought, need(wanted, "acquired"))
    elif lot and "unknown" not in str(lot).lower():
        found.append(f"{where}: we know no lot for it")
    found += differs(f"{where} disposed", str(day_of(row.sale.wall)), need(wanted, "disposed"))
    found += differs(f"{where} taxable", row.taxable, need(wanted, "taxable"))
    for key, value in (
        ("qty", quantity_of(row.qty)),
        ("proceeds_eur", euros(row.proceeds)),
        ("cost_eur", euros(row.cost)),
        ("werbungskosten_eur", euros(row.costs)),
        ("gain_eur", euros(row.gain)),
    ):
        found += differs_in_number(f"{where} {key}", value, need(wanted, key))
    return found


def _joined(ours: Sequence[Row]) -> list[Row]:
    """Neighbours of one sale and one lot as one row."""
    found: list[Row] = []
    for row in ours:
        last = found[-1] if found else None
        if last is None or (last.label, _lot_name(last)) != (row.label, _lot_name(row)):
            found.append(row)
            continue
        found[-1] = replace(
            last,
            qty=Units(last.qty + row.qty),
            proceeds=last.proceeds + row.proceeds,
            cost=last.cost + row.cost,
            costs=last.costs + row.costs,
        )
    return found


def _as_told(ours: Sequence[Row], expected: list[Case]) -> list[Row]:
    """Our rows in the order in which a case tells them; those it does not name come last."""
    left = list(ours)
    found = []
    for wanted in expected:
        sell, lot = str(wanted.get("sell")), wanted.get("lot")
        named = [row for row in left if _names(row.label, sell)]
        row = next((row for row in named if _lot_name(row) == lot), (named or left)[0])
        left.remove(row)
        found.append(row)
    return found


def _compare_open(ours: list[OpenLot], expected: list[Case]) -> list[str]:
    """Open lots, whatever their order; foreign money left over only where the case lists it."""
    listed = {str(lot.get("lot")) for lot in expected}
    have: dict[tuple[str, str], tuple[OpenLot, int, int]] = {}
    for lot in ours:
        if ":" not in lot.basis.id or lot.basis.id in listed:
            _, qty, cost = have.get((lot.account, lot.basis.id), (lot, 0, 0))
            have[lot.account, lot.basis.id] = (lot, qty + lot.qty, cost + lot.cost)
    found = []
    for wanted in expected:
        account, name = str(need(wanted, "account")), str(need(wanted, "lot"))
        where = f"open {account}/{name}"
        if (account, name) not in have:
            found.append(f"{where}: not open with us")
            continue
        first, qty, cost = have.pop((account, name))
        bought = str(day_of(first.basis.wall))
        found += differs_in_number(f"{where} qty", quantity_of(qty), need(wanted, "qty"))
        found += differs_in_number(f"{where} cost_eur", euros(cost), need(wanted, "cost_eur"))
        found += differs(f"{where} acquired", bought, need(wanted, "acquired"))
    return found + [f"open {account}/{name}: not expected" for account, name in have]


def _compare_rate_days(events: list[TaxEvent], rates: Rates, expected: Case) -> list[str]:
    found = []
    for event in events:
        if event.id in expected:
            looked = rates.look_up("USD", day_of(event.wall))
            ours = str(looked and looked.day)
            found += differs(f"rate day {event.id}", ours, expected[event.id])
    return found


def _lot_name(row: Row) -> str:
    return row.basis.id if row.basis else ""


def _names(ours: str, theirs: str) -> bool:
    """Whether two labels name one fill; what marks money that was spent is a matter of taste."""
    if ours == theirs:
        return True
    name, _, mark = ours.partition("#")
    return mark not in ("", "fee") and name in theirs.replace("#", ":").split(":")
