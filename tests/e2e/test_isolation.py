"""What one process does to the others when it dies or stands still: the real processes, killed.

The market is a wave that fills both sides of the grid again and again, so that in each gap there
are fills nobody heard of. The house lives five times as fast as the clock; spans are house time.
The truth is the exchange's own file, and its signed REST where a test says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from shared.config import load, program_environment
from shared.units import SECOND, Ns
from tests.e2e import truth
from tests.e2e.harness import PROGRAMS, House, loose_limits, read_lines

pytestmark = pytest.mark.house

SPEED: Final = 5
SWITCH_S: Final = 20
QUOTE: Final = Decimal(600_000)
SWITCH_WORDS: Final = "Cancel all orders after timeout"

SETTINGS: Final = f"""
[ws]
cancel_after_timeout_sec = {SWITCH_S}
heartbeat_interval_sec = 5
[grid]
requote_age_sec = 5
[risk]
price_velocity_freeze_pct = 0.5
[regime]
chaos_volatility_pct = 100.0
trend_momentum_bps = "10000"
[bollinger]
enabled = false
[tax]
pace_days = 0
"""
"""Rungs at the fees' floor whatever the wave's volatility is: six of them fit into its swing.

No regime but range-bound: in a trend one side may rest above or below all that the wave reaches.
No day's share of the free coins: the wave goes on filling sells as long as the tests run.
"""

DEMO: Final = f"""
quote_balance = "{QUOTE}"
opening_lots = ["400:600000"]
"""

MOVE_S: Final = 12
REST_S: Final = 5
"""At each turn: a moment in which the house and its exchange can be seen to agree."""
SWING: Final = 0.025
MIDDLE: Final = 85_000
TURN_TOP: Final = MIDDLE * (1 + 0.97 * SWING)
TURN_BOTTOM: Final = MIDDLE * (1 - 0.97 * SWING)
NEAR: Final = 0.015
"""In the first half of a move the wave comes further than this from where it rested."""
TRADES_PER_S: Final = 4
LENGTH_S: Final = 3 * 3600
BEGIN_MS: Final = 1_600_000_000_000
SLACK: Final = Ns(SECOND * 3 // 2)
"""What 0.3 s of a busy machine come to at this speed."""


def wave() -> str:
    """A tape that goes six rungs down, rests, goes six rungs up and rests, around its middle."""
    rows = ["time_ms,price,amount"]
    for number in range(LENGTH_S * TRADES_PER_S):
        half, place = divmod(number / TRADES_PER_S, MOVE_S + REST_S)
        moved = 1 - 2 * min(place / MOVE_S, 1)
        height = moved if half % 2 == 0 else -moved
        rows.append(
            f"{BEGIN_MS + 1_000 * number // TRADES_PER_S},{MIDDLE * (1 + SWING * height):.1f},1.0"
        )
    return "\n".join(rows)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("isolation")
    tape = folder / "wave.csv"
    tape.write_text(wave())
    args = ("--market", str(tape), "--speed", str(SPEED))
    with House(folder, loose_limits(folder) + SETTINGS, args, DEMO) as found:
        yield found
        assert found.stop() == 0, found.tail()
        assert truth.resting(found) == []
        trades = truth.as_kept(found)
        assert all(maker for *_, maker in trades.values())
        assert truth.ledger_faults(found, trades) == []


def wall(house: House) -> Ns:
    """The house's wall clock, which is the exchange's too."""
    return load(house.home).make_clock().wall()


def is_right(house: House) -> bool:
    """Trading, nothing unknown, and every order and every fill as the exchange has them."""
    if house.status().get("phase") != "trading":
        return False  # before its first life there are no files to compare
    status: dict[str, Any] = {}

    def look() -> dict[str, Any]:
        status.update(house.status())
        return status

    wrong = truth.differences(house, look)
    if status.get("phase") != "trading" or status["lost"] or float(status["drift"]):
        return False
    return not wrong and status["orders"] > 0


def wait_until_right(house: House) -> None:
    house.wait("the house to trade and to agree with its exchange", lambda: is_right(house), 150)


def wait_until_settled(house: House) -> None:
    """Right, and each program has run for long enough to be started again at once."""
    wait_until_right(house)
    for name in PROGRAMS:
        house.wait_until_settled(name)


def wait_until_it_will_fill(house: House) -> None:
    """Settled, the wave rests at a turn, and an order stands in the way that it will take."""

    def will() -> bool:
        pairs = house.status().get("pairs") or [{}]
        bid = float(pairs[0].get("bid") or 0)
        top, bottom = bid > TURN_TOP, 0 < bid < TURN_BOTTOM
        near = [
            order.price / 10 / bid
            for order in truth.resting(house)
            if bid and order.side == ("buy" if top else "sell")
        ]
        return (top or bottom) and any(abs(ratio - 1) < NEAR for ratio in near)

    wait_until_settled(house)
    house.wait("an order in the way of the wave", will, 150)


def age(house: House, least: float) -> float:
    """The age of the feed in the strategy's own words, once it is at least so much."""
    found = float(house.status().get("feed_age_s", 0))
    return found if found >= least else 0.0


