"""The journal of a Machine: begun anew each hour, bounded, never in the way."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from shared import journal
from shared.chunks import BadFileError
from shared.journal import HOUR, RETRY_AFTER, JournalWriter, journals, read_journal
from shared.units import SECOND, Ns


def writer(folder: Path) -> JournalWriter:
    lives = count(1)
    return JournalWriter(folder, "0.1.0", b"[config]", lambda: b"memory %d" % next(lives))


def test_a_journal_brings_back_what_was_told(tmp_path: Path) -> None:
    told = [(Ns(n * SECOND), b"inbox %d" % n) for n in range(100)]
    book = writer(tmp_path)
    for now, payload in told:
        book.append(now, payload)
    book.close()
    (path,) = journals(tmp_path)
    read = read_journal(path)
    assert list(read) == told
    assert read.torn == ""
    assert read.head == journal.JournalHead("0.1.0", Ns(0), b"[config]", b"memory 1")
    assert book.lost == 0


def test_after_a_kill_all_but_the_last_second_is_there(tmp_path: Path) -> None:
    book = writer(tmp_path)
    for n in range(100):
        book.append(Ns(n * SECOND // 10), b"inbox %d" % n)
    # No close: the file is as a kill would leave it.
    (path,) = journals(tmp_path)
    assert len(list(read_journal(path))) == 99
    with path.open("ab") as file:
        file.write(b"\x00\x00\x10\x00half a chunk")
    read = read_journal(path)
    assert len(list(read)) == 99
    assert "cut off" in read.torn
    book.close()


def test_each_hour_begins_a_file_with_its_own_snapshot(tmp_path: Path) -> None:
    book = writer(tmp_path)
    for quarter in range(9):
        book.append(Ns(quarter * HOUR // 4), b"%d" % quarter)
    book.close()
    files = [read_journal(path) for path in journals(tmp_path)]
    assert [file.head.memory for file in files] == [b"memory 1", b"memory 2", b"memory 3"]
    assert [file.head.begin for file in files] == [0, HOUR, 2 * HOUR]
    assert [[p for _, p in file] for file in files] == [
        [b"0", b"1", b"2", b"3"],
        [b"4", b"5", b"6", b"7"],
        [b"8"],
    ]


def test_the_oldest_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILES_KEPT", 3)
    book = writer(tmp_path)
    for hour in range(6):
        book.append(Ns(hour * HOUR), b"x")
    book.close()
    assert [read_journal(path).head.begin // HOUR for path in journals(tmp_path)] == [3, 4, 5]


def test_the_total_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BYTES_KEPT", 1)
    book = writer(tmp_path)
    for hour in range(4):
        book.append(Ns(hour * HOUR), b"x")
    book.close()
    assert len(journals(tmp_path)) == 1


def test_a_disk_that_refuses_costs_records_and_a_new_file_begins_later(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    book = writer(folder)
    folder.rmdir()
    folder.touch()  # In the place of the folder a file: nothing can be created in it.
    book.append(Ns(0), b"lost")
    assert "journal: " in book.fault
    folder.unlink()
    folder.mkdir()
    book.append(Ns(RETRY_AFTER - 1), b"lost too")
    book.append(RETRY_AFTER, b"written")
    book.append(Ns(RETRY_AFTER + 1), b"also")
    book.close()
    assert (book.lost, book.fault) == (2, "")
    (path,) = journals(folder)
    assert [payload for _, payload in read_journal(path)] == [b"written", b"also"]


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(b"SQLite format 3")
    with pytest.raises(BadFileError, match="not a journal of iCryptoTrader"):
        read_journal(path)
