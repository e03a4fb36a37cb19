"""Laws of the gate and of the rate counter: by brute force, and against a naive replica."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.settings_house import RateLimit
from shared.units import MILLISECOND, Ns, Sats, Side, Ticks
from strategy.core.gate import refuse
from strategy.core.limiter import Limiter, admit, charged
from strategy.core.slots import Add, Amend, Cancel, Intent, Slot, State, Wish
from tests.unit.strategy.core.build import BOOT, MID, make_memory, make_slot
from tests.unit.strategy.core.test_gate import one, put, ready

held_states = st.sampled_from([state for state in State if state is not State.EMPTY])
quantities = st.integers(5_000, 2_000_000)


@st.composite
def some_slot(draw: st.DrawFn, name: str) -> Slot:
    if draw(st.integers(0, 3)) == 0:
        return make_slot(name)
    lowest, highest = (MID - 40_000, MID - 6) if name[0] == "b" else (MID + 6, MID + 40_000)
    state, qty = draw(held_states), draw(quantities)
    doubtful = state in (State.AMEND_PENDING, State.LOST) and draw(st.booleans())
    return make_slot(
        name,
        state,
        price=Ticks(draw(st.integers(lowest, highest))),
        qty=Sats(qty),
        filled=Sats(draw(st.integers(0, qty))),
        was_price=Ticks(draw(st.integers(lowest, highest)) if doubtful else 0),
        was_qty=Sats(draw(quantities) if doubtful else 0),
    )


NAMES = ["b1", "b2", "b3", "s1", "s2", "s3"]
several = st.tuples(*(some_slot(name) for name in NAMES))


def outcomes(slot: Slot) -> list[tuple[int, int]]:
    """(price, quantity) of all that may still fill of one order, whichever amend stands."""
    both = [(int(slot.price), int(slot.qty))]
    if slot.was_price:
        both += [(int(slot.was_price), int(slot.was_qty)), (int(slot.price), int(slot.was_qty))]
    return [(price, max(0, qty - slot.filled)) for price, qty in both]


@given(
    several,
    st.sampled_from(NAMES),
    st.integers(6, 40_000),
    quantities,
    st.integers(0, 5_000),
    st.integers(0, 6_000_000),
)
@settings(max_examples=300)
def test_what_passes_the_gate_can_be_paid_for_in_the_worst_case(
    slots: tuple[Slot, ...], name: str, off: int, qty: int, eur: int, coins: int
) -> None:
    memory = ready(make_memory())
    memory.balances = {"EUR": Decimal(eur), "BTC": Decimal(coins).scaleb(-8)}
    put(memory, *slots)
    slot = next(each for each in slots if each.name == name)
    price = MID - off if slot.side is Side.BUY else MID + off
    wish = Wish(slot.side, Ticks(price), Sats(qty), 1)
    intent = Add(slot, wish) if slot.state is State.EMPTY else Amend(slot, wish)
    if refuse(memory, one(memory), intent, BOOT):
        return
    own = [(price, max(0, qty - slot.filled))]
    if slot.state is not State.EMPTY:
        own += outcomes(slot)
    others = [
        outcomes(each)
        for each in slots
        if each.side is slot.side and each.name != name and each.state is not State.EMPTY
    ]
    for filled in product(own, *others):
        if slot.side is Side.BUY:
            assert sum(at * size for at, size in filled) <= eur * 10**9
        else:
            assert sum(size for _, size in filled) <= min(coins, memory.free())


# The rate counter.


class Naive:
    """Kraken's counter as its page tells it, in thousandths of a second."""

    def __init__(self, decay: float) -> None:
        self.decay, self.value, self.at = decay, 0.0, 0

    def pay(self, now: int, kind: str, age: int) -> None:
        self.value = max(0.0, self.value - self.decay * (now - self.at) / 1000)
        self.at = now
        tables = {
            "add": [],
            "amend": [(5, 3), (10, 2), (15, 1)],
            "cancel": [(5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)],
        }
        extra = next((more for limit, more in tables[kind] if age < limit * 1000), 0)
        self.value += extra + (kind != "cancel")


WISH = Wish(Side.BUY, Ticks(MID - 9), Sats(588_000), 1)


def intent_of(kind: str, now: int, age: int) -> Intent:
    slot = make_slot("b1", State.LIVE, changed=Ns((now - age) * MILLISECOND))
    match kind:
        case "add":
            return Add(make_slot("b1"), WISH)
        case "amend":
            return Amend(slot, WISH)
        case _:
            return Cancel(slot, "")


rate_limits = st.sampled_from(
    [RateLimit(60, 1.0, 0.8), RateLimit(125, 2.34, 0.8), RateLimit(180, 3.75, 1.0)]
)
requests = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.sampled_from(("add", "amend", "cancel")),
        st.sampled_from((0, 4_999, 5_000, 9_999, 14_999, 15_000, 44_999, 90_000, 300_000)),
    ),
    max_size=60,
)


@given(rate_limits, requests)
def test_the_counter_is_krakens_and_stays_below_the_headroom(
    cfg: RateLimit, asked: list[tuple[int, str, int]]
) -> None:
    naive, limiter, now = Naive(cfg.decay_rate), Limiter(), 1_000_000
    naive.at = now
    most = cfg.max_counter * cfg.headroom_pct
    for wait, kind, age in asked:
        now += wait
        at = Ns(now * MILLISECOND)
        [*admitted] = admit(limiter, [intent_of(kind, now, age)], at, cfg)
        assert kind != "cancel" or admitted, "a cancel is never held back"
        before = limiter.value(at, cfg)
        for intent in admitted:
            limiter = charged(limiter, intent, at, cfg)
            naive.pay(now, kind, age)
        assert abs(limiter.value(at, cfg) - naive.value) < 1e-6 or not admitted
        if kind != "cancel" and admitted:
            assert naive.value <= most + 1e-6
        if not admitted:
            assert limiter.value(at, cfg) == before
