"""The whole house in virtual time under faults: nothing that must hold breaks, on any seed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from sim.lab.catalogue import CATALOGUE
from sim.lab.trial import Outcome, Trial

SEEDS: Final = 300
AT_ONCE: Final = 10
FAILED: Final = Path(__file__).with_name("failed_seeds.txt")


def once_failed() -> list[tuple[str, int]]:
    rows = [line.split() for line in FAILED.read_text().splitlines()]
    return [(row[0], int(row[1])) for row in rows if row and not row[0].startswith("#")]


def held(outcome: Outcome) -> Outcome:
    assert not outcome.failed, f"{outcome.text}\n{outcome.command}\n" + "\n".join(outcome.trace)
    return outcome


@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_ONCE))
def test_all_holds_and_comes_right_under_faults(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        held(Trial(seed, "suite").run())


@pytest.mark.parametrize(("profile", "seed"), once_failed())
def test_a_seed_that_once_failed_holds(profile: str, seed: int) -> None:
    held(Trial(seed, profile).run())


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    first, second = Trial(seed, "suite").run(), Trial(seed, "suite").run()

    assert first == second
    assert first.log != Trial(seed + 1_000, "suite").run().log


def test_without_faults_nothing_is_injected_and_the_grid_trades() -> None:
    outcome = held(Trial(1, "calm").run())

    assert outcome.fills > 10
    assert outcome.lives == 1
    assert outcome.injected == {}


def test_what_is_injected_stands_in_the_catalogue() -> None:
    outcomes = [held(Trial(seed, "storm", 3.0).run()) for seed in range(1, 9)]

    injected = {name for outcome in outcomes for name in outcome.injected}
    assert injected <= set(CATALOGUE)
    assert len(injected) > len(CATALOGUE) * 3 // 4
