"""The executions channel row by row: what each means, what is remembered, what is told once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.kraken.private import Report
from shared.orders import Accepted, AddOrder, Amended, Event, Filled, Gone
from shared.units import Ns, Sats, Side, Ticks
from strategy.session.orders import MOST_REMEMBERED, MOST_TOLD, Orders, UnreadableError
from tests.unit.strategy.core.build import BTC_EUR

NAME, ORDER = "gt5qkow00bb1", "OAAAAA-BBBBB-CCCCCC"
ADD = AddOrder(NAME, "BTC/EUR", Side.BUY, Ticks(849_000), Sats(600_000), Ns(9))
FOREIGN = Report(
    "new", "OX", "", "BTC/EUR", "sell", "new", order_qty=Decimal("0.5"), limit_price=Decimal(9)
)


def orders(*, sent: bool = True) -> Orders:
    found = Orders({"BTC/EUR": BTC_EUR})
    if sent:
        found.sent(ADD)
    return found


def row(kind: str, order_id: str = ORDER, name: str = "", **fields: Any) -> Report:
    return Report(kind, order_id, name, **fields)


def trade(number: int = 1, qty: str = "0.002", **fields: Any) -> Report:
    values: dict[str, Any] = {
        "exec_id": f"T{number}", "trade_id": number, "last_qty": Decimal(qty),
        "last_price": Decimal("84900.0"), "wall": Ns(1_000 + number), "maker": True,
    } | fields  # fmt: skip
    return row("trade", **values)


def begun() -> Orders:
    found = orders()
    assert found.update(row("new", name=NAME)) == [Accepted("add", NAME, ORDER)]
    return found


# The beginning.


def test_an_order_is_told_once_by_ack_or_event() -> None:
    found = begun()
    assert found.update(row("pending_new", name=NAME)) == []
    assert not found.accept(ORDER, NAME)
    other = orders()
    assert other.accept(ORDER, NAME)
    assert not other.accept(ORDER, NAME)
    assert other.update(row("new", name=NAME)) == []
    assert other.cl_of(ORDER) == NAME
    assert other.symbol_of(ORDER) == "BTC/EUR"
    assert (other.cl_of("O?"), other.symbol_of("O?")) == ("", "")


def test_after_a_lost_line_it_is_told_again_but_not_one_that_has_ended() -> None:
    found = begun()
    found.line_lost()
    assert found.update(row("new")) == [Accepted("add", NAME, ORDER)]
    found.update(row("canceled"))
    found.line_lost()
    assert found.update(row("new")) == []
    assert not found.accept(ORDER, NAME)


def test_a_foreign_order_is_followed_and_not_told_as_ours() -> None:
    found = orders()
    assert found.update(FOREIGN) == []
    (gone,) = found.update(row("canceled", "OX"))
    assert gone == Gone("", "OX", "canceled", Sats(0))


def test_an_event_may_come_before_what_joins_the_two_ids() -> None:
    """The fill names the exchange's id alone; pair and side are those of our request."""
    found = orders()
    with pytest.raises(UnreadableError, match="unknown pair"):
        found.update(trade())
    found.learn(ORDER, NAME)
    (fill,) = found.update(trade())
    assert isinstance(fill, Filled)
    assert (fill.cl_ord_id, fill.side, fill.pair) == (NAME, Side.BUY, "BTC/EUR")
    assert found.update(row("filled")) == [Gone(NAME, ORDER, "filled", Sats(600_000))]


def test_an_ack_without_an_id_joins_nothing() -> None:
    found = orders()
    found.learn("", NAME)
    found.learn(ORDER, "")
    assert found.cl_of(ORDER) == ""


def test_an_order_of_an_earlier_life_is_known_by_either_id() -> None:
    found = orders(sent=False)
    assert found.accept(ORDER, NAME)
    assert found.update(row("canceled", "", NAME)) == [Gone(NAME, ORDER, "canceled", Sats(0))]


def test_an_order_in_a_pair_that_we_do_not_trade_is_followed_without_numbers() -> None:
    strange = replace(FOREIGN, symbol="ETH/EUR", cum_qty=Decimal("0.1"))
    assert orders().update(strange) == []
    assert orders().snapshot((strange,))[1][0].qty == 0


def test_a_name_that_is_used_again_is_a_new_order() -> None:
    found = begun()
    found.update(row("canceled"))
    assert found.update(row("new", "O2", NAME)) == [Accepted("add", NAME, "O2")]
    assert found.cl_of(ORDER) == NAME


