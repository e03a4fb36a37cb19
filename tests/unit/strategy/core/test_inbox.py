"""Who hears what: each kind of item changes what it is about, and only of traded pairs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from shared import frames, orders
from shared.orders import AskFailed, Balances, RateCounter, Skew, Verdict
from shared.units import SECOND, Ns, Sats, Side, Ticks
from strategy.core.inbox import HEARD_BY, hear_item
from strategy.core.limiter import Limiter
from strategy.core.memory import Asking, Memory
from strategy.core.out import Flagged, In, Out, Tell, Unwritten
from tests.unit.strategy.core.build import BOOT, BTC_EUR, MID, make_book
from tests.unit.strategy.core.test_gate import one, ready
from tests.unit.strategy.core.test_gate_edges import two

NOW = Ns(BOOT + 100 * SECOND)
FRAME = (Ns(1), 1, NOW, NOW)
"""Boot, number, and the times of a frame."""


def hear(memory: Memory, item: Any) -> list[Out]:
    return hear_item(memory, item, NOW)


def vwap(pair: str) -> frames.Vwap:
    return frames.Vwap(*FRAME, pair, (frames.VwapWindow(60, 84_000.0, 1, 1),))


def test_each_kind_of_item_is_heard_by_one_and_nothing_else_is_heard() -> None:
    assert set(HEARD_BY) == set(get_args(In))


def test_frames_are_heard_by_the_pair_they_name_and_by_no_other() -> None:
    memory = ready()
    tape = one(memory).tape
    hear(memory, replace(make_book(NOW), pair="BTC/USD"))
    before = tape.book
    hear(memory, make_book(NOW))
    assert (before, tape.book) == (None, make_book(NOW))
    hear(memory, vwap("BTC/USD"))
    assert tape.vwap == 0.0
    hear(memory, vwap("BTC/EUR"))
    assert tape.vwap == 84_000.0
    finer = replace(BTC_EUR, qty_step=10)
    hear(memory, frames.Instrument(*FRAME, replace(finer, symbol="BTC/USD")))
    assert tape.pair == BTC_EUR
    hear(memory, frames.Instrument(*FRAME, finer))
    assert tape.pair == finer


def test_the_feeds_own_state_is_kept_and_what_it_tells_besides_is_counted() -> None:
    memory = ready()
    hear(memory, frames.Beat(*FRAME, "live", "post_only", 1, 0, 9, 0, 0, 0, ""))
    assert memory.feed_system == "post_only"
    hear(memory, frames.Trades(*FRAME, "BTC/EUR", ()))
    hear(memory, frames.Candle(*FRAME, "BTC/EUR", 60, NOW, 1, 1, 1, 1, 1, 1))
    assert memory.counters["tape_frames"] == 2


def test_a_ledger_that_cannot_be_written_is_critical_and_one_that_can_again_is_told() -> None:
    memory = ready()
    memory.alerts["ledger"] = ("critical", "x")
    (told,) = hear(memory, Unwritten("disk full"))
    assert isinstance(told, Tell)
    assert (told.level, told.text) == ("critical", "disk full; no new orders until it is written")
    assert memory.unwritten == ("disk full", NOW)
    assert memory.alerts
    (told,) = hear(memory, Unwritten(""))
    assert isinstance(told, Tell)
    assert told.level == "info"
    assert memory.unwritten == ("", NOW)
    assert not memory.alerts


def test_a_flag_kills_once() -> None:
    memory = ready()
    assert hear(memory, Flagged("drill"))
    assert memory.halt == "killed: drill"
    assert hear(memory, Flagged("drill")) == []


def test_what_the_exchange_says_of_the_account_is_kept() -> None:
    memory = ready()
    memory.balances = {"EUR": Decimal(5), "BTC": Decimal(1)}
    hear(memory, Balances({"EUR": Decimal(7)}))
    assert memory.balances == {"EUR": Decimal(7), "BTC": Decimal(1)}
    assert memory.balance_at == NOW
    hear(memory, Skew(-5))
    assert memory.skew == -5
    hear(memory, orders.Fees("BTC/EUR", Decimal("0.001"), Decimal("0.002")))
    assert (one(memory).maker, one(memory).taker) == (0.001, 0.002)
    hear(memory, orders.SecondPrice("BTC/EUR", Ticks(MID - 9), Ticks(MID + 9), NOW))
    assert one(memory).reference.second_at == NOW
    for of_another in (
        orders.Fees("BTC/USD", Decimal("0.1"), Decimal("0.2")),
        orders.SecondPrice("BTC/USD", Ticks(1), Ticks(2), Ns(NOW + 1)),
        orders.Pairs((replace(BTC_EUR, symbol="BTC/USD"),)),
    ):
        assert hear(memory, of_another) == []
    assert (one(memory).maker, one(memory).reference.second_at) == (0.001, NOW)
    hear(memory, orders.Clock(Ns(99)))
    assert memory.wall == 99
    with pytest.raises(AssertionError, match="nobody hears str"):
        hear(memory, "a word")


def test_answers_about_orders_reach_who_asked() -> None:
    memory = ready()
    memory.asking = Asking(wanted=False)
    (told,) = hear(memory, AskFailed("busy"))
    assert isinstance(told, Tell)
    assert memory.asking.failures == 1
    order = orders.Amended("strange", "O", Ticks(1), Sats(1))
    assert hear(memory, order) == []
    assert hear(memory, orders.Refused("arm", "", "EX", Verdict.UNKNOWN))
    fill = orders.Filled(
        "T9", "O", "", "ETH/EUR", Side.BUY, Ticks(1), Sats(1), Decimal(1), (), NOW, 1, maker=True
    )
    assert [item.key for item in hear(memory, fill) if isinstance(item, Tell)] == [
        "fill_other_coin"
    ]


# The rate counter.


@pytest.mark.parametrize(
    ("own", "told", "known"),
    [
        (50.0, 80.0, 80.0),
        (80.0, 50.0, 80.0),  # what is under way is in ours alone
        (80.0, -1.0, None),  # only the threshold was told
        (0.0, 0.0, 0.0),
    ],
)
def test_of_two_counters_the_larger_counts(own: float, told: float, known: float | None) -> None:
    memory = ready()
    before = Limiter(counter=own, at=NOW, threshold=60)
    one(memory).limiter = before
    hear(memory, RateCounter("BTC/EUR", told, 125))
    after = one(memory).limiter
    assert after.threshold == 125
    assert after.counter == (own if known is None else known)
    one(memory).limiter = replace(before, at=Ns(NOW - 10 * SECOND))
    hear(memory, RateCounter("BTC/EUR", told, 0))
    after = one(memory).limiter
    assert after.threshold == 60, "not told: as before"
    assert after.at == (NOW - 10 * SECOND if told < 0 else NOW)
    assert after.counter == (own if told < 0 else max(told, max(0.0, own - 10)))


def test_a_threshold_is_the_accounts_and_a_counter_its_pairs() -> None:
    memory, eur, usd = two()
    eur.limiter = usd.limiter = Limiter(counter=5.0, at=NOW)
    hear(memory, RateCounter("BTC/USD", 9.0, 125))
    assert (usd.limiter.counter, usd.limiter.threshold) == (9.0, 125)
    assert (eur.limiter.counter, eur.limiter.threshold) == (5.0, 0)
    hear(memory, RateCounter("", 50.0, 180))
    assert [pair.limiter.threshold for pair in (eur, usd)] == [180, 180]
    assert [pair.limiter.counter for pair in (eur, usd)] == [5.0, 9.0]
