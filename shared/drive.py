"""The loop that drives any Machine, and the mailbox it takes from.

Rule 1: a mailbox is bounded; one that overflows ends its process, with the reason.
Rule 2: each turn lets the event loop poll its sockets once, however late the machine is.
Rule 3: an error that nobody waits for ends the process too: crash-only, never on with half of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from shared.clock import Clock
from shared.machine import Machine
from shared.units import Ns

In = TypeVar("In")
Out = TypeVar("Out")

MAILBOX_LIMIT: Final = 20_000
"""Items; at 20 frames a second a quarter of an hour, so only a stuck machine gets there."""

LONGEST_WAIT_S: Final = 1.0
"""Timers of the event loop stand still while the machine is suspended: look up each second."""

LEAST_WAIT_S: Final = 0.001
"""A machine that always wants to be woken now may have a thousand steps a second, not all."""


class MailboxFullError(Exception):
    """Mail came faster than the machine took it, beyond the limit."""


class Mailbox(Generic[In]):
    """What waits for a Machine's next step, in the order of arrival.

    Filled by callbacks of the one event loop, emptied by `drive`. `put` and `put_latest` never
    raise: an overflow is kept and raised by the next `take`, where it ends the process.
    """

    def __init__(self, limit: int = MAILBOX_LIMIT) -> None:
        self._limit = limit
        self._items: dict[str | int, In] = {}
        self._count = 0
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: In) -> None:
        """Append; each of these is heard."""
        self._count += 1
        self._insert(self._count, item)

    def put_latest(self, key: str, item: In) -> None:
        """Append, and forget an older item of this key that still waits (the newest book)."""
        self._items.pop(key, None)
        self._insert(key, item)

    def fail(self, error: Exception) -> None:
        """Let the next `take` raise this error; the first one counts."""
        self._failure = self._failure or error
        self._wake()

    async def take(self, at_most_s: float) -> list[In]:
        """All that waits, after waiting for the first of it up to `at_most_s` seconds."""
        if self._items or self._failure is not None or at_most_s <= 0:
            await asyncio.sleep(0)
        else:
            await self._wait(at_most_s)
        if self._failure is not None:
            raise self._failure
        items = list(self._items.values())
        self._items.clear()
        return items

    def _insert(self, key: str | int, item: In) -> None:
        if len(self._items) >= self._limit:
            self.fail(MailboxFullError(f"more than {self._limit} items wait for the next step"))
            return
        self._items[key] = item
        self._wake()

    async def _wait(self, at_most_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(at_most_s, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def drive(
    machine: Machine[In, Out],
    mailbox: Mailbox[In],
    clock: Clock,
    post: Callable[[Ns, Out], None],
    done: Callable[[], bool] = lambda: False,
) -> None:
    """Step the machine for ever, or until `done()` is true after a step was posted.

    post(now, out): called for each output in order; what it raises ends the drive.
    """
    while not done():
        wait_s = clock.real_seconds(machine.wake_at() - clock.now())
        inbox = await mailbox.take(min(max(wait_s, LEAST_WAIT_S), LONGEST_WAIT_S))
        now = clock.now()
        for out in machine.step(now, inbox):
            post(now, out)


def end_on_error(loop: asyncio.AbstractEventLoop, mailbox: Mailbox[Any]) -> None:
    """What a callback or a forgotten task raises is raised by `drive` instead of being logged."""

    def handler(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            mailbox.fail(error)

    loop.set_exception_handler(handler)
