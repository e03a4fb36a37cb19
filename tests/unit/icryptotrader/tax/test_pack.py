"""The pack of a report: whoever has it can derive it again, and any change is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from shared.version import build
from tests.unit.icryptotrader.tax.desk import RATES, TRADES, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_rate_that_its_raw_file_does_not_hold_is_noticed_in_a_pack(desk: Desk) -> None:
    desk.run("tax", "rates", desk.file("r.csv", RATES))
    desk.run("ledger", "import", desk.file("t.csv", TRADES), "--apply")
    pack = desk.folder / "pack"
    desk.run("tax", "report", "2023", "--pack", str(pack))
    verify = ["tax", "verify-report", str(pack)]
    assert CliRunner().invoke(app, verify).exit_code == 0
    evidence = pack / "evidence.json"
    evidence.write_text(evidence.read_text().replace('"1.0824"', '"1.0842"'))
    found = CliRunner().invoke(app, verify)
    assert (found.exit_code, found.output) == (
        1, "the rate of 2024-07-05 for USD is not the ECB's\n"
    )  # fmt: skip


def test_a_pack_is_verified_byte_for_byte_and_any_change_is_found(desk: Desk) -> None:
    pack = desk.folder / "pack"
    desk.filled().run("tax", "report", "2024", "--pack", str(pack))

    def check() -> tuple[int, str]:
        result = CliRunner().invoke(app, ["tax", "verify-report", str(pack)])
        return result.exit_code, result.output

    assert check()[0] == 0
    for name in sorted(path.name for path in pack.iterdir() if path.is_file()):
        whole = (pack / name).read_bytes()
        altered = whole.replace(b"2024", b"2025", 1)
        (pack / name).write_bytes(altered if altered != whole else whole[:-9] + b"?" + whole[-8:])
        assert check()[0] == 1, name
        (pack / name).write_bytes(whole)
    raw = next((pack / "raw").iterdir())
    raw.write_bytes(raw.read_bytes() + b"\n")
    assert "was changed" in check()[1]
    assert "exists already" in desk.run("tax", "report", "2024", "--pack", str(pack), code=1)
    assert CliRunner().invoke(app, ["tax", "verify-report", str(desk.folder)]).exit_code == 1


def test_a_pack_of_another_build_says_which_one_to_verify_it_with(desk: Desk) -> None:
    pack = desk.folder / "pack"
    desk.filled().run("tax", "report", "2024", "--pack", str(pack))
    assert build() in (pack / "evidence.json").read_text()
    assert f"iCryptoTrader {build()}" in (pack / "report-en.txt").read_text()
    whole = (pack / "evidence.json").read_text()
    (pack / "evidence.json").write_text(whole.replace(build(), "0.0.9+g" + "ab" * 6))
    found = CliRunner().invoke(app, ["tax", "verify-report", str(pack)])
    assert found.exit_code == 1
    # The cover names its build, so a pack under another name differs, too.
    assert "report-en.txt: is not what follows" in found.output
    assert "git checkout abababababab, make setup" in " ".join(found.output.split())
