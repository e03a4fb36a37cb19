"""The strategy process: `python -m strategy --home DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, TextIO

import msgspec
import uvloop
from msgspec.structs import replace

from shared import account_lock, caps, log
from shared.account_lock import AccountTaken
from shared.belonging import MODE_FACT, stranger
from shared.bus import BusError
from shared.config import (
    EXIT_BROKEN,
    EXIT_CONFIG,
    EXIT_OUTGROWN,
    ApiKey,
    Config,
    ConfigError,
    account_key,
    find_home,
    load_running,
)
from shared.journal import JournalWriter
from shared.keys import demo_key
from shared.kraken.rest import Signer, make_signer
from shared.process import LockHeld, die_with_parent, lock
from shared.secret import fingerprint
from shared.units import MINUTE, Ns
from shared.version import build
from shared.watchdog import Watchdog
from strategy.core.memory import Memory, Start, stamp_of
from strategy.core.pipeline import Core
from strategy.core.snapshot import take
from strategy.core.taxdesk import needed, others_in
from strategy.journaling import JournalRecorder
from strategy.ledger.entries import Remember
from strategy.ledger.lots import Lots
from strategy.ledger.records import LedgerError
from strategy.ledger.store import Ending, Store
from strategy.session.mail import settings_of
from strategy.session.session import Session
from strategy.shell import OutgrownError, RefusedError, Shell, UncleanStopError
from strategy.trader import NONCE_FACT, Trader

EXIT_TAKEN: Final = 1
"""Another strategy works here, or the bus cannot be bound."""

EXIT_CRASHED: Final = 2
"""An exception that nobody foresaw; its traceback is in the log."""

LEDGER: Final = Path("data/ledger.sqlite")
JOURNAL: Final = Path("data/journal")
BEAT: Final = Path("run/strategy.beat")
INSTANCE_LOCK: Final = Path("run/strategy.lock")

CRASHES_MOST: Final = 4
CRASHES_WITHIN: Final = Ns(10 * MINUTE)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 stopped in order; 70 broken invariant; 75 near a limit of the machine, drained; 78 faulty
    config or key; 1 and 2 anything else."""
    parser = argparse.ArgumentParser(prog="strategy", description="The strategy process.")
    parser.add_argument("--home", help="folder of this installation's state")
    home = find_home(parser.parse_args(arguments).home)
    die_with_parent()
    home.make()
    try:
        config = load_running(home)
    except ConfigError as error:
        log.setup("strategy", home)
        return _refuse("the configuration has faults", "; ".join(error.faults), EXIT_CONFIG)
    os.chdir(home.path)
    log.setup("strategy", home, config.log_level)
    try:
        held = lock(INSTANCE_LOCK)
    except LockHeld as error:
        return _refuse("another strategy works in this home", str(error), EXIT_CONFIG)
    try:
        with (home.log / "strategy.stacks").open("a") as stacks:
            return _live(config, stacks)
    finally:
        held.release()
        log.close()


def _live(config: Config, stacks: TextIO) -> int:
    try:
        key = _key(config)
        with account_lock.take(key) if config.mode == "live" else nullcontext():
            return _trade(config, make_signer(key.key, key.secret), stacks)
    except ConfigError as error:
        return _refuse("the API key cannot be used", "; ".join(error.faults), EXIT_CONFIG)
    except AccountTaken as error:
        return _refuse("the account is taken", str(error), EXIT_CONFIG)


def _trade(config: Config, signer: Signer, stacks: TextIO) -> int:
    try:
        store = Store.open(LEDGER)
    except LedgerError as error:
        return _refuse("the ledger cannot be used", str(error), EXIT_CONFIG)
    clock = config.make_clock()
    ending = Ending.EXCEPTION
    watchdog = Watchdog(config.time.watchdog_sec, stacks, BEAT)
    try:
        _own(config, store)
        shell = _assemble(_capped(config, store), store, signer, watchdog)
        uvloop.run(shell.run())
        ending = Ending.DONE
    except ConfigError as error:
        ending = Ending.DONE
        return _refuse("the ledger forbids it", "; ".join(error.faults), EXIT_CONFIG)
    except RefusedError as error:
        ending = Ending.DONE
        return _refuse("the exchange account cannot be used", str(error), EXIT_CONFIG)
    except UncleanStopError as error:
        ending = Ending.DONE
        return _refuse("stopped, but not drained", str(error), EXIT_TAKEN)
    except OutgrownError as error:
        # It counts with the crashes: what grows again at once is halted in the end.
        return _refuse("drained to start anew", str(error), EXIT_OUTGROWN)
    except (LockHeld, BusError) as error:
        ending = Ending.DONE
        return _refuse("the strategy cannot publish", str(error), EXIT_TAKEN)
    except (AssertionError, LedgerError) as error:
        ending = Ending.INVARIANT
        log.get().error("broken_invariant", why=str(error), exc_info=True)
        return EXIT_BROKEN
    except Exception as error:  # noqa: BLE001 - a shell, where it ends the process
        log.get().error("crashed", why=str(error), exc_info=True)
        return EXIT_CRASHED
    finally:
        watchdog.stop()
        _record_end(store, clock.wall(), ending)
        store.close()
    return 0


