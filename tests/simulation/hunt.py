"""Which seed notices each seeded bug: `python -m tests.simulation.hunt [NAME ...]` (make teeth).

Prints the table (bug, seed that caught it, check that caught it) and keeps it in teeth.txt, which
the test suite replays. Exits 1 if a bug was not caught.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import as_completed
from pathlib import Path
from typing import Final

from icryptotrader.pool import processes
from sim.lab.trial import Trial
from tests.simulation.bugs import BUGS, put

MOST_SEEDS: Final = 2_000
PROFILE: Final = "suite"
KNOWN: Final = Path(__file__).with_name("teeth.txt")


def read_known() -> dict[str, int]:
    """Bug and the first seed that noticed it, as the last hunt wrote them down."""
    rows = [line.split() for line in KNOWN.read_text().splitlines() if line.strip()]
    return {name: int(seed) for name, seed, *_ in rows}


def caught_by(name: str, seed: int) -> str:
    """The check that notices the bug in this run; "" if none does."""
    with put(name):
        found = Trial(seed, PROFILE).run().failed
    # A seed that fails without the bug says nothing about it.
    return "" if found and Trial(seed, PROFILE).run().failed else found


def hunt(name: str) -> tuple[str, int, str]:
    """Bug, seed and check; seed 0 if nothing noticed it."""
    for seed in range(1, MOST_SEEDS + 1):
        check = caught_by(name, seed)
        if check:
            return name, seed, check
    return name, 0, ""


def main(names: list[str]) -> int:
    chosen = names or list(BUGS)
    known = {line.split()[0]: line for line in _lines()}
    missed = 0
    with processes(multiprocessing.cpu_count()) as pool:
        for done in as_completed([pool.submit(hunt, name) for name in chosen]):
            name, seed, check = done.result()
            print(f"{name:28}{seed or 'NOT CAUGHT':>10}  {check:14} {BUGS[name].what}", flush=True)
            missed += not seed
            if seed:
                known[name] = f"{name} {seed} {check}"
    KNOWN.write_text("".join(f"{known[name]}\n" for name in BUGS if name in known))
    print(f"{len(chosen) - missed} of {len(chosen)} bugs caught within {MOST_SEEDS} seeds each")
    return 1 if missed else 0


def _lines() -> list[str]:
    return KNOWN.read_text().splitlines() if KNOWN.exists() else []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
