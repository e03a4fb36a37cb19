"""Capital for each pair, and the fence between two pairs of one coin.

Rule 1: a pair's part of the account's room is its weight, and less of it the more the pairs move
together (rolling correlation): they may never risk more than the same weights would in pairs that
move apart.
Rule 2: no resting buy reaches another pair's resting sell less both fees, in one currency: the
two would pay fees to trade with ourselves by way of the market.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Final

from msgspec import Struct

from strategy.core.plan import Plan
from strategy.core.samples import Samples
from strategy.core.slots import Slot, State

LEAST_SAMPLES: Final = 30
"""Below it a correlation is chance: the pair counts as moving with the others."""

FULL: Final = 1.0
OPEN: Final = (math.inf, 0.0)
"""The fence where no other pair's order rests."""


def parts(weights: Mapping[str, float], samples: Mapping[str, Samples]) -> dict[str, float]:
    """Each pair's part of the account, 0 to 1. One pair alone has all of it.

    The variance of a sum is sum w^2 + 2 sum w v rho (H. Markowitz, Portfolio Selection, 1952). All
    weights shrink alike until it is that of rho = 0: two equal pairs that move as one have 71 % of
    their weights each. What moves against the other counts as moving apart.
    """
    if len(weights) < 2:
        return dict.fromkeys(weights, FULL)
    apart = sum(weight * weight for weight in weights.values())
    shared = sum(
        weights[one] * weights[other] * max(0.0, correlation(samples[one], samples[other]))
        for one, other in combinations(weights, 2)
    )
    scale = math.sqrt(apart / (apart + 2.0 * shared))
    return {name: weight * scale for name, weight in weights.items()}


def correlation(one: Samples, other: Samples) -> float:
    """Of the returns of the samples both have; 1.0 while they are too few or stand still."""
    count = min(len(one.done), len(other.done))
    if count < LEAST_SAMPLES:
        return 1.0
    xs, ys = _returns(one, count), _returns(other, count)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    cross = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    spread = sum((x - mean_x) ** 2 for x in xs) * sum((y - mean_y) ** 2 for y in ys)
    if spread <= 0.0:
        return 1.0
    return min(1.0, max(-1.0, cross / math.sqrt(spread)))


def _returns(samples: Samples, count: int) -> list[float]:
    closes = [sample.close for sample in samples.done[-count:]]
    return [math.log(after / before) for before, after in pairwise(closes)]


def allot(plan: Plan, part: float) -> Plan:
    """The plan with this pair's part of the account's room on both sides."""
    if part >= FULL:
        return plan
    return plan.budgeted(
        f"{part:.0%} of the account is this pair's",
        buy_units=int(plan.buy_units * part),
        sell_sats=int(plan.sell_sats * part),
    )


class Neighbour(Struct, frozen=True):
    """Another pair of the same coin. rate: one Tick of it in Ticks of ours; fees: both makers'."""

    slots: tuple[Slot, ...]
    rate: float
    fees: float


def fence(neighbours: Sequence[Neighbour]) -> tuple[float, float]:
    """(buys stay below, sells stay above) in our Ticks; OPEN where nobody rests."""
    below, above = OPEN
    for other in neighbours:
        for slot in other.slots:
            if slot.state is State.EMPTY:
                continue
            if slot.side.sign < 0:
                below = min(below, slot.low_price * other.rate * (1.0 - other.fees))
            else:
                above = max(above, slot.high_price * other.rate * (1.0 + other.fees))
    return below, above


def fenced(plan: Plan, bounds: tuple[float, float]) -> Plan:
    """The plan between the fences; `lay` drops what would stand beyond."""
    return plan if bounds == OPEN else plan.between(*bounds)
