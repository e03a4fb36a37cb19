"""The monitor process: `python -m monitor --home DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import uvloop

from monitor import shell
from shared import log
from shared.config import EXIT_CONFIG, ConfigError, find_home, load
from shared.process import die_with_parent, offer_memory
from shared.watchdog import Watchdog


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when told to stop, 78 on a faulty configuration or a port that is taken."""
    parser = argparse.ArgumentParser(prog="monitor", description="Status page and metrics.")
    parser.add_argument("--home", help="folder of this installation's state")
    home = find_home(parser.parse_args(arguments).home)
    offer_memory(600)
    die_with_parent()
    home.make()
    os.chdir(home.path)
    try:
        config = load(home)
    except ConfigError as error:
        log.setup("monitor", home)
        return _refuse("the configuration has faults", "; ".join(error.faults))
    log.setup("monitor", home, config.log_level)
    with (home.log / "monitor.stacks").open("a") as stacks:
        watchdog = Watchdog(config.time.watchdog_sec, stacks, home.run / "monitor.beat")
        try:
            uvloop.run(shell.run(config, home, log.get(), watchdog))
        except shell.RefusedError as error:
            return _refuse("the monitor cannot start", str(error))
        finally:
            watchdog.stop()
            log.flush()
    log.close()
    return 0


def _refuse(event: str, why: str) -> int:
    log.get().error(event, why=why)
    log.close()
    sys.stderr.write(f"monitor: {event}: {why}\n")
    return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())
