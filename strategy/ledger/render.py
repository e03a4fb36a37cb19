"""A report as text, CSV or JSON, in German or English; every word of it stands in one table.

Rule: what is printed is what the report says; nothing is computed here but the form's whole euros.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

import msgspec

from shared.units import SECOND, cents, plain
from strategy.ledger.notes_de import in_german
from strategy.ledger.report import NOT_COUNTED, Report, Sums, german
from strategy.ledger.year import reform_warning

Language = Literal["de", "en"]

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": (
        "Private Veräußerungsgeschäfte (§ 23 EStG), Steuerjahr",
        "Private disposals (§ 23 EStG), tax year",
    ),
    "draft": ("ENTWURF, nicht zur Abgabe", "DRAFT, not to be filed"),
    "final": ("ENDGÜLTIG", "FINAL"),
    "year_not_over": ("das Jahr ist noch nicht vorbei", "the year is not over"),
    "provisional_rates": (
        "Werte mit vorläufigem Kurs: der Kurs des Tages war noch nicht veröffentlicht",
        "values at a provisional rate: the day's own was not yet published",
    ),
    "taxpayer": ("Steuerpflichtige Person", "Taxpayer"),
    "made": ("Erstellt", "Made"),
    "version": ("Programm", "Program"),
    "method": ("Methode", "Method"),
    "method_is": (
        "FIFO je Wallet und Coin, für Haltefrist und Wert (BMF 6.3.2025, Rn. 61 f.); Kalendertage "
        "in Europe/Berlin; jede Ausführung einzeln",
        "FIFO for each wallet and coin, for period and value (BMF letter of 6 March 2025, no. 61 "
        "f.); calendar days in Europe/Berlin; each fill by itself",
    ),
    "rates": ("Kurse", "Rates"),
    "rates_are": (
        "Euro-Referenzkurse der EZB des deutschen Handelstages, sonst der letzte davor",
        "ECB euro reference rates of the German trade day, else the last one before",
    ),
    "rounding": ("Rundung", "Rounding"),
    "rounding_is": (
        "Bruttobetrag und Gebühr je einmal kaufmännisch auf Cent; Teile kumulativ, so dass sie "
        "sich aufaddieren",
        "each gross and each fee once, half up to cents; parts cumulatively, so that they add up",
    ),
    "fees": ("Gebühren", "Fees"),
    "fees_are": (
        "beim Kauf Anschaffungskosten, beim Verkauf Werbungskosten nach Menge; Gebühr in Coins "
        "beim Verkauf: eigene Veräußerung und Werbungskosten in gleicher Höhe",
        "on a purchase part of the cost, on a sale Werbungskosten by quantity; a fee in coins on a "
        "sale: a disposal of its own and Werbungskosten of the same value",
    ),
    "usd_leg": ("Fremdwährung", "Foreign currency"),
    "usd_section23": ("zählt als eigenes Wirtschaftsgut mit", "counts as an asset of its own"),
    "usd_separate": ("getrennt ausgewiesen", "told separately"),
    "usd_off": ("nicht betrachtet", "not looked at"),
    "form": ("Werte für die Anlage SO", "Values for Anlage SO"),
    "no_form": (
        "Für dieses Jahr ist kein Formular bekannt: Feldnamen ohne Zeilennummern",
        "No form of this year is known: names of fields without line numbers",
    ),
    "line": ("Zeile", "line"),
    "yes_no": (
        "Veräußerung virtueller Währungen: ja/nein",
        "Disposals of virtual currencies: yes/no",
    ),
    "designation": ("Bezeichnung", "Designation"),
    "dates": ("Zeitpunkt der Anschaffung und Veräußerung", "Dates of acquisition and disposal"),
    "see": ("siehe Aufstellung", "see schedule"),
    "proceeds": ("Veräußerungspreis", "Disposal price"),
    "cost": ("Anschaffungskosten", "Acquisition cost"),
    "werbungskosten": ("Werbungskosten", "Werbungskosten (costs of disposal)"),
    "gain": ("Gewinn / Verlust", "Gain / loss"),
    "other_assets_first": (
        "Andere Wirtschaftsgüter (Fremdwährung), ab Zeile",
        "Other assets (foreign currency), from line",
    ),
    "other_block": (
        "Andere Wirtschaftsgüter: dort stehen die Coins, ab Zeile",
        "Other assets: coins belong there, from line",
    ),
    "further_disposals": (
        "Weitere Veräußerungen laut gesonderter Aufstellung",
        "Further disposals, by separate schedule",
    ),
    "allocation": ("Zurechnung zur Person", "Allocation to the person"),
    "whole_euros": (
        "Volle Euro, zu Ihren Gunsten gerundet; genau in Klammern",
        "Whole euros, rounded in your favour; the exact amount in brackets",
    ),
    "one_of_two": (
        "Eine Veräußerung (oder die Summen mit „siehe Anlage“) füllt Bezeichnung bis Zurechnung; "
        "viele stehen mit der Aufstellung bei den weiteren Veräußerungen: nie beides",
        "One disposal (or the sums, marked as attached) fills designation to allocation; many go "
        "with the schedule to further disposals: never both",
    ),
    "need_not": (
        "Unter der Freigrenze muss nichts eingetragen werden",
        "Below the limit nothing need be entered",
    ),
    "waive_carryback": ("Verzicht auf Verlustrücktrag", "Waiver of the loss carry-back"),
    "waived": ("ja", "yes"),
    "loss_must": (
        "Ein Verlust muss erklärt werden, damit er festgestellt wird (§ 10d (4) EStG)",
        "A loss must be declared, so that it is assessed (§ 10d (4) EStG)",
    ),
    "sums": ("Ergebnis des Jahres", "Result of the year"),
    "gains": ("steuerbare Gewinne", "taxable gains"),
    "losses": ("steuerbare Verluste", "taxable losses"),
    "currency": ("Fremdwährung", "foreign currency"),
    "external": ("andere Ergebnisse nach § 23", "other results under § 23"),
    "net": ("Gesamtgewinn", "total gain (Gesamtgewinn)"),
    "with_money": (
        "zum Vergleich: Gesamtgewinn mit der Fremdwährung",
        "for comparison: total gain with the foreign currency",
    ),
    "without_money": (
        "zum Vergleich: Gesamtgewinn ohne die Fremdwährung",
        "for comparison: total gain without the foreign currency",
    ),
    "limit": ("Freigrenze", "limit (Freigrenze)"),
    "exempt": ("unter der Freigrenze, steuerfrei", "below the limit, exempt"),
    "before_loss": ("vor Verlustabzug", "before losses of other years"),
    "forward_in": ("Verlustvortrag zu Beginn", "carried loss at the beginning"),
    "forward_used": ("davon verbraucht", "of it used"),
    "back_in": ("Verlustrücktrag aus dem Folgejahr", "loss carried back from the next year"),
    "back_out": ("Verlustrücktrag ins Vorjahr", "loss carried back to the year before"),
    "taxable": ("zu versteuern", "taxed"),
    "estimate": (
        "Steuer darauf, geschätzt (tax.marginal_rate)",
        "tax on it, estimated (tax.marginal_rate)",
    ),
    "forward_out": ("Verlustvortrag am Ende", "carried loss at the end"),
    "free": (
        "Nur zur Information: steuerfrei nach einem Jahr",
        "For information: free after a year",
    ),
    "new_stock": (
        "Ab 2027 angeschafft, nach dem Reformentwurf zu versteuern (25 %)",
        "Acquired from 2027 on, taxed under the draft reform (25 %)",
    ),
    "parts": ("Teile", "parts"),
    "turnover": ("Umsätze (zum Abgleich mit Meldungen der Plattform)", "Turnover (to compare)"),
    "held": ("Bestände am 31.12. (Vorjahr, Jahr)", "Holdings on 31 December (year before, year)"),
    "open": (
        "Offene Lots bei Erstellung, mit erstem steuerfreien Tag",
        "Open lots when this was made, with their first free day",
    ),
    "unbooked": (
        "In den Rohdateien, aber nicht gebucht",
        "In the raw files, but not booked",
    ),
    "notes": ("Hinweise", "Notes"),
    "manual": ("Von Hand eingetragen", "Entered by hand"),
    "files": ("Rohdateien (SHA-256)", "Raw files (SHA-256)"),
    "rates_until": ("Kurse bis", "Rates until"),
    "fills": ("Prüfsumme der Ausführungen", "Checksum of the fills"),
    "movements": ("Prüfsumme der Bewegungen", "Checksum of other events"),
    "gewerblich": (
        "Viele Geschäfte allein machen nicht gewerblich; ob es so ist, entscheidet das Finanzamt",
        "Many trades alone are no trade or business; whether it is one, the tax office decides",
    ),
    "advice": ("Keine Steuerberatung.", "No tax advice."),
}

MANY_TRADES: Final = 1000


def text(report: Report, language: Language) -> str:
    """The report for people: cover, form, result, information; the schedule is a table apart."""
    return "\n".join([*_cover(report, language), *_body(report, language)]) + "\n"


def word(name: str, language: Language) -> str:
    """A label in the language asked for."""
    return _WORDS[name][0 if language == "de" else 1]


def schedule_csv(report: Report) -> str:
    """One line for each part; columns as in the report's rows."""
    out = io.StringIO(newline="")
    names = list(report.schedule[0]) if report.schedule else ["nr"]
    table = csv.DictWriter(out, names, lineterminator="\r\n")
    table.writeheader()
    for row in report.schedule:
        table.writerow({name: _tame(value) for name, value in row.items()})
    return out.getvalue()


