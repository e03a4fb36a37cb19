from __future__ import annotations

from pathlib import Path

import pytest

from shared.chunks import BadFileError, ChunkWriter
from shared.journal import MAGIC as JOURNAL_MAGIC
from shared.recording import MAGIC, RecordingHead, RecordingWriter, read_recording
from shared.units import SECOND, Ns

HEAD = RecordingHead("0.1.0", "1", ("BTC/EUR",), Ns(5), Ns(1_700_000_000), 1)


def test_a_recording_brings_back_frames_and_their_times(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    frames = [(Ns(n * SECOND // 3), b"1/book/BTC/EUR", b"frame %d" % n) for n in range(50)]
    writer = RecordingWriter(path, HEAD, 10_000_000)
    assert all(writer.append(*frame) for frame in frames)
    assert writer.frames == 50
    writer.close()
    recording = read_recording(path)
    assert recording.head == HEAD
    assert list(recording) == frames
    assert recording.torn == ""


def test_a_full_recording_takes_no_more_and_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    writer = RecordingWriter(path, HEAD, 2_000)
    kept = 0
    while writer.append(Ns(kept * SECOND), b"t", b"%030d" % kept):
        kept += 1
    writer.close()
    assert 0 < path.stat().st_size < 2_500
    assert len(list(read_recording(path))) == kept


@pytest.mark.parametrize("magic", [JOURNAL_MAGIC, b"whatever"])
def test_another_file_is_no_recording(magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    ChunkWriter(path, magic, b"").close()
    with pytest.raises(BadFileError, match="not a recording of iCryptoTrader"):
        read_recording(path)


def test_an_odd_header_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    ChunkWriter(path, MAGIC, b"\xc1").close()
    with pytest.raises(BadFileError, match="odd header"):
        read_recording(path)
