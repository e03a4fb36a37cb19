"""The door of the monitor's sites: who is slow is shown out, so that nobody has to wait for him.

Rule 1: a request, head and body, must be there within REQUEST_S of its line's opening or of the
last answer; an answer must be taken within TAKE_S. However slowly bytes drip, no time is added.
Rule 2: lines that have not yet asked are WAITING_MOST at most: a new one displaces the one that has
waited longest. A visitor who asks at once is never among these.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S: Final = 10.0
TAKE_S: Final = 20.0
WAITING_MOST: Final = 256
"""Of all sites of the process; well above how many lines are accepted in one turn of the loop."""


class Door(H11Protocol):
    """One line of a visitor."""

    _waiting: ClassVar[dict[Door, asyncio.TimerHandle]] = {}
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._wait()
        else:
            self._leave_queue()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._wait()
        elif self.conn.their_state is h11.SEND_BODY:
            self.transport.close()  # Refused before all was sent: the rest is not waited for.

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave_queue()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(TAKE_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _wait(self) -> None:
        """From now on, unless it waits already."""
        if self in self._waiting or self.transport.is_closing():
            return
        if len(self._waiting) >= WAITING_MOST:
            next(iter(self._waiting))._show_out()
        self._waiting[self] = self.loop.call_later(REQUEST_S, self._show_out)

    def _leave_queue(self) -> None:
        timer = self._waiting.pop(self, None)
        if timer is not None:
            timer.cancel()

    def _show_out(self) -> None:
        self._leave_queue()
        self.transport.abort()
