"""Withdrawals: kept from the sells while under way, booked once they have left, free again else."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared import control
from shared.orders import Balances, Leaving, LedgerPage, Withdrawals
from shared.units import DAY, SECOND, Ns, Side
from strategy.core import snapshot
from strategy.core.taxview import in_short, tax_data
from strategy.ledger.entries import EvidenceEntry, MovementEntry
from strategy.ledger.events import Departed
from tests.unit.strategy.core.desk import Desk

REF, ROW = "FTQcuak-V6Za8qrWnhzTx67yYHz8Tg", "LBWDRL-AAAAA-BBBBBB"


def trading() -> Desk:
    desk = Desk()
    desk.begin()
    desk.run(2)
    assert desk.side(Side.SELL)
    assert desk.memory.outgoing.since
    return desk


def listed(desk: Desk, qty: str = "0.145", *, left: bool = False, ref: str = REF) -> Withdrawals:
    row = Leaving(ref, Decimal(qty), Decimal("0.001"), Ns(desk.wall), left)
    return Withdrawals("BTC", (row,))


def page(desk: Desk, amount: str = "-0.144", ref: str = REF) -> LedgerPage:
    row = {
        "refid": ref, "time": desk.wall / SECOND, "type": "withdrawal", "subtype": "",
        "aclass": "currency", "asset": "XXBT", "amount": amount, "fee": "0.001", "balance": "0",
    }  # fmt: skip
    return LedgerPage(msgspec.json.encode({"error": [], "result": {"ledger": {ROW: row}}}))


def selling(desk: Desk) -> int:
    return sum(order.qty - order.filled for order in desk.side(Side.SELL))


def test_what_is_on_its_way_is_kept_from_the_sells_and_told() -> None:
    """Of 0.16 free coins 0.145 are to leave: no more than 0.015 may rest as sells."""
    desk = trading()
    before, free = selling(desk), desk.memory.free()
    desk.run(20, listed(desk))
    assert desk.memory.free() == free - 14_500_000
    assert 0 < selling(desk) <= desk.memory.free() < before
    assert not desk.memory.audit.held
    told = tax_data(desk.memory)
    assert told["leaving"] == "0.14500000"
    assert told["withdrawals"] == [{"ref": REF, "qty": "0.14500000", "state": "on its way"}]
    assert any("the oldest coins are kept for it" in note for note in told["notes"])
    assert "0.14500000 kept for withdrawals" in in_short(desk.memory)
    assert desk.ask(control.AskLots).data["leaving"] == "0.14500000"


def test_it_is_still_kept_in_the_next_life() -> None:
    desk = trading()
    desk.run(20, listed(desk))
    free = desk.memory.free()
    desk.restart()
    desk.begin()
    assert desk.memory.free() == free
    assert selling(desk) <= free
    taken = snapshot.take(desk.memory)
    assert snapshot.restore(desk.config, taken).free() == free


def test_cancelled_its_coins_may_be_sold_again() -> None:
    desk = trading()
    free = desk.memory.free()
    desk.run(20, listed(desk))
    desk.run(20, Withdrawals("BTC", ()))
    assert desk.memory.free() == free
    assert any("was cancelled" in told.text for told in desk.told)


def test_one_that_has_left_is_booked_by_its_row_and_nothing_is_held() -> None:
    desk = trading()
    held, free = desk.memory.held(), desk.memory.free()
    desk.run(5, listed(desk))
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(30, Balances(dict(desk.totals)))
    # The balance shows it before the status says so: explained, and still kept.
    assert not desk.memory.audit.held
    assert desk.memory.free() == free - 14_500_000
    desk.mail += [listed(desk, left=True), page(desk)]
    out = desk.step()
    (moved,) = (each for each in out if isinstance(each, MovementEntry))
    (kept,) = (each for each in out if isinstance(each, EvidenceEntry))
    assert isinstance(moved.event, Departed)
    assert (moved.event.id, moved.event.qty, moved.event.network_fee) == (ROW, 1_440_000_000, 10**7)
    assert moved.source == kept.sha256
    assert ROW.encode() in kept.data
    assert desk.memory.held() == held - 14_500_000
    assert desk.memory.free() == free - 14_500_000
    assert not desk.memory.outgoing.rows
    desk.run(30, listed(desk, left=True), page(desk))
    assert desk.memory.held() == held - 14_500_000, "booked once"
    assert not desk.memory.audit.drift
    assert selling(desk) <= desk.memory.free()


def test_a_restored_memory_knows_what_was_booked_in_its_life() -> None:
    desk = trading()
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(5, listed(desk, left=True), page(desk), Balances(dict(desk.totals)))
    again = snapshot.restore(desk.config, snapshot.take(desk.memory))
    assert again.held() == desk.memory.held() == 1_500_000
    assert again.digest() == desk.memory.digest()


def test_a_row_is_not_booked_before_the_balance_lacks_the_coins() -> None:
    desk = trading()
    held = desk.memory.held()
    desk.run(20, listed(desk, left=True), page(desk))
    assert desk.memory.held() == held
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(2, Balances(dict(desk.totals)))
    assert desk.memory.held() == held - 14_500_000


def test_one_from_before_ledger_and_account_agreed_is_the_imports_to_read() -> None:
    desk = trading()
    old = Leaving("FOLD", Decimal("0.1"), Decimal(0), Ns(desk.wall - DAY), True)
    desk.run(5, Withdrawals("BTC", (old,)), page(desk, "-0.099", "FOLD"))
    assert not desk.memory.outgoing.rows
    desk.totals["BTC"] -= Decimal("0.1")
    desk.run(120, Balances(dict(desk.totals)))
    assert desk.memory.audit.held, "coins that nothing explains are held, as before"


def test_coins_that_go_without_a_word_count_as_gone_until_it_is_known_why() -> None:
    """While the exchange is being asked, the free coins are fewer, and nothing is alarmed yet."""
    desk = trading()
    desk.run(2, Withdrawals("BTC", ()))
    free = desk.memory.free()
    desk.totals["BTC"] -= Decimal("0.1")
    desk.run(5, Balances(dict(desk.totals)))
    assert desk.memory.free() == free - 10_000_000
    desk.run(20)
    assert not desk.memory.audit.held
    desk.run(10, Withdrawals("BTC", ()))
    desk.run(30)
    assert desk.memory.audit.held


def test_of_several_any_sum_explains_the_difference() -> None:
    desk = trading()
    rows = tuple(
        Leaving(f"F{n}", Decimal(qty), Decimal("0.0001"), Ns(desk.wall), False)
        for n, qty in enumerate(("0.01", "0.02", "0.03"))
    )
    desk.totals["BTC"] -= Decimal("0.0499")  # the second without its fee, and the third
    desk.run(120, Withdrawals("BTC", rows), Balances(dict(desk.totals)))
    assert not desk.memory.audit.held


def test_a_row_of_another_withdrawal_and_one_larger_than_the_gap_are_not_booked() -> None:
    desk = trading()
    held = desk.memory.held()
    desk.totals["BTC"] -= Decimal("0.145")
    desk.run(2, listed(desk, left=True), page(desk, ref="FOTHER"), Balances(dict(desk.totals)))
    assert desk.memory.held() == held, "the exchange's ledger speaks of another one"
    desk.totals["BTC"] += Decimal("0.100")
    desk.run(2, page(desk), Balances(dict(desk.totals)))
    assert desk.memory.held() == held, "less is missing than it took"
