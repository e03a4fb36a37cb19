"""What a ledger remembers between two lives of the strategy, without a disk.

Rule 1: it holds what the real ledger's tables enforce: a fill is booked once, an id is used once.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.units import Sats, Side
from strategy.ledger.entries import (
    Entry,
    FillEntry,
    Imported,
    IntentDone,
    IntentEntry,
    Remember,
)
from strategy.ledger.lots import Lots
from strategy.ledger.trade import coin_of


class DiskFullError(Exception):
    """Nothing of the transaction was written."""


class MemoryLedger:
    """`full` makes every commit fail, as a disk without space does.

    beside: told of each commit that was written.
    """

    def __init__(self) -> None:
        self.fills: dict[str, FillEntry] = {}
        self.intents: dict[str, IntentEntry] = {}
        self.owners: dict[str, tuple[str, Side]] = {}  # every id ever used: its slot and side
        self.facts: dict[str, str] = {}
        self.commits = 0
        self.full = False
        self.beside: Callable[[tuple[Entry | Imported, ...]], None] = lambda entries: None

    def commit(self, entries: tuple[Entry | Imported, ...]) -> None:
        """One transaction, whole or not at all."""
        if self.full:
            raise DiskFullError
        self.commits += 1
        for entry in entries:
            match entry:
                case FillEntry(fill):
                    assert fill.exec_id not in self.fills, f"{fill.exec_id} booked twice"
                    self.fills[fill.exec_id] = entry
                case IntentEntry(cl_ord_id):
                    assert cl_ord_id not in self.owners, f"{cl_ord_id} used twice"
                    self.intents[cl_ord_id] = entry
                    self.owners[cl_ord_id] = (entry.slot, entry.side)
                case IntentDone(cl_ord_id):
                    self.intents.pop(cl_ord_id, None)
                case Remember(key, value):
                    self.facts[key] = value
                case _:
                    continue
        self.beside(entries)

    def booked(self) -> dict[str, Sats]:
        """What the orders of the open intents have filled, where they have."""
        found: dict[str, Sats] = {}
        for entry in self.fills.values():
            name = entry.fill.cl_ord_id
            if name in self.intents:
                found[name] = Sats(found.get(name, 0) + entry.fill.qty)
        return found

    def lots(self, coin: str) -> Lots:
        """The lots that follow from all fills of a coin."""
        queue = Lots(coin)
        for entry in self.fills.values():
            if coin_of(entry.fill.pair) == coin:
                queue.book(entry.fill)
        return queue
