"""The edges and the figures of each stage: what a small slip in one of them would move."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import BPS, DAY, SECOND, Ns
from strategy.core.allocation import correlation
from strategy.core.atr import atr
from strategy.core.avellaneda import lean_bps, variance_pct2
from strategy.core.bollinger import bollinger
from strategy.core.daily import LIMIT
from strategy.core.fees import scheduled
from strategy.core.hedge import hedge
from strategy.core.imbalance import Imbalance, raw, weigh
from strategy.core.inventory import confine
from strategy.core.lifecycle import Phase
from strategy.core.limiter import Limiter, tier_decay
from strategy.core.market import Freshness
from strategy.core.permit import permit
from strategy.core.risk import ALLOWED, Pause, Risk, Severity, assess, moved
from strategy.core.samples import Sample, Samples, grown, sample
from strategy.core.skew import Opinion, inventory_of, leaned, skew, tilt
from tests.unit.strategy.core.build import CONFIG, STEP, make_book, make_config, make_plan
from tests.unit.strategy.core.test_breaker import CALM, FAST, make_view, run
from tests.unit.strategy.core.test_gate import one
from tests.unit.strategy.core.test_permit import NOW as PERMIT_NOW
from tests.unit.strategy.core.test_permit import quoting

# 2, the circuit breaker.


def test_a_move_of_half_the_freezing_size_is_not_calm_yet() -> None:
    half = make_view(move=0.015)
    assert run(FAST, *[half] * 200).frozen
    assert not run(FAST, *[half] * 20, *[CALM] * 40).frozen


# 3, risk.


def test_what_each_pause_allows_whole() -> None:
    """(buys, sells). An emergency leaves exits alone, a dual lock leaves nothing."""
    assert ALLOWED == {
        Pause.ACTIVE_TRADING: (True, True),
        Pause.TAX_LOCK_ACTIVE: (True, False),
        Pause.RISK_PAUSE_ACTIVE: (False, True),
        Pause.DUAL_LOCK: (False, False),
        Pause.EMERGENCY_SELL: (False, False),
    }


def test_before_the_equity_is_known_nothing_has_been_lost() -> None:
    assert Risk() == Risk(0.0, 0.0, 0.0, Severity.HEALTHY, Ns(0))


def test_an_account_that_was_emptied_begins_anew_and_a_tiny_one_keeps_its_drawdown() -> None:
    lost = Risk(80.0, 100.0, 0.2, Severity.EMERGENCY, Ns(7))
    assert moved(lost, 80.0, 0.0) == Risk()
    assert moved(lost, 0.0, 5.0) == Risk(peak=5.0)
    assert moved(lost, 80.0, 0.05).peak == pytest.approx(0.0625)
    assert moved(replace(lost, equity=0.05, peak=0.1), 0.05, 1.0).peak == pytest.approx(2.0)


def test_at_the_very_mark_of_the_emergency_its_time_begins() -> None:
    at = Ns(1_000 * SECOND)
    assert assess(Risk(peak=100.0), 80.0, at, CONFIG.risk).emergency_since == at
    assert assess(Risk(peak=100.0), 80.01, at, CONFIG.risk).emergency_since == 0


# 6, the fees' fallback: Kraken's schedules, maker and taker in percent from a volume in USD on.

FORMER = [
    (0, 0.25, 0.40), (10_000, 0.20, 0.35), (50_000, 0.14, 0.24), (100_000, 0.12, 0.22),
    (250_000, 0.10, 0.20), (500_000, 0.08, 0.18), (1_000_000, 0.06, 0.16),
    (2_500_000, 0.04, 0.14), (5_000_000, 0.02, 0.12), (10_000_000, 0.0, 0.10),
]  # fmt: skip
PRESENT = [
    (0, 0.40, 0.80), (2_500, 0.30, 0.60), (10_000, 0.22, 0.38), (25_000, 0.20, 0.35),
    (50_000, 0.15, 0.30), (100_000, 0.12, 0.25), (250_000, 0.10, 0.22), (500_000, 0.08, 0.20),
    (1_000_000, 0.06, 0.18), (2_500_000, 0.04, 0.15), (5_000_000, 0.02, 0.12),
    (10_000_000, 0.0, 0.10), (50_000_000, 0.0, 0.09), (100_000_000, 0.0, 0.08),
    (250_000_000, 0.0, 0.07), (400_000_000, 0.0, 0.06), (500_000_000, 0.0, 0.05),
]  # fmt: skip


@pytest.mark.parametrize(("day", "tiers"), [(20_642, FORMER), (20_643, PRESENT)])
def test_each_tier_begins_at_its_volume_and_charges_its_rates(
    day: int, tiers: list[tuple[int, float, float]]
) -> None:
    def rates(volume: int) -> tuple[float, float]:
        cfg = make_config(fees={"fallback_volume_usd": volume}).fees
        return scheduled(Ns(day * DAY), cfg)

    before = None
    for volume, maker, taker in tiers:
        charged = pytest.approx((maker / 100, taker / 100))
        assert rates(volume) == charged
        if before is not None:
            assert rates(volume - 1) == before
        before = charged


# 8, the hedge.


@pytest.mark.parametrize(
    ("drawdown", "scale"), [(0.11, 1.0), (0.115, 1.0), (0.13, 0.75), (0.135, 0.75)]
)
def test_a_hedge_goes_in_quarters_upward(drawdown: float, scale: float) -> None:
    on = make_config(hedge={"enabled": True}).hedge
    assert hedge(make_plan(), drawdown, 0.15, on).buy_scale == scale


def test_a_hedge_of_everything_leaves_a_quarter() -> None:
    all_of_it = make_config(hedge={"enabled": True, "max_reduction_pct": 1.0}).hedge
    assert hedge(make_plan(), 0.15, 0.15, all_of_it).buy_scale == 0.25


# 9, skew.

ODD = replace(CONFIG.regime.range_bound, btc_target_pct=0.5, btc_min_pct=0.3, btc_max_pct=0.6)
DELTA = (CONFIG.skew, CONFIG.avellaneda_stoikov)
STOIKOV = (CONFIG.skew, make_config(avellaneda_stoikov={"enabled": True}).avellaneda_stoikov)


@pytest.mark.parametrize(
    ("imbalance", "bias", "lean"),
    [
        (0.5, 3.0, 5.5),  # skew.obi_sensitivity_bps is 5
        (0.5, -3.0, -0.5),
        (-1.0, 0.0, -5.0),
        (0.0, 7.5, 7.5),
        (1.0, 19.0, 20.0),  # skew.max_skew_bps
        (-1.0, -19.0, -20.0),
    ],
)
def test_book_and_advice_add_up_within_the_cap(imbalance: float, bias: float, lean: float) -> None:
    plan = skew(make_plan(), 0.5, ODD, Opinion(imbalance, 1e-6, bias), DELTA)
    assert plan.lean_bps == pytest.approx(lean)


def test_the_reason_of_a_lean_names_the_part_of_advice() -> None:
    def why(opinion: Opinion) -> str:
        return skew(make_plan(), 0.5, ODD, opinion, DELTA).why[-1]

    assert why(Opinion(0.5, 1e-6, 3.0)) == "wants to lean by +5.5 bps (advice +3.0)"
    assert why(Opinion(0.5, 1e-6, 0.0)) == "wants to lean by +2.5 bps"


@pytest.mark.parametrize(
    ("share", "imbalance", "bias"), [(0.5, 0.5, 3.0), (0.55, 0.5, -3.0), (0.4, -1.0, 4.0)]
)
def test_the_reservation_price_book_and_advice_add_up(
    share: float, imbalance: float, bias: float
) -> None:
    variance = 1e-9
    plan = skew(make_plan(), share, ODD, Opinion(imbalance, variance, bias), STOIKOV)
    model = STOIKOV[1]
    own = lean_bps(inventory_of(share, ODD), variance_pct2(variance, model.horizon_sec), model)
    assert plan.lean_bps == pytest.approx(own + 10.0 * imbalance + bias)
    assert (own < 0) is (share > 0.5)


@pytest.mark.parametrize(
    ("share", "inventory"),
    [(0.5, 0.0), (0.55, 0.5), (0.6, 1.0), (0.9, 1.0), (0.4, -0.5), (0.3, -1.0), (0.0, -1.0)],
)
def test_inventory_is_measured_against_the_side_it_is_on(share: float, inventory: float) -> None:
    assert inventory_of(share, ODD) == pytest.approx(inventory)


def test_where_a_side_has_no_width_its_inventory_is_full_at_once() -> None:
    upper = replace(ODD, btc_max_pct=0.5)
    assert (inventory_of(0.51, upper), inventory_of(0.5, upper)) == (1.0, 0.0)
    lower = replace(ODD, btc_min_pct=0.5)
    assert (inventory_of(0.49, lower), inventory_of(0.5, lower)) == (-1.0, 0.0)


@pytest.mark.parametrize(
    ("coins", "buy", "sell"),
    [(0.53, 1.0, 1.0), (0.56, 0.75, 1.0), (0.44, 1.0, 1.0), (0.38, 1.0, 0.75)],
)
def test_sizes_lean_by_how_far_their_own_side_is_gone(
    coins: float, buy: float, sell: float
) -> None:
    plan = tilt(make_plan(), coins, ODD)
    assert (plan.buy_scale, plan.sell_scale) == (buy, sell)


@pytest.mark.parametrize(
    ("wanted", "quarters"), [(7.0, 0), (8.0, 1), (13.0, 1), (15.0, 2), (-8.0, -1), (500.0, 2)]
)
def test_prices_lean_by_whole_quarters_of_a_step(wanted: float, quarters: int) -> None:
    """The step is 39 bps, so a quarter is 9.75; three quarters of that must be wanted to move."""
    assert leaned(0.0, wanted, STEP) * BPS == pytest.approx(quarters * 9.75)


# The permit, before any stage proposes.


@pytest.mark.parametrize(
    ("seconds", "cancels"), [(0.0, False), (4.999, False), (5.0, True), (60.0, True)]
)
def test_a_ledger_that_cannot_be_written_is_borne_for_five_seconds(
    seconds: float, cancels: bool
) -> None:
    memory = quoting()
    memory.unwritten = ("no space left", Ns(PERMIT_NOW - int(seconds * SECOND)))
    found = permit(memory, one(memory), PERMIT_NOW)
    assert found.change is False
    assert found.buy is not cancels
    assert found.sell is not cancels
    assert found.why == ("the ledger cannot be written: no space left",)


def test_coins_that_are_not_accounted_for_hold_the_sells_alone() -> None:
    memory = quoting()
    memory.audit = replace(memory.audit, held=True)
    found = permit(memory, one(memory), PERMIT_NOW)
    assert (found.buy, found.sell, found.change) == (True, False, True)
    assert found.why


@pytest.mark.parametrize(
    ("spoil", "exits"),
    [
        ({}, True),
        ({"hold": "x"}, False),
        ({"halt": "x"}, False),
        ({"system": "post_only"}, False),
        ({"phase": Phase.SYNCING}, False),
        ({"pause": Pause.EMERGENCY_SELL}, True),
        ({"pause": Pause.DUAL_LOCK}, True),
    ],
)
def test_an_exit_may_leave_where_nothing_but_a_pause_speaks_against_it(
    spoil: dict[str, Any], exits: bool
) -> None:
    memory = quoting()
    for name, value in spoil.items():
        setattr(memory, name, value)
    assert permit(memory, one(memory), PERMIT_NOW).exits is exits


# Inventory.


def test_an_empty_account_has_no_budget_at_all() -> None:
    plan = confine(make_plan(), make_view(), (0, 0), 0.2, CONFIG.regime.range_bound)
    assert (plan.buy_units, plan.sell_sats) == (0, 0)
    assert plan.why[-1] == "nothing in the account"


def test_a_budget_that_is_exactly_enough_is_given_no_reason() -> None:
    """Half coins, half money; the ranges and the cap leave just what the plan asks for."""
    view = make_view()
    coins = 10**8
    money = int(coins * view.mid)
    values = replace(ODD, btc_min_pct=0.4, btc_max_pct=0.6)
    buy_room = int(0.6 * 2 * money - money)
    sell_room = int(coins - 0.4 * 2 * money / view.mid)
    asked = make_plan(buy_units=buy_room, sell_sats=sell_room)
    assert confine(asked, view, (coins, money), 0.5, values) == asked
    more = make_plan(buy_units=buy_room + 1, sell_sats=sell_room + 1)
    found = confine(more, view, (coins, money), 0.5, values)
    assert (found.buy_units, found.sell_sats) == (buy_room, sell_room)
    assert found.why == ("coins at most 60% of the account", "coins at least 40% of the account")


def test_a_halt_for_the_loss_of_the_day_lets_the_exits_of_an_emergency_leave() -> None:
    memory = quoting()
    memory.halt = f"lost 5.00 since the day began ({LIMIT})"
    found = permit(memory, one(memory), PERMIT_NOW)
    assert (found.buy, found.sell, found.change, found.exits) == (False, False, False, True)
    memory.hold = "x"
    assert permit(memory, one(memory), PERMIT_NOW).exits is False


@pytest.mark.parametrize(
    ("skew_ns", "waits"), [(SECOND, False), (-SECOND, False), (SECOND + 1, True)]
)
def test_a_clock_may_be_a_second_off(skew_ns: int, waits: bool) -> None:
    memory = quoting()
    memory.skew = Ns(skew_ns)
    assert permit(memory, one(memory), PERMIT_NOW).change is not waits


# 11, the rate counter.


@pytest.mark.parametrize(
    ("threshold", "decay"),
    [
        (1, 1.0),
        (59, 1.0),
        (60, 1.0),
        (124, 1.0),
        (125, 2.34),
        (179, 2.34),
        (180, 3.75),
        (999, 3.75),
    ],
)
def test_each_tier_loses_what_kraken_says_in_a_second(threshold: int, decay: float) -> None:
    assert tier_decay(threshold) == decay


def test_a_counter_that_nobody_has_charged_is_empty() -> None:
    assert Limiter().value(Ns(0), CONFIG.rate_limit) == 0.0


# Allocation.


def closes(*prices: float) -> Samples:
    return Samples(tuple(Sample(price, price, price) for price in prices))


def test_correlation_is_that_of_returns_not_of_prices() -> None:
    """Two prices that both climb, one of them when the other rests, move against each other."""
    ahead, behind = [100.0], [100.0]
    for n in range(40):
        ahead.append(ahead[-1] * (1.01 if n % 2 else 1.0))
        behind.append(behind[-1] * (1.0 if n % 2 else 1.01))
    assert correlation(closes(*ahead), closes(*behind)) == pytest.approx(-1.0)
    assert correlation(closes(*ahead), closes(*ahead)) == pytest.approx(1.0)


def test_correlation_of_a_known_sample() -> None:
    """Returns 1, 2, 3, ... against 2, 1, 4, 3, ... percent."""
    first, second = [100.0], [100.0]
    for n in range(1, 31):
        first.append(first[-1] * math.exp(n / 1000))
        second.append(second[-1] * math.exp((n + (1 if n % 2 else -1)) / 1000))
    xs = list(range(1, 31))
    ys = [n + (1 if n % 2 else -1) for n in xs]
    assert correlation(closes(*first), closes(*second)) == pytest.approx(
        statistics.correlation(xs, ys)
    )


def test_thirty_samples_are_enough_and_fewer_are_not() -> None:
    def zigzag(count: int, sign: int) -> Samples:
        return closes(*(100.0 * (1.0 + sign * 0.01 * (n % 2)) for n in range(count)))

    assert correlation(zigzag(29, 1), zigzag(29, -1)) == 1.0
    assert correlation(zigzag(30, 1), zigzag(30, -1)) < 0.0


def test_a_price_that_stands_still_counts_as_moving_along() -> None:
    assert correlation(closes(*[100.0] * 40), closes(*range(100, 140))) == 1.0


# What the models look at.


def test_imbalance_is_weighted_by_depth_and_blends_by_half_in_a_half_life() -> None:
    cfg = replace(CONFIG.imbalance, levels=3, level_decay=0.5, half_life_sec=10.0)
    # 4 + 2 + 1 of bids against 2 + 1 + 3 of asks; a fourth level counts for nothing.
    bids, asks = (4, 4, 4, 99), (2, 2, 12, 1)
    value = (7.0 - 6.0) / 13.0
    assert raw(bids, asks, cfg) == pytest.approx(value)
    assert raw((), (), cfg) == 0.0
    first = Ns(1_000 * SECOND)
    book = replace(make_book(first), bid_qtys=bids, ask_qtys=asks)
    started = weigh(Imbalance(), book, first, cfg)
    assert started == Imbalance(0.0, first)
    later = Ns(first + 10 * SECOND)
    assert weigh(started, book, later, cfg).value == pytest.approx(value / 2)
    assert weigh(Imbalance(0.8, first), book, later, cfg).value == pytest.approx(0.4 + value / 2)
    assert weigh(Imbalance(0.8, first), book, first, cfg).value == pytest.approx(0.8)


def test_a_sample_holds_its_extremes_and_a_gap_begins_anew() -> None:
    begin = Ns(1_000 * SECOND)

    def grow(*mids: tuple[int, float]) -> Samples:
        found = Samples()
        for second, mid in mids:
            found = grown(found, mid, Ns(begin + second * SECOND), 60.0)
        return found

    busy = grow((0, 10.0), (20, 13.0), (40, 8.0), (59, 9.0))
    assert (busy.done, busy.high, busy.low, busy.close) == ((), 13.0, 8.0, 9.0)
    closed = grow((0, 10.0), (20, 13.0), (40, 8.0), (59, 9.0), (60, 11.0))
    assert closed.done == (Sample(13.0, 8.0, 9.0),)
    assert (closed.high, closed.low, closed.close) == (11.0, 11.0, 11.0)
    assert closed.ends_at == begin + 120 * SECOND
    late = grow((0, 10.0), (120, 11.0))  # exactly a sample late: not a gap yet
    assert late.done == (Sample(10.0, 10.0, 10.0),)
    assert late.ends_at == begin + 120 * SECOND
    gap = grow((0, 10.0), (60, 10.5), (181, 11.0))
    assert (gap.done, gap.ends_at) == ((), begin + 241 * SECOND)


def test_a_view_that_is_not_fresh_is_no_part_of_a_sample() -> None:
    begin = Ns(1_000 * SECOND)
    fresh = sample(Samples(), make_view(10.0), begin, 60.0)
    assert fresh.close == 10.0
    stale = make_view(99.0, freshness=Freshness.STALE)
    assert sample(fresh, stale, Ns(begin + SECOND), 60.0) is fresh


def test_bands_and_true_range_of_a_known_market() -> None:
    samples = Samples(
        (
            Sample(100.0, 90.0, 95.0),
            Sample(104.0, 98.0, 100.0),
            Sample(103.0, 101.0, 102.0),
            Sample(101.0, 97.0, 98.0),
        )
    )
    bands = replace(
        CONFIG.bollinger, enabled=True, window=4, multiplier=2.0, spacing_scale=0.5,
        min_spacing_bps=Decimal(1), max_spacing_bps=Decimal(9_999),
    )  # fmt: skip
    mean = (95 + 100 + 102 + 98) / 4
    deviation = statistics.pstdev([95, 100, 102, 98])
    assert bollinger(samples, bands) == pytest.approx(2 * 2.0 * deviation / mean * 0.5 * 10_000)
    assert bollinger(samples, replace(bands, window=5)) is None
    assert bollinger(samples, replace(bands, max_spacing_bps=Decimal(7))) == 7.0
    assert bollinger(samples, replace(bands, min_spacing_bps=Decimal(9_000))) == 9_000.0
    ranges = replace(
        CONFIG.atr, enabled=True, window=3, multiplier=1.5,
        min_spacing_bps=Decimal(1), max_spacing_bps=Decimal(9_999),
    )  # fmt: skip
    # From 95: 104 - 95; from 100: 103 - 100; from 102: 102 - 97.
    assert atr(samples, ranges) == pytest.approx(1.5 * (9 + 3 + 5) / 3 / 98.0 * 10_000)
    assert atr(samples, replace(ranges, window=4)) is None
    assert atr(samples, replace(ranges, max_spacing_bps=Decimal(7))) == 7.0
    assert atr(samples, replace(ranges, min_spacing_bps=Decimal(9_000))) == 9_000.0
