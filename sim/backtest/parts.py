"""What a backtest's house is made of: its terms, its background, its adapted configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from shared import orders
from shared.config import Config
from shared.units import DAY, MILLISECOND, SECOND, Ns, Sats, Side, Ticks
from sim.engine.values import Order, Request
from sim.sources import Hit, Quote, Tick

Fill = Literal["touch", "through", "queue"]
Path = Literal["low_first", "high_first"]
PATHS: Final[tuple[Path, Path]] = ("low_first", "high_first")

_NEVER: Final = 1_000_000_000.0  # seconds


Point = tuple[int, int, int, bool, int]
"""House time, price (Ticks), best bid after it, whether the taker bought, quantity (0 = a bar's).
"""


class Terms(Struct, frozen=True):
    """What a backtest assumes. maker, taker: rates in 10⁻⁶ of the cost, or None: Kraken's tiers by
    the account's own volume. ahead: Sats before us in the queue when our order arrives.
    resume_after: how long after a halt the operator resumes."""

    fill: Fill = "through"
    latency: Ns = Ns(50 * MILLISECOND)
    maker: int | None = None
    taker: int | None = None
    ahead: int = 0
    resume_after: Ns = DAY


class Still:
    """The background of a backtest: the touch, and who stands before us.

    A second level shows where an order of ours stands at the touch of the other side and hides it:
    the book is never without a side.
    """

    def __init__(self, bid: int, ask: int, qty: int, ahead: int) -> None:
        self.bid, self.ask = bid, ask
        self._qty, self._ahead = qty, ahead

    def move(self, bid: int, ask: int) -> bool:
        changed = (bid, ask) != (self.bid, self.ask)
        self.bid, self.ask = bid, ask
        return changed

    def qty_at(self, side: str, price: int) -> int:
        return self._ahead

    def bids(self) -> Iterator[tuple[int, int]]:
        yield self.bid, self._qty
        yield self.bid - 1, self._qty

    def asks(self) -> Iterator[tuple[int, int]]:
        yield self.ask, self._qty
        yield self.ask + 1, self._qty

    def hit(self, taker: str, qty: int) -> None:
        """The next quote says what became of the touch."""

    def take(self, taker: str, price: int, qty: int) -> None:
        """An order of ours that takes is small beside the market."""

    def poke(self) -> None:
        """Nothing is made up here."""


class Uncounted:
    """In place of candles: nobody looks at those of a backtest."""

    def add(self, wall: int, price: int, qty: int) -> None:
        """One trade."""


class Told:
    """A source (sim/sources.py) that is told its ticks one by one."""

    def __init__(self, touch: Quote) -> None:
        self._touch = touch
        self._ticks: list[Tick] = []

    def tell(self, *ticks: Tick) -> None:
        self._ticks += ticks

    def seek(self, position: int) -> None:
        """Begins where it is told to."""

    def next_at(self) -> int | None:
        return self._ticks[0].at if self._ticks else None

    def until(self, position: int) -> Iterator[Tick]:
        ticks, self._ticks = self._ticks, []
        return iter(ticks)

    def opening(self) -> Quote:
        return self._touch

    def history(self, seconds: int) -> Iterator[Hit]:
        return iter(())


def adapted(config: Config, interval: int) -> Config:
    """The configuration for data of this grain.

    Bars say nothing about seconds: there the house ticks when a price comes, takes a silent feed
    for a quiet market, and samples no finer than a bar.
    """
    if not interval:
        return config
    seconds = interval / SECOND
    regime = config.regime
    if regime.sample_sec < seconds:
        regime = replace(
            regime, sample_sec=seconds, half_life_sec=max(regime.half_life_sec, 10 * seconds)
        )
    return replace(
        config,
        regime=regime,
        time=replace(
            config.time, tick_sec=max(seconds, config.time.tick_sec), feed_stale_sec=_NEVER,
            feed_cancel_sec=_NEVER, list_sec=_NEVER, feed_recover_sec=0.001,
        ),
        ws=replace(
            config.ws, cancel_after_timeout_sec=int(_NEVER), heartbeat_interval_sec=int(_NEVER)
        ),
    )  # fmt: skip


def resting(order: Order) -> orders.RestingOrder:
    return orders.RestingOrder(
        order.order_id, order.cl_ord_id, order.pair, Side(order.side), Ticks(order.price),
        Sats(order.qty), Sats(order.filled),
    )  # fmt: skip


def request_of(add: orders.AddOrder) -> Request:
    return Request(
        add.pair, add.side.value, "limit", add.price, add.qty,
        tif="ioc" if add.exit_order else "gtc", post_only=not add.exit_order,
        cl_ord_id=add.cl_ord_id, deadline_wall=add.deadline,
    )  # fmt: skip
