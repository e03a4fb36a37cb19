"""The processes of sim-test, strategy-report and sweep end with whoever started them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from icryptotrader.pool import processes

PARENT = """
import multiprocessing, sys, time
from icryptotrader.pool import processes
with processes(2) as pool:
    work = [pool.submit(time.sleep, seconds) for seconds in (0, 0, 900, 900)]
    work[0].result()
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    work[-1].result()
"""

HASTY = """
import multiprocessing, os, time
from icryptotrader.pool import processes
with processes(2) as pool:
    pool.submit(time.sleep, 900), pool.submit(time.sleep, 900)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os._exit(1)
"""


def lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_parent_ends_its_processes(blow: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.send_signal(blow)
        parent.wait(timeout=120)
    wait_until_none_lives(children)


def test_processes_that_were_still_starting_end_too() -> None:
    start = [sys.executable, "-c", HASTY]
    done = subprocess.run(start, stdout=subprocess.PIPE, check=False, timeout=120)
    children = [int(pid) for pid in done.stdout.split()]
    assert children
    wait_until_none_lives(children)


def wait_until_none_lives(children: list[int]) -> None:
    end = time.monotonic() + 120
    while any(lives(child) for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [child for child in children if lives(child)]


def test_what_fails_is_told_and_waits_for_nobody() -> None:
    with pytest.raises(KeyError), processes(2) as pool:
        pool.submit(time.sleep, 900)
        raise KeyError
