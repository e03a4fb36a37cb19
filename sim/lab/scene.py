"""What a trouble may touch: the world, the fates, the checks and the market.

Rule 1: a trouble acts through these; never on a machine of ours from inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from shared.units import SECOND, Ns
from sim.engine.values import Order
from sim.lab.checks import Checks
from sim.lab.faults import Fates, seconds
from sim.lab.lively import Lively
from sim.wires import Owner
from sim.world import World
from strategy.core.memory import Memory

OWNERS: Final[tuple[Owner, ...]] = ("trader", "feed")


class Scene(Struct):
    """What a trouble may touch."""

    world: World
    fates: Fates
    checks: Checks
    source: Lively
    operator_asks: int = 0

    @property
    def memory(self) -> Memory | None:
        return self.world.trader.core.memory if self.world.trader is not None else None

    def below(self, limit: int) -> int:
        return self.fates.random.randrange(limit)

    def between(self, least: float, most: float) -> Ns:
        return seconds(self.fates.random.uniform(least, most))

    def some(self, choices: Sequence[Any]) -> Any:
        return choices[self.below(len(choices))]

    def later(self, delay: int, what: Callable[[], None]) -> None:
        """Unless all has been healed by then."""
        self.world.wires.later(delay, lambda: None if self.fates.healed else what())

    def settle(self) -> None:
        """Tell the venue that something was done to its engine."""
        self.world.venue.advance(self.world.now, self.world.wall)

    def an_order(self) -> Order | None:
        ours = self.checks.ours()
        return self.some(ours) if ours else None

    def is_up(self) -> bool:
        memory = self.memory
        return memory is not None and memory.line == "up" and not self.world.frozen

    def is_deaf(self) -> bool:
        """Whether what the exchange says does not reach the strategy in time."""
        soon = self.world.now + SECOND
        stalled = any(wire.free_in > soon for wire in self.world.wires.of("trader"))
        return stalled or bool(self.fates.muted)
