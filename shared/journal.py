"""The journal: an append-only record of what a Machine was told, from which it can be run again.

Each file begins with the config and a snapshot of memory, so that it can be replayed alone. A new
one is begun each hour; the oldest are deleted. A disk that refuses ends the file, not the process:
some time later a new file begins with a new snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.chunks import BadFileError, ChunkReader, ChunkWriter
from shared.clock import machine_wall
from shared.units import MINUTE, Ns

MAGIC: Final = b"ICTJRNL1"
SUFFIX: Final = ".journal"
HOUR: Final = Ns(60 * MINUTE)
RETRY_AFTER: Final = MINUTE
FILE_BYTES: Final = 200_000_000
FILES_KEPT: Final = 14 * 24
"""A fortnight of hours."""

BYTES_KEPT: Final = 5_000_000_000


class JournalHead(Struct, frozen=True):
    """What a replay begins with. config and memory are the writer's own bytes."""

    product: str  # the version that wrote it
    begin: Ns  # house time of the first record
    config: bytes
    memory: bytes


class JournalWriter:
    """Appends to the newest file of a folder, and begins the next one."""

    def __init__(
        self, folder: Path, product: str, config: bytes, snapshot: Callable[[], bytes]
    ) -> None:
        """snapshot(): the machine's memory now; asked at the begin of each file.

        It is called from `append`, so append what a machine is told before it is told.
        """
        self._folder = folder
        self._product = product
        self._config = config
        self._snapshot = snapshot
        self._file: ChunkWriter | None = None
        self._begin = Ns(0)
        self._retry_at = Ns(0)
        self.lost = 0  # records that are in no file
        self.fault = ""  # why nothing is written at the moment
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, now: Ns, payload: bytes) -> None:
        """Keep what the machine is told at `now`; never raises, never waits for the disk's sync."""
        try:
            file = self._writable(now)
            if file is not None:
                file.append(now, b"", payload)
                return
        except OSError as error:
            self._give_up(now, error)
        self.lost += 1

    def flush(self) -> None:
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._give_up(self._begin, error)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _writable(self, now: Ns) -> ChunkWriter | None:
        file = self._file
        if file is not None and now - self._begin < HOUR and file.written < FILE_BYTES:
            return file
        if file is None and now < self._retry_at:
            return None
        self.close()
        self._prune()
        head = JournalHead(self._product, now, self._config, self._snapshot())
        path = self._folder / f"{_name(machine_wall())}{SUFFIX}"
        self._file = ChunkWriter(path, MAGIC, msgspec.msgpack.encode(head))
        self._begin, self.fault = now, ""
        return self._file

    def _give_up(self, now: Ns, error: OSError) -> None:
        self._file = None
        self._retry_at = Ns(now + RETRY_AFTER)
        self.fault = f"journal: {error.strerror or error}"

    def _prune(self) -> None:
        files = journals(self._folder)
        sizes = [path.stat().st_size for path in files]
        while files and (len(files) >= FILES_KEPT or sum(sizes) > BYTES_KEPT):
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)


class Journal:
    """One file of a journal: `head`, then the pairs (now, payload) in the order of the steps.

    torn: after an iteration, why it ended before the end of the file; "" where it did not.
    """

    def __init__(self, path: Path) -> None:
        source = "they lie in data/journal of a home"
        self._reader = ChunkReader(path, MAGIC, "a journal", source)
        try:
            self.head = msgspec.msgpack.decode(self._reader.header, type=JournalHead)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadFileError(f"{path}: a journal with an odd header: {error}") from None

    @property
    def torn(self) -> str:
        return self._reader.torn

    def __iter__(self) -> Iterator[tuple[Ns, bytes]]:
        return ((Ns(at), payload) for at, _, payload in self._reader)


def read_journal(path: Path) -> Journal:
    """Open for reading; BadFileError where this is no journal of ours."""
    return Journal(path)


def journals(folder: Path) -> list[Path]:
    """The files of a journal, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def _name(wall_ns: int) -> str:
    # Fixed width, so that the order of the names is the order in time.
    return f"{wall_ns:020d}"
