"""`icryptotrader sim-test`: its words, its exit codes, and what it does with what fails."""

from __future__ import annotations

from icryptotrader.simtest import Total, read_seeds, run_all, sim_test, table
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
