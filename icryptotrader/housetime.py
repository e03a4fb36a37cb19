"""House time across runs: a later run never begins before the last moment of an earlier one.

A house that runs faster than the machine's wall clock is ahead of it when it stops. Orders, trades
and the ledger are dated in house time, so the next run goes on from there.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.units import SECOND, Ns

SAVE_EACH_S: Final = 2.0
"""How often a running house notes its time."""

LONGEST_AFTERLIFE: Final = 90 * SECOND
"""Real ns for which the programs may outlive a `run` that was killed: they still drain."""


class Moment(Struct, frozen=True, forbid_unknown_fields=True):
    """The last moment a run is known to have reached."""

    wall: int  # house wall time, ns
    boot: int  # the machine's boot time then, unscaled, ns
    boot_id: str  # which boot of the machine
    speed: int
    closed: bool  # nothing of that run lived on after this moment


class HouseTimeError(Exception):
    """The note of an earlier run cannot be read, so a new one could turn time back."""


def earliest_wall(last: Moment | None, machine_wall: int, boot: int, boot_id: str) -> Ns:
    """The wall time (ns) at which a new run may begin.

    machine_wall, boot, boot_id: the machine's own, now.
    """
    if last is None:
        return Ns(machine_wall)
    reached = last.wall + SECOND
    if not last.closed:
        since = boot - last.boot if boot_id == last.boot_id else LONGEST_AFTERLIFE
        reached += min(max(since, 0), LONGEST_AFTERLIFE) * last.speed
    return Ns(max(machine_wall, reached))


def save(path: Path, moment: Moment) -> None:
    """Write atomically and durably."""
    text = (
        "# Written by `icryptotrader run`: the last moment of house time. Do not edit.\n"
        f"wall = {moment.wall}\nboot = {moment.boot}\nboot_id = '{moment.boot_id}'\n"
        f"speed = {moment.speed}\nclosed = {str(moment.closed).lower()}\n"
    )
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load(path: Path) -> Moment | None:
    """None before the first run; HouseTimeError where the file is damaged."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Moment)
    except FileNotFoundError:
        return None
    except (ValueError, OSError, msgspec.ValidationError) as error:
        raise HouseTimeError(
            f"{path}: {error}; `icryptotrader run --fresh` archives this account and begins anew"
        ) from None


def read_boot_id() -> str:
    """The kernel's name for this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