def cointracking_csv(report: Report) -> str:
    """The layout that CoinTracking writes and WISO reads; taxable and free parts alike.

    Foreign money is there where it counts (`usd_leg`), so that its sum is the report's.
    """
    out = io.StringIO(newline="")
    out.write(f"Identifier:iCryptoTrader,Method:FIFO,Tax_Year:{report.year},Base_Currency:EUR\r\n")
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(
        ["Amount", "Currency", "Date Sold", "Date Acquired", "Short/Long", "Buy/Input at",
         "Sell/Output at", "Proceeds", "Cost Basis", "Gain/Loss"]
    )  # fmt: skip
    for row in report.schedule:
        if NOT_COUNTED in row["note"]:
            continue
        sold, bought = row["disposed_at"], row["acquired_at"] or row["disposed_at"]
        cost = Decimal(row["cost_eur"]) + Decimal(row["werbungskosten_eur"])
        table.writerow(
            [row["quantity"], row["coin"], _german(sold), _german(bought),
             "Short" if row["taxable"] == "yes" else "Long", row["account"], row["account"],
             row["proceeds_eur"], plain(cost), row["gain_eur"]]
        )  # fmt: skip
    return out.getvalue()


def json(report: Report) -> str:
    """Everything as one document; amounts as text, keys in a fixed order."""
    raw = msgspec.json.encode(report)
    return msgspec.json.format(raw, indent=1).decode() + "\n"


