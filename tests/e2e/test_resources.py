"""What the machine gives runs out under a strategy that trades: memory, descriptors, a disk's word.

The limits are the kernel's own, set on the running process; an fsync that fails is the kernel's own
answer too, by a filter of system calls that the process puts on itself when it is told to.
"""

from __future__ import annotations

import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from shared.config import EXIT_BROKEN, EXIT_OUTGROWN, program_environment
from tests.e2e import truth
from tests.e2e.harness import House, read_lines
from tests.e2e.test_isolation import kept_down
from tests.e2e.test_safety import BRISK, trading

pytestmark = pytest.mark.house

FSYNCS: Final = {"x86_64": (74, 75), "aarch64": (82, 83)}
"""The numbers of fsync and fdatasync."""

FAILING: Final = """
import ctypes, signal, struct, sys
from strategy.__main__ import main

LOAD, EQUAL, RETURN, ALLOW, ERRNO, EIO = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000, 5
SECCOMP, NO_NEW_PRIVILEGES, FILTER = 22, 38, 2
numbers = [int(text) for text in sys.argv.pop(1).split(",")]

def forbid(*_):
    steps = [(LOAD, 0, 0, 0)]
    steps += [(EQUAL, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO | EIO)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.prctl(SECCOMP, FILTER, ctypes.c_char_p(program), 0, 0):
        sys.stderr.write("no filter\\n")

signal.signal(signal.SIGUSR1, forbid)
sys.exit(main())
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("resources")
    with House(folder, BRISK, ("--speed", "4")) as found:
        yield found
        settled(found)
        assert found.stop() == 0, found.tail()
        assert truth.ledger_faults(found, truth.as_kept(found)) == []


def settled(house: House) -> int:
    """Trading, and its program may end at any moment: its pid.

    What is done here to one life after another may look like a loop of crashes: then it is halted.
    """

    def goes_on() -> bool:
        phase = house.status().get("phase")
        if phase == "halted":
            house.ctl("resume", "the next test")
        return phase == "trading"

    house.wait("trading", goes_on, 90)
    trading(house)
    house.wait_until_settled("strategy")
    return house.pid("strategy")


def limit(pid: int, which: int, soft: int) -> None:
    resource.prlimit(pid, which, (soft, resource.prlimit(pid, which)[1]))


def descriptors(pid: int) -> list[int]:
    return sorted(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())


def agrees(house: House) -> bool:
    return house.status().get("phase") == "trading" and not truth.differences(house, house.status)


def assert_drained_and_started_anew(house: House, old: int, why: str) -> None:
    house.wait_for_another("strategy", old)
    assert f"exit status {EXIT_OUTGROWN}, it had come near a limit" in house.tail(200)
    assert why in house.tail(200)
    ends = [line for line in read_lines(house.home.log / "strategy.jsonl") if "stopped" in line]
    assert any('"clean":true' in line.replace(" ", "") for line in ends[-2:]), "it had drained"
    settled(house)


def test_a_strategy_that_comes_near_its_memory_drains_and_starts_anew(house: House) -> None:
    pid = settled(house)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    limit(pid, resource.RLIMIT_AS, int(pages * resource.getpagesize() / 0.85))
    assert_drained_and_started_anew(house, pid, "bytes of address space are in use")


def test_a_strategy_that_comes_near_its_descriptors_drains_and_starts_anew(house: House) -> None:
    pid = settled(house)
    limit(pid, resource.RLIMIT_NOFILE, int(len(descriptors(pid)) / 0.85))
    assert_drained_and_started_anew(house, pid, "descriptors are in use")


@pytest.mark.parametrize("which", ["memory", "descriptors"])
def test_what_runs_out_at_once_costs_a_life_at_most_and_no_fill(house: House, which: str) -> None:
    pid = settled(house)
    if which == "memory":
        limit(pid, resource.RLIMIT_AS, resource.getpagesize())
    else:
        limit(pid, resource.RLIMIT_NOFILE, 3)
    house.status()  # a caller: a new socket, and room for its answer
    # At the latest the look at itself ends a life to which nothing is given any more.
    house.wait_for_another("strategy", pid)
    settled(house)
    told = "\n".join(read_lines(house.home.log / "strategy.jsonl"))
    assert "HALT cannot be read" not in told, "a flag that is not there is not up"
    house.wait("the house to agree with its exchange", lambda: agrees(house))


def test_an_fsync_that_fails_ends_the_life_and_the_next_one_verifies(house: House) -> None:
    numbers = FSYNCS.get(platform.machine())
    if numbers is None:
        pytest.skip(f"the numbers of system calls are not known for {platform.machine()}")
    settled(house)
    with kept_down(house, "strategy"):
        command = [sys.executable, "-P", "-c", FAILING, ",".join(map(str, numbers))]
        life = subprocess.Popen(
            [*command, "--home", str(house.home.path)],
            env=program_environment(house.home, sys.executable),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            trading(house)
            life.send_signal(signal.SIGUSR1)
            house.ctl("hold", "something to be written")
            _, told = life.communicate(timeout=60)
        finally:
            life.kill()
            life.wait()
        if "no filter" in told:
            pytest.skip("this machine allows no filter of system calls")
        assert life.returncode == EXIT_BROKEN
        log = "\n".join(read_lines(house.home.log / "strategy.jsonl"))
        assert "cannot be read or written (disk I/O error): check the disk" in log
    # Whether that hold is in the file now nobody can say: a write that failed may have arrived.
    house.wait("the next life", lambda: house.status().get("phase"), 90)
    house.wait("a resume", lambda: house.ctl("resume", "the disk is well again")[0] == 0)
    settled(house)
    house.wait("the house to agree with its exchange", lambda: agrees(house))


def test_what_holds_no_orders_is_ended_first_where_memory_runs_out(house: House) -> None:
    settled(house)

    def offered(name: str) -> int:
        return int(Path(f"/proc/{house.pid(name)}/oom_score_adj").read_text())

    assert offered("monitor") > offered("feed") > offered("strategy")
    assert offered("exchange") > offered("strategy")
