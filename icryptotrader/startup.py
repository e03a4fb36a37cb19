"""Everything that is checked and settled before the first program of the house is started.

Rule 1: all faults are told at once, each with its remedy, and nothing is started.
Rule 2: what was settled stands in run/session.toml (0600), the last layer of the configuration, so
that all four programs agree on it, restarted ones included.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from icryptotrader import housetime
from icryptotrader.backup import BackupError, before_migration
from icryptotrader.housetime import HouseTimeError, Moment
from icryptotrader.tax.rates import seed
from shared.belonging import MODE_FACT, stranger
from shared.clock import Clock, machine_wall
from shared.config import EXIT_CONFIG, Config, ConfigError, Home, load_all, load_running
from shared.config_layers import newer_pair
from shared.process import Lock, LockHeld, holder, lock
from shared.units import SECOND
from shared.unread import unread
from sim.backtest.columns import NAIVE
from sim.engine.instruments import find
from sim.sources import SHAPES
from sim.tape import Tape, TapeError, read_tape
from strategy.ledger.records import LedgerError, open_readonly

PORTS_TRIED: Final = 50
"""How many ports above a taken one are tried before giving up."""

Section = dict[str, str | int]


class Options(Struct, frozen=True):
    """What was said on the command line; None is "as configured"."""

    config_file: Path | None = None
    market: str | None = None
    speed: int | None = None
    seed: int | None = None
    pair: str | None = None
    fresh: bool = False
    live: bool = False
    fingerprint: str | None = None


class NotReadyError(Exception):
    """Why the house is not started: all faults, and the exit code that names their kind."""

    def __init__(self, faults: list[str], code: int) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
        self.code = code


class Ready(Struct, frozen=True):
    """A house that may be started, and what the operator should know about it."""

    config: Config
    tape: str  # what the recorded market is, in words; "" where it is made up
    notes: tuple[str, ...]


def own_the_house(home: Home) -> Lock:
    """The lock of the one `run` of this home; NotReadyError (1) with the holder's pid."""
    home.make()
    try:
        return lock(home.run / "house.lock")
    except LockHeld as error:
        raise NotReadyError(
            [
                f"a house is already running in {home.path} (process {error.pid}); "
                "stop it, or use another folder: --home DIR"
            ],
            1,
        ) from None


def survivors(home: Home) -> dict[str, int]:
    """Programs of an earlier run that still hold a lock in this home: name -> pid."""
    found = {}
    for path in sorted(home.run.glob("*.lock")):
        if path.name != "house.lock" and (pid := holder(path)):
            found[path.stem] = pid
    return found


Permit = Callable[[Home, Config, Options], str]
"""Gives the fingerprint of the key that may trade; NotReadyError where real money must not."""


def nobody(home: Home, config: Config, options: Options) -> str:
    """Whoever prepares a house without asking for consents trades no real money."""
    raise NotReadyError(["--live: only `icryptotrader run` asks for consent"], EXIT_CONFIG)


def prepare(home: Home, options: Options, permit: Permit = nobody) -> Ready:
    """Check everything, archive where asked, settle the session. The caller owns the house.

    NotReadyError (78) with every fault of options, configuration, market file, ports or folder;
    what permit raises, in live mode, too. Nothing is left of a session then.
    """
    try:
        return _prepare(home, options, permit)
    except NotReadyError:
        home.session_file.unlink(missing_ok=True)
        raise


