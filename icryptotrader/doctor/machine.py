"""The doctor's checks of the machine: clock, zones, disk, memory, ports, files."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icryptotrader.doctor.findings import Finding, Patient, fail, ok, skip, warn
from icryptotrader.startup import is_free
from shared.clock import perf
from shared.config import ROOT

LEAST_FREE_MB: Final = 200
GOOD_FREE_MB: Final = 2_000
LEAST_MEMORY_MB: Final = 300
SLOW_SYNC_MS: Final = 50.0
TIME_ERROR: Final = 5
"""adjtimex's answer where the clock is not kept by anybody."""

VOLATILE: Final = ("tmpfs", "ramfs", "overlay")
REMOTE: Final = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p")


def python(patient: Patient) -> Finding:
    told = ".".join(map(str, sys.version_info[:3]))
    if not __debug__:
        return fail("Python runs with -O: assertions are off", "unset PYTHONOPTIMIZE")
    return ok(f"Python {told}, assertions on")


def packages(patient: Patient) -> Finding:
    """The locked ones are those that are installed."""
    text = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    other = []
    for line in text.splitlines():
        name, found, rest = line.partition("==")
        # A line with a marker is for other machines or other Pythons.
        if not found or ";" in line or line.startswith((" ", "#")):
            continue
        wanted = rest.split()[0].rstrip("\\")
        try:
            has = version(name)
        except PackageNotFoundError:
            has = "not there"
        if has != wanted:
            other.append(f"{name} is {has}, locked is {wanted}")
    if other:
        return warn("; ".join(other[:3]), "run: make setup")
    return ok("all packages are the locked ones")


def clock_kept(patient: Patient) -> Finding:
    """The kernel knows whether somebody (NTP) keeps its clock."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = int(libc.adjtimex(ctypes.create_string_buffer(512)))
    if state < 0:
        return skip("the kernel does not tell about its clock here")
    if state == TIME_ERROR:
        text = "nobody keeps this machine's clock"
        return warn(text, "run: sudo timedatectl set-ntp true   (or install chrony)")
    return ok("the clock is kept by a time service")


def zone_data(patient: Patient) -> Finding:
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        return fail("no time zone data for Europe/Berlin", "run: make setup   (installs tzdata)")
    return ok("Europe/Berlin is known: German dates are right")


def disk_space(patient: Patient) -> Finding:
    free_mb = shutil.disk_usage(_nearest(patient.home.path)).free // 1_000_000
    text = f"{free_mb:,} MB free at {patient.home.path}"
    if free_mb < LEAST_FREE_MB:
        return fail(text, "make room: without it nothing can be booked")
    if free_mb < GOOD_FREE_MB:
        return warn(text, "make room: the journal grows by up to 0.5 GB a day")
    return ok(text)


def disk_sync(patient: Patient) -> Finding:
    """How long a durable write takes: each booked fill waits for one."""
    if not patient.home.path.is_dir():
        return skip("there is no home yet; `icryptotrader run` makes it")
    path = patient.home.path / f".doctor.{os.getpid()}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            begin = perf()
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)
            took_ms = (perf() - begin) / 1e6
        finally:
            os.close(descriptor)
            path.unlink()
    except OSError as error:
        return fail(f"cannot write to {patient.home.path}: {error.strerror}", "choose --home DIR")
    if took_ms > SLOW_SYNC_MS:
        return warn(f"a durable write takes {took_ms:.0f} ms", "use a local SSD for the home")
    return ok(f"a durable write takes {took_ms:.1f} ms")


def disk_kind(patient: Patient) -> Finding:
    """A ledger belongs on a disk that is here tomorrow."""
    kind = _filesystem(_nearest(patient.home.path))
    if kind in VOLATILE[:2]:
        return fail(f"the home is on {kind}: gone at power off", "choose --home DIR on a disk")
    if kind in VOLATILE:
        return warn(f"the home is on {kind} (a container's own layer)", "mount a volume for it")
    if kind in REMOTE:
        return warn(f"the home is on {kind}", "SQLite needs a local disk: choose --home DIR")
    return ok(f"the home is on {kind}")


def memory(patient: Patient) -> Finding:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free_mb = int(line.split()[1]) // 1024
            if free_mb < LEAST_MEMORY_MB and not patient.running:
                return warn(f"{free_mb} MB of memory free", f"{LEAST_MEMORY_MB} MB are needed")
            return ok(f"{free_mb:,} MB of memory free")
    return skip("the kernel does not tell about its memory")


def home_rights(patient: Patient) -> Finding:
    path = patient.home.path
    if not path.exists():
        return skip("there is no home yet; `icryptotrader run` makes it")
    found = path.stat()
    if found.st_uid != os.getuid():
        return fail(f"{path} belongs to user {found.st_uid}", "run as the user who owns it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        return fail(f"others may enter {path}", f"run: chmod 700 {path}")
    return ok(f"{path} is the owner's alone")


def secret_files(patient: Patient) -> Finding:
    """Every file of ours that may hold a secret."""
    home = patient.home
    wanted = [ROOT / "config" / "user.toml", home.path / "user.toml", home.session_file]
    wanted += [home.data / "dashboard_token", home.data / "demo_key.toml"]
    if patient.loaded is not None:
        named = (patient.config.kraken.key_file, patient.config.kraken.cancel_key_file)
        wanted += [Path(name).expanduser() for name in named if name]
    open_to = [p for p in wanted if p.exists() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    if open_to:
        names = " ".join(str(path) for path in open_to)
        return fail(f"others may read {names}", f"run: chmod 600 {names}")
    return ok("files with secrets are the owner's alone")


def ports(patient: Patient) -> Finding:
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.running:
        return ok("the house runs and has its ports")
    config = patient.config
    wanted = {"web.port": config.web.port, "metrics.port": config.metrics.port}
    if config.mode == "demo":
        wanted |= {"demo.public_port": config.demo.public_port}
        wanted |= {"demo.private_port": config.demo.private_port}
    taken = [f"{name} {port}" for name, port in wanted.items() if not is_free("127.0.0.1", port)]
    if taken:
        text = f"taken: {', '.join(taken)}"
        return warn(text, "`run` takes the next free ones; or choose others in user.toml")
    return ok("all ports are free")


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _filesystem(path: Path) -> str:
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        mount = fields[1].replace("\\040", " ")
        inside = str(path) == mount or str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


MACHINE_CHECKS: Final[tuple[tuple[str, Callable[[Patient], Finding]], ...]] = (
    ("python", python),
    ("packages", packages),
    ("clock", clock_kept),
    ("time zone", zone_data),
    ("disk space", disk_space),
    ("disk speed", disk_sync),
    ("disk kind", disk_kind),
    ("memory", memory),
    ("home", home_rights),
    ("secret files", secret_files),
    ("ports", ports),
)
