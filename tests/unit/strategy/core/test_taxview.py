"""The tax overview: bounded, and right at the edges of the year."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.units import SECOND, Ns, Sats, Side
from strategy.core.taxview import UNLOCKS_SHOWN, ages, earned, unlocks
from strategy.ledger.lots import Lots, Trade

DAY = 86_400 * SECOND
START = 1_735_732_800 * SECOND  # 2025-01-01 12:00 UTC


def trade(number: int, day: int, side: Side, cost: str) -> Trade:
    wall, money = Ns(START + day * DAY + number), Decimal(cost)
    return Trade(
        wall, number, f"X-{number}", "BTC/EUR", side, Sats(10**6), Sats(0), money, Decimal("0.10")
    )


def test_a_year_counts_its_own_sales_free_and_taxable_apart() -> None:
    lots = Lots.of(
        "BTC",
        [
            trade(1, 0, Side.BUY, "800"),
            trade(2, 1, Side.BUY, "800"),
            trade(3, 300, Side.SELL, "900"),
            trade(4, 400, Side.SELL, "1000"),
        ],
    )
    found = earned(lots)
    assert sorted(found) == [2025, 2026]
    assert found[2025]["free"] == 0
    assert found[2025]["taxable"] == Decimal("900") - Decimal("800.10") - Decimal("0.10")
    assert found[2026]["taxable"] == 0
    assert found[2026]["free"] > 199


def test_five_thousand_lots_make_a_short_answer() -> None:
    lots = Lots.of("BTC", [trade(n, n // 10, Side.BUY, "800") for n in range(5000)])
    opened = lots.open_lots()
    today = date(2026, 5, 1)
    found = ages(opened, today)
    assert sum(count for _, count, _ in found) == 5000
    free = unlocks(opened, 4, today)
    assert len(free) == UNLOCKS_SHOWN
    assert free == sorted(free)
    assert free[0][0] > today.isoformat()
