"""How much of the account may be coins: limits per regime as budgets of the two sides.

Worst case: all resting buys fill, or all resting sells. A target never sells by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from shared.settings_trade import RegimeValues
from strategy.core.market import View
from strategy.core.plan import Plan, Why


class Rooms(Struct, frozen=True):
    """What may still be bought (units) and sold (Sats).

    With a rising mid `buy` and `sell_cap` never grow, `sell` and `buy_cap` never shrink.
    """

    buy: int
    sell: int
    buy_cap: int
    sell_cap: int


def confine(
    plan: Plan,
    view: View,
    account: tuple[int, int],
    cap_pct: float,
    values: RegimeValues,
) -> Plan:
    """Budgets within the regime's least and largest BTC share, and within one step's cap.

    account: coins in Sats and all money in units (Ticks x Sats), holds included.
    cap_pct: what all resting orders of one side together may move, of the equity.
    """
    base, quote = account
    if base * view.mid + quote <= 0:
        return plan.budgeted("nothing in the account", buy_units=0, sell_sats=0)
    room = rooms(view.mid, account, cap_pct, values)
    buys, sells, whys = plan.buy_units, plan.sell_sats, list[Why]()
    if room.buy < buys:
        buys = room.buy
        whys.append(lambda: f"coins at most {values.btc_max_pct:.0%} of the account")
    if room.sell < sells:
        sells = room.sell
        whys.append(lambda: f"coins at least {values.btc_min_pct:.0%} of the account")
    if room.buy_cap < buys or room.sell_cap < sells:
        buys, sells = min(buys, room.buy_cap), min(sells, room.sell_cap)
        whys.append(lambda: f"at most {cap_pct:.0%} of the account at a time")
    return plan.within(buys, sells, whys)


def rooms(mid: float, account: tuple[int, int], cap_pct: float, values: RegimeValues) -> Rooms:
    """What the account leaves at this mid; its equity must be above 0."""
    base, quote = account
    held = base * mid
    equity = held + quote
    return Rooms(
        buy=max(0, int(values.btc_max_pct * equity - held)),
        sell=max(0, int(base - values.btc_min_pct * equity / mid)),
        buy_cap=int(cap_pct * equity),
        sell_cap=int(cap_pct * equity / mid),
    )


def buys_at(
    units: int, account: tuple[int, int], cap_pct: float, values: RegimeValues
) -> Iterator[float]:
    """The mids at which `rooms` leaves just so much to be bought."""
    base, quote = account
    if base > 0 and values.btc_max_pct < 1.0:
        yield (values.btc_max_pct * quote - units) / (base * (1.0 - values.btc_max_pct))
    if base > 0 and cap_pct > 0.0:
        yield (units / cap_pct - quote) / base


def sells_at(
    sats: int, account: tuple[int, int], cap_pct: float, values: RegimeValues
) -> Iterator[float]:
    """The mids at which `rooms` leaves just so much to be sold."""
    base, quote = account
    kept, over = base * (1.0 - values.btc_min_pct) - sats, sats - cap_pct * base
    if kept > 0:
        yield values.btc_min_pct * quote / kept
    if over > 0:
        yield cap_pct * quote / over


def share(base: int, quote: int, mid: float) -> float:
    """The coins' part of the account at this mid, 0 to 1."""
    held = base * mid
    return held / (held + quote) if held + quote > 0 else 0.0
