"""The queue's sums over stretches: against adding the lots one by one, asked now and then."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import DAY, Ns
from strategy.ledger.events import KRAKEN, Origin, Units, cents_share
from strategy.ledger.fifo import Queue, QueuedLot
from strategy.ledger.parts import Basis, day_of
from strategy.ledger.rates import EURO, EURO_ITSELF, Looked
from strategy.ledger.tax import free_from_wall
from strategy.ledger.trade import LATEST

BEGIN = 1_700_000_000 * 10**9
DOINGS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 500), st.integers(1, 40)),
        st.tuples(st.just("take"), st.just(0), st.integers(1, 90)),
        st.tuples(st.just("ask"), st.integers(300, 1200), st.just(0)),
    ),
    max_size=40,
)


def lot(number: int, day: int, qty: int) -> QueuedLot:
    wall = Ns(BEGIN + day * DAY)
    money = EURO_ITSELF * 3 * qty
    basis = Basis(
        f"L{number}", KRAKEN, "BTC", wall, number, Units(qty), EURO, money,
        Looked(day_of(wall), EURO_ITSELF, False), Origin.PURCHASE, False, False,
    )  # fmt: skip
    return QueuedLot(wall, number, basis.id, qty, 7 * qty + 1, basis)


@given(DOINGS)
@settings(max_examples=200, deadline=None)
def test_what_is_left_is_the_sum_of_the_lots_however_they_came_and_went(
    doings: list[tuple[str, int, int]],
) -> None:
    """Old lots that arrive late stand in front of ones that are partly sold."""
    queue = Queue()
    for number, (what, day, qty) in enumerate([*doings, ("ask", 500, 0)]):
        if what == "put":
            queue.put(lot(number, day, qty))
            continue
        if what == "take":
            for _ in queue.take(qty):
                pass
            continue
        opened = queue.lots[queue.head :]
        left = [each.qty - each.taken for each in opened]
        assert queue.total == sum(left) == queue.left(queue.head, len(queue.lots))
        assert queue.cost == sum(
            each.cost - cents_share(each.cost, each.taken, each.qty) for each in opened
        )
        by_day: dict[object, list[int]] = {}
        for each, units in zip(opened, left, strict=True):
            by_day.setdefault(day_of(each.wall), []).append(units)
        found = [(each.day, each.lots, each.qty) for each in queue.days()]
        assert found == [(on, len(units), sum(units)) for on, units in by_day.items()]
        now = Ns(BEGIN + day * DAY)
        free = [
            units
            for each, units in zip(opened, left, strict=True)
            if free_from_wall(each.wall, 4) <= now
        ]
        assert queue.free(now, 4, LATEST) == sum(free)


def test_lots_that_are_gone_are_dropped_and_nothing_else_changes() -> None:
    queue, held, bought = Queue(), 0, 0
    for number in range(2_000):
        day, qty = number // 10, 1 + number % 9
        queue.put(lot(number, day, qty))
        held, bought = held + qty, bought + qty
        if number % 50 == 49:  # all but the last few, whose first is torn
            for _ in queue.take(held - 31):
                pass
            held = 31
        if number % 70 == 0:  # a lot that comes late stands where its date puts it
            queue.put(lot(10_000 + number, max(0, day - 1), 5))
            held, bought = held + 5, bought + 5
        assert (
            queue.total == held == sum(each.qty - each.taken for each in queue.lots[queue.head :])
        )
        assert queue.left(queue.head, len(queue.lots)) == held
        assert queue.gone == bought - held
        now = Ns(BEGIN + (day + 369) * DAY)
        free = [
            each.qty - each.taken
            for each in queue.lots[queue.head :]
            if free_from_wall(each.wall, 4) <= now
        ]
        assert queue.free(now, 4, LATEST) == sum(free)
    assert len(queue.lots) < 700
