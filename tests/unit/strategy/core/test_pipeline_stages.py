"""Each stage's say, seen through the whole: what is wished, sent and kept because of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared import orders
from shared.units import MINUTE, SECOND, Ns, Side
from strategy.core.out import Report, Tell
from strategy.core.pipeline import ALERTS_KEPT, Core
from strategy.core.plan import Plan
from strategy.core.regime import Kind
from strategy.core.skew import leaned
from tests.unit.strategy.core.build import (
    BOOT,
    MID,
    STEP,
    make_book,
    make_config,
    make_memory,
    rung,
)
from tests.unit.strategy.core.desk import Desk, changes, quoting

ANY_SHARE = {"btc_max_pct": 1.0, "btc_min_pct": 0.0}


def plan_of(desk: Desk) -> Plan:
    plan = desk.memory.pairs["BTC/EUR"].plan
    assert plan is not None
    return plan


def desk_with(eur: str = "14000", btc: str = "0.16", **sections: Any) -> Desk:
    desk = Desk(make_config(**sections))
    desk.totals = {"EUR": Decimal(eur), "BTC": Decimal(btc)}
    desk.begin()
    return desk


def test_the_reserve_is_taken_from_what_may_be_sold() -> None:
    desk = desk_with(grid={"base_reserve": "0.15"})
    assert plan_of(desk).sell_sats == 1_000_000
    assert sum(order.qty for order in desk.side(Side.SELL)) <= 1_000_000


def test_money_and_coins_bound_their_own_side() -> None:
    desk = desk_with("1200", limits={"btc_max_pct": 1.0}, regime={"range_bound": ANY_SHARE})
    assert plan_of(desk).buy_units == 1_188 * 10**9  # one percent stays for fees
    assert 0 < sum(order.price * order.qty for order in desk.side(Side.BUY)) <= 1_188 * 10**9
    assert len(desk.side(Side.SELL)) == 5


@pytest.mark.parametrize(
    ("sections", "center"),
    [({}, 0), ({"grid": {"trailing": "down"}}, -2), ({"grid": {"trailing": "up"}}, 0)],
)
def test_without_money_the_grid_does_not_sink_unless_it_is_to_trail(
    sections: dict[str, Any], center: int
) -> None:
    desk = desk_with(
        "0", limits={"btc_max_pct": 1.0}, regime={"range_bound": ANY_SHARE}, **sections
    )
    assert desk.side(Side.BUY) == []
    desk.mid = int(rung(-2.2))
    desk.run(10)
    assert desk.memory.pairs["BTC/EUR"].hung.anchor.center == center


def test_without_coins_to_sell_the_grid_does_not_climb() -> None:
    desk = desk_with(grid={"base_reserve": "0.16"})
    assert desk.side(Side.SELL) == []
    desk.mid = int(rung(2.2))
    desk.run(10)
    assert desk.memory.pairs["BTC/EUR"].hung.anchor.center == 0
    both = quoting()
    both.mid = int(rung(2.2))
    both.run(10)
    assert both.memory.pairs["BTC/EUR"].hung.anchor.center == 2


def test_a_drawdown_makes_buys_smaller_only_where_the_hedge_is_on() -> None:
    for on, scale in ((True, 0.75), (False, 1.0)):
        desk = desk_with(hedge={"enabled": on, "trigger_drawdown_pct": 0.02})
        risk = desk.memory.risk
        desk.memory.risk = replace(risk, peak=risk.peak / 0.88)
        desk.run(1)
        assert any("hedge" in why for why in plan_of(desk).why) is on
        assert plan_of(desk).buy_scale == scale


def test_an_imbalance_of_the_book_leans_all_rungs_by_quarters_of_a_step() -> None:
    desk = quoting(Desk(make_config(skew={"obi_sensitivity_bps": "20"})))
    pair = desk.memory.pairs["BTC/EUR"]
    before = [order.price for order in desk.side(Side.BUY)]
    desk.feeding = False
    for number in range(120):
        desk.now, desk.wall = Ns(desk.now + SECOND // 2), Ns(desk.wall + SECOND // 2)
        book = make_book(desk.now, MID, seq=1_000 + number)
        desk.mail.append(replace(book, bid_qtys=(10**9,), ask_qtys=(10**6,)))
        desk.step()
    assert pair.imbalance.value > 0.8
    assert pair.hung.lean == leaned(0.0, plan_of(desk).lean_bps, pair.hung.anchor.step) > 0.0
    after = [order.price for order in desk.side(Side.BUY)]
    assert all(new > old for new, old in zip(after, before, strict=True))
    assert pair.hung.anchor.center == 0


def test_an_order_says_until_when_it_may_take_effect_in_the_exchanges_time() -> None:
    desk = Desk()
    desk.memory.skew = Ns(SECOND // 2)
    desk.begin()
    adds = [command for command in desk.sent if isinstance(command, orders.AddOrder)]
    assert len(adds) == 10
    births = {intent.wall for intent in desk.intents.values()}
    assert len(births) == 1
    [born] = births
    assert {add.deadline for add in adds} == {born + SECOND // 2 + 4 * SECOND}


def test_the_peak_is_kept_when_it_has_grown_and_at_most_once_a_minute() -> None:
    desk = quoting()
    first = float(desk.facts["peak"])
    kept: list[str] = []
    for second in range(150):
        desk.mid = MID + second * 5
        desk.run(1)
        if not kept or kept[-1] != desk.facts["peak"]:
            kept.append(desk.facts["peak"])
    assert 3 <= len(kept) <= 4
    assert float(kept[-1]) > first
    desk.mid = MID
    desk.run(2 * MINUTE / SECOND)
    last = desk.facts["peak"]
    desk.run(2 * MINUTE / SECOND)
    assert desk.facts["peak"] == last == repr(desk.memory.risk.peak)


def test_a_halt_is_kept_recorded_and_told_once() -> None:
    desk = quoting(Desk(make_config(limits={"rejects_in_a_row": 2})))
    desk.memory.rejects_in_a_row = 2
    desk.run(5)
    said = [tell for tell in desk.told if tell.key == "halt"]
    assert [(tell.level, "halted: " + desk.memory.halt == tell.text) for tell in said] == [
        ("critical", True)
    ]
    assert desk.facts["halt"] == desk.memory.halt != ""
    since = len(desk.sent)
    desk.run(5)
    assert changes(desk, since) == []


def test_open_matters_are_bounded_and_the_newest_stays_last() -> None:
    desk = quoting()
    memory = desk.memory
    memory.alerts = {f"old-{n}": ("warning", "x") for n in range(ALERTS_KEPT)}
    memory.rejects_in_a_row = 10**6
    desk.run(0.5)
    assert len(memory.alerts) == ALERTS_KEPT
    assert "old-0" not in memory.alerts
    assert list(memory.alerts)[-1] == "halt"
    assert any(isinstance(tell, Tell) and tell.level == "info" for tell in desk.told)
    assert not any(level == "info" for level, _ in memory.alerts.values())


def test_a_spacing_that_is_asked_for_widens_the_lattice_on_its_centre() -> None:
    desk = desk_with(grid={"min_spacing_bps": "80"})
    pair = desk.memory.pairs["BTC/EUR"]
    assert pair.hung.anchor.step == pytest.approx(0.008)
    assert pair.floor_bps == pytest.approx(STEP * 10_000)


@pytest.mark.parametrize(("sell_floor", "paired"), [("paired", True), ("none", False)])
def test_sells_stand_above_the_buys_they_answer_where_they_are_paired(
    sell_floor: str, paired: bool
) -> None:
    desk = quoting(Desk(make_config(grid={"sell_floor": sell_floor})))
    desk.memory.pairs["BTC/EUR"].unmatched = ((int(rung(2)), 10**9),)
    desk.run(1)
    withheld = [k for _, k, why in missing_of(desk) if why == "below an unmatched buy plus fees"]
    assert withheld == ([1, 2] if paired else [])


def missing_of(desk: Desk) -> list[tuple[Side, int, str]]:
    laid = desk.memory.pairs["BTC/EUR"].laid
    assert laid is not None
    return list(laid.missing)


def test_each_order_is_charged_to_the_rate_counter_of_its_pair() -> None:
    desk = Desk()
    desk.connect()
    while not desk.resting:
        desk.run(0.5)
    pair = desk.memory.pairs["BTC/EUR"]
    assert pair.limiter.value(desk.now, desk.config.rate_limit) == len(desk.resting) == 10


def test_each_cancel_says_what_asked_for_it() -> None:
    desk = quoting()
    desk.deaf = (orders.CancelOrder,)
    desk.hold("lunch")
    notes = desk.memory.pairs["BTC/EUR"].notes
    assert len(notes) == 10
    assert set(notes.values()) == {"on hold: lunch"}


def test_a_pause_of_one_side_stands_in_the_plan_beside_what_else_decided() -> None:
    desk = desk_with(regime={"range_bound": ANY_SHARE})
    desk.memory.risk = replace(desk.memory.risk, peak=desk.memory.risk.equity / 0.84)
    desk.run(2)
    assert desk.side(Side.BUY) == []
    assert "pause: RISK_PAUSE_ACTIVE" in plan_of(desk).why


@pytest.mark.parametrize("watched", [True, False])
def test_a_view_for_people_is_made_only_where_somebody_looks(watched: bool) -> None:
    core = Core(make_memory(), watched=watched)
    out = [item for each in range(8) for item in core.step(Ns(BOOT + each * SECOND // 2), [])]
    assert any(isinstance(item, Report) for item in out) is watched


@pytest.mark.parametrize(("side", "share"), [(Side.BUY, 0.1), (Side.SELL, 0.9)])
def test_an_order_that_is_the_best_of_its_own_side_is_withdrawn_like_any_other(
    side: Side, share: float
) -> None:
    """Only where the other side stands at its price is its fill on the way."""
    asked = {"btc_min_pct": share, "btc_target_pct": share, "btc_max_pct": share}
    desk = quoting(Desk(make_config(regime={"chaos": asked})))
    desk.mid = desk.side(side)[0].price + 5 * side.sign  # the best price of its side is ours
    pair = desk.memory.pairs["BTC/EUR"]
    pair.regime = replace(pair.regime, kind=Kind.CHAOS)
    desk.run(2)
    assert desk.side(side) == []


def test_the_anchor_is_kept_on_paper_when_it_moves_and_the_next_life_hangs_there() -> None:
    desk = quoting()
    kept = desk.facts["anchor:BTC/EUR"]
    desk.facts.clear()
    desk.run(5)
    assert "anchor:BTC/EUR" not in desk.facts  # it has not moved
    desk.facts["anchor:BTC/EUR"] = kept
    before = desk.memory.pairs["BTC/EUR"].hung.anchor
    desk.restart()
    desk.mid += 1_000
    desk.begin()
    assert desk.memory.pairs["BTC/EUR"].hung.anchor == before


def test_the_intent_on_paper_is_the_order_that_leaves() -> None:
    desk = quoting()
    for name, order in desk.resting.items():
        kept = desk.intents[name]
        assert (kept.price, kept.qty, kept.side) == (order.price, order.qty, order.side)
        assert desk.slot(kept.slot).cl_ord_id == name


def test_what_a_person_sees_change_is_reported_at_once_and_the_rest_each_second() -> None:
    desk = quoting()

    def reports(changed: str = "") -> bool:
        desk.now = Ns(desk.now + SECOND // 4)
        desk.memory.hold = changed
        return any(isinstance(item, Report) for item in desk.step())

    while not reports():
        pass
    assert [reports() for _ in range(4)] == [False, False, False, True]
    assert reports("lunch")


def test_each_cancel_is_charged_as_dear_as_its_order_is_young() -> None:
    desk = Desk()
    desk.connect()
    while not desk.resting:
        desk.run(0.5)
    pair, cfg = desk.memory.pairs["BTC/EUR"], desk.config.rate_limit
    before = pair.limiter.value(desk.now, cfg)
    desk.hold("lunch")
    left = max(0.0, before - cfg.decay_rate * 0.5)
    assert pair.limiter.value(desk.now, cfg) == pytest.approx(left + 10 * 8)
