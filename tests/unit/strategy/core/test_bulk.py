"""Learning in bulk goes as far as can be shown, and says whether the next tick is a whole one."""

from __future__ import annotations

from msgspec.structs import replace

from shared.config import Config
from shared.frames import Book
from shared.units import SECOND, Ns
from strategy.core.bulk import Learned, learn
from strategy.core.memory import Memory
from strategy.core.plan import Anchor
from strategy.core.regime import Kind
from strategy.core.risk import Severity
from strategy.core.spacing import Spacing
from strategy.core.sweep import sweep
from tests.unit.strategy.core.build import CONFIG, MID, make_book
from tests.unit.strategy.core.desk import Desk


def quoting(config: Config = CONFIG) -> Memory:
    desk = Desk(config)
    desk.begin()
    desk.run(60)
    assert any(slot.order_id for slot in desk.slots)
    return desk.memory


def taught(memory: Memory, mids: list[float], kinds: tuple[Kind, ...] = ()) -> Learned:
    """One tick a second, at these mids."""
    nows = [Ns(memory.now + number * SECOND) for number in range(1, len(mids) + 1)]

    def frame(place: int) -> Book:
        return make_book(nows[place], int(mids[place]), seq=10**6 + nows[place] // SECOND)

    return learn(memory, nows, mids, frame, kinds)


def test_it_stops_right_before_the_tick_that_enters_another_band_of_drawdown() -> None:
    memory = quoting()
    memory.risk = replace(memory.risk, peak=memory.risk.equity / 0.951)
    falls = MID * 0.99  # 5 % below the peak, with the coins that are held
    for before in range(4):
        begun = memory.now
        run = [MID + 0.5] * before + [falls] * 3
        assert taught(memory, run) == Learned(before, ended=before == 0)
        assert memory.now == begun + before * SECOND
    assert memory.risk.severity is Severity.HEALTHY


def test_a_market_that_moves_far_in_a_long_time_is_learned_from_in_parts() -> None:
    memory = quoting(
        replace(
            CONFIG,
            regime=replace(CONFIG.regime, least_dwell_sec=1e9, chaos_volatility_pct=1e9),
            bollinger=replace(CONFIG.bollinger, enabled=False),
        )
    )
    most = CONFIG.risk.price_velocity_freeze_pct
    run = [MID * (1.0 + most * second / 200) for second in range(500)]
    parts = 0
    while run:
        learned = taught(memory, run)
        assert 100 < learned.ticks < 250 or learned.ticks == len(run)
        assert not learned.ended
        run, parts = run[learned.ticks :], parts + 1
    assert parts > 2
    assert taught(memory, [MID * (1.0 + 4 * most)]) == Learned(0, ended=True)  # the breaker trips


def test_where_the_regime_may_change_a_new_spacing_is_learned_and_hangs_the_grid_anew() -> None:
    for kinds in ((), (Kind.CHAOS,), (Kind.CHAOS, Kind.RANGE_BOUND)):
        memory = quoting(replace(CONFIG, bollinger=replace(CONFIG.bollinger, enabled=False)))
        (pair,) = memory.pairs.values()
        narrow = pair.spacing.bps
        pair.hung = replace(pair.hung, anchor=Anchor(float(MID), 0.0080, center=3))
        pair.spacing = Spacing(80.0, "Bollinger", Ns(memory.now - 4_000 * SECOND), narrow)
        learned = taught(memory, [MID + 0.5] * 90, kinds)
        if Kind.RANGE_BOUND not in kinds:
            assert learned.ended
            assert (pair.spacing.bps, pair.hung.anchor.center) == (80.0, 3)
            continue
        assert (learned.ended, pair.spacing.bps) == (False, narrow)
        anchor = Anchor(Anchor(float(MID), 0.0080, center=3).price(0), narrow / 10_000)
        assert pair.hung.anchor == anchor
        assert taught(memory, [MID + 0.5] * 90, kinds) == Learned(90, ended=False)


def test_a_tick_that_is_left_out_leaves_nothing_on_record_and_none_is_sampled_behind_the_last() -> (
    None
):
    memory = quoting(replace(CONFIG, bollinger=replace(CONFIG.bollinger, enabled=False)))
    (pair,) = memory.pairs.values()
    nows = [Ns(memory.now + number * SECOND) for number in range(1, 5)]
    mids, cfg = [MID + 0.5, MID + 0.5, MID * 2.0, MID * 2.0], memory.config
    pair.record = replace(pair.record, next_at=nows[2])
    pair.regime = replace(pair.regime, next_sample=nows[2], samples=100, variance=1e-12)
    both = (Kind.CHAOS, Kind.RANGE_BOUND)
    stops, takes = sweep(pair, nows, mids, cfg, ()), sweep(pair, nows, mids, cfg, both)
    assert (stops.count, stops.changed, stops.regime) == (2, False, pair.regime)
    assert stops.known.record is pair.record
    assert (takes.count, takes.changed, takes.regime.kind) == (3, True, Kind.CHAOS)
    assert takes.known.record.next_at > nows[2]
    narrow, since = pair.spacing.bps, Ns(nows[1] - int(cfg.grid.narrow_after_sec * SECOND))
    pair.spacing = Spacing(80.0, "Bollinger", since, narrow)
    sooner = sweep(pair, nows, mids, cfg, both)
    assert (sooner.count, sooner.changed, sooner.spacing.bps) == (2, True, narrow)
    assert (sooner.regime, sooner.known.record) == (pair.regime, pair.record)
