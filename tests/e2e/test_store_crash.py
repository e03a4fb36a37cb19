"""The ledger's file under kill -9, power cuts and a full disk: what was acknowledged is kept.

A writer of its own process commits steps (a purchase, a sale and an intent each) and says the
number of each step once `commit` has returned.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from strategy.ledger.store import Store

FILLS_PER_STEP = 2

WRITER = """
import os, resource, sys
from decimal import Decimal
from pathlib import Path
from shared.orders import Filled
from shared.units import Ns, Sats, Side, Ticks
from strategy.ledger.entries import FillEntry, IntentEntry
from strategy.ledger.records import DiskFull, LedgerError
from strategy.ledger.store import Store

def fill(number, side, qty):
    return FillEntry(Filled(
        f"T{number}", "O1", f"g{number}", "BTC/EUR", side, Ticks(400_000), Sats(qty),
        Decimal("40.12345"), (("EUR", Decimal("0.0481")),), Ns(10**18 + number), number, True))

def step(number):
    return [
        fill(2 * number, Side.BUY, 100_000),
        fill(2 * number + 1, Side.SELL, 90_000),
        IntentEntry(f"i{number}", "b1", "BTC/EUR", Side.BUY, Ticks(1), Sats(1), Ns(1), Ns(1)),
    ]

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

path = Path(sys.argv[1])
store = Store.open(path)
wal = path.with_name(path.name + "-wal")
number = store.load().fills // 2 + 1
"""

FOREVER = """
while True:
    store.commit(step(number))
    say(number, wal.stat().st_size)
    number += 1
"""

LIMITED = """
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
while True:
    try:
        store.commit(step(number))
    except LedgerError as error:
        say("refused", type(error).__name__)
        break
    say(number)
    number += 1
"""

SMALL_DISK = """
ballast = path.with_name("ballast")
ballast.write_bytes(bytes(400_000))
refused = []  # the step at which there was no space left: with the ballast, and without
while len(refused) < 2:
    try:
        store.commit(step(number))
    except DiskFull:
        refused.append(number)
        ballast.unlink(missing_ok=True)
    else:
        number += 1
say(*refused, store.load().fills, len(store.verify()))
"""


def writer(path: Path, loop: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + loop, str(path)], stdout=subprocess.PIPE, text=True
    )


def lines(stream: IO[str] | None, count: int) -> list[list[str]]:
    assert stream is not None
    return [stream.readline().split() for _ in range(count)]


def steps_kept(path: Path) -> int:
    """How many steps a sound ledger holds; each whole or not at all."""
    store = Store.open(path)
    loaded, faults = store.load(), store.verify()
    store.close()
    assert faults == []
    steps, torn = divmod(loaded.fills, FILLS_PER_STEP)
    assert torn == 0
    assert len(loaded.intents) == steps
    assert loaded.lots.total() == 10_000 * steps
    return steps


def test_kill_9_loses_no_acknowledged_step_and_tears_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    before = 0
    for acknowledged in (1, 2, 3, 5, 8, 40, 150, 13):  # 150 steps pass a checkpoint
        process = writer(path, FOREVER)
        said = lines(process.stdout, acknowledged)
        process.kill()
        assert process.stdout is not None
        # Not `communicate`: it reads past what `readline` has buffered, and loses it.
        with process.stdout as stream:
            rest = stream.read()
        process.wait(timeout=30)
        assert int(said[0][0]) == before + 1
        last = int([*said, *(line.split() for line in rest.splitlines())][-1][0])
        kept = steps_kept(path)
        assert kept in (last, last + 1)
        before = kept


def test_a_power_cut_keeps_exactly_the_steps_that_are_whole_on_the_disk(tmp_path: Path) -> None:
    """Whatever a cut leaves behind the synced end of the log: nothing, a part, or rubbish."""
    path = tmp_path / "ledger.db"
    process = writer(path, FOREVER)
    said = lines(process.stdout, 12)
    process.kill()
    process.communicate(timeout=30)
    log = path.with_name("ledger.db-wal").read_bytes()
    sizes = [int(size) for _, size in said]
    cuts = {cut for size in sizes[-4:] for cut in (size - 4096, size - 1, size, size + 100)}
    for number, cut in enumerate(sorted(cuts)):
        for tail in (b"", b"\xa5" * 5000, bytes(9000)):
            copy = tmp_path / f"{number}-{len(tail)}" / "ledger.db"
            copy.parent.mkdir()
            shutil.copy2(path, copy)
            copy.with_name("ledger.db-wal").write_bytes(log[:cut] + tail)
            whole = sum(size <= cut for size in sizes)
            assert steps_kept(copy) in (whole, whole + (cut > sizes[-1]))


def test_a_write_that_fails_is_undone_and_the_next_life_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    process = writer(path, LIMITED)
    told, _ = process.communicate(timeout=60)
    *said, refused = (line.split() for line in told.splitlines())
    assert refused[0] == "refused"
    assert refused[1] in ("DiskFull", "LedgerBroken")
    assert steps_kept(path) == int(said[-1][0])
    process = writer(path, FOREVER)
    assert int(lines(process.stdout, 1)[0][0]) == int(said[-1][0]) + 1
    process.kill()
    process.communicate(timeout=30)


def test_a_full_disk_is_survived_once_there_is_space_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1200k tmpfs {disk}"
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*alone, mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets us mount no small disk of our own")
    script = tmp_path / "writer.py"
    script.write_text(WRITER + SMALL_DISK)
    told = subprocess.run(
        [*alone, f'{mount} && exec "$0" "$@"', sys.executable, script, disk / "ledger.db"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        check=False,
    )
    assert told.returncode == 0, told.stderr
    first, second, fills, faults = map(int, told.stdout.split())
    assert 1 < first < second
    assert (fills, faults) == (FILLS_PER_STEP * (second - 1), 0)
