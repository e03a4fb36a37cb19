"""No fault and no invariant is left out silently: each is injected, or its test is named."""

from __future__ import annotations

import re
from pathlib import Path

from sim.lab.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS = [f"F{number}" for number in range(1, 105)]
INVARIANTS = [f"I{number}" for number in range(1, 29)]


def rows() -> dict[str, str]:
    """The table's rows by their number."""
    section = PAGE.partition("## Where each fault")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| ([FI]\d+) \| .* \| (.*) \|$", section, re.MULTILINE))


def promised() -> set[str]:
    """The invariants that the simulator's checks hold, as the page's first table has them."""
    table = PAGE.partition("## Promised")[2].partition("\n## ")[0]
    return set(re.findall(r"I\d+", " ".join(re.findall(r"^\| (I[^|]*)\|", table, re.MULTILINE))))


def test_every_fault_is_injected_or_its_test_is_named() -> None:
    assert [name for name in FAULTS if name not in CATALOGUE and name not in rows()] == []


def test_every_invariant_is_checked_or_its_test_is_named() -> None:
    assert [name for name in INVARIANTS if name not in promised() | rows().keys()] == []


def test_no_test_is_named_that_does_not_exist() -> None:
    known = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        known |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
        known.add(path.name)
    named = set(re.findall(r"test_\w+(?:\.py)?", " ".join(rows().values())))
    assert sorted(named - known) == []
