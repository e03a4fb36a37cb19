"""Trying [regime]: which one it is, what each of the four quotes, what teaches the thresholds."""

from __future__ import annotations

from typing import Any, Final

from shared.config import Config
from shared.control import Advise
from shared.units import SECOND, Ns, Side
from tests.keys.grid_rows import begun, figures, swing
from tests.keys.trying import Row, exactly, less, more
from tests.unit.strategy.core.build import MID
from tests.unit.strategy.core.desk import Desk

PAIR: Final = "BTC/EUR"


def climb(desk: Desk, seconds: int = 90, bps: float = 2.0) -> None:
    for _ in range(seconds):
        desk.mid = int(desk.mid * (1 + bps / 10_000))
        desk.run(1)


def regime_after_a_climb(config: Config) -> str:
    desk = begun(config)
    climb(desk)
    return str(figures(desk)["regime"])


def momentum(config: Config) -> float:
    desk = begun(config)
    climb(desk)
    return float(figures(desk)["momentum_bps"])


def regime_after_a_storm(config: Config) -> str:
    desk = begun(config)
    swing(desk, 12)
    return str(figures(desk)["regime"])


def samples(config: Config) -> int:
    desk = begun(config)
    desk.run(60)
    return len(desk.memory.pairs[PAIR].samples.done)


def brought_into(config: Config, kind: str) -> Desk:
    desk = begun(config)
    match kind:
        case "range_bound":
            desk.run(5)
        case "trending_up":
            climb(desk)
        case "trending_down":
            climb(desk, bps=-2.0)
        case "chaos":
            swing(desk, 12)
    desk.run(20)
    assert figures(desk)["regime"] == kind
    return desk


def quoted(kind: str) -> Any:
    """(buys, sells) that rest in this regime."""

    def see(config: Config) -> tuple[int, int]:
        desk = brought_into(config, kind)
        return len(desk.side(Side.BUY)), len(desk.side(Side.SELL))

    return see


def sized(kind: str) -> Any:
    """EUR of each buy in this regime."""

    def see(config: Config) -> float:
        desk = brought_into(config, kind)
        plan = desk.memory.pairs[PAIR].plan
        assert plan is not None
        assert desk.side(Side.BUY)
        return plan.notional * plan.buy_scale / 1e9

    return see


def listening(kind: str) -> Any:
    """What an advice leans the prices by in this regime, bps."""

    def see(config: Config) -> float:
        desk = brought_into(config, kind)
        desk.ask(Advise, verdict="STRONG_BUY", confidence=1.0, bias_bps=0.0)
        return float(figures(desk)["advice_bps"])

    return see


TRENDS: Final = {
    "regime.sample_sec": 1, "regime.half_life_sec": 60, "regime.least_dwell_sec": 0,
    "bollinger.enabled": False,
}  # fmt: skip
WIDE: Final = {
    "btc_target_pct": 0.49, "btc_max_pct": 0.6, "btc_min_pct": 0.1, "grid_levels": 5,
    "order_size_scale": 1.0,
}  # fmt: skip
OPEN: Final = {"ai_signal.enabled": True}


def rows_of(kind: str) -> tuple[Row, ...]:
    """The six settings of one regime, each where the other five leave it room."""

    def row(name: str, value: Any, see: Any, differ: Any, **others: Any) -> Row:
        at = f"regime.{kind}."
        given = {at + key: what for key, what in (WIDE | others).items() if key != name}
        return Row(at + name, value, see, differ, TRENDS | given)

    wild, down = kind == "chaos", kind == "trending_down"
    side = 1 if down else 0  # the market went away from these orders: none waits for its fill
    heeds = Row(
        f"regime.{kind}.signal_enabled", wild, listening(kind),
        (lambda b, a: b == 0 < a) if wild else (lambda b, a: a == 0 < b), TRENDS | OPEN,
    )  # fmt: skip
    return (
        row("btc_target_pct", 0.4 if wild else 0.2, sized(kind), more if wild else less,
            btc_min_pct=0.0),
        row("btc_max_pct", 0.58 if wild or down else 0.53, quoted(kind),
            (lambda b, a: b[0] < a[0]) if wild or down else (lambda b, a: b[0] > a[0]),
            btc_target_pct=0.0, btc_min_pct=0.0),
        row("btc_min_pct", 0.45, quoted(kind), lambda b, a: b[1] > a[1], btc_target_pct=0.5),
        row("grid_levels", 2, quoted(kind), lambda b, a: b[side] != 2 == a[side],
            btc_target_pct=0.5),
        row("order_size_scale", 0.4, sized(kind), less, btc_target_pct=0.5),
        heeds,
    )  # fmt: skip


