"""The operator is told, and what has to stop does stop: each step's words and beliefs.

Rule 1: that a person is told is seen in the outbox; whether a stop was obeyed, in what leaves
(sim/lab/letters.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from shared import control
from shared.units import MINUTE, SECOND, Ns
from sim.lab.letters import Letters
from sim.world import World
from strategy.core.lifecycle import Phase
from strategy.core.memory import EXIT_SLOT, Day, Memory
from strategy.core.out import Booked, Tell
from strategy.ledger.entries import FillEntry, IntentEntry, Remember
from strategy.trader import Commit, In, Out

MATTERS: Final = {"halt": "critical", "hold": "warning", "drift": "error"}
"""Facts whose writing a person must be told of, and how loudly."""

HOUR: Final = Ns(60 * MINUTE)

ARM_AGAIN: Final = Ns(7 * SECOND)
"""A request to arm the switch that brings nothing is made anew within this, less a tick."""


class Told:
    """Watches the steps of one World's strategy, after `Letters` has."""

    def __init__(self, world: World, letters: Letters, fail: Callable[[str, str], None]) -> None:
        self._world = world
        self._letters = letters
        self._fail = fail
        self._limit_of_loss = float(world.config.limits.daily_loss_quote)
        self._lives = 0
        self._line = "down"
        self._believed = False
        self._fills: deque[Ns] = deque()  # of the grid and of exits, within the hour
        self._slots: dict[str, str] = {}  # cl_ord_id of an order of this life -> its slot
        self._overspent: Day | None = None  # the day of which the last step has lost too much

    def stepped(self, now: Ns, inbox: Sequence[In], out: Sequence[Out]) -> None:
        """Hold a step's words against what was written and believed in it."""
        trader = self._world.trader
        assert trader is not None
        memory = trader.core.memory
        if self._world.lives != self._lives:
            self._lives, self._line, self._believed = self._world.lives, "down", False
            self._fills.clear()
            self._slots.clear()
        tells = {each.key: each.level for each in out if type(each) is Tell}
        self._check_line(memory, tells)
        self._check_switch(memory, tells, now)
        if out and type(out[0]) is Commit:
            self._check_commit(now, out[0], tells, sum(type(each) is Booked for each in out))
        if any(type(item) is control.Resume for item in inbox):
            self._fills.clear()
            self._letters.rejects = 0
        elif not memory.halt:
            self._check_limits(now)
        self._check_loss(memory)

    def _check_line(self, memory: Memory, tells: dict[str, str]) -> None:
        if self._line == "up" and memory.line != "up" and "line" not in tells:
            self._fail("told", "the private line is down, and nobody is told")
        self._line = memory.line

    def _check_switch(self, memory: Memory, tells: dict[str, str], now: Ns) -> None:
        letters = self._letters
        # An answer that came with the end of its line was not believed; a kill lets it run out.
        self._believed = self._believed or memory.switch.until > 0
        if "switch" in tells or not letters.covered_until:
            letters.covered_until, self._believed = Ns(0), False
        if self._believed and letters.covered_until <= now and not memory.kill.stage:
            self._fail("told", "the switch has run out, and nobody is told")
        settled = memory.line == "up" and memory.phase is Phase.TRADING and not memory.kill.stage
        if not settled or not letters.arm_sent_at:
            return
        tick = int(2 * self._world.config.time.tick_sec * SECOND)
        usual = self._world.config.ws.heartbeat_interval_sec * SECOND
        wait = tick + (usual if letters.arm_answered else ARM_AGAIN)
        if now - letters.arm_sent_at > wait:
            silent_for = (now - letters.arm_sent_at) / SECOND
            self._fail("F84", f"for {silent_for:.0f} s nobody asked for the switch to be armed")

    def _check_commit(self, now: Ns, commit: Commit, tells: dict[str, str], booked: int) -> None:
        fills = [entry for entry in commit.entries if isinstance(entry, FillEntry)]
        self._slots |= {
            entry.cl_ord_id: entry.slot for entry in commit.entries if type(entry) is IntentEntry
        }
        for fill in fills:
            slot = self._slots.get(fill.fill.cl_ord_id, fill.slot)
            if slot != fill.slot:
                self._fail("I4", f"a fill of slot {slot} is booked as one of {fill.slot!r}")
        if fills:
            self._check_unmatched(commit, fills)
        if len(fills) != booked:
            self._fail("told", f"{len(fills)} fills are booked, and {booked} are told")
        self._fills.extend(now for fill in fills if fill.slot)
        for entry in commit.entries:
            if not isinstance(entry, Remember) or not entry.value or entry.key not in MATTERS:
                continue
            if tells.get(entry.key) != MATTERS[entry.key]:
                self._fail("told", f"{entry.key} is written, and nobody is told: {entry.value}")

    def _check_unmatched(self, commit: Commit, fills: Sequence[FillEntry]) -> None:
        """I20: what the grid has bought and not sold yet follows from its fills."""
        key = f"unmatched:{self._world.config.pair}"
        held = _sum(self._world.ledger.facts.get(key, "[]"))
        for entry in fills:
            if entry.slot not in ("", EXIT_SLOT):
                held = max(0, held + entry.fill.side.sign * entry.fill.qty)
        kept = [e.value for e in commit.entries if type(e) is Remember and e.key == key]
        if kept and _sum(kept[-1]) != held:
            self._fail("I20", f"{_sum(kept[-1])} Sats wait for their sell, and {held} should")

    def _check_limits(self, now: Ns) -> None:
        """I10: what the house must stop at by itself."""
        limits = self._world.config.limits
        while self._fills and self._fills[0] <= now - HOUR:
            self._fills.popleft()
        if len(self._fills) > limits.fills_per_hour:
            self._fail("I10", f"{len(self._fills)} fills within an hour, and it goes on")
        if self._fills and self._fills[-1] == now:
            lately = sum(at > now - MINUTE for at in self._fills)
            if lately > limits.fills_per_minute:
                self._fail("I10", f"{lately} fills within a minute, and it goes on")
        # Exact: what is heard in a step is acted on in it, and only what the house must count is.
        if self._letters.rejects >= limits.rejects_in_a_row:
            self._fail("I10", f"{self._letters.rejects} refusals in a row, and it goes on")

    def _check_loss(self, memory: Memory) -> None:
        """I10: a day that has lost more than it may is over with the next step."""
        day, limit = memory.day, self._limit_of_loss
        lost = bool(day.day) and memory.risk.equity > 0 and day.equity - memory.risk.equity > limit
        if lost and not memory.halt and self._overspent is day:
            self._fail("I10", f"{day.equity - memory.risk.equity:.2f} lost today, and it goes on")
        self._overspent = day if lost else None


def _sum(unmatched: str) -> int:
    """Of the text of a fact: Sats at all prices."""
    return sum(qty for _, qty in msgspec.json.decode(unmatched, type=tuple[tuple[int, int], ...]))