def _own(config: Config, store: Store) -> None:
    """The ledger is of this mode from here on; ConfigError where it is of another."""
    if fault := stranger(store.load().facts.get(MODE_FACT, ""), config.mode):
        raise ConfigError([fault])
    store.commit([Remember(MODE_FACT, config.mode)])


def _capped(config: Config, store: Store) -> Config:
    """The tighter of limits and hard caps; ConfigError where these are looser than what held."""
    found = caps.read_caps(caps.caps_path(config))
    if faults := caps.looser(store.load().facts.get(caps.FACT, ""), found):
        raise ConfigError(caps.refusal(faults))
    store.commit([Remember(caps.FACT, caps.to_fact(found))])
    config, bound = caps.tighten(config, found)
    if bound:
        log.get().warning("hard_caps_bind", limits=", ".join(bound))
    return config


def _assemble(config: Config, store: Store, signer: Signer, watchdog: Watchdog) -> Shell:
    """A new life: what the ledger remembers, a fresh boot stamp, the crash guard's word."""
    clock = config.make_clock()
    boot, wall = clock.now(), clock.wall()
    loaded = store.load(config.pair.partition("/")[0])
    stamp = stamp_of(wall, loaded.facts.get("stamp", ""))
    crashes = store.crashes(Ns(wall - CRASHES_WITHIN))
    store.record_start(wall)
    store.commit([Remember("stamp", stamp)])
    halted = f"{crashes} crashes within 10 minutes" if crashes >= CRASHES_MOST else ""
    start = Start(
        boot, wall, stamp, loaded.intents, loaded.facts, loaded.fills, halted, store.published(),
        build=build(), booked=loaded.booked,
    )  # fmt: skip
    start = _taxed(start, config, store, loaded.lots)
    core = Core(Memory(config, start, loaded.lots))
    journal = JournalWriter(
        JOURNAL, build(), msgspec.msgpack.encode(config), lambda: take(core.memory)
    )
    session = Session(settings_of(config), signer, int(loaded.facts.get(NONCE_FACT, "0")))
    trader = Trader(core, session, JournalRecorder(journal))
    log.get().info(
        "strategy_started",
        build=build(),
        mode=config.mode,
        pair=config.pair,
        fills=loaded.fills,
        intents=len(loaded.intents),
        halted=halted,
    )
    return Shell(config, trader, store, log.get(), watchdog)


def _taxed(start: Start, config: Config, store: Store, lots: Lots) -> Start:
    """With all that the tax book knows besides these lots' fills."""
    evidence = store.evidence()
    others = others_in(evidence.events(), lots)
    rates = (entry.rate for entry in evidence.rates)
    return replace(start, others=others, ecb=tuple(needed(rates, config, others)))


def _key(config: Config) -> ApiKey:
    """The account's key; ConfigError where there is none that can be used.

    In paper the simulated exchange's own, as in the demo: a real one is never read.
    """
    key = account_key(find_home("."), config) if config.mode == "live" else demo_key(Path("data"))
    log.redact(key.secret)
    if config.mode == "live" and fingerprint(key) != config.settled.key_fingerprint:
        raise ConfigError(["nobody consented to trade with this key: icryptotrader run --live"])
    try:
        make_signer(key.key, key.secret)
    except ValueError as error:
        raise ConfigError([f"kraken.key_file: {error}"]) from None
    return key


def _record_end(store: Store, wall: Ns, ending: Ending) -> None:
    try:
        store.record_end(wall, ending)
    except LedgerError as error:
        log.get().error("ledger", why=str(error))


def _refuse(event: str, why: str, code: int) -> int:
    log.get().error(event, why=why)
    sys.stderr.write(f"strategy: {event}: {why}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
