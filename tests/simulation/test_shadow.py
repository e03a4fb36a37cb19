"""The real ledger file beside the simulated one: what differs is said, nothing stays behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from sim.lab import shadow
from sim.lab.shadow import Shadow
from sim.lab.trial import FILED_REST, Trial
from sim.memory_ledger import MemoryLedger
from strategy.ledger.entries import Remember


def test_a_file_that_remembers_otherwise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "IN_MEMORY", tmp_path)
    ledger = MemoryLedger()
    with closing(Shadow(ledger, "BTC")) as beside:
        ledger.beside = beside.commit
        ledger.commit((Remember("halt", "a test"),))
        alike = beside.unlike()
        ledger.facts["halt"] = "another one"

        assert alike == ""
        assert beside.unlike().startswith("the facts of the file are {'halt': 'a test'}")
        assert beside.faults() == ""

    assert list(tmp_path.iterdir()) == []


def test_a_run_with_a_file_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "IN_MEMORY", tmp_path)

    outcome = Trial(FILED_REST, "suite", 0.5).run()

    assert outcome.failed == ""
    assert list(tmp_path.iterdir()) == []
