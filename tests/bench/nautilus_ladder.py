"""nautilus_trader's engine with a ladder of ten limit orders on each side, for the bench.

ImportError where it is not installed. Its rules are those of the other peer: once the price has
left the anchor by a rung, all orders are cancelled and laid anew around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

from shared.units import MINUTE, Pair
from sim.backtest.data import Bar

_engines: Any = import_module("nautilus_trader.backtest.engine")
_strategies: Any = import_module("nautilus_trader.trading.strategy")
_identifiers: Any = import_module("nautilus_trader.model.identifiers")
_enums: Any = import_module("nautilus_trader.model.enums")
_objects: Any = import_module("nautilus_trader.model.objects")
_currencies: Any = import_module("nautilus_trader.model.currencies")
_data: Any = import_module("nautilus_trader.model.data")
_kit: Any = import_module("nautilus_trader.test_kit.providers")
_config: Any = import_module("nautilus_trader.config")

RUNGS = 10
SIZE = "0.010000"  # the instrument wants 10 USDT at least, at any price of the year


class Ladder(_strategies.Strategy):  # type: ignore[misc]
    """Buys below and sells above an anchor."""

    def __init__(self, instrument: Any, bar_type: Any, step: float) -> None:
        super().__init__()
        self._instrument, self._bar_type, self._step = instrument, bar_type, step
        self._anchor = 0.0
        self._resting: list[Any] = []

    def on_start(self) -> None:
        self.subscribe_bars(self._bar_type)

    def on_bar(self, bar: Any) -> None:
        price = float(bar.close)
        if self._anchor and abs(price / self._anchor - 1) < self._step:
            return
        # One by one: cancel_all_orders looks through all orders there ever were.
        for order in self._resting:
            if order.is_open:
                self.cancel_order(order)
        self._resting.clear()
        self._anchor = price
        for rung in range(1, RUNGS + 1):
            for side, sign in ((_enums.OrderSide.BUY, -1), (_enums.OrderSide.SELL, 1)):
                order = self.order_factory.limit(
                    instrument_id=self._instrument.id,
                    order_side=side,
                    quantity=_objects.Quantity.from_str(SIZE),
                    price=self._instrument.make_price(price * (1 + sign * self._step * rung)),
                    post_only=True,
                )
                self._resting.append(order)
                self.submit_order(order)


def engine(bars: Sequence[Bar], pair: Pair, bps: int) -> Any:
    """An engine with all bars in it, ready to run."""
    quiet = _config.LoggingConfig(bypass_logging=True)
    found = _engines.BacktestEngine(_engines.BacktestEngineConfig(logging=quiet))
    instrument = _kit.TestInstrumentProvider.btcusdt_binance()
    found.add_venue(
        venue=_identifiers.Venue("BINANCE"),
        oms_type=_enums.OmsType.NETTING,
        account_type=_enums.AccountType.CASH,
        starting_balances=[
            _objects.Money(1_000_000, _currencies.USDT), _objects.Money(400, _currencies.BTC),
        ],
    )  # fmt: skip
    found.add_instrument(instrument)
    kind = _data.BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    scale = 10**pair.price_decimals

    def price(ticks: int) -> Any:
        return _objects.Price(Decimal(ticks) / scale, 2)

    found.add_data(
        [
            _data.Bar(
                kind, price(opened), price(high), price(low), price(close),
                _objects.Quantity(max(1, volume) / 1e8, 6), wall + MINUTE, wall + MINUTE,
            )
            for wall, opened, high, low, close, volume in bars
        ]
    )  # fmt: skip
    found.add_strategy(Ladder(instrument, kind, bps / 10_000))
    return found


def fills(ran: Any) -> int:
    """How many orders were filled."""
    return len(ran.cache.orders_closed()) and sum(
        order.status == _enums.OrderStatus.FILLED for order in ran.cache.orders_closed()
    )
