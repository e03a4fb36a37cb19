"""A recording: the feed's frames as they came over the bus, with the time of their arrival."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.chunks import BadFileError, ChunkReader, ChunkWriter
from shared.units import Ns

MAGIC: Final = b"ICTRECD1"


class RecordingHead(Struct, frozen=True):
    """What a replay must know before the first frame."""

    product: str  # the version that wrote it
    wire: str  # version of the frames (shared/frames.py)
    pairs: tuple[str, ...]
    begin: Ns  # house time when the recording began; frames are dated on the same clock
    begin_wall: Ns  # the house's wall clock at that moment
    speed: int  # how fast that house lived


class RecordingWriter:
    """Writes a new file (mode 0600), up to a size. OSError where the disk refuses."""

    def __init__(
        self, path: Path, head: RecordingHead, most_bytes: int, *, replace: bool = False
    ) -> None:
        """FileExistsError where the path is taken, unless `replace`."""
        self._file = ChunkWriter(path, MAGIC, msgspec.msgpack.encode(head), replace=replace)
        self._most_bytes = most_bytes

    def append(self, received: Ns, topic: bytes, payload: bytes) -> bool:
        """Keep a frame; False where the file is full, and the frame is not in it."""
        if self._file.written >= self._most_bytes:
            return False
        self._file.append(received, topic, payload)
        return True

    @property
    def frames(self) -> int:
        return self._file.records

    @property
    def written(self) -> int:
        """Bytes in the file."""
        return self._file.written

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Recording:
    """`head`, then the frames (received, topic, payload) in the order of their arrival.

    torn: after an iteration, why it ended before the end of the file; "" where it did not.
    """

    def __init__(self, path: Path) -> None:
        source = "`icryptotrader record -o FILE` writes one"
        self._reader = ChunkReader(path, MAGIC, "a recording", source)
        try:
            self.head = msgspec.msgpack.decode(self._reader.header, type=RecordingHead)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadFileError(f"{path}: a recording with an odd header: {error}") from None

    @property
    def torn(self) -> str:
        return self._reader.torn

    def __iter__(self) -> Iterator[tuple[Ns, bytes, bytes]]:
        return ((Ns(at), topic, payload) for at, topic, payload in self._reader)


def read_recording(path: Path) -> Recording:
    """Open for reading; BadFileError where this is no recording of ours."""
    return Recording(path)
