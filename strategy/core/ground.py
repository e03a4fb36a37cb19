"""What stages 6 to 9 stand on besides the price and the clock.

Looked at once a tick, however many prices are asked about (quiet.py); and where it is what it was,
at the price that was, the same is wished as before.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from shared.settings_trade import RegimeValues
from shared.units import BPS, Ns, Side
from strategy.core.account import money_units, neighbours, part_of_account
from strategy.core.advice import standing_bps
from strategy.core.allocation import FULL, OPEN, fence
from strategy.core.grid import Hung, Unmatched
from strategy.core.memory import Memory, PairMemory, Permit
from strategy.core.regime import values_of
from strategy.core.skew import Opinion
from strategy.core.taxgate import Leave, leave


class Ground(Struct, frozen=True):
    """Of one pair at one moment: all that stages 6 to 9 look at but settings, market and clock.

    base, reserve: Sats. quote: units of the pair; money: all of the account in them. step: ratio,
    asked for by `who`. unmatched, floor_bps: what bounds the sells from below. filled: as for
    `lay`. part, fence: the pair's share of the account, and the other pairs' orders
    (allocation.py). drawdown: 0.0 where no hedge looks at it.
    """

    base: int
    quote: int
    money: int
    reserve: int
    leave: Leave
    opinion: Opinion
    hung: Hung
    step: float
    who: str
    permit: Permit
    values: RegimeValues
    unmatched: Unmatched
    floor_bps: float
    filled: Mapping[tuple[Side, int], int]
    part: float
    fence: tuple[float, float]
    drawdown: float


def survey(memory: Memory, pair: PairMemory, now: Ns) -> Ground:
    """The ground of this moment; the pair's precisions must be known."""
    cfg, spec = memory.config, pair.tape.pair
    assert spec is not None
    values = values_of(pair.regime, cfg.regime)
    bias = standing_bps(pair.advice, values.signal_enabled, now)
    alone = len(memory.pairs) == 1
    base, quote = memory.totals(pair)
    return Ground(
        base=base,
        quote=quote,
        money=quote if alone else money_units(memory, pair),
        reserve=memory.going() + int(cfg.grid.base_reserve.scaleb(spec.qty_decimals)),
        leave=leave(memory, pair),
        opinion=Opinion(pair.imbalance.value, pair.regime.variance, bias),
        hung=pair.hung,
        step=pair.spacing.bps / BPS,
        who=pair.spacing.who,
        permit=pair.permit,
        values=values,
        unmatched=pair.unmatched,
        floor_bps=pair.floor_bps,
        filled=pair.open.filled,
        part=FULL if alone else part_of_account(memory, pair),
        fence=OPEN if alone else fence(neighbours(memory, pair)),
        drawdown=memory.risk.drawdown if cfg.hedge.enabled else 0.0,
    )
