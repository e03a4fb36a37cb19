"""Laws of the ledger: against a naive model, under any order of arrival, under any damage."""

from __future__ import annotations

import sqlite3
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.orders import Filled
from shared.units import DAY, SECOND, Ns, Sats, Side, Ticks
from strategy.ledger.entries import FillEntry
from strategy.ledger.lots import Acquisition, Disposal, Ignored, Lots, Part, share
from strategy.ledger.records import LedgerError
from strategy.ledger.store import Store
from strategy.ledger.tax import is_free
from strategy.ledger.trade import UNKNOWN, trade_of

START = Ns(1_700_000_000 * SECOND)


@st.composite
def histories(draw: st.DrawFn) -> list[Filled]:
    """Fills of one coin, several at one moment, with fees in either asset, in any order."""
    count = draw(st.integers(1, 14))
    fills = []
    for number in range(count):
        qty = draw(st.integers(2, 60))
        asset = draw(st.sampled_from(["EUR", "BTC", "KFEE"]))
        most = (qty - 1) * 100 if asset == "BTC" else 10_000
        fee = Decimal(draw(st.integers(0, most))).scaleb(-10 if asset == "BTC" else -4)
        fills.append(
            Filled(
                exec_id=f"T{number}",
                order_id="O",
                cl_ord_id="",
                pair=draw(st.sampled_from(["BTC/EUR", "BTC/USD"])),
                side=draw(st.sampled_from(list(Side))),
                price=Ticks(1),
                qty=Sats(qty),
                cost=Decimal(draw(st.integers(0, 10**9))).scaleb(-5),
                fees=((asset, fee), ("USD", Decimal(1))),
                wall=Ns(START + draw(st.integers(0, 6)) * 150 * DAY),
                trade_id=draw(st.integers(1, 4)),
                maker=True,
            )
        )
    return draw(st.permutations(fills))


def booked(fills: list[Filled]) -> Lots:
    lots = Lots()
    for fill in fills:
        assert not isinstance(lots.book(fill), Ignored)
    return lots


def naive(fills: list[Filled]) -> tuple[list[tuple[str, int]], dict[str, list[tuple[str, int]]]]:
    """FIFO coin by coin: what is left of each lot, and which lots each sale consumed."""
    queue: list[str] = []
    sold: dict[str, list[tuple[str, int]]] = {}
    for fill in sorted(fills, key=lambda each: (each.wall, each.trade_id, each.exec_id)):
        trade = trade_of(fill)
        assert trade is not None
        if fill.side is Side.BUY:
            queue += [fill.exec_id] * trade.moved
            continue
        coins = (queue + [UNKNOWN] * trade.moved)[: trade.moved]
        del queue[: trade.moved]
        sold[fill.exec_id] = [(lot, coins.count(lot)) for lot in dict.fromkeys(coins)]
    return [(lot, queue.count(lot)) for lot in dict.fromkeys(queue)], sold


