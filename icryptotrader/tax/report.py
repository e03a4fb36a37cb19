"""`icryptotrader tax report`: from the home's ledger to a report, its files and its evidence pack.

Rule: the pack holds all that its files follow from; `verify` makes them again from it and compares
every byte.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rich.progress import track

from icryptotrader.files import write_whole
from icryptotrader.lots import LEDGER, house_wall
from icryptotrader.tax.pdf import pdf
from shared.config import Config, Home
from shared.units import Ns
from shared.version import build as build_of_this
from strategy.ledger.book import BookError, keep
from strategy.ledger.entries import FillEntry, MovementEntry, RateEntry
from strategy.ledger.events import Exchanged, in_order, is_told_again
from strategy.ledger.evidence import Evidence, movement_head_of, read_evidence
from strategy.ledger.history import TABLES, read_history
from strategy.ledger.kraken_csv import CsvError
from strategy.ledger.parts import Row
from strategy.ledger.rates import CURRENCIES, RatesError, parse
from strategy.ledger.records import LedgerError, head_of
from strategy.ledger.render import Language, cointracking_csv, json, schedule_csv, text
from strategy.ledger.report import Made, Report, Settings, build

Tell = Callable[[str], None]

FORMATS: Final[dict[str, Callable[[Report, Language], bytes]]] = {
    "text": lambda report, language: text(report, language).encode(),
    "csv": lambda report, language: schedule_csv(report).encode(),
    "cointracking": lambda report, language: cointracking_csv(report).encode(),
    "json": lambda report, language: json(report).encode(),
    "pdf": pdf,
}

PACK: Final = (
    ("report-de.txt", "text", "de"), ("report-en.txt", "text", "en"), ("schedule.csv", "csv", "de"),
    ("cointracking.csv", "cointracking", "de"), ("report.json", "json", "de"),
    ("report-de.pdf", "pdf", "de"),
)  # fmt: skip
EVIDENCE: Final = "evidence.json"
RAW: Final = "raw"
MANY: Final = 5_000
"""Parts from which on a bar shows how far the report is."""


class Packed(Struct, frozen=True):
    """What a pack's files follow from; the raw files lie beside it by their hashes."""

    year: int
    wall: Ns
    version: str
    settings: Settings
    fills: tuple[FillEntry, ...]
    movements: tuple[MovementEntry, ...]
    rates: tuple[RateEntry, ...]
    files: tuple[tuple[str, str, str, Ns], ...]  # sha256, name, kind, when it was read in
    head: str
    movement_head: str
    unbooked: tuple[str, ...] = ()  # what the raw files say and was not booked


def settings_of(
    config: Config, year: int, external: dict[int, Decimal], carried: dict[int, Decimal]
) -> Settings:
    """The operator's word: the configuration, by year and of this year, then the command line.

    year: that of the report; what [tax] says without naming a year is said about it alone.
    """
    tax = config.tax
    told = [tax.of_year(each) for each in sorted({year, *(each.year for each in tax.years)})]
    others = {each.year: each.external_s23_net_eur for each in told if each.external_s23_net_eur}
    assessed = {year: tax.loss_carryforward_eur} if tax.loss_carryforward_eur else {}
    for own in tax.years:
        # Said of a year by name, even 0 stands in place of what was computed.
        if own.loss_carryforward_eur is not None:
            assessed[own.year] = own.loss_carryforward_eur
    return Settings(
        external=dict(sorted((others | external).items())),
        assessed=dict(sorted((assessed | carried).items())),
        waived=tuple(each.year for each in told if each.waive_carryback),
        usd_leg=tax.usd_leg,
        marginal_rate=Decimal(str(tax.marginal_rate)),
        safety_days=tax.holding_safety_days,
        reform_enacted=tax.reform_enacted,
    )


def read_pack(home: Home, year: int, settings: Settings) -> tuple[Packed, Evidence]:
    """What a report of this home follows from, as of now; LedgerError says why not."""
    evidence = read_evidence(home.data / LEDGER, files=True)
    used = {event.currency for event in evidence.events() if isinstance(event, Exchanged)}
    packed = Packed(
        year=year,
        wall=house_wall(home),
        version=build_of_this(),
        settings=settings,
        fills=evidence.fills,
        movements=evidence.movements,
        rates=tuple(entry for entry in evidence.rates if entry.rate.currency in used),
        files=tuple((each.sha256, each.name, each.kind, each.wall) for each in evidence.files),
        head=evidence.head,
        movement_head=evidence.movement_head,
        unbooked=_unbooked(evidence),
    )
    return packed, evidence


