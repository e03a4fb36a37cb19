"""`icryptotrader parity`: yesterday's orders through the queue model, beside what really happened.

The journal says what the core was told; stepping it again says what it asked for, and when. The
recording says what the market did meanwhile. The same orders are put before the same market in the
simulated exchange, and its fills are compared with the real ones, order by order.

Rule 1: both files are dated by our own clock when things arrived here. An order therefore meets a
market that arrives one way later and leaves one way earlier: in that time it is late by the round
trip, which the acknowledgements tell, and no clock need agree with any other.
Rule 2: what is fitted is one number, the coins that stand before an order when it arrives.
Rule 3: what is compared is the time that both files cover, and one pair: the first that both know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitor.around import FIDELITY_FILE
from shared import frames, orders
from shared.chunks import BadFileError
from shared.clock import Clock
from shared.config import Config, Home
from shared.journal import read_journal
from shared.recording import Recording, RecordingHead, read_recording
from shared.units import BPS, SECOND, Ns, Pair, Sats
from shared.unread import unread
from sim.backtest.parity_market import Asked, Model, Played, Resting, simulate
from sim.recorded import ticks_of
from sim.sources import Tick
from strategy.core.pipeline import Core
from strategy.core.slots import Slot, State
from strategy.core.snapshot import restore
from strategy.journaling import unpack

EXIT_DATA: Final = 2
USUAL_ROUND_TRIP: Final = Ns(SECOND // 10)
"""Where nothing was acknowledged in the journal."""

FEWEST: Final = 5
"""Acknowledgements, or orders that filled, below which a figure is told, but not called fitted."""

AHEADS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
"""Hundredths of a coin that may stand before an order: the first pass of the fit."""
_HUNDREDTH: Final = 1_000_000  # Sats
_REFINEMENTS: Final = 6
_LATE: Final = 60.0  # seconds of difference that weigh as much as a fill that is missing

Say = Callable[[str], None]


def _unsaid(text: str) -> None:
    """Nobody listens."""


class Lived(Struct):
    """What the journal tells of one pair: what was asked, when, and what came of it, by cl_ord_id.

    begin, end: house time that is covered; maker, taker: the account's rates in 10⁻⁶.
    before: of what rested at the begin, the Sats that had filled.
    """

    pair: Pair
    begin: Ns
    end: Ns
    asked: list[Asked] = []
    resting: list[Resting] = []
    before: dict[str, int] = {}
    fills: dict[str, list[Played]] = {}
    round_trips: list[int] = []
    maker: int = 0
    taker: int = 0
    sent: dict[str, Ns] = {}  # adds that were not acknowledged yet


class Parity(Struct, frozen=True):
    """Coins in Sats; fidelity is what both filled, of what either did. seconds: that both cover.

    acknowledged: how many orders the round trip rests on; filled: how many the queue rests on.
    """

    orders: int
    real_qty: int
    matched: int
    missed: int
    extra: int
    fidelity: float
    slippage_bps: float
    later_s: float
    round_trip_ms: float
    ahead: int
    real_fee: str
    sim_fee: str
    seconds: float = 0.0
    acknowledged: int = 0
    filled: int = 0
    at_wall: Ns = Ns(0)  # when it was measured


def parity(capture: Path, journals: Sequence[Path], home: Home, say: Say) -> int:
    """0; 2 for files that cannot be used."""
    try:
        recording = read_recording(capture)
        lived = live_again(journals, recording.head, say)
        found = fit(lived, _frames(recording))
        if recording.torn:
            say(f"{capture}: ends before its end: {recording.torn}; what is readable is compared")
    except (BadFileError, msgspec.MsgspecError, ValueError) as error:
        say(str(error))
        return EXIT_DATA
    except OSError as error:
        say(unread(error.filename or capture, error))
        return EXIT_DATA
    for line in told(found):
        say(line)
    if (speed := recording.head.speed) > 1:
        # House time is measured, and the machine's own work does not speed up with it.
        say(f"speed {speed}: 1 ms of the machine's own work counts {speed} in the round trip")
    if home.data.is_dir():
        found = replace(found, at_wall=Clock().wall())
        (home.data / FIDELITY_FILE).write_bytes(msgspec.json.encode(found))
    return 0


def live_again(journals: Sequence[Path], head: RecordingHead, say: Say = _unsaid) -> Lived:
    """Step a fresh core through journals of one life, for what lies within a recording.

    BadFileError where they hold nothing of it.
    """
    lived: Lived | None = None
    for path in journals:
        journal = read_journal(path)
        config = msgspec.msgpack.decode(journal.head.config, type=Config)
        core = Core(restore(config, journal.head.memory))
        for now, payload in journal:
            record = unpack(payload)
            if isinstance(record, int):
                continue
            resting = _resting(core) if lived is None and now >= head.begin else []
            out = core.step(now, record)
            if now < head.begin:
                continue
            if lived is None:
                pair = next((each for each in core.memory.pairs if each in head.pairs), "")
                spec = core.memory.pairs[pair].tape.pair if pair else None
                if spec is None:
                    continue
                lived = Lived(spec, now, now)
                _begin(lived, resting)
            _hear(lived, now, record, out)
        if lived is not None:
            _rates(lived, core)
        if journal.torn:
            say(f"{path}: ends before its end: {journal.torn}; what is readable is compared")
    if lived is None:
        raise BadFileError(
            "the journal holds no step of the recording's time and pairs: name the journals that "
            "were written while it was recorded (data/journal of that home)"
        )
    return lived


def _frames(recording: Recording) -> Iterator[tuple[Ns, frames.FeedFrame]]:
    for received, _, payload in recording:
        frame = frames.decode(payload)
        if isinstance(frame, frames.FeedFrame):
            yield received, frame


def fit(lived: Lived, dated: Iterable[tuple[Ns, frames.FeedFrame]]) -> Parity:
    """The queue with which the simulation comes nearest to what happened."""
    inside = ((at, frame) for at, frame in dated if lived.begin <= at <= lived.end)
    ticks = ticks_of(inside, lived.pair.symbol, lived.begin)
    if not ticks:
        raise BadFileError(f"the recording holds no market of {lived.pair.symbol} in that time")
    trip = int(median(lived.round_trips)) if lived.round_trips else USUAL_ROUND_TRIP
    _end(lived, Ns(lived.begin + ticks[-1].at + trip))

    def tried(ahead: int) -> tuple[float, Parity]:
        return _compare(lived, ticks, (trip, ahead))

    results = {n * _HUNDREDTH: tried(n * _HUNDREDTH) for n in AHEADS}
    for _ in range(_REFINEMENTS):
        places = sorted(results)
        best = min(places, key=lambda ahead: (results[ahead][0], ahead))
        at = places.index(best)
        near = [(best + places[n]) // 2 for n in (at - 1, at + 1) if 0 <= n < len(places)]
        results |= {ahead: tried(ahead) for ahead in near if ahead not in results}
    return min(results.items(), key=lambda item: (item[1][0], item[0]))[1][1]


def told(found: Parity) -> list[str]:
    """Lines for a person."""
    return [
        f"compared    {found.seconds:,.0f} s that both files cover",
        f"orders      {found.orders}, of which really filled {found.real_qty / 1e8:.8f} coins",
        f"simulated   matched {found.matched / 1e8:.8f}, missed {found.missed / 1e8:.8f}, "
        f"extra {found.extra / 1e8:.8f}",
        f"prices      {found.slippage_bps:+.2f} bps against the real ones; fills "
        f"{found.later_s:+.1f} s later at the median",
        f"fees        {found.real_fee} really, {found.sim_fee} simulated",
        _called(f"round trip {found.round_trip_ms:.1f} ms", "acknowledged", found.acknowledged),
        _called(f"{found.ahead / 1e8:.4f} coins ahead in the queue", "filled", found.filled),
        f"sim_fidelity {found.fidelity:.4f}",
    ]


def _called(figure: str, what: str, count: int) -> str:
    """A figure with the number of orders that it rests on; too few, and it is not called fitted."""
    if count >= FEWEST:
        return f"fitted      {figure} (orders {what}: {count})"
    why = f"orders {what}: {count}, at least {FEWEST} are needed"
    return f"not fitted  {figure if count else figure + ' is assumed'} ({why})"


def _resting(core: Core) -> list[Slot]:
    """The slots whose orders are at the exchange, or on their way to it."""
    at_it = (State.PENDING_NEW, State.LIVE, State.AMEND_PENDING, State.CANCEL_PENDING)
    return [slot for slot in core.memory.all_slots() if slot.state in at_it]


def _begin(lived: Lived, resting: Sequence[Slot]) -> None:
    """What rested before the first step that is compared."""
    for slot in resting:
        if slot.pair == lived.pair.symbol:
            left = int(slot.qty - slot.filled)
            lived.resting.append((slot.cl_ord_id, slot.side, slot.price, left))
            lived.before[slot.cl_ord_id] = int(slot.filled)


def _hear(lived: Lived, now: Ns, inbox: Sequence[object], out: Sequence[object]) -> None:
    lived.end = now
    symbol, before = lived.pair.symbol, lived.before
    for item in inbox:
        match item:
            case orders.Filled(cl_ord_id=name, pair=pair) if name and pair == symbol:
                fee = sum((amount for _, amount in item.fees), Decimal(0))
                lived.fills.setdefault(name, []).append((now, item.price, item.qty, fee))
            case orders.Accepted(method="add", cl_ord_id=name) if name in lived.sent:
                lived.round_trips.append(now - lived.sent.pop(name))
    for item in out:
        match item:
            case orders.AddOrder(cl_ord_id=name, pair=pair) if pair == symbol:
                lived.sent[name] = now
                before[name] = 0
                lived.asked.append((now, item))
            case orders.AmendOrder(cl_ord_id=name, qty=qty) if name in before:
                # An order that rested at the begin is here without what had filled of it.
                lived.asked.append((now, replace(item, qty=Sats(qty - before[name]))))
            case orders.CancelOrder(cl_ord_id=name) if name in before:
                lived.asked.append((now, item))


def _rates(lived: Lived, core: Core) -> None:
    pair = core.memory.pairs[lived.pair.symbol]
    lived.maker, lived.taker = round((pair.maker or 0) * 1e6), round((pair.taker or 0) * 1e6)


def _end(lived: Lived, end: Ns) -> None:
    """Forget what came after a moment."""
    lived.end = end
    lived.asked = [(at, item) for at, item in lived.asked if at <= end]
    inside = {name: [f for f in fills if f[0] <= end] for name, fills in lived.fills.items()}
    lived.fills = {name: fills for name, fills in inside.items() if fills}


def _compare(lived: Lived, ticks: Sequence[Tick], terms: tuple[int, int]) -> tuple[float, Parity]:
    """How far apart they are (0 is alike), and the figures."""
    trip, ahead = terms
    model = Model(lived.pair, trip, ahead, lived.maker, lived.taker)
    simulated = simulate(model, ticks, lived.begin, lived.asked, lived.resting)
    matched = missed = extra = 0
    slips: list[float] = []
    late: list[float] = []
    names = list(dict.fromkeys([*lived.fills, *simulated]))
    for name in names:
        real, sim = lived.fills.get(name, []), simulated.get(name, [])
        real_qty, sim_qty = sum(f[2] for f in real), sum(f[2] for f in sim)
        matched += min(real_qty, sim_qty)
        missed += max(0, real_qty - sim_qty)
        extra += max(0, sim_qty - real_qty)
        if real and sim:
            slips.append((_mean(sim) / _mean(real) - 1.0) * BPS)
            late.append((sim[-1][0] - real[-1][0]) / SECOND)
    whole = matched + missed + extra
    fees = [
        sum((f[3] for fills in side.values() for f in fills), Decimal(0))
        for side in (lived.fills, simulated)
    ]
    found = Parity(
        orders=sum(isinstance(item, orders.AddOrder) for _, item in lived.asked),
        real_qty=matched + missed,
        matched=matched,
        missed=missed,
        extra=extra,
        fidelity=matched / whole if whole else 1.0,
        slippage_bps=sum(slips) / len(slips) if slips else 0.0,
        later_s=median(late) if late else 0.0,
        round_trip_ms=trip / 1e6,
        ahead=ahead,
        real_fee=f"{fees[0]:.4f}",
        sim_fee=f"{fees[1]:.4f}",
        seconds=(lived.end - lived.begin) / SECOND,
        acknowledged=len(lived.round_trips),
        filled=len(names),
    )
    apart = sum(min(1.0, abs(seconds) / _LATE) for seconds in late)
    return (missed + extra) / max(1, whole) + apart / max(1, len(names)), found


def _mean(fills: Sequence[Played]) -> float:
    return sum(fill[1] * fill[2] for fill in fills) / sum(fill[2] for fill in fills)
