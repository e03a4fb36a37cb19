"""What the ledger costs, each figure beside its floor or the naive way, in one run.

Run as `python tests/bench/bench_ledger.py [FOLDER]`; the folder decides which disk is measured.
Ratios can be compared between machines, times cannot.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from shared.orders import Filled
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.ledger.book import keep
from strategy.ledger.desk import Desk, DeskSettings
from strategy.ledger.entries import FillEntry, IntentEntry
from strategy.ledger.events import TaxEvent, of_trade
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Rates
from strategy.ledger.render import schedule_csv, text
from strategy.ledger.report import Made, Settings, build
from strategy.ledger.store import Store
from strategy.ledger.trade import trade_of

START = Ns(1_700_000_000 * SECOND)
COMMITS = 400
SELLS = 400


def fill(number: int, side: Side = Side.BUY, qty: int = 100_000) -> Filled:
    return Filled(
        f"TQCLZ4-AAAAA-{number}", "OQCLZ4-AAAAA-BBBBBB", f"g{number}", "BTC/EUR", side,
        Ticks(400_000), Sats(qty), Decimal("40.12345"), (("EUR", Decimal("0.0481")),),
        Ns(START + number * SECOND), number, True,
    )  # fmt: skip


def quantiles(work: Callable[[int], object], count: int) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    times = []
    for number in range(count):
        begin = time.perf_counter_ns()
        work(number)
        times.append((time.perf_counter_ns() - begin) / 1000)
    times.sort()
    return times[count // 2], times[count * 99 // 100]


def show(name: str, ours: tuple[float, float], floor: tuple[float, float], what: str) -> None:
    print(
        f"{name:34} p50 {ours[0]:9.1f} us  p99 {ours[1]:9.1f} us   "
        f"{ours[0] / floor[0]:8.4f} x {what} (p50 {floor[0]:.1f} us)"
    )


def bench_commits(folder: Path) -> None:
    store = Store.open(folder / "ledger.db")
    wal = folder / "ledger.db-wal"
    before = wal.stat().st_size if wal.exists() else 0
    store.commit([FillEntry(fill(0))])
    size = max(4096, wal.stat().st_size - before)
    descriptor = os.open(folder / "floor", os.O_RDWR | os.O_CREAT)
    payload = bytes(size)

    def bare(_: int) -> None:
        os.write(descriptor, payload)
        os.fdatasync(descriptor)

    def one_fill(number: int) -> None:
        store.commit([FillEntry(fill(number + 1), "b1")])

    def four_intents(number: int) -> None:
        store.commit(
            [
                IntentEntry(
                    f"i{number}-{each}", "b1", "BTC/EUR", Side.BUY, Ticks(1), Sats(1), START, START
                )
                for each in range(4)
            ]
        )

    floor = quantiles(bare, COMMITS)
    what = f"write + fdatasync of {size} bytes"
    show("commit of a fill", quantiles(one_fill, COMMITS), floor, what)
    show("commit of four intents", quantiles(four_intents, COMMITS), floor, what)
    os.close(descriptor)
    store.close()


def bench_fifo(count: int) -> None:
    lots = Lots()
    naive = []
    for number in range(count):
        lots.book(fill(number))
        naive.append([number, 100_000])
    for number in range(count // 2):
        lots.book(fill(count + number, Side.SELL))
        naive[number][1] = 0
    first = count + count // 2

    def ours(number: int) -> None:
        lots.book(fill(first + number, Side.SELL, 60_000))

    def scan(_: int) -> None:
        wanted = 60_000
        for lot in sorted((lot for lot in naive if lot[1] > 0), key=lambda each: each[0]):
            taken = min(lot[1], wanted)
            lot[1] -= taken
            wanted -= taken
            if not wanted:
                break

    show(
        f"FIFO sell, {count} lots, half sold",
        quantiles(ours, SELLS),
        quantiles(scan, min(SELLS, 4_000_000 // count)),
        "scan and sort",
    )
    now = Ns(START + 400 * 86_400 * SECOND)
    lots.free_prefix(now, 4)
    asked, _ = quantiles(lambda _: lots.free_prefix(now, 4), 1000)
    late = quantiles(lambda number: lots.book(late_fill(first, number)), 50)
    print(f"{'':34} free_prefix p50 {asked:.1f} us, a fill 20 trades late p50 {late[0]:.1f} us")


def late_fill(first: int, number: int) -> Filled:
    moment = Ns(START + (first + SELLS - 20) * SECOND + number)
    return Filled(
        f"late{number}", "O", "", "BTC/EUR", Side.BUY, Ticks(1), Sats(100), Decimal(1), (),
        moment, number, True,
    )  # fmt: skip


def bench_start(folder: Path, count: int) -> None:
    store = Store.open(folder / "long.db")
    for begin in range(0, count, 1000):
        store.commit([FillEntry(fill(number)) for number in range(begin, begin + 1000)])
    store.close()
    begin_ns = time.perf_counter_ns()
    store = Store.open(folder / "long.db")
    store.load()
    print(f"open and check {count} fills: {(time.perf_counter_ns() - begin_ns) / 1e9:.2f} s")
    store.close()


def bench_desk(count: int) -> None:
    """The gate's desk with so many lots: a sale heard, and what may be sold asked anew."""
    trades = (trade_of(fill(number, Side.BUY, 100_000)) for number in range(count))
    desk = Desk((each for each in trades if each), Rates(), DeskSettings("BTC"))
    wall = Ns(START + 2000 * 86_400 * SECOND)
    begin = time.perf_counter_ns()
    desk.gate(wall, 10**9)
    built = (time.perf_counter_ns() - begin) / 1e9
    took = []
    for number in range(2_000):
        trade = trade_of(fill(count + number, Side.SELL, 90_000))
        assert trade is not None
        event = of_trade(trade)
        begin = time.perf_counter_ns()
        desk.hear(event)
        desk.free(wall)
        desk.gate(wall, 10**9)
        took.append((time.perf_counter_ns() - begin) / 1000)
    viewed, _ = quantiles(lambda _: (desk.days(), desk.oldest(60), desk.cost()), 20)
    print(
        f"desk of {count:>9,} lots: built in {built:.1f} s, a sale heard and the gate asked "
        f"p50 {statistics.median(took):.1f} us, what a view asks {viewed / 1000:.2f} ms"
    )


