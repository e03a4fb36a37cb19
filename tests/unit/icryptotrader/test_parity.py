"""Parity on recordings whose latency and queue are known: the fit must find both again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from icryptotrader.cli import app
from icryptotrader.parity import FEWEST, Parity, fit, live_again, told
from icryptotrader.parity import parity as run_parity
from shared import frames
from shared.config import Home, load
from shared.journal import JournalWriter, journals
from shared.recording import RecordingHead, RecordingWriter, read_recording
from shared.units import MILLISECOND, SECOND, Ns
from sim.backtest.backtest import BEGIN, House
from sim.backtest.course import Course
from sim.backtest.parts import Terms
from sim.sources import Dice
from sim.world import WALL
from strategy.core.out import In, Out
from strategy.core.snapshot import take
from strategy.journaling import JournalRecorder

PAIR = "BTC/EUR"
NEAR = 600  # Ticks
Deal = tuple[Ns, int, int, bool]


def deals(count: int) -> list[Deal]:
    """A tape that wanders around its rungs, with trades small enough to wait in a queue."""
    dice, found = Dice(7, 1), []
    for n in range(count):
        price = 850_000 + int(9_000 * math.sin(n / 100)) + dice.below(601) - 300
        at = Ns(BEGIN + n * SECOND + dice.below(SECOND))
        found.append((at, price, 2_000_000 + dice.below(40_000_000), dice.below(2) == 1))
    return found


class Taped:
    """A house of a backtest that keeps the journal of its core, as the live one does."""

    def __init__(
        self,
        tmp_path: Path,
        terms: Terms,
        tape: Sequence[Deal],
        cut: tuple[int, int | None] = (0, None),
    ) -> None:
        """cut: which part of the tape is recorded; the journal tells all of it."""
        config = load(Home(tmp_path / "home"))
        config = replace(
            config,
            bollinger=replace(config.bollinger, enabled=False),
            grid=replace(config.grid, anchor="mid"),
        )
        course = Course()
        house = House(config, terms, WALL, tape[0][1], 0, course)
        core = house.core
        writer = JournalWriter(
            tmp_path / "journal", "test", msgspec.msgpack.encode(house.config),
            lambda: take(core.memory),
        )  # fmt: skip
        recorder, whole = JournalRecorder(writer), core.step

        def step(now: Ns, inbox: Sequence[In]) -> list[Out]:
            recorder.told(now, inbox)
            out = whole(now, inbox)
            recorder.did(now, out)
            return out

        core.step = step  # type: ignore[method-assign]
        traded = [self._near(house, deal) for deal in tape]
        house.finish()
        writer.close()
        self.fills = course.fills
        self.journals = journals(tmp_path / "journal")
        self.capture = tmp_path / "feed.rec"
        self._record(traded[cut[0] : cut[1]], terms.latency)

    def _near(self, house: House, deal: Deal) -> Deal:
        """The deal as it is made: at a price of ours where one is near, so that queues matter."""
        at, price, qty, bought = deal
        house.run_until(at)
        own = house.market.own["sell" if bought else "buy"]
        if own and abs(own[0].price - price) < NEAR:
            price = own[0].price
        house.tell((at, price, max(1, price - 1 if bought else price), bought, qty))
        return at, price, qty, bought

    def _record(self, tape: Sequence[Deal], latency: Ns) -> None:
        """What a feed would have published, each frame one way later than it happened."""
        begin = Ns(tape[0][0] + latency)
        head = RecordingHead("test", frames.WIRE, (PAIR,), begin, Ns(WALL + begin - BEGIN), 1)
        writer = RecordingWriter(self.capture, head, 50_000_000)
        for n, (at, price, qty, bought) in enumerate(tape):
            heard = Ns(at + latency)
            bid = price - 1 if bought else price
            wall = Ns(WALL + at - BEGIN)
            book = frames.Book(
                BEGIN, n + 1, heard, heard, PAIR, True, "", (bid,), (1,), (bid + 1,), (1,), wall
            )
            trade = frames.Trade(n + 1, "buy" if bought else "sell", price, qty, wall)
            trades = frames.Trades(BEGIN, n + 1, heard, heard, PAIR, (trade,))
            for kind, frame in (("book", book), ("trades", trades)):
                writer.append(heard, frames.topic(kind, PAIR), frames.encode(frame))
        writer.close()


def fitted(taped: Taped) -> Parity:
    recording = read_recording(taped.capture)
    dated = [
        (received, frame)
        for received, _, payload in recording
        if isinstance(frame := frames.decode(payload), frames.FeedFrame)
    ]
    return fit(live_again(taped.journals, recording.head), dated)


@pytest.mark.parametrize(("latency_ms", "ahead"), [(20, 0), (150, 50_000_000), (60, 120_000_000)])
def test_the_fit_recovers_latency_and_queue(latency_ms: int, ahead: int, tmp_path: Path) -> None:
    terms = Terms("queue", Ns(latency_ms * MILLISECOND), 1200, 2500, ahead)
    taped = Taped(tmp_path, terms, deals(1_500))
    assert len(taped.fills) >= 10
    found = fitted(taped)
    assert found.round_trip_ms == 2 * latency_ms
    assert abs(found.ahead - ahead) <= max(2_000_000, ahead // 10)
    assert found.fidelity > 0.97
    assert abs(found.slippage_bps) < 0.5
    assert any(line.startswith("sim_fidelity") for line in told(found))


def test_only_the_time_that_both_files_cover_is_compared(tmp_path: Path) -> None:
    terms = Terms("queue", Ns(60 * MILLISECOND), 4000, 8000, 50_000_000)
    whole = Taped(tmp_path / "whole", terms, deals(1_500))
    part = Taped(tmp_path / "part", terms, deals(1_500), (500, 1_000))
    assert whole.fills == part.fills
    found = fitted(part)
    assert 480 < found.seconds < 520
    assert 0 < found.real_qty < fitted(whole).real_qty
    assert found.fidelity > 0.97  # what was filled before and after is nobody's fault
    # The fees are the account's own, here those of the first tier.
    assert float(found.sim_fee) == pytest.approx(float(found.real_fee), rel=0.03)
    assert found.round_trip_ms == 120


def test_a_recording_that_is_cut_off_is_compared_and_told(tmp_path: Path) -> None:
    taped = Taped(tmp_path, Terms("queue", Ns(50 * MILLISECOND), 1200, 2500), deals(400))
    whole = taped.capture.read_bytes()
    taped.capture.write_bytes(whole[:-40])
    lines: list[str] = []
    assert run_parity(taped.capture, taped.journals, Home(tmp_path), lines.append) == 0
    assert any("ends before its end: cut off" in line for line in lines)


def test_files_of_other_times_are_refused(tmp_path: Path) -> None:
    taped = Taped(tmp_path, Terms("queue"), deals(100))
    head = RecordingHead("test", frames.WIRE, (PAIR,), Ns(BEGIN * 1_000), WALL, 1)
    late = tmp_path / "late.rec"
    RecordingWriter(late, head, 10_000).close()
    lines: list[str] = []
    assert run_parity(late, taped.journals, Home(tmp_path), lines.append) == 2
    (line,) = lines
    assert line.startswith("the journal holds no step of the recording's time and pairs: name ")


def test_the_command_tells_and_leaves_the_figure(tmp_path: Path) -> None:
    taped = Taped(tmp_path, Terms("queue", Ns(50 * MILLISECOND), 1200, 2500), deals(400))
    home = Home(tmp_path / "home")
    home.make()
    words = ["--journal", *map(str, taped.journals)]  # as a shell writes out *.journal
    found = CliRunner().invoke(
        app, ["parity", "--home", str(home.path), "--capture", str(taped.capture), *words]
    )
    assert found.exit_code == 0, found.output
    assert "sim_fidelity" in found.output
    assert "fitted      round trip 100.0 ms (orders acknowledged: " in found.output
    assert "not fitted" not in found.output
    kept = msgspec.json.decode((home.data / "sim_fidelity.json").read_bytes(), type=Parity)
    assert 0.0 <= kept.fidelity <= 1.0


def test_what_rests_on_few_orders_is_not_called_fitted(tmp_path: Path) -> None:
    """A minute and a half of a fast house: what it asked for at its start, and no fill."""
    taped = Taped(tmp_path, Terms("queue", Ns(50 * MILLISECOND), 1200, 2500), deals(400), (60, 100))
    head = read_recording(taped.capture).head
    fast = tmp_path / "fast.rec"
    writer = RecordingWriter(fast, replace(head, speed=5), 10_000_000)
    for at, topic, payload in read_recording(taped.capture):
        writer.append(at, topic, payload)
    writer.close()
    lines: list[str] = []
    assert run_parity(fast, taped.journals, Home(tmp_path), lines.append) == 0
    told = "\n".join(lines)
    assert "not fitted  round trip 100.0 ms" in told
    assert f"at least {FEWEST} are needed" in told
    assert "speed 5: 1 ms of the machine's own work counts 5 in the round trip" in told


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "x.rec"
    broken.write_bytes(b"nothing of ours")
    lines: list[str] = []
    assert run_parity(broken, [broken], Home(tmp_path), lines.append) == 2
    assert run_parity(tmp_path / "none", [broken], Home(tmp_path), lines.append) == 2
    assert len(lines) == 2
