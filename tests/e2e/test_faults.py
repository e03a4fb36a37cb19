"""Faults scripted from outside, at the real processes: what must come of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.config import load
from tests.e2e import truth
from tests.e2e.harness import House
from tests.e2e.test_safety import BRISK, kill_by_word, trading

pytestmark = pytest.mark.house


def fault_address(house: House) -> str:
    return f"http://127.0.0.1:{load(house.home).demo.public_port}/faults"


def word(house: House, token: str | None = None) -> dict[str, str]:
    given = token or (house.home.data / "faults_token").read_text()
    return {"Authorization": f"Bearer {given}"}


def post(house: House, *faults: dict[str, Any], token: str | None = None) -> httpx.Response:
    return httpx.post(fault_address(house), json=list(faults), headers=word(house, token))


def done(house: House, what: str) -> int:
    """How often this fault has taken effect."""
    found = post(house).json()["done"]
    return int(found.get(what, 0))


def stay_away(house: House, seconds: int) -> None:
    """The private line is cut, and none comes up again: nobody hears its subscriptions."""
    lost = {"do": "lose", "on": "private", "about": "subscribe", "for_ms": seconds * 1_000}
    assert post(house, lost, {"do": "close", "on": "private"}).status_code == 200


def test_the_grid_goes_on_by_rest_and_a_kill_without_the_line_empties_the_book(
    tmp_path: Path,
) -> None:
    settings = f'{BRISK}[orders]\nrest_fallback = "full"\n'
    with House(tmp_path, settings, ("--speed", "4")) as house:
        trading(house)
        stay_away(house, 240)
        house.wait("orders to go by REST", lambda: house.status().get("line") == "rest")
        house.wait("peace by REST", lambda: in_peace(house), 90)
        before = {order.order_id for order in truth.resting(house)}
        assert house.ctl("cancel-all")[0] == 0
        house.wait(
            "a new grid, by REST",
            lambda: {o.order_id for o in truth.resting(house)} - before and in_peace(house),
            90,
        )
        assert house.status()["line"] == "rest"
        kill_by_word(house)
        assert house.ctl("resume", "drill over")[0] == 0
        assert httpx.delete(fault_address(house), headers=word(house)).status_code == 200
        house.wait("the line", lambda: house.status().get("line") == "up", 90)
        house.wait("peace by the line", lambda: in_peace(house), 90)
        assert house.stop() == 0, house.tail()
        assert truth.ledger_faults(house, truth.as_kept(house)) == []


def sides_of(house: House) -> list[str]:
    return [order.side for order in truth.resting(house)]


def in_peace(house: House) -> bool:
    """What the strategy believes rests is what rests, and nothing is in doubt."""
    told = house.status()
    at_work = told.get("phase") == "trading" and told["system"] == "online"
    if not at_work or told["lost"] or not told["orders"]:
        return False
    return not truth.differences(house, house.status)


def test_scripted_faults_come_right_and_a_withdrawal_holds_the_sells(tmp_path: Path) -> None:
    with House(tmp_path, BRISK, ("--speed", "4")) as house:
        trading(house)
        assert post(house, {"do": "drop"}, token="guessed").status_code == 403
        refused = post(house, {"do": "explode"})
        assert refused.status_code == 400
        assert "error" in refused.json()

        # Lost acks, doubled events, an unreadable frame and a cut line while orders are placed.
        answer = post(
            house,
            {"do": "drop", "about": "add_order", "times": 3},
            {"do": "dup", "on": "private", "about": "executions", "times": 5},
            {"do": "rest_status", "status": "502", "about": "OpenOrders"},
        )
        assert answer.status_code == 200, answer.text
        assert house.ctl("cancel-all")[0] == 0
        house.wait("the acks to be lost", lambda: done(house, "drop") >= 3)
        house.wait("peace after lost acks", lambda: in_peace(house), 90)
        post(house, {"do": "garbage", "on": "private", "about": "heartbeat"})
        house.wait("the garbage", lambda: done(house, "garbage") == 1)
        house.wait("peace after garbage", lambda: in_peace(house), 90)

        # A checksum that does not fit; a public market that falls silent on open lines.
        post(house, {"do": "wrong_checksum", "on": "public", "about": "book"})
        house.wait("the checksum", lambda: done(house, "wrong_checksum") == 1)
        post(house, {"do": "drop", "on": "public", "for_ms": 20_000})
        house.wait("own orders taken out", lambda: not truth.resting(house), 90)
        house.wait("peace after silence", lambda: in_peace(house), 90)

        # The engine leaves and comes back.
        post(house, {"do": "mode", "status": "maintenance"})
        house.wait("maintenance", lambda: house.status().get("system") == "maintenance")
        post(house, {"do": "mode", "status": "online"})
        house.wait("peace after maintenance", lambda: in_peace(house), 90)

        # Coins that go by the owner's hand.
        assert house.ctl("reconcile", "accept", "nothing there")[0] == 1
        post(house, {"do": "transfer", "asset": "BTC", "amount": "-0.001"})
        house.wait("the sells held", lambda: house.ctl("reconcile")[1].get("sells_held"), 60)
        house.wait("no sell left", lambda: "sell" not in sides_of(house), 60)
        assert "buy" in sides_of(house)
        house.kill("strategy")
        house.wait("held in the next life", lambda: house.ctl("reconcile")[1].get("sells_held"), 60)
        house.wait("trading", lambda: house.status().get("phase") == "trading", 60)
        accept = ("reconcile", "accept", "moved to cold storage")
        house.wait("the difference proven and accepted", lambda: house.ctl(*accept)[0] == 0, 60)
        house.wait("peace after accepting", lambda: in_peace(house), 90)
        assert house.ctl("reconcile")[1]["external"] == "-0.00100000"
        assert house.stop() == 0, house.tail()
