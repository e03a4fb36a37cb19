"""The feed process: `python -m feed --home DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import uvloop

from feed import shell
from shared import log
from shared.bus import BusError
from shared.config import EXIT_CONFIG, ConfigError, find_home, load
from shared.process import LockHeld, die_with_parent, offer_memory
from shared.watchdog import Watchdog

EXIT_TAKEN = 1
"""Another feed publishes here, or the bus cannot be bound."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when told to stop, 78 on a faulty configuration, 1 where another feed runs."""
    parser = argparse.ArgumentParser(prog="feed", description="The public market, on the bus.")
    parser.add_argument("--home", help="folder of this installation's state")
    home = find_home(parser.parse_args(arguments).home)
    offer_memory(300)
    die_with_parent()
    home.make()
    try:
        config = load(home)
    except ConfigError as error:
        log.setup("feed", home)
        return _refuse("the configuration has faults", "; ".join(error.faults), EXIT_CONFIG)
    os.chdir(home.path)
    log.setup("feed", home, config.log_level)
    with (home.log / "feed.stacks").open("a") as stacks:
        watchdog = Watchdog(config.time.watchdog_sec, stacks, home.run / "feed.beat")
        try:
            uvloop.run(shell.run(config, log.get(), watchdog))
        except (LockHeld, BusError) as error:
            return _refuse("the feed cannot publish", str(error), EXIT_TAKEN)
        finally:
            watchdog.stop()
    log.close()
    return 0


def _refuse(event: str, why: str, code: int) -> int:
    log.get().error(event, why=why)
    log.close()
    sys.stderr.write(f"feed: {event}: {why}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
