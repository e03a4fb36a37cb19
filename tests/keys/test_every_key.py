"""Every setting changes what it says it changes: each is changed once and its effect looked at."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest

from shared.config import DEFAULTS
from tests.keys import grid_rows, house_rows, regime_rows, risk_rows, tax_rows, watch_rows
from tests.keys.trying import Row, look

PLACES: Final = (grid_rows, regime_rows, risk_rows, tax_rows, house_rows, watch_rows)
ROWS: Final[tuple[Row, ...]] = tuple(row for place in PLACES for row in place.ROWS)


def keys_of(table: dict[str, Any], at: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{at}{key}.")
        else:
            yield f"{at}{key}"


KEYS: Final = tuple(keys_of(tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))))


def test_every_setting_is_tried() -> None:
    tried = [row.key for row in ROWS]
    assert sorted(tried) == sorted(KEYS)


@pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
def test_it_changes_what_it_says(row: Row) -> None:
    before = look(row, dict(row.given))
    after = look(row, {**row.given, row.key: row.value})
    assert row.differ(before, after), f"{row.key}: by default {before!r}, then {after!r}"
