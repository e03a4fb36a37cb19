"""What the bus does not tell: the tax overview, the processes, the log; each as last seen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from monitor.view import RatesSeen
from shared.console import Follower
from shared.process import holder
from shared.units import Ns

LOG_LINES: Final = 60
FIDELITY_FILE: Final = "sim_fidelity.json"
NOT_SHOWN: Final = (" DEBUG ",)


class LotRow(Struct, frozen=True):
    """One lot of the overview."""

    acquired: str
    left: str
    cost: str
    currency: str
    free_from: str
    days_to_go: int
    free: bool


class TaxSeen(Struct, frozen=True):
    """The strategy's answer to `tax` (docs/operations.md). Money and coins are text."""

    currency: str
    year: int
    gain: str
    gain_free: str
    gain_taxable: str
    freigrenze: str
    room: str | None
    tax: str
    gain_after_tax: str
    gain_all_years: str
    lots: int
    total: str
    free: str
    resting_sells: str
    taxable_at_risk: str
    ages: tuple[tuple[str, int, str], ...] = ()
    unlocks: tuple[tuple[str, str], ...] = ()
    oldest: tuple[LotRow, ...] = ()
    cost: str = ""  # of the coins held, as they were bought
    net: str = ""  # of the year, with the person's other results
    room_after_resting: str | None = None  # once the resting sells fill in the worst order
    worst_resting: str = ""
    pace_left: str | None = None  # coins that may still be sold today
    pace_per_day: str | None = None
    days_until_locked: int | None = None
    notes: tuple[str, ...] = ()
    worst_spending: str = ""  # gain of the foreign money that the buys spend if all of them fill
    leaving: str = ""  # coins kept from the sells for withdrawals


class ProcessSeen(Struct, frozen=True):
    """One program of the house as the kernel lists it."""

    name: str
    pid: int
    memory_mb: float
    sockets: int = 0


class Fidelity(Struct, frozen=True):
    """How near a backtest came to what really happened (icryptotrader parity): 1 is alike.

    Coins in Sats: really filled, missed by the simulation, made up by it.
    """

    fidelity: float
    real_qty: int
    missed: int
    extra: int
    at_wall: Ns = Ns(0)  # when it was measured


class Around(Struct, frozen=True):
    """All of it."""

    tax: TaxSeen | None = None
    tax_at: Ns = Ns(0)
    processes: tuple[ProcessSeen, ...] = ()
    log: tuple[str, ...] = ()
    rates: RatesSeen | None = None
    fidelity: Fidelity | None = None
    telegram: str = ""  # what is the matter with the bot; English, the key of `words`


def read_tax(data: Mapping[str, Any]) -> TaxSeen | None:
    """None where the answer is of another version."""
    try:
        return msgspec.convert(data, TaxSeen)
    except msgspec.ValidationError:
        return None


def read_fidelity(path: Path) -> Fidelity | None:
    """The figure that `icryptotrader parity` left; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Fidelity)
    except (OSError, msgspec.MsgspecError):
        return None


def read_processes(run: Path, proc: Path = Path("/proc")) -> tuple[ProcessSeen, ...]:
    """The holders of the locks in run/ and this process, each with its memory and its sockets."""
    found: list[ProcessSeen] = []
    for path in sorted(run.glob("*.lock")):
        name = path.name.removesuffix(".lock").partition(".")[0]
        pid = holder(path)
        if pid and name != "house" and name not in [seen.name for seen in found]:
            found.append(_seen(name, pid, proc / str(pid)))
    return (*found, _seen("monitor", os.getpid(), proc / "self"))


def keep_log(known: tuple[str, ...], fresh: Iterable[str]) -> tuple[str, ...]:
    """The newest lines, without those that are for developers."""
    told = [line for line in fresh if line and not any(word in line for word in NOT_SHOWN)]
    return (*known, *told)[-LOG_LINES:]


class LogFollower:
    """New lines of the house's logs."""

    def __init__(self, folder: Path) -> None:
        self._follower = Follower(folder)

    def poll(self) -> list[str]:
        try:
            return self._follower.poll()
        except OSError:
            return []  # A file went between the listing and the look: the next poll has its heir.

    def close(self) -> None:
        self._follower.close()


def _seen(name: str, pid: int, place: Path) -> ProcessSeen:
    return ProcessSeen(name, pid, _memory_mb(place / "status"), _sockets(place / "fd"))


def _sockets(place: Path) -> int:
    """How many of its files are sockets; 0 where that may not be looked at."""
    count = 0
    try:
        for each in place.iterdir():
            with contextlib.suppress(OSError):  # Closed between the listing and the look.
                count += str(each.readlink()).startswith("socket:")
    except OSError:
        return 0
    return count


def _memory_mb(path: Path) -> float:
    try:
        text = path.read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0
