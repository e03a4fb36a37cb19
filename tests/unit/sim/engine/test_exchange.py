"""The engine: queue, amendments, limits, money, and the dead man's switch."""

from __future__ import annotations

import pytest

from shared.units import SECOND, Ns
from sim.engine.exchange import SWITCH_FIRED, Exchange
from sim.engine.values import Exec, LedgerRow, Order, Refused, Switches, is_order_id, mint_id
from sim.sources import Quote
from tests.unit.sim.driving import BTC, MID, WALL, Scripted, make_exchange, order, trade


def at(seconds: float) -> Ns:
    return Ns(WALL + int(seconds * SECOND))


def add(exchange: Exchange, request: object, seconds: float = 0) -> Order:
    found = exchange.add(request, at(seconds))  # type: ignore[arg-type]
    assert found is not None
    return found


def kinds(exchange: Exchange) -> list[str]:
    return [event.kind for event in exchange.take_events() if isinstance(event, Exec)]


def refusal(exchange: Exchange, request: object, seconds: float = 0) -> str:
    with pytest.raises(Refused) as caught:
        add(exchange, request, seconds)
    return caught.value.text


def test_an_order_lives_from_pending_to_filled() -> None:
    exchange = make_exchange()
    resting = add(exchange, order(qty=1_000_000))
    trade(exchange, 1, "sell", MID - 101, 1)
    assert kinds(exchange) == ["pending_new", "new", "trade", "filled"]
    assert (resting.status, resting.filled) == ("closed", 1_000_000)
    found = exchange.trades[resting.trades[0]]
    assert (found.price, found.maker, found.wall) == (MID - 100, True, at(1))


def test_the_fee_is_the_cost_times_the_rate_rounded_half_up_in_the_quote_currency() -> None:
    exchange = make_exchange()
    add(exchange, order(price=840_000, qty=1_234_567))
    trade(exchange, 1, "sell", 839_999, 1)
    # 84000.0 x 0.01234567 = 1037.03628; 0.12 % of it is 1.244443536.
    assert [row.fee for row in exchange.account.ledger[-2:]] == [0, 12_444]
    assert exchange.account.ledger[-1].amount == -10_370_363
    assert exchange.account.balances["BTC"] == 10**10 + 123_456_700


def test_at_our_price_the_queue_ahead_of_us_trades_first() -> None:
    exchange = make_exchange()
    market = exchange.markets["BTC/EUR"]
    ahead = market.liquidity.qty_at("buy", MID)
    resting = add(exchange, order(price=MID, qty=1_000_000))
    assert resting.ahead == ahead > 0
    trade(exchange, 1, "sell", MID, ahead)
    assert resting.filled == 0
    trade(exchange, 2, "sell", MID, 400_000)
    assert resting.filled == 400_000
    trade(exchange, 3, "sell", MID - 1, 1)
    assert resting.status == "closed"


def test_a_smaller_amount_keeps_its_place_and_a_new_price_loses_it() -> None:
    exchange = make_exchange()
    market = exchange.markets["BTC/EUR"]
    first = add(exchange, order(price=MID, qty=3_000_000))
    second = add(exchange, order(price=MID, qty=1_000_000))
    exchange.amend(first, at(20), qty=2_000_000, post_only=True)
    assert market.own["buy"] == [first, second]
    exchange.amend(first, at(40), qty=2_500_000, post_only=True)
    assert market.own["buy"] == [second, first]
    exchange.amend(second, at(60), price=MID - 1, post_only=True)
    exchange.amend(second, at(80), price=MID, post_only=True)
    assert market.own["buy"] == [first, second]