# Thresholds that a market teaches: four hours of it, or sixteen.


def taught(config: Config, hours: int) -> dict[str, Any]:
    """A wild hour, then calm ones; what the thresholds are then."""
    desk = Desk(config)
    desk.begin()
    for quarter in range(hours * 4):
        wild = 0.016 if quarter < 4 else 0.006
        desk.mid = int(MID * (1 + (wild if quarter % 2 else 0.0)))
        desk.now, desk.wall = Ns(desk.now + 895 * SECOND), Ns(desk.wall + 895 * SECOND)
        desk.run(5)
    return figures(desk)


def chaos_from(config: Config) -> float:
    return float(taught(config, 6)["chaos_from_pct"])


def chaos_from_late(config: Config) -> float:
    return float(taught(config, 16)["chaos_from_pct"])


def trend_from(config: Config) -> float:
    return float(taught(config, 6)["trend_from_bps"])


def thresholds(config: Config) -> str:
    return str(taught(config, 6)["thresholds"])


WARM: Final = {"regime.adaptive.warm_up_hours": 3, "regime.adaptive.window_hours": 24}
LOW: Final = WARM | {"regime.adaptive.chaos_min_pct": 0.1}

ROWS: Final = (
    Row("regime.half_life_sec", 20, momentum, less, {"regime.sample_sec": 1}),
    Row("regime.least_dwell_sec", 0, regime_after_a_climb, exactly("range_bound", "trending_up"),
        {"regime.sample_sec": 1, "regime.half_life_sec": 60}),
    Row("regime.chaos_volatility_pct", 100.0, regime_after_a_storm,
        lambda b, a: b == "chaos" != a, {"regime.sample_sec": 1}),
    Row("regime.trend_momentum_bps", "500", regime_after_a_climb,
        exactly("trending_up", "range_bound"), TRENDS),
    Row("regime.sample_sec", 1, samples, lambda b, a: b <= 2 and a > 50),
    *rows_of("range_bound"), *rows_of("trending_up"), *rows_of("trending_down"), *rows_of("chaos"),
    Row("regime.adaptive.enabled", False, thresholds, exactly("adaptive", "fixed"), WARM),
    Row("regime.adaptive.window_hours", 12, chaos_from_late, less,
        {"regime.adaptive.warm_up_hours": 3, "regime.adaptive.chaos_min_pct": 0.1}),
    Row("regime.adaptive.warm_up_hours", 3, thresholds, exactly("fixed", "adaptive")),
    Row("regime.adaptive.chaos_quantile", 0.5, chaos_from, less, LOW),
    Row("regime.adaptive.chaos_factor", 1.0, chaos_from, less, LOW),
    Row("regime.adaptive.chaos_min_pct", 7.0, chaos_from, lambda b, a: b < 7 == a, WARM),
    Row("regime.adaptive.chaos_max_pct", 2.1, chaos_from, lambda b, a: b > 2.1 == a, WARM),
    Row("regime.adaptive.trend_factor", 3.5, trend_from, more, WARM),
    Row("regime.adaptive.trend_min_bps", "240", trend_from, lambda b, a: b < 240 == a, WARM),
    Row("regime.adaptive.trend_max_bps", "60", trend_from, lambda b, a: b > 60 == a, WARM),
)  # fmt: skip