def bench_report(disposals: int) -> None:
    """A year with as many sales as said, each with a purchase before it."""
    trades = [
        fill(number, Side.SELL if number % 2 else Side.BUY, 100_000 - 10 * (number % 2))
        for number in range(2 * disposals)
    ]
    events: list[TaxEvent] = [of_trade(trade) for each in trades if (trade := trade_of(each))]
    begin_ns = time.perf_counter_ns()
    book = keep(events, Rates())
    booked_ns = time.perf_counter_ns()
    settings = Settings({}, {}, (), "separate", Decimal("0.42"), 4, False)
    made = Made(Ns(START + 2000 * 86_400 * SECOND), "bench", "", "", "", (), ())
    report = build(2023, book, events, settings, made)
    built_ns = time.perf_counter_ns()
    size = len(schedule_csv(report)) + len(text(report, "de"))
    print(
        f"report of {len(report.schedule)} parts: book {(booked_ns - begin_ns) / 1e9:.2f} s, "
        f"report {(built_ns - booked_ns) / 1e9:.2f} s, "
        f"{size:,} characters {(time.perf_counter_ns() - built_ns) / 1e9:.2f} s"
    )


def main() -> None:
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        bench_commits(Path(name))
        for count in (10_000, 100_000, 1_000_000):
            bench_fifo(count)
            bench_desk(count)
        bench_start(Path(name), 20_000)
    bench_report(100_000)


if __name__ == "__main__":
    main()
