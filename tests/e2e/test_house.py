"""The house as an operator has it: start, first fill, stop, start again, fresh; and kill -9."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.harness import PROGRAMS, House

pytestmark = pytest.mark.house

BRISK = """
[ws]
cancel_after_timeout_sec = 20
heartbeat_interval_sec = 5
"""


def has_first_own_fill(house: House) -> int:
    house.wait("the session", house.home.session_file.exists)
    told = house.wait_for_fills(house.opening_lots() + 1)
    return int(told["fills"])


def assert_books_agree(house: House) -> None:
    """Every trade of the exchange is booked, once, and nothing else is."""
    house.wait("every trade to be booked", lambda: set(house.booked()) >= set(house.trades()))
    booked = house.booked()
    assert len(booked) == len(set(booked))
    assert set(booked) <= set(house.trades())


def test_a_day_of_the_operator(tmp_path: Path) -> None:
    with House(tmp_path, BRISK) as house:
        fills = has_first_own_fill(house)
        assert_books_agree(house)

        def agrees() -> bool:
            told, resting = house.status(), house.open_orders()
            live = {slot["cl_ord_id"] for slot in told.get("slots", ()) if slot["cl_ord_id"]}
            return bool(live) and live == {order["cl_ord_id"] for order in resting.values()}

        house.wait("status to equal the exchange's own view", agrees)
        balances = house.status()["balances"]
        assert float(balances["BTC"]) > 0
        assert house.status()["switch_left_s"] > 0

        assert house.stop() == 0, house.tail()
        assert "Stopped in order" in house.tail()
        assert house.ctl("status")[0] == 3

        # It goes on with the same account and ledger.
        house.start()
        house.wait("trading again", lambda: house.status().get("phase") == "trading")
        assert house.status()["fills"] >= fills
        assert_books_agree(house)
        assert house.stop(signal.SIGTERM) == 0, house.tail()

        house.start("--fresh")
        house.wait("trading anew", lambda: house.status().get("phase") == "trading")
        assert len(list((house.home.path / "data-archive").iterdir())) == 1
        assert house.stop() == 0, house.tail()


def test_a_second_house_in_the_same_home_is_refused(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.wait("the session", house.home.session_file.exists)
        assert house.refused() == 1
        assert "already running" in house.tail()
        assert house.stop() == 0, house.tail()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_is_started_again(tmp_path: Path, name: str) -> None:
    with House(tmp_path, BRISK) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        house.wait("settled", lambda: house.programs()[name].settled)
        old = house.kill(name)
        house.wait(f"{name} again", lambda: house.pid(name) not in (0, old))
        house.wait("trading again", lambda: house.status().get("phase") == "trading", 90)
        assert_books_agree(house)
        assert house.stop() == 0, house.tail()


def test_a_killed_supervisord_takes_its_programs_along_and_is_started_again(
    tmp_path: Path,
) -> None:
    with House(tmp_path, BRISK) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        house.kill("supervisord")
        house.wait("the restart", lambda: "Starting it again" in house.tail(200))
        house.wait("trading again", lambda: house.status().get("phase") == "trading", 90)
        assert house.stop() == 0, house.tail()


def test_a_killed_run_leaves_nothing_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with House(tmp_path, BRISK) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        booked = house.booked()
        house.kill("run")
        house.start()
        # Until the programs of the killed run have drained, it is them that answer.
        house.wait("the second banner", lambda: house.console.read_text().count("stop it") == 2)
        house.wait("trading again", lambda: house.status().get("phase") == "trading")
        assert house.booked()[: len(booked)] == booked
        assert_books_agree(house)
        assert house.stop() == 0, house.tail()


def test_a_shutdown_by_strategy_ctl_ends_the_house(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        assert house.ctl("shutdown")[0] == 0
        assert house.join() == 0, house.tail()


def test_no_file_of_the_house_is_readable_by_others(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        for folder, _, names in os.walk(house.home.path):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                assert not path.stat().st_mode & 0o077, path
        assert house.stop() == 0, house.tail()


def test_every_log_line_is_json(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        assert house.stop() == 0, house.tail()
        for path in house.home.log.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                assert {"ts", "level", "process", "event"} <= set(json.loads(line))