def by_lot(parts: tuple[Part, ...]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for part in parts:
        found[part.lot] = found.get(part.lot, 0) + part.qty
    return list(found.items())


@given(histories())
def test_the_queue_does_what_the_naive_one_does(fills: list[Filled]) -> None:
    lots = booked(fills)
    left, sold = naive(fills)
    assert [(lot.exec_id, lot.left) for lot in lots.open_lots()] == left
    assert lots.total() == sum(qty for _, qty in left)
    for booking in lots.bookings():
        if isinstance(booking, Disposal):
            assert by_lot(booking.parts) == sold[booking.exec_id]
            assert booking.unknown_qty == dict(sold[booking.exec_id]).get(UNKNOWN, 0)


@given(histories())
def test_no_money_and_no_coin_is_made_or_lost(fills: list[Filled]) -> None:
    lots = booked(fills)
    given_out: dict[str, Decimal] = {}
    for booking in lots.bookings():
        if isinstance(booking, Acquisition):
            continue
        fill = next(each for each in fills if each.exec_id == booking.exec_id)
        trade = trade_of(fill)
        assert trade is not None
        fee_value = share(trade.cost, trade.fee_qty, trade.qty)
        assert sum(part.qty for part in booking.parts) == trade.moved
        assert sum(part.proceeds for part in booking.parts) == trade.cost + fee_value
        assert sum(part.fee for part in booking.parts) == trade.fee + fee_value
        for part in booking.parts:
            assert part.qty > 0
            assert part.cost >= 0
            given_out[part.lot] = given_out.get(part.lot, Decimal(0)) + part.cost
    open_lots = {lot.exec_id: lot for lot in lots.open_lots()}
    for lot in (each.lot for each in lots.bookings() if isinstance(each, Acquisition)):
        rest = open_lots[lot.exec_id].cost_left if lot.exec_id in open_lots else Decimal(0)
        assert given_out.get(lot.exec_id, Decimal(0)) + rest == lot.cost
    assert given_out.get(UNKNOWN, Decimal(0)) == 0


@given(histories(), st.data())
def test_neither_order_nor_repetition_of_arrival_matters(
    fills: list[Filled], data: st.DataObject
) -> None:
    lots = booked(fills)
    again = Lots()
    for fill in [*data.draw(st.permutations(fills)), *data.draw(st.permutations(fills))]:
        again.book(fill)
        again.free_prefix(START, 4)  # Whoever asked before must not hear an old answer later.
    rebuilt = Lots.of("BTC", reversed(lots.trades()))
    for other in (again, rebuilt):
        assert other.open_lots() == lots.open_lots()
        assert other.digest() == lots.digest()
        for days in range(0, 1500, 50):
            now = Ns(START + days * DAY)
            assert other.free_prefix(now, 4) == lots.free_prefix(now, 4)
        assert list(other.bookings()) == list(lots.bookings())


@given(histories(), st.integers(0, 2_000), st.integers(0, 10))
def test_the_free_coins_are_a_prefix_of_what_is_held(
    fills: list[Filled], days: int, safety_days: int
) -> None:
    lots = booked(fills)
    now = Ns(START + days * DAY)
    free, locked = 0, []
    for lot in lots.open_lots():
        if locked or not is_free(lot.wall, now, safety_days):
            locked.append(lot)
        else:
            free += lot.left
    assert lots.free_prefix(now, safety_days) == free
    unlocks = lots.next_free_wall(now, safety_days)
    assert (unlocks is None) == (not locked)
    if unlocks is not None:
        assert lots.free_prefix(Ns(unlocks - 1), safety_days) == free
        assert lots.free_prefix(unlocks, safety_days) > free


@given(
    st.decimals(0, 10**12, places=10),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
)
def test_shares_add_up_to_the_whole(value: Decimal, pieces: list[int]) -> None:
    whole, done, total = sum(pieces), 0, Decimal(0)
    for piece in pieces:
        part = share(value, done + piece, whole) - share(value, done, whole)
        assert abs(part - value * piece / whole) <= Decimal("1e-9")
        total, done = total + part, done + piece
    assert total == value


@settings(max_examples=25)
@given(histories(), st.data())
def test_the_file_says_what_the_core_says(fills: list[Filled], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "ledger.db")
        lots, rest = Lots(), list(fills)
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            step, rest = rest[:size], rest[size:]
            for fill in step:
                lots.book(fill)
            store.commit([FillEntry(fill) for fill in (*step, step[0])])
        assert store.verify() == []
        assert store.rebuild() == []
        store.close()
        store = Store.open(Path(folder) / "ledger.db")
        loaded = store.load().lots
        store.close()
    assert loaded.digest() == lots.digest()
    assert loaded.open_lots() == lots.open_lots()


@settings(max_examples=60)
@given(st.data())
def test_no_single_flipped_bit_of_a_fill_goes_unnoticed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        store = Store.open(path)
        entries = tuple(
            FillEntry(
                Filled(
                    f"TQCLZ4-{number}", "OQCLZ4-1", "g1", "BTC/EUR", Side.BUY, Ticks(612_345),
                    Sats(123_456), Decimal("75.59"), (("EUR", Decimal("0.0907")),),
                    Ns(START + number), number, True,
                ),
                "b1",
            )
            for number in range(3)
        )  # fmt: skip
        store.commit(entries)
        store.close()
        raw = bytearray(path.read_bytes())
        first = raw.index(b"TQCLZ4-2OQCLZ4-1")
        last = raw.index(b"TQCLZ4-0OQCLZ4-1") + 250
        place = data.draw(st.integers(first, last))
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        try:
            damaged = Store.open(path)
        except LedgerError:
            return
        # What it then says must still be true: the bit was in a place that means nothing.
        faults = damaged.verify()
        fills = damaged.load().last_fills
        damaged.close()
        assert faults or fills == entries


def test_the_sqlite_at_hand_knows_strict_tables() -> None:
    assert sqlite3.sqlite_version_info >= (3, 37)
