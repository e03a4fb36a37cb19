"""supervisord's event listener: who was given up, and who runs but shows no life.

Rule 1: a program given up is told loudly; feed and monitor, which hold no money, are tried again
after a minute.
Rule 2: each program's watchdog touches run/<program>.beat while its loop turns. One that has not
for time.beat_sec of this machine, though supervisord says that it runs, is killed and started
again: stopped, or stuck in the kernel, its own watchdog cannot end it. The strategy is given longer
than the dead man's switch, which by then has emptied its book.
Rule 3: standard output belongs to supervisord's protocol; what is to be said goes to the log.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import Error

from msgspec import Struct
from supervisor import childutils  # type: ignore[import-untyped]

from shared import log
from shared.clock import Clock
from shared.config import EXIT_CONFIG, Config, ConfigError, find_home, load
from shared.process import die_with_parent
from shared.units import SECOND, Ns

RUN: Final = Path("run")
SOCKET: Final = "unix://run/supervisor.sock"
PROGRAMS: Final = ("exchange", "feed", "strategy", "monitor")
REVIVED: Final = ("feed", "monitor")
REVIVE_AFTER: Final = Ns(60 * SECOND)
AFTER_SWITCH: Final = Ns(15 * SECOND)


class Pulse(Struct, frozen=True):
    """What was seen of one program's beat. since: boot time at which it last changed."""

    pid: int
    beat: int
    since: Ns


def feel(
    pulses: Mapping[str, Pulse], seen: Mapping[str, tuple[int, int]], now: Ns
) -> dict[str, Pulse]:
    """The pulses after a look. seen: program -> pid and the mark of its beat, of those that run.

    Not by the beat's own date: a wall clock that is set would look like death, or hide it.
    """
    found = {}
    for name, (pid, beat) in seen.items():
        known = pulses.get(name)
        same = known is not None and (known.pid, known.beat) == (pid, beat)
        found[name] = known if same and known is not None else Pulse(pid, beat, now)
    return found


def lifeless(pulses: Mapping[str, Pulse], now: Ns, limits: Mapping[str, Ns]) -> list[str]:
    """Programs that have shown no life for longer than they may."""
    return [name for name, pulse in pulses.items() if now - pulse.since > limits[name]]


def limits_of(config: Config) -> dict[str, Ns]:
    """How long each program may show no life."""
    limit = Ns(int(config.time.beat_sec * SECOND))
    switch = Ns(config.ws.cancel_after_timeout_sec * SECOND // config.speed + AFTER_SWITCH)
    return dict.fromkeys(PROGRAMS, limit) | {"strategy": max(limit, switch)}


class Listener:
    """One event after the other; it never waits for a program."""

    def __init__(self, config: Config, supervisor: Any) -> None:
        """supervisor: supervisord's own methods, over its socket."""
        self._limits = limits_of(config)
        self._supervisor = supervisor
        self._pulses: dict[str, Pulse] = {}
        self._revive: dict[str, Ns] = {}  # program -> when to try again

    def hear(self, event: str, payload: str, now: Ns) -> None:
        """An event of supervisord, by its name and its payload."""
        if event == "PROCESS_STATE_FATAL":
            self._given_up(childutils.get_headers(payload)["processname"], now)
        elif event.startswith("TICK"):
            self._look(now)
            self._try_again(now)

    def _given_up(self, name: str, now: Ns) -> None:
        again = name in REVIVED
        log.get().critical(
            "program_given_up", program=name,
            text=f"{name} could not be started; see log/{name}.out"
            + ("; it is tried again in a minute" if again else ""),
        )  # fmt: skip
        if again:
            self._revive[name] = Ns(now + REVIVE_AFTER)

    def _look(self, now: Ns) -> None:
        try:
            rows = self._supervisor.getAllProcessInfo()
        except (OSError, Error) as error:
            # It is stopping, as a rule; who stops it says so.
            log.get().debug("supervisord_silent", why=str(error))
            return
        running = {row["name"]: row["pid"] for row in rows if row["statename"] == "RUNNING"}
        seen = {}
        for name in PROGRAMS:
            if name in running and (mark := beat_of(name)):
                seen[name] = (running[name], mark)
        self._pulses = feel(self._pulses, seen, now)
        for name in lifeless(self._pulses, now, self._limits):
            pulse = self._pulses.pop(name)
            waited_s = (now - pulse.since) // SECOND
            log.get().critical(
                "program_lifeless", program=name, pid=pulse.pid,
                text=f"{name} has shown no life for {waited_s} s and is killed",
            )  # fmt: skip
            kill(pulse.pid)

    def _try_again(self, now: Ns) -> None:
        for name, due in list(self._revive.items()):
            if now < due:
                continue
            del self._revive[name]
            try:
                self._supervisor.startProcess(name, False)
            except (OSError, Error) as error:
                log.get().error("program_not_started", program=name, why=str(error))


def beat_of(name: str) -> int:
    """A mark that changes while the program's loop turns; 0 where it has not begun to."""
    try:
        return (RUN / f"{name}.beat").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def kill(pid: int) -> None:
    """By force: whoever shows no life hears no signal."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> int:
    """Until supervisord ends or says TERM: 0; 78 where the configuration has faults."""
    parser = argparse.ArgumentParser(prog="listener", description="Watches the programs.")
    parser.add_argument("--home", help="folder of this installation's state")
    home = find_home(parser.parse_args().home)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    die_with_parent()
    os.chdir(home.path)
    try:
        config = load(home)
    except ConfigError as error:
        sys.stderr.write(f"watch: {'; '.join(error.faults)}\n")
        return EXIT_CONFIG
    log.setup("watch", home, config.log_level)
    rpc = childutils.getRPCInterface({"SUPERVISOR_SERVER_URL": SOCKET})
    listener, protocol, clock = Listener(config, rpc.supervisor), childutils.listener, Clock()
    try:
        while True:
            protocol.ready(sys.stdout)
            line = sys.stdin.readline()
            if not line:
                return 0
            headers = childutils.get_headers(line)
            payload = sys.stdin.read(int(headers["len"]))
            listener.hear(headers["eventname"], payload, clock.now())
            protocol.ok(sys.stdout)
    finally:
        log.close()


if __name__ == "__main__":
    sys.exit(main())
