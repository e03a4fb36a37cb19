"""What a tick keeps: known again only while what it depends on is the same."""

from __future__ import annotations

from msgspec.structs import replace

from shared import frames
from shared.units import Ns
from strategy.core.kept import note_rest, restless, rules_of
from strategy.core.memory import PairMemory
from strategy.core.plan import Laid
from strategy.core.slots import State
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


def test_where_each_order_is_as_wished_no_side_is_looked_at_again() -> None:
    _, pair, laid = quoting()
    assert restless(pair, laid) == []
    assert pair.rested[1] == pair.slots
    assert pair.rested[1] is not pair.slots


def test_a_side_of_which_one_order_or_one_wish_differs_is_looked_at() -> None:
    _, pair, laid = quoting()
    wish = laid.buys[0]
    other = Laid((replace(wish, qty=wish.qty + 1), *laid.buys[1:]), laid.sells, ())
    assert [wishes for _, wishes in restless(pair, other)] == [other.buys]
    place = pair.place("b1")
    pair.slots[place] = replace(pair.slots[place], state=State.AMEND_PENDING)
    assert [wishes for _, wishes in restless(pair, laid)] == [laid.buys]


def test_an_order_within_the_tolerance_rests_once_that_was_found() -> None:
    desk, pair, laid = quoting()
    wish = laid.buys[0]
    near = Laid((replace(wish, qty=wish.qty + wish.qty // 20), *laid.buys[1:]), laid.sells, ())
    assert restless(pair, near)
    rules = rules_of(pair, make_view(), desk.config.grid)
    note_rest(pair, near, rules)
    assert restless(pair, near) == []
    far = Laid((replace(wish, qty=wish.qty * 2), *laid.buys[1:]), laid.sells, ())
    note_rest(pair, far, rules)
    assert restless(pair, far), "it waits to be changed: it does not rest"


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
