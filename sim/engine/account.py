"""The account's money: balances, holds, ledger and fees. Exact ints throughout.

Rule 1: what comes in or goes out of a balance is a ledger row; a balance is the sum of its rows.
Rule 2: a resting order holds what its fill may cost at the most, the fee included; what is
available is the balance less all holds, and is never below zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import DAY, Ns, Pair
from sim.engine.instruments import ASSETS, power, round_half_up, round_up
from sim.engine.values import FEES, LedgerRow, Order, Switches, Trade, mint_id

_RATE_DECIMALS: Final = 6  # fee rates are counts of 10⁻⁶
_WINDOW: Final = 30 * DAY


class FeeTier(Struct, frozen=True):
    """What the account pays now. Rates in 10⁻⁶ of the cost, volumes in whole dollars."""

    maker: int
    taker: int
    volume_from: int
    next_volume: int | None  # None at the top
    next_maker: int
    next_taker: int


def _rung(place: int) -> FeeTier:
    """One line of Kraken's list, with what the next one offers."""
    least, maker, taker = FEES[place]
    if place + 1 == len(FEES):
        return FeeTier(maker, taker, least, None, maker, taker)
    return FeeTier(maker, taker, least, *FEES[place + 1])


_LIST: Final = tuple(map(_rung, range(len(FEES))))
_LEAST: Final = tuple(tier.volume_from for tier in _LIST)


class Account:
    """Balances and the ledger of one account, and the fee tier that its volume earns."""

    def __init__(self, switches: Switches, maker: int, taker: int) -> None:
        self._switches = switches
        self._fixed = _fixed_at(maker, taker)
        self._base_volume = next((v for v, m, t in FEES if (m, t) == (maker, taker)), None)
        self._recent: deque[tuple[Ns, int]] = deque()  # wall and dollars of the last 30 days
        self._own_volume = 0
        self.balances: dict[str, int] = {}
        self.holds: dict[str, int] = {}
        self.ledger: list[LedgerRow] = []
        self._let_go = 0  # rows that were in it before
        self.new_rows: list[LedgerRow] = []
        self.dirty: dict[str, None] = {}  # assets whose balance changed since it was last saved

    def available(self, asset: str) -> int:
        """Ledger units that no order holds."""
        return self.balances.get(asset, 0) - self.holds.get(asset, 0)

    def volume(self, wall: Ns) -> int:
        """30-day volume in whole dollars (euros are taken for dollars)."""
        recent = self._recent
        while recent and wall - recent[0][0] >= _WINDOW:
            self._own_volume -= recent.popleft()[1]
        return (self._base_volume or 0) + self._own_volume

    def tier(self, wall: Ns) -> FeeTier:
        """The fee tier in force; one that is not on Kraken's list stays as configured."""
        if self._base_volume is None:
            return self._fixed
        return _LIST[bisect_right(_LEAST, self.volume(wall)) - 1]

    def fix_rates(self, maker: int, taker: int) -> None:
        """Another fee tier from now on, whatever was traded; rates in 10⁻⁶."""
        self._fixed, self._base_volume = _fixed_at(maker, taker), None

    def needed(self, pair: Pair, side: str, price: int, qty: int, rate: int) -> tuple[str, int]:
        """The asset and the ledger units that so many Sats may cost at this price."""
        if side == "sell":
            return pair.base, _base_units(pair, qty)
        cost, drop = price * qty, _drop(pair)
        return pair.quote, round_up(cost, drop) + round_up(cost * rate, drop + _RATE_DECIMALS)

    def hold(self, pair: Pair, order: Order, units: int) -> None:
        """Replace what an order holds."""
        asset = pair.quote if order.side == "buy" else pair.base
        self.holds[asset] = self.holds.get(asset, 0) + units - order.hold
        order.hold = units
        assert self.holds[asset] >= 0, (asset, self.holds[asset])

    def reserve(self, asset: str, units: int) -> None:
        """Hold more of an asset, or less, for what is no order."""
        self.holds[asset] = self.holds.get(asset, 0) + units

    def fee(self, pair: Pair, cost: int, rate: int) -> int:
        """The fee of one fill in ledger units of the quote currency."""
        exact = cost * rate
        drop = _drop(pair) + _RATE_DECIMALS
        match self._switches.fee_rounding:
            case "half_up":
                return round_half_up(exact, drop)
            case "down":
                return exact // power(drop)
            case "up":
                return round_up(exact, drop)

    def settle(self, pair: Pair, trade: Trade, hold_after: int, order: Order) -> Trade:
        """Book a fill: two ledger rows, the hold lowered; the trade as it was booked.

        Rounding each part of a large order may ask for a unit more than its hold; the last fee
        gives way then, so that nothing is ever spent twice.
        """
        amount = round_half_up(trade.cost, _drop(pair))
        base = _base_units(pair, trade.qty)
        self.hold(pair, order, hold_after)
        fee = trade.fee
        if trade.side == "buy":
            fee = max(0, min(fee, self.available(pair.quote) - amount))
        sign = 1 if trade.side == "buy" else -1
        coins = self.post(trade.exec_id, trade.wall, "trade", pair.base, sign * base, 0)
        money = self.post(trade.exec_id, trade.wall, "trade", pair.quote, -sign * amount, fee)
        self.count_volume(pair, trade)
        return replace(trade, fee=fee, ledgers=(coins.ledger_id, money.ledger_id))

    def count_volume(self, pair: Pair, trade: Trade) -> None:
        """Let a fill count for the fee tier."""
        dollars = trade.cost // power(pair.price_decimals + pair.qty_decimals)
        self.volume(trade.wall)  # what is older than the window leaves, whether asked for or not
        self._recent.append((trade.wall, dollars))
        self._own_volume += dollars

    def post(
        self, ref_id: str, wall: Ns, kind: str, asset: str, amount: int, fee: int
    ) -> LedgerRow:
        """One ledger row; the balance follows it."""
        balance = self.balances.get(asset, 0) + amount - fee
        assert balance >= 0, (asset, balance)
        self.balances[asset] = balance
        name = mint_id("L", self._let_go + len(self.ledger) + 1)
        row = LedgerRow(name, ref_id, wall, kind, asset, amount, fee, balance)
        self.ledger.append(row)
        self.new_rows.append(row)
        self.dirty[asset] = None
        return row

    def let_go(self) -> None:
        """Keep no row of the ledger but those to come: nobody will ask for it."""
        self._let_go += len(self.ledger)
        self.ledger.clear()


def _fixed_at(maker: int, taker: int) -> FeeTier:
    """What does not depend on what is traded."""
    return FeeTier(maker, taker, 0, None, maker, taker)


def _drop(pair: Pair) -> int:
    """How many decimals an exact cost has more than the ledger of the quote currency."""
    return pair.price_decimals + pair.qty_decimals - ASSETS[pair.quote].decimals


def _base_units(pair: Pair, sats: int) -> int:
    return sats * power(ASSETS[pair.base].decimals - pair.qty_decimals)
