"""What the session is told and what it says: the words between it, its shell and the core.

Rule 1: nothing that holds the key or the token shows it in its repr.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from shared.config import Config
from shared.kraken.rest import Request
from shared.orders import Clock, Command, Event
from shared.units import SECOND, Ns

# In. Each line is numbered by the session; what a former line still says is told apart by it.


class LineOpened(Struct, frozen=True):
    line: int


class LineClosed(Struct, frozen=True):
    """Closed by the other side, lost, or never opened. Not owed for a line that we closed."""

    line: int
    why: str


class Text(Struct, frozen=True):
    """One frame as received."""

    line: int
    data: bytes


class RestDone(Struct, frozen=True):
    """Whatever HTTP brought: any status, any body. at: boot time of its arrival."""

    job: int
    status: int
    body: bytes
    at: Ns

    def __repr__(self) -> str:
        return f"RestDone({self.job}, {self.status}, {len(self.body)} bytes)"


class RestFailed(Struct, frozen=True):
    """No answer: refused, cut, timed out. The request may have been carried out all the same."""

    job: int
    why: str


class Chance(Struct, frozen=True):
    """A number in [0, 1), drawn by the shell, that spreads the next waits."""

    value: float


SessionIn = LineOpened | LineClosed | Text | RestDone | RestFailed | Chance | Clock | Command

# Out.


class OpenLine(Struct, frozen=True):
    """Connect to the private WebSocket; LineOpened or LineClosed of this number is owed."""

    line: int


class CloseLine(Struct, frozen=True):
    """Abort it at once (no closing handshake with a peer that may be gone)."""

    line: int
    why: str


class SendText(Struct, frozen=True):
    """One frame to send; it holds the session's token.

    binds: it may bind money, so it leaves only once its intent is on the disk.
    """

    line: int
    data: bytes
    binds: bool = False

    def __repr__(self) -> str:
        return f"SendText({self.line}, {len(self.data)} bytes)"

    def outline(self) -> dict[str, str | int]:
        """What it asks for, for the log: named fields alone, so that no token gets there."""
        try:
            told = msgspec.json.decode(self.data, type=_Asked)
        except msgspec.MsgspecError:
            return {"bytes": len(self.data)}
        shown = {name: getattr(told.params, name) for name in told.params.__struct_fields__}
        given = {name: str(what) for name, what in shown.items() if what is not None}
        return {"method": told.method, **given}


class _Params(Struct, frozen=True):
    """Of a request, what may be shown (Kraken v2: add_order, amend_order, cancel_order, ...)."""

    channel: str | None = None
    symbol: str | None = None
    side: str | None = None
    cl_ord_id: str | list[str] | None = None
    order_id: str | list[str] | None = None
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    timeout: Decimal | None = None


class _Asked(Struct, frozen=True):
    method: str = ""
    params: _Params = _Params()


class RestCall(Struct, frozen=True):
    """One HTTP request; RestDone or RestFailed of this job is owed within `timeout` (ns).

    binds: as of SendText.
    """

    job: int
    request: Request
    timeout: Ns
    binds: bool = False


Level = Literal["debug", "info", "warning", "error", "critical"]


class Note(Struct, frozen=True):
    """A line for the log."""

    level: Level
    event: str
    fields: dict[str, str | int | float]


class Fatal(Struct, frozen=True):
    """The session refuses to work with this account or key: the process ends with EXIT_CONFIG."""

    why: str


SessionOut = OpenLine | CloseLine | SendText | RestCall | Note | Fatal | Event


class Settings(Struct, frozen=True):
    """Durations in ns. silence: no byte at all; snapshot: a subscription that brings none.

    full: new orders may go by REST while the line is away (orders.rest_fallback).
    """

    pairs: tuple[str, ...]
    silence: Ns
    snapshot: Ns
    rest_timeout: Ns = Ns(10 * SECOND)
    full: bool = False


def settings_of(config: Config) -> Settings:
    return Settings(
        pairs=config.symbols,
        silence=Ns(int(config.feed.line_silence_sec * SECOND)),
        snapshot=Ns(int(config.feed.snapshot_sec * SECOND)),
        # HTTP is not faster in a house whose time runs faster.
        rest_timeout=Ns(10 * SECOND * config.make_clock().speed),
        full=config.orders.rest_fallback == "full",
    )
