"""The one clock: the only file of the product that asks what time it is.

CLOCK_BOOTTIME is the same for all processes of a box, never runs backwards and counts through
suspend. A house that runs on a recorded market may run up to 20 times as fast: every process
multiplies the same boot time by the same speed, so they agree without talking to each other.
"""

from __future__ import annotations

import time

from msgspec import Struct

from shared.units import Ns


class Clock(Struct, frozen=True):
    """Scaled boot time, and a wall clock that keeps pace with it.

    speed: 1 in live and paper; up to 20 on a recorded or made-up market.
    boot_anchor, wall_anchor: one moment named in both times (ns). All processes of a house are
    given the same three numbers. Without an anchor the wall clock is the machine's own.
    """

    speed: int = 1
    boot_anchor: Ns = Ns(0)
    wall_anchor: Ns = Ns(0)

    def now(self) -> Ns:
        """Nanoseconds since boot, times the speed: for durations and ages."""
        return Ns(time.clock_gettime_ns(time.CLOCK_BOOTTIME) * self.speed)

    def wall(self) -> Ns:
        """Nanoseconds since 1970 UTC: for deadlines, nonces and dates only."""
        if self.wall_anchor:
            return Ns(self.wall_anchor + self.now() - self.boot_anchor)
        return Ns(time.time_ns())

    def real_seconds(self, duration: int) -> float:
        """How many seconds of this machine pass while `duration` ns of house time pass."""
        return duration / self.speed / 1e9


def machine_wall() -> Ns:
    """The machine's own wall clock, ns since 1970 UTC: for log lines and file names."""
    return Ns(time.time_ns())


def perf() -> int:
    """Nanoseconds of this machine for measuring our own work: metrics and benchmarks only."""
    return time.perf_counter_ns()
