"""`icryptotrader run`: the whole house in the foreground, from the first check to the last process.

Rule 1: a signal to stop is passed on once; a second one changes nothing.
Rule 2: it returns only when no process of the house is left, and says what was not in order.
Rule 3: supervisord killed by force is started again, a bounded number of times, once its programs
have ended; whatever happens to this process, supervisord drains and ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import Final

from icryptotrader import family, housetime, startup
from icryptotrader.banner import banner
from icryptotrader.consent import permit
from icryptotrader.errand import Errand
from icryptotrader.screen import Screen
from icryptotrader.startup import NotReadyError, Options
from icryptotrader.supervision import (
    ORDERLY,
    Event,
    Programs,
    explain,
    faults_of_stop,
    hear,
    read_event,
    say,
)
from shared.clock import Clock
from shared.config import ROOT, Config, Home, program_environment
from shared.console import Follower
from shared.process import await_signal, harden
from shared.units import SECOND, Ns
from strategy.ledger.tax import berlin_day

STOP_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

LOOK_EACH_S: Final = 0.2

STOP_LIMIT_S: Final = 85.0
"""The sum of all stopwaitsecs in supervisord.conf (70 s) and some; systemd's limit is 90 s."""

WAIT_LIMIT_S: Final = 90.0
"""For the programs of an earlier run that was killed: they drain as at any stop."""

ORPHAN_LIMIT_S: Final = 45.0
"""For programs whose supervisord was killed; the strategy has 40 s to drain."""

RESTARTS: Final = 5
"""How often supervisord is started again in one run."""


def run(home: Home, options: Options, screen: Screen) -> int:
    """Check, start, watch, stop. Returns 0 after an orderly drain, else 1; NotReadyError before."""
    harden()
    held = startup.own_the_house(home)
    try:
        # From here on a signal waits until the house is ready to be stopped.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        if not _wait_for_survivors(home, screen):
            return 1
        ready = startup.prepare(home, options, permit)
        family.adopt_orphans()
        os.chdir(home.path)
        screen.show(*banner(ready.config, home, ready.tape, ready.notes), "")
        return _House(home, ready.config, screen).live()
    finally:
        held.release()


BACKUP_EACH: Final = Ns(3_600 * SECOND)
BACKUP_FIRST: Final = Ns(300 * SECOND)
"""Of this machine's time: the first one soon after the start, then each hour."""

REPORT_EACH: Final = Ns(6 * 3_600 * SECOND)
REPORT_FIRST: Final = Ns(180 * SECOND)
"""Likewise; and at the very turn of the German year of house time."""

SPAWN_PAUSE: Final = SECOND
LONGEST_SPAWN_PAUSE: Final = 5 * SECOND

STOP_ORDER: Final = ("monitor", "strategy", "feed", "exchange")
"""By the priorities of supervisord.conf, highest first."""

EXCHANGE_FAILURES: Final = 6
EXCHANGE_FAILURES_WITHIN: Final = 20 * SECOND
"""The exchange has no startsecs (supervisord.conf says why), so it is given up here."""

_LEFT_IN_ORDER: Final = Event("exited", "strategy", "exit status 0")


