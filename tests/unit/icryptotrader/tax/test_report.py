"""The report of a year through the command line: result, form, schedule, totals."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from shared.config import ConfigError, load
from tests.unit.icryptotrader.tax.desk import LEDGERS, RATES, TRADES, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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
