"""Until when a quiet stretch lasts: orders that age are asked about no later than they may move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core import deadman
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory, Permit
from strategy.core.pipeline import Core
from strategy.core.plan import Laid
from strategy.core.quiet import Band, _aged_at, _paused, _refused, _until
from strategy.core.regime import Kind
from strategy.core.risk import Pause
from strategy.core.slots import Add, Cancel, Intent, Slot, State, Wish
from strategy.ledger.tax import BERLIN
from tests.unit.strategy.core.build import MID, make_slot
from tests.unit.strategy.core.desk import Desk

QTY: Final = 588_000
# Where orders and wishes stand, in thousandths of the step from rung to rung.
PLACES: Final = (0, 100, 140, 1_000, 1_900, 2_000, 3_000)
prices = st.sampled_from([MID - 3_315 - 33 * place // 10 for place in PLACES])
qtys = st.sampled_from([QTY, QTY, QTY * 9 // 10, QTY // 2])
wishes = st.lists(st.tuples(prices, qtys), max_size=4, unique_by=lambda each: each[0])
held = st.lists(
    # Price, quantity, seconds since it changed, and until it may be touched again.
    st.tuples(prices, qtys, st.sampled_from([1, 10, 20, 3_000, 4_000]), st.sampled_from([0, 0, 8])),
    max_size=4,
)


def core() -> tuple[Core, PairMemory]:
    desk = Desk()
    desk.connect()
    desk.run(3)
    return desk.core, desk.core.memory.pairs["BTC/EUR"]


CORE, PAIR = core()
SELLS: Final = [slot for slot in PAIR.slots if slot.side is Side.SELL]
NOW: Final = Ns(10_000 * SECOND)


def asked(laid: Laid, now: int) -> list[Intent]:
    return CORE._decide(PAIR, PAIR.view, laid, Ns(now))


def aged_at(laid: Laid) -> Ns:
    assert PAIR.view is not None
    CORE.memory.now = NOW
    return _aged_at(CORE.memory, PAIR, PAIR.view, laid)


# One of two orders at one price has to move; the smaller one is enlarged where it stands.
@example([(MID - 3_315, QTY), (MID - 9_915, QTY)], [(MID - 9_915, QTY, 1, 0)] * 2)
@example([(MID - 3_315, QTY)], [(MID - 3_315, QTY // 2, 3_000, 0)])
@given(wishes, held)
def test_nothing_else_is_asked_for_before_the_moment_at_which_an_order_has_aged(
    wished: list[tuple[int, int]], orders: list[tuple[int, int, int, int]]
) -> None:
    slots = [
        make_slot(
            f"b{place}", State.LIVE, price=Ticks(price), qty=Sats(qty),
            changed=Ns(NOW - ago * SECOND), not_before=Ns(NOW + wait * SECOND if wait else 0),
        )
        for place, (price, qty, ago, wait) in enumerate(orders, 1)
    ]  # fmt: skip
    PAIR.slots = [*slots, make_slot("b9"), *SELLS]
    laid = Laid(
        tuple(
            Wish(Side.BUY, Ticks(price), Sats(qty), rung)
            for rung, (price, qty) in enumerate(sorted(wished, reverse=True), 1)
        ),
        (),
        (),
    )
    until, first = aged_at(laid), asked(laid, NOW)
    assert until > NOW
    for late in (*range(1, 16), 595, 605, 3_590, 3_598, 3_599, 3_601, 10_000, 10**6):
        for moment in (NOW + late * SECOND - 1, NOW + late * SECOND):
            if moment < until:
                assert asked(laid, moment) == first, late


def test_an_order_that_stands_as_it_is_wished_ages_without_an_end() -> None:
    small = make_slot(
        "b2", State.LIVE, price=Ticks(MID - 6_630), qty=Sats(QTY // 2), changed=Ns(NOW - SECOND)
    )
    stands = make_slot("b1", State.LIVE, price=Ticks(MID - 3_315), qty=Sats(QTY), changed=NOW)
    PAIR.slots = [stands, small, *SELLS]
    buys = tuple(
        Wish(Side.BUY, slot.price, Sats(QTY), rung) for rung, slot in enumerate((stands, small), 1)
    )
    enlarged = small.changed + CORE.memory.config.grid.enlarge_age_sec * SECOND
    assert aged_at(Laid(buys, (), ())) == enlarged
    assert aged_at(Laid(buys[:1], (), ())) == small.changed + 15 * SECOND, "it may move by then"
    PAIR.slots = [stands, *SELLS]
    assert aged_at(Laid(buys[:1], (), ())) > NOW + 10**9 * SECOND


def test_a_refusal_for_the_slow_means_sake_lasts_until_the_mean_may_have_come_near() -> None:
    view, cfg = PAIR.view, CORE.memory.config.limits
    assert view is not None
    far = Add(make_slot("s1"), Wish(Side.SELL, Ticks(int(view.mid * 1.09)), Sats(QTY), 1))
    slow = PAIR.reference
    try:
        PAIR.reference = replace(slow, slow=view.mid * 0.98)
        found = _refused(CORE.memory, PAIR, view, [far])
        assert found is not None
        assert found.by_mid == []
        assert found.by_mean == [pytest.approx(far.wish.price / (1 + cfg.collar_pct), abs=0.01)]
        assert _refused(CORE.memory, PAIR, replace(view, vwap=view.mid), [far]) is None
        PAIR.reference = replace(slow, slow=view.mid * 1.02)
        assert _refused(CORE.memory, PAIR, view, [far]) is None, "it is let through"
        farther = replace(far, wish=replace(far.wish, price=Ticks(int(view.mid * 1.2))))
        both = _refused(CORE.memory, PAIR, view, [farther])
        assert both is not None
        assert both.by_mid == [farther.wish.price]
        assert _refused(CORE.memory, PAIR, view, [Cancel(make_slot("s1"), "")]) is None
    finally:
        PAIR.reference = slow


def quiet() -> tuple[Core, Memory, PairMemory]:
    """A core at rest whose book is one Tick wide."""
    found, pair = core()
    pair.view = at(pair, MID)
    return found, found.memory, pair


def at(pair: PairMemory, bid: int, wide: int = 1) -> View:
    """The pair's market with this best bid, and the ask so many Ticks above."""
    assert pair.view is not None
    return replace(pair.view, bid=Ticks(bid), ask=Ticks(bid + wide), mid=bid + wide / 2)