def _unbooked(evidence: Evidence) -> tuple[str, ...]:
    """What an import has told of rows it did not book: a reader of the report must know, too."""
    tables = {
        file.sha256: file.data.decode("utf-8-sig") for file in evidence.files if file.kind in TABLES
    }
    try:
        return read_history(tables).notes
    except CsvError as error:
        raise LedgerError(f"a raw file cannot be read any more: {error}") from error


def report_of(packed: Packed, *, bar: bool = False) -> Report:
    """The report that follows from a pack; BookError where a rate is missing."""
    evidence = Evidence(
        packed.fills, packed.movements, packed.rates, (), packed.head, packed.movement_head
    )
    events = in_order(evidence.events())
    settings, rates = packed.settings, evidence.known_rates()
    book = keep(
        events,
        rates,
        track_currencies=settings.usd_leg != "off",
        reform_enacted=settings.reform_enacted,
    )
    newest = max((entry.rate.day for entry in packed.rates), default=None)
    made = Made(
        wall=packed.wall,
        version=packed.version,
        head=packed.head,
        movement_head=packed.movement_head,
        rates_until=newest.isoformat() if newest else "",
        rate_sources=tuple(dict.fromkeys(entry.source for entry in packed.rates)),
        files=tuple((name, kind, sha256) for sha256, name, kind, _ in packed.files),
    )
    watch = _bar if bar else iter
    return build(packed.year, book, events, settings, made, packed.unbooked, watch)


def report(
    home: Home,
    settings: Settings,
    year: int,
    form: str,
    language: Language,
    output: Path | None,
    *,
    final: bool,
    tell: Tell,
) -> int:
    """Print or write one form of a year's report. 0, or 1 where it cannot be made."""
    try:
        packed, _ = read_pack(home, year, settings)
        made = report_of(packed, bar=True)
        if final and made.not_final:
            tell(f"no final report of {year}: {', '.join(made.not_final)}")
            return 1
        data = FORMATS[form](made, language)
        if output is not None:
            write_whole(output, data)
            tell(f"{output}: {len(data):,} bytes")
        elif form == "pdf":
            tell("a PDF is written to a file: name one with -o FILE")
            return 1
        else:
            tell(data.decode().rstrip("\n"))
    except (LedgerError, BookError, OSError) as error:
        tell(str(error))
        return 1
    return 0


def write_pack(home: Home, settings: Settings, year: int, folder: Path, tell: Tell) -> int:
    """Write the evidence pack of a year into a new folder. 0, or 1 where it cannot be made."""
    if folder.exists():
        tell(f"{folder} exists already: name a folder that is not there yet")
        return 1
    try:
        packed, evidence = read_pack(home, year, settings)
        made = report_of(packed, bar=True)
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        pack_into(part, packed, evidence, made)
        part.rename(folder)
    except (LedgerError, BookError, OSError) as error:
        tell(str(error))
        return 1
    status = ", ".join(made.not_final)
    tell(f"{folder}: {'draft (' + status + ')' if status else 'final'}, {len(PACK)} files")
    return 0


def pack_into(folder: Path, packed: Packed, evidence: Evidence, made: Report) -> None:
    """Every file of a pack into a folder that is not there yet."""
    (folder / RAW).mkdir(parents=True, mode=0o700)
    for file in evidence.files:
        write_whole(folder / RAW / file.sha256, file.data)
    write_whole(folder / EVIDENCE, _encoded(packed))
    for name, form, language in PACK:
        write_whole(folder / name, FORMATS[form](made, _language(language)))


