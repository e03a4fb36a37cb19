"""Rows of a file that bears the newest first, told from its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import Final

import msgspec

from sim.backtest.tables import DataError, Row

_AT_ONCE: Final = 1_000
_rows = msgspec.msgpack.Decoder(list[Row])


def from_the_end(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows, the last one first. They wait in a file without a name, not in memory.

    What could be read of a file that is torn is told before its DataError.
    """
    sizes: list[int] = []
    batch: list[Row] = []
    torn: DataError | None = None
    with TemporaryFile() as kept:
        try:
            for row in rows:
                batch.append(row)
                if len(batch) == _AT_ONCE:
                    sizes.append(kept.write(msgspec.msgpack.encode(batch)))
                    batch.clear()
        except DataError as error:
            torn = error
        yield from reversed(batch)
        place = sum(sizes)
        for size in reversed(sizes):
            place -= size
            kept.seek(place)
            yield from reversed(_rows.decode(kept.read(size)))
    if torn is not None:
        raise torn
