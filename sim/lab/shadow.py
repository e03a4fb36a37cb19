"""The real ledger file beside the simulated one: told the same, it must remember the same.

Rule 1: it is opened anew with each life of the strategy, as that life's own process would.
Rule 2: what differs is said; the run goes on with the simulated one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sim.memory_ledger import MemoryLedger
from strategy.ledger.entries import Entry, Imported
from strategy.ledger.records import LedgerError
from strategy.ledger.store import Store

IN_MEMORY: Final = Path("/dev/shm")
"""What is written there is on no disk: each commit of a run waits for its own otherwise."""

OWN_FACT: Final = "stamp"
"""Written by each life's start itself, not by a commit."""


class Shadow:
    """One file, and what it must agree with. Closed by `close`."""

    def __init__(self, ledger: MemoryLedger, coin: str) -> None:
        folder = str(IN_MEMORY) if IN_MEMORY.is_dir() else None
        self._folder = TemporaryDirectory(prefix="sim-test-", dir=folder)
        self._path = Path(self._folder.name) / "ledger.db"
        self._store = Store.open(self._path)
        self._ledger = ledger
        self._coin = coin

    def commit(self, entries: Sequence[Entry | Imported]) -> None:
        self._store.commit(entries)

    def close(self) -> None:
        self._store.close()
        self._folder.cleanup()

    def unlike(self) -> str:
        """What a life that begins now would be told otherwise; "" if nothing."""
        self._store.close()
        try:
            self._store = Store.open(self._path)
        except LedgerError as error:
            return str(error)
        told, ledger = self._store.load(self._coin), self._ledger
        facts = {key: value for key, value in ledger.facts.items() if key != OWN_FACT}
        fills = {entry.fill.exec_id: entry for entry in told.last_fills}
        pairs: tuple[tuple[str, object, object], ...] = (
            ("intents", {each.cl_ord_id: each for each in told.intents}, ledger.intents),
            ("facts", told.facts, facts),
            ("number of fills", told.fills, len(ledger.fills)),
            ("newest fills", fills, {name: ledger.fills.get(name) for name in fills}),
            ("lots", told.lots.digest(), ledger.lots(self._coin).digest()),
            ("fills of open orders", told.booked, ledger.booked()),
        )
        for what, kept, meant in pairs:
            if kept != meant:
                return f"the {what} of the file are {kept!r}, and {meant!r} were written"
        return ""

    def faults(self) -> str:
        """What the file's own examination finds."""
        return "; ".join(self._store.verify())
