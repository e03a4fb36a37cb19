"""How a bug is put in and taken out again, and what several of them do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

from shared.units import MINUTE, Ns
from strategy.core import pipeline

HOUR: Final = Ns(60 * MINUTE)


class Patches:
    """What was changed, so that it can be changed back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> Any:
        """Replace an attribute; returns what stood there."""
        before = getattr(owner, name)
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)
        return before

    def row(self, table: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        before = table[key]
        self._undo.append(lambda: table.__setitem__(key, before))
        table[key] = value

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


class Bug(Struct, frozen=True):
    """what: the mistake, in words."""

    what: str
    apply: Callable[[Patches], None]


BUGS: Final[dict[str, Bug]] = {}


def bug(what: str) -> Callable[[Callable[[Patches], None]], Callable[[Patches], None]]:
    def keep(apply: Callable[[Patches], None]) -> Callable[[Patches], None]:
        BUGS[apply.__name__] = Bug(what, apply)
        return apply

    return keep


@contextmanager
def put(name: str) -> Iterator[None]:
    patches = Patches()
    try:
        BUGS[name].apply(patches)
        yield
    finally:
        patches.undo()


def dropped(p: Patches, drop: Callable[[Any], bool]) -> None:
    """The core does not say what it would have said."""
    before = pipeline.Core.step

    def step(self: Any, now: Ns, mail: Any) -> Any:
        return [item for item in before(self, now, mail) if not drop(item)]

    p.set(pipeline.Core, "step", step)


def filtered(p: Patches, kind: Any) -> None:
    """Nothing of this kind is said."""
    dropped(p, lambda item: isinstance(item, kind))