@pytest.mark.parametrize("kind", ["new", "trade", "canceled", "amended"])
def test_a_row_without_any_id_cannot_be_followed(kind: str) -> None:
    fields: dict[str, Any] = {"exec_id": "T1"} if kind == "trade" else {}
    with pytest.raises(UnreadableError, match="without an id"):
        orders().update(Report(kind, **fields))


# Money.


def test_a_fill_is_whole_though_its_row_is_a_delta() -> None:
    found = begun()
    fees = (("EUR", Decimal("0.2")), ("KFEE", Decimal(0)))
    (fill,) = found.update(trade(fees=fees, cum_qty=Decimal("0.002")))
    assert fill == Filled(
        "T1", ORDER, NAME, "BTC/EUR", Side.BUY, Ticks(849_000), Sats(200_000),
        Decimal("169.8000"), (("EUR", Decimal("0.2")),), Ns(1_001), 1, maker=True,
    )  # fmt: skip
    (told,) = found.update(trade(2, cost=Decimal("169.81")))
    assert isinstance(told, Filled)
    assert told.cost == Decimal("169.81"), "as the exchange states it"
    assert found.update(trade(2)) == [], "told once"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exec_id": ""}, "without an id"),
        ({"wall": None}, "without price, quantity or moment"),
        ({"last_price": None}, "without price, quantity or moment"),
        ({"last_qty": None}, "without price, quantity or moment"),
        ({"last_price": Decimal(0)}, "without price, quantity or moment"),
        ({"last_qty": Decimal(0)}, "without price, quantity or moment"),
        ({"last_qty": Decimal("0.000000001")}, "more than 8 decimals"),
        ({"symbol": "ETH/EUR"}, "unknown pair ETH/EUR"),
    ],
)
def test_a_fill_that_cannot_be_read_is_never_passed_over(changed: dict[str, Any], why: str) -> None:
    found = begun()
    with pytest.raises(UnreadableError, match=why):
        found.update(trade(**changed))
    assert found.is_new("T1"), "it is not taken for told"


def test_a_fill_of_an_order_without_a_side_cannot_be_read() -> None:
    found = orders(sent=False)
    with pytest.raises(UnreadableError, match="unknown pair"):
        found.update(trade(symbol="BTC/EUR", side="both"))
    (fill,) = found.update(trade(symbol="BTC/EUR", side="sell"))
    assert isinstance(fill, Filled)
    assert fill.side is Side.SELL


# The end.


@pytest.mark.parametrize(
    ("status", "cum_qty", "ends"),
    [
        ("filled", "0.006", True),
        ("filled", "0.005", False),  # it says so too soon: `filled` follows
        ("partially_filled", "0.006", False),
        ("filled", None, False),
    ],
)
def test_a_last_trade_that_says_filled_ends_the_order(
    status: str, cum_qty: str | None, ends: bool
) -> None:
    found = begun()
    told = None if cum_qty is None else Decimal(cum_qty)
    events = found.update(trade(order_status=status, cum_qty=told))
    assert [type(event) for event in events] == ([Filled, Gone] if ends else [Filled])
    after = found.update(row("filled", cum_qty=Decimal("0.006")))
    assert after == ([] if ends else [Gone(NAME, ORDER, "filled", Sats(600_000))])


def test_an_order_of_unknown_size_is_not_ended_by_a_trade() -> None:
    found = orders(sent=False)
    (only,) = found.update(trade(symbol="BTC/EUR", side="buy", order_status="filled"))
    assert isinstance(only, Filled)


@pytest.mark.parametrize(
    ("kind", "cum_qty", "filled"),
    [
        ("canceled", None, 200_000),
        ("expired", "0.003", 300_000),
        ("filled", None, 600_000),  # it says no more than that: all of it
        ("filled", "0.004", 400_000),
    ],
)
def test_an_order_ends_once_with_what_has_filled(
    kind: str, cum_qty: str | None, filled: int
) -> None:
    found = begun()
    found.update(trade(cum_qty=Decimal("0.002")))
    told = None if cum_qty is None else Decimal(cum_qty)
    events: list[Event] = found.update(row(kind, cum_qty=told, reason="Post only order"))
    assert events == [Gone(NAME, ORDER, kind, Sats(filled), "Post only order")]
    assert found.update(row(kind)) == []
    assert found.update(row("canceled")) == []
    assert found.update(row("amended", order_qty=Decimal(1))) == [], "it does not rest any more"


