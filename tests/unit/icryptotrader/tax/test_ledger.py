"""Import, export, reports and packs through the command line, on a home of their own."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from icryptotrader.lots import View, calendar, histogram, unlocks
from shared.config import ConfigError, Home, load
from shared.process import lock
from shared.units import DAY, Ns
from shared.version import build

ONE = Decimal(1)

LEDGERS = """"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"
"L1","D1","2023-01-02 10:00:00","deposit","","currency","ZEUR",10000.0000,0,10000.0000
"L2","TB1","2023-01-05 12:00:00","trade","","currency","ZEUR",-8000.0000,12.8000,1987.2000
"L3","TB1","2023-01-05 12:00:00","trade","","currency","XXBT",0.5000000000,0,0.5000000000
"L4","TB2","2024-02-01 12:00:00.1234","trade","","currency","ZEUR",-1500.0000,2.4000,484.8000
"L5","TB2","2024-02-01 12:00:00.1234","trade","","currency","XXBT",0.0375000000,0,0.5375000000
"L6","TS1","2024-06-01 12:00:00","trade","","currency","XXBT",-0.5200000000,0,0.0175000000
"L7","TS1","2024-06-01 12:00:00","trade","","currency","ZEUR",32240.0000,51.5840,32673.2160
"","W1","2024-06-02 12:00:00","withdrawal","","currency","XXBT",-0.0050000000,0.0001,""
"L8","W1","2024-06-02 12:00:01","withdrawal","","currency","XXBT",-0.005,0.0001,0.0124000000
"L9","D2","2024-07-01 00:00:00","deposit","","currency","XXBT",0.1000000000,0,0.1124000000
"L10","R1","2024-07-05 00:00:00","staking","","currency","XBT.M",0.0000100000,0,0.0000100000
"""
MANUAL = """id,asset,qty,acquired_at,cost_eur,account,arrived_at,proves
M1,BTC,0.06,2021-03-01,2500.00,,2024-07-01T00:00:00+00:00,L9
"""
TRADES = """txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers
TS1,OS1,XXBTZEUR,2024-06-01 12:00:00,sell,limit,62000.0,32240.00000,51.58400,0.52,0.0,,"L6,L7"
TX9,OX9,XBT/USD,2024-07-08 12:00:00,buy,limit,57000.0,570.00000,0.91200,0.01,0.0,initiated,
"""
RATES = "Date,USD\n2024-07-05,1.0824\n2024-07-08,1.0835\n"


class Desk:
    """A home and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return str(self.folder / name)

    def run(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--home", str(self.home.path)])
        assert result.exit_code == code, result.output
        return result.output

    def filled(self) -> Desk:
        files = [self.file("ledgers.csv", LEDGERS), self.file("manual.csv", MANUAL)]
        self.run("ledger", "import", *files, "--apply")
        return self


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


def test_the_report_tells_result_form_and_information(desk: Desk) -> None:
    said = desk.filled().run("tax", "report", "2024", "--lang", "en")
    assert "FINAL" in said
    assert (
        "line 47    Gain / loss                                                 436  (436.74)"
        in said
    )
    assert "below the limit, exempt" in said
    assert "1 parts: 31000.00 - 8012.80 - 49.60 = 22937.60 EUR" in said
    german = desk.run("tax", "report", "2024")
    assert "Zeile 55" in german
    assert "unter der Freigrenze, steuerfrei" in german
    other = desk.run("tax", "report", "2024", "--lang", "en", "--external", "2024=600")
    assert "total gain (Gesamtgewinn)                                     1036.74 EUR" in other
    assert "taxed                                                         1036.74 EUR" in other


def test_a_year_without_a_known_form_names_fields_without_numbers(desk: Desk) -> None:
    said = desk.filled().run("tax", "report", "2026", "--lang", "en")
    assert "No form of this year is known" in said
    assert "line " not in said.split("Result of the year")[0].split("names of fields")[1].replace(
        "without line numbers", ""
    )


def test_no_final_report_while_the_year_runs_or_a_rate_is_provisional(desk: Desk) -> None:
    desk.filled()
    assert "no final report of 2199: year_not_over" in desk.run(
        "tax", "report", "2199", "--final", code=1
    )
    desk.run("tax", "rates", desk.file("r.csv", RATES.partition("2024-07-08")[0]))
    desk.run("ledger", "import", desk.file("t.csv", TRADES), "--apply")
    dollar = LEDGERS.splitlines()[0] + (
        '\n"L40","TU","2024-07-09 12:00:00","trade","","currency","ZUSD",570,0,570'
        '\n"L41","TU","2024-07-09 12:00:00","trade","","currency","XXBT",-0.01,0,0\n'
    )
    desk.run("ledger", "import", desk.file("u.csv", dollar), "--apply")
    said = desk.run("tax", "report", "2024", "--final", code=1)
    assert "no final report of 2024: provisional_rates" in said
    assert "DRAFT" in desk.run("tax", "report", "2024", "--lang", "en")


def test_the_schedule_has_one_row_for_each_part_in_every_form(desk: Desk) -> None:
    desk.filled()
    rows = list(csv.DictReader(io.StringIO(desk.run("tax", "report", "2024", "--format", "csv"))))
    assert [(row["lot_id"], row["taxable"], row["gain_eur"]) for row in rows] == [
        ("TB1", "no", "22937.60"),
        ("TB2", "yes", "436.74"),
    ]
    assert [row["buy_trade_ids"] for row in rows] == ["TB1", "TB2"]
    assert rows[0]["acquired_at"] == "2023-01-05T13:00:00+01:00"
    assert (rows[0]["anniversary"], rows[0]["first_free_day"]) == ("2024-01-05", "2024-01-06")
    told = json.loads(desk.run("tax", "report", "2024", "--format", "json"))
    assert [row["gain_eur"] for row in told["schedule"]] == ["22937.60", "436.74"]
    other = desk.run("tax", "report", "2024", "--format", "cointracking").splitlines()
    assert other[2].startswith("0.50000000,BTC,01.06.2024,05.01.2023,Long")
    assert "name one with -o" in desk.run("tax", "report", "2024", "--format", "pdf", code=1)
    target = desk.folder / "r.pdf"
    desk.run("tax", "report", "2024", "--format", "pdf", "-o", str(target))
    assert target.read_bytes().startswith(b"%PDF")


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


def test_rates_that_cannot_be_true_are_refused(desk: Desk) -> None:
    assert "cannot be true" in desk.run(
        "tax", "rates", desk.file("r.csv", "Date,USD\n2024-07-05,10.8\n"), code=1
    )
    assert "nothing was read in" in desk.run("tax", "rates", str(desk.folder / "none"), code=1)
    said = desk.run(
        "tax", "rates", desk.file("r.csv", "Date,USD\n2024-07-05,1.0\n2024-07-08,1.1\n")
    )
    assert "jump" in said
    assert "2 rates from 2024-07-05 to 2024-07-08" in said


def test_wrong_words_are_usage_errors(desk: Desk) -> None:
    desk.run("tax", "report", "2024", "--external", "much", code=2)
    desk.run("tax", "report", "2024", "--external", "2024=NaN", code=2)
    assert "there is no ledger" in desk.run("tax", "report", "2024", code=1)


def test_the_lots_tell_their_ages_and_when_they_come_free(desk: Desk) -> None:
    ics = desk.folder / "days.ics"
    said = desk.filled().run("lots", "--ics", str(ics))
    assert "total 0.11241000" in said
    told = json.loads(desk.run("lots", "--json"))
    assert [(lot["exec_id"], lot["left"], lot["cost_eur"]) for lot in told["lots"]] == [
        ("M1", "0.06000000", "2500.00"),
        ("TB2", "0.01240000", "496.79"),
        ("L9", "0.04000000", "0.00"),
        ("L10", "0.00001000", "0.00"),
    ]
    assert ics.read_text().startswith("BEGIN:VCALENDAR")


def test_the_unlock_calendar_and_its_bars_follow_from_the_lots() -> None:
    wall = Ns(1_720_000_000_000_000_000)  # 3 July 2024
    lots = [
        View("a", Ns(wall - 500 * DAY), ONE, ONE, ONE, "EUR", ONE),
        View("b", Ns(wall - 360 * DAY), ONE, ONE, ONE, "EUR", ONE),
        View("c", Ns(wall - 360 * DAY + 1), ONE, ONE, ONE, "EUR", None),
        View("d", Ns(wall - 300 * DAY), ONE, ONE / 4, ONE, "EUR", ONE),
    ]
    coming = unlocks(lots, wall, 4)
    assert [(str(each.day), each.qty) for each in coming] == [
        ("2024-07-14", 2 * ONE),
        ("2024-09-12", ONE / 4),
    ]
    assert histogram(coming)[0] == f"2024-07  {'#' * 40}  2.00000000"
    assert "SUMMARY:0.25000000 BTC free of tax" in calendar(coming, "BTC")


def test_without_a_rate_the_lots_of_the_fills_are_shown_without_euros(desk: Desk) -> None:
    desk.run("ledger", "import", desk.file("t.csv", TRADES), "--apply")
    told = json.loads(desk.run("lots", "--json"))
    assert [(lot["exec_id"], lot["cost_eur"]) for lot in told["lots"]] == [("TX9", "")]


def test_the_room_of_the_year_is_told(desk: Desk) -> None:
    told = json.loads(desk.filled().run("tax", "room", "--json"))
    # All lots of the table are older than a year by today: nothing of them was sold this year.
    assert (told["net"], told["room"], told["free"]) == ("0.00", "999.99", "0.11241000")
    assert told["next_unlock"] == ""
    listed = desk.run("lots")
    assert "beyond the free coins gains up to 999.99 EUR may be made" in listed
    assert json.loads(desk.run("lots", "--json"))["room"] == "999.99"
    previewed = desk.run("preview")
    assert "0.11241000 coins: locked in" in previewed
    assert "tax.pace_days = 10" in previewed
    said = desk.run("tax", "room", "--price", "50000")
    assert re.search(r"room +999.99", said)
    assert "stops at 999.99 EUR" in said
    assert "there is no ledger" in Desk(desk.folder / "none").run("tax", "room", code=1)


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


def test_what_the_person_says_is_kept_by_year(desk: Desk) -> None:
    desk.filled()
    (desk.home.path / "user.toml").write_text(
        '[tax]\nexternal_s23_net_eur = "5"\nwaive_carryback = true\n'
        '[[tax.years]]\nyear = 2024\nexternal_s23_net_eur = "700"\nwaive_carryback = false\n'
        '[[tax.years]]\nyear = 2025\nexternal_s23_net_eur = "-900"\n'
    )
    told = json.loads(desk.run("tax", "report", "2024", "--format", "json"))
    # 436.74 of the coins and 700 of other disposals, less the loss that 2025 carries back; the
    # waiver said for every year without an entry holds for 2025, too.
    assert told["settings"]["external"] == {"2024": "700", "2025": "-900"}
    assert told["settings"]["waived"] == [2025]
    assert told["result"]["taxable"] == "1136.74"
    pack = desk.folder / "pack"
    desk.run("tax", "report", "2024", "--pack", str(pack))
    assert CliRunner().invoke(app, ["tax", "verify-report", str(pack)]).exit_code == 0
    for faulty in ("free = 1", 'external_s23_net_eur = "much"', "[[tax.years]]\nyear = 2024"):
        (desk.home.path / "user.toml").write_text(f"[[tax.years]]\nyear = 2024\n{faulty}\n")
        with pytest.raises(ConfigError, match=r"tax\.years"):
            load(desk.home)


def test_what_was_not_booked_stands_in_the_report(desk: Desk) -> None:
    rows = '"L22","X2","2024-08-02 12:00:00","margin","","currency","XXBT",-0.01,0,0.1\n'
    desk.run("ledger", "import", desk.file("l.csv", LEDGERS + rows), "--apply")
    said = desk.run("tax", "report", "2024", "--lang", "en")
    assert "In the raw files, but not booked\n  L22: margin  of -0.01 BTC is not booked" in said


def test_both_totals_are_told_with_and_without_the_dollars(desk: Desk) -> None:
    sold = (
        '"L40","TU","2024-07-09 12:00:00","trade","","currency","ZUSD",570,0,570\n'
        '"L41","TU","2024-07-09 12:00:00","trade","","currency","XXBT",-0.01,0,0\n'
        '"L42","TV","2024-08-09 12:00:00","trade","","currency","ZUSD",-500,0,70\n'
        '"L43","TV","2024-08-09 12:00:00","trade","","currency","ZEUR",440,0,70\n'
    )
    rates = RATES + "2024-07-09,1.0814\n2024-08-09,1.0917\n"
    desk.run("tax", "rates", desk.file("r.csv", rates))
    desk.run("ledger", "import", desk.file("l.csv", LEDGERS + sold), "--apply")

    def told(leg: str) -> tuple[str, str]:
        (desk.home.path / "user.toml").write_text(f'[tax]\nusd_leg = "{leg}"\n')
        report = json.loads(desk.run("tax", "report", "2024", "--format", "json"))
        return report["result"]["net"], report["other_total"]

    coins, both = told("separate")
    assert told("section23") == (both, coins)
    # 500 of the 570 dollars cost 527.09 / 570 * 500 EUR, and were changed for 440.
    assert Decimal(both) - Decimal(coins) == Decimal("440.00") - Decimal("462.36")
    assert told("off")[0] == coins
    said = desk.run("tax", "report", "2024", "--lang", "en")
    assert "for comparison" not in said
    assert "not looked at" in said


@pytest.mark.parametrize("leg", ["separate", "section23"])
def test_every_form_of_the_report_adds_up_to_what_the_year_counts(leg: str, desk: Desk) -> None:
    sold = (
        '"L40","TU","2024-07-09 12:00:00","trade","","currency","ZUSD",570,0,570\n'
        '"L41","TU","2024-07-09 12:00:00","trade","","currency","XXBT",-0.01,0,0\n'
        '"L42","TV","2024-08-09 12:00:00","trade","","currency","ZUSD",-500,0,70\n'
        '"L43","TV","2024-08-09 12:00:00","trade","","currency","ZEUR",440,0,70\n'
    )
    desk.run("tax", "rates", desk.file("r.csv", RATES + "2024-07-09,1.0814\n2024-08-09,1.0917\n"))
    desk.run("ledger", "import", desk.file("l.csv", LEDGERS + sold), "--apply")
    (desk.home.path / "user.toml").write_text(f'[tax]\nusd_leg = "{leg}"\n')
    net = Decimal(
        json.loads(desk.run("tax", "report", "2024", "--format", "json"))["result"]["net"]
    )
    table = desk.run("tax", "report", "2024", "--format", "cointracking").split("\n", 1)[1]
    rows = list(csv.DictReader(io.StringIO(table)))
    assert sum(Decimal(row["Gain/Loss"]) for row in rows if row["Short/Long"] == "Short") == net
    assert ("USD" in table) == (leg == "section23")
    schedule = csv.DictReader(io.StringIO(desk.run("tax", "report", "2024", "--format", "csv")))
    counted = [row for row in schedule if "in no sum" not in row["note"]]
    assert sum(Decimal(row["gain_eur"]) for row in counted if row["taxable"] == "yes") == net
    said = desk.run("tax", "report", "2024")
    whole = net.quantize(Decimal(1), rounding=ROUND_FLOOR)
    assert re.search(rf"Zeile 55 .* {whole}  \({net}\)", said), said


def test_the_forms_whole_euros_never_reach_the_limit_by_rounding(desk: Desk) -> None:
    gross = {"TB1": "-4000.9900", "TS1": "5000.9800"}
    rows = LEDGERS.splitlines(keepends=True)[0] + "".join(
        f"{name}{asset},{name},2024-0{month}-01 12:00:00,trade,,currency,{asset},{amount},0,0\n"
        for name, month, coin in (("TB1", 2, "0.1"), ("TS1", 3, "-0.1"))
        for asset, amount in (("ZEUR", gross[name]), ("XXBT", coin))
    )
    desk.run("ledger", "import", desk.file("l.csv", rows), "--apply")
    said = desk.run("tax", "report", "2024")
    for line, value in (
        ("44", "5000  (5000.98)"),
        ("45", "4001  (4000.99)"),
        ("47", "999  (999.99)"),
    ):
        assert re.search(rf"Zeile {line} .* {re.escape(value)}", said), said
    assert "Unter der Freigrenze muss nichts eingetragen werden" in said
    older = desk.run("tax", "report", "2022")
    assert "Zeile 41   Andere Wirtschaftsgüter: dort stehen die Coins, ab Zeile" in older
