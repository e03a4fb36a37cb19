"""The year's report as values: the result, the form's fields, and one schedule row for each part.

Rule 1: everything follows from the book, the settings and the moment of making; nothing is asked
of the world, so the same evidence gives the same report, byte for byte.
Rule 2: sales free of tax are told as information only; they are no part of any sum (TAX.md 0.4).
Rule 3: a report is final only if its year is over and no value rests on a stand-in rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Final, Literal

from msgspec import Struct

from shared.units import SECOND, Ns, plain
from strategy.ledger.book import Book
from strategy.ledger.events import (
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    euros,
    quantity_of,
    units_of,
    with_proofs,
)
from strategy.ledger.form import FormLines, lines_of
from strategy.ledger.parts import Basis, Row, day_of, last_taxable_day, nets
from strategy.ledger.rates import EURO
from strategy.ledger.tax import BERLIN
from strategy.ledger.year import ZERO, YearResult, settle

_EXACT: Final = Context(prec=60)

UsdLeg = Literal["section23", "separate", "off"]


class Settings(Struct, frozen=True):
    """What the operator has said about the person. EUR by tax year where it says so.

    external: other results under § 23. assessed: carried loss stated for the beginning of a year.
    waived: years of loss whose carry-back is waived. usd_leg: whether disposals of foreign money
    count (section23), are told beside (separate) or not looked at (off).
    """

    external: dict[int, Decimal]
    assessed: dict[int, Decimal]
    waived: tuple[int, ...]
    usd_leg: UsdLeg
    marginal_rate: Decimal
    safety_days: int
    reform_enacted: bool


class Sums(Struct, frozen=True):
    """Of one kind of parts in one year, EUR."""

    parts: int
    proceeds: Decimal
    cost: Decimal
    costs: Decimal
    gains: Decimal
    losses: Decimal

    @property
    def net(self) -> Decimal:
        return self.gains - self.losses


class Made(Struct, frozen=True):
    """When and from what a report was made. files: (name, kind, SHA-256) of the raw files."""

    wall: Ns
    version: str
    head: str
    movement_head: str
    rates_until: str
    rate_sources: tuple[str, ...]
    files: tuple[tuple[str, str, str], ...]


class Held(Struct, frozen=True):
    """An asset at the turn of a German year."""

    account: str
    asset: str
    opening: Decimal
    closing: Decimal


class OpenRow(Struct, frozen=True):
    account: str
    asset: str
    lot: str
    qty: Decimal
    cost_eur: Decimal
    acquired: str
    first_free_day: str
    doubtful: bool


class Report(Struct, frozen=True):
    """Everything the renderers need; `schedule` has one dict for each part, columns in order."""

    year: int
    made: Made
    settings: Settings
    result: YearResult
    other_total: Decimal
    lines: FormLines | None
    coins: Sums
    money: Sums
    free: Sums
    new_stock: Sums
    turnover: tuple[tuple[str, str, Decimal, Decimal], ...]
    schedule: tuple[dict[str, str], ...]
    held: tuple[Held, ...]
    open_lots: tuple[OpenRow, ...]
    notes: tuple[str, ...]
    unbooked: tuple[str, ...]
    manual: tuple[str, ...]
    not_final: tuple[str, ...]


NOT_COUNTED: Final = "told separately, in no sum"
"""The note of a disposal that the settings leave out of the year's total."""

Watch = Callable[[list[Row]], Iterable[Row]]


