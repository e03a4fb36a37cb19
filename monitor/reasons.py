"""The strategy's sentences in German: found again by their shape, their figures kept.

The strategy says everything once, in English; its log, its journal and the terminal have it so. A
page in German finds the sentence in a table (reasons_de.py), and what stands in its gaps likewise;
what is in no table (an operator's own words, the exchange's) stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from monitor.reasons_de import REASONS

GAP: Final = "{}"
DEEPEST: Final = 6
LONGEST: Final = 2_000
"""Characters; what is longer is somebody else's text."""


class Shape(Struct, frozen=True):
    """A sentence with gaps. head: what it begins with; rows: it has a semicolon of its own."""

    head: str
    rows: bool
    gaps: re.Pattern[str]
    german: str


def _shape(english: str, german: str) -> Shape:
    parts = english.split(GAP)
    # The first gaps take as little as they can, the last one what is left.
    middle = "(.+?)".join(re.escape(part) for part in parts[:-1])
    pattern = f"{middle}(.*){re.escape(parts[-1])}"
    return Shape(parts[0], "; " in english, re.compile(pattern, re.DOTALL), german)


SHAPES: Final = tuple(
    _shape(english, german)
    for english, german in sorted(REASONS.items(), key=lambda pair: -len(pair[0].replace(GAP, "")))
    if GAP in english
)
"""Those with most words of their own first: the most telling one is taken."""


def german(text: str) -> str:
    """A sentence of the strategy, or several in a row ("; "), in German."""
    return _german(text, DEEPEST) if len(text) <= LONGEST else text


@lru_cache(maxsize=4096)
def _german(text: str, depth: int) -> str:
    if (whole := REASONS.get(text)) is not None:
        return whole
    if depth == 0 or not any(letter.isalpha() for letter in text):
        return text
    several = "; " in text
    for shape in SHAPES:
        # A row of sentences is taken apart, unless there is one that has a semicolon of its own.
        if several and not shape.rows:
            continue
        if text.startswith(shape.head) and (found := shape.gaps.fullmatch(text)):
            return shape.german.format(*(_kept(gap, depth - 1) for gap in found.groups()))
    if several:
        return "; ".join(_german(piece, depth - 1) for piece in text.split("; "))
    return text


def _kept(gap: str, depth: int) -> str:
    """What stands in a gap, with the blanks around it."""
    inner = gap.strip()
    return gap.replace(inner, _german(inner, depth)) if inner else gap
