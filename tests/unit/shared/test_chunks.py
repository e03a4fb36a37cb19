"""Files that stay readable whatever ended their writer."""

from __future__ import annotations

import stat
import tempfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chunks import CHUNK_AGE, CHUNK_RAW_BYTES, BadFileError, ChunkReader, ChunkWriter

MAGIC = b"TESTFIL1"
RECORDS = st.lists(
    st.tuples(st.integers(0, 10**19), st.binary(max_size=20), st.binary(max_size=200)), max_size=40
)


def read(path: Path) -> ChunkReader:
    return ChunkReader(path, MAGIC, "a test file")


def write(path: Path, count: int) -> None:
    writer = ChunkWriter(path, MAGIC, b"head")
    for number in range(count):
        writer.append(number * CHUNK_AGE, b"key", b"payload %d" % number)
    writer.close()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=100), RECORDS)
def test_what_was_written_is_read(header: bytes, records: list[tuple[int, bytes, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        writer = ChunkWriter(path, MAGIC, header)
        for record in records:
            writer.append(*record)
        writer.close()
        reader = read(path)
        assert reader.header == header
        assert list(reader) == records
        assert list(reader) == records
        assert reader.torn == ""
        assert writer.written == path.stat().st_size


def test_wherever_the_file_is_cut_off_the_whole_chunks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, 6)
    data = path.read_bytes()
    whole = list(read(path))
    lengths = set()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        try:
            reader = read(path)
        except BadFileError:
            continue
        found = list(reader)
        assert found == whole[: len(found)]
        lengths.add(len(found))
    assert lengths == {0, 2, 4}
    path.write_bytes(data[:-1])
    reader = read(path)
    assert "cut off at byte" in (list(reader) and reader.torn)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_changed_in_the_file_nothing_false_is_read(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path, 5)
        whole = list(read(path))
        raw = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(raw)
        try:
            reader = read(path)
        except BadFileError:
            return
        found = list(reader)
        assert found == whole[: len(found)]
        assert reader.torn


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_behind_the_name_are_an_error_or_nothing(garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(MAGIC + garbage)
        try:
            assert list(read(path)) == []
        except BadFileError as error:
            assert "a test file" in str(error)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a test file of iCryptoTrader"),
        (b"time,price,qty\n", "not a test file of iCryptoTrader"),
        (MAGIC[:-1] + b"2", "another version"),
        (MAGIC, "without a header"),
    ],
)
def test_another_file_is_refused_with_one_clear_error(
    data: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(BadFileError, match=said):
        read(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(BadFileError, match="Is a directory"):
        read(tmp_path)


def test_a_chunk_that_would_unpack_to_a_huge_size_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    bomb = zstandard.ZstdCompressor().compress(bytes(65 * 1024 * 1024))
    path.write_bytes(MAGIC + len(bomb).to_bytes(4) + zlib.crc32(bomb).to_bytes(4) + bomb)
    with pytest.raises(BadFileError, match="without a header: damaged"):
        read(path)


def test_a_file_is_read_while_it_grows_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writer = ChunkWriter(path, MAGIC, b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    reader = read(path)
    writer.append(0, b"", b"young")
    assert list(reader) == []
    writer.append(CHUNK_AGE, b"", b"a second later")
    assert [payload for _, _, payload in reader] == [b"young", b"a second later"]
    writer.append(CHUNK_AGE, b"", bytes(CHUNK_RAW_BYTES))
    assert len(list(reader)) == 3
    writer.close()


def test_a_file_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, 3)
    with pytest.raises(FileExistsError):
        ChunkWriter(path, MAGIC, b"")
    ChunkWriter(path, MAGIC, b"new", replace=True).close()
    assert read(path).header == b"new"


def test_a_full_disk_is_an_error_once_and_closes_the_file() -> None:
    with pytest.raises(OSError, match="No space left"):
        ChunkWriter(Path("/dev/full"), MAGIC, b"", replace=True)
