"""The account as one sum: what it is worth, in whose currency, and what moved without a trade."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from shared.units import MINUTE, SECOND, Ns
from strategy.core.account import (
    assess_account,
    coin_price,
    judge,
    money_units,
    neighbours,
    part_of_account,
    worth,
    worth_at,
    worths_at,
)
from strategy.core.market import Freshness
from strategy.core.memory import Day, Memory, PairMemory, Permit
from strategy.core.out import Tell
from strategy.core.risk import Pause, Risk
from strategy.ledger.entries import AuditEntry, Remember
from tests.unit.strategy.core.build import (
    BTC_EUR,
    MID,
    make_config,
    make_memory,
    make_view,
    old_lots,
)
from tests.unit.strategy.core.test_gate import NOW, one, ready
from tests.unit.strategy.core.test_gate_edges import BTC_USD, USD_MID, two
from tests.unit.strategy.core.test_taxgate import bought

LATER = Ns(NOW + 10 * SECOND)


def rich() -> tuple[Memory, PairMemory, PairMemory]:
    """6,000 EUR, 9,600 USD at 1.20, and 0.16 BTC at 85,000 EUR: 27,600 EUR."""
    memory, eur, usd = two()
    memory.balances["BTC"] = Decimal("0.16")
    return memory, eur, usd


def stale(pair: PairMemory) -> None:
    assert pair.view is not None
    pair.view = replace(pair.view, freshness=Freshness.STALE)


# What it is worth.


def test_at_several_prices_it_is_worth_what_it_is_at_each_of_them() -> None:
    memory, _, usd = rich()
    prices = (80_000.0, 0.0, 90_000.0)
    each = [worth_at(memory, memory.balances, price) for price in prices]
    assert worths_at(memory, memory.balances, prices) == each == pytest.approx([26_800, 0, 28_400])
    del memory.rates[usd.quote]
    assert worths_at(memory, memory.balances, prices) == [0.0, 0.0, 0.0]
    assert worths_at(memory, {}, prices) == [0.0, 0.0, 0.0]


def test_the_account_is_worth_its_coins_and_each_currency_at_its_rate() -> None:
    memory, *_ = rich()
    assert worth(memory, memory.balances) == pytest.approx(27_600)
    assert worth_at(memory, memory.balances, 100_000) == pytest.approx(30_000)


def test_a_price_of_the_other_pair_stands_in_for_a_book_that_is_not_fresh() -> None:
    memory, eur, usd = rich()
    stale(eur)
    usd.view = replace(make_view(USD_MID * 2), pair=BTC_USD)
    assert coin_price(memory) == pytest.approx(170_000)
    stale(usd)
    assert coin_price(memory) == 0.0
    assert worth(memory, memory.balances) == 0.0


def test_what_is_not_known_makes_the_sum_unknown() -> None:
    memory, *_ = rich()
    assert worth(memory, {}) == 0.0
    assert worth(memory, {"EUR": Decimal(1)}) == 0.0  # not one word about coins
    assert worth_at(memory, memory.balances, 0.0) == 0.0
    del memory.rates["USD"]
    assert worth(memory, memory.balances) == 0.0
    assert worth(memory, memory.balances | {"USD": Decimal(0)}) == pytest.approx(19_600)


def test_a_currency_that_the_exchange_does_not_name_is_none() -> None:
    memory, eur, _ = rich()
    del memory.balances["USD"]
    assert worth(memory, memory.balances) == pytest.approx(19_600)
    assert money_units(memory, eur) == 6_000 * 10**9


def test_a_price_in_a_currency_without_a_rate_is_no_price() -> None:
    memory, eur, _ = rich()
    stale(eur)
    del memory.rates["USD"]
    assert coin_price(memory) == 0.0


def test_all_money_in_the_units_of_each_pair() -> None:
    memory, eur, usd = rich()
    assert money_units(memory, eur) == pytest.approx(14_000 * 10**9)
    assert money_units(memory, usd) == pytest.approx(16_800 * 10**9)
    del memory.rates["USD"]
    assert money_units(memory, eur) == 6_000 * 10**9
    assert money_units(memory, usd) == 9_600 * 10**9
    usd.tape.pair = None
    assert money_units(memory, usd) == 0


# Two pairs.


def test_each_pair_has_its_part_of_the_account_and_one_alone_has_all() -> None:
    memory, eur, usd = rich()
    found = part_of_account(memory, eur), part_of_account(memory, usd)
    assert found == pytest.approx((0.5 * 0.5**0.5, 0.5 * 0.5**0.5))  # not known: they move as one
    memory = ready()
    assert part_of_account(memory, one(memory)) == 1.0


def test_a_neighbour_is_the_other_pair_in_our_ticks_with_both_fees() -> None:
    memory, eur, usd = rich()
    usd.tape.pair = replace(BTC_USD, price_decimals=3)
    usd.maker = 0.002
    [found] = neighbours(memory, eur)
    assert found.slots == tuple(usd.slots)
    assert found.rate == pytest.approx(1 / 1.2 / 100)
    assert found.fees == pytest.approx(0.0032)
    [back] = neighbours(memory, usd)
    assert back.slots == tuple(eur.slots)
    assert back.rate == pytest.approx(1.2 * 100)


def test_where_no_rate_or_no_precision_is_known_there_is_no_neighbour_to_measure() -> None:
    memory, eur, usd = rich()
    usd.maker = eur.maker = None
    assert neighbours(memory, eur)[0].fees == 0.0
    for rates in ({"EUR": 1.0, "USD": 0.0}, {"EUR": 1.0}):
        memory.rates = rates
        assert neighbours(memory, eur) == []
        assert neighbours(memory, usd) == []
    memory, eur, usd = rich()
    usd.tape.pair = None
    assert neighbours(memory, eur) == neighbours(memory, usd) == []


# The rate between two currencies.


def facts(out: Sequence[object]) -> list[str]:
    return [item.key for item in out if isinstance(item, Remember)]


def test_the_rate_is_that_of_the_two_books_and_is_kept_once_a_minute() -> None:
    memory, *_ = rich()
    memory.rates.clear()
    [kept] = [item for item in assess_account(memory, NOW) if isinstance(item, Remember)]
    assert memory.rates == {"EUR": 1.0, "USD": pytest.approx(1 / 1.2)}
    assert (kept.key, msgspec.json.decode(kept.value)) == ("rates", memory.rates)
    assert facts(assess_account(memory, Ns(NOW + MINUTE - 1))) == []
    assert facts(assess_account(memory, Ns(NOW + MINUTE))) == ["rates"]


def test_a_pair_without_a_book_has_no_price() -> None:
    memory, eur, usd = rich()
    eur.view = usd.view = None
    assert coin_price(memory) == 0.0
    assert facts(assess_account(memory, NOW)) == []


@pytest.mark.parametrize("which", [0, 1])
def test_the_last_rate_stands_while_a_book_is_not_fresh(which: int) -> None:
    memory, eur, usd = rich()
    memory.rates["USD"] = 0.5
    stale((eur, usd)[which])
    assert facts(assess_account(memory, NOW)) == []
    assert memory.rates == {"EUR": 1.0, "USD": 0.5}


def test_one_pair_needs_no_rate() -> None:
    memory = ready()
    assert assess_account(memory, NOW) == []
    assert memory.rates == {"EUR": 1.0}
    assert memory.risk.equity == memory.risk.peak == pytest.approx(27_600)
    assert memory.pause is Pause.ACTIVE_TRADING


@pytest.mark.parametrize(
    ("peak", "days", "pause"),
    [
        (27_600, 400, Pause.ACTIVE_TRADING),
        (27_600, 100, Pause.TAX_LOCK_ACTIVE),
        (33_000, 400, Pause.RISK_PAUSE_ACTIVE),
        (33_000, 100, Pause.DUAL_LOCK),
        (40_000, 400, Pause.EMERGENCY_SELL),
    ],
)
def test_drawdown_and_tax_lock_together_make_the_pause_and_a_day_has_its_pace(
    peak: float, days: int, pause: Pause
) -> None:
    memory = ready(make_memory(lots=old_lots(days=days)))
    memory.risk = Risk(peak=peak)
    assess_account(memory, NOW)
    assert memory.pause is pause
    assert memory.taxes.day


def test_without_the_precisions_of_the_pair_the_pause_stays_as_it_was() -> None:
    memory = ready()
    memory.pause = Pause.DUAL_LOCK
    one(memory).tape.pair = None
    assess_account(memory, NOW)
    assert memory.pause is Pause.DUAL_LOCK


def test_a_harvest_is_looked_for_where_it_is_on() -> None:
    for on in (True, False):
        memory = ready(make_memory(make_config(tax={"harvest_enabled": on})))
        one(memory).taker = 0.0025
        assess_account(memory, NOW)
        assert (memory.taxes.harvest is not None) is on


# What moved without a trade.


def opened(memory: Memory | None = None) -> Memory:
    """In sync at NOW, and its books begun: 14,000 EUR and 0.16 BTC."""
    memory = memory or ready()
    memory.asking = replace(memory.asking, listed_at=NOW)
    assert facts(assess_account(memory, NOW)) == ["books"]
    assert assess_account(memory, NOW) == []  # they agree
    memory.day = Day("2026-09-21", 27_600.0)
    return memory


def moved(memory: Memory, **totals: str) -> list[object]:
    """What is said of these balances once they have stood for long enough."""
    memory.balances = memory.balances | {name: Decimal(total) for name, total in totals.items()}
    assert assess_account(memory, NOW) == []
    memory.asking = replace(memory.asking, listed_at=Ns(NOW + 1))
    return list(assess_account(memory, LATER))


@pytest.mark.parametrize(
    ("listed_at", "line", "known"), [(0, "up", True), (NOW, "down", True), (NOW, "up", False)]
)
def test_the_books_do_not_begin_before_the_first_sync(
    listed_at: int, line: str, known: bool
) -> None:
    memory = ready()
    memory.balances = memory.balances if known else {}
    memory.asking, memory.line = replace(memory.asking, listed_at=Ns(listed_at)), line
    assert assess_account(memory, NOW) == []
    assert not memory.books.expected


def test_a_deposit_moves_peak_and_day_by_its_part_and_is_told() -> None:
    memory = opened()
    *kept, entry, tell = moved(memory, EUR="16760")  # 2,760 more: a tenth of the account
    assert (memory.risk.peak, memory.day.equity) == pytest.approx((30_360, 30_360))
    facts_kept = {item.key: item.value for item in kept if isinstance(item, Remember)}
    assert msgspec.json.decode(facts_kept["books"]) == {"EUR": "16760", "BTC": "0.16"}
    assert facts_kept["peak"] == repr(memory.risk.peak)
    assert msgspec.json.decode(facts_kept["day"], type=Day) == memory.day
    said = "moved in or out without a trade: +2760 EUR; the peak is now 30360.00"
    assert isinstance(entry, AuditEntry)
    assert (entry.who, entry.what, entry.why) == ("bot", "flow", said)
    assert tell == Tell("warning", "flow", said)
    assert assess_account(memory, LATER) == []
    assert memory.risk.equity == pytest.approx(30_360)
    assert memory.risk.drawdown == pytest.approx(0.0, abs=1e-12)


def test_a_withdrawal_of_coins_is_neither_loss_nor_drawdown() -> None:
    memory = opened()
    moved(memory, BTC="0.08")
    assess_account(memory, LATER)
    assert (memory.risk.peak, memory.risk.equity) == pytest.approx((20_800, 20_800))
    assert memory.risk.drawdown == pytest.approx(0.0, abs=1e-12)


def test_a_peak_that_a_withdrawal_lowered_is_kept_anew_as_soon_as_it_rises() -> None:
    memory = opened()
    memory.peak_kept = (Ns(0), 27_600.0)
    moved(memory, EUR="11240")
    assert memory.peak_kept == (LATER, memory.risk.peak)


@pytest.mark.parametrize(("eur", "told"), [("13999.01", False), ("13999", True)])
def test_less_than_a_euro_is_rounding_and_is_booked_without_a_word(eur: str, told: bool) -> None:
    memory = opened()
    out = moved(memory, EUR=eur)
    assert any(isinstance(item, Tell) for item in out) is told
    assert facts(out)[0] == "books"
    assert memory.books.expected["EUR"] == Decimal(eur)
    assert memory.risk.peak == pytest.approx(27_599 if told else 27_600)


def test_an_account_that_is_emptied_begins_anew() -> None:
    memory = opened()
    out = moved(memory, EUR="0", BTC="0")
    assert any(isinstance(item, Tell) for item in out)
    assert memory.risk == Risk()


def test_a_fill_whose_balance_never_comes_is_a_gap_as_well() -> None:
    memory = opened()
    memory.books = replace(memory.books, expected={"EUR": Decimal(13_000), "BTC": Decimal("0.16")})
    assert assess_account(memory, NOW) == []
    assert memory.books.gap == (("EUR", Decimal(1_000)),)


def test_while_a_question_is_under_way_no_further_one_is_wanted() -> None:
    memory = opened()
    memory.asking = replace(memory.asking, wanted=False, asked_at=NOW)
    memory.balances = memory.balances | {"EUR": Decimal(20_000)}
    for after in (0, 2, 5):
        assess_account(memory, Ns(NOW + after * SECOND))
    assert not memory.asking.wanted


def asked_for_list(memory: Memory) -> bool:
    return memory.asking.wanted


def test_until_it_is_recognised_a_gap_is_no_gain_and_a_list_is_asked_for() -> None:
    memory = opened()
    memory.asking = replace(memory.asking, wanted=False)
    memory.balances = memory.balances | {"EUR": Decimal(20_000)}
    assert assess_account(memory, NOW) == []
    assert memory.risk.equity == pytest.approx(27_600)
    assert asked_for_list(memory) is False
    assert assess_account(memory, Ns(NOW + 2 * SECOND)) == []
    assert asked_for_list(memory) is True
    assert assess_account(memory, LATER) == [], "no list has been asked for since"
    memory.asking = replace(memory.asking, listed_at=Ns(NOW + 1))
    assert assess_account(memory, Ns(LATER - 1)) == [], "it has not stood for ten seconds"


def test_a_flow_of_unknown_worth_waits_until_there_is_a_price() -> None:
    memory = opened()
    view = one(memory).view
    stale(one(memory))
    assert moved(memory, EUR="16760") == []
    one(memory).view = view
    assert any(isinstance(item, Tell) for item in assess_account(memory, Ns(LATER + SECOND)))


def test_the_first_money_of_an_empty_account_is_its_first_peak() -> None:
    memory = ready()
    memory.balances = {"EUR": Decimal(0), "BTC": Decimal(0)}
    memory.risk = Risk()
    memory = opened(memory)
    moved(memory, EUR="500")
    assert memory.risk.peak == pytest.approx(500)
    assert memory.day.equity == 27_600.0


# Whether the ladder can stand.


def judged(memory: Memory) -> list[str]:
    return [item.text for item in judge(memory, one(memory)) if isinstance(item, Tell)]


def test_the_ladder_is_judged_once_as_soon_as_all_is_known() -> None:
    memory = ready()
    pair = one(memory)
    memory.balances = {"EUR": Decimal(2_000)}
    assert judged(memory) == [], "nothing may be changed yet"
    pair.permit, pair.maker = Permit(True, True, True), None
    assert judged(memory) == [], "the fees are not known"
    pair.maker = 0.0012
    [text] = judged(memory)
    assert text.startswith("BTC/EUR: the buys need 2500.00 EUR, there are 2000.00; the sells need")
    assert text.endswith("there are 0.00000000")
    assert judged(memory) == []


def test_what_may_be_sold_is_judged_by_reserve_and_free_coins() -> None:
    lots = bought((400, 2_000_000, MID), (100, 14_000_000, MID))
    memory = ready(make_memory(make_config(grid={"base_reserve": "0.15"}), lots=lots))
    one(memory).permit = Permit(True, True, True)
    [text] = judged(memory)
    assert text.endswith("BTC free of tax, there are 0.01000000")


@pytest.mark.parametrize(("taker", "stands"), [(0.05, 2), (None, 5)])
def test_a_leg_that_takes_is_judged_by_its_own_rate_or_else_by_the_makers(
    taker: float | None, stands: int
) -> None:
    memory = ready(make_memory(make_config(grid={"taker_leg": True})))
    pair = one(memory)
    pair.permit, pair.taker = Permit(True, True, True), taker
    text = "; ".join(judged(memory))
    assert (f"only {stands} of 5 buys can stand" in text) is (stands < 5)


def test_without_a_word_about_money_and_coins_there_are_none() -> None:
    memory = ready()
    memory.balances = {}
    one(memory).permit = Permit(True, True, True)
    [tell] = [item for item in judge(memory, one(memory)) if isinstance(item, Tell)]
    assert (tell.level, tell.key) == ("warning", "feasible:BTC/EUR")
    assert "there are 0.00;" in tell.text


def test_without_a_book_nothing_is_judged() -> None:
    memory = ready()
    one(memory).permit, one(memory).view = Permit(True, True, True), None
    assert judged(memory) == []
    assert not one(memory).judged


def test_a_ladder_that_can_stand_is_no_word_worth() -> None:
    memory = ready()
    one(memory).permit = Permit(True, True, True)
    assert judged(memory) == []
    assert one(memory).judged


def test_the_account_is_measured_in_the_first_pairs_currency() -> None:
    cfg = make_config(pair="BTC/USD")  # type: ignore[arg-type]
    memory = make_memory(cfg)
    pair = memory.pairs["BTC/USD"]
    pair.tape.pair = replace(BTC_EUR, symbol="BTC/USD", quote="USD")
    pair.view = replace(make_view(MID), pair=pair.tape.pair)
    memory.balances = {"USD": Decimal(1_000), "BTC": Decimal(0)}
    assess_account(memory, NOW)
    assert memory.rates == {"USD": 1.0}
    assert memory.risk.equity == 1_000.0
