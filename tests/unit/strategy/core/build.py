"""Values for the tests of the core: one small account in one quiet market."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shared import frames
from shared.config import ROOT, Config, check
from shared.orders import Filled
from shared.units import DAY, SECOND, Ns, Pair, Sats, Side, Ticks, cost_of
from strategy.core.decide import Rules, decide, unsettled
from strategy.core.market import Freshness, View
from strategy.core.memory import Memory, Start
from strategy.core.plan import Plan
from strategy.core.slots import Intent, Slot, State, Wish
from strategy.ledger.lots import Lots

BOOT = Ns(1_000 * SECOND)
WALL = Ns(1_790_000_000 * SECOND)  # September 2026
STAMP = "t5qkow0"
MID = 850_000  # Ticks: 85 000.0 EUR
MAKER = Decimal("0.0012")
STEP = 0.0039  # two maker fees, adverse selection and the least edge

BTC_EUR = Pair(
    symbol="BTC/EUR",
    base="BTC",
    quote="EUR",
    price_decimals=1,
    qty_decimals=8,
    cost_decimals=5,
    price_step=1,
    qty_step=1,
    qty_min=Sats(5_000),
    cost_min=Decimal("0.5"),
)


# What the numbers in these tests rest on, whatever the defaults are by then.
PINNED: dict[str, dict[str, Any]] = {
    "grid": {
        "levels": 5,
        "order_size_quote": "500",
        "min_spacing_bps": "20",
        "adverse_selection_bps": "10",
        "least_edge_bps": "5",
        "requote_tolerance": 0.15,
        "requote_age_sec": 15,
        "enlarge_age_sec": 3600,
        "narrow_after_sec": 3600,
        "anchor": "vwap",
    },
    "limits": {
        "order_quote": "2000",
        "open_orders": 40,
        "collar_pct": 0.10,
        "fills_per_minute": 20,
        "rejects_in_a_row": 10,
    },
    "risk": {
        "max_portfolio_drawdown_pct": 0.15,
        "emergency_drawdown_pct": 0.20,
        "price_velocity_freeze_pct": 0.03,
        "price_velocity_cooldown_sec": 30,
    },
    "regime": {
        "half_life_sec": 600,
        "least_dwell_sec": 300,
        "chaos_volatility_pct": 4.0,
        "trend_momentum_bps": "60",
        "sample_sec": 60,
        "range_bound": {
            "btc_target_pct": 0.5,
            "btc_max_pct": 0.8,
            "btc_min_pct": 0.2,
            "grid_levels": 5,
            "order_size_scale": 1.0,
        },
    },
    "tax": {"pace_days": 0, "annual_exemption_eur": "0"},  # only free coins, as fast as they go
    "ws": {"cancel_after_timeout_sec": 60, "heartbeat_interval_sec": 20},
    "rate_limit": {"max_counter": 180, "decay_rate": 3.75, "headroom_pct": 0.8},
    "time": {
        "ack_sec": 5,
        "deadline_sec": 4,
        "feed_stale_sec": 3,
        "feed_cancel_sec": 10,
        "feed_recover_sec": 2,
        "drain_sec": 20,
        "list_sec": 30,
    },
}


def make_config(**sections: dict[str, Any]) -> Config:
    """The defaults, with some keys of some sections changed."""
    with (ROOT / "config" / "default.toml").open("rb") as file:
        raw = tomllib.load(file)
    for layer in (PINNED, sections):
        _merge(raw, layer)
    return check(raw)


def _merge(into: dict[str, Any], layer: dict[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, dict):
            _merge(into[key], value)
        else:
            into[key] = value


CONFIG = make_config()


def make_fill(
    exec_id: str,
    side: Side,
    price: int,
    qty: int,
    *,
    wall: int = WALL,
    cl_ord_id: str = "",
    trade_id: int = 1,
    pair: str = "BTC/EUR",
) -> Filled:
    cost = cost_of(BTC_EUR, price, qty)
    return Filled(
        exec_id=exec_id,
        order_id=f"O-{cl_ord_id or exec_id}",
        cl_ord_id=cl_ord_id,
        pair=pair,
        side=side,
        price=Ticks(price),
        qty=Sats(qty),
        cost=cost,
        fees=(("EUR", cost * MAKER),),
        wall=Ns(wall),
        trade_id=trade_id,
        maker=True,
    )


def old_lots(btc: str = "0.16", days: int = 400) -> Lots:
    """One purchase that is free of tax since long, or is not (`days` ago)."""
    lots = Lots("BTC")
    sats = int(Decimal(btc).scaleb(8))
    if sats:
        lots.book(make_fill("T-old", Side.BUY, MID, sats, wall=WALL - days * DAY))
    return lots


def make_book(
    now: int, mid: int = MID, *, boot: int = 1, seq: int = 1, valid: bool = True, age: int = 0
) -> frames.Book:
    heard = Ns(now - age)
    bids, asks, qtys = ((mid - 5,), (mid + 5,), (10**8,)) if valid else ((), (), ())
    why = "" if valid else "checksum"
    return frames.Book(
        Ns(boot), seq, heard, heard, "BTC/EUR", valid, why, bids, qtys, asks, qtys, Ns(0)
    )


def make_view(
    mid: float = MID, *, freshness: Freshness = Freshness.FRESH, move: float = 0.0, vwap: float = 0
) -> View:
    bid, ask = Ticks(int(mid) - 5), Ticks(int(mid) + 5)
    return View(BTC_EUR, freshness, Ns(0), bid, ask, mid, vwap, move, "")


def make_memory(
    config: Config = CONFIG, *, lots: Lots | None = None, facts: dict[str, str] | None = None
) -> Memory:
    return Memory(config, Start(BOOT, WALL, STAMP, facts=facts or {}), lots or old_lots())


def make_plan(**changes: Any) -> Plan:
    """Five rungs of 500 EUR on each side, with funds for all of them."""
    values: dict[str, Any] = {
        "buy_levels": 5,
        "sell_levels": 5,
        "buy_most": 5,
        "sell_most": 5,
        "spacing": STEP,
        "notional": 500 * 10**9,
        "buy_units": 14_000 * 10**9,
        "sell_sats": 16_000_000,
    }
    return Plan(**(values | changes))


def make_slot(name: str, state: State = State.EMPTY, **fields: Any) -> Slot:
    side = Side.BUY if name.startswith("b") else Side.SELL
    if state is not State.EMPTY:
        fields = {"cl_ord_id": f"g{STAMP}0{side.value[0]}{name}", "qty": Sats(588_000)} | fields
    return Slot(name, "BTC/EUR", side, state, **fields)


def rung(k: float, base: float = MID, step: float = STEP) -> float:
    """Where a rung, or a place between two, stands in Ticks."""
    return float(base * (1.0 + step) ** k)


def asked(slots: Sequence[Slot], wishes: Sequence[Wish], now: Ns, rules: Rules) -> list[Intent]:
    """Stage 10 for one side: matched by price, then decided."""
    held = [slot for slot in slots if slot.state is not State.EMPTY]
    return decide(unsettled(held, wishes, now, rules.enlarge_age), slots, now, rules)