@contextmanager
def kept_down(house: House, *names: str) -> Iterator[Ns]:
    """kill -9, with a supervisord that stands still meanwhile; the wall clock of the kill."""
    guard = house.kill("supervisord", signal.SIGSTOP)
    try:
        at = wall(house)
        for name in names:
            house.kill(name)
        yield at
    finally:
        os.kill(guard, signal.SIGCONT)


@contextmanager
def stopped(house: House, name: str) -> Iterator[Ns]:
    """SIGSTOP, then SIGCONT; the wall clock of the stop."""
    pid = house.kill(name, signal.SIGSTOP)
    try:
        yield wall(house)
    finally:
        os.kill(pid, signal.SIGCONT)


def let_pass(house: House, span_s: float) -> None:
    """Let house time pass: what is looked at is what happens while nobody acts."""
    end = wall(house) + int(span_s * SECOND)
    house.wait(f"{span_s} s of house time", lambda: wall(house) >= end)


def touched_after(house: House, at: int) -> list[str]:
    """Orders that were added or amended later than this."""
    return [order.cl_ord_id for order in truth.orders(house) if order.touched_wall > at]


def wait_until_quoting(house: House, since: int) -> None:
    """Belief and truth may agree before the first order is touched."""
    house.wait("an order to be added or amended", lambda: touched_after(house, since))


def traded_after(house: House, at: int) -> set[str]:
    rows = truth.orders(house)
    return {name for order in rows if order.closed_wall > at for name in order.trades}


def assert_silent_feed_is_survived(house: House, at: Ns) -> None:
    """The feed has been silent since `at`: no new quote after 3 s, no order left after 10 s."""
    house.wait("the feed to be stale", lambda: age(house, 3.1))
    counters = dict(house.status()["counters"])
    house.wait("own orders to be cancelled", lambda: not truth.resting(house))
    stale = at + 3 * SECOND + SLACK
    ended = [o.closed_wall for o in truth.orders(house) if o.status == "canceled"]
    ended = [closed for closed in ended if closed > stale]
    assert ended, "nothing rested when the feed fell silent"
    assert at + 9 * SECOND <= min(ended)
    assert max(ended) <= at + 10 * SECOND + 2 * SLACK
    assert touched_after(house, stale) == []
    house.wait("what was filled meanwhile to be booked", lambda: not _unbooked(house))
    assert traded_after(house, at), "the wave filled nothing"
    status = house.status()
    later = dict(status["counters"])
    assert (later["adds"], later.get("amends", 0)) == (counters["adds"], counters.get("amends", 0))
    assert status["orders"] == 0
    assert status["phase"] == "trading"  # the private line is none of the feed's business


def _unbooked(house: House) -> list[str]:
    return truth.books_differ(truth.as_booked(house), truth.as_kept(house))


def test_without_a_feed_nothing_is_quoted_orders_go_and_fills_are_booked(house: House) -> None:
    wait_until_it_will_fill(house)
    strategy = house.pid("strategy")
    with kept_down(house, "feed") as at:
        assert_silent_feed_is_survived(house, at)
        back = wall(house)
    wait_until_right(house)
    wait_until_quoting(house, back)
    assert house.pid("strategy") == strategy


def test_a_feed_that_stands_still_is_as_good_as_dead(house: House) -> None:
    wait_until_it_will_fill(house)
    feed = house.pid("feed")
    with stopped(house, "feed") as at:
        assert_silent_feed_is_survived(house, at)
        back = wall(house)
    wait_until_right(house)
    wait_until_quoting(house, back)
    assert house.pid("feed") == feed


