"""`icryptotrader sim-test`: many simulated runs, what they injected, what they found.

Each seed is one run (sim/lab/trial.py). Runs are independent, so they are spread over
processes; the result of a seed does not depend on that.

Rule 1: results go to stdout, the summary as the last line; how far it is goes to stderr.
Exit codes: 0 all held; 1 a violation, or with --coverage a fault that was never injected; 2 bad
usage; 130 interrupted (what was run so far is summed up all the same).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct
from rich.console import Console

from icryptotrader.pool import processes
from icryptotrader.simtest_progress import Watch, watch
from shared.clock import perf
from sim.lab.catalogue import CATALOGUE
from sim.lab.trial import PROFILES, Outcome, Trial

MOST_SHOWN: Final = 20
AHEAD: Final = 8
"""Runs for each process that are handed out before their turn to be told has come."""
EXIT_INTERRUPTED: Final = 130

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

    @property
    def faults(self) -> int:
        return sum(self.injected.values())

    def told(self) -> str:
        """How far it is, for people who wait."""
        return f"{self.steps} steps, {self.faults} faults, {len(self.failed)} violations"


def sim_test(
    seeds: str,
    minutes: float | None,
    profile: str,
    jobs: int,
    coverage: bool,
    say: Say,
    errors: Console | None = None,
) -> int:
    """Run the seeds FROM:TO and say what was found; the exit code. errors: stderr's console."""
    chosen = read_seeds(seeds)
    if chosen is None or profile not in PROFILES:
        say(f"--seeds is FROM:TO (TO not included); --profile is one of {', '.join(PROFILES)}")
        return 2
    total = Total()
    begin = perf()
    interrupted = False
    try:
        with watch(errors or Console(stderr=True), len(chosen)) as seen:
            _run(run_all(chosen, profile, minutes, jobs), total, say, seen)
    except KeyboardInterrupt:
        interrupted = True
    took = (perf() - begin) / 1e9
    missing = [name for name in CATALOGUE if not total.asserted.get(name)]
    if coverage:
        for line in table(total):
            say(line)
        if missing:
            say(f"never injected and asserted: {', '.join(missing)}")
    if interrupted:
        say(f"interrupted: {total.runs} of {len(chosen)} seeds were run")
    say(summary(total, took, jobs))
    if interrupted:
        return EXIT_INTERRUPTED
    return 1 if total.failed or (coverage and missing) else 0


def _run(outcomes: Iterator[Outcome], total: Total, say: Say, seen: Watch) -> None:
    """Add them up as they come, and say what failed."""
    for outcome in outcomes:
        total.add(outcome)
        if outcome.failed and len(total.failed) <= MOST_SHOWN:
            seen.aside()
            say(f"seed {outcome.seed}: {outcome.text}")
            say(f"  replay: {outcome.command}")
        seen.tell(total.runs, total.told())


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
    work = ((seed, profile, minutes) for seed in seeds)
    if jobs <= 1:
        yield from map(run_one, work)
        return
    with processes(jobs) as pool:
        ahead = deque(pool.submit(run_one, each) for each in islice(work, jobs * AHEAD))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(run_one, each) for each in islice(work, 1))


def run_one(work: tuple[int, str, float | None]) -> Outcome:
    return Trial(*work).run()


def table(total: Total) -> Iterator[str]:
    """Each fault of the catalogue: injected, in runs that asserted what it must lead to, what."""
    yield f"{'fault':6}{'injected':>10}{'asserted':>10}  what"
    for name, fault in CATALOGUE.items():
        counts = f"{total.injected.get(name, 0):>10}{total.asserted.get(name, 0):>10}"
        yield f"{name:6}{counts}  {fault.what}: {fault.must}"


def summary(total: Total, took: float, jobs: int) -> str:
    rate = total.steps / max(took, 1e-9) / max(jobs, 1)
    return (
        f"sim-test: {total.runs} seeds, {total.seconds / 3600:.1f} simulated hours, "
        f"{total.steps} steps ({rate:.0f} a second and process), {total.fills} fills, "
        f"{total.lives} lives, {total.faults} faults, {len(total.failed)} violations"
    )
