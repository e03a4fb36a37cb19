"""Trying what bounds and times the strategy: risk, leaning, hedge, switch, limiter, clock.

Each row steps the core itself; what is looked at is what it sends, or what it tells people.
"""

from __future__ import annotations

from typing import Any, Final

from shared import frames, orders
from shared.config import Config
from shared.control import Advise
from shared.units import SECOND, Ns
from strategy.core.out import StopAsked
from strategy.core.slots import State
from tests.keys.grid_rows import QUICK, begun, figures, rungs, swing
from tests.keys.trying import Row, about, exactly, less, more
from tests.unit.strategy.core.build import BOOT, MID
from tests.unit.strategy.core.desk import Desk

PAIR: Final = "BTC/EUR"
WAITS: Final = 300


def fallen(config: Config, part: float) -> Desk:
    """A desk whose market has fallen to a part of what it was; half of the account is coins."""
    desk = begun(config)
    desk.mid = int(MID * part)
    desk.run(3)
    return desk


def pause_below(part: float) -> Any:
    return lambda config: fallen(config, part).memory.pause.value


RISK: Final = {
    "risk.price_velocity_freeze_pct": 0.99, "limits.daily_loss_quote": "100000",
    "regime.chaos_volatility_pct": 100.0,
}  # fmt: skip
"""A fall freezes nothing and halts nothing: the drawdown alone is looked at."""

TWELVE_DOWN, FORTY_DOWN, QUARTER_DOWN = (pause_below(part) for part in (0.88, 0.63, 0.76))


def breaker(config: Config) -> str:
    """After a move of 2 % at once."""
    desk = begun(config)
    desk.mid = int(MID * 0.98)
    desk.run(1)
    return " ".join(desk.memory.pairs[PAIR].permit.why)


def thaw(config: Config) -> float:
    """Seconds that the grid is frozen after a move of 4 %."""
    desk = begun(config)
    desk.mid = int(MID * 0.96)
    desk.run(1)
    since = desk.now
    assert desk.memory.pairs[PAIR].breaker.frozen
    while desk.memory.pairs[PAIR].breaker.frozen:
        desk.run(1)
        assert desk.now - since < WAITS * SECOND
    return (desk.now - since) / SECOND


# Leaning.

OPEN: Final = {"ai_signal.enabled": True}


def leans(config: Config) -> float:
    """What all rungs are wanted to move by, bps, on an advice as strong as can be."""
    desk = begun(config)
    desk.ask(Advise, verdict="STRONG_BUY", confidence=1.0, bias_bps=0.0)
    plan = desk.memory.pairs[PAIR].plan
    assert plan is not None
    return plan.lean_bps


def given_bps(config: Config) -> float:
    desk = begun(config)
    desk.ask(Advise, verdict="STRONG_BUY", confidence=1.0, bias_bps=0.0)
    return float(figures(desk)["advice_given_bps"])


def left_of_it(config: Config) -> float:
    """What an advice still leans by after two minutes, bps."""
    desk = begun(config)
    desk.ask(Advise, verdict="STRONG_BUY", confidence=1.0, bias_bps=0.0)
    desk.run(120)
    return float(figures(desk)["advice_bps"])


def is_heard(config: Config) -> bool:
    desk = begun(config)
    return bool(desk.ask(Advise, verdict="BUY", confidence=1.0, bias_bps=0.0).ok)


def heavy(desk: Desk, seconds: int, bids: tuple[int, ...], asks: tuple[int, ...]) -> None:
    """Books with these quantities on their levels."""
    desk.feeding = False
    for number in range(seconds * 2):
        levels = range(len(bids))
        book = frames.Book(
            BOOT, 1_000 + number, desk.now, desk.now, PAIR, True, "",
            tuple(MID - 5 - n for n in levels), bids, tuple(MID + 5 + n for n in levels), asks,
            Ns(0),
        )  # fmt: skip
        desk.run(0.5, book)


DEEP: Final = ((10**8, 5 * 10**8, 5 * 10**8), (10**8, 10**8, 10**8))
"""Even at the touch, heavy with bids behind it."""


def imbalance(config: Config) -> float:
    desk = Desk(config)
    desk.feed_boot = int(BOOT)
    desk.begin()
    heavy(desk, 10, *DEEP)
    return float(figures(desk)["imbalance"])


def leans_with_the_book(config: Config) -> float:
    """bps, with a book that is all bids."""
    desk = Desk(config)
    desk.feed_boot = int(BOOT)
    desk.begin()
    heavy(desk, 60, (10**10,), (1,))
    plan = desk.memory.pairs[PAIR].plan
    assert plan is not None
    return plan.lean_bps


