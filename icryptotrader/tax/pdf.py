"""A tax report as PDF: the cover and the sums as they are printed, then the schedule as a table.

Rule: the same report gives the same bytes; the document's date is that of the report.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from fpdf import FPDF

from shared.units import SECOND
from strategy.ledger.render import Language, text, word
from strategy.ledger.report import Report, german

# (column of the schedule, width in mm, alignment, heading); the CSV has all columns.
COLUMNS: Final = (
    ("nr", 12, "R", ("Nr.", "no.")),
    ("coin", 12, "C", ("Coin", "coin")),
    ("quantity", 32, "R", ("Menge", "quantity")),
    ("acquired_at", 31, "C", ("angeschafft", "acquired")),
    ("disposed_at", 31, "C", ("veräußert", "disposed of")),
    ("taxable", 15, "C", ("steuerbar", "taxable")),
    ("proceeds_eur", 26, "R", ("Erlös EUR", "proceeds EUR")),
    ("cost_eur", 26, "R", ("Anschaffung EUR", "cost EUR")),
    ("werbungskosten_eur", 22, "R", ("Werbungsk. EUR", "Werbungsk. EUR")),
    ("gain_eur", 26, "R", ("Gewinn EUR", "gain EUR")),
    ("sell_trade_id", 44, "L", ("Ausführung", "trade")),
)
MARGIN_MM: Final = 10.0
LINE_MM: Final = 3.6
FONT: Final = "Courier"
SMALL, HEADING, TITLE = 7.5, 9.0, 13.0
MOST_ROWS: Final = 20_000
"""Parts that are printed; a longer schedule is handed in as CSV (about 400 pages by then)."""


def pdf(report: Report, language: Language) -> bytes:
    """The report's bytes, A4 across."""
    title = f"{word('title', language)} {report.year}"
    page = FPDF(orientation="L", format="A4")
    page.set_creation_date(datetime.fromtimestamp(report.made.wall // SECOND, UTC))
    page.set_title(title)
    page.set_margin(MARGIN_MM)
    page.set_auto_page_break(auto=False)
    _new_page(page, report, language)
    _cover(page, report, language)
    if report.schedule:
        _new_page(page, report, language)
        _schedule(page, report, language)
    return bytes(page.output())


def _new_page(page: FPDF, report: Report, language: Language) -> None:
    """With what tells this sheet from any other: report, moment, number."""
    page.add_page()
    made = f"{datetime.fromtimestamp(report.made.wall // SECOND, UTC):%Y-%m-%d %H:%M} UTC"
    draft = "" if not report.not_final else f"  {word('draft', language)}"
    page.set_font(FONT, size=SMALL)
    page.set_text_color(110)
    page.cell(0, LINE_MM, _latin(f"§ 23 EStG {report.year}  iCryptoTrader  {made}{draft}"))
    page.set_x(MARGIN_MM)
    page.cell(0, LINE_MM, str(page.page_no()), align="R", new_x="LMARGIN", new_y="NEXT")
    page.set_text_color(0)
    page.ln(LINE_MM)


def _cover(page: FPDF, report: Report, language: Language) -> None:
    """The text, its first line as title; what stands alone after an empty line heads a section."""
    lines = text(report, language).splitlines()
    for place, line in enumerate(lines):
        head = (
            place > 0 and not lines[place - 1] and line[:1] not in ("", " ") and ":  " not in line
        )
        style = "B" if place < 2 or head else ""
        size = TITLE if place == 0 else HEADING if head or place == 1 else SMALL
        page.set_font(FONT, style, size)
        height = LINE_MM * size / SMALL
        # A section's heading is not left alone at the foot of a sheet.
        if _is_full(page, height + (2 * LINE_MM if head else 0)):
            _new_page(page, report, language)
            page.set_font(FONT, style, size)
        page.multi_cell(0, height, _latin(line) or " ", new_x="LMARGIN", new_y="NEXT")


def _schedule(page: FPDF, report: Report, language: Language) -> None:
    _heads(page, language)
    for row in report.schedule[:MOST_ROWS]:
        if _is_full(page, LINE_MM):
            _new_page(page, report, language)
            _heads(page, language)
        for name, width, align, _ in COLUMNS:
            page.cell(width, LINE_MM, _latin(_short(name, row[name], language)), align=align)
        page.ln(LINE_MM)
    if len(report.schedule) > MOST_ROWS:
        page.cell(0, LINE_MM, f"... {len(report.schedule) - MOST_ROWS}: schedule.csv")


def _is_full(page: FPDF, height: float) -> bool:
    """Whether so much more would run over the foot of the sheet; a long line may take two."""
    return bool(page.get_y() + 2 * height > page.h - MARGIN_MM)


def _heads(page: FPDF, language: Language) -> None:
    page.set_font(FONT, "B", SMALL - 1)
    for _, width, align, heads in COLUMNS:
        head = heads[0] if language == "de" else heads[1]
        page.cell(width, LINE_MM, _latin(head), border="B", align=align)
    page.ln(LINE_MM + 1)
    page.set_font(FONT, size=SMALL)


def _short(name: str, value: str, language: Language) -> str:
    """A cell in the words of the language; the CSV has the exact ones."""
    if name.endswith("_at") and value:
        day = value[:10]
        shown = german(date.fromisoformat(day)) if language == "de" else day
        return f"{shown} {value[11:16]}"
    if name == "taxable" and language == "de":
        return "ja" if value == "yes" else "nein"
    return value


def _latin(line: str) -> str:
    """What the built-in fonts can show; ids from outside may hold anything."""
    return line.encode("latin-1", "replace").decode("latin-1")
