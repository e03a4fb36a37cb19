"""Steps that provably change nothing but what is known of the market, and so need no decision.

After a step that asked for nothing, the band of prices is sought in which stages 6 to 12 go on
asking for nothing: their own functions are evaluated at both ends. Where both ends lay the same
wishes for the same reasons, so does every price between them: each comparison in those stages is
monotone in the price (budgets, shares, the touch, the way to the anchor), so one that comes out
alike at both ends comes out alike between. Time is no way out either: the ends are decided as if
all waiting were over.

Rule 1: inside the band stages 1 to 5 still run, on every price, by the core's own functions. A
regime, pause, breaker, spacing or daily loss that changes ends it at that very moment.
Rule 2: whatever else could change by itself (a lot that comes free, a new day) is met by a whole
step at each full hour and at the next unlock.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared import frames
from shared.units import SECOND, Ns, Side, Ticks
from strategy.core.account import assess_account
from strategy.core.daily import overspent
from strategy.core.market import View
from strategy.core.memory import Memory, PairMemory
from strategy.core.pipeline import Core
from strategy.core.plan import Laid
from strategy.core.risk import Pause
from strategy.core.slots import State

_HOUR: Final = 3_600 * SECOND
_OVER: Final = Ns(1 << 62)
_FARTHEST: Final = 0.02  # a band goes no farther than this where nothing rests on a side
_HALVINGS: Final = 2


class Band(Struct, frozen=True):
    """Best bids (Ticks), both ends included, and the wall up to which it holds."""

    low: int
    high: int
    until: int


class Quiet:
    """Watches one core. `band` is None while every step must be whole."""

    def __init__(self, core: Core) -> None:
        self.band: Band | None = None
        self.skipped = 0
        self._core = core
        self._memory: Memory = core.memory
        self._pair: PairMemory = next(iter(core.memory.pairs.values()))
        cfg = core.memory.config
        # Their stages follow figures that move with every sample.
        self._never = cfg.hedge.enabled or cfg.avellaneda_stoikov.enabled
        self._facts: tuple[object, ...] = ()

    def seek(self, now: Ns, until: int) -> None:
        """Find the band around the present price, after a whole step that asked for nothing.

        until: the wall at which a whole step is wanted in any case.
        """
        self.band = None
        memory, pair = self._memory, self._pair
        view, laid = pair.view, pair.laid
        full_hour = memory.wall - memory.wall % _HOUR + _HOUR
        until = min(until, full_hour)
        if memory.halt and self._is_idle():
            self._found(Band(0, _OVER, until))
            return
        if self._never or view is None or laid is None or not pair.permit.change:
            return
        if memory.asking.wanted or memory.asking.asked_at or memory.books.gap:
            return
        if any(slot.state not in (State.EMPTY, State.LIVE) for slot in pair.slots):
            return
        if not self._same(view, int(view.bid), laid, now):
            return
        low, high = self._limits(pair, int(view.bid))
        low = self._reach(view, laid, now, low)
        high = self._reach(view, laid, now, high)
        free_at = memory.lots.next_free_wall(memory.wall, memory.config.tax.holding_safety_days)
        self._found(Band(low, high, min(until, free_at or until)))

    def _found(self, band: Band) -> None:
        self.band = band
        self._facts = self._known()

    def _is_idle(self) -> bool:
        """Nothing rests and nothing is to be sold off: a halt ends by a person's word alone."""
        memory = self._memory
        calm = memory.pause is not Pause.EMERGENCY_SELL and not memory.flatten
        asks = memory.asking.wanted or memory.asking.asked_at or memory.books.gap
        return calm and not asks and memory.busy() == 0

    def learn(self, now: Ns, wall: Ns, book: frames.Book) -> bool:
        """Stages 1 to 5 of a step inside the band; False where a whole step must follow at once."""
        core, memory, pair = self._core, self._memory, self._pair
        memory.now, memory.wall = now, wall
        pair.tape.hear_book(book, now, memory.config.time)
        core._learn(pair, now)
        assess_account(memory, now)
        core._next_tick = Ns(now + int(memory.config.time.tick_sec * SECOND))
        self.skipped += 1
        if self._known() != self._facts:
            return False
        if memory.halt:
            return True
        return not overspent(memory)

    def _known(self) -> tuple[object, ...]:
        memory, pair = self._memory, self._pair
        return (
            pair.regime.kind, pair.breaker, memory.pause, memory.risk.severity, pair.edges,
            memory.asking, memory.books.gap, pair.spacing.bps,
        )  # fmt: skip

    # The band.

    def _limits(self, pair: PairMemory, bid: int) -> tuple[int, int]:
        """Between our own best orders: nothing fills there, and the touch is not ours."""
        resting = [slot for slot in pair.slots if slot.state is State.LIVE]
        buys = [slot.price for slot in resting if slot.side is Side.BUY]
        sells = [slot.price for slot in resting if slot.side is Side.SELL]
        low = max(buys, default=Ticks(int(bid * (1.0 - _FARTHEST)))) + 1
        high = min(sells, default=Ticks(int(bid * (1.0 + _FARTHEST)))) - 2
        return min(low, bid), max(high, bid)

    def _reach(self, view: View, laid: Laid, now: Ns, end: int) -> int:
        """The end, or as much of the way there as keeps the same wishes."""
        here = int(view.bid)
        for _ in range(_HALVINGS):
            if end == here or self._same(view, end, laid, now):
                return end
            end = here + int((end - here) / 2)
        return here

    def _same(self, view: View, bid: int, laid: Laid, now: Ns) -> bool:
        """Whether the core would lay the same and ask for nothing at this price, for ever."""
        core, pair = self._core, self._pair
        kept = (pair.hung, pair.plan, pair.notes, core._anchor_moved)
        there = replace(view, bid=Ticks(bid), ask=Ticks(bid + 1), mid=bid + 0.5)
        found = core._wish(pair, there, now)
        hung = pair.hung
        quiet = found == laid and hung == kept[0] and not hung.away_since
        if quiet:
            quiet = not core._decide(pair, there, found, _OVER)
        pair.hung, pair.plan, pair.notes, core._anchor_moved = kept
        return quiet
