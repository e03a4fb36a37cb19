"""Whose trades a ledger holds: simulated ones and real ones never share a tax book."""

from __future__ import annotations

from typing import Final

MODE_FACT: Final = "mode"
"""Under this name a ledger remembers the mode that it was begun in."""


def stranger(kept: str, mode: str) -> str:
    """Why a house of this mode may not use a ledger of that one; "" where it may."""
    if kept in ("", mode):
        return ""
    return (
        f"mode: this home's ledger was begun in {kept} mode; {mode} needs one of its own: "
        "use another folder, --home DIR"
    )
