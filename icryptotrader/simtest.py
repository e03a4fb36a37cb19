"""`icryptotrader sim-test`: many simulated runs, what they injected, what they found.

Each seed is one run (sim/lab/trial.py). Runs are independent, so they are spread over
processes; the result of a seed does not depend on that.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from shared.clock import perf
from sim.lab.catalogue import CATALOGUE
from sim.lab.trial import PROFILES, Outcome, Trial

MOST_SHOWN: Final = 20
CHUNK: Final = 4

Say = Callable[[str], None]


class Total(Struct):
    """What all runs together did."""

    runs: int = 0
    steps: int = 0
    fills: int = 0
    lives: int = 0
    seconds: float = 0.0
    failed: list[Outcome] = []
    injected: dict[str, int] = {}
    asserted: dict[str, int] = {}

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.steps += outcome.steps
        self.fills += outcome.fills
        self.lives += outcome.lives
        self.seconds += outcome.seconds
        for total, counts in (
            (self.injected, outcome.injected),
            (self.asserted, outcome.asserted),
        ):
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
        if outcome.failed:
            self.failed.append(outcome)


def sim_test(
    seeds: str, minutes: float | None, profile: str, jobs: int, coverage: bool, say: Say
) -> int:
    """Run the seeds FROM:TO; 1 on any violation, or on a fault never injected; 2 on bad usage."""
    chosen = read_seeds(seeds)
    if chosen is None or profile not in PROFILES:
        say(f"--seeds is FROM:TO (TO not included); --profile is one of {', '.join(PROFILES)}")
        return 2
    total = Total()
    begin = perf()
    for outcome in run_all(chosen, profile, minutes, jobs):
        total.add(outcome)
        if outcome.failed and len(total.failed) <= MOST_SHOWN:
            say(f"seed {outcome.seed}: {outcome.text}")
            say(f"  replay: {outcome.command}")
    took = (perf() - begin) / 1e9
    missing = [name for name in CATALOGUE if not total.asserted.get(name)]
    if coverage:
        for line in table(total):
            say(line)
        if missing:
            say(f"never injected and asserted: {', '.join(missing)}")
    say(summary(total, took, jobs))
    return 1 if total.failed or (coverage and missing) else 0


def read_seeds(text: str) -> range | None:
    """FROM:TO as a range; None where it is none."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal()):
        return None
    return range(int(first), int(last))


def run_all(
    seeds: Iterable[int], profile: str, minutes: float | None, jobs: int
) -> Iterator[Outcome]:
    """The outcomes in the order of the seeds."""
    work = [(seed, profile, minutes) for seed in seeds]
    if jobs <= 1:
        yield from map(run_one, work)
        return
    with _processes(jobs) as pool:
        yield from pool.map(run_one, work, chunksize=CHUNK)


def run_one(work: tuple[int, str, float | None]) -> Outcome:
    return Trial(*work).run()


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield pool


def table(total: Total) -> Iterator[str]:
    """Each fault of the catalogue: injected, in runs that asserted what it must lead to, what."""
    yield f"{'fault':6}{'injected':>10}{'asserted':>10}  what"
    for name, fault in CATALOGUE.items():
        counts = f"{total.injected.get(name, 0):>10}{total.asserted.get(name, 0):>10}"
        yield f"{name:6}{counts}  {fault.what}: {fault.must}"


def summary(total: Total, took: float, jobs: int) -> str:
    faults = sum(total.injected.values())
    rate = total.steps / max(took, 1e-9) / max(jobs, 1)
    return (
        f"sim-test: {total.runs} seeds, {total.seconds / 3600:.1f} simulated hours, "
        f"{total.steps} steps ({rate:.0f} a second and process), {total.fills} fills, "
        f"{total.lives} lives, {faults} faults, {len(total.failed)} violations"
    )
