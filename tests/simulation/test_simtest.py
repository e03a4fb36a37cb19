"""`icryptotrader sim-test`: its words, its exit codes, and what it does with what fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import StringIO
from subprocess import PIPE

from rich.console import Console

from icryptotrader.simtest import Total, read_seeds, run_all, sim_test, table
from icryptotrader.simtest_progress import watch
from sim.lab.catalogue import CATALOGUE
from tests.simulation.bugs import put


def test_seeds_are_a_range_whose_end_is_not_included() -> None:
    assert read_seeds("3:5") == range(3, 5)
    assert read_seeds("3") is None
    assert read_seeds("a:b") is None


def test_the_last_line_is_the_summary_and_all_is_well() -> None:
    said: list[str] = []

    code = sim_test("1:3", 0.5, "suite", 1, False, said.append)

    assert code == 0
    assert said[-1].startswith("sim-test: 2 seeds, ")
    assert said[-1].endswith(" 0 violations")


def test_a_violation_is_told_with_the_command_that_replays_it() -> None:
    said: list[str] = []

    with put("no_intents"):
        code = sim_test("1:2", 1.0, "suite", 1, False, said.append)

    assert code == 1
    assert said[0].startswith("seed 1: ")
    assert said[1].endswith("icryptotrader sim-test --seeds 1:2 --profile suite --minutes 1")


def test_bad_usage_says_what_is_possible() -> None:
    said: list[str] = []

    assert sim_test("1:2", None, "nonsense", 1, False, said.append) == 2
    assert "storm" in said[-1]


def test_a_fault_that_was_never_injected_fails_the_coverage() -> None:
    said: list[str] = []

    assert sim_test("1:2", 0.5, "calm", 1, True, said.append) == 1
    assert any(line.startswith("never injected and asserted: F1, ") for line in said)


def test_the_table_has_a_row_for_each_fault() -> None:
    assert len(list(table(Total()))) == len(CATALOGUE) + 1


def test_spread_over_processes_the_outcomes_are_the_same() -> None:
    alone = list(run_all(range(1, 5), "suite", 0.5, 1))

    assert list(run_all(range(1, 5), "suite", 0.5, 2)) == alone


def test_a_line_a_minute_says_how_far_it_is_where_nobody_watches() -> None:
    log = StringIO()

    with watch(Console(file=log), seeds=4, each=0) as seen:
        for done in range(1, 5):
            seen.aside()
            seen.tell(done, "10 steps, 2 faults, 0 violations")

    lines = log.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("sim-test: 1 of 4 seeds, 10 steps, 2 faults, 0 violations, about ")


def test_on_a_terminal_a_bar_says_it_and_the_results_stay_alone_on_stdout() -> None:
    said: list[str] = []
    shown = Console(file=StringIO(), force_terminal=True, width=120)

    with put("no_intents"):
        sim_test("1:3", 0.5, "suite", 1, False, said.append, shown)

    bar = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "1/2" in bar
    assert "1 violations" in bar
    assert all("\x1b" not in line for line in said)


def test_ctrl_c_sums_up_what_was_run_so_far() -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("seed 1: "):
            signal.raise_signal(signal.SIGINT)

    with put("no_intents"):
        code = sim_test("1:100", 1.0, "suite", 1, False, say)

    assert code == 130
    assert said[-2] == "interrupted: 1 of 99 seeds were run"
    assert said[-1].startswith("sim-test: 1 seeds, ")
    assert said[-1].endswith(" 1 violations")


def test_ctrl_c_ends_all_processes() -> None:
    command = [sys.executable, "-m", "icryptotrader", "sim-test", "--seeds", "1:9000",
               "--profile", "suite", "--jobs", "2"]  # fmt: skip
    shown = {**os.environ, "FORCE_COLOR": "1"}
    with subprocess.Popen(command, env=shown, stdout=PIPE, stderr=PIPE) as running:
        assert running.stderr is not None
        seen = b""
        while b"2/8999" not in seen:
            seen += os.read(running.stderr.fileno(), 4_096)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=120)

    assert running.returncode == 130
    assert out.splitlines()[-1].startswith(b"sim-test: ")
