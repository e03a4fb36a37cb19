"""A withdrawal by the owner's hand, through the real processes: kept, outlived, booked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from icryptotrader.lots import LEDGER, gone_in
from strategy.ledger.events import Departed
from strategy.ledger.evidence import check, read_evidence
from tests.e2e.harness import House
from tests.e2e.test_faults import post
from tests.e2e.test_safety import BRISK, trading

pytestmark = pytest.mark.house


def test_a_withdrawal_is_kept_from_the_sells_and_booked_once_it_has_left(tmp_path: Path) -> None:
    with House(tmp_path, BRISK, ("--speed", "10")) as house:
        trading(house)

        def kept() -> Decimal:
            return Decimal(house.ctl("tax")[1].get("leaving", "0"))

        before = Decimal(house.ctl("lots")[1]["free"])
        post(house, {"do": "withdraw", "asset": "BTC", "amount": "0.25"})
        house.wait("the coins to be kept", lambda: kept() == Decimal("0.25"), 60)
        assert Decimal(house.ctl("lots")[1]["free"]) <= before - Decimal("0.25")

        # Known in the next life before the exchange is asked again, and without any life at all.
        house.kill("strategy")
        assert gone_in(house.home, "BTC") == 25 * 10**8
        house.wait("still kept", lambda: kept() == Decimal("0.25"), 60)
        house.wait("trading", lambda: house.status().get("phase") == "trading", 60)

        post(house, {"do": "withdraw", "status": "success"})
        house.wait("the coins to be booked", lambda: kept() == 0, 60)
        assert not house.ctl("reconcile")[1]["sells_held"]
        ledger = house.home.data / LEDGER
        evidence = read_evidence(ledger, files=True)
        (event,) = (each.event for each in evidence.movements)
        assert isinstance(event, Departed)
        assert event.qty == 25 * 10**8
        (file,) = (each for each in evidence.files if each.kind == "kraken-rest-ledgers")
        assert event.id.encode() in file.data
        assert not check(ledger)

        # One that is cancelled sets its coins free.
        post(house, {"do": "withdraw", "asset": "BTC", "amount": "0.1"})
        house.wait("the second to be kept", lambda: kept() == Decimal("0.1"), 60)
        post(house, {"do": "withdraw", "status": "cancel"})
        house.wait("the second to be free again", lambda: kept() == 0, 60)