def leans_with_coins(config: Config) -> float:
    """bps, of Avellaneda-Stoikov in a lively market with too many coins."""
    desk = begun(config)
    swing(desk, 30, (1.0, 1.0005))
    plan = desk.memory.pairs[PAIR].plan
    assert plan is not None
    return abs(plan.lean_bps)


def stoikov_step(config: Config) -> float:
    desk = begun(config)
    swing(desk, 60, (1.0, 1.0005))
    return desk.memory.pairs[PAIR].spacing_bps


STOIKOV: Final = QUICK | {"avellaneda_stoikov.enabled": True, "regime.range_bound.btc_target_pct":
                          0.40, "grid.spacing_quantum_bps": "1"}  # fmt: skip

# Hedge.


def hedged(config: Config) -> tuple[float, float]:
    """(buys, sells) as parts of their size, in a drawdown of 13.8 %."""
    plan = fallen(config, 0.72).memory.pairs[PAIR].plan
    assert plan is not None
    return plan.buy_scale, plan.sell_scale


def hedged_early(config: Config) -> float:
    """Buys as a part of their size, in a drawdown of 11.8 %."""
    plan = fallen(config, 0.76).memory.pairs[PAIR].plan
    assert plan is not None
    return plan.buy_scale


HEDGED: Final = RISK | {"hedge.enabled": True}

# The switch, the limiter, the clock.


def switch_s(config: Config) -> int:
    armed = [each for each in begun(config).sent if isinstance(each, orders.ArmDeadman)]
    return armed[0].timeout_s


def armed_each(config: Config) -> int:
    """How often the switch is armed in two minutes."""
    desk = begun(config)
    count = len(desk.sent)
    desk.run(120)
    return sum(isinstance(each, orders.ArmDeadman) for each in desk.sent[count:])


def listed_each(config: Config) -> int:
    desk = begun(config)
    count = len(desk.sent)
    desk.run(120)
    return sum(isinstance(each, orders.AskOrders) for each in desk.sent[count:])


def at_once(config: Config) -> int:
    """Orders that leave in the first step of trading."""
    desk = Desk(config)
    desk.begin()
    added = [order.deadline for order in desk.sent if isinstance(order, orders.AddOrder)]
    return added.count(added[0])


def until_all_rest(config: Config) -> float:
    desk = Desk(config)
    desk.connect()
    since = desk.now
    while len(desk.resting) < 10:
        desk.run(1)
        assert desk.now - since < WAITS * SECOND
    return (desk.now - since) / SECOND


def tick_s(config: Config) -> float:
    desk = begun(config)
    return (desk.core.wake_at() - desk.now) / SECOND


def lost_after(config: Config) -> float:
    """Seconds until an order that nobody answers is unknown."""
    desk = Desk(config)
    desk.loses = (orders.AddOrder,)
    desk.connect()
    while not desk.memory.busy():
        desk.run(0.5)
    since = desk.now
    while not any(slot.state is State.LOST for slot in desk.slots):
        desk.run(0.5)
        assert desk.now - since < WAITS * SECOND
    return (desk.now - since) / SECOND


def deadline_s(config: Config) -> float:
    desk = Desk(config)
    desk.connect()
    while not any(isinstance(each, orders.AddOrder) for each in desk.sent):
        desk.run(0.5)
    order = next(each for each in desk.sent if isinstance(each, orders.AddOrder))
    return (order.deadline - desk.wall) / SECOND


def silent(config: Config) -> tuple[float, float]:
    """Seconds without a book until nothing new is quoted, and until all is cancelled."""
    desk = begun(config)
    desk.feeding = False
    since, stale, dead = desk.now, 0.0, 0.0
    while not dead:
        desk.run(0.5)
        gone = (desk.now - since) / SECOND
        why = " ".join(desk.memory.pairs[PAIR].permit.why)
        stale = stale or (gone if "stale" in why else 0.0)
        dead = gone if not desk.resting else 0.0
        assert gone < WAITS
    return stale, dead


def settled(config: Config) -> float:
    """Seconds of books after a gap until it quotes again."""
    desk = begun(config)
    desk.feeding = False
    desk.run(6)
    desk.feeding = True
    since = desk.now
    while True:
        desk.run(0.5)
        if not desk.memory.pairs[PAIR].permit.why:
            return (desk.now - since) / SECOND


def stops_after(config: Config) -> float:
    """Seconds until an end that nobody confirms is given up."""
    desk = begun(config)
    desk.loses = (orders.CancelOrder, orders.AskOrders, orders.AskEach)
    since = desk.now
    desk.run(0.5, StopAsked("test"))
    while desk.stopped is None:
        desk.run(0.5)
        assert desk.now - since < WAITS * SECOND
    assert not desk.stopped.clean
    return (desk.now - since) / SECOND


