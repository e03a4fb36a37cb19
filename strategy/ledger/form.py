"""The lines of Anlage SO, year by year: dated data, never carried over to a year not known.

Line numbers move: 2024 and 2025 name the same field four lines apart. Sources: the official forms
of 2024 and 2025; those of 2021 to 2023 from descriptions.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class FormLines(Struct, frozen=True):
    """Numbers of one year's form; None where that form has no such line, or nobody has checked.

    dedicated_crypto_block: crypto assets have lines of their own; before, they belong to "Andere
    Wirtschaftsgüter". confidence: high (read in the form), medium or low (described by others).
    """

    dedicated_crypto_block: bool
    confidence: str
    other_assets_first: int
    other_assets_last: int
    allocation: int
    further_disposals: int
    yes_no: int | None = None
    designation: int | None = None
    dates: int | None = None
    proceeds: int | None = None
    cost: int | None = None
    werbungskosten: int | None = None
    gain: int | None = None
    waive_carryback: int | None = None


_BEFORE_2023: Final = FormLines(False, "low", 41, 47, 48, 49)

LINES: Final[dict[int, FormLines]] = {
    2021: _BEFORE_2023,
    2022: _BEFORE_2023,
    2023: FormLines(True, "medium", 48, 53, 54, 55, 41, 42, 43, 44, 45, 46, 47, 62),
    2024: FormLines(True, "high", 48, 53, 54, 55, 41, 42, 43, 44, 45, 46, 47, 62),
    2025: FormLines(True, "high", 52, 57, 58, 59, 45, 46, 47, 48, 49, 50, 51, 66),
}


def lines_of(year: int) -> FormLines | None:
    """The form of a tax year; None for a year whose form was not seen."""
    return LINES.get(year)
