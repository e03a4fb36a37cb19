"""Days on which the market fell or leapt: each step is held against what the docs promise.

Real minutes of 2018, 2019 and 2021 and real hours of March 2020, through the core that trades live.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.orders import AddOrder, AmendOrder
from shared.units import SECOND, Ns, Side
from sim.backtest.data import History
from sim.backtest.parts import Terms
from sim.backtest.run import play
from sim.backtest.walker import Run
from sim.engine.instruments import LISTINGS
from strategy.core.account import money_units
from strategy.core.memory import Memory, PairMemory
from strategy.core.out import In, Out, Tell
from strategy.core.pipeline import Core
from strategy.core.regime import Kind, values_of
from strategy.core.risk import ALLOWED, Pause
from strategy.core.slots import State

MARKET = Path(__file__).resolve().parents[2].parent / "shared/data/market"
MINUTES_2018 = "bitfinex_btcusd_1m_2018.csv.gz"
MINUTES_2019 = "binance_btcusdt_1m_2019-10-15_2019-11-14.csv.gz"
MINUTES_2021 = "binance_btcusdt_1m_2021-04-20_2021-05-20.csv.gz"
HOURS = "bitvavo_btceur_1h_2019-12_2024-05.csv.gz"
LATENCY = Ns(50_000_000)
TOLD_AT = (5, 35, 65, 95)  # per cent of a bar: open, high, low, close (docs/backtest.md)
DAYS = (
    # File, pair, from, to, how often the breaker must freeze at least.
    (MINUTES_2018, "BTC/USD", "2018-01-16", "2018-01-17", 2),  # -19 %, and 37 % from top to bottom
    (MINUTES_2019, "BTC/USD", "2019-10-25", "2019-10-27", 2),  # up by two fifths, and down again
    (MINUTES_2021, "BTC/USD", "2021-05-19", "2021-05-20", 5),  # 45 % from top to bottom
    (HOURS, "BTC/EUR", "2020-03-08", "2020-03-16", 0),  # hours do not show a move within 60 s
)
pytestmark = pytest.mark.skipif(
    not MARKET.exists(), reason=f"the recordings in {MARKET} are absent"
)


class Inspector:
    """Looks at every whole step of a core."""

    def __init__(self) -> None:
        self.memory: Memory | None = None
        self.pauses: dict[Pause, None] = {}
        self.turns: list[tuple[int, bool]] = []  # wall, whether the breaker froze (or let go)
        self.exits: list[AddOrder] = []
        self.told: list[Tell] = []
        self.looked = 0

    def look(self, core: Core, now: Ns, out: Sequence[Out]) -> None:
        memory = self.memory = core.memory
        (pair,) = memory.pairs.values()
        self.pauses[memory.pause] = None
        self._turn(memory, pair)
        self.told += [item for item in out if isinstance(item, Tell)]
        for item in out:
            if isinstance(item, AddOrder):
                self._order(memory, pair, item.side, int(item.price), int(item.qty), item)
            elif isinstance(item, AmendOrder):
                found = memory.slot_of(item.cl_ord_id)
                assert found is not None
                side = pair.slots[found[1]].side
                self._order(memory, pair, side, int(item.price), int(item.qty), None)
        self._resting(memory, pair, now)

    def _turn(self, memory: Memory, pair: PairMemory) -> None:
        frozen = pair.breaker.frozen
        if frozen != (bool(self.turns) and self.turns[-1][1]):
            self.turns.append((memory.wall, frozen))

    def _order(
        self, memory: Memory, pair: PairMemory, side: Side, price: int, qty: int,
        add: AddOrder | None,
    ) -> None:  # fmt: skip
        view, limits, spec = pair.view, memory.config.limits, pair.tape.pair
        assert view is not None
        assert spec is not None
        self.looked += 1
        most = limits.order_quote.scaleb(spec.price_decimals + spec.qty_decimals)
        assert price * qty <= most
        assert abs(price / view.mid - 1.0) <= limits.collar_pct
        assert not pair.breaker.frozen
        if add is not None and add.exit_order:
            assert memory.pause is Pause.EMERGENCY_SELL
            assert memory.now - memory.risk.emergency_since >= 30 * SECOND
            self.exits.append(add)
            return
        assert price < view.ask if side is Side.BUY else price > view.bid
        assert not memory.halt
        assert ALLOWED[memory.pause][0 if side is Side.BUY else 1]
        if side is Side.BUY:
            assert pair.regime.kind is not Kind.CHAOS
            self._worst_case(memory, pair, view.mid)

    def _worst_case(self, memory: Memory, pair: PairMemory, mid: float) -> None:
        buys = sum(s.open_qty * s.high_price for s in pair.side(Side.BUY))
        held, money = memory.base_total(pair) * mid, money_units(memory, pair)
        assert buys <= money
        values = values_of(pair.regime, memory.config.regime)
        most = min(values.btc_max_pct, memory.config.limits.btc_max_pct)
        # Orders that rested before may stand above it when the price moves; a new one may not.
        if buys + held > most * (held + money):
            assert self._nothing_grew(pair, memory.now)

    def _nothing_grew(self, pair: PairMemory, now: Ns) -> bool:
        sent = [s for s in pair.side(Side.BUY) if s.changed == now]
        return all(s.was_qty and s.open_qty * s.high_price <= s.was_qty * s.was_price for s in sent)

    def _resting(self, memory: Memory, pair: PairMemory, now: Ns) -> None:
        resting = [slot for slot in pair.slots if slot.state is not State.EMPTY]
        assert len(resting) <= memory.config.limits.open_orders
        grid = [slot for slot in resting if not slot.exit_order]
        buys = [slot.high_price for slot in grid if slot.side is Side.BUY]
        sells = [slot.low_price for slot in grid if slot.side is Side.SELL]
        assert not (buys and sells) or max(buys) < min(sells)
        sold = sum(slot.open_qty for slot in resting if slot.side is Side.SELL)
        assert sold <= memory.base_total(pair)
        limiter, rate = pair.limiter, memory.config.rate_limit
        assert limiter.value(now, rate) <= (limiter.threshold or rate.max_counter)
        if pair.breaker.frozen or memory.halt or memory.pause is Pause.DUAL_LOCK:
            # Whatever still rests is being cancelled, or its fate is in flight.
            assert not any(slot.state is State.LIVE for slot in grid)


def config(tmp_path: Path, pair: str, **demo: Any) -> Config:
    found = load(Home(tmp_path))
    return replace(found, pair=pair, pairs=(), demo=replace(found.demo, **demo))


def wall(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) * SECOND


def inspected(
    monkeypatch: pytest.MonkeyPatch, cfg: Config, name: str, span: tuple[str, str]
) -> tuple[Inspector, Run, History]:
    inspector, step = Inspector(), Core.step

    def looked_at(core: Core, now: Ns, inbox: Sequence[In]) -> list[Out]:
        out = step(core, now, inbox)
        inspector.look(core, now, out)
        return out

    monkeypatch.setattr(Core, "step", looked_at)
    history = History((MARKET / name,), LISTINGS[cfg.pair].pair)
    terms = Terms(latency=LATENCY, maker=2_500, taker=4_000)
    first, last = (wall(day) for day in span)
    played = play(history, cfg, terms, (first, last), lambda _r, _w: True, ("high_first",))
    return inspector, played.runs[0], history


def largest_move(points: Sequence[tuple[int, int]], at: int, seconds: int) -> float:
    """Of the last seconds before `at`, from the bars alone."""
    seen = [price for when, price in points if at - seconds * SECOND <= when <= at]
    last = seen[-1]
    return max(max(last / price - 1.0, 1.0 - last / price) for price in seen)


@pytest.mark.parametrize(("name", "pair", "first", "last", "freezes"), DAYS)
def test_on_a_crash_day_no_limit_is_passed_and_nothing_crosses(
    name: str,
    pair: str,
    first: str,
    last: str,
    freezes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cfg = config(tmp_path, pair)
    inspector, run, history = inspected(monkeypatch, cfg, name, (first, last))
    memory, fills = inspector.memory, run.course.fills
    assert memory is not None
    assert len(fills) >= 10
    assert inspector.looked >= 100
    assert memory.counters.get("refused_add", 0) + memory.counters.get("post_only", 0) <= len(fills)
    # An order is moved for a reason, not after each turn of the price.
    assert memory.counters["amends"] <= 12 * len(fills)
    froze = [at for at, frozen in inspector.turns if frozen]
    assert len(froze) >= freezes
    if freezes:
        again = History((MARKET / name,), LISTINGS[pair].pair)
        points = [
            (bar[0] + history.interval * part // 100, price)
            for bar in takewhile(lambda bar: bar[0] < wall(last), again.bars())
            if wall(first) <= bar[0]
            for price, part in zip((bar[1], bar[2], bar[3], bar[4]), TOLD_AT, strict=True)
        ]
        _breaker_kept_its_word(inspector.turns, points, cfg)


def _breaker_kept_its_word(
    turns: Sequence[tuple[int, bool]], points: Sequence[tuple[int, int]], cfg: Config
) -> None:
    """Frozen by 3 % within 60 s; free after 30 s of less than half of it, and it did recover."""
    risk = cfg.risk
    for (at, frozen), (until, _) in pairwise(turns):
        if frozen:
            assert largest_move(points, at, 63) >= risk.price_velocity_freeze_pct
            assert until - at >= risk.price_velocity_cooldown_sec * SECOND
            assert largest_move(points, until, 57) < risk.price_velocity_freeze_pct / 2
    assert not turns[-1][1], "it never let go"


def test_an_account_full_of_coins_sells_in_the_emergency_and_says_what_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """97 % in coins on 19 May 2021: paused, then sold down to what the regime allows.

    With limits of 6 and 10 %: 20 % are passed only while the breaker is frozen, and that waits.
    """
    cfg = config(tmp_path, "BTC/USD", quote_balance=Decimal(2_000))
    limits = {"max_portfolio_drawdown_pct": 0.06, "emergency_drawdown_pct": 0.10}
    cfg = replace(cfg, risk=replace(cfg.risk, **limits))
    span = ("2021-05-19", "2021-05-20")
    inspector, run, _ = inspected(monkeypatch, cfg, MINUTES_2021, span)
    memory = inspector.memory
    assert memory is not None
    assert Pause.RISK_PAUSE_ACTIVE in inspector.pauses
    assert Pause.EMERGENCY_SELL in inspector.pauses
    assert inspector.exits
    names = [add.cl_ord_id for add in inspector.exits]
    sold = [fill for fill in run.course.fills if fill.cl_ord_id in names]
    assert sold
    prices = {add.cl_ord_id: add.price for add in inspector.exits}
    assert all(fill.price >= prices[fill.cl_ord_id] for fill in sold)
    said = [tell.text for tell in inspector.told if tell.key == "exit"]
    assert len(said) == len(inspector.exits)
    for text in said:
        assert "drawdown" in text
        assert "lots" in text
        assert "gain" in text
    (pair,) = memory.pairs.values()
    assert sum(fill.qty for fill in sold) + memory.base_total(
        pair
    ) == run.ended.opening_coins + sum(
        fill.qty * fill.side.sign for fill in run.course.fills if fill.cl_ord_id not in names
    )


def test_a_days_loss_halts_and_takes_every_order_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = config(tmp_path, "BTC/USD")
    cfg = replace(cfg, limits=replace(cfg.limits, daily_loss_quote=Decimal(5_000)))
    span = ("2021-05-19", "2021-05-20")
    inspector, run, _ = inspected(monkeypatch, cfg, MINUTES_2021, span)
    assert inspector.memory is not None
    assert "limits.daily_loss_quote" in inspector.memory.halt
    assert run.ended.resting == 0
    assert not inspector.exits
