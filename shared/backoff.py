"""Waiting longer each time, as a value."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from shared.units import SECOND, Ns


class Backoff(Struct, frozen=True):
    """How often something failed in a row, and how long to wait before it is tried again.

    first, most: ns. The wait doubles from `first` to `most`.
    """

    first: Ns = SECOND
    most: Ns = Ns(30 * SECOND)
    failures: int = 0

    def failed(self) -> Backoff:
        return replace(self, failures=self.failures + 1)

    def calm(self) -> Backoff:
        """After a success: the next failure waits `first` again."""
        return replace(self, failures=0)

    def wait(self, chance: float = 0.0) -> Ns:
        """ns to wait now; 0 before the first failure.

        chance: in [0, 1), drawn by the shell; takes off up to a quarter, so that many clients that
        lost their line at one moment do not come back at one moment.
        """
        if self.failures == 0:
            return Ns(0)
        # Beyond 64 doublings every sensible `most` is reached; the bound keeps the int small.
        doubled = min(self.first << min(self.failures - 1, 64), self.most)
        return Ns(doubled - int(doubled * chance / 4))
