"""The ledger leaves as a document or as a backup, and comes back the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.icryptotrader.tax.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_ledger_leaves_as_a_document_and_comes_back_equal(desk: Desk, tmp_path: Path) -> None:
    first, second = tmp_path / "one.json", tmp_path / "two.json"
    desk.filled().run("ledger", "export", "--json", str(first))
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    other.run("ledger", "import", "--json", str(first))
    other.run("ledger", "verify")
    other.run("ledger", "export", str(second))
    assert first.read_bytes() == second.read_bytes()
    assert other.run("ledger", "export", "--json") == first.read_text()
    assert "exists already" in other.run("ledger", "import", "--json", str(first), code=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("TB1", "TB7", 1),
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("icryptotrader-ledger/1", "other/1"),
        lambda text: text.replace('"fill"', '"lot"'),
        lambda text: text.replace('"exec_id"', '"exec id"', 1),
        lambda text: "[]",
    ],
)
def test_a_faulty_document_makes_no_ledger(desk: Desk, tmp_path: Path, change: object) -> None:
    document = tmp_path / "one.json"
    desk.filled().run("ledger", "export", str(document))
    assert callable(change)
    document.write_text(change(document.read_text()))
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    other.run("ledger", "import", "--json", str(document), code=1)
    assert list(other.home.data.iterdir()) == []


def test_a_backup_is_a_sound_ledger_of_its_own(desk: Desk) -> None:
    target = desk.folder / "copy.sqlite"
    desk.filled().run("ledger", "backup", str(target))
    desk.run("ledger", "verify", str(target))
    assert "exists already" in desk.run("ledger", "backup", str(target), code=1)
    whole = target.read_bytes()
    target.write_bytes(whole.replace(b'"cost_eur":"2500.00"', b'"cost_eur":"9500.00"'))
    assert "movement number" in desk.run("ledger", "verify", str(target), code=1)