def in_state(pair: PairMemory, state: State) -> list[Slot]:
    """The slots, of which one that rests is in this state."""
    place = next(place for place, slot in enumerate(pair.slots) if slot.state is State.LIVE)
    slots = list(pair.slots)
    slots[place] = replace(slots[place], state=state)
    return slots


UNDER_WAY: Final[dict[str, Callable[[Memory, PairMemory], object]]] = {
    "an order in flight": lambda _, pair: setattr(
        pair, "slots", in_state(pair, State.CANCEL_PENDING)
    ),
    "an order lost": lambda _, pair: setattr(pair, "slots", in_state(pair, State.LOST)),
    "an order of ours at the touch": lambda _, pair: setattr(
        pair, "view", at(pair, pair.open.highest_buy)
    ),
    "a market that is away": lambda memory, pair: setattr(
        pair, "hung", replace(pair.hung, away_since=memory.now)
    ),
    "a wide book": lambda _, pair: setattr(pair, "view", at(pair, MID, 2)),
    "a list that is wanted": lambda memory, _: setattr(
        memory, "asking", replace(memory.asking, wanted=True)
    ),
    "a list that was asked for": lambda memory, _: setattr(
        memory, "asking", replace(memory.asking, asked_at=memory.now)
    ),
    "a flatten": lambda memory, _: setattr(memory, "flatten", True),
    "a hold": lambda memory, _: setattr(memory, "hold", "by hand"),
    "a ledger that cannot be written": lambda memory, _: setattr(
        memory, "unwritten", ("disk full", memory.now)
    ),
    "a line that is down": lambda memory, _: setattr(memory, "line", "down"),
    "an intent that is no refusal of the collar": lambda _, pair: setattr(
        pair, "intents", [Cancel(pair.slots[0], "no rung wants it")]
    ),
    "orders left in a halt": lambda memory, _: setattr(memory, "halt", "by hand"),
    "a day that begins": lambda memory, _: setattr(
        memory, "wall", Ns(memory.wall + 24 * 3_600 * SECOND)
    ),
}


@pytest.mark.parametrize("what", UNDER_WAY)
def test_no_band_is_known_while_something_is_under_way(what: str) -> None:
    found, memory, pair = quiet()
    band = found.quiet_band()
    assert band is not None
    assert pair.open.highest_buy < band.low < MID < band.high < pair.open.lowest_sell - 1
    UNDER_WAY[what](memory, pair)
    assert found.quiet_band() is None


def test_a_refusal_for_the_collars_sake_does_not_last_where_the_rate_limit_holds_it_back() -> None:
    _, memory, pair = quiet()
    assert pair.view is not None
    far = Add(make_slot("s1"), Wish(Side.SELL, Ticks(MID * 2), Sats(QTY), 1))
    assert _refused(memory, pair, pair.view, [far]) is not None
    pair.limiter = replace(pair.limiter, counter=10_000.0, at=memory.now)
    assert _refused(memory, pair, pair.view, [far]) is None


def test_a_band_ends_with_the_switch_the_next_list_of_orders_and_the_german_day() -> None:
    _, memory, _ = quiet()
    assert _until(memory) == deadman.due_at(memory.switch, memory.config.ws)
    patience = int(memory.config.time.list_sec * SECOND)
    memory.asking = replace(memory.asking, listed_at=Ns(memory.now + 9 * SECOND - patience))
    assert _until(memory) == memory.now + 9 * SECOND
    midnight = Ns(int(datetime(2026, 9, 22, tzinfo=BERLIN).timestamp()) * SECOND)
    memory.wall = Ns(midnight - 3 * SECOND)
    assert _until(memory) == memory.now + 3 * SECOND


def test_an_emergency_with_nothing_wished_is_quiet_unless_something_may_still_be_wished() -> None:
    _, memory, pair = quiet()
    memory.pause, pair.laid, pair.intents = Pause.EMERGENCY_SELL, Laid((), (), ()), []
    none = pair.permit = Permit(False, False, True, ("pause: EMERGENCY_SELL",))
    assert pair.plan is not None

    def band() -> Band | None:
        assert pair.plan is not None
        return _paused(memory, pair, pair.plan, Ns(memory.now + SECOND))

    found = band()
    assert found is not None
    assert found.low < MID < found.high
    assert found.kinds == tuple(Kind)
    for may in (replace(none, buy=True), replace(none, sell=True)):
        pair.permit = may
        assert band() is None
    pair.permit, config = none, memory.config
    memory.config = replace(config, grid=replace(config.grid, trailing="both"))
    assert band() is None  # its anchor follows the market
    memory.config, pair.plan = config, replace(pair.plan, lean_bps=1.0)
    assert band() is None
