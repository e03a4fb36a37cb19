"""The tax book at the edges of days and years, against a second reckoning of its own.

Moments lie around German and UTC midnights, anniversaries, leap days, changed clocks and turns of
the year; fees come several at a time, in any money; coins arrive with proofs, as rewards and out of
withdrawals that failed; dollars are kept as lots. The reckoning knows no queue: it looks for the
oldest piece each time anew, in exact fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import Ns, Side
from strategy.ledger.book import keep
from strategy.ledger.events import (
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    Units,
)
from strategy.ledger.parts import nets
from strategy.ledger.rates import Rate, Rates

BERLIN = ZoneInfo("Europe/Berlin")
UNIT = 100  # a satoshi in Units
ACCOUNTS = ("kraken-spot", "kraken-spot", "cold")
# Acquired, the anniversary, the day after; one such turn for a whole ledger, so that they meet.
TURNS = (
    ("2023-02-28", "2024-02-28", "2024-02-29"),
    ("2023-03-01", "2024-03-01", "2024-03-02"),
    ("2024-02-28", "2025-02-28", "2025-03-01"),
    ("2024-02-29", "2025-02-28", "2025-03-01"),
    ("2023-12-31", "2024-12-31", "2025-01-01"),
    ("2024-01-01", "2025-01-01", "2025-01-02"),
    ("2023-10-29", "2024-10-29", "2024-10-30"),
    ("2023-03-26", "2024-03-26", "2024-03-27"),
)
TIMES = ("00:00:00", "00:30:00", "12:00:00", "21:59:59", "22:00:00", "22:59:59", "23:00:00",
         "23:30:00", "23:59:59")  # fmt: skip
PUBLISHED = {
    day: Decimal(10_000 + (number * 53) % 1_700).scaleb(-4)
    for number, day in enumerate(date(2023, 2, 1) + timedelta(days=each) for each in range(800))
    if day.weekday() < 5
    and (day.month, day.day) not in {(1, 1), (5, 1), (12, 25), (12, 26)}
    and day not in {date(2023, 4, 7), date(2023, 4, 10), date(2024, 3, 29), date(2024, 4, 1)}
}
RATES = Rates(Rate(day, "USD", value) for day, value in PUBLISHED.items())

Moments = st.SearchStrategy[Ns]


def moments_of(turn: tuple[str, ...]) -> Moments:
    return st.builds(
        lambda day, time: Ns(
            int(datetime.fromisoformat(f"{day}T{time}+00:00").timestamp()) * 10**9
        ),
        st.sampled_from(turn),
        st.sampled_from(TIMES),
    )


quantities = st.integers(1, 60).map(lambda sats: Units(sats * UNIT))
money = st.integers(1, 10**6).map(lambda thousandths: Decimal(thousandths).scaleb(-3))


@st.composite
def trades(draw: st.DrawFn, name: str, moments: Moments) -> Exchanged:
    """A fill; its fees in money are as many as there may be, those in coins leave something."""
    asset, currency = draw(
        st.sampled_from([("BTC", "EUR"), ("BTC", "EUR"), ("BTC", "USD"), ("USD", "EUR")])
    )
    side, qty = draw(st.sampled_from(list(Side))), draw(quantities)
    fees = draw(
        st.lists(st.tuples(st.sampled_from(["EUR", "USD", "KFEE"]), money), max_size=2).map(
            lambda fees: [(what, fee / 10) for what, fee in fees if what != asset]
        )
    )
    if asset == "BTC" and draw(st.booleans()):
        fees.append(("BTC", Decimal(draw(st.integers(0, qty // UNIT - 1))).scaleb(-8)))
    return Exchanged(
        name, draw(moments), draw(st.integers(0, 2)), draw(st.sampled_from(ACCOUNTS)), asset, side,
        qty, currency, draw(money), tuple(fees),
    )  # fmt: skip


@st.composite
def others(draw: st.DrawFn, name: str, moments: Moments, earlier: list[TaxEvent]) -> TaxEvent:
    """A move, a departure or an arrival, which may prove a deposit or take back a departure."""
    wall, account, qty = draw(moments), draw(st.sampled_from(ACCOUNTS)), draw(quantities)
    asset = draw(st.sampled_from(["BTC", "BTC", "USD"]))
    lost = Units(UNIT * draw(st.integers(0, 2)))
    back = [each.id for each in earlier if isinstance(each, Departed)]
    deposits = [
        each.id
        for each in earlier
        if isinstance(each, Arrived)
        and (each.asset, each.origin, each.proves) == ("BTC", Origin.DEPOSIT, "")
    ]
    match draw(
        st.sampled_from(["move", "out", "out", "in", "reward", "known", "proof", "back", "back"])
    ):
        case "move":
            to = "cold" if account == "kraken-spot" else "kraken-spot"
            return Moved(name, wall, 0, account, to, asset, qty, lost)
        case "out":
            return Departed(name, wall, 0, account, asset, qty, lost)
        case "reward":
            return Arrived(name, wall, 0, account, "BTC", qty, Origin.REWARD)
        case "back" if back:
            proves = draw(st.sampled_from(back))
            return Arrived(name, wall, 0, account, "BTC", qty, Origin.DEPOSIT, proves=proves)
        case "known" | "proof" as kind if kind == "known" or deposits:
            bought = min(wall, draw(moments))
            return Arrived(
                name, wall, 0, account, "BTC", qty, Origin.PURCHASE, bought,
                Decimal(draw(st.integers(0, 10**6))).scaleb(-2),
                draw(st.sampled_from(deposits)) if kind == "proof" else "",
            )  # fmt: skip
    return Arrived(name, wall, 0, account, asset, qty, Origin.DEPOSIT)


@st.composite
def ledgers(draw: st.DrawFn) -> list[TaxEvent]:
    events: list[TaxEvent] = []
    moments = moments_of(draw(st.sampled_from(TURNS)))
    for number in range(draw(st.integers(2, 14))):
        name = f"e{number:02}"
        is_trade = draw(st.sampled_from([True, True, False]))
        strategy = trades(name, moments) if is_trade else others(name, moments, events)
        events.append(draw(strategy))
    return events


# The second reckoning.


@dataclass
class Piece:
    """Some of one acquisition at one place: `left` of `whole` units, which cost `cents`.

    What is gone cost `paid`.
    """

    place: tuple[str, str]
    name: str
    age: tuple[int, int, str, int]
    whole: int
    left: int
    cents: int
    paid: int = 0


def german(wall: int) -> date:
    return datetime.fromtimestamp(wall // 10**9, UTC).astimezone(BERLIN).date()


def half_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)


def in_cents(amount: Decimal | Fraction, currency: str, day: date) -> int:
    if currency == "EUR":
        return half_up(Fraction(amount) * 100)
    while day not in PUBLISHED:
        day -= timedelta(days=1)
    return half_up(Fraction(amount) * 100 / Fraction(PUBLISHED[day]))


@cache
def last_day(bought: date) -> date:
    """Found day by day: the period ends with the day of the same number, or the month's last."""
    day = bought
    while (day.year, day.month) != (bought.year + 1, bought.month) or (
        day.day != bought.day and (day + timedelta(days=1)).month == day.month
    ):
        day += timedelta(days=1)
    return day


