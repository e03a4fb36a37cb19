"""The rows of a file as cells of text, whatever it is: a text, packed or not, Parquet, a recording.

Rule 1: a few rows are held at a time, however long the file is.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

from shared import frames
from shared.chunks import BadFileError
from shared.recording import MAGIC, read_recording
from shared.units import Pair, price_text, qty_text
from sim.backtest.columns import NAIVE

_LONGEST_LINE: Final = 4_096
_AT_ONCE: Final = 4_096  # rows of a Parquet file


class DataError(Exception):
    """The files cannot be used: which, and why, in a sentence for people."""


def cells_of(
    path: Path, raw: IO[bytes] | None, pair: Pair, notes: list[str]
) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each line that is not empty; DataError for a file that cannot be read.

    raw: the file where it is open already; its position tells how far it was read. pair: whose
    trades are wanted of a recording. notes: what a person should know of it.
    """
    try:
        with path.open("rb") if raw is None else raw as opened:
            magic = opened.read(4)
            opened.seek(0)
            if magic == b"PAR1":
                yield from enumerate(_parquet(path, opened, notes), start=1)
                return
            if opened.read(len(MAGIC)) == MAGIC:
                yield from enumerate(_recording(path, opened, pair), start=1)
                return
            opened.seek(0)
            separator = ""
            for line, text in enumerate(_texts(opened, magic), start=1):
                if len(text) > _LONGEST_LINE:
                    raise DataError(f"{path}, line {line}: longer than {_LONGEST_LINE} characters")
                text = text.strip()
                if not text:
                    continue
                separator = separator or next((s for s in ",;\t" if s in text), ",")
                if '"' in text:
                    text = text.replace('"', "")
                yield line, text.split(separator)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except BadFileError as error:
        raise DataError(str(error)) from None
    except (EOFError, zipfile.BadZipFile, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: not a readable .csv, .gz or .zip: {error}") from None


def _texts(raw: IO[bytes], magic: bytes) -> Iterator[str]:
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(raw, "rt", encoding="utf-8-sig") as lines:
            yield from iter(lambda: lines.readline(_LONGEST_LINE + 2), "")
    elif magic == b"PK\x03\x04":
        with zipfile.ZipFile(raw) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise ValueError(f"holds {len(names)} files, expected one")
            with archive.open(names[0]) as member:
                text = io.TextIOWrapper(member, encoding="utf-8-sig")
                yield from iter(lambda: text.readline(_LONGEST_LINE + 2), "")
    else:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig")
        try:
            yield from iter(lambda: text.readline(_LONGEST_LINE + 2), "")
        finally:
            text.detach()  # the file is its opener's to close


def _parquet(path: Path, raw: IO[bytes], notes: list[str]) -> Iterator[list[str]]:
    """Its names, then its rows; moments become ns since 1970."""
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise DataError(
            f"{path}: Parquet needs pyarrow: the extra `parquet` of pyproject.toml, or a CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as table:
            kinds = {field.name: field.type for field in table.schema_arrow}
            moments = [name for name, kind in kinds.items() if arrow.types.is_timestamp(kind)]
            if any(kinds[name].tz is None for name in moments) and NAIVE not in notes:
                notes.append(NAIVE)
            # What pandas kept as the index of a table has no name of its own.
            yield ["time" if name.startswith("__index") else name for name in kinds]
            size, done = path.stat().st_size, 0
            for batch in table.iter_batches(batch_size=_AT_ONCE):
                columns = [
                    batch.column(name).cast(arrow.timestamp("ns")).cast(arrow.int64())
                    if name in moments
                    else batch.column(name)
                    for name in kinds
                ]
                for row in zip(*(column.to_pylist() for column in columns), strict=True):
                    yield ["" if cell is None else str(cell) for cell in row]
                done += batch.num_rows
                raw.seek(size * done // max(1, table.metadata.num_rows))
    except arrow.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None


def _recording(path: Path, raw: IO[bytes], pair: Pair) -> Iterator[list[str]]:
    """The trades of one pair, each once by its number, at the exchange's own time."""
    recorded = read_recording(path)
    names, newest, seen = recorded.head.pairs, -1, False
    if pair.symbol not in names:
        raise DataError(f"{path}: a recording of {', '.join(names)}: name one of them with --pair")
    yield ["time", "price", "amount", "side"]
    for _, _, payload in recorded:
        frame = frames.decode(payload)
        if not isinstance(frame, frames.Trades) or frame.pair != pair.symbol:
            continue
        for trade in frame.trades:
            if trade.trade_id > newest:
                newest, seen = trade.trade_id, True
                price, qty = price_text(pair, trade.price), qty_text(pair, trade.qty)
                yield [str(int(trade.wall)), price, qty, trade.taker]
    if not seen:
        raise DataError(f"{path}: the recording holds no trade of {pair.symbol}")
    raw.seek(0, io.SEEK_END)