def build(
    year: int, book: Book, events: list[TaxEvent], settings: Settings, made: Made,
    unbooked: tuple[str, ...] = (), watch: Watch = iter,
) -> Report:  # fmt: skip
    """The report of one tax year.

    unbooked: what the raw files say and no event does, as sentences. watch: passes the rows on,
    and may count them (a bar).
    """
    rows = [row for row in book.rows if row.year == year]
    shown = [row for row in rows if settings.usd_leg != "off" or not row.currency_leg]
    old = [row for row in shown if not row.new_stock]
    counted = settings.usd_leg == "section23"
    result = results(book, settings, currency_legs=counted).get(year) or settle({year: ZERO})[year]
    other = results(book, settings, currency_legs=not counted).get(year)
    return Report(
        year=year,
        made=made,
        settings=settings,
        result=result,
        other_total=other.net if other else ZERO,
        lines=lines_of(year),
        coins=_sums(row for row in old if row.taxable and not row.currency_leg),
        money=_sums(row for row in old if row.taxable and row.currency_leg),
        free=_sums(row for row in old if not row.taxable),
        new_stock=_sums(row for row in shown if row.new_stock),
        turnover=tuple(_turnover(events, year)),
        schedule=tuple(
            _schedule_row(number, row, counted=counted or not row.currency_leg)
            for number, row in enumerate(watch(shown), 1)
        ),
        held=tuple(_held(with_proofs(events), year)),
        open_lots=tuple(_open_rows(book)),
        notes=tuple(dict.fromkeys(book.notes)),
        unbooked=unbooked,
        manual=tuple(event.id for event in events if event.manual),
        not_final=tuple(_not_final(year, shown, made)),
    )


def results(book: Book, settings: Settings, *, currency_legs: bool) -> dict[int, YearResult]:
    """Every year's result of the person, other results under § 23 included."""
    found = {
        year: euros(cents) for year, cents in nets(book.rows, currency_legs=currency_legs).items()
    }
    for year, other in settings.external.items():
        found[year] = found.get(year, ZERO) + other
    return settle(found, settings.assessed, frozenset(settings.waived))


def _not_final(year: int, rows: list[Row], made: Made) -> Iterator[str]:
    if day_of(made.wall).year <= year:
        yield "year_not_over"
    if any(row.provisional for row in rows):
        yield "provisional_rates"


def _sums(rows: Iterable[Row]) -> Sums:
    parts = proceeds = cost = costs = gains = losses = 0
    for row in rows:
        parts += 1
        proceeds += row.proceeds
        cost += row.cost
        costs += row.costs
        gains += max(0, row.gain)
        losses += max(0, -row.gain)
    return Sums(parts, euros(proceeds), euros(cost), euros(costs), euros(gains), euros(losses))


def _schedule_row(number: int, row: Row, *, counted: bool) -> dict[str, str]:
    """One part with everything the letter asks for (BMF 2025, Rn. 102 f.)."""
    sale, basis = row.sale, row.basis
    bought = sale.wall if basis is None else basis.wall
    last = last_taxable_day(bought)
    money, done, to, whole = row.money
    notes = []
    if basis is None and row.currency_leg:
        notes.append("origin not known: valued without gain or loss")
    elif basis is None:
        notes.append("no acquisition known: cost 0, taxable")
    elif basis.doubtful:
        notes.append(f"{basis.origin} without proof")
    if row.label.endswith("#fee"):
        notes.append("coins kept as a fee")
    if row.currency_leg:
        notes.append("foreign currency")
    if not counted:
        notes.append(NOT_COUNTED)
    if row.provisional:
        notes.append("provisional rate")
    return {
        "nr": str(number),
        "vz": str(row.year),
        "coin": row.asset,
        "account": sale.account,
        "quantity": plain(quantity_of(row.qty)),
        "acquired_at": _berlin(bought) if basis else "",
        "acquired_at_utc": _utc(bought) if basis else "",
        "disposed_at": _berlin(sale.wall),
        "disposed_at_utc": _utc(sale.wall),
        "anniversary": last.isoformat() if basis else "",
        "first_free_day": (last + timedelta(days=1)).isoformat() if basis else "",
        "days_held": str((day_of(sale.wall) - day_of(bought)).days) if basis else "",
        "taxable": "yes" if row.taxable else "no",
        "quote_ccy": sale.currency,
        "proceeds_quote": plain(_money_share(money, done, to, whole)),
        "fx_rate_sale": plain(row.rate.value) if sale.currency != EURO else "",
        "fx_date_sale": row.rate.day.isoformat() if sale.currency != EURO else "",
        "proceeds_eur": plain(euros(row.proceeds)),
        "cost_quote": plain(_money_share(basis.money, 0, row.qty, basis.qty)) if basis else "",
        "cost_ccy": basis.currency if basis else "",
        "fx_rate_buy": plain(basis.rate.value) if basis and basis.currency != EURO else "",
        "fx_date_buy": basis.rate.day.isoformat() if basis and basis.currency != EURO else "",
        "cost_eur": plain(euros(row.cost)),
        "werbungskosten_eur": plain(euros(row.costs)),
        "gain_eur": plain(euros(row.gain)),
        "lot_id": basis.id if basis else "",
        # Dollars bear the sale's id behind their name; what was no trade has none.
        "buy_trade_ids": basis.id.rpartition(":")[2] if basis and _is_traded(basis) else "",
        "sell_trade_id": row.label,
        "order_id": sale.order_id,
        "rate_source": _rate_source(row),
        "manual_edit": "yes" if sale.manual or (basis and basis.manual) else "no",
        "note": "; ".join(notes),
    }


