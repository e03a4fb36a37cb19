"""Who may quote: the first that says no is named, and what rests is dealt with accordingly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.units import SECOND, Ns
from strategy.core.audit import HELD
from strategy.core.breaker import Breaker
from strategy.core.daily import LIMIT
from strategy.core.lifecycle import Phase
from strategy.core.memory import Audit, Memory, PairMemory
from strategy.core.permit import permit
from strategy.core.risk import ALLOWED, Pause
from tests.unit.strategy.core.build import BOOT, CONFIG, make_book
from tests.unit.strategy.core.test_gate import one, ready

NOW = Ns(BOOT + 5 * SECOND)


def quoting() -> Memory:
    memory = ready()
    for number in range(4):
        at = Ns(BOOT + (2 + number) * SECOND)
        one(memory).tape.hear_book(make_book(at, seq=number + 1), at, CONFIG.time)
    return memory


Spoil = Callable[[Memory, PairMemory], object]

ALL_OUT: dict[str, Spoil] = {
    "halted: x": lambda m, p: setattr(m, "halt", "x"),
    "on hold: x": lambda m, p: setattr(m, "hold", "x"),
    "phase: draining": lambda m, p: setattr(m, "phase", Phase.DRAINING),
    "circuit breaker: the price runs": lambda m, p: setattr(p, "breaker", Breaker(Ns(1))),
}
ALL_STAY: dict[str, Spoil] = {
    "phase: syncing": lambda m, p: setattr(m, "phase", Phase.SYNCING),
    "the exchange is post_only": lambda m, p: setattr(m, "system", "post_only"),
    "the exchange is unknown": lambda m, p: setattr(m, "system", ""),
    "our clock is 1.5 s off the exchange's": lambda m, p: setattr(m, "skew", Ns(-1_500_000_000)),
    "the account's fees are not known yet": lambda m, p: setattr(p, "maker", None),
}


def test_all_is_allowed_where_nothing_speaks_against_it() -> None:
    memory = quoting()
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.sell, found.change, found.why) == (True, True, True, ())


@pytest.mark.parametrize("why", list(ALL_OUT))
def test_what_takes_every_order_out_of_the_book(why: str) -> None:
    memory = quoting()
    ALL_OUT[why](memory, one(memory))
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.sell, found.change, found.why) == (False, False, False, (why,))


@pytest.mark.parametrize("why", list(ALL_STAY))
def test_what_forbids_changes_and_leaves_what_rests(why: str) -> None:
    memory = quoting()
    ALL_STAY[why](memory, one(memory))
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.sell, found.change, found.why) == (True, True, False, (why,))


@pytest.mark.parametrize(
    ("later", "stays", "words"),
    [(3.5, True, "stale"), (10.5, False, "silent")],
)
def test_a_silent_feed(later: float, stays: bool, words: str) -> None:
    memory = quoting()
    found = permit(memory, one(memory), Ns(NOW + int(later * SECOND)))
    assert found.buy is stays
    assert not found.change
    assert words in found.why[0]


@pytest.mark.parametrize("pause", list(Pause))
def test_a_pause_allows_what_its_table_says(pause: Pause) -> None:
    memory = quoting()
    memory.pause = pause
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.sell) == ALLOWED[pause]
    assert found.change
    assert bool(found.why) is (pause is not Pause.ACTIVE_TRADING)


def test_the_graver_reason_is_named_first() -> None:
    memory = quoting()
    memory.halt, memory.hold, memory.system = "x", "y", "maintenance"
    assert permit(memory, one(memory), NOW).why == ("halted: x",)


@pytest.mark.parametrize(("system", "exits"), [("online", True), ("maintenance", False)])
def test_a_halt_for_the_days_loss_spares_exits_that_the_exchange_would_take(
    system: str, exits: bool
) -> None:
    memory = quoting()
    memory.halt, memory.system = f"too much is lost ({LIMIT})", system
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.sell, found.exits) == (False, False, exits)
    memory.halt = "refusals in a row"
    assert not permit(memory, one(memory), NOW).exits


@pytest.mark.parametrize(("since", "stays"), [(4.9, True), (5, False)])
def test_a_ledger_that_is_locked_for_a_moment_is_no_reason_to_leave(
    since: float, stays: bool
) -> None:
    memory = quoting()
    memory.unwritten = ("locked", Ns(NOW - int(since * SECOND)))
    found = permit(memory, one(memory), NOW)
    assert (found.buy, found.change) == (stays, False)
    assert found.why == ("the ledger cannot be written: locked",)
    memory.unwritten = ("", Ns(NOW - SECOND))
    assert permit(memory, one(memory), NOW).change


def test_held_sells_are_named_beside_a_pause() -> None:
    memory = quoting()
    memory.pause = Pause.TAX_LOCK_ACTIVE
    memory.audit = Audit(held=True)
    found = permit(memory, one(memory), NOW)
    assert (found.sell, found.change) == (False, True)
    assert found.why == (f"pause: {Pause.TAX_LOCK_ACTIVE}", HELD)
    assert found.buy is ALLOWED[Pause.TAX_LOCK_ACTIVE][0]
