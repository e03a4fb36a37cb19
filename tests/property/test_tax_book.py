"""Laws of the tax book: against a deliberately naive engine, and in whatever order it hears."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import DAY, Ns, Side
from strategy.ledger.book import Book, keep
from strategy.ledger.events import (
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    Units,
    euros,
    units_of,
)
from strategy.ledger.rates import Rate, Rates

SATOSHI = 100  # Units
START = Ns(1_672_500_000_000_000_000)  # the end of 2022
ACCOUNTS = ("kraken-spot", "cold")
DAYS = [date(2022, 12, 20) + timedelta(days=each) for each in range(1100)]
RATE_OF = {
    day: Decimal(10_000 + (index * 37) % 2_000).scaleb(-4)
    for index, day in enumerate(DAYS)
    if day.weekday() < 5
}
RATES = Rates(Rate(day, "USD", value) for day, value in RATE_OF.items())


@st.composite
def ledgers(draw: st.DrawFn) -> list[TaxEvent]:
    """A few dozen events on two accounts: fees in three assets, moves, arrivals with old dates."""
    events: list[TaxEvent] = []
    for number in range(draw(st.integers(1, 16))):
        wall = Ns(
            START + draw(st.integers(0, 30)) * 20 * DAY + draw(st.integers(0, 23)) * 3600 * 10**9
        )
        account = draw(st.sampled_from(ACCOUNTS))
        qty = Units(SATOSHI * draw(st.integers(2, 30)))
        name = f"e{number:02}"
        match draw(st.sampled_from(["buy", "buy", "buy", "sell", "sell", "move", "in", "out"])):
            case "buy" | "sell" as side:
                currency = draw(st.sampled_from(["EUR", "USD"]))
                asset = draw(st.sampled_from([currency, "BTC", "KFEE"]))
                fee = Decimal(draw(st.integers(0, 300))).scaleb(-3)
                if asset == "BTC":
                    fee = Decimal(draw(st.integers(0, qty // SATOSHI - 1))).scaleb(-8)
                gross = Decimal(draw(st.integers(400, 10**7))).scaleb(-3)
                events.append(
                    Exchanged(
                        name, wall, number % 3, account, "BTC", Side(side), qty, currency, gross,
                        ((asset, fee),),
                    )
                )  # fmt: skip
            case "move":
                other = ACCOUNTS[account == ACCOUNTS[0]]
                fee_units = Units(SATOSHI * draw(st.integers(0, 2)))
                events.append(Moved(name, wall, 0, account, other, "BTC", qty, fee_units))
            case "in":
                old = Ns(wall - draw(st.integers(0, 400)) * DAY)
                cost = Decimal(draw(st.integers(0, 10**6))).scaleb(-2)
                known = draw(st.booleans()) and old >= START
                events.append(
                    Arrived(
                        name, wall, 0, account, "BTC", qty,
                        Origin.PURCHASE if known else Origin.DEPOSIT,
                        old if known else None, cost if known else None,
                    )
                )  # fmt: skip
            case "out":
                events.append(Departed(name, wall, 0, account, "BTC", qty))
    return events


def rounded(value: Fraction) -> int:
    """Half up to whole cents."""
    return int((value * 200 + 1) // 2)


def german(wall: int) -> date:
    return datetime.fromtimestamp(wall / 10**9, UTC).astimezone(ZoneInfo("Europe/Berlin")).date()


def eur(amount: Decimal, currency: str, day: date) -> Fraction:
    if currency == "EUR":
        return Fraction(amount)
    while (
        day not in RATE_OF
        or (day.month, day.day) in {(1, 1), (5, 1), (12, 25), (12, 26)}
        or (day in {date(2023, 4, 7), date(2023, 4, 10), date(2024, 3, 29), date(2024, 4, 1)})
    ):
        day -= timedelta(days=1)
    return Fraction(amount) / Fraction(RATE_OF[day])


def is_young(bought: date, sold: date) -> bool:
    leap = (bought.month, bought.day) == (2, 29)
    return sold <= date(bought.year + 1, bought.month, 28 if leap else bought.day)


def naive(events: list[TaxEvent]) -> list[tuple[str, str, int, int, int, int, bool]]:
    """Satoshi by satoshi: each is a tuple on a list that is sorted anew before every use."""
    coins: dict[str, list[tuple[int, int, str, int, int, int]]] = {name: [] for name in ACCOUNTS}
    rows: list[tuple[str, str, int, int, int, int, bool]] = []

    def put(account: str, wall: int, seq: int, name: str, sats: int, cents: int) -> None:
        steps = [rounded(Fraction(cents * each, sats) / 100) for each in range(sats + 1)]
        coins[account] += [
            (wall, seq, name, each, steps[each + 1] - steps[each], sats) for each in range(sats)
        ]

    def take(account: str, sats: int) -> list[tuple[int, int, str, int, int, int] | None]:
        coins[account].sort(key=lambda coin: coin[:4])
        found = coins[account][:sats]
        del coins[account][:sats]
        return [*found, *[None] * (sats - len(found))]

    def sell(event: Exchanged, label: str, sats: int, proceeds: int, costs: int) -> None:
        groups: dict[str, list[tuple[int, tuple[int, int, str, int, int, int] | None]]] = {}
        for place, coin in enumerate(take(event.account, sats)):
            key = "" if coin is None else coin[2] + str(coin[5])
            groups.setdefault(key, []).append((place, coin))
        for group in groups.values():
            first, last, coin = group[0][0], group[-1][0] + 1, group[0][1]
            cut = [
                rounded(Fraction(whole * last, sats) / 100)
                - rounded(Fraction(whole * first, sats) / 100)
                for whole in (proceeds, costs)
            ]
            cost = sum(each[4] for _, each in group if each)
            young = coin is None or is_young(german(coin[0]), german(event.wall))
            rows.append((label, coin[2] if coin else "", last - first, cut[0], cost, cut[1], young))

    for event in sorted(events, key=lambda each: (each.wall, each.seq, each.id)):
        sats = event.qty // SATOSHI
        day = german(event.wall)
        match event:
            case Exchanged(fees=((asset, fee),)):
                gross = rounded(eur(event.gross, event.currency, day))
                money = rounded(eur(fee, asset, day)) if asset in ("EUR", "USD") else 0
                kept = int(fee * 10**8) if asset == "BTC" else 0
                if event.side is Side.BUY:
                    put(event.account, event.wall, event.seq, event.id, sats - kept, gross + money)
                    continue
                worth = rounded(eur(event.gross, event.currency, day) * kept / sats)
                sell(event, event.id, sats, gross, money + worth)
                sell(event, event.id + "#fee", kept, worth, 0)
            case Moved():
                moved = take(event.account, sats)
                for name in dict.fromkeys(coin[2:3] + coin[5:] for coin in moved if coin):
                    those = [coin for coin in moved if coin and coin[2:3] + coin[5:] == name]
                    cost = sum(coin[4] for coin in those)
                    put(event.to, those[0][0], those[0][1], those[0][2], len(those), cost)
                if lost := moved.count(None):
                    put(event.to, event.wall, event.seq, event.id, lost, 0)
                take(event.account, event.network_fee // SATOSHI)
            case Arrived():
                wall = event.wall if event.acquired is None else event.acquired
                cost = int((event.cost_eur or 0) * 100)
                put(event.account, wall, event.seq, event.id, sats, cost)
            case Departed():
                take(event.account, sats)
    return rows


def told(book: Book) -> list[tuple[str, str, int, int, int, int, bool]]:
    return [
        (
            row.label,
            row.basis.id if row.basis else "",
            row.qty // SATOSHI,
            row.proceeds,
            row.cost,
            row.costs,
            row.taxable,
        )
        for row in book.rows
        if not row.currency_leg
    ]


def splits_no_lot_twice(events: list[TaxEvent]) -> bool:
    """Pieces of one lot that meet again in one account are told apart by the book alone."""
    return sum(isinstance(event, Moved) for event in events) <= 1


@given(ledgers().filter(splits_no_lot_twice))
@settings(max_examples=150)
def test_the_book_is_the_naive_one_to_the_cent(events: list[TaxEvent]) -> None:
    assert told(keep(events, RATES, track_currencies=False)) == naive(events)


@given(ledgers().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
@settings(max_examples=60)
def test_the_order_of_import_does_not_matter(both: tuple[list[TaxEvent], list[TaxEvent]]) -> None:
    first, second = (keep(events, RATES) for events in both)
    assert first.rows == second.rows
    assert first.open_lots() == second.open_lots() or sorted(
        (lot.account, lot.basis.id, lot.qty, lot.cost) for lot in first.open_lots()
    ) == sorted((lot.account, lot.basis.id, lot.qty, lot.cost) for lot in second.open_lots())


@given(ledgers())
@settings(max_examples=100)
def test_no_coin_and_no_cent_is_made_or_lost(events: list[TaxEvent]) -> None:
    book = keep(events, RATES)
    for event in events:
        if isinstance(event, Exchanged) and event.side is Side.SELL:
            rows = [row for row in book.rows if row.label == event.id]
            assert sum(row.qty for row in rows) == event.qty
            whole = eur(event.gross, event.currency, german(event.wall))
            assert euros(sum(row.proceeds for row in rows)) == Decimal(rounded(whole)).scaleb(-2)
    for lot in book.open_lots():
        assert lot.qty > 0
        assert lot.cost >= 0
    for row in book.rows:
        assert row.qty > 0
        assert row.cost >= 0
        assert row.basis is not None or row.taxable


@st.composite
def dollar_trades(draw: st.DrawFn) -> list[Exchanged]:
    """Trades of coins for dollars or euros, and dollars changed into euros, one a day."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        wall = Ns(START + (number * 61 + 3) * DAY + draw(st.integers(0, 23)) * 3600 * 10**9)
        cents = draw(st.integers(100, 10**6))
        asset, currency = draw(st.sampled_from([("BTC", "USD"), ("BTC", "EUR"), ("USD", "EUR")]))
        qty = Decimal(draw(st.integers(1, 10**6))).scaleb(-8 if asset == "BTC" else -2)
        fee = Decimal(draw(st.integers(0, 99))).scaleb(-2)
        found.append(
            Exchanged(
                f"e{number:02}", wall, 0, ACCOUNTS[0], asset, draw(st.sampled_from(list(Side))),
                units_of(qty), currency, Decimal(cents).scaleb(-2), ((currency, fee),),
            )
        )  # fmt: skip
    return found


