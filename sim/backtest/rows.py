"""One row of market data as a bar or a trade: cells of text to Ticks, Sats and ns."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.units import MINUTE, SECOND, Pair
from sim.backtest.columns import Layout, read_wall, shown

Bar = tuple[int, int, int, int, int, int]
"""wall (ns) at which it begins, open, high, low, close (Ticks), volume (Sats)."""

Deal = tuple[int, int, int, bool]
"""wall (ns), price (Ticks), quantity (Sats), whether the taker bought."""

PRICES_BEGIN: Final = 1_767_225_600 * SECOND  # 2026-01-01, for prices that bear no time
UNUSABLE: Final = (IndexError, ValueError, OverflowError)
"""What reading a row raises that cannot be used."""


class Scales(Struct, frozen=True):
    """Ticks and Sats of one unit."""

    price: float
    qty: float


def scales_of(pair: Pair) -> Scales:
    return Scales(float(10**pair.price_decimals), float(10**pair.qty_decimals))


def read_bar(at: Layout, cells: list[str], scales: Scales, notes: list[str], number: int) -> Bar:
    """number: how many rows came before, for prices without a time. UNUSABLE."""
    if at.time >= 0:
        wall = read_wall(cells[at.time] if at.clock < 0 else at.moment(cells), notes)
    else:
        wall = PRICES_BEGIN + number * MINUTE
    scale = scales.price
    high = low = close = opened = round(float(cells[at.price]) * scale)
    if at.high >= 0:
        high = round(float(cells[at.high]) * scale)
        low = round(float(cells[at.low]) * scale)
        close = round(float(cells[at.close]) * scale)
    qty = round(float(cells[at.qty]) * scales.qty) if at.qty >= 0 else 0
    if not 0 < low < 1 << 53:
        raise ValueError("a price is not above 0, or rounds to 0")
    if not (low <= opened <= high and low <= close <= high):
        raise ValueError("open and close must lie between low and high")
    if qty < 0:
        raise ValueError("the volume is below 0")
    return wall, opened, high, low, close, qty


def read_deal(
    at: Layout, cells: list[str], scales: Scales, notes: list[str], before: tuple[int, bool]
) -> Deal:
    """before: price and side of the trade before, for data that names no side. UNUSABLE."""
    wall = read_wall(at.moment(cells), notes)
    price = round(float(cells[at.price]) * scales.price)
    qty = round(float(cells[at.qty]) * scales.qty)
    if not 0 < price < 1 << 53 or qty < 0:
        raise ValueError("price must be above 0 and the amount not below it")
    if at.maker_buys >= 0:
        return wall, price, qty, cells[at.maker_buys].lower() == "false"
    if at.side >= 0:
        word = cells[at.side].lower()
        if word not in ("buy", "sell", "b", "s"):
            raise ValueError(f"side {shown(word)} is neither buy nor sell")
        return wall, price, qty, word[0] == "b"
    # Without a side: a rise is a buyer's, a fall a seller's, else as before.
    return wall, price, qty, before[1] if price == before[0] else price > before[0]