def _prepare(home: Home, options: Options, permit: Permit) -> Ready:
    named = (
        {} if options.config_file is None else {"config_file": str(options.config_file.resolve())}
    )
    paired = {} if options.pair is None else {"pair": newer_pair(options.pair)}
    asked = {"market": options.market, "speed": options.speed, "seed": options.seed}
    demo: Section = {name: value for name, value in asked.items() if value is not None}
    write_session(home, named | paired, {"demo": demo})
    try:
        loaded = load_all(home)
    except ConfigError as error:
        raise NotReadyError(error.faults, EXIT_CONFIG) from None
    config = loaded.config
    market = find_market(config.demo.market, config.pair, config.mode)
    ports, moved, missing = find_ports(config, is_free)
    notes = [*loaded.notes, *market.notes, *moved]
    faults = [*market.faults, *missing]
    faults += refused_options(config, options) + strange_ledger(home, config, options)
    if faults:
        raise NotReadyError(faults, EXIT_CONFIG)
    sections = ports | {"demo": demo | ports.get("demo", {}) | {"market": market.name}}
    if config.mode == "live":
        sections["settled"] = {"key_fingerprint": permit(home, config, options)}
    if options.fresh and (place := archive(home)):
        notes.append(f"the earlier account and ledger are archived in {place}")
    try:
        if copied := before_migration(home):
            notes.append(f"the ledger will be migrated; a copy of it is {copied.name}")
    except BackupError as error:
        raise NotReadyError([f"no copy before the migration: {error}"], 1) from None
    notes += _seeded(home, config)
    if config.mode == "demo":
        # Elsewhere the wall clock is the machine's own, which a time service keeps.
        sections["clock"] = _anchors(home, config.demo.speed)
    write_session(home, named | paired, sections)
    return Ready(load_running(home), market.tape, tuple(notes))


def _seeded(home: Home, config: Config) -> list[str]:
    """Foreign money has no value in euros without rates: the packaged history, where it helps."""
    try:
        said = seed(home, config)
    except LedgerError as error:
        # Without rates the strategy sells what is free of tax; it says itself what it lacks.
        said = f"no rates were read in: {error}"
    return [said] if said else []


def refused_options(config: Config, options: Options) -> list[str]:
    """What was asked for on the command line and has no place in this mode."""
    found = []
    asked = {"--market": options.market, "--speed": options.speed, "--seed": options.seed}
    if config.mode != "demo":
        given = [name for name, value in asked.items() if value is not None]
        found += [f"{name}: only for the made-up market of mode demo" for name in given]
    if config.mode == "live" and options.fresh:
        found.append("--fresh: a ledger of real trades is your tax record and is not put away")
    if config.mode != "live" and options.live:
        found.append(f'--live: the configuration says mode = "{config.mode}"')
    return found


def strange_ledger(home: Home, config: Config, options: Options) -> list[str]:
    """Why the ledger in this home is not one of this mode; [] where there is none."""
    place = home.data / "ledger.sqlite"
    if options.fresh or not place.exists():
        return []
    try:
        kept = open_readonly(place, last=0).facts.get(MODE_FACT, "")
    except LedgerError:
        return []  # the strategy itself says what is wrong with it
    if not kept and (home.data / "exchange.sqlite").exists():
        kept = "demo"  # begun before ledgers remembered it, beside a simulated account
    fault = stranger(kept, config.mode)
    return [fault] if fault else []


def house_moment(config: Config, *, closed: bool) -> Moment:
    """Where house time stands now, to be noted for the next run."""
    clock = config.make_clock()
    return Moment(clock.wall(), Clock().now(), housetime.read_boot_id(), clock.speed, closed)


def write_session(home: Home, top: dict[str, str], sections: dict[str, Section]) -> None:
    """run/session.toml, mode 0600, replaced atomically."""
    lines = ["# Written by `icryptotrader run` for the programs of this run. Do not edit."]
    lines += [f"{name} = {_toml(value)}" for name, value in top.items()]
    for section, values in sections.items():
        lines.append(f"\n[{section}]")
        lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
    fresh = home.session_file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fresh.replace(home.session_file)


