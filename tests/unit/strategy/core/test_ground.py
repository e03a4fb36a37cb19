"""What stages 6 to 9 stand on: another pair of the coin takes its part, and its orders fence."""

from __future__ import annotations

import math

from strategy.core.ground import survey
from tests.unit.strategy.core.build import MID
from tests.unit.strategy.core.test_gate import NOW, one, ready
from tests.unit.strategy.core.test_gate_edges import USD_MID, rest, two


def test_one_pair_alone_has_the_whole_account_and_no_fence() -> None:
    memory = ready()
    ground = survey(memory, one(memory), NOW)
    assert (ground.part, ground.fence) == (1.0, (math.inf, 0.0))


def test_another_pair_of_the_coin_takes_its_part_and_its_orders_are_a_fence() -> None:
    memory, eur, usd = two()
    alone = survey(memory, eur, NOW)
    assert 0.0 < alone.part < 0.5, "two pairs that move as one have less than their weights"
    assert alone.fence == (math.inf, 0.0)
    rest(usd, "b1", USD_MID - 12_000, 10_000)
    rest(usd, "s1", USD_MID + 12_000, 10_000)
    below, above = survey(memory, eur, NOW).fence
    assert 0.0 < above < MID < below < math.inf
