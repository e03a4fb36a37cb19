"""A list of values that is written once and read from its begin, in a tenth of the memory.

A year of fills as they are would be the largest part of a backtest.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Generic, Protocol, TypeVar

import msgspec

AT_ONCE: Final = 256
"""Values that are packed together: the last ones, up to so many, stand as they are."""

_FASTEST: Final = 1

T = TypeVar("T", bound=msgspec.Struct)
T_co = TypeVar("T_co", covariant=True)


class Listed(Protocol[T_co]):
    """What is counted and read in order: a tuple, or packed."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T_co]: ...


class Packed(Generic[T]):
    """Values of one kind in their order; equal to another with the same values."""

    def __init__(self, kind: type[T], values: Iterable[T] = ()) -> None:
        self._kind = kind
        self._packed: list[bytes] = []
        self._last: list[T] = []
        for value in values:
            self.append(value)

    def append(self, value: T) -> None:
        self._last.append(value)
        if len(self._last) == AT_ONCE:
            self._packed.append(zlib.compress(msgspec.msgpack.encode(self._last), _FASTEST))
            self._last = []

    def __len__(self) -> int:
        return len(self._packed) * AT_ONCE + len(self._last)

    def __iter__(self) -> Iterator[T]:
        kind = self._kind
        for block in self._packed:
            yield from msgspec.msgpack.decode(zlib.decompress(block), type=list[kind])  # type: ignore[valid-type]
        yield from self._last

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packed):
            return NotImplemented
        return len(self) == len(other) and all(
            one == two for one, two in zip(self, other, strict=True)
        )