def verify_pack(folder: Path, tell: Tell) -> int:
    """Make a pack's files again from its evidence and compare every byte. 0 equal, 1 not."""
    made_by = ""
    try:
        raw = (folder / EVIDENCE).read_bytes()
        packed = msgspec.json.decode(raw, type=Packed)
        made_by = packed.version
        found = [*_evidence_faults(folder, packed, raw)]
        made = report_of(packed)
        for name, form, language in PACK:
            if (folder / name).read_bytes() != FORMATS[form](made, _language(language)):
                found.append(f"{name}: is not what follows from the evidence")
    except (
        OSError, msgspec.MsgspecError, BookError, CsvError, RatesError, UnicodeDecodeError,
        AssertionError,
    ) as error:  # fmt: skip
        found = [f"{folder}: cannot be verified: {error}"]
    for fault in found:
        tell(fault)
    if found and made_by not in ("", build_of_this()):
        tell(_explained(made_by))
    elif not found:
        same = "" if made_by == build_of_this() else f" (made by {made_by}, now {build_of_this()})"
        tell(f"{folder}: every byte follows from the evidence{same}")
    return 1 if found else 0


def _explained(made_by: str) -> str:
    """What to try where another build made the pack."""
    commit = made_by.partition("+g")[2]
    how = f"in a checkout: git checkout {commit}, make setup, then" if commit else "with that one:"
    return (
        f"the pack was made by {made_by}, this is {build_of_this()}: another build may write a "
        f"report otherwise; {how} icryptotrader tax verify-report"
    )


def _evidence_faults(folder: Path, packed: Packed, raw: bytes) -> Iterable[str]:
    """What is wrong with the evidence itself: chains, and raw files that were changed or lack."""
    if _encoded(packed) != raw:
        yield f"{EVIDENCE}: holds more than a pack holds"
    if head_of(packed.fills) != packed.head:
        yield "the fills do not make the hash they are named by"
    if movement_head_of(packed.movements) != packed.movement_head:
        yield "the movements do not make the hash they are named by"
    known = {sha256 for sha256, _, _, _ in packed.files}
    sources = [entry.source for entry in packed.movements]
    sources += [entry.source for entry in packed.rates]
    for source in dict.fromkeys(sources):
        if source not in known:
            yield f"the raw file {source} is not in the pack"
    raw_files = {sha256: (folder / RAW / sha256).read_bytes() for sha256 in known}
    for sha256, name, _, _ in packed.files:
        if hashlib.sha256(raw_files[sha256]).hexdigest() != sha256:
            yield f"raw file {name}: was changed"
            return
    yield from _told_otherwise(packed, raw_files)


def _told_otherwise(packed: Packed, raw_files: dict[str, bytes]) -> Iterator[str]:
    """What the evidence holds and its own raw files say otherwise, or not at all."""
    kinds = {sha256: kind for sha256, _, kind, _ in packed.files}
    rates = {sha256: None for sha256, kind in kinds.items() if kind == "ecb-rates"}
    published = {sha256: frozenset(parse(raw_files[sha256], CURRENCIES)) for sha256 in rates}
    for entry in packed.rates:
        if entry.rate not in published.get(entry.source, (entry.rate,)):
            yield f"the rate of {entry.rate.day} for {entry.rate.currency} is not the ECB's"
    history = read_history(
        {
            sha256: raw_files[sha256].decode("utf-8-sig")
            for sha256, kind in kinds.items()
            if kind in TABLES
        }
    )
    if history.notes != packed.unbooked:
        yield "what was not booked is not what the raw files say"
    fills = {entry.fill.exec_id: entry.fill for entry in packed.fills}
    for fill in history.fills:
        mine = fills.get(fill.exec_id, fill)
        if (mine.pair, mine.side, mine.qty) != (fill.pair, fill.side, fill.qty):
            yield f"fill {fill.exec_id}: the raw files say otherwise"
    moved = {entry.event.id: entry.event for entry in packed.movements}
    for event in history.events:
        if not is_told_again(moved.get(event.id, event), event):
            yield f"{event.id}: the raw files say otherwise"


def _encoded(packed: Packed) -> bytes:
    # Fields in their order, years in theirs: the same pack is the same text.
    return msgspec.json.format(msgspec.json.encode(packed), indent=1) + b"\n"


def _language(name: str) -> Language:
    return "de" if name == "de" else "en"


def _bar(rows: list[Row]) -> Iterable[Row]:
    """The rows, with a bar on standard error where there are many."""
    if len(rows) < MANY:
        return rows
    from rich.console import Console

    return track(rows, description="schedule", console=Console(stderr=True), transient=True)
