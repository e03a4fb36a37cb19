"""Memory as bytes and back: what each journal file begins with.

Restored memory acts exactly as the memory it was taken from: the digest says so, and a test.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from shared.config import Config
from shared.control import Reply
from shared.frames import FillView
from shared.units import Ns
from strategy.core.advice import Advice
from strategy.core.books import Books
from strategy.core.breaker import Breaker
from strategy.core.deadman import Deadman
from strategy.core.grid import Hung, Unmatched
from strategy.core.imbalance import Imbalance
from strategy.core.lifecycle import Phase
from strategy.core.limiter import Limiter
from strategy.core.market import TapeState
from strategy.core.memory import Asking, Audit, Day, Kill, Memory, PairMemory, Start
from strategy.core.outgoing import Outgoing
from strategy.core.owed import Owed
from strategy.core.reference import Reference
from strategy.core.regime import Regime
from strategy.core.risk import Pause, Risk
from strategy.core.samples import Samples
from strategy.core.slots import Slot
from strategy.core.spacing import Spacing
from strategy.core.taxdesk import Taxes
from strategy.core.thresholds import Record, Thresholds
from strategy.ledger.events import TaxEvent
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Newest, Rate
from strategy.ledger.trade import Trade


class PairState(Struct, frozen=True):
    tape: TapeState
    breaker: Breaker
    reference: Reference
    regime: Regime
    advice: Advice
    judged: bool
    record: Record
    edges: Thresholds | None
    samples: Samples
    imbalance: Imbalance
    spacing: Spacing
    hung: Hung
    unmatched: Unmatched
    limiter: Limiter
    maker: float | None
    taker: float | None
    slots: list[Slot]


class AccountState(Struct, frozen=True):
    """Everything of Memory but its pairs; a field here has the same name there."""

    boot: Ns
    now: Ns
    wall: Ns
    stamp: str
    phase: Phase
    hold: str
    halt: str
    deaf: str
    kill: Kill
    unwritten: tuple[str, Ns]
    flatten: bool
    stop_asked_at: Ns
    disarming: Ns
    clear_once: bool
    replies: dict[str, Reply]
    line: str
    line_up_at: Ns
    system: str
    balances: dict[str, Decimal]
    balance_at: Ns
    books: Books
    rates: dict[str, float]
    rates_kept_at: Ns
    audit: Audit
    risk: Risk
    peak_kept: tuple[Ns, float]
    day: Day
    pause: Pause
    switch: Deadman
    asking: Asking
    cursor: Ns
    foreign: tuple[str, ...]
    orphans: dict[str, Ns]
    index: dict[str, tuple[str, int]]
    ids: int
    fills: int
    fill_times: list[Ns]
    last_fills: list[FillView]
    recent: dict[str, tuple[str, str]]
    gone_at: dict[str, Ns]
    rejects_in_a_row: int
    skew: Ns
    counters: dict[str, int]
    alerts: dict[str, tuple[str, str]]
    feed_system: str
    taxes: Taxes = Taxes()
    published: dict[str, Newest] = {}
    line_down_at: Ns = Ns(0)
    outgoing: Outgoing = Outgoing()
    owed: dict[str, Owed] = {}


class MemoryState(Struct, frozen=True):
    account: AccountState
    pairs: dict[str, PairState]
    trades: tuple[Trade, ...]
    others: tuple[TaxEvent, ...] = ()
    ecb: tuple[Rate, ...] = ()


QUEUES: Final = ("fill_times", "last_fills")
_states: Final = msgspec.msgpack.Decoder(MemoryState)


def take(memory: Memory) -> bytes:
    """Everything the strategy knows."""
    values = {name: getattr(memory, name) for name in AccountState.__struct_fields__}
    for name in QUEUES:
        values[name] = list(values[name])
    state = MemoryState(
        AccountState(**values),
        {name: _take_pair(pair) for name, pair in memory.pairs.items()},
        memory.lots.trades(),
        memory.others,
        tuple(memory.desk.rates()),
    )
    return msgspec.msgpack.encode(state)


def _take_pair(pair: PairMemory) -> PairState:
    return PairState(
        pair.tape.state(),
        *(getattr(pair, name) for name in PairState.__struct_fields__[1:]),
    )


def restore(config: Config, data: bytes, coin: str = "BTC") -> Memory:
    """Memory as it was taken. msgspec.MsgspecError for bytes of another version."""
    state = _states.decode(data)
    account = state.account
    start = Start(account.boot, account.wall, account.stamp, others=state.others, ecb=state.ecb)
    memory = Memory(config, start, Lots.of(coin, state.trades))
    for name in AccountState.__struct_fields__:
        value = getattr(account, name)
        if name in QUEUES:
            value = deque(value, maxlen=getattr(memory, name).maxlen)
        setattr(memory, name, value)
    for name, kept in state.pairs.items():
        pair = memory.pairs[name]
        pair.tape.become(kept.tape)
        for field in PairState.__struct_fields__[1:]:
            setattr(pair, field, getattr(kept, field))
    return memory
