"""Entries that cannot be written now: none lost, none twice, in order; and what the core does."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import control
from shared.orders import AddOrder, AmendOrder, ArmDeadman
from shared.units import SECOND, Ns
from strategy.core.out import Unwritten
from strategy.keeping import MOST_WAITING, Keeper
from strategy.ledger.entries import Entry, Remember
from strategy.ledger.records import DiskFull, LedgerBroken, LedgerBusy
from strategy.ledger.store import Store
from tests.unit.strategy.core.desk import Desk


class Disk:
    """Takes entries while there is room."""

    def __init__(self) -> None:
        self.room = True
        self.kept: list[Entry] = []
        self.tries = 0

    def commit(self, entries: Sequence[Entry]) -> None:
        self.tries += 1
        if not self.room:
            raise DiskFull("no space left")
        self.kept += entries


def facts(count: int, first: int = 0) -> list[Entry]:
    return [Remember("key", str(number)) for number in range(first, first + count)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 15)), max_size=40))
def test_whatever_fails_and_when_everything_is_written_once_and_in_order(
    course: list[tuple[bool, int, int]],
) -> None:
    disk, now, asked = Disk(), Ns(0), 0
    keeper = Keeper(disk.commit)
    reported: list[Entry] = []
    for room, count, wait in course:
        disk.room, now = room, Ns(now + wait * SECOND)
        reported += keeper.keep(now, facts(count, asked))
        asked += count
        assert reported == disk.kept
        assert bool(keeper.why) == (len(disk.kept) < asked)
    disk.room = True
    assert keeper.last(now) == ""
    assert disk.kept == facts(asked)


def test_a_failing_disk_is_not_hammered() -> None:
    disk = Disk()
    disk.room = False
    keeper = Keeper(disk.commit)
    for tenth in range(600):
        keeper.keep(Ns(tenth * SECOND // 10), facts(1, tenth))
    assert 5 <= disk.tries <= 12


def test_after_a_success_the_next_failure_is_tried_again_soon() -> None:
    disk = Disk()
    keeper = Keeper(disk.commit)

    def tries_within(begin: int, seconds: int) -> int:
        before, disk.room = disk.tries, False
        for tenth in range(10 * seconds):
            keeper.keep(Ns(begin * SECOND + tenth * SECOND // 10), facts(1))
        return disk.tries - before

    first = tries_within(0, 30)
    disk.room = True
    assert keeper.last(Ns(30 * SECOND)) == ""
    assert disk.kept
    assert keeper.keep(Ns(31 * SECOND)) == ()
    assert disk.tries == first + 1, "nothing waits: the disk is left in peace"
    assert tries_within(40, 30) == first
    assert keeper.last(Ns(70 * SECOND)) == "no space left"


def test_the_line_is_bounded() -> None:
    disk = Disk()
    disk.room = False
    keeper = Keeper(disk.commit)
    keeper.keep(Ns(0), facts(MOST_WAITING))
    with pytest.raises(LedgerBroken, match="wait to be written"):
        keeper.keep(Ns(60 * SECOND), facts(1))


def test_a_file_that_somebody_holds_delays_the_real_store_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    store = Store.open(path)
    keeper = Keeper(store.commit)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert keeper.keep(Ns(0), facts(2)) == ()
        assert "close it" in keeper.why
        other.execute("ROLLBACK")
    assert keeper.keep(Ns(5 * SECOND), facts(1, 2)) == tuple(facts(3))
    assert store.load().facts["key"] == "2"
    store.close()


@pytest.mark.parametrize("error", [LedgerBroken("gone"), ValueError("ours")])
def test_what_is_broken_is_not_kept_for_later(error: Exception) -> None:
    def fail(_entries: Sequence[Entry]) -> None:
        raise error

    with pytest.raises(type(error)):
        Keeper(fail).keep(Ns(0), facts(1))
    assert not issubclass(LedgerBroken, LedgerBusy | DiskFull)


def test_the_core_adds_nothing_then_takes_its_orders_out_and_comes_back() -> None:
    desk = Desk()
    desk.begin()
    assert len(desk.resting) > 5
    sent = len(desk.sent)
    desk.run(3, Unwritten("no space left"))
    assert desk.resting
    desk.run(10)
    assert not desk.resting
    kinds = {type(command) for command in desk.sent[sent:]}
    assert not kinds & {AddOrder, AmendOrder}
    desk.run(15)
    assert ArmDeadman in {type(command) for command in desk.sent[sent:]}
    told = desk.ask(control.AskStatus).data
    assert any("no space left" in str(why) for why in told["waits_for"])  # type: ignore[attr-defined]
    desk.run(10, Unwritten(""))
    assert len(desk.resting) > 5
    assert "ledger" not in desk.memory.alerts