def form_fields(report: Report, language: Language) -> list[tuple[str, int | None, str]]:
    """(field, line number of that year's form or None, value) in the order of the form."""
    lines, coins = report.lines, report.coins
    numbers = msgspec.structs.asdict(lines) if lines else {}
    numbers["other_block"] = numbers.get("other_assets_first")
    crypto: list[tuple[str, str]] = [
        ("yes_no", word("waived", language) if coins.parts else "-"),
        ("designation", ", ".join(dict.fromkeys(_coins(report))) or "-"),
        ("dates", word("see", language)),
        ("proceeds", _both(coins.proceeds)),
        ("cost", _both(coins.cost, ROUND_CEILING)),
        ("werbungskosten", _both(coins.costs, ROUND_CEILING)),
        ("gain", _both(coins.net)),
    ]
    if lines and not lines.dedicated_crypto_block:
        crypto[0] = ("other_block", "")
    total = coins.net
    if report.settings.usd_leg == "section23" and report.money.parts:
        crypto.append(("other_assets_first", _both(report.money.net)))
        total += report.money.net
    crypto += [("allocation", _both(total)), ("further_disposals", _both(total))]
    if report.year in report.settings.waived:
        crypto.append(("waive_carryback", word("waived", language)))
    return [(word(name, language), numbers.get(name), value) for name, value in crypto]


def _coins(report: Report) -> Iterator[str]:
    for row in report.schedule:
        if row["taxable"] == "yes" and "foreign currency" not in row["note"]:
            yield row["coin"]


def _cover(report: Report, language: Language) -> Iterator[str]:
    def say(name: str, value: str) -> str:
        return f"{word(name, language) + ':':32} {value}"

    made = report.made
    yield f"{word('title', language)} {report.year}"
    reasons = "; ".join(word(each, language) for each in report.not_final)
    yield f"{word('draft', language)}: {reasons}" if reasons else word("final", language)
    yield ""
    yield say("taxpayer", "________________________")
    yield say("made", f"{datetime.fromtimestamp(made.wall // SECOND, UTC):%Y-%m-%d %H:%M} UTC")
    yield say("version", f"iCryptoTrader {made.version}")
    for name in ("method", "rates", "rounding", "fees"):
        yield say(
            name, word(f"{name}_is" if name in ("method", "rounding") else f"{name}_are", language)
        )
    yield say("usd_leg", word(f"usd_{report.settings.usd_leg}", language))
    if made.rates_until:
        yield say("rates_until", made.rates_until)
    yield say("fills", made.head)
    yield say("movements", made.movement_head)


