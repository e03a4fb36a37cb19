"""`icryptotrader caps`: the hard caps in the file, those that hold, and accepting looser ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from shared.caps import FACT, caps_path, looser, read_caps, refusal, to_fact
from shared.clock import machine_wall
from shared.config import Home, load
from shared.process import LockHeld, lock
from strategy.ledger.entries import AuditEntry, Remember
from strategy.ledger.records import LedgerError, open_readonly
from strategy.ledger.store import Store

LEDGER: Final = Path("data/ledger.sqlite")
STRATEGY_LOCK: Final = Path("run/strategy.lock")

Said = tuple[int, list[str]]
"""An exit code and the lines for a person."""


def show_caps(home: Home) -> Said:
    """What the file says, and where it is looser than what holds (exit code 1)."""
    config = load(home)
    path = caps_path(config)
    caps = read_caps(path)
    lines = [f"{path}:", *(f"  {name} = {getattr(caps, name)}" for name in caps.__struct_fields__)]
    ledger = home.path / LEDGER
    if not ledger.exists():
        return 0, [*lines, "No ledger yet: they hold from the first start on."]
    try:
        kept = open_readonly(ledger, last=0).facts.get(FACT, "")
    except LedgerError as error:
        return 1, [*lines, str(error)]
    found = looser(kept, caps)
    if found:
        return 1, [*lines, *refusal(found)]
    return 0, [*lines, "They hold: nothing in them is looser than what held before."]


def accept_caps(home: Home, reason: str) -> Said:
    """Let the file's caps hold, looser or not; the strategy must not run."""
    caps = read_caps(caps_path(load(home)))
    if not (home.path / LEDGER).exists():
        return 1, ["there is no ledger yet: the caps hold from the first start on"]
    os.chdir(home.path)
    try:
        held = lock(STRATEGY_LOCK)
    except LockHeld as error:
        return 1, [
            f"the strategy runs (process {error.pid}): stop it first, caps are read at start"
        ]
    try:
        store = Store.open(LEDGER)
        try:
            facts = store.load().facts
            changed = looser(facts.get(FACT, ""), caps) or ["nothing looser"]
            said = "; ".join(changed)
            wall = machine_wall()
            accepted = AuditEntry(wall, "operator", "caps accept", f"{said}: {reason}"[:1000])
            store.commit([Remember(FACT, to_fact(caps)), accepted])
        finally:
            store.close()
    except LedgerError as error:
        return 1, [str(error)]
    finally:
        held.release()
    return 0, [f"accepted: {said}"]