def without_a_line(config: Config) -> str:
    desk = begun(config)
    desk.cut()
    desk.rest_up = True
    desk.run(15)
    return desk.memory.line


ROWS: Final = (
    Row("risk.max_portfolio_drawdown_pct", 0.05, TWELVE_DOWN,
        exactly("ACTIVE_TRADING", "RISK_PAUSE_ACTIVE"), RISK),
    Row("risk.emergency_drawdown_pct", 0.16, FORTY_DOWN,
        exactly("RISK_PAUSE_ACTIVE", "EMERGENCY_SELL"), RISK),
    Row("risk.price_velocity_freeze_pct", 0.01, breaker,
        exactly("", "circuit breaker: the price runs")),
    Row("risk.price_velocity_cooldown_sec", 90, thaw, lambda b, a: 58 <= a - b <= 62),
    Row("avellaneda_stoikov.gamma", 1.5, leans_with_coins, more, STOIKOV | {
        "avellaneda_stoikov.max_skew_bps": "5000"}),
    Row("avellaneda_stoikov.horizon_sec", 60, leans_with_coins, less, STOIKOV),
    Row("avellaneda_stoikov.max_spread_bps", "100", stoikov_step, less, STOIKOV),
    Row("avellaneda_stoikov.max_skew_bps", "10", leans_with_coins,
        lambda b, a: b > 10 == a, STOIKOV),
    Row("avellaneda_stoikov.obi_sensitivity_bps", "30", leans_with_the_book, about(8.8, 26, 0.2),
        QUICK | {"avellaneda_stoikov.enabled": True}),
    Row("imbalance.levels", 1, imbalance, lambda b, a: b > 0.05 and a == 0),
    Row("imbalance.level_decay", 0.1, imbalance, less),
    Row("imbalance.half_life_sec", 2, imbalance, more),
    Row("skew.max_skew_bps", "5", leans, exactly(20.0, 5.0), OPEN | {"ai_signal.weight": 1.0}),
    Row("skew.obi_sensitivity_bps", "15", leans_with_the_book, about(4.4, 13, 0.2)),
    Row("inventory.rebalance_cap_pct", 0.05, rungs, exactly((5, 5), (2, 2))),
    Row("ai_signal.enabled", True, is_heard, exactly(False, True)),
    Row("ai_signal.weight", 0.6, given_bps, about(15, 30), OPEN),
    Row("ai_signal.max_bias_bps", "20", given_bps, about(15, 6), OPEN),
    Row("ai_signal.decay_sec", 180, left_of_it, less, OPEN),
    Row("hedge.enabled", True, hedged, lambda b, a: a[0] < b[0], RISK),
    Row("hedge.strategy", "inverse_grid", hedged, lambda b, a: a[1] > b[1], HEDGED),
    Row("hedge.trigger_drawdown_pct", 0.02, hedged_early, less, HEDGED),
    Row("hedge.max_reduction_pct", 0.9, hedged, lambda b, a: a[0] < b[0], HEDGED),
    Row("orders.rest_fallback", "full", without_a_line, exactly("down", "rest")),
    Row("ws.cancel_after_timeout_sec", 120, switch_s, exactly(60, 120)),
    Row("ws.heartbeat_interval_sec", 10, armed_each, exactly(6, 12)),
    Row("rate_limit.max_counter", 10, at_once, exactly(10, 8)),
    Row("rate_limit.decay_rate", 0.1, until_all_rest, more, {"rate_limit.max_counter": 10}),
    Row("rate_limit.headroom_pct", 0.3, at_once, exactly(8, 3), {"rate_limit.max_counter": 10}),
    Row("time.tick_sec", 2, tick_s, exactly(1.0, 2.0)),
    Row("time.ack_sec", 10, lost_after, about(5, 10, 0.2)),
    Row("time.deadline_sec", 2, deadline_s, about(4, 2)),
    Row("time.feed_stale_sec", 6, silent, lambda b, a: 2 < b[0] < 5 < a[0] < 8),
    Row("time.feed_cancel_sec", 20, silent, lambda b, a: 9 < b[1] < 13 and 19 < a[1] < 23),
    Row("time.feed_recover_sec", 8, settled, about(2, 8, 0.3)),
    Row("time.drain_sec", 40, stops_after, about(20, 40, 0.1)),
    Row("time.list_sec", 60, listed_each, less),
)  # fmt: skip
