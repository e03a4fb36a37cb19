"""WebSocket lines by their number: opened, read, written and dropped as a session says.

The session decides when to connect and whether a line is alive; this file only carries bytes. No
keepalive of the library's own: it closes healthy lines when the loop is busy (KRAKEN.md 1.3).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""The instrument snapshot of all pairs has a third of a megabyte, and grows."""

UNSENT_LIMIT: Final = 200
"""Requests that wait for a socket that takes nothing: beyond it the line is no good."""


class Lines:
    """Connections to one address."""

    def __init__(
        self,
        url: str,
        connect_limit_s: float,
        opened: Callable[[int], None],
        text: Callable[[int, bytes], None],
        closed: Callable[[int, str], None],
    ) -> None:
        """opened(line), text(line, raw), closed(line, why) are called in the event loop.

        closed is owed for each line that was not closed by `close`.
        """
        self.url = url
        self._connect_limit_s = connect_limit_s
        self._opened = opened
        self._text = text
        self._closed = closed
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unsent: dict[int, asyncio.Queue[bytes]] = {}

    def open(self, line: int) -> None:
        task = self._tasks[line] = asyncio.ensure_future(self._live(line))
        task.add_done_callback(_raise_what_it_raised)

    def send(self, line: int, raw: bytes) -> None:
        """In order, as soon as the socket takes it; nothing where the line is gone."""
        unsent = self._unsent.get(line)
        if unsent is None:
            return
        try:
            unsent.put_nowait(raw)
        except asyncio.QueueFull:
            self.close(line)
            self._closed(line, "it takes no requests")

    def close(self, line: int) -> None:
        """Drop the line at once; nothing more is heard of it."""
        task = self._tasks.pop(line, None)
        if task is not None:
            task.cancel()

    async def close_all(self) -> None:
        tasks = list(self._tasks.values())
        for line in list(self._tasks):
            self.close(line)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, line: int) -> None:
        """From the attempt to connect to the end of the line, which is said in words."""
        try:
            why = await self._talk(line)
        except (OSError, TimeoutError, WebSocketException) as error:
            why = f"{type(error).__name__}: {error}"[:200]
        self._tasks.pop(line, None)
        self._closed(line, why)

    async def _talk(self, line: int) -> str:
        socket = await connect(
            self.url,
            max_size=MESSAGE_BYTES,
            compression=None,
            open_timeout=self._connect_limit_s,
            ping_interval=None,
            close_timeout=1,
            # The simulated exchange is on this machine: no proxy stands between.
            proxy=None if self.url.startswith("ws://127.0.0.1:") else True,
        )
        unsent = self._unsent[line] = asyncio.Queue[bytes](UNSENT_LIMIT)
        sending = asyncio.ensure_future(_send_all(socket, unsent))
        self._opened(line)
        try:
            while True:
                self._text(line, await socket.recv(decode=False))
        except ConnectionClosed as error:
            return f"closed by the exchange: {error}"[:200]
        finally:
            del self._unsent[line]
            sending.cancel()
            # An orderly close would wait for an answer of a line that may be dead.
            socket.transport.abort()


def _raise_what_it_raised(task: asyncio.Task[None]) -> None:
    """A fault of our own goes to the loop's handler, which ends the process (shared/drive.py)."""
    if not task.cancelled():
        task.result()


async def _send_all(socket: ClientConnection, unsent: asyncio.Queue[bytes]) -> None:
    # The reader meets the same end of the line and reports it.
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send(await unsent.get(), text=True)
