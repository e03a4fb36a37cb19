"""data/ledger.json: all trades and open lots as JSON, for those who set persistence_backend "json".

Rule 1: it is a copy for people and programs; nothing is ever read back from it.
Rule 2: it appears whole or not at all. A failed write is told and costs no trade.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from strategy.ledger.lots import Lots

MIRROR: Final = Path("data/ledger.json")


def write_mirror(lots: Lots, path: Path = MIRROR) -> None:
    """All of it, replaced atomically; OSError where the disk refuses. Money is text."""
    content = {
        "coin": lots.coin,
        "digest": lots.digest(),
        "trades": lots.trades(),
        "open_lots": lots.open_lots(),
    }
    draft = path.with_suffix(".json.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(content))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