@pytest.mark.parametrize("kind", ["status", "iceberg_refill", "something"])
def test_other_rows_move_nothing(kind: str) -> None:
    assert begun().update(row(kind, cum_qty=Decimal("0.006"))) == []


@pytest.mark.parametrize("kind", ["amended", "restated"])
def test_an_amend_tells_price_and_total(kind: str) -> None:
    found = begun()
    changed = row(kind, limit_price=Decimal("84800.5"), order_qty=Decimal("0.007"))
    assert found.update(changed) == [Amended(NAME, ORDER, Ticks(848_005), Sats(700_000))]
    only_price = row(kind, limit_price=Decimal("84700"))
    assert found.update(only_price) == [Amended(NAME, ORDER, Ticks(847_000), Sats(700_000))]
    assert orders().update(row(kind, "O?")) == [], "an order of which nothing is known"


# The snapshot.


def test_a_snapshot_has_fills_oldest_first_and_what_rests() -> None:
    found = orders()
    resting = row(
        "new", ORDER, NAME, order_status="partially_filled", cum_qty=Decimal("0.001"),
        limit_price=Decimal("84900"), order_qty=Decimal("0.006"), symbol="BTC/EUR", side="buy",
    )  # fmt: skip
    whole: dict[str, Any] = {"order_status": "filled", "symbol": "BTC/EUR", "side": "buy"}
    late, early = trade(2, **whole), trade(1, **whole)
    same = trade(0, **whole, wall=early.wall)
    closed = row("canceled", "O9", order_status="canceled", symbol="BTC/EUR", side="buy")
    fills, rests, faults = found.snapshot((late, resting, early, same, closed, replace(late)))
    assert [fill.exec_id for fill in fills] == ["T0", "T1", "T2"]
    assert [(order.order_id, order.filled) for order in rests] == [(ORDER, 100_000)]
    assert rests[0].price == 849_000
    assert faults == []
    assert found.update(row("new", name=NAME)) == [], "the list has told of it"
    assert found.update(row("filled", cum_qty=Decimal("0.006"))) != [], "no fill row ended it"


def test_what_a_snapshot_lists_rests_though_it_was_thought_to_have_ended() -> None:
    found = begun()
    found.update(row("canceled"))
    again = row("new", ORDER, NAME, order_status="new")
    assert [order.cl_ord_id for order in found.snapshot((again,))[1]] == [NAME]
    assert found.update(row("canceled")) == [Gone(NAME, ORDER, "canceled", Sats(0))]


def test_one_row_that_cannot_be_read_spoils_no_other() -> None:
    found = orders()
    no_side = row("new", "O8", order_status="new", symbol="BTC/EUR")
    bad = trade(5, wall=None)
    fills, rests, faults = found.snapshot(
        (no_side, bad, FOREIGN, trade(6, symbol="BTC/EUR", side="buy"))
    )
    assert ([fill.exec_id for fill in fills], [order.order_id for order in rests]) == (
        ["T6"],
        ["OX"],
    )
    assert len(faults) == 2
    assert "without a side" in faults[0]


def test_a_relative_price_of_a_foreign_order_is_no_price() -> None:
    found = orders()
    for price in (Decimal("-5"), Decimal("0.123456")):
        listed = replace(FOREIGN, limit_price=price, order_status="new")
        assert found.snapshot((listed,))[1][0].price == 0


# Bounds.


def test_of_many_orders_the_oldest_ended_one_is_forgotten_first() -> None:
    found = orders(sent=False)
    for number in range(MOST_REMEMBERED):
        found.update(replace(FOREIGN, order_id=f"O{number}"))
    found.update(row("canceled", "O7"))
    found.update(replace(FOREIGN, order_id="Onew"))
    assert found.symbol_of("O7") == ""
    assert found.symbol_of("O0") == found.symbol_of("Onew") == "BTC/EUR"
    found.update(replace(FOREIGN, order_id="Onewer"))
    assert found.symbol_of("O0") == "", "none has ended: the oldest"
    assert found.symbol_of("O1") == "BTC/EUR"


def test_the_last_few_thousand_fills_are_known() -> None:
    found = orders()
    for number in range(MOST_TOLD):
        found.tell(f"T{number}")
    assert not found.is_new("T0")
    found.tell("T-one-more")
    assert found.is_new("T0")
    assert not found.is_new("T1")
