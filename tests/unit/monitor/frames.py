"""Frames as feed and strategy publish them, and a view of them, for the monitor's tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from monitor.around import LotRow, TaxSeen
from monitor.view import View, hear
from shared.frames import (
    Alert,
    Beat,
    Book,
    Fill,
    FillView,
    Instrument,
    PairView,
    SlotView,
    Status,
)
from shared.units import SECOND, Ns, Pair, Sats

BOOT = Ns(1_000 * SECOND)
NOW = Ns(2_000 * SECOND)
WALL = Ns(1_780_000_000 * SECOND)
HEAD = (BOOT, 1, NOW, NOW)

PAIR = Pair("BTC/EUR", "BTC", "EUR", 1, 8, 5, 1, 1, Sats(5000), Decimal("0.5"))

TAX = TaxSeen(
    "EUR", 2026, "812.34", "692.24", "120.10", "1000", "879.90", "0.00", "812.34", "900.00", 5000,
    "12.5", "3.1", "0.1", "0.02", (("0-29", 5000, "12.5"),), (("2027-01-01", "0.1"),),
    (LotRow("2025-01-01", "0.1", "99.00", "EUR", "2026-01-06", 3, False),),
    "800000.00", room_after_resting="333.00",
)  # fmt: skip


def instrument(**changed: Any) -> Instrument:
    return replace(Instrument(*HEAD, PAIR), **changed)


def book(**changed: Any) -> Book:
    frame = Book(*HEAD, "BTC/EUR", True, "", (849_990, 849_980), (1, 2), (850_010,), (3,), Ns(WALL))
    return replace(frame, **changed)


def beat(**changed: Any) -> Beat:
    frame = Beat(*HEAD, "live", "online", 1, 2, 510, 3, 4, 5_000_000, "")
    return replace(frame, **changed)


def fill(number: int = 1, side: str = "buy") -> FillView:
    return FillView(
        f"T{number:05}-AAAAA-BBBBBB",
        f"g0000{number}",
        "BTC/EUR",
        side,
        "84500.0",
        "0.00591716",
        "500.00",
        "0.60000 EUR",
        f"2026-05-28T20:{number:02}:40.123456Z",
    )


def slot(name: str, side: str, state: str, price: str, why: str = "rests in the book") -> SlotView:
    return SlotView(name, "BTC/EUR", side, state, "g00001", price, "0.00588235", "0.00000000", why)


def status(**changed: Any) -> Status:
    pair = PairView(
        "BTC/EUR",
        "84999.0",
        "85001.0",
        "85000.0",
        "84990.5",
        "range_bound",
        0.2,
        True,
        "",
        29.0,
        29.0,
        ("fees: at least 29 bps between rungs",),
        2.5,
        0.001,
    )
    slots = (
        slot("s1", "sell", "live", "85246.5"),
        slot("s2", "sell", "live", "85493.7"),
        slot("b1", "buy", "live", "84753.5"),
        slot("b2", "buy", "empty", "", "cools down for 3 s after a reject"),
        slot("x", "sell", "empty", "", "used by flatten only"),
    )
    frame = Status(
        *HEAD,
        mode="demo",
        phase="trading",
        hold=False,
        pause="ACTIVE_TRADING",
        regime="range_bound",
        pairs=(pair,),
        slots=slots,
        orders=3,
        lost=0,
        foreign_orders=0,
        fills=1,
        last_fills=(fill(),),
        balances=(("BTC", "0.15591716"), ("EUR", "11500.00")),
        ledger_base="0.15591716",
        free_base="0.06000000",
        drift="0.00000000",
        equity="24753.21",
        drawdown_pct=0.0123,
        switch_left_s=47.5,
        rate_used=3.0,
        rate_limit=180.0,
        feed_age_s=0.2,
        line="up",
        system="online",
        maker_pct=0.12,
        taker_pct=0.25,
        waits_for=(),
        counters=(("adds", 12), ("amends", 7), ("rejects", 1)),
        uptime_s=3_723.0,
        tick_us=180.0,
        alerts=(),
    )
    return replace(frame, **changed)


def fill_frame(number: int) -> Fill:
    return Fill(*HEAD, fill(number))


def alert(key: str, text: str = "something", level: str = "warning") -> Alert:
    return Alert(*HEAD, level, key, text)


def after(*frames: Any, now: Ns = NOW, view: View | None = None) -> View:
    """The view that has heard a sound market and these."""
    known = view or View()
    for frame in (instrument(), book(), beat(), *frames):
        known = hear(known, frame, now, WALL)
    return known