Told = tuple[str, str, int, int, int, int, bool]


class Reckoning:
    def __init__(self, *, dollars: bool) -> None:
        self.dollars = dollars
        self.pieces: list[Piece] = []
        self.rows: list[Told] = []

    def put(
        self, place: tuple[str, str], name: str, age: tuple[int, int, str], qty: int, cents: int
    ) -> None:
        if qty > 0 and (self.dollars or place[1] != "USD"):
            self.pieces.append(Piece(place, name, (*age, len(self.pieces)), qty, qty, cents))

    def take(self, place: tuple[str, str], qty: int) -> list[tuple[Piece | None, int, int]]:
        """(piece, units, their cost), oldest first; no piece for what is not there."""
        found: list[tuple[Piece | None, int, int]] = []
        while qty:
            here = [each for each in self.pieces if each.place == place and each.left]
            if not here:
                return [*found, (None, qty, 0)]
            oldest = min(here, key=lambda piece: piece.age)
            part = min(qty, oldest.left)
            gone = oldest.whole - oldest.left
            before, after = (
                half_up(Fraction(oldest.cents * each, oldest.whole)) for each in (gone, gone + part)
            )
            oldest.left -= part
            oldest.paid = after
            qty -= part
            found.append((oldest, part, after - before))
        return found

    def dispose(self, event: Exchanged, label: str, asset: str, qty: int, sums: list[int]) -> None:
        done = 0
        for piece, part, cost in self.take((event.account, asset), qty):
            shares = [
                half_up(Fraction(whole * (done + part), qty)) - half_up(Fraction(whole * done, qty))
                for whole in sums
            ]
            done += part
            if piece is None and asset == "USD":
                cost = shares[0]
            young = piece is None or german(event.wall) <= last_day(german(piece.age[0]))
            name = piece.name if piece else ""
            self.rows.append((label, name, part, shares[0], cost, shares[1], young))

    def trade(self, event: Exchanged) -> None:
        day, place = german(event.wall), (event.account, event.asset)
        age = (int(event.wall), event.seq, event.id)
        name = f"USD:{event.id}" if event.asset == "USD" else event.id
        gross = in_cents(event.gross, event.currency, day)
        in_coins = sum(int(fee * 10**10) for what, fee in event.fees if what == event.asset)
        in_money = sum((fee for what, fee in event.fees if what == event.currency), Decimal(0))
        fees = sum(in_cents(fee, what, day) for what, fee in event.fees if what in ("EUR", "USD"))
        of_money = in_cents(in_money, event.currency, day)
        if event.side is Side.BUY:
            self.put(place, name, age, event.qty - in_coins, gross + fees)
            if event.currency == "USD" and self.dollars:
                spent = int((event.gross + in_money) * 10**10)
                self.dispose(event, f"{event.id}#USD", "USD", spent, [gross + of_money, 0])
            return
        worth = in_cents(Fraction(event.gross) * in_coins / event.qty, event.currency, day)
        if self.dollars or event.asset != "USD":
            self.dispose(event, event.id, event.asset, event.qty, [gross, fees + worth])
            self.dispose(event, f"{event.id}#fee", event.asset, in_coins, [worth, 0])
        if event.currency == "USD":
            got = int((event.gross - in_money) * 10**10)
            name = f"USD:{event.id}"
            self.put((event.account, "USD"), name, (*age[:2], name), got, gross - of_money)

    def other(self, event: TaxEvent) -> None:
        place = (event.account, event.asset)
        if event.asset == "USD" and not self.dollars:
            return
        match event:
            case Moved():
                there = (event.to, event.asset)
                for piece, part, cost in self.take(place, event.qty):
                    age = piece.age[:3] if piece else (int(event.wall), event.seq, event.id)
                    self.put(there, piece.name if piece else event.id, age, part, cost)
                self.take(place, event.network_fee)
            case Departed():
                self.take(place, event.qty + event.network_fee)
            case Arrived():
                bought = event.wall if event.acquired is None else event.acquired
                cents = int((event.cost_eur or 0) * 100)
                if event.asset == "USD":
                    cents = in_cents(Fraction(event.qty, 10**10), "USD", german(bought))
                self.put(place, event.id, (int(bought), event.seq, event.id), event.qty, cents)


