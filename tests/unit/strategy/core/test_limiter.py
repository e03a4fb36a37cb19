"""Stage 11: Kraken's counter as its own page computes it; cancels are never held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.units import SECOND, Ns, Sats, Side, Ticks
from sim.engine.limits import AMEND_PENALTY, CANCEL_PENALTY, Counter, penalty
from strategy.core.limiter import Limiter, admit, charged, cost, waits
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
    assert waits(Limiter(48.0, NOW, 60), NOW, cfg) == "waits for the rate counter: 48 of 48 used"
    assert waits(Limiter(48.0, NOW), NOW, cfg) == "waits for the rate counter: 48 of 144 used"


def test_what_is_only_admitted_costs_nothing() -> None:
    """The gate may refuse it tick after tick; what never left must not fill the counter."""
    limiter = Limiter(1.0, NOW)
    admit(limiter, [Add(make_slot("b1"), WISH)], NOW, STARTER)
    assert limiter.value(NOW, STARTER) == 1.0
    assert admit(limiter, [], NOW, STARTER) == []


def test_when_it_is_short_what_takes_risk_away_goes_before_what_is_near() -> None:
    far, near = replace(WISH, rung=4), replace(WISH, rung=1)
    less = Amend(replace(aged(60), price=Ticks(810_000), qty=Sats(900_000)), replace(WISH, rung=5))
    intents: list[Intent] = [Add(make_slot("b4"), far), Add(make_slot("b1"), near), less]
    assert admit(Limiter(58.0, NOW), intents, NOW, STARTER) == [less, intents[1]]
    gone = Cancel(aged(0), "no rung wants it", urgent=False)
    assert admit(Limiter(58.0, NOW), [gone], NOW, STARTER) == []


def test_cancels_go_first_then_what_takes_risk_away_then_what_is_nearest() -> None:
    resting = replace(aged(400), price=Ticks(810_000), qty=Sats(900_000))
    urgent, calm = Cancel(aged(400), "the feed is silent"), Cancel(aged(400), "", urgent=False)
    less = [Amend(resting, replace(WISH, rung=rung)) for rung in (1, 5)]
    more = Amend(resting, replace(WISH, rung=2, qty=Sats(950_000)))
    near, far = (Add(make_slot("b1"), replace(WISH, rung=rung)) for rung in (1, 4))
    wanted: list[Intent] = [urgent, calm, *less, near, more, far]
    assert admit(Limiter(), wanted[::-1], NOW, STARTER) == wanted


def test_a_cancel_that_costs_something_waits_at_half_the_counter_and_a_free_one_never() -> None:
    dear, free = (Cancel(aged(age), "no rung wants it", urgent=False) for age in (299, 300))
    assert admit(Limiter(29.0, NOW), [dear], NOW, STARTER) == [dear]
    assert admit(Limiter(29.5, NOW), [dear], NOW, STARTER) == []
    assert admit(Limiter(60.0, NOW), [free], NOW, STARTER) == [free]


def test_what_is_dear_because_it_is_young_waits_at_half_the_counter() -> None:
    young, old = Amend(aged(0), WISH), Amend(aged(20), WISH)
    assert admit(Limiter(29.0, NOW), [young, old], NOW, STARTER) == [old]
    assert admit(Limiter(20.0, NOW), [young], NOW, STARTER) == [young]


TIERS = st.sampled_from([(60, 1.0), (125, 2.34), (180, 3.75)])


@given(TIERS, st.lists(st.tuples(st.integers(1, 40), st.floats(0, 30)), max_size=12))
def test_no_sequence_of_recentred_ladders_breaks_a_tier(
    tier: tuple[int, float], moves: list[tuple[int, float]]
) -> None:
    """Forty orders, moved as often as a market likes, against the exchange's own counter."""
    threshold, decay = tier
    cfg = make_config(rate_limit={"max_counter": threshold, "decay_rate": decay}).rate_limit
    theirs, ours = Counter(decay), Limiter()
    slots = [make_slot(f"b{k}") for k in range(1, 41)]
    now = NOW
    for wanted, pause in moves:
        intents: list[Intent] = []
        for place, slot in enumerate(slots):
            wish = replace(WISH, rung=place + 1)
            if slot.state is State.EMPTY and place < wanted:
                intents.append(Add(slot, wish))
            elif slot.state is State.LIVE:
                gone = Cancel(slot, "", urgent=False)
                intents.append(Amend(slot, wish) if place < wanted else gone)
        for intent in admit(ours, intents, now, cfg):
            ours = charged(ours, intent, now, cfg)
            age = now - intent.slot.changed
            match intent:
                case Add():
                    price = 1
                case Amend():
                    price = 1 + penalty(AMEND_PENALTY, age)
                case Cancel():
                    price = penalty(CANCEL_PENALTY, age)
            assert theirs.charge(price, now) <= threshold
            place = slots.index(intent.slot)
            empty = make_slot(intent.slot.name)
            resting = replace(intent.slot, state=State.LIVE, changed=now)
            slots[place] = empty if isinstance(intent, Cancel) else resting
        now = Ns(now + int(pause * SECOND))


@pytest.mark.parametrize(("threshold", "left"), [(60, 50.0), (125, 36.6), (180, 22.5), (0, 22.5)])
def test_the_counter_decays_as_the_accounts_own_tier_does(threshold: int, left: float) -> None:
    later = Ns(NOW + 10 * SECOND)
    assert Limiter(60.0, NOW, threshold).value(later, CONFIG.rate_limit) == pytest.approx(left)
    # A smaller rate in the settings stays smaller.
    assert Limiter(60.0, NOW, threshold).value(later, STARTER) == 50.0
