"""FIFO at its edges: shares of a sale over lots, what is shown of old trades, borders of values."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from shared.orders import Filled
from shared.units import Ns, Sats, Ticks
from strategy.ledger.lots import Acquisition, Disposal, Ignored, Lots, Part, Reason
from tests.unit.strategy.ledger.test_lots import START, buy, parts_of, sell

YEAR_2200 = Ns(7_258_118_400_000_000_000)


def shares(parts: tuple[Part, ...]) -> list[tuple[str, bool, str, str, str]]:
    return [
        (part.lot, part.of_fee, str(part.cost), str(part.proceeds), str(part.fee)) for part in parts
    ]


def test_each_lot_has_its_share_of_the_proceeds_and_of_the_fee() -> None:
    """A sale over three lots and beyond them; a fee in coins and one in money."""
    lots = Lots()
    for each in (buy(1, "0.1", "4000"), buy(2, "0.2", "9000"), buy(3, "0.1", "5000")):
        lots.book(each)
    lots.book(sell(4, "0.05", "2500"))
    parts = parts_of(lots, sell(5, "0.39", "19500", ("EUR", "39"), ("BTC", "0.01")))
    # The fee of 0.01 coins is worth 500: Werbungskosten of the sale, and a disposal of its own.
    assert [(part.lot, part.of_fee, part.qty) for part in parts] == [
        ("T1", False, 5_000_000),
        ("T2", False, 20_000_000),
        ("T3", False, 10_000_000),
        ("", False, 4_000_000),
        ("", True, 1_000_000),
    ]
    assert [part.cost for part in parts] == [2000, 9000, 5000, 0, 0]
    assert [part.proceeds for part in parts] == [2500, 10000, 5000, 2000, 500]
    assert [round(part.fee, 9) for part in parts] == [
        Decimal("69.102564103"), Decimal("276.410256410"), Decimal("138.205128205"),
        Decimal("55.282051282"), 0,
    ]  # fmt: skip
    assert sum(part.fee for part in parts) == 539


def test_old_trades_are_shown_as_they_are_booked_now() -> None:
    lots = Lots()
    lots.book(buy(1, "0.3", "9000", ("EUR", "9")))
    lots.book(sell(2, "0.1", "4000"))
    lots.book(sell(3, "0.1", "5000"))
    lots.book(sell(4, "0.4", "20000"))
    bought, first, second, third = lots.bookings()
    assert isinstance(bought, Acquisition)
    assert (bought.lot.left, bought.lot.cost_left) == (30_000_000, Decimal(9009)), "shown whole"
    sold = [each for each in (first, second, third) if isinstance(each, Disposal)]
    assert [sum(part.qty for part in each.parts) for each in sold] == [10**7, 10**7, 4 * 10**7]
    assert [[part.lot for part in each.parts] for each in sold] == [["T1"], ["T1"], ["T1", ""]]
    assert [each.unknown_qty for each in sold] == [0, 0, 30_000_000]
    assert not bought.rederived
    assert not any(each.rederived for each in sold)
    after = list(lots.disposals_after("T2"))
    assert [each.exec_id for each in after] == ["T3", "T4"]
    assert all(each.rederived for each in after)


def test_the_digest_names_the_set_of_trades_whatever_its_order() -> None:
    fills = [buy(1, "0.1", "4000"), buy(2, "0.2", "9000"), sell(3, "0.05", "2500")]

    def named(*numbers: int) -> str:
        lots = Lots()
        for number in numbers:
            lots.book(fills[number])
        return lots.digest()

    assert named(0, 1, 2) == named(2, 1, 0) == named(1, 0, 2)
    names = {named(), named(0), named(1), named(0, 1), named(0, 1, 2), named(0, 2)}
    assert len(names) == 6
    assert all(len(name) == 64 for name in names)
    lots = Lots()
    lots.book(fills[1])
    between = lots.digest()
    lots.book(fills[0])
    assert lots.digest() == named(0, 1) != between, "asked in between or not"
    small = Lots()
    small.book(buy(1, "0.1", "1E-7"))
    fixed = Lots()
    fixed.book(buy(1, "0.1", "0.0000001"))
    assert small.digest() == fixed.digest()


SOUND = buy(1, "0.1", "4000", wall=START)


@pytest.mark.parametrize(
    ("changed", "sound"),
    [
        ({"exec_id": ""}, False),
        ({"pair": "/EUR"}, False),
        ({"wall": Ns(1)}, True),
        ({"wall": Ns(YEAR_2200 - 1)}, True),
        ({"wall": YEAR_2200}, False),
        ({"trade_id": 0}, True),
        ({"trade_id": 10**18 - 1}, True),
        ({"trade_id": 10**18}, False),
        ({"price": Ticks(0)}, False),
        ({"price": Ticks(1)}, True),
        ({"price": Ticks(10**18)}, False),
        ({"qty": Sats(1)}, True),
        ({"qty": Sats(10**18)}, False),
        ({"qty": Sats(10**18 - 1)}, True),
        ({"qty": Sats(-1), "fees": (("BTC", Decimal(-1)),)}, False),
        ({"cost": Decimal(0)}, True),
        ({"cost": Decimal(10**18)}, False),
        ({"cost": Decimal(10**18 - 1)}, True),
        ({"fees": (("BTC", Decimal("-0.00000001")),)}, False),
    ],
)
def test_values_are_sound_up_to_their_borders(changed: dict[str, object], sound: bool) -> None:
    lots = Lots("" if changed.get("pair") == "/EUR" else "BTC")
    fill: Filled = replace(SOUND, **changed)
    booking = lots.book(fill)
    assert isinstance(booking, Acquisition) is sound
    if not sound:
        assert booking == Ignored(fill.exec_id, Reason.FAULTY)


def test_money_is_exact_where_more_digits_than_usual_stand() -> None:
    """A cost of thirty digits, a fee of as many: their sum is not rounded to twenty-eight."""
    lots = Lots()
    cost, fee = "123456789012345678.123456789012", "0.000000000000000000000001"
    lots.book(buy(1, "0.1", cost, ("EUR", fee)))
    assert lots.open_lots()[0].cost == Decimal("123456789012345678.123456789012000000000001")
