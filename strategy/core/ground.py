"""What stages 6 to 9 stand on besides the price: looked at once, however many prices are asked.

A tick asks at one price, a quiet stretch (quiet.py) at several, all in the same moment.
"""

from __future__ import annotations

from msgspec import Struct

from shared.config import RegimeValues
from shared.units import Ns
from strategy.core.account import money_units, neighbours, part_of_account
from strategy.core.advice import standing_bps
from strategy.core.allocation import fence
from strategy.core.memory import Memory, PairMemory
from strategy.core.regime import values_of
from strategy.core.skew import Opinion
from strategy.core.taxgate import look
from strategy.ledger.desk import Gate


class Ground(Struct, frozen=True):
    """Of one pair at one moment.

    base, reserve: Sats. quote: units of the pair; money: all of the account in them. part, fence:
    the pair's share of the account, and the other pairs' orders (allocation.py).
    """

    now: Ns
    values: RegimeValues
    base: int
    quote: int
    money: int
    reserve: int
    gate: Gate
    part: float
    fence: tuple[float, float]
    opinion: Opinion


def survey(memory: Memory, pair: PairMemory, now: Ns) -> Ground:
    """The ground of this moment; the pair's precisions must be known."""
    cfg, spec = memory.config, pair.tape.pair
    assert spec is not None
    values = values_of(pair.regime, cfg.regime)
    bias = standing_bps(pair.advice, values.signal_enabled, now)
    return Ground(
        now,
        values,
        memory.base_total(pair),
        memory.quote_total(pair),
        money_units(memory, pair),
        memory.going() + int(cfg.grid.base_reserve.scaleb(spec.qty_decimals)),
        look(memory),
        part_of_account(memory, pair),
        fence(neighbours(memory, pair)),
        Opinion(pair.imbalance.value, pair.regime.variance, bias),
    )
