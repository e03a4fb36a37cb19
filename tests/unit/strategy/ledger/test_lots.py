"""FIFO: what a fill does to the queue, by the asset its fee was charged in."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from shared.orders import Filled
from shared.units import DAY, SECOND, Ns, Pair, Sats, Side, Ticks, cents, to_sats
from strategy.ledger.lots import Acquisition, Disposal, Ignored, Lots, Part, Reason
from strategy.ledger.tax import berlin_day, free_from_wall
from strategy.ledger.trade import UNKNOWN, coin_of

CASES = Path(__file__).resolve().parents[4] / ".." / "shared" / "data" / "tax" / "cases.json"
START = Ns(1_700_000_000 * SECOND)
COIN = 100_000_000


def fill(
    number: int,
    side: Side,
    coins: str,
    cost: str,
    *fees: tuple[str, str],
    pair: str = "BTC/EUR",
    wall: Ns | None = None,
) -> Filled:
    """The fill with this trade number; a day after the one before unless told otherwise."""
    return Filled(
        exec_id=f"T{number}",
        order_id="O1",
        cl_ord_id="",
        pair=pair,
        side=side,
        price=Ticks(1),
        qty=Sats(int(Decimal(coins) * COIN)),
        cost=Decimal(cost),
        fees=tuple((asset, Decimal(amount)) for asset, amount in fees),
        wall=Ns(START + number * DAY) if wall is None else wall,
        trade_id=number,
        maker=True,
    )


def buy(number: int, coins: str, cost: str, *fees: tuple[str, str], **more: Any) -> Filled:
    return fill(number, Side.BUY, coins, cost, *fees, **more)


def sell(number: int, coins: str, cost: str, *fees: tuple[str, str], **more: Any) -> Filled:
    return fill(number, Side.SELL, coins, cost, *fees, **more)


def parts_of(lots: Lots, sale: Filled) -> tuple[Part, ...]:
    booking = lots.book(sale)
    assert isinstance(booking, Disposal)
    return booking.parts


def left(lots: Lots) -> list[tuple[str, int]]:
    return [(lot.exec_id, lot.left) for lot in lots.open_lots()]


def test_the_first_bought_is_the_first_sold() -> None:
    lots = Lots()
    for each in (buy(1, "0.1", "4000"), buy(2, "0.2", "9000"), buy(3, "0.3", "15000")):
        assert isinstance(lots.book(each), Acquisition)
    parts = parts_of(lots, sell(4, "0.25", "13000"))
    assert [(part.lot, part.qty) for part in parts] == [("T1", 10_000_000), ("T2", 15_000_000)]
    assert [part.cost for part in parts] == [Decimal(4000), Decimal(6750)]
    assert [part.proceeds for part in parts] == [Decimal(5200), Decimal(7800)]
    assert left(lots) == [("T2", 5_000_000), ("T3", 30_000_000)]
    assert lots.total() == 35_000_000


def test_what_is_entered_is_booked_and_only_its_lots_are_left_unsaid() -> None:
    booked, entered = Lots(), Lots()
    late = buy(1, "0.1", "4000")
    for each in (buy(2, "0.2", "9000"), sell(3, "0.25", "13000"), late, late, sell(4, "0.1", "1")):
        said, brief = booked.book(each), entered.enter(each)
        if isinstance(brief, Ignored):
            assert brief == said
            continue
        assert not isinstance(said, Ignored)
        assert (brief.trade.exec_id, brief.rederived) == (each.exec_id, said.rederived)
        unknown = said.unknown_qty if isinstance(said, Disposal) else 0
        assert brief.unknown_qty == unknown
    assert entered.open_lots() == booked.open_lots()
    assert entered.digest() == booked.digest()


def test_a_quote_fee_adds_to_the_cost_and_stands_beside_the_proceeds() -> None:
    lots = Lots()
    lots.book(buy(1, "0.3", "15000", ("EUR", "39")))
    parts = parts_of(lots, sell(2, "0.1", "5500", ("EUR", "14.30")))
    assert [(part.cost, part.proceeds, part.fee) for part in parts] == [
        (Decimal("5013"), Decimal(5500), Decimal("14.30"))
    ]
    (rest,) = lots.open_lots()
    assert (rest.cost, rest.cost_left) == (Decimal(15039), Decimal(10026))


def test_a_fee_in_coins_shrinks_a_purchase_at_full_cost() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "5000", ("BTC", "0.00026")))
    (lot,) = lots.open_lots()
    assert (lot.qty, lot.cost) == (9_974_000, Decimal(5000))


def test_a_fee_in_coins_is_a_disposal_of_its_own_beside_the_sale() -> None:
    lots = Lots()
    lots.book(buy(1, "0.2", "12000"))
    sold, kept = parts_of(lots, sell(2, "0.1", "6300", ("BTC", "0.00026")))
    assert (sold.proceeds, sold.cost, sold.fee) == (6300, 6000, Decimal("16.38"))
    assert (kept.proceeds, kept.cost, kept.fee) == (Decimal("16.38"), Decimal("15.60"), 0)
    assert (sold.of_fee, kept.of_fee) == (False, True)
    assert lots.total() == 9_974_000


def test_a_fee_below_the_smallest_unit_costs_a_whole_one() -> None:
    """The book must never show a coin that the account lacks."""
    lots = Lots()
    lots.book(buy(1, "0.1", "5000", ("BTC", "0.0000000001")))
    assert lots.total() == 9_999_999


def test_a_fee_in_a_third_asset_moves_neither_coin_nor_currency() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "5000", ("KFEE", "1300")))
    (lot,) = lots.open_lots()
    assert (lot.qty, lot.cost) == (10_000_000, Decimal(5000))


def test_several_fees_are_each_taken_where_they_were_charged() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "5000", ("EUR", "1"), ("BTC", "0.001"), ("EUR", "2")))
    (lot,) = lots.open_lots()
    assert (lot.qty, lot.cost) == (9_900_000, Decimal(5003))


def test_what_is_sold_beyond_the_known_is_said_to_be_unknown() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "4000"))
    booking = lots.book(sell(2, "0.3", "15000", wall=Ns(START + 900 * DAY)))
    assert isinstance(booking, Disposal)
    assert booking.unknown_qty == 20_000_000
    known, unknown = booking.parts
    assert (known.lot, known.taxable) == ("T1", False)
    assert (unknown.lot, unknown.qty, unknown.cost) == (UNKNOWN, 20_000_000, 0)
    assert unknown.taxable
    assert known.proceeds + unknown.proceeds == 15000
    lots.book(buy(3, "0.1", "4000", wall=Ns(START + 901 * DAY)))
    assert lots.total() == 10_000_000  # A later purchase does not pay for an earlier sale.


def test_both_pairs_of_a_coin_share_one_queue_and_money_keeps_its_name() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "4300", pair="BTC/USD"))
    lots.book(buy(2, "0.1", "4000"))
    parts = parts_of(lots, sell(3, "0.15", "9000"))
    assert [(part.lot, part.cost_currency, part.currency) for part in parts] == [
        ("T1", "USD", "EUR"),
        ("T2", "EUR", "EUR"),
    ]


def test_pieces_of_a_sum_always_add_up_to_it() -> None:
    lots = Lots()
    lots.book(buy(1, "0.00000003", "10.00000000000000001"))
    costs = [
        parts_of(lots, sell(number, "0.00000001", "5", ("EUR", "0.01")))[0].cost
        for number in (2, 3, 4)
    ]
    assert sum(costs) == Decimal("10.00000000000000001")
    assert costs[0] == Decimal("3.333333333333")


def test_a_fill_that_comes_late_takes_its_place_in_the_queue() -> None:
    lots = Lots()
    lots.book(buy(2, "0.1", "5000"))
    first = lots.book(sell(3, "0.1", "6000"))
    assert isinstance(first, Disposal)
    assert not first.rederived
    assert first.parts[0].lot == "T2"
    late = lots.book(buy(1, "0.1", "4000"))
    assert isinstance(late, Acquisition)
    assert late.rederived
    assert late.lot.left == 10_000_000
    assert left(lots) == [("T2", 10_000_000)]
    (again,) = lots.disposals_after("T1")
    assert again.parts[0].lot == "T1"


def test_every_order_of_arrival_gives_the_same_lots() -> None:
    fills = [
        buy(1, "0.1", "4000", ("EUR", "1")),
        sell(2, "0.05", "2500", ("BTC", "0.0001")),
        buy(3, "0.2", "9000"),
        sell(4, "0.3", "15000"),
        buy(5, "0.1", "5000"),
    ]
    outcomes = set()
    for order in permutations(fills):
        lots = Lots()
        for each in order:
            lots.book(each)
        outcomes.add((lots.digest(), lots.open_lots(), tuple(lots.bookings())))
    assert len(outcomes) == 1


def test_at_the_same_moment_the_trade_number_decides() -> None:
    lots = Lots()
    lots.book(buy(2, "0.1", "5000", wall=START))
    lots.book(buy(1, "0.1", "4000", wall=START))
    assert [lot.exec_id for lot in lots.open_lots()] == ["T1", "T2"]


def test_booked_twice_is_booked_once() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "4000"))
    digest = lots.digest()
    assert lots.book(buy(1, "0.1", "4000.0", wall=START)) == Ignored("T1", Reason.KNOWN)
    assert lots.book(buy(1, "0.2", "4000")) == Ignored("T1", Reason.CONFLICT)
    assert (lots.total(), lots.digest()) == (10_000_000, digest)
    assert lots.has("T1")
    assert not lots.has("T2")


def test_another_coin_is_none_of_ours() -> None:
    assert Lots().book(buy(1, "1", "2000", pair="ETH/EUR")) == Ignored("T1", Reason.OTHER_COIN)
    assert coin_of("ETH/BTC") == "ETH"


@pytest.mark.parametrize(
    "faulty",
    [
        buy(1, "0", "4000"),
        buy(1, "0.1", "-1"),
        buy(1, "0.1", "NaN"),
        buy(1, "0.1", "1E999999"),
        buy(1, "0.1", "4000", ("EUR", "sNaN")),
        buy(1, "0.1", "4000", ("EUR", "Infinity")),
        buy(1, "0.1", "4000", ("BTC", "0.1")),
        sell(1, "0.1", "4000", ("BTC", "-0.01")),
        buy(1, "0.1", "4000", wall=Ns(0)),
        buy(1, "0.1", "4000", wall=Ns(10**19)),
        buy(-1, "0.1", "4000", wall=START),
        buy(1, "0.1", "4000", pair="BTC"),
    ],
)
def test_values_that_cannot_be_booked_are_refused_by_name(faulty: Filled) -> None:
    lots = Lots()
    assert lots.book(faulty) == Ignored(faulty.exec_id, Reason.FAULTY)
    assert lots.total() == 0


def test_the_free_coins_are_those_before_the_first_locked_lot() -> None:
    lots = Lots()
    assert lots.free_prefix(START, 4) == 0
    assert lots.next_free_wall(START, 4) is None
    lots.book(buy(1, "0.1", "4000"))
    lots.book(buy(50, "0.2", "4000"))
    first, second = (free_from_wall(lot.wall, 4) for lot in lots.open_lots())
    assert lots.free_prefix(Ns(first - 1), 4) == 0
    assert lots.next_free_wall(Ns(first - 1), 4) == first
    assert lots.free_prefix(first, 4) == 10_000_000
    assert lots.next_free_wall(first, 4) == second
    lots.book(sell(400, "0.04", "4000"))
    assert lots.free_prefix(first, 4) == 6_000_000
    assert lots.free_prefix(second, 4) == 26_000_000
    assert lots.next_free_wall(second, 4) is None
    # Other safety days are another question, and a clock may be set back.
    assert lots.free_prefix(Ns(first - 4 * DAY), 0) == 6_000_000
    assert lots.free_prefix(Ns(first - 1), 4) == 0


def test_a_locked_lot_that_was_sold_is_not_waited_for() -> None:
    lots = Lots()
    lots.book(buy(1, "0.1", "4000"))
    lots.book(buy(50, "0.2", "4000"))
    lots.book(sell(60, "0.1", "4000"))
    second = lots.open_lots()[0]
    assert lots.next_free_wall(second.wall, 4) == free_from_wall(second.wall, 4)


def test_the_trades_alone_give_the_lots_again() -> None:
    lots = Lots()
    for each in (buy(1, "0.1", "4000"), sell(3, "0.05", "2500"), buy(2, "0.2", "9000")):
        lots.book(each)
    again = Lots.of("BTC", reversed(lots.trades()))
    assert again.open_lots() == lots.open_lots()
    assert again.digest() == lots.digest()


def golden() -> list[Any]:
    """The cases that concern one account, EUR and trades only."""
    if not CASES.exists():
        return []
    cases = json.loads(CASES.read_text())["cases"]
    return [
        pytest.param(case, id=case["id"])
        for case in cases
        if case["kind"] == "ledger"
        and all(
            event["type"] in ("buy", "sell") and event["quote_ccy"] == "EUR"
            for event in case["events"]
        )
    ]


@pytest.mark.skipif(not CASES.exists(), reason="../shared/data/tax/cases.json is absent")
@pytest.mark.parametrize("case", golden())
def test_the_golden_cases_come_out(case: dict[str, Any]) -> None:
    btc = Pair("BTC/EUR", "BTC", "EUR", 1, 8, 5, 1, 1, Sats(1), Decimal(0))
    lots, found = Lots(), []
    names = {}
    for number, event in enumerate(case["events"], 1):
        if event["account"] != "kraken-spot":
            continue
        names[f"T{number}"] = event["id"]
        moment = datetime.fromisoformat(event["ts"])
        booking = lots.book(
            Filled(
                f"T{number}", "O", "", "BTC/EUR", Side(event["type"]), Ticks(1),
                to_sats(btc, Decimal(event["qty"])), Decimal(event["quote_gross"]),
                ((event["fee_ccy"], Decimal(event["fee"])),),
                Ns(int(moment.timestamp()) * SECOND), number, True,
            )
        )  # fmt: skip
        if isinstance(booking, Disposal):
            found += [(booking, part, str(berlin_day(lots.trades()[-1].wall)), event["id"])
                      for part in booking.parts]  # fmt: skip
    wanted = case["expected"]["disposals"]
    assert len(found) == len(wanted)
    for (_, part, sold, sale), want in zip(found, wanted, strict=True):
        assert sale + ("#fee" if part.of_fee else "") == want["sell"]
        assert names[part.lot] == want["lot"]
        assert part.qty == to_sats(btc, Decimal(want["qty"]))
        assert (str(berlin_day(part.bought_wall)), sold) == (want["acquired"], want["disposed"])
        assert part.taxable is want["taxable"]
        for ours, theirs in (
            (part.proceeds, want["proceeds_eur"]),
            (part.cost, want["cost_eur"]),
            (part.fee, want["werbungskosten_eur"]),
        ):
            # Cents are rounded per sum there and only in the report here.
            assert abs(cents(ours) - Decimal(theirs)) <= Decimal("0.01")
    open_lots = [
        (lot["lot"], to_sats(btc, Decimal(lot["qty"])))
        for lot in case["expected"]["open_lots"]
        if lot["account"] == "kraken-spot"
    ]
    assert [(names[lot.exec_id], lot.left) for lot in lots.open_lots()] == open_lots


def test_a_settled_queue_goes_on_as_one_that_forgets_nothing() -> None:
    settled, other = Lots(), Lots()
    for number in range(1, 60):
        coins = f"0.{number * 7 % 5 + 1}"
        each = (sell if number * 5 % 11 < 6 else buy)(number, coins, "1000", ("EUR", "1"))
        assert settled.book(each) == other.book(each)
        if number % 4 == 0:
            settled.settle()
        now = Ns(each.wall + 370 * DAY)
        assert settled.open_lots() == other.open_lots()
        assert settled.total() == other.total()
        assert settled.digest() == other.digest()
        assert settled.free_prefix(now, 0) == other.free_prefix(now, 0)
        assert settled.next_free_wall(now, 0) == other.next_free_wall(now, 0)
    assert any(lot.left < lot.qty for lot in other.open_lots()) and len(other.open_lots()) > 1
    assert len(settled.trades()) < 5 < len(other.trades())


def test_nothing_may_be_told_late_to_a_settled_queue() -> None:
    lots = Lots()
    lots.book(buy(2, "0.1", "4000"))
    lots.settle()
    with pytest.raises(AssertionError, match="T1 is told late"):
        lots.book(buy(1, "0.1", "4000"))
