"""The rows of a file as cells of text: a text, packed or not, Parquet, a recording, JSON of Kraken.

Rule 1: a few rows are held at a time, however long the file is.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, cast

from shared import frames
from shared.chunks import BadFileError
from shared.recording import MAGIC, read_recording
from shared.units import Pair, price_text, qty_text
from shared.unread import unread
from sim.backtest import answers
from sim.backtest.columns import NAIVE

_LONGEST_LINE: Final = 4_096
_AT_ONCE: Final = 4_096  # rows of a Parquet file
_SEEN: Final = 10  # lines by which the separator is found
_ORNAMENT: Final = str.maketrans("", "", "'’\u00a0\u202f\u2009$€")
_NUMERIC: Final = frozenset("0123456789.,+-eE ")
_PACKED: Final[tuple[tuple[bytes, Callable[..., Any]], ...]] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zX", lzma.open),
)  # fmt: skip
DECIMAL_COMMA: Final = "numbers bear commas: 1.234,5 and 1,234.5 are read as 1234.5, 1,5 as 1.5"

_TORN: Final = (
    *(EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, ValueError),
    *(RuntimeError, NotImplementedError, csv.Error),  # a zip's password, or its rare packing
)


Row = tuple[int, list[str]]
"""Line and cells."""


class DataError(Exception):
    """The files cannot be used: which, and why, in a sentence for people."""


def cells_of(
    path: Path, raw: IO[bytes] | None, pair: Pair, notes: list[str]
) -> Generator[Row, None, None]:
    """The rows of a file but its empty lines; DataError for one that cannot be read.

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
                yield from enumerate(_recording(path, opened, pair, notes), start=1)
                return
            opened.seek(0)
            with closing(_texts(opened, magic)) as texts:
                yield from _rows(path, texts, notes)
    except OSError as error:
        raise DataError(unread(path, error)) from None
    except BadFileError as error:
        raise DataError(str(error)) from None
    except _TORN as error:
        raise DataError(f"{path}: not a readable .csv, .gz, .bz2, .xz or .zip: {error}") from None


def _rows(path: Path, texts: Iterator[str], notes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that says something; a line without end is one cell that says so."""
    begun = False
    first = list(itertools.islice(texts, _SEEN))
    separator = _separator(first)
    for line, text in enumerate(itertools.chain(first, texts), start=1):
        text = text.strip()
        if not begun:
            _refuse_other_kinds(path, line, text)
        if len(text) > _LONGEST_LINE:
            yield line, [f"a line longer than {_LONGEST_LINE} characters"]
            continue
        if not text or text[0] == "#" or text[:4].lower() == "sep=":  # a word to Excel
            continue
        begun = True
        quoted = '"' in text
        cells = next(csv.reader([text], delimiter=separator)) if quoted else text.split(separator)
        if not text.isascii() or "'" in text or "$" in text:
            cells = [_bare(cell) for cell in cells]
        if "," in text and (separator != "," or quoted):
            cells = [_plain(cell, separator, notes) for cell in cells]
        yield line, cells


def _separator(first: list[str]) -> str:
    """What stands between the cells of the first lines' last two: a title bears what it likes.

    A comma where nothing else does: between semicolons, tabs or strokes it is one of a number's.
    """
    lines = [text for text in first if not text.isspace()][-2:]
    return next((s for s in ";\t|" if lines and all(s in text for text in lines)), ",")


def _refuse_other_kinds(path: Path, line: int, text: str) -> None:
    """DataError for what is no table, seen in its first line that is not empty."""
    if "\0" in text or text.count("\ufffd") * 10 > len(text):  # so many bytes are no letters
        raise DataError(
            f"{path}, line {line}: not a readable table, but binary data: a CSV (also packed), "
            "Parquet or a recording is meant"
        )
    if len(text) > _LONGEST_LINE:
        raise DataError(f"{path}, line {line}: longer than {_LONGEST_LINE} characters")


def _plain(cell: str, separator: str, notes: list[str]) -> str:
    """A number whose decimal point or whose thousands are a comma, as 1234.5."""
    comma, point = cell.rfind(","), cell.rfind(".")
    if comma < 0 or not _NUMERIC.issuperset(cell):
        return cell
    if DECIMAL_COMMA not in notes:
        notes.append(DECIMAL_COMMA)
    # Between commas, 12,345 is in English; between semicolons a comma is for decimals.
    thousands = cell.count(",") > 1 or (separator == "," and len(cell) - comma == 4)
    if point > comma or (point < 0 and thousands):
        return cell.replace(",", "")
    return cell.replace(".", "").replace(",", ".")


def _bare(cell: str) -> str:
    """A number without what groups its digits (spaces, apostrophes) and without its currency."""
    bare = cell.translate(_ORNAMENT)
    return bare if _NUMERIC.issuperset(bare) else cell


def _texts(raw: IO[bytes], magic: bytes) -> Generator[str, None, None]:
    if magic[:2] == b"PK":
        with zipfile.ZipFile(raw) as archive:
            names = [
                name for name in archive.namelist()
                if not name.endswith("/") and not name.startswith("__MACOSX/")
            ]  # fmt: skip
            if len(names) != 1:
                told = ", ".join(names)[:200]
                raise ValueError(f"holds {len(names)} files, expected one: unpack it ({told})")
            with archive.open(names[0]) as member:
                yield from _lines(io.TextIOWrapper(member, "utf-8-sig", "replace"))
        return
    opener = next((opener for begin, opener in _PACKED if magic.startswith(begin)), None)
    if opener is not None:
        with opener(raw, "rt", encoding="utf-8-sig", errors="replace") as lines:
            yield from _lines(cast(IO[str], lines))
        return
    encoding = "utf-16" if magic[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = io.TextIOWrapper(raw, encoding, "replace")
    try:
        yield from _lines(text)
    finally:
        text.detach()  # the file is its opener's to close


def _lines(stream: IO[str]) -> Iterator[str]:
    """Line by line; of one without end only the beginning is kept. JSON as lines of a table."""
    begun = False
    while text := stream.readline(_LONGEST_LINE + 2):
        if not begun and text.lstrip()[:1] in ("{", "["):
            yield from answers.lines_of(text + stream.read(answers.MOST))
            return
        begun = begun or not text.isspace()
        rest = text
        while len(rest) > _LONGEST_LINE and not rest.endswith("\n"):
            rest = stream.readline(_LONGEST_LINE + 2)
        yield text


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


def _recording(path: Path, raw: IO[bytes], pair: Pair, notes: list[str]) -> Iterator[list[str]]:
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
    if recorded.torn:
        told = f"{path.name}: ends before its end: {recorded.torn}; what is readable is played"
        notes += [told] if told not in notes else []
    if not seen:
        raise DataError(f"{path}: the recording holds no trade of {pair.symbol}")
    raw.seek(0, io.SEEK_END)
