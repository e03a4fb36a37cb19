"""What a tick keeps: known again only while what it depends on is the same."""

from __future__ import annotations

from msgspec.structs import replace

from shared import frames
from shared.units import SECOND, Ns, Sats, Side
from strategy.core.kept import note_rest, restless
from strategy.core.memory import PairMemory
from strategy.core.plan import Laid
from strategy.core.slots import Slot, State
from tests.unit.strategy.core.build import BTC_EUR, make_view
from tests.unit.strategy.core.desk import Desk


def quoting() -> tuple[Desk, PairMemory, Laid]:
    """A core whose ladder rests."""
    desk = Desk()
    desk.connect()
    desk.run(60)
    pair = desk.memory.pairs["BTC/EUR"]
    assert pair.laid is not None
    assert pair.open.busy > 0
    return desk, pair, pair.laid


def left(desk: Desk, pair: PairMemory, laid: Laid, later: int = 0) -> list[tuple[int, int]]:
    """How many orders and wishes of each side are unsettled, so many seconds later."""
    found = restless(pair, laid, Ns(desk.now + later * SECOND), desk.config.grid).left
    return [(len(side.orders), len(side.wishes)) for _, side in found]


def with_size(laid: Laid, part: float) -> Laid:
    """The same wishes with the first buy of another size."""
    first, *others = laid.buys
    return Laid((replace(first, qty=Sats(int(first.qty * part))), *others), laid.sells, ())


def test_where_each_order_is_as_wished_no_side_is_looked_at_again() -> None:
    desk, pair, laid = quoting()
    assert left(desk, pair, laid) == []
    assert pair.rested[1] == pair.slots
    assert pair.rested[1] is not pair.slots


def test_of_a_side_only_what_differs_is_looked_at() -> None:
    desk, pair, laid = quoting()
    assert left(desk, pair, with_size(laid, 0.5)) == [(1, 1)]
    assert left(desk, pair, Laid(laid.buys[1:], laid.sells[:-1], ())) == [(1, 0), (1, 0)]
    place = pair.place("b1")
    pair.slots[place] = Slot("b1", pair.name, Side.BUY)
    assert left(desk, pair, laid) == [(0, 1)]
    pair.slots[place] = replace(pair.slots[place], state=State.LOST)
    assert left(desk, pair, laid) == [(1, 1)]


def test_a_side_is_looked_at_again_when_an_order_has_grown_old() -> None:
    desk, pair, laid = quoting()
    larger, age = with_size(laid, 2.0), desk.config.grid.enlarge_age_sec
    changed = pair.slots[pair.place("b1")].changed
    young = int(age) - (desk.now - changed) // SECOND - 1
    assert left(desk, pair, larger) == []
    known = pair.restless
    assert left(desk, pair, larger, young) == []
    assert pair.restless is known, "until then nothing is worked out anew"
    assert left(desk, pair, larger, young + 1) == [(1, 1)]
    assert left(desk, pair, larger, young + 10_000) == [(1, 1)]
    assert left(desk, pair, larger, young) == [], "and asked about earlier it is young again"


def test_an_order_within_the_tolerance_rests_once_that_was_found() -> None:
    desk, pair, laid = quoting()
    near = with_size(laid, 1.05)
    near = Laid(
        (replace(near.buys[0], price=near.buys[0].price - 1), *near.buys[1:]), near.sells, ()
    )
    assert left(desk, pair, near) == [(1, 1)]
    view, cfg = make_view(), desk.config.grid
    note_rest(pair, near, view, desk.now, cfg)
    assert left(desk, pair, near) == []
    for far in (0.5, 2.0):
        wished = with_size(laid, far)
        note_rest(pair, wished, view, desk.now, cfg)
        assert left(desk, pair, wished, 100_000), "it waits to be changed: it does not rest"


def test_what_rests_on_one_side_does_not_let_a_young_order_of_the_other_rest() -> None:
    desk, pair, laid = quoting()
    first, *others = laid.sells
    near = replace(first, price=first.price + 1)
    wished = Laid(with_size(laid, 2.0).buys, (near, *others), ())
    assert left(desk, pair, wished) == [(1, 1)], "the buy is too small, but young"
    note_rest(pair, wished, make_view(), desk.now, desk.config.grid)
    assert left(desk, pair, wished, 100_000) == [(1, 1), (1, 1)]


def test_the_wishes_stay_the_same_object_while_nothing_changes() -> None:
    desk, pair, laid = quoting()
    wish = pair.wish
    desk.run(5)
    assert pair.laid is laid
    assert pair.wish is wish
    desk.mid += 100
    desk.run(1)
    assert pair.wish is not wish


def test_other_precisions_at_the_same_price_are_thought_about_anew() -> None:
    desk, pair, laid = quoting()
    coarse = replace(BTC_EUR, qty_step=100_000)
    assert any(wish.qty % 100_000 for wish in laid.buys)
    desk.run(1, frames.Instrument(Ns(1), 1, desk.now, desk.now, coarse))
    assert pair.laid is not None
    assert pair.laid.buys
    assert not any(wish.qty % 100_000 for wish in pair.laid.buys)