def _is_traded(basis: Basis) -> bool:
    return basis.origin is Origin.PURCHASE and not basis.manual


def _rate_source(row: Row) -> str:
    foreign = row.sale.currency != EURO or (row.basis and row.basis.currency != EURO)
    return "ECB euro reference rate" if foreign else ""


def _money_share(money: Decimal, done: int, to: int, whole: int) -> Decimal:
    """The part of an amount in its own currency, to four decimals: for reading, never summed."""
    if whole == 0:
        return ZERO
    part = _EXACT.divide(_EXACT.multiply(money, Decimal(to - done)), Decimal(whole))
    return part.quantize(Decimal("0.0001"), context=_EXACT)


def _turnover(events: list[TaxEvent], year: int) -> Iterator[tuple[str, str, Decimal, Decimal]]:
    """(asset, side, quantity, gross in its currency): to hold against what platforms report."""
    found: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for event in events:
        if isinstance(event, Exchanged) and day_of(event.wall).year == year:
            key = (event.asset, f"{event.side} {event.currency}")
            qty, gross = found.get(key, (0, Decimal(0)))
            found[key] = (qty + event.qty, _EXACT.add(gross, event.gross))
    for (asset, side), (qty, gross) in sorted(found.items()):
        yield asset, side, quantity_of(qty), gross


def _held(events: list[TaxEvent], year: int) -> Iterator[Held]:
    """What each account held at the end of 31 December of the year before and of the year."""
    found: dict[tuple[str, str], list[int]] = {}
    for event in events:
        sold_in = day_of(event.wall).year
        for account, asset, change in _changes(event):
            both = found.setdefault((account, asset), [0, 0])
            both[0] += change if sold_in < year else 0
            both[1] += change if sold_in <= year else 0
    for (account, asset), (opening, closing) in sorted(found.items()):
        if opening or closing:
            yield Held(account, asset, quantity_of(opening), quantity_of(closing))


def _changes(event: TaxEvent) -> Iterator[tuple[str, str, int]]:
    """(account, asset, units more) of coins; euros and foreign money are the bank's to tell."""
    match event:
        case Exchanged():
            kept = sum(units_of(fee) for asset, fee in event.fees if asset == event.asset)
            yield event.account, event.asset, event.side.sign * event.qty - kept
        case Moved():
            yield event.account, event.asset, -event.qty - event.network_fee
            yield event.to, event.asset, int(event.qty)
        case Arrived():
            yield event.account, event.asset, int(event.qty)
        case Departed():
            yield event.account, event.asset, -event.qty - event.network_fee


def _open_rows(book: Book) -> Iterator[OpenRow]:
    for lot in book.open_lots():
        last = last_taxable_day(lot.basis.wall)
        yield OpenRow(
            lot.account, lot.basis.asset, lot.basis.id, quantity_of(lot.qty), euros(lot.cost),
            day_of(lot.basis.wall).isoformat(), (last + timedelta(days=1)).isoformat(),
            lot.basis.doubtful,
        )  # fmt: skip


def _berlin(wall: Ns) -> str:
    return datetime.fromtimestamp(wall // SECOND, BERLIN).isoformat()


def _utc(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def german(day: date) -> str:
    """A day as German tables write it."""
    return f"{day:%d.%m.%Y}"