def two_queues(events: list[Exchanged]) -> list[tuple[str, str, int, int, int, int]]:
    """Coins and dollars by FIFO, each lot a list [name, whole, left, cost]; exact fractions."""
    queues: dict[str, list[list[Any]]] = {"BTC": [], "USD": []}
    rows: list[tuple[str, str, int, int, int, int]] = []

    def part(cents: int, upto: int, whole: int) -> int:
        return rounded(Fraction(cents * upto, whole) / 100)

    def sell(label: str, asset: str, qty: int, proceeds: int, costs: int) -> None:
        done = 0
        while done < qty:
            lot = queues[asset][0] if queues[asset] else None
            taken = min(qty - done, lot[2]) if lot else qty - done
            got, cut = (
                part(whole, done + taken, qty) - part(whole, done, qty)
                for whole in (proceeds, costs)
            )
            cost = got if asset == "USD" else 0
            if lot:
                gone = lot[1] - lot[2]
                cost = part(lot[3], gone + taken, lot[1]) - part(lot[3], gone, lot[1])
                lot[2] -= taken
                if not lot[2]:
                    queues[asset].pop(0)
            rows.append((label, lot[0] if lot else "", taken, got, cost, cut))
            done += taken

    for event in events:
        day = german(event.wall)
        fee = event.fees[0][1]
        gross, charged = (rounded(eur(each, event.currency, day)) for each in (event.gross, fee))
        name = event.id if event.asset == "BTC" else f"USD:{event.id}"
        if event.side is Side.BUY:
            queues[event.asset].append([name, event.qty, event.qty, gross + charged])
            if event.currency == "USD":
                spent = int((event.gross + fee) * 10**10)
                sell(f"{event.id}#USD", "USD", spent, gross + charged, 0)
        else:
            sell(event.id, event.asset, event.qty, gross, charged)
            if event.currency == "USD" and event.gross > fee:
                got = int((event.gross - fee) * 10**10)
                queues["USD"].append([f"USD:{event.id}", got, got, gross - charged])
    return rows


@given(dollar_trades())
@settings(max_examples=150)
def test_coins_and_dollars_are_two_queues_to_the_cent(events: list[Exchanged]) -> None:
    book = keep(events, RATES)
    ours = [
        (
            row.label,
            row.basis.id if row.basis else "",
            int(row.qty),
            row.proceeds,
            row.cost,
            row.costs,
        )
        for row in book.rows
    ]
    assert ours == two_queues(events)
    alone = keep(events, RATES, track_currencies=False)
    coins = [row.gain for row in book.rows if not row.currency_leg]
    assert [row.gain for row in alone.rows] == coins
