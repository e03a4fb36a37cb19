"""`icryptotrader drill NAME`: the operator's drills, against the paper house of this home.

Rule 1: only in demo mode: a drill stops programs and cancels orders.
Rule 2: each step is a sentence with a deadline, told as passed or failed; the first failure ends
the drill, and whatever was stopped or halted for it is set going again.
Rule 3: what takes longer than a moment is announced, with the longest that it may take.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from icryptotrader.backup import BackupError, restore, take
from icryptotrader.supervision import Programs, hear, read_event
from shared.bus import BusError, ControlClient, NoAnswer
from shared.clock import Clock, machine_wall
from shared.config import Config, Home, load
from shared.control import (
    CONTROL_VERSION,
    AnyRequest,
    AskStatus,
    Kill,
    Reply,
    Resume,
    decode_reply,
    encode_request,
)
from shared.keys import GUEST_KEY, demo_key
from shared.kraken import rest
from shared.kraken.rest import Call, make_signer, request_of
from shared.units import SECOND, Ns
from strategy.ledger.records import open_readonly

SOCKET: Final = "run/strategy.ctl"
ASK_EACH_S: Final = 1.5
COMES_BACK_S: Final = 120.0
KILL_S: Final = 2.0
MOMENT: Final = 2 * SECOND
ALL_FILLS: Final = 1_000_000

Tell = Callable[[str], None]


class DrillError(Exception):
    """What did not come about in time."""


def drill(home: Home, name: str, tell: Tell) -> int:
    """0 where every step passed, else 1."""
    config = load(home)
    if config.mode != "demo":
        tell("drills are for the demo house alone: they stop programs and cancel orders")
        return 1
    if not home.data.is_dir():
        tell(f"no house runs in {home.path}; start one with: icryptotrader run")
        return 1
    act = DRILLS[name]
    tell(f"drill {name}: {(act.__doc__ or '').splitlines()[0]}")
    try:
        if not home.data.is_dir():
            raise DrillError(f"there is no house in {home.path}: icryptotrader run --home DIR")
        os.chdir(home.path)
        scene = Scene(home, config, tell)
        scene.pid("strategy")
        act(scene)
    except (DrillError, BackupError, OSError, httpx.HTTPError) as error:
        tell(f"FAIL  {error}")
        tell(f"drill {name}: failed")
        return 1
    tell(f"drill {name}: passed")
    return 0


class Scene:
    """The running house as a drill sees it."""

    def __init__(self, home: Home, config: Config, tell: Tell) -> None:
        self.home = home
        self.config = config
        self._tell = tell
        self._asked = 0
        self._nonce = 0
        key = demo_key(home.data, GUEST_KEY)
        self._signer = make_signer(key.key, key.secret)

    def step(
        self, what: str, condition: Callable[[], object], within_s: float, each_s: float = 0.3
    ) -> None:
        """Wait for it, tell it; DrillError after the deadline (seconds of this machine).

        each_s: how often to look; what asks the exchange must leave its counter some room.
        """
        begun, announced = Clock().now(), False
        while not condition():
            waited = Clock().now() - begun
            if waited > within_s * SECOND:
                raise DrillError(f"{what}: not within {within_s:.0f} s{self._why()}")
            if waited > MOMENT and not announced:
                announced = True
                self._tell(f"wait  {what}: up to {within_s:.0f} s ...")
            signal.sigtimedwait((), each_s)
        self._tell(f"pass  {what} ({(Clock().now() - begun) / SECOND:.1f} s)")

    def _why(self) -> str:
        """What the strategy itself says about its state, for a step that has failed."""
        told = self.status()
        if not told:
            return "; the strategy does not answer"
        waits = f", waits for {'; '.join(found)}" if (found := told.get("waits_for")) else ""
        return f"; the strategy says: {told.get('phase')}{waits}"

    def seconds(self, house_s: float) -> float:
        """House seconds as seconds of this machine, and some for the machine itself."""
        return house_s / self.config.speed + 5.0

    def ask(self, make: type[Any], **fields: str) -> Reply | None:
        """A request to the strategy; None where it does not answer."""
        self._asked += 1
        name = f"drill-{os.getpid():x}-{self._asked}-{machine_wall():x}"
        request: AnyRequest = make(CONTROL_VERSION, name, **fields)
        try:
            return decode_reply(ControlClient(SOCKET).ask(encode_request(request)))
        except (BusError, NoAnswer, OSError):
            return None

    def status(self) -> dict[str, Any]:
        reply = self.ask(AskStatus)
        return reply.data if reply is not None and reply.ok else {}

    def quoting(self) -> bool:
        """Trading, with orders of its own in the book."""
        told = self.status()
        return told.get("phase") == "trading" and told.get("orders", 0) > 0

    def pid(self, name: str) -> int:
        programs: Programs = {}
        log = self.home.log / "supervisord.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        for line in text.splitlines():
            if (event := read_event(line)) is not None:
                programs = hear(programs, event)
        pid = programs[name].pid if name in programs else 0
        if not pid:
            raise DrillError(f"{name} does not run: start the house first (icryptotrader run)")
        return pid

    def book_is_empty(self) -> bool:
        """By the exchange's own word, asked with the guests' key."""
        return not self._call(rest.OPEN_ORDERS)["open"]

    def trades_since(self, wall: Ns) -> list[str]:
        found: list[str] = []
        while True:
            page = self._call(rest.trades_history(wall, len(found)))
            found += page["trades"]
            if not page["trades"] or len(found) >= int(page["count"]):
                return found

    def _call(self, call: Call) -> Any:
        self._nonce = max(self._nonce + 1, self.config.make_clock().wall() // 1_000)
        request = request_of(call, self._signer, self._nonce)
        url = f"http://127.0.0.1:{self.config.demo.private_port}{request.path}"
        with httpx.Client(trust_env=False, timeout=10) as http:
            answer = http.post(url, content=request.body, headers=dict(request.headers)).json()
        if answer["error"]:
            raise DrillError(f"the exchange refused {call.name}: {answer['error']}")
        return answer["result"]


def _feed_loss(scene: Scene) -> None:
    """The feed stands still, though its sockets are open."""
    scene.step("the house quotes", scene.quoting, COMES_BACK_S)
    pid = scene.pid("feed")
    os.kill(pid, signal.SIGSTOP)
    limit = scene.seconds(scene.config.time.feed_cancel_sec)
    try:
        scene.step(
            "no new quotes: the feed is stale",
            lambda: any("feed" in why for why in scene.status().get("waits_for", ())),
            scene.seconds(scene.config.time.feed_stale_sec),
        )
        scene.step("own orders cancelled", lambda: scene.status().get("orders") == 0, limit)
    finally:
        os.kill(pid, signal.SIGCONT)
    scene.step("the feed is back, and the house quotes again", scene.quoting, COMES_BACK_S)


def _switch(scene: Scene) -> None:
    """The strategy stands still: only the exchange's switch can take its orders out."""
    scene.step("the house quotes", scene.quoting, COMES_BACK_S)
    pid = scene.pid("strategy")
    os.kill(pid, signal.SIGSTOP)
    try:
        scene.step(
            "the exchange has cancelled everything by itself",
            scene.book_is_empty,
            scene.seconds(scene.config.ws.cancel_after_timeout_sec + 10),
            ASK_EACH_S,
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    scene.step("reconciled, and the house quotes again", scene.quoting, COMES_BACK_S)


def _kill(scene: Scene) -> None:
    """The kill switch, and a resume."""
    scene.step("the house quotes", scene.quoting, COMES_BACK_S)
    try:
        done = scene.ask(Kill, reason="drill", word="kill")
        if done is None or not done.ok:
            raise DrillError("the strategy did not take the kill")
        crowd = os.getloadavg()[0] / (os.cpu_count() or 1)  # others who want the processor
        limit = KILL_S * max(1.0, crowd)
        scene.step("nothing rests at the exchange", scene.book_is_empty, limit)
        scene.step("halted", lambda: scene.status().get("phase") == "halted", COMES_BACK_S)
    finally:
        scene.ask(Resume, reason="drill over")
    scene.step("resumed, and the house quotes again", scene.quoting, COMES_BACK_S)


def _restore(scene: Scene) -> None:
    """A backup into a scratch home; with the exchange's history it must equal the ledger."""
    made = take(scene.home)
    scene.step(f"a sound backup: {made.name}", made.exists, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Home(Path(folder) / "home")
        restore(scratch, str(made))
        copy = open_readonly(scratch.data / "ledger.sqlite", last=ALL_FILLS)
    known = {entry.fill.exec_id for entry in copy.last_fills}
    scene.step(f"restored elsewhere with {copy.fills} fills", lambda: len(known) == copy.fills, 1.0)
    # The ledger first: what fills after it is in the history only.
    live = open_readonly(scene.home.data / "ledger.sqlite", last=ALL_FILLS)
    told = scene.trades_since(Ns(int(copy.facts.get("cursor", "0"))))
    missing = [e.fill.exec_id for e in live.last_fills if e.fill.exec_id not in {*known, *told}]
    scene.step(
        f"with {len(told)} trades of the exchange's history nothing of the ledger is missing",
        lambda: not missing,
        1.0,
    )


DRILLS: Final[dict[str, Callable[[Scene], None]]] = {
    "feed-loss": _feed_loss,
    "switch": _switch,
    "kill": _kill,
    "restore": _restore,
}
