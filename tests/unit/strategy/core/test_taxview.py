"""The tax overview: bounded, right at the edges of the year, and all of what is said of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.clock import perf
from shared.units import DAY, Ns, Side, Ticks, fixed_text
from strategy.core.memory import Memory
from strategy.core.slots import State
from strategy.core.taxdesk import PER_SAT
from strategy.core.taxview import LOTS_SHOWN, UNLOCKS_SHOWN, in_short, tax_data, unlocks
from strategy.ledger.events import euros
from strategy.ledger.lots import Lots
from strategy.ledger.tax import berlin_day, free_from_wall
from tests.unit.strategy.core.build import MID, WALL, make_fill, make_slot
from tests.unit.strategy.core.test_gate import put
from tests.unit.strategy.core.test_taxgate import bought, of


def sold(lots: Lots, days: int, price: int, sats: int, number: int) -> Lots:
    wall = WALL - days * DAY
    lots.book(make_fill(f"S-{number}", Side.SELL, price, sats, wall=wall, trade_id=number))
    return lots


def seen(memory: Memory) -> dict[str, Any]:
    return tax_data(memory)


def test_a_year_counts_its_own_sales_free_and_taxable_apart() -> None:
    lots = bought((700, 10**6, MID), (690, 10**6, MID), (200, 10**6, MID))
    sold(lots, 400, MID + 10_000, 10**6, 11)  # 2025: taxable
    sold(lots, 20, MID + 20_000, 10**6, 12)  # free
    sold(lots, 10, MID + 30_000, 10**6, 13)  # taxable
    found = seen(of(lots))
    # 30 EUR of price, less a buy fee of 1.02 and a sell fee of 1.06 (0.12 %).
    assert found["gain_taxable"] == "27.92"
    assert found["gain_free"] == "17.94"
    assert found["gain_all_years"] == "53.81"
    assert (found["room"], found["tax"], found["net"]) == ("972.07", "0.00", "27.92")


def test_a_year_computed_by_hand() -> None:
    """+1,500 realised, 300 brought from before, 42 %: 1,200 are taxed, and 504 is the tax."""
    lots = bought((200, 10**7, MID))
    sold(lots, 10, MID + 150_000, 10**7, 11)
    fees = Decimal("10.20") + Decimal("12.00")
    found = seen(of(lots, loss_carryforward_eur="300", external_s23_net_eur=str(fees)))
    assert (found["net"], found["taxed"], found["tax"]) == ("1500.00", "1200.00", "504.00")
    assert found["room"] == "0.00"
    assert "passed already" in found["notes"][0]


def test_a_loss_of_the_year_says_where_it_goes() -> None:
    lots = bought((200, 10**7, MID))
    sold(lots, 10, MID - 100_000, 10**7, 11)
    assert any("first into the year before" in note for note in seen(of(lots))["notes"])
    waived = seen(of(lots, waive_carryback=True))
    assert any("carry-back is waived" in note for note in waived["notes"])


def test_the_worst_course_of_what_rests_is_told_in_euros() -> None:
    memory = of(bought((400, 10**6, MID), (100, 10**7, MID)))
    slot = make_slot("s1", State.LIVE, price=Ticks(MID + 50_000), qty=3 * 10**6)
    put(memory, slot)
    found = seen(memory)
    # 0.02 BTC reach beyond the free 0.01, 5,000 EUR a coin dearer than they were bought, fee on top
    assert found["taxable_at_risk"] == "0.02000000"
    assert found["worst_resting"] == "97.96"
    assert found["room_after_resting"] == "902.03"
    assert "0.02000000 of the resting sells would be taxable" in in_short(memory)


def test_a_lot_near_its_free_day_is_told_and_one_at_a_loss_the_other_way() -> None:
    nearly = of(bought((350, 10**7, MID - 100_000)))
    assert any("waiting saves about" in note for note in seen(nearly)["notes"])
    losing = of(bought((350, 10**7, MID + 100_000)))
    assert any("counts only until 2026-10-06" in note for note in seen(losing)["notes"])


def test_five_thousand_lots_make_a_short_answer_in_a_moment() -> None:
    memory = of(bought(*((500 - n // 10, 10**5, MID) for n in range(5000))))
    seen(memory)
    took = []
    for _ in range(5):
        begin = perf()
        found = seen(memory)
        took.append(perf() - begin)
    assert sum(count for _, count, _ in found["ages"]) == 5000
    assert len(found["unlocks"]) == UNLOCKS_SHOWN
    assert found["unlocks"] == sorted(found["unlocks"])
    assert len(found["oldest"]) == LOTS_SHOWN
    assert min(took) < 500_000_000, "ns; a tick of the strategy waits for it"


def test_what_is_told_by_day_is_what_the_lots_say_one_by_one() -> None:
    """Over the turn of a leap February too, with a lot that is partly sold."""
    lots = bought(*((1200 - n, 10**5 + n, MID + n) for n in range(1100)))
    sold(lots, 50, MID, 7 * 10**6 + 123, 5000)
    memory = of(lots)
    found, opened = seen(memory), memory.desk.lots()
    assert found["lots"] == len(opened) < 1100
    assert found["cost"] == str(euros(sum(lot.cost for lot in opened)))
    today = berlin_day(memory.wall)
    for name, youngest, oldest in (("0-29", 0, 30), ("180-329", 180, 330), ("330+", 330, 10**6)):
        each = [
            lot.qty
            for lot in opened
            if youngest <= (today - berlin_day(lot.basis.wall)).days < oldest
        ]
        told = next(row for row in found["ages"] if row[0] == name)
        assert told[1:] == (len(each), fixed_text(sum(each) // PER_SAT, 8))
    by_day: dict[str, int] = {}
    for lot in opened:
        day = berlin_day(free_from_wall(lot.basis.wall, 4))
        if day > today:
            by_day[day.isoformat()] = by_day.get(day.isoformat(), 0) + lot.qty
    listed = unlocks(memory.desk.days(), 4, today)
    first = list(by_day.items())[:UNLOCKS_SHOWN]
    assert listed == [(day, fixed_text(qty // PER_SAT, 8)) for day, qty in first]


def test_a_new_year_begins_with_all_its_room() -> None:
    lots = bought((200, 10**7, MID))
    sold(lots, 10, MID + 90_000, 10**6, 11)
    memory = of(lots)
    assert seen(memory)["room"] != "999.99"
    memory.wall = Ns(WALL + 120 * DAY)
    assert (seen(memory)["year"], seen(memory)["room"]) == (2027, "999.99")
    assert any("draft law" in note for note in seen(memory)["notes"])