def test_an_amended_total_at_or_below_what_has_filled_closes_the_order() -> None:
    exchange = make_exchange()
    resting = add(
        exchange, order(price=MID + 5_000, qty=2 * BTC // 100, post_only=False, tif="gtc")
    )
    assert resting.status == "closed", "it took"
    partly = add(exchange, order(price=MID, qty=2_000_000))
    trade(exchange, 1, "sell", MID, partly.ahead + 1_500_000)
    assert partly.filled == 1_500_000
    exchange.amend(partly, at(2), qty=1_000_000)
    assert (partly.status, partly.filled, partly.hold) == ("canceled", 1_500_000, 0)


@pytest.mark.parametrize("form", ["canceled", "refused"])
def test_a_post_only_order_never_takes(form: str) -> None:
    exchange = make_exchange(Switches(post_only_form=form))  # type: ignore[arg-type]
    request = order(price=MID + 10, post_only=True)
    if form == "refused":
        assert refusal(exchange, request) == "EOrder:Post only order"
    else:
        found = add(exchange, request)
        assert kinds(exchange) == ["pending_new", "new", "canceled"]
        assert (found.status, found.reason) == ("canceled", "Post only order")
    assert exchange.trades == {}
    assert exchange.account.available("EUR") == 100_000_000


def test_a_post_only_amendment_that_would_take_leaves_the_order_as_it_was() -> None:
    exchange = make_exchange()
    resting = add(exchange, order(post_only=True))
    with pytest.raises(Refused, match="Post only order"):
        exchange.amend(resting, at(1), price=MID + 10, post_only=True)
    assert (resting.status, resting.price) == ("open", MID - 100)


@pytest.mark.parametrize(
    ("stp", "new", "old"),
    [
        ("cancel_newest", "canceled", "open"),
        ("cancel_oldest", "open", "canceled"),
        ("cancel_both", "canceled", "canceled"),
    ],
)
def test_an_order_never_meets_one_of_its_own_account(stp: str, new: str, old: str) -> None:
    exchange = make_exchange(eur=1_000_000)
    resting = add(exchange, order("sell", MID + 1, 1_000_000))
    market = exchange.markets["BTC/EUR"]
    others = market.liquidity.qty_at("sell", MID + 1)
    newest = add(exchange, order("buy", MID + 1, others + 1_000_000, stp=stp))
    assert (newest.status, resting.status) == (new, old)
    assert newest.filled == others
    assert all(not found.maker for found in exchange.trades.values())


def test_immediate_or_cancel_takes_what_is_there_and_rests_never() -> None:
    exchange = make_exchange(eur=9_000_000)
    found = add(exchange, order("buy", MID + 1, 20 * BTC, tif="ioc"))
    assert found.status == "canceled"
    assert 0 < found.filled < found.qty
    assert exchange.open == {}
    assert exchange.account.holds["EUR"] == 0


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (order(qty=4_999), "EGeneral:Invalid arguments:volume minimum not met"),
        (order(price=10, qty=10_000), "EOrder:Cost minimum not met"),
        (order(price=0), "EOrder:Invalid price"),
        (order(qty=BTC), "EOrder:Insufficient funds"),
        (order("sell", MID + 100, BTC + 1), "EOrder:Insufficient funds"),
        (order(deadline_wall=WALL), "EService:Deadline elapsed"),
        (order(deadline_wall=at(61)), "EGeneral:Invalid arguments:deadline"),
        (order(expire_wall=WALL), "EGeneral:Invalid arguments:expire_time"),
        (order(pair="BTC/USD"), "EQuery:Unknown asset pair"),
    ],
)
def test_what_cannot_be_is_refused_with_its_documented_string(request_: object, text: str) -> None:
    exchange = make_exchange()
    assert refusal(exchange, request_) == text
    assert exchange.orders == {}


def test_all_the_money_may_be_spent_and_not_a_cent_more() -> None:
    exchange = make_exchange()
    # 1.0012 x cost = 10000.0000 EUR, post-only: the maker's fee.
    price, qty = 800_000, 12_484_999
    spend = order(price=price, qty=qty, post_only=True)
    assert exchange.add(spend, at(0), validate=True) is None
    assert refusal(exchange, order(price=price, qty=qty + 600, post_only=True)).endswith("funds")
    add(exchange, spend)
    # What is left buys less than two more units of 10⁻⁸ BTC.
    assert 0 <= exchange.account.available("EUR") < 200


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    exchange = make_exchange()
    first = add(exchange, order(cl_ord_id="g1"))
    assert refusal(exchange, order(cl_ord_id="g1")).endswith("cl_ord_id not unique")
    exchange.cancel(first, at(1))
    assert add(exchange, order(cl_ord_id="g1"), 2).order_id != first.order_id


def test_the_counter_follows_the_documented_example() -> None:
    exchange = make_exchange(tier="starter")
    resting = add(exchange, order())
    assert exchange.rate("BTC/EUR", at(0)) == 1.0
    exchange.amend(resting, at(4), price=MID - 110)
    assert exchange.rate("BTC/EUR", at(4)) == 4.0
    exchange.cancel(resting, at(12))
    assert exchange.rate("BTC/EUR", at(12)) == 6.0


def test_over_the_threshold_nothing_is_placed_until_it_has_decayed() -> None:
    exchange = make_exchange(tier="starter")
    for _ in range(6):
        exchange.cancel(add(exchange, order()), at(0))
    assert exchange.rate("BTC/EUR", at(0)) == 54.0
    for _ in range(6):
        add(exchange, order())
    assert refusal(exchange, order()) == "EOrder:Rate limit exceeded"
    add(exchange, order(), 1.5)


def test_the_number_of_open_orders_is_capped() -> None:
    exchange = make_exchange(tier="starter")
    for number in range(60):
        add(exchange, order(qty=5_000), number)
    assert refusal(exchange, order(qty=5_000), 60) == "EOrder:Orders limit exceeded"


