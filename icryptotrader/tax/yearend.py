"""`icryptotrader tax year-end`: the pack of the year that has ended, made by itself and kept.

Rule 1: a draft is made anew once its evidence or a setting has changed; what is final stays.
Rule 2: a running strategy is told, so that its log, the dashboard and the telephone say so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from icryptotrader.lots import LEDGER, house_wall
from icryptotrader.tax.report import EVIDENCE, Packed, pack_into, read_pack, report_of, settings_of
from shared.bus import BusError, ControlClient
from shared.config import Config, Home
from shared.control import CONTROL_VERSION, Announce, encode_request
from shared.process import holder
from strategy.ledger.book import BookError
from strategy.ledger.evidence import Evidence
from strategy.ledger.parts import day_of
from strategy.ledger.records import LedgerError
from strategy.ledger.report import Report

Tell = Callable[[str], None]


class Kept(Struct, frozen=True):
    """What a pack that is there follows from, and whether it is final."""

    packed: Packed
    final: bool


def year_end(home: Home, config: Config, tell: Tell) -> int:
    """Make or renew the pack of the last German year. 0, or 1 where it cannot be made."""
    year = day_of(house_wall(home)).year - 1
    folder = home.path / "reports" / str(year)
    if not (home.data / LEDGER).exists():
        return 0
    kept = _kept(folder)
    if kept is not None and kept.final:
        return 0
    try:
        packed, evidence = read_pack(home, year, settings_of(config, year, {}, {}))
        if not any(day_of(event.wall).year <= year for event in evidence.events()):
            return 0
        if kept is not None and _same(kept.packed, packed):
            return 0
        made = report_of(packed)
        _put(folder, packed, evidence, made)
    except (LedgerError, BookError, OSError) as error:
        tell(f"no report of {year}: {error}")
        return 1
    text = _words(made, folder)
    tell(text)
    _announce(home, text)
    return 0


def _words(made: Report, folder: Path) -> str:
    status = "final" if not made.not_final else f"a draft ({', '.join(made.not_final)})"
    result = made.result
    return (
        f"the tax report of {made.year} is {status}: {folder}; net {result.net} EUR of a limit of "
        f"{result.limit}, taxed {result.taxable}. Look through it, then: icryptotrader tax report "
        f"{made.year}"
    )


def _same(old: Packed, new: Packed) -> bool:
    """But for the moment: nothing that the report follows from has changed."""
    return replace(old, wall=new.wall) == new


def _kept(folder: Path) -> Kept | None:
    """None where there is no pack that can be read."""
    try:
        packed = msgspec.json.decode((folder / EVIDENCE).read_bytes(), type=Packed)
        final = not report_of(packed).not_final
    except (OSError, msgspec.MsgspecError, BookError, AssertionError):
        return None
    return Kept(packed, final)


def _put(folder: Path, packed: Packed, evidence: Evidence, made: Report) -> None:
    """The new pack under its name; a draft that stood there is gone then, and not before."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh, stale = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for left in (fresh, stale):
        shutil.rmtree(left, ignore_errors=True)
    pack_into(fresh, packed, evidence, made)
    if folder.exists():
        folder.rename(stale)
    fresh.rename(folder)
    shutil.rmtree(stale, ignore_errors=True)


def _announce(home: Home, text: str) -> None:
    """To a running strategy; where none answers, the report is there all the same."""
    if not holder(home.run / "strategy.lock"):
        return
    request = Announce(CONTROL_VERSION, f"y{os.getpid():09}", "report", text[:500])
    here = Path.cwd()
    try:
        os.chdir(home.path)  # a unix socket's path may have 107 bytes only
        ControlClient(Path("run/strategy.ctl")).ask(encode_request(request))
    except (BusError, OSError):
        return
    finally:
        os.chdir(here)
