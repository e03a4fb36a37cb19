"""`python -m sim --home DIR`: the simulated exchange as a process."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvloop

from shared import log
from shared.clock import Clock
from shared.config import (
    EXIT_BROKEN,
    EXIT_CONFIG,
    Config,
    ConfigError,
    Home,
    find_home,
    load,
)
from shared.keys import GUEST_KEY, KILL_KEY, demo_key, demo_rights, faults_token
from shared.process import LockHeld, die_with_parent, lock, offer_memory
from shared.watchdog import Watchdog
from sim import paper
from sim.build import build
from sim.engine.store import SqliteStore, StoreError
from sim.kraken.venue import Venue
from sim.server import PortTaken, Sockets, listen, serve, told_to_stop


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done or not wanted, 70 a broken invariant, 78 a faulty configuration."""
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("--home", help="folder of the installation's state")
    parser.add_argument("--config", type=Path, help="a further layer over config/default.toml")
    given = parser.parse_args(arguments)
    offer_memory(300)
    die_with_parent()
    home = find_home(given.home)
    try:
        config = load(home, given.config)
    except ConfigError as error:
        return _refuse(*error.faults, logged=False)
    if config.mode == "live":
        return 0
    home.make()
    log.setup("exchange", home, config.log_level)
    try:
        held = lock(home.run / "exchange.lock")
        code = _run(home, config)
        held.release()
        return code
    except ConfigError as error:
        return _refuse(*error.faults)
    except (PortTaken, StoreError, LockHeld) as error:
        return _refuse(str(error))
    except BaseExceptionGroup as group:
        # Only a task's failure comes as a group. It ends the process; what is ours to mend is 70.
        log.get().exception("exchange_failed")
        return EXIT_BROKEN if group.subgroup(AssertionError) else 1
    finally:
        log.close()


def _run(home: Home, config: Config) -> int:
    demo, clock = config.demo, config.make_clock()
    key, guest = demo_key(home.data), demo_key(home.data, GUEST_KEY)
    killer = demo_key(home.data, KILL_KEY)
    for known in (key, guest, killer):
        log.redact(known.secret)
    if config.mode == "paper":
        return _run_paper(home, config, (key, guest, killer))
    public, private = listen(demo.public_port), listen(demo.private_port)
    store = SqliteStore(home.data / "exchange.sqlite")
    venue = build(
        config,
        key,
        clock.now(),
        clock.wall(),
        store=store,
        guests=(guest,),
        rights=demo_rights(home.data),
        killers=(killer,),
    )
    with (home.log / "exchange.stalls").open("a") as stalls:
        watchdog = Watchdog(config.time.watchdog_sec, stalls, home.run / "exchange.beat")
        token = faults_token(home.data)
        uvloop.run(_serve(config, venue, clock, (public, private), watchdog, token))
        watchdog.stop()
    store.close()
    log.get().info("exchange_stopped")
    return 0


async def _serve(
    config: Config,
    venue: Venue,
    clock: Clock,
    sockets: Sockets,
    watchdog: Watchdog,
    token: str,
) -> None:
    demo, stop = config.demo, told_to_stop()
    log.get().info(
        "exchange_ready",
        public=f"ws://127.0.0.1:{demo.public_port}/v2",
        private=f"ws://127.0.0.1:{demo.private_port}/v2",
        pair=config.pair,
        market=demo.market,
        seed=demo.seed,
        volatility=demo.volatility_pct,
        maker_pct=str(demo.maker_pct),
        orders=len(venue.exchange.open),
        trades=len(venue.exchange.trades),
    )
    await serve(venue, clock, *sockets, stop, watchdog, token)


def _run_paper(home: Home, config: Config, keys: paper.Keys) -> int:
    """The same engine; the market is the feed's."""
    os.chdir(home.path)
    store = SqliteStore(home.data / "exchange.sqlite")
    with (home.log / "exchange.stalls").open("a") as stalls:
        watchdog = Watchdog(config.time.watchdog_sec, stalls, home.run / "exchange.beat")
        token = faults_token(home.data)
        uvloop.run(paper.run(config, keys, store, watchdog, token))
        watchdog.stop()
    store.close()
    log.get().info("exchange_stopped")
    return 0


def _refuse(*faults: str, logged: bool = True) -> int:
    for fault in faults:
        sys.stderr.write(f"exchange: {fault}\n")
        if logged:
            log.get().error("refused", fault=fault)
    return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())