def _body(report: Report, language: Language) -> Iterator[str]:
    yield from _section("form", language)
    if report.lines is None:
        yield word("no_form", language)
    for name, line, value in form_fields(report, language):
        where = f"{word('line', language)} {line}" if line else ""
        yield f"  {where:10} {name:52} {value}"
    yield f"  {word('whole_euros', language)}"
    yield f"  {word('one_of_two', language)}"
    if report.result.exempt:
        yield f"  {word('need_not', language)}"
    if report.result.net < 0:
        yield f"  {word('loss_must', language)}"
    yield from _section("sums", language)
    yield from _result(report, language)
    yield from _section("free", language)
    yield f"  {report.free.parts} {word('parts', language)}: {_sum_line(report.free)}"
    if report.new_stock.parts:
        yield from _section("new_stock", language)
        yield f"  {report.new_stock.parts} {word('parts', language)}: {_sum_line(report.new_stock)}"
    yield from _section("turnover", language)
    for asset, side, qty, gross in report.turnover:
        yield f"  {asset} {side:10} {plain(qty):>20} {plain(gross):>20}"
    yield from _section("held", language)
    for held in report.held:
        yield f"  {held.account} {held.asset} {plain(held.opening)}, {plain(held.closing)}"
    yield from _section("open", language)
    for lot in report.open_lots:
        yield (
            f"  {lot.asset} {plain(lot.qty):>18} {plain(lot.cost_eur):>14} EUR  {lot.acquired} -> "
            f"{lot.first_free_day}  {lot.lot}{' ?' if lot.doubtful else ''}"
        )
    yield from _section("notes", language)
    warning = reform_warning(date(report.year, 12, 31), enacted=report.settings.reform_enacted)
    many = [word("gewerblich", language)] if len(report.schedule) >= MANY_TRADES else []
    told = (*report.notes, *([warning] if warning else []))
    for note in (*(_told(each, language) for each in told), *many, word("advice", language)):
        yield f"  {note}"
    if report.unbooked:
        yield from _section("unbooked", language)
        yield from (f"  {_told(note, language)}" for note in report.unbooked)
    if report.manual:
        yield from _section("manual", language)
        yield f"  {', '.join(report.manual)}"
    if report.made.files:
        yield from _section("files", language)
        for name, kind, sha256 in report.made.files:
            yield f"  {sha256}  {kind:16} {name}"


def _result(report: Report, language: Language) -> Iterator[str]:
    result, external = report.result, report.settings.external.get(report.year, Decimal(0))
    rows: list[tuple[str, Decimal]] = [
        ("gains", report.coins.gains),
        ("losses", -report.coins.losses),
        ("currency", report.money.net),
        ("external", external),
        ("net", result.net),
        *_other_total(report),
        ("limit", result.limit),
        ("before_loss", result.before_loss),
        ("forward_in", result.forward_in),
        ("forward_used", result.forward_used),
        ("back_in", result.back_in),
        ("back_out", result.back_out),
        ("taxable", result.taxable),
        ("estimate", result.taxable * report.settings.marginal_rate),
        ("forward_out", result.forward_out),
    ]
    for name, value in rows:
        yield f"  {word(name, language):52} {plain(cents(value)):>16} EUR"
    if result.exempt:
        yield f"  {word('exempt', language)}"


def _told(note: str, language: Language) -> str:
    return in_german(note) if language == "de" else note


def _other_total(report: Report) -> Iterator[tuple[str, Decimal]]:
    """The other of the two totals (docs/tax.md), where foreign money was looked at."""
    match report.settings.usd_leg:
        case "section23":
            yield "without_money", report.other_total
        case "separate":
            yield "with_money", report.other_total
        case "off":
            return


def _section(name: str, language: Language) -> Iterator[str]:
    yield ""
    yield word(name, language)


def _sum_line(sums: Sums) -> str:
    return (
        f"{plain(sums.proceeds)} - {plain(sums.cost)} - {plain(sums.costs)} = {plain(sums.net)} EUR"
    )


def _both(value: Decimal, favour: str = ROUND_FLOOR) -> str:
    """Whole euros as the form wants them, and the exact amount.

    Cents go in the person's favour: half up would enter 999.99 as the limit itself.
    """
    whole = value.quantize(Decimal(1), rounding=favour)
    return f"{plain(whole):>10}  ({plain(value)})"


def _german(moment: str) -> str:
    return german(date.fromisoformat(moment[:10]))


def _tame(value: str) -> str:
    """Spreadsheets run a cell that begins like a formula: ids from outside get a quote before."""
    return f"'{value}" if value[:1] in ("=", "+", "@") else value
