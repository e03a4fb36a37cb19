"""The one shape of everything that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from shared.units import Ns

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Machine(Protocol[In, Out]):
    """No clock, no socket, no file, no chance: whoever drives it brings all four.

    The same config, the same start and the same (now, inbox) sequence
    give the same outbox sequence. Replay, backtest and simulation rest on this.
    """

    def step(self, now: Ns, inbox: Sequence[In]) -> Sequence[Out]:
        """Hear all that waited, then act once. `now` never falls."""
        ...

    def wake_at(self) -> Ns:
        """When to be stepped at the latest, with an empty inbox if need be."""
        ...
