"""The lots, when they come free, and the room of the year, through the command line."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from icryptotrader.lots import View, calendar, histogram, unlocks
from shared.units import DAY, Ns
from tests.unit.icryptotrader.tax.desk import TRADES, Desk

ONE = Decimal(1)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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
