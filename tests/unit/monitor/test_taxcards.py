"""The cards of lots and tax: what withdrawals keep, and what the dollars of buys may gain."""

from __future__ import annotations

from msgspec.structs import replace

from monitor import taxcards
from monitor.around import Around
from monitor.words import words
from tests.unit.monitor.frames import TAX


def test_coins_kept_for_a_withdrawal_and_the_gain_of_the_dollars_are_shown() -> None:
    seen = replace(TAX, leaving="0.25000000", worst_spending="17.50")
    shown = taxcards.lots(Around(tax=seen), words("de"))
    assert "für Auszahlungen zurückgehalten" in shown
    assert "0.25000000" in shown
    assert "darin Gewinn der Dollar, die Käufe ausgeben" in shown
    assert "17.50 EUR" in shown


def test_what_is_nothing_takes_no_row() -> None:
    seen = replace(TAX, leaving="0.00000000", worst_spending="0")
    shown = taxcards.lots(Around(tax=seen), words("en"))
    assert "withdrawals" not in shown
    assert "dollars" not in shown