class _House:
    """One run: supervisord and its programs, the log on the screen, the note of house time."""

    def __init__(self, home: Home, config: Config, screen: Screen) -> None:
        self._home = home
        self._config = config
        self._screen = screen
        self._programs: Programs = {}
        self._supervisord: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._stop_asked_at: Ns | None = None
        self._stop_passed_on = Ns(0)  # when; 0 = not yet
        self._spawned, self._spawned_at = "", Ns(0)  # The last spawn.
        self._reminded = False
        self._noted_at = Ns(0)
        self._events = Follower(home.log, "supervisord.log")
        self._lines = Follower(home.log)
        self._raw = Follower(home.log, "*.out")
        self._backup = Errand(home, "backup", "ledger", "backup")
        self._backup_at = Ns(Clock().now() + BACKUP_FIRST)
        self._report = Errand(home, "year-end", "tax", "year-end")
        self._report_at = Ns(Clock().now() + REPORT_FIRST)
        self._house_clock = config.make_clock()
        self._year = berlin_day(self._house_clock.wall()).year
        self._faults: list[str] = []
        self._exchange_failed: deque[Ns] = deque(maxlen=EXCHANGE_FAILURES)

    def live(self) -> int:
        """Until nothing is left."""
        self._start()
        while self._look():
            received = await_signal(STOP_SIGNALS, LOOK_EACH_S)
            if received is not None:
                self._ask_stop(f"{received.name} received")
        self._follow()
        return self._close()

    def _look(self) -> bool:
        """One look at everything; False when the house has ended."""
        self._note_time()
        self._back_up()
        self._close_the_year()
        self._follow()
        assert self._supervisord is not None
        code = self._supervisord.poll()
        if code is None:
            self._pass_stop_on()
            return self._is_in_time()
        if self._stop_asked_at is None:
            return self._revive(code)
        return False

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "icryptotrader.supervisor"]
        self._programs = {}
        self._supervisord = subprocess.Popen(
            # The identifier says in a list of processes whose supervisord this is.
            [*command, "-c", str(ROOT / "supervisord.conf"), "-i", str(self._home.path)],
            env=program_environment(self._home, sys.executable),
            stdin=subprocess.DEVNULL,
            # A terminal's Ctrl-C must reach this process alone: the order of the stop is ours.
            start_new_session=True,
        )

    def _ask_stop(self, why: str) -> None:
        if self._stop_asked_at is not None:
            self._screen.show(
                "Still draining: own orders are being cancelled and confirmed. "
                f"This takes {STOP_LIMIT_S:.0f} s at most."
            )
            return
        self._stop_asked_at = Clock().now()
        self._screen.show("", f"Stopping ({why}): own orders are cancelled and confirmed first.")
        self._pass_stop_on()

    def _pass_stop_on(self) -> None:
        """TERM to supervisord, once; not within a moment of a spawn.

        A TERM that reaches a child of supervisord between fork and exec is lost, and the stop
        would wait for its time limit.
        """
        asked, now = self._stop_asked_at, Clock().now()
        if asked is None or self._supervisord is None:
            return
        if self._stop_passed_on:
            self._remind(now)
            return
        quiet = bool(self._programs) and now - self._spawned_at >= SPAWN_PAUSE
        if quiet or now - asked >= LONGEST_SPAWN_PAUSE:
            self._stop_passed_on = now
            self._supervisord.terminate()

    def _remind(self, now: Ns) -> None:
        """Once more TERM to the program that is stopped first, if it was spawned in that moment.

        supervisord may have spawned it after our look and before it read our TERM. The others are
        stopped one after the other, each later than its own spawn; and a program that has heard
        the first TERM may be past listening, where a second one would end it out of order.
        """
        passed_on = self._stop_passed_on
        if self._reminded or now - passed_on < SPAWN_PAUSE:
            return
        self._reminded = True
        first = next((n for n in STOP_ORDER if n in self._programs), "")
        pid = self._programs[first].pid if first else 0
        if pid and first == self._spawned and self._spawned_at > passed_on - SPAWN_PAUSE:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _is_in_time(self) -> bool:
        asked = self._stop_asked_at
        if asked is None or Clock().now() - asked < STOP_LIMIT_S * SECOND:
            return True
        self._faults.append(f"the stop took longer than {STOP_LIMIT_S:.0f} s and was forced")
        assert self._supervisord is not None
        self._supervisord.kill()
        self._supervisord.wait()
        return False

    def _revive(self, code: int) -> bool:
        """supervisord ended by itself: its programs drain, then all is started again."""
        self._screen.show(f"supervisord has ended ({_describe(code)}).", level="ERROR")
        self._clear_orphans()
        self._follow()
        if code == 0 or self._stop_asked_at is not None:
            return False
        if self._restarts >= RESTARTS:
            self._faults.append(f"supervisord has ended {RESTARTS + 1} times; see log/")
            return False
        self._restarts += 1
        self._screen.show(f"Starting it again ({self._restarts} of {RESTARTS} times).")
        self._start()
        return True

    def _follow(self) -> None:
        for line in self._events.poll():
            event = read_event(line)
            if event is None:
                continue
            if event.kind == "spawned":
                self._spawned, self._spawned_at = event.name, Clock().now()
            text = say(self._programs, event)
            self._programs = hear(self._programs, event)
            if self._stop_asked_at is None and not self._is_expected(event):
                self._screen.show(*filter(None, [text]), level="WARNING")
                self._react(event)
        self._screen.show(*self._lines.poll())
        self._screen.show(*(f"    {line}" for line in self._raw.poll() if line))

    def _is_expected(self, event: Event) -> bool:
        """Where the mode is live, there is no simulated exchange: it leaves at once."""
        return self._config.mode == "live" and event == Event("exited", "exchange", ORDERLY)

    def _react(self, event: Event) -> None:
        """End the house where it makes no sense without the program that has ended."""
        if event == _LEFT_IN_ORDER:
            self._ask_stop("the strategy has drained and left, as it was asked to")
        elif event.kind == "exited" and event.name == "exchange" and "status" in event.how:
            failed = self._exchange_failed
            failed.append(Clock().now())
            if len(failed) == EXCHANGE_FAILURES and failed[-1] - failed[0] < (
                EXCHANGE_FAILURES_WITHIN
            ):
                self._faults.append(f"the exchange cannot be started: {explain(event.how)}")
                self._ask_stop("the exchange cannot be started")

    def _note_time(self) -> None:
        """Only a demo has a time of its own."""
        now = Clock().now()
        if self._config.mode == "demo" and now - self._noted_at >= housetime.SAVE_EACH_S * SECOND:
            self._noted_at = now
            moment = startup.house_moment(self._config, closed=False)
            housetime.save(self._home.data / "clock.toml", moment)

    def _back_up(self) -> None:
        """A copy of the ledger each hour, by a process of its own: no tick waits for it."""
        self._hear_errands()
        now = Clock().now()
        if self._backup.under_way or self._stop_asked_at is not None or now < self._backup_at:
            return
        self._backup_at = Ns(now + BACKUP_EACH)
        self._backup.begin()

    def _close_the_year(self) -> None:
        """The report of the year that has ended, likewise: at its turn, and while it is a draft."""
        now, year = Clock().now(), berlin_day(self._house_clock.wall()).year
        if year != self._year:
            self._year, self._report_at = year, now
        if self._report.under_way or self._stop_asked_at is not None or now < self._report_at:
            return
        self._report_at = Ns(now + REPORT_EACH)
        self._noted_at = Ns(0)
        self._note_time()  # The report is made as of the house's time, which must have turned.
        self._report.begin()

    def _hear_errands(self) -> None:
        if self._backup.ended():
            self._screen.show("The backup failed: see log/backup.log", level="ERROR")
        if (code := self._report.ended()) is not None:
            level = "ERROR" if code else "INFO"
            self._screen.show(*self._report.said(), level=level)

    def _clear_orphans(self) -> None:
        """Wait for what supervisord left behind, then end it by force."""
        deadline = Clock().now() + Ns(int(ORPHAN_LIMIT_S * SECOND))
        while (left := family.children()) and Clock().now() < deadline:
            self._note_time()
            self._hear_errands()
            self._follow()
            if await_signal(STOP_SIGNALS, LOOK_EACH_S) is not None:
                self._ask_stop("asked to")
        if left:
            self._faults.append(f"{len(left)} processes had to be ended by force")
            family.kill(left)

    def _close(self) -> int:
        self._clear_orphans()
        self._faults += faults_of_stop(self._programs)
        if self._config.mode == "demo":
            moment = startup.house_moment(self._config, closed=True)
            housetime.save(self._home.data / "clock.toml", moment)
        self._home.session_file.unlink(missing_ok=True)
        for follower in (self._events, self._lines, self._raw):
            follower.close()
        for fault in self._faults:
            self._screen.show(f"Not in order: {fault}", level="ERROR")
        if self._faults:
            self._screen.show(f"What happened stands in {self._home.log}")
            return 1
        self._screen.show("Stopped in order. Nothing is left running.")
        return 0


def _wait_for_survivors(home: Home, screen: Screen) -> bool:
    """Programs of a run that was killed drain first; False where they do not end in time."""
    deadline = Clock().now() + Ns(int(WAIT_LIMIT_S * SECOND))
    told = False
    while left := startup.survivors(home):
        names = ", ".join(f"{name} (process {pid})" for name, pid in left.items())
        if Clock().now() >= deadline:
            raise NotReadyError([f"programs of an earlier run do not end: {names}"], 1)
        if not told:
            screen.show(f"Waiting for an earlier run to drain: {names} ...")
            told = True
        if await_signal(STOP_SIGNALS, LOOK_EACH_S) is not None:
            screen.show("Nothing was started; the earlier run is still draining.")
            return False
    return True


def _describe(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name
