"""What is read in through the command line: exports in every form, and what is refused or told."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from shared.process import lock
from tests.unit.icryptotrader.tax.desk import LEDGERS, MANUAL, RATES, TRADES, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_dry_run_comes_first_and_writes_nothing(desk: Desk) -> None:
    said = desk.run("ledger", "import", desk.file("l.csv", LEDGERS), desk.file("m.csv", MANUAL))
    assert "3 fills, of which 3 are new" in said
    assert "4 other events, of which 4 are new" in said
    assert (
        "BTC: the exchange says 0.1124100000, the rows add up to 0.1124100000, in the book" in said
    )
    assert "differs" not in said
    assert "L9: 0.04000000 BTC came as a deposit without proof" in said
    assert not desk.home.data.exists()


def test_what_was_written_once_is_not_written_again(desk: Desk) -> None:
    desk.filled()
    again = desk.run("ledger", "import", desk.file("l.csv", LEDGERS), "--apply")
    assert "written: 0 fills and 0 other events" in again
    assert desk.run("ledger", "verify") == "The ledger is sound.\n"


def test_the_order_of_import_does_not_matter(tmp_path: Path) -> None:
    found = []
    for name, files in (("a", (LEDGERS, TRADES)), ("b", (TRADES, LEDGERS))):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name)
        desk.run("tax", "rates", desk.file("rates.csv", RATES))
        for number, text in enumerate(files):
            desk.run("ledger", "import", desk.file(f"{number}.csv", text), "--apply")
        rows = desk.run("tax", "report", "2024", "--format", "csv")
        found.append([row["gain_eur"] for row in csv.DictReader(io.StringIO(rows))])
    assert found[0] == found[1]


# A withdrawal that failed, as Kraken tells it: its row comes again with both signs turned.
GONE = '"L11","W2","2024-08-01 10:00:00","withdrawal","","currency","XXBT",-0.05,0.0001,0.0623\n'
BACK = '"L12","W2","2024-08-01 11:00:00","withdrawal","","currency","XXBT",0.05,-0.0001,0.1124\n'


def test_a_withdrawal_that_failed_changes_nothing_whenever_it_is_read_in(tmp_path: Path) -> None:
    found = []
    for name, tables in (
        ("whole", [LEDGERS + GONE + BACK]),
        ("after", [LEDGERS + GONE, LEDGERS.splitlines(keepends=True)[0] + GONE + BACK]),
        ("never", [LEDGERS]),
    ):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name)
        for number, text in enumerate(tables):
            said = desk.run("ledger", "import", desk.file(f"{number}.csv", text), "--apply")
        # The last table of "after" holds no row of the reward, which lies on another wallet.
        assert ("differs" in said) == (name == "after"), said
        report = json.loads(desk.run("tax", "report", "2024", "--format", "json"))
        found.append((report["held"], report["open_lots"], report["coins"], report["unbooked"]))
    assert found[0] == found[1] == found[2]
    assert Decimal(found[0][0][0]["closing"]) == Decimal("0.11241")


def test_what_came_back_without_what_went_is_told(desk: Desk) -> None:
    said = desk.run("ledger", "import", desk.file("l.csv", LEDGERS + BACK))
    assert "L12: a withdrawal of 0.05 BTC came back, and its first row is not here" in said


def test_tables_that_were_saved_anew_read_the_same(tmp_path: Path) -> None:
    lines = LEDGERS.replace('"', "").splitlines(keepends=True)
    newest_first = "".join([lines[0], *reversed(lines[1:])])
    other_fees = re.sub(r",(\d+\.\d*[1-9]\d*),(?=[\d.\"]+$)", r",-\1,", LEDGERS, flags=re.M)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ledgers.csv", LEDGERS)
    assert other_fees.count(",-51.5840,") == 1
    forms = {
        "plain": LEDGERS.encode(),
        "bom": f"\ufeff{LEDGERS}".replace("\n", "\r\n").encode(),
        "semicolons": "".join(lines).replace(",", ";").encode(),
        "commas": "".join(lines).replace(",", ";").replace(".", ",").encode(),
        "tabs": "".join(lines).replace(",", "\t").encode(),
        "newest first": newest_first.encode(),
        "fees with a minus": other_fees.encode(),
        "zip": packed.getvalue(),
    }
    told = {}
    for name, data in forms.items():
        desk = Desk(tmp_path / name)
        desk.folder.mkdir()
        (desk.folder / "ledgers.csv").write_bytes(data)
        desk.run("ledger", "import", str(desk.folder / "ledgers.csv"), "--apply")
        told[name] = desk.run("tax", "report", "2024", "--format", "csv")
    assert set(told.values()) == {told["plain"]}
    assert told["plain"].count("TS1") == 2


def test_a_part_of_the_past_is_held_against_what_was_there_before_it(desk: Desk) -> None:
    head, *lines = LEDGERS.splitlines(keepends=True)
    first, second = "".join([head, *lines[:5]]), "".join([head, *lines[5:]])
    assert "differs" not in desk.run("ledger", "import", desk.file("1.csv", first), "--apply")
    said = desk.run("ledger", "import", desk.file("2.csv", second), "--apply")
    assert "the rows add up to -0.4250900000 after 0.5375000000 before them" in said
    assert "differs" not in said
    gap = "".join([head, *lines[:3], *lines[5:]])
    assert "<- differs" in desk.run("ledger", "import", desk.file("3.csv", gap))


def test_ledgers_and_trades_may_come_one_after_the_other_for_every_coin(tmp_path: Path) -> None:
    ether = (
        '"L20","TE1","2024-03-01 12:00:00","trade","","currency","XETH",1.0,0,1.0\n'
        '"L21","TE1","2024-03-01 12:00:00","trade","","currency","ZEUR",-3000.0000,7.8,0\n'
    )
    trade = "TE1,OE1,XETHZEUR,2024-03-01 12:00:00.7,buy,limit,3000.0,3000.00000,7.8,1.0,0.0,,\n"
    tables = {"ledgers.csv": LEDGERS + ether, "trades.csv": TRADES.partition("TX9")[0] + trade}
    for name, order in (("a", sorted(tables)), ("b", sorted(tables, reverse=True))):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name)
        said = [
            desk.run("ledger", "import", desk.file(file, tables[file]), "--apply") for file in order
        ]
        # Of what only trades.csv tells, nothing says in which asset the fee was charged.
        assert "of 2 trades only trades.csv tells" in said[order.index("trades.csv")]
        rows = desk.run("tax", "report", "2024", "--format", "json")
        assert [
            lot["cost_eur"] for lot in json.loads(rows)["open_lots"] if lot["asset"] == "ETH"
        ] == ["3007.80"]


def test_a_file_that_is_no_text_is_named(desk: Desk) -> None:
    for name, data in (("x.csv", LEDGERS.encode("utf-16")), ("x.zip", b"PK\x03\x04...")):
        (desk.folder / name).write_bytes(data)
        said = desk.run("ledger", "import", str(desk.folder / name), code=1)
        assert said.startswith(f"nothing was read in: {desk.folder / name}: ")


def test_a_truncated_export_is_noticed_by_its_balances(desk: Desk) -> None:
    lines = LEDGERS.splitlines(keepends=True)
    said = desk.run("ledger", "import", desk.file("l.csv", "".join([lines[0], *lines[4:]])))
    assert "BTC: the exchange says 0.1124100000, the rows add up to -0.3875900000" in said
    assert "<- differs" in said


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        LEDGERS.replace("2023-01-05 12:00:00", "yesterday", 1),
        LEDGERS.replace("0.5000000000,0,", "NaN,0,", 1),
        MANUAL.replace("0.06", "-1"),
        MANUAL.replace("2021-03-01", "2031-03-01"),
        TRADES.replace("XXBTZEUR", "???"),
        TRADES.replace("TX9,", "TX9,extra,", 1).replace("initiated,", "initiated,,"),
        "\x00",
    ],
)
def test_a_faulty_table_is_refused_with_all_others_of_the_call(desk: Desk, text: str) -> None:
    said = desk.run(
        "ledger", "import", desk.file("l.csv", LEDGERS), desk.file("x.csv", text), "--apply", code=1
    )
    assert "nothing was read in" in said
    assert not desk.home.data.exists()


def test_a_contradiction_to_what_is_booked_is_refused(desk: Desk) -> None:
    desk.filled()
    other = LEDGERS.replace("0.5000000000,0,0.5", "0.4000000000,0,0.4", 1)
    said = desk.run("ledger", "import", desk.file("o.csv", other), "--apply", code=1)
    assert "fill TB1: booked with another pair, side or quantity" in said
    other = LEDGERS.replace("0.1000000000,0,0.1124", "0.2000000000,0,0.2124", 1)
    said = desk.run("ledger", "import", desk.file("o.csv", other), "--apply", code=1)
    assert "L9: booked with other values" in said


def test_beside_a_running_strategy_nothing_is_written(desk: Desk) -> None:
    desk.home.make()
    held = lock(desk.home.run / "strategy.lock")
    said = desk.run("ledger", "import", desk.file("l.csv", LEDGERS), "--apply", code=1)
    held.release()
    assert "stop it first" in said


def test_unclear_rows_are_told_and_not_booked(desk: Desk) -> None:
    rows = (
        '"L20","X1","2024-08-01 12:00:00","trade","","currency","XETH",-1,0,0\n'
        '"L21","X1","2024-08-01 12:00:00","trade","","currency","XXBT",0.05,0,0.1\n'
        '"L22","X2","2024-08-02 12:00:00","margin","","currency","XXBT",-0.01,0,0.1\n'
        '"L23","X3","2024-08-03 12:00:00","earn","allocation","currency","XXBT",-0.01,0,0.1\n'
        '"L24","X4","2024-08-03 12:00:00","reward","","currency","ZEUR",0.01,0,0.1\n'
        '"L25","X5","2024-08-04 12:00:00","transfer","spottofutures","currency","XXBT",-0.01,0,0\n'
        '"L26","X6","2024-08-05 12:00:00","transfer","spotfromfutures","currency","XXBT",0.01,0,0\n'
        '"L27","X7","2024-08-06 12:00:00","spend","","currency","ZEUR",-100,1,0\n'
        '"L28","X7","2024-08-06 12:00:00","receive","","currency","XXBT",0.001,0.00001,0\n'
        '"L29","X8","2024-08-06 12:00:00","trade","","currency","ZEUR",-90,0,0\n'
        '"L30","X8","2024-08-06 12:00:00","trade","","currency","ZUSD",100,0.1,0\n'
    )
    said = desk.run("ledger", "import", desk.file("l.csv", LEDGERS + rows))
    assert "X1: a trade of ETH and BTC is not booked" in said
    assert "L22: margin  of -0.01 BTC is not booked" in said
    assert "L24: reward  of 0.01 EUR: look at it yourself" in said
    assert "L23" not in said
    assert "4 fills, of which 4 are new" in said


def test_two_exports_of_one_name_are_both_read(desk: Desk) -> None:
    lines = LEDGERS.splitlines(keepends=True)
    files = []
    for year, part in (("2023", lines[1:4]), ("2024", lines[4:])):
        (desk.folder / year).mkdir()
        files.append(desk.file(f"{year}/ledgers.csv", "".join([lines[0], *part])))
    assert "written: 3 fills and 3 other events" in desk.run("ledger", "import", *files, "--apply")
    assert "written: 0 fills and 0" in desk.run(
        "ledger", "import", desk.file("all.csv", LEDGERS), "--apply"
    )


def test_a_fee_that_was_booked_otherwise_is_told(desk: Desk) -> None:
    other = LEDGERS.replace("32240.0000,51.5840", "32240.0000,0").replace(
        "-0.5200000000,0,", "-0.5200000000,0.0008,"
    )
    desk.run("ledger", "import", desk.file("t.csv", TRADES.partition("TX9")[0]), "--apply")
    said = desk.run("ledger", "import", desk.file("l.csv", other))
    assert "look at: TS1: booked with the fee 51.58400 EUR; these tables say 0.0008 BTC" in said


def test_a_trade_on_margin_is_told_and_not_booked(desk: Desk) -> None:
    lent = TRADES.replace("0.52,0.0", "0.52,6448.0")
    said = desk.run("ledger", "import", desk.file("t.csv", lent))
    assert "look at: TS1: a trade on margin is not booked" in said
    assert "1 fills, of which 1 are new" in said
    both = desk.run("ledger", "import", desk.file("l.csv", LEDGERS), desk.file("t.csv", lent))
    assert "not yet valued in euros: TX9: no rate of the ECB for USD" in both
    assert "look at: TS1: a trade on margin is not booked" in both
    assert "BTC: the exchange says 0.1124100000" in both
    assert "<- differs" in both
