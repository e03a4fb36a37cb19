"""The kill switch in every state of the strategy, by its own word and by `bot-kill`, in one house.

In each state an order rests that is not ours: a kill means the whole account.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import truth
from tests.e2e.harness import House
from tests.e2e.test_faults import fault_address, post, stay_away, word
from tests.e2e.test_isolation import kept_down
from tests.e2e.test_safety import (
    BRISK,
    add_a_foreign_order,
    bot_kill,
    halted,
    kill_by_flag,
    kill_by_word,
    trading,
)

pytestmark = pytest.mark.house


def test_a_kill_empties_the_account_in_every_state(tmp_path: Path) -> None:
    with House(tmp_path, BRISK, ("--speed", "8")) as house:
        while_starting(house)
        while_halted(house)
        while_the_line_is_down(house)
        while_the_exchange_is_maintained(house)
        resume(house)
        while_held(house)
        resume(house)
        while_the_feed_is_dead(house)
        while_draining(house)
        assert house.join() == 0, house.tail()
        assert truth.resting(house) == []
        assert truth.ledger_faults(house, truth.as_kept(house)) == []


def resume(house: House) -> None:
    assert house.ctl("resume", "next state")[0] == 0
    trading(house)


def phase_of(house: House) -> str:
    return str(house.status().get("phase", ""))


def while_starting(house: House) -> None:
    """As soon as it answers at all."""
    house.wait("the strategy to answer", lambda: phase_of(house))
    house.wait("an order of somebody else", lambda: add_if_open(house))
    kill_by_word(house)
    house.wait("halted", lambda: halted(house))


def add_if_open(house: House) -> bool:
    """The exchange may not have come up yet."""
    try:
        add_a_foreign_order(house)
    except (httpx.HTTPError, OSError):
        return False
    return True


def while_halted(house: House) -> None:
    add_a_foreign_order(house)
    kill_by_word(house)
    add_a_foreign_order(house)
    kill_by_flag(house, "halted anyway")


def while_the_line_is_down(house: House) -> None:
    stay_away(house, 600)
    house.wait("the line to be down", lambda: house.status().get("line") == "down")
    add_a_foreign_order(house)
    kill_by_word(house)
    add_a_foreign_order(house)
    kill_by_flag(house, "no line")
    assert httpx.delete(fault_address(house), headers=word(house)).status_code == 200
    house.wait("the line", lambda: house.status().get("line") == "up", 90)


def while_the_exchange_is_maintained(house: House) -> None:
    """Nobody can cancel then; it is said, and tried again until it can be done."""
    add_a_foreign_order(house)
    post(house, {"do": "mode", "status": "maintenance"})
    house.wait("maintenance", lambda: house.status().get("system") == "maintenance")
    assert house.ctl("kill", "drill", "--yes", "kill")[0] == 0
    done = bot_kill(house, "maintenance")
    assert done.returncode == 1
    assert "NOT confirmed that nothing rests: E" in done.stdout
    assert len(truth.resting(house)) == 1
    post(house, {"do": "mode", "status": "online"})
    house.wait("the kill to be carried out", lambda: not truth.resting(house))


def while_held(house: House) -> None:
    assert house.ctl("hold", "drill")[0] == 0
    add_a_foreign_order(house)
    kill_by_word(house)


def while_the_feed_is_dead(house: House) -> None:
    house.wait_until_settled("feed")
    with kept_down(house, "feed"):
        add_a_foreign_order(house)
        kill_by_word(house)


def while_draining(house: House) -> None:
    """A drain that hears no answer, and is told to kill meanwhile."""
    unheard: list[dict[str, Any]] = [
        {"do": "lose", "on": "private", "for_ms": 600_000},
        {"do": "rest_error", "about": "OpenOrders", "for_ms": 600_000},
    ]
    add_a_foreign_order(house)
    assert post(house, *unheard).status_code == 200
    assert house.ctl("shutdown")[0] == 0
    house.wait("draining", lambda: phase_of(house) == "draining")
    kill_by_word(house)
    assert httpx.delete(fault_address(house), headers=word(house)).status_code == 200
