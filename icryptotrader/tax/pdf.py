"""A tax report as PDF: the text as it is printed, then the schedule as a table of its main columns.

Rule: the same report gives the same bytes; the document's date is that of the report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fpdf import FPDF

from shared.units import SECOND
from strategy.ledger.render import Language, text, word
from strategy.ledger.report import Report

# (column of the schedule, width in mm); the CSV has all columns.
COLUMNS: Final = (
    ("nr", 11), ("coin", 11), ("quantity", 28), ("acquired_at", 28), ("disposed_at", 28),
    ("taxable", 14), ("proceeds_eur", 27), ("cost_eur", 27), ("werbungskosten_eur", 30),
    ("gain_eur", 27), ("sell_trade_id", 46),
)  # fmt: skip
LINE_MM: Final = 3.6
MOST_ROWS: Final = 20_000
"""Parts that are printed; a longer schedule is handed in as CSV (about 400 pages by then)."""


def pdf(report: Report, language: Language) -> bytes:
    """The report's bytes, A4 across."""
    page = FPDF(orientation="L", format="A4")
    page.set_creation_date(datetime.fromtimestamp(report.made.wall // SECOND, UTC))
    page.set_title(f"{word('title', language)} {report.year}")
    page.set_auto_page_break(auto=True, margin=12)
    page.add_page()
    page.set_font("Courier", size=7.5)
    for line in text(report, language).splitlines():
        page.multi_cell(0, LINE_MM, _latin(line) or " ", new_x="LMARGIN", new_y="NEXT")
    if report.schedule:
        page.add_page()
        _head(page)
    for row in report.schedule[:MOST_ROWS]:
        if page.will_page_break(LINE_MM):
            page.add_page()
            _head(page)
        for name, width in COLUMNS:
            page.cell(width, LINE_MM, _latin(_short(name, row[name])))
        page.ln(LINE_MM)
    if len(report.schedule) > MOST_ROWS:
        page.cell(0, LINE_MM, f"... {len(report.schedule) - MOST_ROWS}: schedule.csv")
    return bytes(page.output())


def _head(page: FPDF) -> None:
    for name, width in COLUMNS:
        page.cell(width, LINE_MM, name.replace("werbungskosten", "wk"))
    page.ln(LINE_MM)


def _short(name: str, value: str) -> str:
    return value[:16].replace("T", " ") if name.endswith("_at") else value


def _latin(line: str) -> str:
    """What the built-in fonts can show; ids from outside may hold anything."""
    return line.encode("latin-1", "replace").decode("latin-1")
