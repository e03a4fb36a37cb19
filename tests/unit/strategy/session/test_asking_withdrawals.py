"""The exchange is asked for withdrawals where the key may ask, and for the row of one that left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared import orders as o
from shared.kraken.withdrawals import parse_withdrawals
from shared.units import MINUTE, SECOND, Ns
from strategy.session import mail as m
from tests.unit.strategy.session.bench import Bench, of

MAY = {"permissions": ["modify-trades", "query-ledger"]}
ROW: dict[str, Any] = {
    "method": "Bitcoin", "aclass": "currency", "asset": "XXBT", "refid": "FTQcuak-V6Za8q",
    "txid": "29323ce2", "info": "bc1q", "amount": "0.72485000", "fee": "0.00020000",
    "time": 1688014586, "status": "Pending", "key": "btc-wallet-1",
}  # fmt: skip
LEFT = {**ROW, "status": "Success"}


def asked(bench: Bench, name: str) -> list[dict[str, str]]:
    return [fields for each, fields in bench.calls if each == name]


def pass_by(bench: Bench, minutes: int) -> list[m.SessionOut]:
    return [out for _ in range(2 * minutes) for out in bench.wait(MINUTE // 2)]


def test_what_is_under_way_is_asked_each_minute_and_told() -> None:
    bench = Bench({"GetApiKeyInfo": MAY, "WithdrawStatus": [ROW]})
    told = of(o.Withdrawals, [*bench.step(), *bench.step()])
    row = o.Leaving(
        ROW["refid"], Decimal("0.72505"), Decimal("0.0002"), Ns(ROW["time"] * SECOND), left=False
    )
    assert told == [o.Withdrawals("BTC", (row,))]
    assert asked(bench, "WithdrawStatus")[0]["asset"] == "XBT"
    pass_by(bench, 3)
    assert 3 <= len(asked(bench, "WithdrawStatus")) <= 5
    assert not asked(bench, "Ledgers"), "nothing has left"


def test_one_that_left_is_looked_for_in_the_ledger_until_its_row_was_seen() -> None:
    page: dict[str, Any] = {"ledger": {}, "count": 0}
    bench = Bench({"GetApiKeyInfo": MAY, "WithdrawStatus": [LEFT], "Ledgers": page})
    bench.step()
    pass_by(bench, 2)
    (first, *_) = asked(bench, "Ledgers")
    assert (first["asset"], first["type"]) == ("XBT", "withdrawal")
    assert int(first["start"]) < ROW["time"]
    page["ledger"]["L1"] = {"refid": ROW["refid"]}
    outs = pass_by(bench, 2)
    assert b"FTQcuak" in of(o.LedgerPage, outs)[-1].body
    before = len(asked(bench, "Ledgers"))
    pass_by(bench, 5)
    assert len(asked(bench, "Ledgers")) == before, "its row was seen"


def test_a_row_that_never_comes_is_given_up() -> None:
    page: dict[str, Any] = {"ledger": {}, "count": 0}
    bench = Bench({"GetApiKeyInfo": MAY, "WithdrawStatus": [LEFT], "Ledgers": page})
    bench.step()
    pass_by(bench, 40)
    assert len(asked(bench, "Ledgers")) == 10


def test_a_key_without_the_right_is_not_tried_and_the_remedy_told() -> None:
    bench = Bench()
    outs = [*bench.step(), *bench.wait(3 * MINUTE)]
    assert not asked(bench, "WithdrawStatus")
    notes = [each for each in of(m.Note, outs) if each.event == "withdrawals_unknown"]
    assert "Query ledger entries" in str(notes[0].fields["remedy"])


@pytest.mark.parametrize("change", [{"status": "Failure"}, {"status-prop": "canceled"}])
def test_what_was_undone_is_not_listed(change: dict[str, str]) -> None:
    assert parse_withdrawals(msgspec.json.encode([{**ROW, **change}])) == ()
    with pytest.raises(ValueError, match="out of range"):
        parse_withdrawals(msgspec.json.encode([{**ROW, "amount": "-1"}]))
