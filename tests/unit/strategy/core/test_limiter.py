"""Stage 11: Kraken's counter as its own page computes it; cancels are never held back."""

from __future__ import annotations

import pytest

from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.limiter import Limiter, admit, charged, cost
from strategy.core.slots import Add, Amend, Cancel, Intent, Slot, State, Wish
from tests.unit.strategy.core.build import CONFIG, make_config, make_slot

NOW = Ns(1_000 * SECOND)
WISH = Wish(Side.BUY, Ticks(800_000), Sats(588_000), 1)
STARTER = make_config(
    rate_limit={"max_counter": 60, "decay_rate": 1.0, "headroom_pct": 1.0}
).rate_limit


def aged(seconds: float) -> Slot:
    return make_slot("b1", State.LIVE, changed=Ns(NOW - int(seconds * SECOND)))


@pytest.mark.parametrize(
    ("age", "amend", "cancel"),
    [
        (0, 4, 8), (4.9, 4, 8), (5, 3, 6), (9.9, 3, 6), (10, 2, 5), (14.9, 2, 5), (15, 1, 4),
        (44.9, 1, 4), (45, 1, 2), (89.9, 1, 2), (90, 1, 1), (299.9, 1, 1), (300, 1, 0),
    ],
)  # fmt: skip
def test_the_young_are_dear(age: float, amend: int, cancel: int) -> None:
    assert cost(Amend(aged(age), WISH), NOW) == amend
    assert cost(Cancel(aged(age), ""), NOW) == cancel
    assert cost(Add(aged(age), WISH), NOW) == 1


def test_the_worked_example_of_the_reference() -> None:
    """Starter tier: add at 0, amend at 4 s, cancel at 12 s: 1, 4, 6."""
    add = Add(make_slot("b1"), WISH)
    limiter = charged(Limiter(), add, NOW, STARTER)
    assert limiter.counter == 1.0
    limiter = charged(limiter, Amend(aged(0), WISH), NOW, STARTER)
    later = Ns(NOW + 4 * SECOND)
    slot = make_slot("b1", State.LIVE, changed=NOW)
    limiter = charged(Limiter(1.0, NOW), Amend(slot, WISH), later, STARTER)
    assert limiter.counter == 4.0
    amended = make_slot("b1", State.LIVE, changed=later)
    last = Ns(NOW + 12 * SECOND)
    assert charged(limiter, Cancel(amended, ""), last, STARTER).counter == 6.0


def test_adds_wait_at_the_headroom_and_cancels_never() -> None:
    full = Limiter(60.0, NOW)
    intents: list[Intent] = [Add(make_slot("b1"), WISH), Cancel(aged(0), "")]
    assert admit(full, intents, NOW, STARTER) == [intents[1]]


def test_cancels_go_first_and_are_counted_before_the_adds() -> None:
    limiter = Limiter(51.5, NOW)
    intents: list[Intent] = [Add(make_slot("b1"), WISH), Cancel(aged(0), "")]
    assert admit(limiter, intents, NOW, STARTER) == [intents[1]]
    assert admit(Limiter(50.0, NOW), intents, NOW, STARTER) == [intents[1], intents[0]]


def test_the_accounts_own_threshold_rules() -> None:
    cfg = CONFIG.rate_limit
    add: list[Intent] = [Add(make_slot("b1"), WISH)]
    assert admit(Limiter(48.0, NOW, 60), add, NOW, cfg) == []
    assert admit(Limiter(48.0, NOW, 180), add, NOW, cfg) == add


def test_what_is_only_admitted_costs_nothing() -> None:
    """The gate may refuse it tick after tick; what never left must not fill the counter."""
    limiter = Limiter(1.0, NOW)
    admit(limiter, [Add(make_slot("b1"), WISH)], NOW, STARTER)
    assert limiter.value(NOW, 1.0) == 1.0
    assert admit(limiter, [], NOW, STARTER) == []