def test_without_a_strategy_the_switch_empties_the_book_and_the_next_life_books_what_was_filled(
    house: House,
) -> None:
    wait_until_it_will_fill(house)
    before = truth.as_booked(house)
    with kept_down(house, "strategy") as at:
        house.wait("the switch to empty the book", lambda: not truth.resting(house))
        ended = [o for o in truth.orders(house) if o.reason == SWITCH_WORDS and o.closed_wall > at]
        assert ended
        assert all(o.closed_wall <= at + (SWITCH_S + 1) * SECOND for o in ended)
        meanwhile = set(truth.as_kept(house)) - set(truth.as_booked(house))
        assert meanwhile, "the wave filled nothing"
        back = wall(house)
    wait_until_right(house)
    booked = list(truth.as_booked(house))
    assert set(before) | meanwhile <= set(booked)
    wait_until_quoting(house, back)


def test_a_strategy_killed_and_started_at_once_owns_every_order_again(house: House) -> None:
    for _ in range(2):
        wait_until_settled(house)
        old = house.kill("strategy")
        house.wait_for_another("strategy", old)
        wait_until_right(house)


@pytest.mark.parametrize("span_s", [12, 60])  # shorter and longer than the switch
def test_a_strategy_that_stood_still_syncs_before_it_acts(house: House, span_s: int) -> None:
    wait_until_settled(house)
    with stopped(house, "strategy") as at:
        let_pass(house, span_s)
        back = wall(house)
        assert [o for o in truth.orders(house) if at + SLACK < o.touched_wall < back] == []
    wait_until_right(house)
    wait_until_quoting(house, back)


@pytest.mark.parametrize("point", ["before_commit:4", "after_commit:4", "after_send:20"])
def test_a_life_that_ends_at_a_crash_point_leaves_nothing_undone(house: House, point: str) -> None:
    wait_until_settled(house)
    with kept_down(house, "strategy"):
        environment = program_environment(house.home, sys.executable) | {"CRASH_AT": point}
        command = [sys.executable, "-P", "-m", "strategy", "--home", str(house.home.path)]
        life = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        try:
            assert life.wait(timeout=60) == -signal.SIGKILL
        finally:
            life.kill()
            life.wait()
    wait_until_right(house)


def test_an_exchange_that_was_killed_has_lost_nothing(house: House) -> None:
    wait_until_settled(house)
    pids = {name: house.pid(name) for name in ("feed", "strategy", "monitor")}
    before, known = truth.as_kept(house), {order.order_id for order in truth.orders(house)}
    old = house.kill("exchange")
    house.wait_for_another("exchange", old)
    wait_until_right(house)
    assert {name: house.pid(name) for name in pids} == pids
    after = truth.as_kept(house)
    assert {name: after[name] for name in before} == before
    assert known <= {order.order_id for order in truth.orders(house)}


def test_an_exchange_that_stood_still_longer_than_the_switch_is_found_as_it_is(
    house: House,
) -> None:
    wait_until_settled(house)
    pids = {name: house.pid(name) for name in PROGRAMS}
    before = truth.as_kept(house)
    armed = {order.order_id for order in truth.resting(house)}
    with stopped(house, "exchange"):
        house.wait("the line to be taken for dead", lambda: house.status().get("line") == "down")
        let_pass(house, SWITCH_S + 10)
    wait_until_right(house)
    assert {name: house.pid(name) for name in PROGRAMS} == pids
    after = truth.as_kept(house)
    assert {name: after[name] for name in before} == before
    ended = [order for order in truth.orders(house) if order.order_id in armed]
    assert all(order.status in ("canceled", "closed") for order in ended)


def test_the_switch_survives_the_exchange_that_was_armed_with_it(house: House) -> None:
    wait_until_settled(house)
    with kept_down(house, "strategy", "exchange"):
        armed = {order.order_id for order in truth.resting(house)}
        assert armed
        let_pass(house, SWITCH_S + 5)
    wait_until_right(house)
    ended = [order for order in truth.orders(house) if order.order_id in armed]
    assert {o.reason for o in ended if o.status == "canceled"} == {SWITCH_WORDS}
    assert all(order.status in ("canceled", "closed") for order in ended)


