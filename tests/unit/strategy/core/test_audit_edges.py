"""The balances' audit at its moments: when it asks, when it holds, what it waits for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.orders import Leaving
from shared.units import SECOND, Ns
from strategy.core.audit import accept, audit, describe, drift
from strategy.core.memory import Asking, Audit, Memory
from strategy.core.out import Tell
from strategy.core.outgoing import Outgoing
from strategy.ledger.entries import AuditEntry, Remember
from tests.unit.strategy.core.build import BOOT, WALL
from tests.unit.strategy.core.test_gate import ready

SINCE = Ns(BOOT + 100 * SECOND)
LESS, MORE = Decimal("0.15"), Decimal("0.17")
"""Of coins, where the ledger has 0.16."""


def at(seconds: float) -> Ns:
    return Ns(SINCE + int(seconds * SECOND))


def differing(seconds: float, coins: Decimal = MORE, **fields: Any) -> Memory:
    """A memory that has known of a difference for so long, and heard a list after a second."""
    memory = ready()
    memory.now, memory.wall = at(seconds), Ns(WALL + 7)
    memory.balances = {"EUR": Decimal(1), "BTC": coins}
    memory.asking = Asking(wanted=False, listed_at=at(1))
    found = int((coins - Decimal("0.16")).scaleb(8))
    values: dict[str, Any] = {"drift": found, "since": SINCE} | fields
    memory.audit = Audit(**values)
    return memory


def step(memory: Memory) -> list[object]:
    return list(audit(memory, memory.now))


@pytest.mark.parametrize(("after", "held"), [(9.9, False), (10, True)])
@pytest.mark.parametrize("coins", [LESS, MORE])
def test_it_is_held_after_ten_seconds_and_named(after: float, held: bool, coins: Decimal) -> None:
    memory = differing(after, coins)
    out = step(memory)
    assert memory.audit.held is held
    if held:
        amount = "1000000" if coins == MORE else "-1000000"
        assert out[0] == Remember("drift", amount)
        assert isinstance(out[1], Tell)
        assert (out[1].level, out[1].text) == ("error", describe(memory))
        more = "more" if coins == MORE else "less"
        assert out[1].text.startswith(f"0.01000000 BTC {more} at the exchange than the ledger")
        assert step(memory) == [], "told once"
    else:
        assert out == []


@pytest.mark.parametrize(("listed", "held"), [(0, False), (0.1, True), (-5, False)])
def test_it_is_held_only_after_a_list_that_was_asked_for_later(listed: float, held: bool) -> None:
    memory = differing(60)
    memory.asking = Asking(wanted=False, listed_at=at(listed))
    step(memory)
    assert memory.audit.held is held


@pytest.mark.parametrize(
    ("after", "listed", "asked", "wanted"),
    [
        (1.9, -1, None, False),
        (2, -1, None, True),
        (2, 0, None, True),
        (2, 1, None, False),
        (2, -1, 1, False),  # the question is under way
    ],
)
def test_a_list_is_asked_for_after_two_seconds(
    after: float, listed: float, asked: float | None, wanted: bool
) -> None:
    memory = differing(after)
    memory.asking = Asking(
        wanted=False, listed_at=at(listed), asked_at=Ns(0) if asked is None else at(asked)
    )
    step(memory)
    assert memory.asking.wanted is wanted


@pytest.mark.parametrize(
    ("heard", "after", "held"),
    [
        (-1, 64.9, False),
        (0, 64.9, False),
        (-1, 65, True),
        (0.1, 10, True),  # asked since: no withdrawal is the cause
        (None, 10, True),  # nobody answers such questions
    ],
)
def test_it_waits_for_a_word_about_withdrawals(
    heard: float | None, after: float, held: bool
) -> None:
    memory = differing(after, LESS)
    memory.outgoing = Outgoing(heard_at=Ns(0) if heard is None else at(heard))
    step(memory)
    assert memory.audit.held is held


def test_a_difference_that_moves_begins_anew_and_one_that_is_explained_is_none() -> None:
    memory = differing(60, drift=999_999)
    assert step(memory) == []
    assert (memory.audit.drift, memory.audit.since) == (1_000_000, memory.now)
    fresh = differing(60, since=Ns(0))
    assert step(fresh) == []
    assert fresh.audit.since == fresh.now
    row = Leaving("W", Decimal("0.01"), Decimal(0), WALL, left=False)
    gone = differing(100, LESS)
    gone.outgoing = Outgoing(since=Ns(1), rows=(row,))
    assert step(gone) == []
    assert gone.audit == Audit()
    came = differing(100, MORE)
    came.outgoing = Outgoing(since=Ns(1), rows=(row,))
    step(came)
    assert came.audit.held, "a withdrawal explains no coins that came"


def test_where_they_agree_again_it_is_told_if_it_was_held() -> None:
    quiet = differing(60, Decimal("0.16"), drift=5)
    assert step(quiet) == []
    assert quiet.audit == Audit()
    memory = differing(60, Decimal("0.16"), drift=5, held=True)
    memory.alerts["drift"] = ("error", "x")
    out = step(memory)
    assert out[0] == Remember("drift", "")
    assert isinstance(out[1], Tell)
    assert out[1].level == "info"
    assert memory.audit == Audit()
    assert not memory.alerts


def test_without_a_balance_nothing_is_known() -> None:
    memory = differing(60)
    memory.balances = {}
    assert drift(memory) is None
    before = memory.audit
    assert step(memory) == []
    assert memory.audit is before


@pytest.mark.parametrize(
    ("after", "fields", "accepted"),
    [
        (60, {"held": True}, True),
        (60, {}, False),
        (60, {"held": True, "drift": 0}, False),
        (9, {"held": True}, False),  # it moves still
    ],
)
def test_what_is_held_and_stays_may_be_declared(
    after: float, fields: dict[str, Any], accepted: bool
) -> None:
    memory = differing(after, **({"external": 7} | fields))
    memory.alerts["drift"] = ("error", "x")
    said, out = accept(memory, "my wallet")
    if not accepted:
        assert (said, out) == ("", [])
        assert memory.alerts
        return
    assert said == "0.01000000 BTC declared as external"
    assert memory.audit == Audit(1_000_007)
    assert not memory.alerts
    assert out == [
        Remember("external:BTC", "1000007"),
        Remember("drift", ""),
        AuditEntry(memory.wall, "operator", "reconcile accept", f"{said}: my wallet"),
    ]
