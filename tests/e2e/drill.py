"""The long drill: paper trading while every process is killed and stopped at random.

    python tests/e2e/drill.py --minutes 30 --seed 1
    python tests/e2e/drill.py --cycles 300 --seed 1

Each few seconds one program, or two of them, supervisord or `run` itself is ended by SIGKILL or
stopped for a while by SIGSTOP. About each two minutes, and at the end, the house is left in peace
until it trades, and the ledger is held against the exchange.

With --cycles the whole house is killed at once instead, exchange, supervisord and `run` included:
while it trades or while it stops, often once more while it starts again. Each cycle ends when it
trades and the ledger equals the exchange.

One line sums it up; exit code 1 where anything was violated. Not a test: it takes as long as it is
told to.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e import truth  # noqa: E402 - found by the line above
from tests.e2e.harness import PROGRAMS, House, loose_limits  # noqa: E402

# An account and limits that keep the grid trading from the first minute to the last: what is
# drilled is the bookkeeping of fills, and a grid that pauses proves nothing.
SETTINGS: Final = """
[risk]
max_portfolio_drawdown_pct = 0.8
emergency_drawdown_pct = 0.9
price_velocity_freeze_pct = 0.5
[regime]
chaos_volatility_pct = 100.0
[tax]
pace_days = 0
"""

DEMO: Final = """
quote_balance = "600000"
opening_lots = ["400:600000"]
volatility_pct = {volatility}
"""

PEACE_S: Final = 120.0
"""How long a house in peace may take until it trades and agrees with the exchange."""

CALM_EACH_S: Final = 120.0
SUPERVISORD_KILLS: Final = 4
"""`run` starts supervisord again five times at most."""

START_KILLS: Final = (0, 0, 1, 2)
"""How often a start is cut off before one is left in peace; one of these by chance."""

STARTS_WITHIN_S: Final = 6.0
STOPS_WITHIN_S: Final = 3.0
TRADES_FOR_S: Final = 4.0
"""The longest that a house lives before it is killed, at each place."""

MOST_ORDERS: Final = 10
"""Five rungs on each side, and never a second order for one of them."""


class Drill:
    """One house, its tormentor, and what was found."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.violations: list[str] = []
        self.done: Counter[str] = Counter()
        self.left: Counter[str] = Counter()  # by houses that were killed as a whole
        self.calms = 0
        self.most_orders = 0
        self._fills = 0
        self._supervisord_kills = 0  # in this life of `run`
        self._chance = random.Random(seed)
        self._actions: tuple[tuple[int, Callable[[], None]], ...] = (
            (10, self._kill_one),
            (3, self._kill_two),
            (4, self._freeze),
            (1, self._kill_supervisord),
            (1, self._kill_run),
        )

    def torment(self, minutes: float) -> None:
        """Until the time is up; ends in peace."""
        deadline = time.monotonic() + minutes * 60
        calm_at = time.monotonic() + CALM_EACH_S
        self.calm()
        while time.monotonic() < deadline:
            self._watch_for(self._chance.uniform(0.5, 14.0))
            weights, actions = zip(*self._actions, strict=True)
            self._chance.choices(actions, weights)[0]()
            if time.monotonic() > calm_at:
                self.calm()
                self._look_for_fills()
                calm_at = time.monotonic() + CALM_EACH_S
        self.calm()

    def cycle(self, count: int) -> None:
        """Kill everything at once and start again, so often; ends in peace."""
        self.calm(settled=False)
        for number in range(1, count + 1):
            if self._chance.random() < 0.25:
                os.kill(self.house.pid("run"), signal.SIGINT)
                self._kill_all("while it stops", STOPS_WITHIN_S)
            else:
                self._kill_all("while it trades", TRADES_FOR_S)
            for _ in range(self._chance.choice(START_KILLS)):
                self.house.start()
                self._kill_all("while it starts", STARTS_WITHIN_S)
            self.house.start()
            self.calm(settled=False)
            self._fills = len(truth.as_kept(self.house))
            if number % 20 == 0:
                print(f"cycle {number}: {self._fills} fills; {told(self.done)}", flush=True)

    def _kill_all(self, when: str, within_s: float) -> None:
        """After a moment of chance; then the files of a house that is dead are looked at."""
        time.sleep(self._chance.uniform(0.0, within_s))
        ended = self.house.ended() is not None
        self.house.kill_all()
        self.done["had stopped in order" if ended else f"killed {when}"] += 1
        if not (self.house.home.data / "ledger.sqlite").exists():
            return
        kept, booked = truth.as_kept(self.house), truth.as_booked(self.house)
        self.left["orders left in the book"] += len(truth.resting(self.house))
        self.left["trades not booked yet"] += len(kept.keys() - booked.keys())
        known = {name: kept[name] for name in booked if name in kept}
        for fault in truth.ledger_faults(self.house, known):
            self.violated(f"killed {when}: {fault}")

    def calm(self, settled: bool = True) -> None:
        """Leave the house in peace; what does not come right by itself is a violation.

        settled: wait until each program has run for so long that a stop cannot miss it.
        """
        self.calms += 1
        deadline = time.monotonic() + PEACE_S
        faults = ["nothing was looked at"]
        while faults and time.monotonic() < deadline:
            self._must_run()
            faults = self._faults(settled)
            time.sleep(0.3)
        for fault in faults:
            self.violated(f"not right within {PEACE_S:.0f} s of peace: {fault}")

    def _look_for_fills(self) -> None:
        """A drill in which nothing is traded proves nothing."""
        before, self._fills = self._fills, len(truth.as_kept(self.house))
        if self._fills == before:
            self.violated("no fill since the last time in peace")

    def _faults(self, settled: bool) -> list[str]:
        house = self.house
        status = house.status()
        if status.get("phase") != "trading":
            return [f"phase {status.get('phase')!r}, waits for {status.get('waits_for')}"]
        # What has just been started again may still miss the TERM of a stop.
        programs = house.programs()
        late = [name for name in PROGRAMS if settled and not programs[name].settled]
        faults = [f"{name} has not settled" for name in late]
        if float(status["drift"]):
            faults.append(f"drift {status['drift']}")
        return faults + truth.differences(house, house.status)

    def _watch_for(self, seconds: float) -> None:
        """Let time pass; the exchange must never hold more orders than the grid has rungs."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            count = len(truth.resting(self.house))
            if count > MOST_ORDERS:
                self.violated(f"{count} orders rest at once")
            self.most_orders = max(self.most_orders, count)
            self._must_run()
            time.sleep(0.25)

    def _must_run(self) -> None:
        if self.house.ended() is not None:
            self.violated(f"the house ended by itself: {self.house.ended()}\n{self.house.tail()}")
            raise SystemExit(1)

    # What is done to it.

    def _signal(self, name: str, number: signal.Signals) -> bool:
        pid = self.house.pid(name)
        if not pid:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        self.done[f"{number.name[3:].lower()} {name}"] += 1
        return True

    def _kill_one(self) -> None:
        self._signal(self._chance.choice(PROGRAMS), signal.SIGKILL)

    def _kill_two(self) -> None:
        for name in self._chance.sample(PROGRAMS, 2):
            self._signal(name, signal.SIGKILL)

    def _freeze(self) -> None:
        name = self._chance.choice(PROGRAMS)
        length = self._chance.choice((0.3, 1.0, 3.0, 8.0, 16.0))
        if self._signal(name, signal.SIGSTOP):
            pid = self.house.pid(name)
            self._watch_for(length) if name != "exchange" else time.sleep(length)
            os.kill(pid, signal.SIGCONT)

    def _kill_supervisord(self) -> None:
        if self._supervisord_kills < SUPERVISORD_KILLS:
            self._supervisord_kills += self._signal("supervisord", signal.SIGKILL)

    def _kill_run(self) -> None:
        self.house.kill("run")
        self.done["kill run"] += 1
        self._supervisord_kills = 0
        self.house.start()

    def violated(self, what: str) -> None:
        print(f"VIOLATED: {what}", flush=True)
        self.violations.append(what)


def told(counted: Counter[str], before: str = "") -> str:
    """ "kill feed x3, kill run x1"; with `before` in front of it where there is any."""
    text = ", ".join(f"{what} x{count}" for what, count in sorted(counted.items()))
    return f"{before}{text}" if text else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cycles", type=int, default=0, help="kill everything at once, so often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=int, default=8)
    parser.add_argument("--volatility", type=float, default=5.0, help="of the market: 2.5 = 250 %%")
    parser.add_argument("--home", type=Path, help="kept afterwards; default: a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.home or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        args = ("--speed", str(given.speed), "--seed", str(given.seed))
        return _drill(
            House(
                place,
                loose_limits(place) + SETTINGS,
                args,
                DEMO.format(volatility=given.volatility),
            ),
            given,
        )


def _drill(house: House, given: argparse.Namespace) -> int:
    drill = Drill(house, given.seed)
    with house:
        drill.cycle(given.cycles) if given.cycles else drill.torment(given.minutes)
        drill.calm()  # a program that was started a moment ago may miss the TERM of a stop
        code = house.stop()
        if code != 0:
            drill.violated(f"the stop was not in order: {code}\n{house.tail()}")
        trades = truth.as_kept(house)
        takers = [name for name, (*_, maker) in trades.items() if not maker]
        faults = [f"{name} was a taker's" for name in takers]
        faults += [f"{order.cl_ord_id} rests" for order in truth.resting(house)]
        for fault in faults + truth.ledger_faults(house, trades):
            drill.violated(fault)
    fills = len(trades) - house.opening_lots()
    length = f"{given.cycles} cycles" if given.cycles else f"{given.minutes:g} minutes"
    print(
        f"{length} at speed {given.speed}: {sum(drill.done.values())} blows "
        f"({told(drill.done)}), {drill.calms} times in peace, {fills} own fills, at most "
        f"{drill.most_orders} orders{told(drill.left, ', ')}, {len(drill.violations)} violations"
    )
    return 1 if drill.violations else 0


if __name__ == "__main__":
    sys.exit(main())
