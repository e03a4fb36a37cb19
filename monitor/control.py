"""The monitor's way to the strategy: requests over the control socket, answers for people.

Rule 1: one question at a time; a strategy that does not run is said at once.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any, Final

from monitor.around import TaxSeen, read_tax
from monitor.web import Outcome
from shared import bus
from shared.bus import BusError, NoAnswer, NotRunning
from shared.control import (
    CONTROL_VERSION,
    AnyRequest,
    AskTax,
    Reply,
    decode_reply,
    encode_request,
)

SOCKET: Final = Path("run/strategy.ctl")


def new_id() -> str:
    """A request id that no other asker uses."""
    return f"m{secrets.token_hex(12)}"


class Control:
    """Asks the strategy of the home that is the working folder."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path
        self._one = asyncio.Lock()

    async def ask(self, request: AnyRequest) -> Outcome:
        """What became of it, in words."""
        try:
            reply = await self._reply(request)
        except NotRunning:
            return Outcome(False, "The strategy is not running.")
        except (NoAnswer, BusError, OSError):
            return Outcome(False, "The strategy did not answer in time; look whether it was done.")
        return Outcome(reply.ok, reply.text)

    async def data(self, request: AnyRequest) -> dict[str, Any] | None:
        """The facts of a reply; None where there is none."""
        try:
            reply = await self._reply(request)
        except (BusError, OSError):
            return None
        return reply.data if reply.ok else None

    async def tax(self) -> TaxSeen | None:
        data = await self.data(AskTax(CONTROL_VERSION, new_id()))
        return read_tax(data) if data is not None else None

    async def _reply(self, request: AnyRequest) -> Reply:
        async with self._one:
            answer = await bus.ask(self._path, encode_request(request))
        reply = decode_reply(answer)
        if reply is None or reply.request_id != request.request_id:
            raise NoAnswer("the answer is none of ours")
        return reply
