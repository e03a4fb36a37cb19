"""`icryptotrader check-capture`: recorded Kraken v2 frames through the feed's own session and book.

A book whose checksum fails is out of sync from that frame on: this first failure is counted as
failed, reported as a desync with its line, and makes the exit code 1. What follows cannot be told
right from wrong until the next snapshot; it is counted as unchecked, neither good nor failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from feed.book import Applied, Book, Crossed, OneSided
from feed.mail import CloseLine, In, LineClosed, LineOpened, Note, Out, Text
from feed.market import DEPTHS, Settings
from feed.session import Session
from icryptotrader.capture_file import CaptureError, NoFrame, read_capture
from shared.kraken import public
from shared.units import DAY, SECOND, Ns, Pair, Sats

GOOD: Final = 0
FAILED: Final = 1
UNUSABLE: Final = 2

LINES_SHOWN: Final = 10
"""Findings of one kind that are printed one by one; the rest is only counted."""


class Given(Struct, frozen=True):
    """What the caller says for captures that do not say it themselves; None: find it out."""

    pair: str | None = None
    price_precision: int | None = None
    qty_precision: int | None = None
    depth: int | None = None


class Known(Struct):
    """What the first reading found out about one symbol."""

    spec: Pair | None = None
    depth: int = 0
    levels: int = 0  # the longest side of a snapshot
    price_decimals: int = 0  # the most that were written
    qty_decimals: int = 0
    messages: int = 0
    first: public.BookRow[Decimal] | None = None  # the first snapshot


class Finding(Struct, frozen=True):
    where: str
    symbol: str
    text: str


class Report(Struct):
    """What the second reading found."""

    session: Session
    findings: list[Finding]
    unread: list[tuple[str, str]]
    desyncs: dict[str, int]


def check_capture(
    path: Path,
    pair: str | None = None,
    price_precision: int | None = None,
    qty_precision: int | None = None,
    depth: int | None = None,
) -> int:
    """Check every book of a capture and print the result.

    0: every checksum that could be verified matches. 1: a checksum failed in a book that was in
    sync until then. 2: the file cannot be used, for the one reason that is printed.

    path: JSON lines or a `{init, updates}` file, also gzipped. pair: only this symbol. The others
    serve where the capture has no instrument snapshot or acknowledgement; without them precisions
    are found from the digits and the first checksum, the depth from the length of the snapshots.
    """
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        given = Given(pair, price_precision, qty_precision, depth)
        _check_given(given)
        known = _survey(path, given)
        report = _replay(path, known, given)
        _print(console, path, report)
        return _verdict(report, console)
    except CaptureError as error:
        errors.print(f"{path}: {error}", markup=False, soft_wrap=True)
        return UNUSABLE


def _check_given(given: Given) -> None:
    if given.depth is not None and given.depth not in DEPTHS:
        raise CaptureError(f"--depth {given.depth}: use one of {', '.join(map(str, DEPTHS))}")
    for name, value in (("price", given.price_precision), ("qty", given.qty_precision)):
        if value is not None and not 0 <= value <= public.MOST_DECIMALS:
            raise CaptureError(f"--{name}-precision {value}: use 0 to {public.MOST_DECIMALS}")


# First reading: which symbols, how deep, how precise.


def _survey(path: Path, given: Given) -> dict[str, Known]:
    known: dict[str, Known] = {}
    for _, raw in read_capture(path):
        if isinstance(raw, NoFrame):
            continue
        match public.decode(raw):
            case public.BookMessage():
                exact = public.decode_exact(raw)
                if isinstance(exact, public.Dropped):
                    continue
                for row in exact.data:
                    _note_row(known.setdefault(row.symbol, Known()), row, exact.type)
            case public.InstrumentMessage(_, pairs):
                for spec in pairs:
                    known.setdefault(spec.symbol, Known()).spec = spec
            case public.Ack(method="subscribe", error="", channel="book") as ack:
                entry = known.setdefault(ack.symbol, Known())
                entry.depth = entry.depth or ack.depth
            case _:
                pass
    known = {symbol: entry for symbol, entry in known.items() if entry.messages}
    if not known:
        raise CaptureError("no book message of Kraken's WebSocket v2 in it; is it a capture?")
    if given.pair is not None:
        if given.pair not in known:
            raise CaptureError(f"no book of {given.pair} in it, but of {', '.join(known)}")
        known = {given.pair: known[given.pair]}
    if all(entry.first is None for entry in known.values()):
        raise CaptureError("it has updates but no snapshot, so nothing of it can be verified")
    return known


def _note_row(entry: Known, row: public.BookRow[Decimal], kind: public.Kind) -> None:
    entry.messages += 1
    for level in (*row.bids, *row.asks):
        entry.price_decimals = max(entry.price_decimals, _decimals(level.price))
        entry.qty_decimals = max(entry.qty_decimals, _decimals(level.qty))
    if kind == "snapshot":
        entry.levels = max(entry.levels, len(row.bids), len(row.asks))
        entry.first = entry.first or row


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return min(max(-exponent, 0), public.MOST_DECIMALS) if isinstance(exponent, int) else 0


def _spec(symbol: str, entry: Known, given: Given) -> Pair:
    """As the capture's instrument channel says, else as given, else as the digits tell."""
    if entry.spec is not None:
        return entry.spec
    price, qty = _precisions(entry, given)
    base, _, quote = symbol.partition("/")
    return Pair(symbol, base, quote, price, qty, 5, 1, 1, Sats(0), Decimal(0))


