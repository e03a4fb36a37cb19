"""The journal's words: what the core was told and what it did, as bytes and back.

A record is one step's inbox, or the fingerprint of one step's outbox. With the memory at its
beginning, a file is enough to run the core again and to see whether it does the same.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared import control, frames
from shared.journal import JournalWriter
from shared.orders import Command, Event
from shared.units import Ns
from strategy.core.out import Flagged, In, Out, StopAsked, Unwritten
from strategy.ledger.entries import Entry, Imported


class Kind(enum.IntEnum):
    FRAME = 0
    EVENT = 1
    REQUEST = 2
    STOP = 3


class Told(Struct, frozen=True, array_like=True, tag=True):
    """The inbox of a step: (kind, bytes) of each item."""

    items: list[tuple[int, bytes]]


class Did(Struct, frozen=True, array_like=True, tag=True):
    """The fingerprint of a step's commands and entries; 0 where there were none."""

    digest: int


_encoder: Final = msgspec.msgpack.Encoder()
_events: Final = msgspec.msgpack.Decoder(Event)
_records: Final = msgspec.msgpack.Decoder(Told | Did)
_stops: Final = msgspec.msgpack.Decoder(StopAsked | Flagged | Unwritten)


def pack(inbox: Sequence[In]) -> bytes:
    """One record of what a step was told."""
    return _encoder.encode(Told([_pack_item(item) for item in inbox]))


def _pack_item(item: In) -> tuple[int, bytes]:
    if isinstance(item, frames.Frame):
        return Kind.FRAME, frames.encode(item)
    if isinstance(item, control.Request):
        return Kind.REQUEST, control.encode_request(item)
    if isinstance(item, StopAsked | Flagged | Unwritten):
        return Kind.STOP, _encoder.encode(item)
    return Kind.EVENT, _encoder.encode(item)


def unpack(payload: bytes) -> list[In] | int:
    """A record: the inbox of a step, or the fingerprint of what it did.

    Raises msgspec.MsgspecError or ValueError for bytes that are no record of ours.
    """
    record = _records.decode(payload)
    if isinstance(record, Did):
        return record.digest
    return [_unpack_item(kind, data) for kind, data in record.items]


def _unpack_item(kind: int, data: bytes) -> Any:
    item: object
    match Kind(kind):
        case Kind.FRAME:
            item = frames.decode(data)
        case Kind.EVENT:
            item = _events.decode(data)
        case Kind.REQUEST:
            item = control.decode_request(data)
        case Kind.STOP:
            item = _stops.decode(data)
    if item is None:
        raise ValueError("an item that this version does not know")
    return item


def fingerprint(outbox: Sequence[Out]) -> int:
    """CRC32 of a step's commands and entries, in order; 0 where there are none."""
    digest = 0
    for item in outbox:
        if isinstance(item, Command | Entry | Imported):
            digest = zlib.crc32(_encoder.encode(item), digest)
    return digest


class JournalRecorder:
    """Keeps the journal of a running core."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer

    def told(self, now: Ns, inbox: Sequence[In]) -> None:
        self._writer.append(now, pack(inbox))

    def did(self, now: Ns, outbox: Sequence[Out]) -> None:
        self._writer.append(now, _encoder.encode(Did(fingerprint(outbox))))
