"""Trying [grid], [limits], [fees] and the models of spacing: what rests in the book, and where."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from shared import frames, orders
from shared.config import Config
from shared.control import Advise, Flatten
from shared.frames import VwapWindow
from shared.units import SECOND, Ns, Side
from strategy.core.explain import explain
from strategy.ledger.lots import Lots
from tests.keys.trying import Row, about, exactly, more
from tests.unit.strategy.core.build import BOOT, BTC_EUR, MID
from tests.unit.strategy.core.desk import Desk

EURO: Final = 10
"""Ticks."""


def begun(config: Config) -> Desk:
    desk = Desk(config)
    desk.begin()
    desk.run(1)
    return desk


def prices(desk: Desk, side: Side) -> list[float]:
    """EUR, nearest to the market first."""
    return [order.price / EURO for order in desk.side(side)]


def figures(desk: Desk) -> dict[str, Any]:
    """What `strategy-ctl explain` tells of the stages."""
    told: Any = explain(desk.memory, "idle")[2]["figures"]
    return dict(told["BTC/EUR"])


def buys(config: Config) -> int:
    return len(prices(begun(config), Side.BUY))


def sells(config: Config) -> int:
    return len(prices(begun(config), Side.SELL))


def rungs(config: Config) -> tuple[int, int]:
    return buys(config), sells(config)


def lowest_buy(config: Config) -> float:
    return min(prices(begun(config), Side.BUY), default=0.0)


def highest_sell(config: Config) -> float:
    return max(prices(begun(config), Side.SELL), default=0.0)


def worth(config: Config) -> float:
    """EUR of the nearest buy."""
    order = begun(config).side(Side.BUY)[0]
    return order.price / EURO * order.qty / 1e8


def coins_offered(config: Config) -> float:
    return sum(order.qty for order in begun(config).side(Side.SELL)) / 1e8


def step_bps(config: Config) -> float:
    """Between two neighbouring buys."""
    first, second = prices(begun(config), Side.BUY)[:2]
    return (first / second - 1) * 10_000


def distances(config: Config) -> str:
    """Whether the rungs of a wide ladder stand equally far apart in EUR, or in parts."""
    found = prices(begun(config), Side.SELL)
    gaps = [above - below for below, above in pairwise(found)]
    return "equal" if max(gaps) - min(gaps) < 0.5 else "growing"


def middle(config: Config) -> float:
    """Where the grid hangs: the market stands at 85 000, and the average price is 85 200."""
    desk = Desk(config)
    window = VwapWindow(60, 85_200.0, 1.0, 10)
    desk.mail.append(frames.Vwap(Ns(1), 1, BOOT, BOOT, "BTC/EUR", (window,)))
    desk.run(0.5)
    desk.mail.append(frames.Vwap(Ns(1), 2, BOOT, BOOT, "BTC/EUR", (window,)))
    desk.begin()
    return round(desk.memory.pairs["BTC/EUR"].hung.anchor.price(0) / EURO, 1)


def sold_after_a_fall(config: Config) -> float:
    """The lowest sell, 0.0 for none, after two buys have filled and the market went 3 % lower."""
    desk = begun(config)
    for name in [order.cl_ord_id for order in desk.side(Side.BUY)[:2]]:
        desk.fill(name)
    desk.run(1)
    desk.mid = int(MID * 0.985)
    desk.run(40)
    desk.mid = int(MID * 0.97)
    desk.run(120)
    return min(prices(desk, Side.SELL), default=0.0)


def lean(desk: Desk) -> None:
    """Advice that moves all rungs up by a quarter of a step or more."""
    reply = desk.ask(Advise, verdict="STRONG_BUY", confidence=1.0, bias_bps=0.0)
    assert reply.ok, reply.text


def moved_buys(desk: Desk) -> int:
    """Amends of buys. (What becomes smaller and farther away moves at once, whatever is set.)"""
    amended = [each for each in desk.sent if isinstance(each, orders.AmendOrder)]
    return sum(desk.resting[each.cl_ord_id].side is Side.BUY for each in amended)


def amends_when_leaning(config: Config) -> int:
    desk = begun(config)
    desk.run(60)
    lean(desk)
    desk.run(10)
    return moved_buys(desk)


def seconds_to_the_first_amend(config: Config) -> float:
    desk = begun(config)
    lean(desk)
    since = desk.now
    while not moved_buys(desk):
        desk.run(1)
        assert desk.now - since < 900 * SECOND
    return (desk.now - since) / SECOND


def seconds_to_grow(config: Config) -> float:
    """From when the account leaves room again for a buy of the whole size."""
    desk = Desk(config)
    desk.totals["EUR"] = Decimal(10_000)
    desk.begin()
    desk.run(60)
    small = desk.side(Side.BUY)[0].qty
    desk.totals["EUR"] = Decimal(14_000)
    desk.mail += [orders.Balances(dict(desk.totals)), desk.list_now()]
    since = desk.now
    while desk.side(Side.BUY)[0].qty <= small * 1.2 and desk.now - since < 200 * SECOND:
        desk.run(1)
    return (desk.now - since) / SECOND


def climbs(config: Config) -> float:
    """The highest buy once the market rose by 4 % and there was nothing to sell."""
    desk = Desk(config, Lots("BTC"))
    desk.totals["BTC"] = Decimal(0)
    desk.begin()
    for part in (1.01, 1.02, 1.03, 1.04):
        desk.mid = int(MID * part)
        desk.run(61)
    return max(prices(desk, Side.BUY), default=0.0)


def largest_order(config: Config) -> float:
    """EUR of the largest order of a sale of all that is free of tax."""
    desk = begun(config)
    desk.ask(Flatten, word="flatten")
    desk.run(60)
    sent = [command for command in desk.sent if isinstance(command, orders.AddOrder)]
    return max(order.price / EURO * order.qty / 1e8 for order in sent if order.exit_order)


def halt_after_fills(config: Config) -> str:
    """Two fills within a minute, another two within the hour."""
    desk = begun(config)
    for wait in (1, 1, 90, 1):
        if desk.resting and not desk.memory.halt:
            desk.fill(desk.side(Side.BUY)[0].cl_ord_id)
        desk.run(wait)
    return desk.memory.halt


def halt_after_rejects(config: Config) -> str:
    desk = Desk(config)
    desk.refuses[orders.AddOrder] = orders.Refused(
        "add", "", "EOrder:Insufficient funds", orders.Verdict.NOT_DONE
    )
    desk.begin()
    desk.run(3)
    return desk.memory.halt


def halt_after_a_loss(config: Config) -> str:
    """1 % of the price, about 140 EUR of this account."""
    desk = begun(config)
    desk.mid = int(MID * 0.99)
    desk.run(5)
    return desk.memory.halt


def halts(what: str) -> Any:
    return lambda before, after: what not in before and what in after


def step_without_word_of_fees(config: Config) -> float:
    """The spacing where the exchange tells no rates for a minute."""
    desk = Desk(config)
    desk.line_up = True
    desk.mail += [orders.Pairs((BTC_EUR,)), orders.System("online"), orders.LineUp(())]
    desk.mail.append(orders.Balances(dict(desk.totals)))
    desk.run(70)
    return desk.memory.pairs["BTC/EUR"].spacing_bps


def swing(desk: Desk, seconds: int, parts: tuple[float, ...] = (1.0, 1.01), each: int = 1) -> None:
    """A market that goes to and fro."""
    for second in range(seconds):
        desk.mid = int(MID * parts[second // each % len(parts)])
        desk.run(1)
    desk.mid = MID


def wide_step(config: Config) -> float:
    """The spacing after a market that swung by 1 % each second."""
    desk = begun(config)
    swing(desk, 60)
    return desk.memory.pairs["BTC/EUR"].spacing_bps


def slowly_wide_step(config: Config) -> float:
    """The spacing after a market that swung once in five seconds: a short window sees less."""
    desk = begun(config)
    swing(desk, 61, each=5)
    return desk.memory.pairs["BTC/EUR"].spacing_bps


def quiet_step(config: Config) -> float:
    """The spacing after a market that hardly moved."""
    desk = begun(config)
    swing(desk, 60, (1.0, 1.00005))
    return desk.memory.pairs["BTC/EUR"].spacing_bps


def who_widened(config: Config) -> str:
    desk = begun(config)
    swing(desk, 60)
    return desk.memory.pairs["BTC/EUR"].spacing.who


def seconds_to_narrow(config: Config) -> float:
    desk = begun(config)
    swing(desk, 20)
    wide, since = desk.memory.pairs["BTC/EUR"].spacing_bps, desk.now
    while desk.memory.pairs["BTC/EUR"].spacing_bps >= wide and desk.now - since < 120 * SECOND:
        desk.run(1)
    return (desk.now - since) / SECOND


QUICK: Final = {
    "regime.sample_sec": 1, "regime.adaptive.enabled": False,
    "regime.chaos_volatility_pct": 100.0, "regime.trend_momentum_bps": "9000",
}  # fmt: skip
"""Samples of a second, and a market that is never wild: the models of spacing alone."""

WIDE: Final = QUICK | {"bollinger.max_spacing_bps": "500"}
ATR: Final = QUICK | {"bollinger.enabled": False, "atr.enabled": True}
STOIKOV: Final = QUICK | {"avellaneda_stoikov.enabled": True, "grid.spacing_quantum_bps": "1"}
ADVICE: Final = {"ai_signal.enabled": True, "ai_signal.weight": 1.0}

ROWS: Final = (
    Row("grid.levels", 3, rungs, exactly((5, 5), (3, 3))),
    Row("grid.order_size_quote", "250", worth, about(500, 250)),
    Row("grid.min_spacing_bps", "100", step_bps, about(39, 100)),
    Row("grid.adverse_selection_bps", "30", step_bps, about(39, 59)),
    Row("grid.least_edge_bps", "25", step_bps, about(39, 59)),
    Row("grid.base_reserve", "0.15", coins_offered, lambda b, a: b > 0.025 and 0 < a <= 0.01),
    Row("grid.sell_floor", "none", sold_after_a_fall, lambda b, a: b == 0.0 < a < 84_000),
    Row("grid.requote_tolerance", 0.9, amends_when_leaning, lambda b, a: b > 0 == a, ADVICE),
    Row("grid.requote_age_sec", 60, seconds_to_the_first_amend, about(11, 56, 0.2), ADVICE),
    Row("grid.enlarge_age_sec", 90, seconds_to_grow, lambda b, a: b >= 200 > a),
    Row("grid.anchor", "mid", middle, exactly(85_200.0, 85_000.0)),
    Row("grid.rungs", "arithmetic", distances, exactly("growing", "equal"),
        {"grid.min_spacing_bps": "150"}),
    Row("grid.trailing", "up", climbs, lambda b, a: b < 85_000 < 87_000 < a, QUICK),
    Row("grid.lowest", "84000", lowest_buy, lambda b, a: b < 84_000 <= a),
    Row("grid.highest", "86000", highest_sell, lambda b, a: b > 86_000 >= a > 0),
    Row("grid.taker_leg", True, step_bps, about(39, 52)),
    Row("grid.spacing_quantum_bps", "100", wide_step, lambda b, a: b > 45 and about(39, 39)(a, a),
        QUICK | {"bollinger.max_spacing_bps": "70", "bollinger.window": 2}),
    Row("grid.narrow_after_sec", 30, seconds_to_narrow, lambda b, a: b >= 120 > 60 > a,
        QUICK | {"bollinger.window": 2}),
    Row("limits.order_quote", "600", largest_order, lambda b, a: b > 1_900 and 500 < a <= 600),
    Row("limits.open_orders", 4, lambda c: len(begun(c).resting), exactly(10, 4)),
    Row("limits.collar_pct", 0.01, rungs, exactly((5, 5), (2, 2))),
    Row("limits.fills_per_minute", 1, halt_after_fills, halts("over 1 fills within a minute")),
    Row("limits.fills_per_hour", 3, halt_after_fills, halts("over 3 fills within an hour")),
    Row("limits.rejects_in_a_row", 11, halt_after_rejects,
        lambda b, a: b.startswith("10 orders refused") and not a.startswith("10 orders")),
    Row("limits.daily_loss_quote", "50", halt_after_a_loss, halts("since the day began")),
    Row("limits.btc_max_pct", 0.53, buys, lambda b, a: b == 5 and 0 < a < 5),
    Row("fees.fallback_volume_usd", 1_000_000, step_without_word_of_fees, about(95, 27)),
    Row("bollinger.enabled", False, who_widened, exactly("Bollinger", "the fees' floor"), QUICK),
    Row("bollinger.window", 240, who_widened, exactly("Bollinger", "the fees' floor"), QUICK),
    Row("bollinger.multiplier", 4.0, wide_step, more, WIDE),
    Row("bollinger.spacing_scale", 1.0, wide_step, more, WIDE),
    Row("bollinger.min_spacing_bps", "150", wide_step, lambda b, a: b < 140 < a, QUICK),
    Row("bollinger.max_spacing_bps", "50", wide_step, lambda b, a: b > 60 > a, QUICK),
    Row("atr.enabled", True, who_widened, exactly("the fees' floor", "ATR"),
        QUICK | {"bollinger.enabled": False}),
    Row("atr.window", 240, who_widened, exactly("ATR", "the fees' floor"), ATR),
    Row("atr.multiplier", 3.0, wide_step, more, ATR),
    Row("atr.min_spacing_bps", "150", wide_step, lambda b, a: b < 140 < a, ATR),
    Row("atr.max_spacing_bps", "50", wide_step, lambda b, a: b > 60 > a, ATR | {
        "atr.multiplier": 5.0}),
    Row("avellaneda_stoikov.enabled", True, who_widened,
        exactly("the fees' floor", "Avellaneda-Stoikov"),
        QUICK | {"bollinger.enabled": False, "avellaneda_stoikov.fill_decay": 0.5}),
    Row("avellaneda_stoikov.fill_decay", 1.0, quiet_step, more, STOIKOV),
)  # fmt: skip