def test_the_switch_cancels_everything_once_and_is_then_off() -> None:
    exchange = make_exchange()
    add(exchange, order())
    assert exchange.cancel_after(60, at(0)) == at(60)
    assert exchange.cancel_after(60, at(20)) == at(80), "each call replaces the timer"
    exchange.advance(79 * SECOND, at(79))
    assert len(exchange.open) == 1
    assert exchange.wake_at()[1] == at(80)
    exchange.advance(95 * SECOND, at(95))
    found = next(iter(exchange.orders.values()))
    assert (found.status, found.reason, found.closed_wall) == ("canceled", SWITCH_FIRED, at(80))
    late = add(exchange, order(), 96)
    exchange.advance(500 * SECOND, at(500))
    assert late.status == "open", "it fires once"


def test_zero_disarms_the_switch() -> None:
    exchange = make_exchange()
    resting = add(exchange, order())
    exchange.cancel_after(60, at(0))
    assert exchange.cancel_after(0, at(1)) == 0
    exchange.advance(100 * SECOND, at(100))
    assert resting.status == "open"


def test_what_traded_before_the_switch_fired_was_traded_first() -> None:
    exchange = make_exchange()
    resting = add(exchange, order())
    exchange.cancel_after(10, at(0))
    source = exchange.markets["BTC/EUR"].source
    assert isinstance(source, Scripted)
    source.ticks.append(Quote(9 * SECOND, MID - 300, MID - 299))
    exchange.advance(60 * SECOND, at(60))
    assert (resting.status, resting.closed_wall) == ("closed", at(9))


def test_during_maintenance_nothing_happens_and_on_return_the_switch_fires() -> None:
    exchange = make_exchange()
    resting = add(exchange, order())
    exchange.cancel_after(30, at(0))
    exchange.set_system("maintenance", at(1))
    assert refusal(exchange, order(), 2) == "EService:Unavailable"
    with pytest.raises(Refused):
        exchange.cancel(resting, at(2))
    trade(exchange, 40, "sell", MID - 500, BTC)
    assert resting.status == "open"
    exchange.set_system("cancel_only", at(50))
    assert resting.status == "canceled"
    assert refusal(exchange, order(), 51) == "EService:Market in cancel_only mode"
    exchange.set_system("post_only", at(52))
    assert refusal(exchange, order(), 53) == "EService:Market in post_only mode"
    add(exchange, order(post_only=True), 53)
    exchange.set_system("online", at(54))
    add(exchange, order(), 55)


def test_an_order_with_an_end_expires_on_time() -> None:
    exchange = make_exchange()
    resting = add(exchange, order(tif="gtd", expire_wall=at(30)))
    assert exchange.wake_at()[1] == at(30)
    exchange.advance(30 * SECOND, at(30))
    assert resting.status == "expired"
    assert exchange.account.holds["EUR"] == 0


def test_ids_are_the_same_in_every_version_so_that_a_kept_account_mints_none_twice() -> None:
    assert mint_id("O", 1) == "OG7LGM-UPCJG-JV5NQF"
    assert mint_id("L", 3_000_000) == "LVW7DK-IOKV3-54WQRY"
    assert all(is_order_id(mint_id("O", count)) for count in range(1, 100))


def test_a_ledger_that_was_let_go_of_is_counted_on() -> None:
    kept, gone = make_exchange(), make_exchange()
    for exchange in (kept, gone):
        add(exchange, order(qty=1_000_000))
        if exchange is gone:
            exchange.account.let_go()
            assert not exchange.account.ledger
        trade(exchange, 1, "sell", MID - 101, 1)
        assert sum(isinstance(each, LedgerRow) for each in exchange.take_events()) == 2
    assert gone.account.ledger == kept.account.ledger[-2:]


def test_the_volume_of_thirty_days_lowers_the_fee() -> None:
    exchange = make_exchange(eur=900_000)
    before = exchange.account.tier(at(0))
    assert (before.maker, before.next_volume) == (1200, 250_000)
    add(exchange, order(price=MID, qty=2 * BTC))
    trade(exchange, 1, "sell", MID - 10, 1)
    assert exchange.account.tier(at(1)).maker == 1000
    assert exchange.account.tier(at(31 * 86_400)).maker == 1200


def test_an_amendment_holds_what_it_is_to_become_and_is_refused_where_that_is_too_much() -> None:
    exchange = make_exchange(eur=1_000)
    resting = add(exchange, order(price=800_000, qty=1_000_000))
    before = (resting.price, resting.qty, resting.post_only, resting.hold)
    with pytest.raises(Refused, match="Insufficient funds"):
        exchange.amend(resting, at(20), qty=1_500_000, post_only=True)
    assert (resting.price, resting.qty, resting.post_only, resting.hold) == before
    exchange.amend(resting, at(40), price=810_000, qty=1_100_000, post_only=True)
    # 891 EUR and, as it may no longer take, the maker's 0.12 % of them: in ten-thousandths.
    assert resting.hold == 8_910_000 + 10_692
    assert exchange.account.available("EUR") == 10_000_000 - resting.hold