def proven(events: list[TaxEvent]) -> list[TaxEvent]:
    """Failed departures are gone; a proof stands where its deposit was, for as much as it held."""
    gone = [each.id for each in events if isinstance(each, Departed)]
    arrived = {each.id: each for each in events if isinstance(each, Arrived)}
    back = [each.proves for each in arrived.values() if each.proves in gone]
    left = {name: int(each.qty) for name, each in arrived.items() if not each.proves}
    found = [each for each in events if each.id not in arrived and each.id not in back]
    for proof in sorted(arrived.values(), key=lambda each: (each.wall, each.seq, each.id)):
        if proof.proves and proof.proves not in back:
            deposit = arrived[proof.proves]
            part = min(int(proof.qty), left[deposit.id])
            left[deposit.id] -= part
            share = half_up(Fraction(proof.cost_eur or 0) * 100 * part / proof.qty)
            found.append(
                replace(
                    deposit,
                    id=proof.id,
                    origin=proof.origin,
                    acquired=proof.acquired,
                    qty=Units(part),
                    cost_eur=Decimal(share).scaleb(-2),
                )
            )
    found += [replace(arrived[name], qty=Units(qty)) for name, qty in left.items()]
    return sorted(found, key=lambda each: (each.wall, each.seq, each.id))


def reckoned(events: list[TaxEvent], *, dollars: bool) -> Reckoning:
    found = Reckoning(dollars=dollars)
    for event in proven(events):
        if isinstance(event, Exchanged):
            found.trade(event)
        else:
            found.other(event)
    return found


@given(ledgers(), st.booleans())
@settings(max_examples=120)
def test_at_every_edge_the_book_is_the_second_reckoning_to_the_cent(
    events: list[TaxEvent], dollars: bool
) -> None:
    book, theirs = keep(events, RATES, track_currencies=dollars), reckoned(events, dollars=dollars)
    ours = [
        (
            row.label, row.basis.id if row.basis else "", int(row.qty), row.proceeds, row.cost,
            row.costs, row.taxable,
        )
        for row in book.rows
    ]  # fmt: skip
    assert ours == theirs.rows
    open_lots = sorted(
        (lot.account, lot.basis.asset, lot.basis.id, int(lot.qty), lot.cost)
        for lot in book.open_lots()
    )
    assert open_lots == sorted(
        (*piece.place, piece.name, piece.left, piece.cents - piece.paid)
        for piece in theirs.pieces
        if piece.left
    )


@given(ledgers())
@settings(max_examples=40)
def test_every_gain_falls_into_the_german_year_of_its_sale(events: list[TaxEvent]) -> None:
    walls = {event.id: event.wall for event in events}
    sums: dict[int, int] = {}
    for label, _, _, proceeds, cost, costs, young in reckoned(events, dollars=True).rows:
        year = german(walls[label.partition("#")[0]]).year
        sums[year] = sums.get(year, 0) + (proceeds - cost - costs if young else 0)
    assert nets(keep(events, RATES).rows, currency_legs=True) == sums