def _precisions(entry: Known, given: Given) -> tuple[int, int]:
    """The written decimals, unless only others make the first snapshot's checksum right.

    A recorder that parses and writes numbers anew loses trailing zeros: then the longest number is
    a lower bound only.
    """
    price = _candidates(given.price_precision, entry.price_decimals)
    qty = _candidates(given.qty_precision, entry.qty_decimals)
    if entry.first is not None:
        for price_decimals in price:
            for qty_decimals in qty:
                book = Book(DEPTHS[-1], price_decimals, qty_decimals)
                result = book.apply_exact(entry.first, snapshot=True)
                if isinstance(result, Applied | Crossed | OneSided):
                    return price_decimals, qty_decimals
    return price[0], qty[0]


def _candidates(given: int | None, written: int) -> Sequence[int]:
    return (given,) if given is not None else range(written, public.MOST_DECIMALS + 1)


def _depth(entry: Known, given: Given) -> int:
    if entry.depth in DEPTHS:
        return entry.depth
    return given.depth or next((d for d in DEPTHS if d >= entry.levels), DEPTHS[-1])


# Second reading: through the session, as live.


def _replay(path: Path, known: dict[str, Known], given: Given) -> Report:
    """Feed each line to the session, a nanosecond apart: no timer of it ever comes due.

    What it wants to send goes nowhere, and it never gives the line up: a recording cannot be asked.
    """
    depth = {symbol: _depth(entry, given) for symbol, entry in known.items()}
    settings = Settings(
        depth=next(iter(depth.values())),
        vwap_windows_s=(60,),
        candle_interval_min=1,
        publish_gap=SECOND,
        line_silence=DAY,
        book_silence=DAY,
        answer=DAY,
        most_desyncs=1 << 62,
    )
    session = Session(list(known), settings, Ns(1))
    report = Report(session, [], [], dict.fromkeys(known, 0))
    for symbol, entry in known.items():
        session.learn(_spec(symbol, entry, given))
        session.markets[symbol].subscribed(depth[symbol])
    line, now, connection = 0, Ns(1), ""
    for where, raw in read_capture(path):
        if isinstance(raw, NoFrame):
            report.unread.append((where, "no frame of Kraken's WebSocket v2"))
            continue
        now = Ns(now + 1)
        message = public.decode(raw)
        if isinstance(message, public.Status):
            another = connection not in ("", message.connection_id)
            connection = message.connection_id
            if another and line:
                # The recording goes on with another connection: nothing of the old one is valid.
                session.step(now, [LineClosed(line, "the capture goes on with another line")])
                now, line = Ns(session.wake_at() + SECOND), 0
        if isinstance(message, public.Dropped):
            report.unread.append((where, message.why))
        if not line:
            now, line = _open(session, now)
        _collect(report, where, session.step(now, [Text(line, raw, now)]))
    return report


def _open(session: Session, now: Ns) -> tuple[Ns, int]:
    """Let the session connect, however long it wants to wait first."""
    line = session.line
    while session.line == line:
        now = Ns(max(now + 1, session.wake_at()))
        session.step(now, [])
    opened: list[In] = [LineOpened(session.line)]
    session.step(now, opened)
    return now, session.line


def _collect(report: Report, where: str, outbox: Iterable[Out]) -> None:
    for out in outbox:
        match out:
            case Note(_, "book_desynced", fields):
                symbol = str(fields["pair"])
                report.desyncs[symbol] += 1
                text = f"out of sync from here on: {fields['why']}"
                report.findings.append(Finding(where, symbol, text))
            case Note(_, "book_resynced", fields):
                text = "in sync again: a snapshot whose checksum is right"
                report.findings.append(Finding(where, str(fields["pair"]), text))
            case CloseLine(_, why):
                raise AssertionError(f"the session gave a recording up: {why}")
            case _:
                pass


# What is printed.


def _print(console: Console, path: Path, report: Report) -> None:
    for where, why in report.unread[:LINES_SHOWN]:
        console.print(f"{where}: not understood: {why}", markup=False, soft_wrap=True)
    if len(report.unread) > LINES_SHOWN:
        console.print(f"... and {len(report.unread) - LINES_SHOWN} more lines not understood")
    for finding in report.findings[:LINES_SHOWN]:
        text = f"{finding.where}: {finding.symbol}: {finding.text}"
        console.print(text, markup=False, soft_wrap=True)
    if len(report.findings) > LINES_SHOWN:
        console.print(f"... and {len(report.findings) - LINES_SHOWN} more")
    table = Table("symbol", title=path.name, box=None, pad_edge=False)
    for name in ("messages", "verified", "failed", "unchecked", "desyncs", "resyncs"):
        table.add_column(name, justify="right")
    for symbol, market in report.session.markets.items():
        counts = market.counts
        numbers = (counts.messages, counts.verified, counts.failed, counts.unchecked)
        cells = (*numbers, report.desyncs[symbol], counts.resyncs)
        table.add_row(symbol, *map(str, cells))
    console.print(table)


def _verdict(report: Report, console: Console) -> int:
    """A sentence or two for each symbol, and the exit code."""
    code = GOOD
    for symbol, market in report.session.markets.items():
        counts = market.counts
        text = f"{symbol}: {counts.verified} of {counts.messages} checksums verified."
        if counts.failed:
            code = FAILED
            first = next(f.where for f in report.findings if f.symbol == symbol)
            end = "in sync" if market.in_sync else "out of sync"
            text += f" NOT GOOD: desynced from {first} on; at the end {end}."
        if counts.unchecked:
            text += f" {counts.unchecked} could not be checked for want of a valid snapshot."
        if counts.suspect:
            text += f" {counts.suspect} were verified, but crossed or one-sided."
        console.print(text, markup=False, soft_wrap=True)
    return code