class Market(NamedTuple):
    """name: the shape as it is, or the file's absolute path; tape: it in words."""

    name: str
    tape: str = ""
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def find_market(market: str, pair: str, mode: str) -> Market:
    """What the setting means. A file is read once as a whole, so that its faults are told now."""
    if market in SHAPES or mode != "demo":
        return Market(market)
    listing = find(pair)
    assert listing is not None, pair
    try:
        path = Path(market).expanduser().absolute()
        if not path.exists():
            shapes = ", ".join(SHAPES)
            fault = f"market: no such file: {path}; name one, or a shape: {shapes}"
            return Market(market, faults=(fault,))
        tape = read_tape(path, listing.pair)
    except OSError as error:
        return Market(market, faults=(f"market: {unread(market, error)}",))
    except (TapeError, RuntimeError) as error:  # the second: ~nobody/market.csv
        return Market(market, faults=(f"market: {error}",))
    notes = tuple(f"market: {note}" for note in tape.notes if note != NAIVE)
    return Market(str(path), describe_tape(tape), notes)


def describe_tape(tape: Tape) -> str:
    """ "2,672 trades over 0:59:58 from 2019-07-01 00:00 UTC"."""
    kind = f"bars of {tape.bar_ns // SECOND} s" if tape.bar_ns else "trades"
    span = timedelta(seconds=(tape.times[-1] + tape.bar_ns) // SECOND)
    begin = datetime.fromtimestamp(tape.first_wall // SECOND, UTC)
    return f"{len(tape):,} {kind} over {span} from {begin:%Y-%m-%d %H:%M} UTC"


def find_ports(
    config: Config, free: Callable[[str, int], bool]
) -> tuple[dict[str, Section], list[str], list[str]]:
    """The next free port for each that is taken: settings, notes and faults.

    free(host, port): whether a server could listen there.
    """
    wanted = []
    if config.mode != "live":
        wanted += [
            ("demo", "public_port", "127.0.0.1", config.demo.public_port),
            ("demo", "private_port", "127.0.0.1", config.demo.private_port),
        ]
    if config.web.enabled:
        wanted.append(("web", "port", config.web.host, config.web.port))
    if config.metrics.enabled:
        wanted.append(("metrics", "port", "127.0.0.1", config.metrics.port))
    settings: dict[str, Section] = {}
    notes: list[str] = []
    faults: list[str] = []
    given: list[int] = []
    for section, key, host, port in wanted:
        tried = range(port, min(port + PORTS_TRIED, 65_535) + 1)
        found = next((p for p in tried if p not in given and free(host, p)), None)
        if found is None:
            faults.append(f"{section}.{key}: no free port on {host} from {port} to {tried[-1]}")
            continue
        given.append(found)
        if found != port:
            settings.setdefault(section, {})[key] = found
            notes.append(f"port {port} ({section}.{key}) is taken: this run uses {found}")
    return settings, notes, faults


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # A bound port that nobody listens on yet can be bound, but not listened on, twice.
            probe.listen(1)
        except OSError:
            return False
    return True


def archive(home: Home) -> Path | None:
    """Move data/ to data-archive/<UTC stamp>/; None where there was nothing in it."""
    if not any(home.data.iterdir()):
        return None
    stamp = datetime.fromtimestamp(machine_wall() // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = home.path / "data-archive"
    folder.mkdir(mode=0o700, exist_ok=True)
    places = [folder / stamp, *(folder / f"{stamp}-{n}" for n in range(2, 100))]
    place = next(p for p in places if not p.exists())
    home.data.rename(place)
    home.make()
    return place


def _anchors(home: Home, speed: int) -> Section:
    """One moment named in both clocks; house time goes on where the last run ended."""
    try:
        last = housetime.load(home.data / "clock.toml")
    except HouseTimeError as error:
        raise NotReadyError([str(error)], EXIT_CONFIG) from None
    boot = Clock().now()
    wall = housetime.earliest_wall(last, machine_wall(), boot, housetime.read_boot_id())
    return {"boot_anchor": boot * speed, "wall_anchor": wall}


def _toml(value: str | int) -> str:
    """A TOML value; JSON's string is TOML's but for DEL, which JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