def test_the_others_do_not_notice_that_the_monitor_is_gone(house: House) -> None:
    wait_until_settled(house)
    pids = {name: house.pid(name) for name in ("exchange", "feed", "strategy")}
    fills, downs = house.status()["fills"], dict(house.status()["counters"]).get("line_downs")
    with kept_down(house, "monitor"):
        let_pass(house, 2 * (MOVE_S + REST_S))
        status = house.status()
        assert status["fills"] > fills
        assert dict(status["counters"]).get("line_downs") == downs

    def metrics() -> str:
        try:
            address = f"http://127.0.0.1:{load(house.home).metrics.port}/metrics"
            return httpx.get(address, timeout=5).text
        except httpx.HTTPError:
            return ""

    house.wait("the monitor's figures", lambda: "icryptotrader_" in metrics())
    assert {name: house.pid(name) for name in pids} == pids


def test_a_monitor_that_stands_still_holds_nobody_up(house: House) -> None:
    """Its sockets fill up behind it: whoever publishes drops, and never waits."""
    wait_until_settled(house)
    pids = {name: house.pid(name) for name in ("exchange", "feed", "strategy")}
    fills = house.status()["fills"]
    with stopped(house, "monitor"):
        let_pass(house, 2 * (MOVE_S + REST_S))
        assert house.status()["fills"] > fills
        assert age(house, 0.0) < 3.0
    wait_until_right(house)
    assert {name: house.pid(name) for name in pids} == pids


def test_a_run_that_stood_still_goes_on(house: House) -> None:
    """Ctrl-Z and `fg`, or a machine that was suspended: nobody has asked the house to stop."""
    wait_until_settled(house)
    pids = {name: house.pid(name) for name in (*PROGRAMS, "supervisord", "run")}
    for _ in range(5):
        with stopped(house, "run"):
            let_pass(house, 2.0)
        let_pass(house, 1.0)
    assert house.ended() is None
    assert "Stopping" not in house.tail(10)
    wait_until_right(house)
    assert {name: house.pid(name) for name in pids} == pids


def test_an_orphaned_strategy_takes_its_orders_out_and_ends_before_another_begins(
    house: House,
) -> None:
    wait_until_settled(house)
    orphan = house.pid("strategy")
    log = house.home.log / "strategy.jsonl"
    said = len(read_lines(log))
    house.kill("supervisord")

    def began() -> list[dict[str, object]]:
        told = [json.loads(line) for line in read_lines(log)[said:]]
        return told if any(line["event"] == "strategy_started" for line in told) else []

    told = house.wait("the next life", began, 120)
    ends = [n for n, line in enumerate(told) if line["event"] == "stopped" and "clean" in line]
    # Clean where the exchange, orphaned in the same moment, was still there to confirm.
    assert ends, "it drained when its parent died"
    assert ends[0] < next(n for n, line in enumerate(told) if line["event"] == "strategy_started")
    assert house.wait_for_another("strategy", orphan)
    wait_until_right(house)


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [("strategy", 78, "another strategy works in this home"), ("feed", 1, "cannot publish")],
)
def test_a_second_one_is_refused(house: House, name: str, code: int, why: str) -> None:
    wait_until_settled(house)
    pid = house.pid(name)
    second = subprocess.run(
        [sys.executable, "-P", "-m", name, "--home", str(house.home.path)],
        env=program_environment(house.home, sys.executable),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == code
    assert why in second.stderr
    assert f"process {pid}" in second.stderr
    assert "Traceback" not in second.stderr
    wait_until_right(house)
    assert house.pid(name) == pid


def test_the_account_adds_up_to_the_cent(house: House) -> None:
    """By signed REST, after all that was done to this house."""
    wait_until_right(house)
    assert house.ctl("hold", "to compare")[0] == 0
    house.wait("nothing of ours to rest", lambda: not truth.resting(house))
    house.wait("the last fill to be booked", lambda: not _unbooked(house))
    assert house.open_orders() == {}
    own = [row for name, row in truth.as_booked(house).items() if row[0]]
    signs = {"buy": -1, "sell": 1}
    moved = sum((signs[side] * cost - fee for _, side, _, cost, fee, _ in own), Decimal(0))
    assert abs(Decimal(house.rest("Balance")["ZEUR"]) - QUOTE - moved) < Decimal("0.01")
    assert house.ctl("resume", "compared")[0] == 0
    wait_until_right(house)
