"""The frames in a recording of Kraken's WebSocket v2, however its recorder laid them out.

One frame a line, bare or inside an envelope of the recorder's own (`{"ts": ..., "msg": {...}}`, a
list, a quoted text, a time before it); or one document, `{init, updates}` or a list; each also
gzipped. Numbers keep the digits that stand in the file.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import msgspec

ENVELOPE_DEPTH: Final = 4
"""A frame may be in a field of a field; further down nobody looks."""

GZIP_MAGIC: Final = b"\x1f\x8b"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

FRAME_STARTS: Final = (b'{"channel"', b'{"method"', b'{"error"')

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_string = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder(msgspec.Raw)

_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class CaptureError(Exception):
    """This file cannot be checked; the text says why and what to do."""


class NoFrame(msgspec.Struct, frozen=True):
    """A line that is none of Kraken's frames."""


Found = tuple[str, bytes | NoFrame]
"""Where ("line 12", or "frame 12" of a document), and the frame's JSON text."""


def read_capture(path: Path) -> Iterator[Found]:
    """Every frame in its order; CaptureError where the file cannot be read."""
    try:
        with _open(path) as file:
            document = _document(file)
            if document is not None:
                for number, frame in enumerate(_unwrap(document, ENVELOPE_DEPTH), 1):
                    yield f"frame {number}", frame
                return
            file.seek(0)
            for number, line in enumerate(file, 1):
                yield from _line(f"line {number}", line)
    except (OSError, EOFError, zlib.error) as error:
        raise CaptureError(getattr(error, "strerror", None) or str(error)) from None


def _line(where: str, line: bytes) -> Iterator[Found]:
    text = line.strip().removeprefix(BYTE_ORDER_MARK)
    if not text:
        return
    if text.startswith(FRAME_STARTS):
        yield where, text
        return
    some = False
    for frame in _unwrap(text, ENVELOPE_DEPTH):
        some = True
        yield where, frame
    if not some:
        # A time or an arrow may stand before the frame.
        start = text.find(b"{")
        frames = list(_unwrap(text[start:], ENVELOPE_DEPTH)) if start > 0 else []
        for frame in frames:
            yield where, frame
        if not frames:
            yield where, NoFrame()


def _open(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _document(file: BufferedIOBase) -> bytes | None:
    """The whole file, where its first line is the beginning of one long JSON document."""
    first = file.readline().strip().removeprefix(BYTE_ORDER_MARK)
    if not first.startswith((b"{", b"[")) or _is_json(first):
        return None
    file.seek(0)
    text = file.read().strip().removeprefix(BYTE_ORDER_MARK)
    return text if _is_json(text) else None


def _is_json(text: bytes) -> bool:
    try:
        _any.decode(text)
    except _FAULTS:
        return False
    return True


def _unwrap(text: bytes, depth: int) -> Iterator[bytes]:
    """The frames in a JSON text: itself, or what its fields, elements or characters hold."""
    start = text[:1]
    try:
        if start == b"{":
            fields = _object.decode(text)
            if "channel" in fields or "method" in fields:
                yield text
                return
            parts = list(fields.values())
            if "init" in fields and "updates" in fields:
                parts = [fields["init"], fields["updates"]]
        elif start == b"[":
            parts = _array.decode(text)
        elif start == b'"':
            parts = [msgspec.Raw(_string.decode(text).strip().encode())]
        else:
            return
    except _FAULTS:
        return
    if depth > 0:
        for part in parts:
            yield from _unwrap(bytes(part), depth - 1)
