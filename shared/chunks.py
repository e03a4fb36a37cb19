"""An append-only file of records that stays readable whatever ends its writer.

Layout: 8 bytes that name the kind and version of the file; then chunks, each a length and a CRC32
of what follows (2 x 4 bytes, big endian) and a zstd frame of msgpack. The first chunk holds the
header, every other a list of records (at, key, payload).

Rule 1: a chunk is whole or ignored. A kill in the middle of a write costs that chunk, not the file.
Rule 2: what is read may be anything: sizes are checked before memory is taken.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import zstandard

from shared.units import SECOND
from shared.unread import unread

Record = tuple[int, bytes, bytes]
"""(at, key, payload): a time in ns and two texts of bytes whose meaning is the file's."""

MAGIC_BYTES: Final = 8
CHUNK_RAW_BYTES: Final = 256 * 1024
"""A chunk is written when it has this size, however young it is."""

CHUNK_AGE: Final = SECOND
"""A chunk is written when its first record is this old: what a kill may cost."""

CHUNK_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a chunk, packed or unpacked; a file that asks for more is no file of ours."""

ZSTD_LEVEL: Final = 3

_records = msgspec.msgpack.Decoder(list[Record])


class BadFileError(Exception):
    """This file cannot be read as what it should be; the text says why."""


class ChunkWriter:
    """Writes one new file (mode 0600). OSError where the disk refuses; then the file is closed."""

    def __init__(self, path: Path, magic: bytes, header: bytes, *, replace: bool = False) -> None:
        """magic: 8 bytes. FileExistsError where the path is taken, unless `replace`."""
        assert len(magic) == MAGIC_BYTES
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if replace else os.O_EXCL)
        self._descriptor = os.open(path, flags, 0o600)
        self._packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self.written = 0  # bytes in the file
        self.records = 0  # of these, and of what still waits
        self._store(magic + self._pack(header))

    def append(self, at: int, key: bytes, payload: bytes) -> None:
        """Keep a record; every second or 256 KB, by the records' own time, they are written."""
        self._waiting.append((at, key, payload))
        self._waiting_bytes += len(key) + len(payload) + 16
        self.records += 1
        old = at - self._waiting[0][0] >= CHUNK_AGE
        if old or self._waiting_bytes >= CHUNK_RAW_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand what waits to the kernel: after this a kill of the process loses nothing of it."""
        if self._waiting:
            body = msgspec.msgpack.encode(self._waiting)
            self._waiting, self._waiting_bytes = [], 0
            self._store(self._pack(body))

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._end()

    def _pack(self, body: bytes) -> bytes:
        assert len(body) <= CHUNK_LIMIT, len(body)
        packed = self._packer.compress(body)
        return len(packed).to_bytes(4) + zlib.crc32(packed).to_bytes(4) + packed

    def _store(self, data: bytes) -> None:
        self.written += len(data)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            # What follows half a chunk could never be found again.
            self._end()
            raise

    def _end(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ChunkReader:
    """Reads a file that may still be growing, or that was cut short by a kill."""

    def __init__(self, path: Path, magic: bytes, kind: str, source: str = "") -> None:
        """In words, for the error: what the file should be ("a recording"), where it comes from."""
        self.path = path
        self._kind = kind
        self._source = source and f" ({source})"
        self._magic = magic
        self.torn = ""  # after an iteration: why it ended before the end of the file
        with self._open() as file:
            header = self._unpack(file)
            self._first = file.tell()
        if header is None:
            raise BadFileError(f"{path}: {kind} without a header: {self.torn or 'it is empty'}")
        self.header: bytes = header

    def __iter__(self) -> Iterator[Record]:
        """All records of whole chunks, in the order of writing."""
        self.torn = ""
        with self._open() as file:
            file.seek(self._first)
            while (body := self._unpack(file)) is not None:
                try:
                    records = _records.decode(body)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    self.torn = f"the chunk before byte {file.tell()} holds no records"
                    return
                yield from records

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
            found = file.read(MAGIC_BYTES)
        except OSError as error:
            raise BadFileError(unread(self.path, error)) from None
        if found == self._magic:
            return file
        file.close()
        if found[:-1] == self._magic[:-1]:
            raise BadFileError(f"{self.path}: {self._kind} of another version of iCryptoTrader")
        raise BadFileError(f"{self.path}: not {self._kind} of iCryptoTrader{self._source}")

    def _unpack(self, file: BinaryIO) -> bytes | None:
        """The next chunk, or None at the end of what can be read."""
        place = file.tell()
        head = file.read(8)
        if not head:
            return None
        size = int.from_bytes(head[:4])
        if len(head) < 8 or size > CHUNK_LIMIT:
            self.torn = f"damaged from byte {place} on"
            return None
        packed = file.read(size)
        if len(packed) < size:
            self.torn = f"cut off at byte {place}"
            return None
        if zlib.crc32(packed) != int.from_bytes(head[4:]):
            self.torn = f"damaged from byte {place} on"
            return None
        try:
            return _inflate(packed)
        except zstandard.ZstdError:
            self.torn = f"damaged from byte {place} on"
            return None


def _inflate(packed: bytes) -> bytes:
    declared = zstandard.frame_content_size(packed)
    if not 0 <= declared <= CHUNK_LIMIT:
        raise zstandard.ZstdError("a chunk without a sensible size")
    return zstandard.ZstdDecompressor().decompress(packed)
