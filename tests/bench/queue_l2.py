"""The queue model beside a recorded book: when would orders that were never sent have filled?

Run as `python tests/bench/queue_l2.py`. Each few seconds of the recording a buy joins the best bid
and a sell the best ask. What the book says of each is the reference: behind the quantity shown
when it arrived, of which trades at its price and, in proportion, cancels take away; filled at the
latest by a trade beyond its price. The simulated exchange's models are held against it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

from msgspec import Struct

from shared import orders
from shared.units import SECOND, Ns, Sats, Side, Ticks
from sim.backtest.parity_market import Asked, Model, simulate
from sim.engine.instruments import LISTINGS
from sim.sources import Hit, Quote, Tick

FILE: Final = (
    Path(__file__).resolve().parents[2].parent
    / "shared/data/market/binance_btcusdt_l2_trades_2024-08-08.gz"
)
PAIR: Final = LISTINGS["BTC/USD"].pair
EACH: Final = 5 * SECOND
HORIZON: Final = 60 * SECOND
QTY: Final = 100_000  # Sats
AHEADS: Final = (0, 50_000_000, 100_000_000, 200_000_000, 400_000_000)


class Told(Struct, frozen=True):
    """One message: the touch with its quantities, or a trade. Prices in cents, quantities Sats."""

    at: int
    bid: int = 0
    bid_qty: int = 0
    ask: int = 0
    ask_qty: int = 0
    price: int = 0
    qty: int = 0
    bought: bool = False


class Order(Struct):
    """A hypothetical order. filled_at: ns after it joined, or None."""

    name: str
    side: Side
    at: int
    price: int
    ahead: float
    shown: int
    filled_at: int | None = None


def read(path: Path) -> Iterator[Told]:
    begin = 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            received, _, text = line.partition(" ")
            message: dict[str, Any] = json.loads(text)
            data, stream = message.get("data", {}), message.get("stream", "")
            begin = begin or int(received)
            at = int(received) - begin
            if stream.endswith("@bookTicker"):
                b, bq, a, aq = (Decimal(data[key]) for key in ("b", "B", "a", "A"))
                yield Told(at, cents(b), sats(bq), cents(a), sats(aq))
            elif stream.endswith("@trade"):
                price, qty = cents(Decimal(data["p"])), sats(Decimal(data["q"]))
                yield Told(at, price=price, qty=qty, bought=not data["m"])


def cents(price: Decimal) -> int:
    return int(price * 100)


def sats(qty: Decimal) -> int:
    return int(qty * 10**8)


def reference(told: Sequence[Told]) -> list[Order]:
    """Every order with the time at which the book says that it was filled."""
    found: list[Order] = []
    resting: list[Order] = []
    due = EACH
    for each in told:
        resting = [o for o in resting if o.filled_at is None and each.at - o.at < HORIZON]
        for order in resting:
            advance(order, each)
        if each.bid and each.at >= due:
            due = each.at + EACH
            for side, price, shown in (
                (Side.BUY, each.bid, each.bid_qty),
                (Side.SELL, each.ask, each.ask_qty),
            ):
                name = f"{side.value}{len(found)}"
                order = Order(name, side, each.at, price, float(shown), shown)
                found.append(order)
                resting.append(order)
    return found


def advance(order: Order, each: Told) -> None:
    """What one message does to an order's place."""
    sign = order.side.sign
    if each.qty:
        beyond = (order.price - each.price) * sign
        if beyond > 0:
            order.filled_at = each.at - order.at
        elif beyond == 0 and each.bought is (sign < 0):
            order.ahead -= each.qty
            order.shown -= each.qty
            if order.ahead < 0:
                order.filled_at = each.at - order.at
        return
    if each.bid:
        price, qty = (each.bid, each.bid_qty) if sign > 0 else (each.ask, each.ask_qty)
        if price == order.price and qty < order.shown and order.shown > 0:
            # Less is shown than trades have left: cancels, in proportion ahead of us.
            order.ahead *= qty / order.shown
        if price == order.price:
            order.shown = qty


def modelled(told: Sequence[Told], wanted: Sequence[Order], ahead: int) -> dict[str, int]:
    """When the simulated exchange fills the same orders, ns after they joined."""
    ticks: list[Tick] = []
    for each in told:
        if each.qty:
            side = "buy" if each.bought else "sell"
            ticks.append(Hit(each.at, side, each.price, each.qty, "market"))
        else:
            ticks.append(Quote(each.at, each.bid, each.ask))
    begin = Ns(1_000 * SECOND)
    asked: list[Asked] = []
    for order in wanted:
        at = Ns(begin + order.at)
        add = orders.AddOrder(
            order.name, PAIR.symbol, order.side, Ticks(order.price), Sats(QTY), Ns(0), False
        )
        asked.append((at, add))
        asked.append((Ns(at + HORIZON), orders.CancelOrder(order.name)))
    asked.sort(key=lambda item: item[0])
    played = simulate(Model(PAIR, 0, ahead, 1_200, 2_500), ticks, begin, asked, [])
    return {
        order.name: played[order.name][-1][0] - begin - order.at
        for order in wanted
        if order.name in played
    }


def main() -> None:
    if not FILE.exists():
        print(f"not measured: {FILE.name} is absent")
        return
    told = list(read(FILE))
    found = reference(told)
    real = {order.name: order.filled_at for order in found if order.filled_at is not None}
    span = told[-1].at / SECOND
    print(f"{len(told):,} messages of {span:.0f} s; {len(found)} orders, each for 60 s at most")
    print(f"{'by the book':34} {len(real):>5} filled, median {_s(list(real.values()))}")
    for ahead in AHEADS:
        sim = modelled(told, found, ahead)
        both = [name for name in real if name in sim]
        apart = [(sim[name] - real[name]) / SECOND for name in both] or [0.0]
        missed, made_up = len(real) - len(both), len(sim) - len(both)
        print(
            f"queue, {ahead / 1e8:.1f} coins ahead {'':14} {len(sim):>5} filled, median "
            f"{_s(list(sim.values()))}; {len(both)} as by the book, {missed} missed, "
            f"{made_up} made up; {median(apart):+.2f} s later"
        )


def _s(times: Sequence[int]) -> str:
    return f"{median(times) / SECOND:.2f} s" if times else "none"


if __name__ == "__main__":
    main()
