"""A whole house as real processes in a temporary folder, for the end-to-end tests.

Rule 1: nothing is waited for by sleeping: each wait is a condition with a deadline and a name.
Rule 2: a test that ends leaves no process behind, whatever happened in it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from icryptotrader.supervision import Programs, hear, read_event
from shared.bus import BusError, ControlClient, NoAnswer
from shared.config import Home, load, read_key
from shared.control import CONTROL_VERSION, AskStatus, decode_reply, encode_request
from shared.kraken.rest import Call, make_signer, request_of
from strategy.ctl_view import as_json

T = TypeVar("T")

PROGRAMS: Final = ("exchange", "feed", "strategy", "monitor")

SETTINGS: Final = """
[demo]
public_port = {ports[0]}
private_port = {ports[1]}
{demo}
[web]
port = {ports[2]}
[metrics]
enabled = true
port = {ports[3]}
"""

PATIENT: Final = """
[time]
beat_sec = 600
"""
"""Whom a test stops, nobody else ends."""

LOOSE: Final = """
order_quote = "2000"
open_orders = 40
collar_pct = 0.10
fills_per_minute = 100000
fills_per_hour = 100000
rejects_in_a_row = 1000
daily_loss_quote = "100000000"
btc_max_pct = 0.95
"""

START_S: Final = 60.0
FIRST_FILL_S: Final = 120.0
STOP_S: Final = 90.0
ANSWER_S: Final = 10.0
LOOK_EACH_S: Final = 0.1


class House:
    """`icryptotrader run` in a folder of its own. A context manager; see the methods.

    settings: TOML on top of the defaults, demo: more lines of its [demo]. args: more options of
    `icryptotrader run`.
    """

    def __init__(
        self, folder: Path, settings: str = "", args: tuple[str, ...] = (), demo: str = ""
    ) -> None:
        self.home = Home(folder / "home")
        self.console = folder / "console.txt"
        self._config = folder / "settings.toml"
        ports = SETTINGS.format(ports=free_ports(4), demo=demo)
        self._config.write_text(settings + ports + (PATIENT if "[time]" not in settings else ""))
        self._args = args
        self._run: subprocess.Popen[bytes] | None = None
        self._last_nonce = 0
        self._asked = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = self._end_by_force()
        if error is None:
            assert not left, f"left running: {left}"
        else:
            error.add_note(f"console:\n{self.tail()}")

    def start(self, *more: str) -> None:
        """Start `run`; it may have been started before."""
        assert self._run is None or self._run.poll() is not None
        command = [sys.executable, "-m", "icryptotrader", "run", "--home", str(self.home.path)]
        with self.console.open("ab") as console:
            self._run = subprocess.Popen(
                [*command, "--config", str(self._config), *self._args, *more],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                # A session of its own, as a terminal would give it.
                start_new_session=True,
            )

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """Ask `run` to stop, and its exit code; nothing may be left running."""
        assert self._run is not None
        self._run.send_signal(by)
        return self.join()

    def join(self, within_s: float = STOP_S) -> int:
        """The exit code of a `run` that ends by itself; nothing may be left running."""
        assert self._run is not None
        code = self._run.wait(within_s)
        assert self.processes() == {}, self.tail()
        return code

    def refused(self, within_s: float = START_S) -> int:
        """The exit code of a second `run` in the same home."""
        first, self._run = self._run, None
        self.start()
        assert self._run is not None
        code: int = self._run.wait(within_s)
        self._run = first
        return code

    def ended(self) -> int | None:
        """The exit code of `run`, None while it runs."""
        assert self._run is not None
        return self._run.poll()

    def kill(self, name: str, by: signal.Signals = signal.SIGKILL) -> int:
        """Signal a program, "supervisord" or "run" by name; returns the pid it had."""
        pid = self.pid(name)
        assert pid, f"{name} does not run"
        os.kill(pid, by)
        if name == "run" and self._run is not None and by == signal.SIGKILL:
            self._run.wait()
        return pid

    def kill_all(self) -> None:
        """SIGKILL to every process of the house as if at once: all stand still before one dies."""
        frozen: list[int] = []
        while fresh := [pid for pid in self.processes() if pid not in frozen]:
            _tell(fresh, signal.SIGSTOP)
            frozen += fresh
        _tell(frozen, signal.SIGKILL)
        if self._run is not None:
            self._run.wait()
        deadline = time.monotonic() + STOP_S
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(LOOK_EACH_S)

    def pid(self, name: str) -> int:
        """0 where it does not run, as far as supervisord has noticed."""
        if name == "run":
            return self._run.pid if self._run is not None and self._run.poll() is None else 0
        if name == "supervisord":
            found = [
                pid
                for pid, line in self.processes().items()
                if " icryptotrader.supervisor " in line
            ]
            return found[0] if found else 0
        return self.programs()[name].pid if name in self.programs() else 0

    def programs(self) -> Programs:
        """What supervisord's log adds up to."""
        programs: Programs = {}
        for line in read_lines(self.home.log / "supervisord.log"):
            if (event := read_event(line)) is not None:
                programs = hear(programs, event)
        return programs

    def processes(self) -> dict[int, str]:
        """Every living process of this house: pid -> command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                line = command_line(entry)
                if str(self.home.path) in line:
                    found[int(entry.name)] = line
        return found

    def ctl(self, *args: str) -> tuple[int, dict[str, Any]]:
        """strategy-ctl ... --json: exit code and object."""
        program = "from strategy.ctl import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--home", str(self.home.path), *args, "--json"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}

    def status(self) -> dict[str, Any]:
        """What `strategy-ctl status --json` tells, {} while it is not to be had.

        Asked without a process of its own: what is looked at many times a second must cost little.
        """
        try:
            folder = os.open(self.home.path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        try:
            self._asked += 1
            asked = AskStatus(CONTROL_VERSION, f"test-{os.getpid():x}-{self._asked}")
            # A path that fits into a socket's address, however deep the folder is.
            client = ControlClient(f"/proc/self/fd/{folder}/run/strategy.ctl", ANSWER_S)
            reply = decode_reply(client.ask(encode_request(asked)))
        except (BusError, NoAnswer, OSError):
            return {}
        finally:
            os.close(folder)
        return as_json(reply.data) if reply is not None and reply.ok else {}

    def wait(self, what: str, condition: Callable[[], T], within_s: float = START_S) -> T:
        """The first true value of the condition; fails by name after the deadline."""
        deadline = time.monotonic() + within_s
        while True:
            if found := condition():
                return found
            assert self.ended() is None, f"the house ended while waiting for: {what}"
            assert time.monotonic() < deadline, f"waited {within_s:.0f} s for: {what}"
            time.sleep(LOOK_EACH_S)

    def wait_for_fills(self, least: int, within_s: float = FIRST_FILL_S) -> dict[str, Any]:
        """The status with at least so many fills booked."""

        def enough() -> dict[str, Any]:
            told = self.status()
            return told if told.get("fills", 0) >= least else {}

        return self.wait(f"{least} fills booked", enough, within_s)

    def wait_until_settled(self, name: str) -> None:
        """Until a program has run for its startsecs: killed now, it is started again at once."""
        self.wait(f"{name} settled", lambda: self.programs()[name].settled)

    def wait_for_another(self, name: str, old: int) -> int:
        """The pid of a program's next life."""
        return self.wait(f"{name} again", lambda: self.pid(name) if self.pid(name) != old else 0)

    def rest(self, method: str, **params: str | int) -> Any:
        """A signed private request to the exchange itself, with the guests' key: its `result`.

        Drills use this key as well. The nonce is taken from the house's clock, as theirs is; where
        the two cross, the exchange refuses one and it is sent again.
        """
        for _ in range(10):
            config = load(self.home)
            key = read_key(self.home.data / "guest_key.toml")
            self._last_nonce = max(self._last_nonce + 1, config.make_clock().wall() // 1000)
            call = Call(method, tuple((name, str(value)) for name, value in params.items()))
            request = request_of(call, make_signer(key.key, key.secret), self._last_nonce)
            answer = httpx.post(
                f"http://127.0.0.1:{config.demo.private_port}{request.path}",
                content=request.body,
                headers=dict(request.headers),
                timeout=10,
            ).json()
            if answer["error"] != ["EAPI:Invalid nonce"]:
                assert answer["error"] == [], f"{method}: {answer['error']}"
                return answer["result"]
        raise AssertionError(f"{method}: the nonce was refused ten times")

    def open_orders(self) -> dict[str, Any]:
        """Order id -> order, as the exchange has them."""
        found: dict[str, Any] = self.rest("OpenOrders")["open"]
        return found

    def trades(self) -> dict[str, Any]:
        """Every trade of the account, the opening history included: trade id -> trade."""
        found: dict[str, Any] = {}
        while True:
            page = self.rest("TradesHistory", ofs=len(found))
            found |= page["trades"]
            if not page["trades"] or len(found) >= int(page["count"]):
                return found

    def booked(self) -> list[str]:
        """The exec_id of every fill in the ledger's file, in the order of booking."""
        place = f"file:{self.home.data / 'ledger.sqlite'}?mode=ro"
        with closing(sqlite3.connect(place, uri=True, timeout=5)) as db:
            return [row[0] for row in db.execute("SELECT exec_id FROM fill ORDER BY seq")]

    def opening_lots(self) -> int:
        """How many trades of the account are older than the house."""
        return len(load(self.home).demo.opening_lots)

    def tail(self, lines: int = 60) -> str:
        return "\n".join(read_lines(self.console)[-lines:])

    def _end_by_force(self) -> list[str]:
        """Kill what is left; what that was, unless the test never stopped the house."""
        asked = self._run is None or self._run.poll() is not None
        left = self.processes()
        while found := self.processes():
            _tell(found, signal.SIGKILL)
            if self._run is not None:
                self._run.poll()
            time.sleep(LOOK_EACH_S)
        if self._run is not None:
            self._run.wait()  # gone from the list of processes, but perhaps not waited for yet
        return list(left.values()) if asked else []


def loose_limits(folder: Path) -> str:
    """A section of settings under which no number of fills and no loss ever halts the grid.

    What is under test is the bookkeeping of fills: a grid that was halted has none.
    """
    caps = folder / "caps.toml"
    caps.write_text(LOOSE)
    return f'[limits]\nhard_caps_file = "{caps.resolve()}"\n{LOOSE}'


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _tell(pids: Iterable[int], number: signal.Signals) -> None:
    """A signal to each of these that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def command_line(entry: Path) -> str:
    """Of a process; "" of one that has gone, or that nobody has waited for yet."""
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
