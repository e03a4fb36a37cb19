"""What is said of all prices between two holds at each of them."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from shared.units import Ns, Sats, Ticks
from strategy.core.between import (
    Rungs,
    Wished,
    _budget,
    _buys_stay,
    _sells_stay,
    _sizes_stay,
    alike,
    wished,
)
from strategy.core.gate import off_collar
from strategy.core.grid import Hung, hang, stays
from strategy.core.ground import survey
from strategy.core.imbalance import Imbalance
from strategy.core.inventory import buys_at, rooms, sells_at
from strategy.core.market import View
from strategy.core.plan import Anchor, Laid, Plan
from strategy.core.skew import tilt, tilts
from tests.unit.strategy.core.build import CONFIG, MID, STEP, make_config, make_plan, make_view
from tests.unit.strategy.core.desk import Desk

NOW = Ns(1_000_000_000_000)
ANCHOR = Anchor(float(MID), STEP)
flags = st.tuples(st.booleans(), st.booleans())


def euros(rung: float) -> Decimal:
    return Decimal(int(ANCHOR.price(0) * (1 + STEP) ** rung)) / 10


@given(
    st.tuples(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0)),
    flags,
    st.sampled_from(["off", "up", "down", "both"]),
    st.none() | st.tuples(st.floats(-4.0, 0.0), st.floats(0.0, 4.0)),
)
def test_an_anchor_that_stays_between_two_prices_stays_at_each_of_them(
    rungs: tuple[float, float],
    follow: tuple[bool, bool],
    trailing: str,
    bounds: tuple[float, float] | None,
) -> None:
    cfg = replace(CONFIG.grid, trailing=trailing)
    if bounds is not None:
        cfg = replace(cfg, lowest=euros(bounds[0]), highest=euros(bounds[1]))
    mids = [MID * (1 + STEP) ** rung for rung in rungs]
    if not stays(ANCHOR, (make_view(mids[0]), make_view(mids[1])), follow, cfg):
        return
    for part in range(21):
        mid = mids[0] + (mids[1] - mids[0]) * part / 20
        assert hang(Hung(ANCHOR), make_view(mid), STEP, follow, NOW, cfg) == Hung(ANCHOR)


def test_a_bound_between_two_rungs_holds_the_anchor_from_the_second_on_alone() -> None:
    cfg = replace(CONFIG.grid, lowest=euros(-1.5))
    below, above = (make_view(MID * (1 + STEP) ** rung) for rung in (-2.2, -1.0))
    assert hang(Hung(ANCHOR), below, STEP, (True, True), NOW, cfg) == Hung(ANCHOR)
    assert hang(Hung(ANCHOR), above, STEP, (True, True), NOW, cfg) == Hung(ANCHOR)
    between = make_view(MID * (1 + STEP) ** -1.7)
    assert hang(Hung(ANCHOR), between, STEP, (True, True), NOW, cfg).away_since == NOW
    assert not stays(ANCHOR, (below, above), (True, True), cfg)
    assert stays(ANCHOR, (below, above), (False, True), cfg)


def test_the_tilt_changes_at_its_shares_and_nowhere_else() -> None:
    values = CONFIG.regime.range_bound
    edges = sorted(tilts(values))
    places = [0.0, *edges, 1.0]
    for low, high in pairwise(places):
        inside = [low + (high - low) * part for part in (0.02, 0.5, 0.98)]
        plans = [tilt(make_plan(), part, values) for part in inside]
        assert len({(plan.buy_scale, plan.sell_scale) for plan in plans}) == 1


@pytest.mark.parametrize(
    ("price", "mids", "refused"),
    [
        (112, (100.0, 101.0), True),
        (111, (100.0, 101.0), False),  # from 101 on it lies within
        (89, (100.0, 101.0), True),
        (91, (100.0, 102.0), False),
        (112, (101.0, 100.0), True),  # whichever comes first
    ],
)
def test_a_price_lies_off_the_collar_if_it_does_at_each_mid(
    price: int, mids: tuple[float, float], refused: bool
) -> None:
    assert off_collar(price, mids, 0.10) is refused


class Account(Struct, frozen=True):
    """EUR, BTC; and of buys without a sell: EUR below the mid, and BTC."""

    money: int
    coins: Decimal
    unmatched: tuple[tuple[int, Decimal], ...]


accounts = st.builds(
    Account,
    st.sampled_from([0, 600, 1_400, 9_000]),
    st.sampled_from([Decimal(each) for each in ("0", "0.0123", "0.03", "0.16")]),
    st.lists(
        st.tuples(st.integers(-900, 900), st.sampled_from([Decimal("0.0058"), Decimal("0.011")])),
        max_size=3,
    ).map(tuple),
)


class Stages:
    """Stages 6 to 9 of a core that quotes, for an account that it is told, at any price."""

    def __init__(
        self, held: Account, collar: float = 0.3, cap: float = 1.0, filled: int = 0, lean: float = 0
    ) -> None:
        desk = Desk(
            make_config(
                limits={"collar_pct": collar},
                inventory={"rebalance_cap_pct": cap},
                grid={"sell_floor": "paired"},
                skew={"obi_sensitivity_bps": "10", "max_skew_bps": "30"},
            )
        )
        desk.connect()
        desk.run(5)
        self.core, self.memory = desk.core, desk.core.memory
        self.pair = self.memory.pairs["BTC/EUR"]
        self.memory.balances = {"EUR": Decimal(held.money), "BTC": held.coins}
        bought = sorted((MID - 10 * below, int(qty * 10**8)) for below, qty in held.unmatched)
        self.pair.unmatched = tuple((price, Sats(qty)) for price, qty in bought)
        slots = [replace(slot, filled=Sats(filled)) for slot in self.pair.slots if slot.qty]
        self.pair.slots = slots + [slot for slot in self.pair.slots if not slot.qty]
        self.pair.imbalance = Imbalance(lean, self.memory.now)
        self.pair.hung = self.wish(MID)[1]

    def view(self, bid: int) -> View:
        assert self.pair.view is not None
        return replace(self.pair.view, bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)

    def wish(self, bid: int) -> tuple[Plan, Hung, Laid]:
        ground = survey(self.memory, self.pair, self.memory.now)
        return self.core._wish(self.pair, self.view(bid), ground, self.memory.now)

    def here(self, bid: int) -> Wished | None:
        """None where the anchor would move at this price."""
        wish = self.wish(bid)
        if wish[1] != self.pair.hung:
            return None
        return wished(self.memory, self.pair, self.view(bid), wish)

    def alike(self, here: Wished, bid: int) -> bool:
        return alike(self.memory, self.pair, here, bid)


@settings(max_examples=150)
@given(
    accounts,
    st.sampled_from([0.003, 0.02, 0.3]),
    st.sampled_from([0.05, 0.3, 1.0]),
    st.tuples(st.sampled_from([0, 0, 200_000]), st.sampled_from([0.0, 0.9])),
    st.integers(-4_000, 4_000),
    st.lists(st.integers(-12_000, 12_000), min_size=4, max_size=4),
)
def test_what_is_alike_at_two_prices_is_wished_at_each_price_between(
    held: Account, collar: float, cap: float, more: tuple[int, float], shift: int, ways: list[int]
) -> None:
    stages, begin = Stages(held, collar, cap, *more), MID + shift
    here = stages.here(begin)
    if here is None:
        return
    _, hung, laid = stages.wish(begin)
    for way in (part for each in ways for part in (each, each // 8, each // 64)):
        if not stages.alike(here, begin + way):
            continue
        for part in range(1, 14):
            _, other, there = stages.wish(begin + way * part // 13)
            assert (there.buys, there.sells, other) == (laid.buys, laid.sells, hung), part


def account(money: int, coins: str, *unmatched: int) -> Account:
    """unmatched: buys of one rung each, so far below the mid (EUR)."""
    bought = tuple((below, Decimal("0.0058")) for below in unmatched)
    return Account(money, Decimal(coins), bought)


@pytest.mark.parametrize(
    ("held", "collar", "cap", "ways"),
    [
        # What the regime leaves to be bought falls with the price, what one step may move rises.
        (account(880, "0.012"), 0.3, 1.0, (-2_500, 2_500)),
        (account(2_312, "0.012"), 0.3, 0.3, (-2_500, 2_500)),
        # The reverse of the sells: one more, one fewer, and a small rest that goes along.
        (account(1_625, "0.012"), 0.3, 1.0, (-2_500, 2_500)),
        (account(1_565, "0.012"), 0.3, 1.0, (-2_500, 2_500)),
        (account(1_592, "0.02"), 0.3, 0.3, (-2_510, 2_500)),
        (account(1_566, "0.02"), 0.3, 0.15, (-2_500, 2_500)),
        # The touch at the first rung, and at one whose sell stands above it.
        (account(9_000, "0.16"), 0.3, 1.0, (0, 3_800)),
        (account(9_000, "0.16"), 0.3, 1.0, (0, -3_800)),
        (account(9_000, "0.16", -98), 0.3, 1.0, (0, 3_800)),
        # The collar: the farthest of each side leaves as the market goes away, or comes.
        (account(9_000, "0.16"), 0.017, 1.0, (0, 3_200)),
        (account(9_000, "0.16"), 0.017, 1.0, (0, -3_200)),
        # The anchor follows a market only once there is something to sell, or to buy.
        (account(6_842, "0.02"), 0.3, 1.0, (5_010, 7_000)),
        (account(1_688, "0.08"), 0.3, 1.0, (-5_010, -7_000)),
    ],
)
def test_alike_ends_at_the_tick_at_which_something_else_is_wished(
    held: Account, collar: float, cap: float, ways: tuple[int, int]
) -> None:
    stages = Stages(held, collar, cap)
    for begin, until in (ways, ways[::-1]):
        _, hung, laid = stages.wish(MID + begin)
        here = stages.here(MID + begin)
        if here is None:
            continue  # there the anchor follows
        bids = range(MID + begin, MID + until, 1 if until > begin else -1)

        def differs(bid: int, seen: tuple[object, ...] = (hung, laid.buys, laid.sells)) -> bool:
            _, other, there = stages.wish(bid)
            return (other, there.buys, there.sells) != seen

        place = bisect_left(bids, True, key=differs)
        assert place < len(bids), "something else is wished on the way"
        assert not stages.alike(here, bids[place])
        assert stages.alike(here, bids[max(0, place - 3)])


RICH: Final = Account(9_000, Decimal("0.16"), ())


def test_nothing_that_binds_reaches_as_far_as_the_touch() -> None:
    stages = Stages(RICH)
    here = stages.here(MID)
    assert here is not None
    assert stages.alike(here, here.buys.highest)
    assert not stages.alike(here, here.buys.highest - 1)
    assert stages.alike(here, here.sells.lowest - 1)
    assert not stages.alike(here, here.sells.lowest)


@pytest.mark.parametrize(
    ("held", "here", "there", "budget"),
    [
        (50, (80, 90), (60, 70), (50, 50)),  # what binds it is no price
        (50, (80, 90), (40, 95), (40, 50)),
        (80, (80, 90), (60, 99), (60, 80)),  # the account does: it may be more on the way
        (80, (80, 90), (95, 70), (70, 90)),
        (0, (-5, 90), (10, 80), (0, 10)),
        (0, (-5, 90), (-1, 80), (0, 0)),
    ],
)
def test_a_budget_is_between_its_least_and_its_largest_on_the_way(
    held: int, here: tuple[int, int], there: tuple[int, int], budget: tuple[int, int]
) -> None:
    assert _budget(held, here, there) == budget


LOW, HIGH = (
    replace(make_view(MID), bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)
    for bid in (1_000, 1_010)
)


@pytest.mark.parametrize(
    ("rungs", "stay"),
    [
        (Rungs(905, 1_000, 50, ()), True),
        (Rungs(905, 1_001, 50, ()), False),  # the touch at the lower end
        (Rungs(904, 1_000, 50, ()), False),  # the collar at the higher one
        (Rungs(905, 1_000, 51, ()), False),
        (Rungs(905, 1_000, 50, ((1_010, 60),)), False),
        (Rungs(905, 1_000, 50, ((1_011, 60),)), True),
        (Rungs(905, 1_000, 50, ((1_010, 61),)), True),
        (Rungs(905, 1_000, 50, ((900, 60),)), False),
        (Rungs(905, 1_000, 50, ((899, 60),)), True),
    ],
)
def test_buys_stay_up_to_the_tick_and_the_unit(rungs: Rungs, stay: bool) -> None:
    assert _buys_stay(rungs, (LOW, HIGH), (900.0, 905.0), (50, 60)) is stay


@pytest.mark.parametrize(
    ("rungs", "budget", "stay"),
    [
        (Rungs(1_011, 1_100, 50_000, ()), (55_000, 60_000), True),
        (Rungs(1_010, 1_100, 50_000, ()), (55_000, 60_000), False),  # the touch at the higher end
        (Rungs(1_011, 1_101, 50_000, ()), (55_000, 60_000), False),  # the collar at the lower one
        (Rungs(1_011, 1_100, 50_000, ()), (54_999, 60_000), False),  # a rest that may go along
        (Rungs(1_011, 1_100, 50_000, ()), (54_999, 54_999), True),
        (Rungs(1_011, 1_100, 0, ()), (10, 60_000), True),
        (Rungs(1_011, 1_100, 0, ((1_001, 60_000),)), (10, 60_000), False),
        (Rungs(1_011, 1_100, 0, ((1_000, 60_000),)), (10, 60_000), True),
        (Rungs(1_011, 1_100, 0, ((1_001, 60_001),)), (10, 60_000), True),
        (Rungs(1_011, 1_100, 0, ((1_105, 60_000),)), (10, 60_000), False),
        (Rungs(1_011, 1_100, 0, ((1_106, 60_000),)), (10, 60_000), True),
    ],
)
def test_sells_stay_up_to_the_tick_and_the_sat(
    rungs: Rungs, budget: tuple[int, int], stay: bool
) -> None:
    assert _sells_stay(rungs, (LOW, HIGH), (1_100.0, 1_105.0), budget) is stay


def test_a_side_is_too_poor_for_its_sizes_to_matter_below_the_least_rung_there_may_be() -> None:
    stages = Stages(RICH)
    here = stages.here(MID)
    assert here is not None
    view, least = stages.view(MID + 40), here.view.pair.qty_min
    buys, sells = (here._replace(sizes=each) for each in ((0.5, 1.0), (1.0, 0.5)))
    quarter = here.plan.notional // 4
    assert not _sizes_stay(stages.pair, buys, view, (quarter, 0))
    assert _sizes_stay(stages.pair, buys, view, (quarter - 1, 0))
    assert not _sizes_stay(stages.pair, sells, view, (0, least))
    assert _sizes_stay(stages.pair, sells, view, (0, least - 1))


def test_a_rung_that_a_larger_budget_on_the_way_would_pay_for_is_not_alike() -> None:
    stages = Stages(RICH)
    found = stages.here(MID)
    assert found is not None
    withheld = ((found.buys.lowest - 3_000, found.buys.used + 10**12),)
    here = found._replace(buys=found.buys._replace(withheld=withheld))
    assert not stages.alike(here, MID + 20), "there is money for it"
    poor = here.plan.buy_units - here.buys.used
    dear = ((found.buys.lowest - 3_000, found.buys.used + poor + 1),)
    assert stages.alike(here._replace(buys=found.buys._replace(withheld=dear)), MID + 20)


@pytest.mark.parametrize(
    ("held", "filled"),
    # Enough for one rung; and for what is left of one that has filled by half.
    [(Account(1_100, Decimal("0.012"), ()), 0), (Account(755, Decimal("0.0078"), ()), 300_000)],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_rung_behind_the_touch_comes_before_those_that_have_the_budget_now(
    held: Account, filled: int, side: int
) -> None:
    stages = Stages(held, filled=filled)
    begin, until = MID + side * 4_000, MID + side * 3_200  # the first rung stands between them
    here = stages.here(begin)
    assert here is not None
    one, other = stages.wish(begin)[2], stages.wish(until)[2]
    wishes = [(laid.sells if side > 0 else laid.buys) for laid in (one, other)]
    assert [[wish.rung for wish in each] for each in wishes] == [[2], [1]]
    assert not stages.alike(here, until)
    assert stages.alike(here, begin - side * 400)


def test_a_small_rest_that_goes_along_with_the_last_sell_is_alike_only_if_it_cannot_change() -> (
    None
):
    stages = Stages(RICH)
    found = stages.here(MID)
    assert found is not None
    rest = found.sells.used + found.view.pair.qty_min - 1
    small = replace(found.plan, sell_sats=rest)
    bound = replace(found.room, sell=rest)
    assert stages.alike(found._replace(plan=small), MID + 20)
    assert not stages.alike(found._replace(plan=small, room=bound), MID + 20)


def test_a_rung_that_less_on_the_way_would_not_pay_for_is_not_alike() -> None:
    stages = Stages(RICH)
    found = stages.here(MID)
    assert found is not None
    bound = found._replace(plan=replace(found.plan, buy_units=found.buys.used))
    assert stages.alike(bound, MID - 20)
    assert not stages.alike(bound._replace(buys=bound.buys._replace(used=10**16)), MID - 20)


def test_sizes_that_the_tilt_changes_on_the_way_are_not_alike() -> None:
    part = tilts(CONFIG.regime.range_bound)[2]  # of the account in coins, at the mid
    coins = Decimal(part * 9_000 / (MID / 10 * (1 - part))).quantize(Decimal("1e-8"))
    stages = Stages(Account(9_000, coins, ()))
    here = stages.here(MID - 40)
    assert here is not None
    assert stages.alike(here, MID - 80)
    assert not stages.alike(here, MID + 40)
    assert stages.wish(MID + 40)[0].buy_scale < here.plan.buy_scale


def test_sizes_of_a_side_that_may_wish_nothing_may_change() -> None:
    stages = Stages(Account(900, Decimal("0.16"), ()))  # more coins than the regime allows
    here = stages.here(MID)
    assert here is not None
    assert here.plan.buy_units == 0
    tilted = here._replace(sizes=(here.sizes[0] / 2, here.sizes[1]))
    assert stages.alike(tilted, MID + 40)
    assert not stages.alike(tilted._replace(sizes=(here.sizes[0], 0.5)), MID + 40)
    stages.pair.slots = [replace(each, filled=Sats(1)) for each in stages.pair.slots]
    assert not stages.alike(tilted, MID + 40), "what has filled in part needs no budget"


def test_sizes_of_a_side_that_could_pay_for_no_more_than_half_a_rung_matter_in_coarse_steps() -> (
    None
):
    stages = Stages(account(467, "0.0102"))
    assert stages.pair.view is not None
    coarse = replace(stages.pair.view.pair, qty_step=230_000)  # 195 EUR: one of them, or two
    stages.pair.view = replace(stages.pair.view, pair=coarse)
    stages.pair.hung = stages.wish(MID)[1]
    part = tilts(CONFIG.regime.range_bound)[2]
    edge = int(part * 467 / (0.0102 * (1 - part)) * 10)
    here = stages.here(edge - 20)
    assert here is not None
    assert 2 * here.plan.buy_units < here.plan.notional
    buys = [len(stages.wish(bid)[2].buys) for bid in (edge - 20, edge + 20)]
    assert buys == [0, 1]
    assert not stages.alike(here, edge + 20)


def test_the_mids_of_a_budget_are_those_at_which_the_account_leaves_just_so_much() -> None:
    account, values = (16_000_000, 14_000 * 10**9), CONFIG.regime.range_bound
    for mid in (600_000.0, 850_000.0, 1_100_000.0):
        room = rooms(mid, account, 0.3, values)
        for budget, mids in (
            (room.buy, list(buys_at(room.buy, account, 0.3, values))),
            (room.buy_cap, list(buys_at(room.buy_cap, account, 0.3, values))),
            (room.sell, list(sells_at(room.sell, account, 0.3, values))),
            (room.sell_cap, list(sells_at(room.sell_cap, account, 0.3, values))),
        ):
            assert any(abs(each - mid) < 1 for each in mids), budget
