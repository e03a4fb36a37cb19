"""What a step of the core hands out, besides commands to the exchange and ledger entries."""

from __future__ import annotations

from msgspec import Struct

from shared.control import AnyRequest, Reply
from shared.frames import Beat, Book, Candle, FillView, Instrument, Status, Trades, Vwap
from shared.orders import Command, Event
from strategy.ledger.entries import Entry, Imported


class Answer(Struct, frozen=True):
    """The reply to an operator's request."""

    reply: Reply


class Report(Struct, frozen=True):
    """The whole view, for whoever watches; the shell stamps boot and number."""

    status: Status


class Tell(Struct, frozen=True):
    """Something a person should know. Same `key`, same matter."""

    level: str  # info | warning | error | critical
    key: str
    text: str


class Booked(Struct, frozen=True):
    """A fill of ours was booked in this step."""

    fill: FillView


class Stopped(Struct, frozen=True):
    """The last word: the process may end. clean: nothing of ours rests at the exchange."""

    clean: bool
    why: str


class StopAsked(Struct, frozen=True, tag=True):
    """In: the process was told to end (SIGTERM, Ctrl-C)."""

    why: str


class Unflag(Struct, frozen=True):
    """A person has resumed: the halt flag is to be lowered."""


class Unwritten(Struct, frozen=True, tag=True):
    """In: what was handed out to be booked is not on the disk yet; "" = now it is."""

    why: str


class Flagged(Struct, frozen=True, tag=True):
    """In: the halt flag is up."""

    why: str


Out = Entry | Imported | Command | Answer | Report | Tell | Booked | Stopped | Unflag

In = (
    Event
    | AnyRequest
    | StopAsked
    | Flagged
    | Unwritten
    | Instrument
    | Book
    | Trades
    | Vwap
    | Candle
    | Beat
)
