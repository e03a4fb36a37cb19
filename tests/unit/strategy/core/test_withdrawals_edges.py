"""Withdrawals at their edges: sums, several at once, what is told, and what a new life knows."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from shared import orders
from shared.orders import Balances, Leaving, LedgerPage, Withdrawals
from shared.units import MINUTE, SECOND, Ns
from strategy.core import withdrawals
from strategy.core.memory import OUTGOING_FACT
from strategy.core.out import Out, Tell
from strategy.core.outgoing import Outgoing
from strategy.core.taxgate import saleable_at
from strategy.core.taxview import tax_data
from strategy.ledger.entries import AuditEntry, EvidenceEntry, MovementEntry, Remember
from tests.unit.strategy.core.build import BTC_EUR, MID, WALL, make_config
from tests.unit.strategy.core.desk import Desk
from tests.unit.strategy.core.test_gate import one
from tests.unit.strategy.core.test_taxgate import bought, of
from tests.unit.strategy.core.test_withdrawals import REF, listed, page, trading


def leaving(qty: str, *, left: bool, ref: str = "W", fee: str = "0", wall: Ns = WALL) -> Leaving:
    return Leaving(ref, Decimal(qty), Decimal(fee), wall, left)


# Sums.


@pytest.mark.parametrize(
    ("lack", "reserved"), [(-5, 30), (0, 30), (1, 31), (10, 40), (50, 50), (51, 50)]
)
def test_reserved_is_what_is_under_way_and_of_what_has_left_as_much_as_lacks(
    lack: int, reserved: int
) -> None:
    rows = (leaving("3e-7", left=False), leaving("2e-7", left=True))
    found = Outgoing(rows=rows)
    assert found.reserved(lack) == reserved
    assert (found.on_the_way(), found.kept()) == (30, 50)
    assert Outgoing().reserved(lack) == 0


@pytest.mark.parametrize("lack", [-30, -1, 0, 31])
def test_what_does_not_lack_needs_no_explanation(lack: int) -> None:
    rows = (leaving("3e-7", left=False), leaving("-3e-7", left=False))
    assert not Outgoing(rows=rows).explains(lack)
    assert Outgoing(rows=rows).explains(30)
    assert Outgoing(rows=(leaving("1e-8", left=False),)).explains(1)


# What is heard.


def tells(out: list[Out]) -> list[str]:
    return [item.text for item in out if isinstance(item, Tell) and item.key == "withdrawal"]


def test_each_is_told_when_it_comes_when_it_has_left_and_not_again() -> None:
    desk = trading()
    row = leaving("0.05", left=False, ref="W1", wall=desk.wall)
    told = Withdrawals("BTC", (row,))
    first = withdrawals.hear(desk.memory, told, desk.now)
    assert tells(first) == [
        "withdrawal of 0.05000000 BTC (W1) is on its way: the oldest coins are kept for it"
    ]
    assert withdrawals.hear(desk.memory, told, desk.now) == []
    more = leaving("0.01", left=False, ref="W2", wall=desk.wall)
    second = withdrawals.hear(desk.memory, Withdrawals("BTC", (row, more)), desk.now)
    assert tells(second) == [
        "withdrawal of 0.01000000 BTC (W2) is on its way: the oldest coins are kept for it"
    ]
    gone = Withdrawals("BTC", (replace(row, left=True), more))
    third = withdrawals.hear(desk.memory, gone, desk.now)
    assert tells(third) == [
        "withdrawal of 0.05000000 BTC (W1) has left: the oldest coins are kept for it"
    ]


def test_withdrawals_of_another_coin_and_from_before_are_not_ours() -> None:
    desk = trading()
    since = desk.memory.outgoing.since
    row = leaving("0.05", left=False, wall=since)
    withdrawals.hear(desk.memory, Withdrawals("ETH", (row,)), desk.now)
    assert not desk.memory.outgoing.rows
    before = replace(row, ref_id="B", wall=Ns(since - 1))
    withdrawals.hear(desk.memory, Withdrawals("BTC", (row, before)), desk.now)
    assert desk.memory.outgoing.rows == (row,)


def test_before_the_exchange_has_listed_orders_nothing_counts_as_agreed() -> None:
    desk = Desk()
    desk.run(1, orders.Pairs((BTC_EUR,)), Balances(dict(desk.totals)))
    assert desk.memory.lack() == 0
    assert not desk.memory.outgoing.since
    desk.begin()
    assert desk.memory.outgoing.since


def test_while_the_books_differ_nothing_counts_as_agreed() -> None:
    desk = Desk()
    desk.totals["BTC"] -= Decimal("0.01")
    desk.begin()
    assert not desk.memory.outgoing.since
    desk.totals["BTC"] += Decimal("0.01")
    desk.run(0.5, Balances(dict(desk.totals)))
    since = desk.memory.outgoing.since
    assert since == desk.wall
    kept = msgspec.json.decode(desk.facts[OUTGOING_FACT], type=Outgoing)
    assert kept.since == since


def test_without_a_balance_nothing_is_known_to_lack() -> None:
    memory = of(bought((400, 10**7, MID)))
    memory.balances = {}
    assert memory.lack() is None
    assert withdrawals.settle(memory) == []
    assert not memory.outgoing.since


# What is booked.


def pages(desk: Desk, *rows: tuple[str, str, int]) -> LedgerPage:
    """(ref, amount, seconds ago) of each row."""
    found = {
        f"L{number}": {
            "refid": ref, "time": desk.wall / SECOND - ago, "type": "withdrawal", "subtype": "",
            "aclass": "currency", "asset": "XXBT", "amount": amount, "fee": "0.001",
            "balance": "0",
        }
        for number, (ref, amount, ago) in enumerate(rows)
    }  # fmt: skip
    return LedgerPage(msgspec.json.encode({"error": [], "result": {"ledger": found}}))


def test_two_that_left_together_are_booked_as_far_as_the_balance_lacks_them() -> None:
    desk = trading()
    held = desk.memory.held()
    rows = tuple(
        leaving(qty, left=True, ref=ref, fee="0.001", wall=desk.wall)
        for ref, qty in (("W1", "0.031"), ("W2", "0.021"))
    )
    both = pages(desk, ("W1", "-0.03", 0), ("W2", "-0.02", 0))
    desk.totals["BTC"] -= Decimal("0.031")
    desk.mail += [Withdrawals("BTC", rows), both, Balances(dict(desk.totals))]
    out = desk.step()
    assert desk.memory.held() == held - 3_100_000, "the second has not left the balance yet"
    assert [row.ref_id for row in desk.memory.outgoing.rows] == ["W2"]
    assert len(tells(out)) == 3
    desk.totals["BTC"] -= Decimal("0.021")
    desk.mail.append(Balances(dict(desk.totals)))
    out = desk.step()
    assert desk.memory.held() == held - 5_200_000
    assert desk.memory.outgoing.booked == ("W1", "W2")
    kept = msgspec.json.decode(desk.facts[OUTGOING_FACT], type=Outgoing)
    assert kept.booked == ("W1", "W2")
    assert (kept.heard_at, kept.page) == (0, b""), "asked for anew in the next life"
    assert [each.id for each in desk.memory.others] == ["L0", "L1"]


def test_both_in_one_step_are_booked_with_one_evidence_and_an_audit_line_each() -> None:
    desk = trading()
    rows = tuple(
        leaving(qty, left=True, ref=ref, fee="0.001", wall=desk.wall)
        for ref, qty in (("W1", "0.031"), ("W2", "0.021"))
    )
    both = pages(desk, ("W1", "-0.03", 0), ("W2", "-0.02", 0))
    desk.totals["BTC"] -= Decimal("0.052")
    desk.mail += [Withdrawals("BTC", rows), both, Balances(dict(desk.totals))]
    desk.now, desk.wall = Ns(desk.now + SECOND), Ns(desk.wall + SECOND)
    out = desk.step()
    (kept,) = (item for item in out if isinstance(item, EvidenceEntry))
    moved = [item for item in out if isinstance(item, MovementEntry)]
    audits = [item for item in out if isinstance(item, AuditEntry)]
    walls = [kept.wall, *(item.wall for item in moved), *(item.wall for item in audits)]
    assert walls == [desk.wall] * 5
    assert [(item.who, item.what) for item in audits] == [("bot", "withdrawal")] * 2
    assert "0.03100000 BTC, the oldest ones (W1): row L0" in audits[0].why
    assert [text for text in tells(out) if text.startswith("booked")] == [
        "booked: a withdrawal of 0.03100000 BTC, the oldest ones (W1)",
        "booked: a withdrawal of 0.02100000 BTC, the oldest ones (W2)",
    ]


def test_a_booked_one_that_is_listed_again_is_not_kept_for_again() -> None:
    desk = trading()
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(5, listed(desk, left=True), page(desk), Balances(dict(desk.totals)))
    desk.run(1, Withdrawals("BTC", ()))
    desk.run(1, listed(desk, left=True))
    assert desk.memory.outgoing.rows == ()
    assert desk.memory.free() == 1_500_000


def test_one_on_its_way_is_not_booked_though_the_page_names_it() -> None:
    """The exchange takes it from the balance first; it may still be cancelled."""
    desk = trading()
    held = desk.memory.held()
    other = leaving("0.01", left=True, ref="W9", wall=desk.wall)
    rows = (*listed(desk).rows, other)
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(5, Withdrawals("BTC", rows), page(desk), Balances(dict(desk.totals)))
    assert desk.memory.held() == held


def test_a_row_from_before_the_first_agreement_is_not_booked() -> None:
    desk = trading()
    held = desk.memory.held()
    rows = (leaving("0.031", left=True, ref="W1", fee="0.001", wall=desk.wall),)
    desk.totals["BTC"] -= Decimal("0.031")
    old = pages(desk, ("W1", "-0.03", 3_600))
    desk.run(2, Withdrawals("BTC", rows), old, Balances(dict(desk.totals)))
    assert desk.memory.held() == held


def test_a_new_page_is_read_though_the_gap_is_the_same() -> None:
    desk = trading()
    held = desk.memory.held()
    desk.totals["BTC"] -= Decimal("0.145")
    told = listed(desk, left=True)
    desk.run(2, told, page(desk, ref="FOTHER"), Balances(dict(desk.totals)))
    assert desk.memory.held() == held
    assert desk.memory.outgoing.tried == 14_500_000, "the same page is not read again for it"
    desk.run(1, page(desk))
    assert desk.memory.held() == held - 14_500_000


# What may be sold meanwhile.


def test_coins_on_their_way_out_might_not_be_sold() -> None:
    memory = of(bought((400, 10**7, MID)))
    memory.balances = {"EUR": Decimal(14_000), "BTC": Decimal("0.1")}
    memory.outgoing = Outgoing(since=Ns(1), rows=(leaving("0.04", left=False),))
    assert saleable_at(memory, one(memory), MID) == 6 * 10**6


# What people read.


def notes(desk: Desk) -> list[str]:
    return withdrawals.notes(desk.memory)


def test_one_that_no_row_names_is_told_after_ten_minutes() -> None:
    desk = trading()
    desk.run(2, listed(desk))
    assert withdrawals.shown(desk.memory)[0]["state"] == "on its way"
    assert notes(desk)[0].startswith(f"withdrawal of 0.14500000 BTC ({REF}) is on its way")
    row = desk.memory.outgoing.rows[0]
    left = replace(row, left=True)
    desk.memory.outgoing = replace(desk.memory.outgoing, rows=(left,))
    assert withdrawals.shown(desk.memory)[0]["state"] == "has left, to be booked"
    desk.memory.wall = Ns(row.wall + 10 * MINUTE)
    assert notes(desk) == []
    desk.memory.wall = Ns(row.wall + 10 * MINUTE + 1)
    assert "no row of the exchange's ledger names it: icryptotrader ledger import" in notes(desk)[0]
    assert any("no row of" in note for note in tax_data(desk.memory)["notes"])


@pytest.mark.parametrize(("mode", "told"), [("live", True), ("demo", False)])
def test_a_live_account_whose_withdrawals_are_not_known_says_so(mode: str, told: bool) -> None:
    desk = trading()
    desk.memory.config = replace(make_config(), mode=mode)
    assert bool(notes(desk)) is told
    desk.run(1, Withdrawals("BTC", ()))
    assert notes(desk) == []


def test_what_a_new_life_remembers_is_said_once_for_each_change() -> None:
    desk = trading()
    told = Withdrawals("BTC", (leaving("0.05", left=False, ref="W1", wall=desk.wall),))
    desk.mail.append(told)
    facts = [out for out in desk.step() if isinstance(out, Remember) and out.key == OUTGOING_FACT]
    assert len(facts) == 1
    desk.mail.append(told)
    out = desk.step()
    assert not [item for item in out if isinstance(item, Remember) and item.key == OUTGOING_FACT]
