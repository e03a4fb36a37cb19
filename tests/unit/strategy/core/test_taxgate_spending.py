"""What buys for dollars spend, at its edges: fees, amends, other pairs, and the last cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from shared.units import DAY, Ns, Sats, Side, Ticks
from strategy.core.gate import refuse
from strategy.core.memory import Memory
from strategy.core.plan import Laid
from strategy.core.slots import State, Wish
from strategy.core.taxgate import look, sells
from strategy.ledger.events import KRAKEN, Exchanged, Units
from tests.unit.strategy.core.build import BOOT, WALL, make_slot
from tests.unit.strategy.core.test_dollar_leg import buying, dollars
from tests.unit.strategy.core.test_gate_edges import rest as lie

USD = "BTC/USD"


def spending(memory: Memory) -> Decimal:
    return look(memory).spending


def buy(memory: Memory, **fields: Any) -> None:
    pair = memory.pairs[USD]
    slot = make_slot("b1", State.LIVE, **fields)
    pair.slots[pair.place("b1")] = replace(slot, pair=USD)


def test_what_a_buy_may_spend_is_what_is_open_at_the_dearer_of_its_prices_with_its_fee() -> None:
    """2,000 USD cost 1,600 EUR and are worth 1,785.71: 0.0929 of gain a dollar."""
    memory = dollars()
    whole: dict[str, Any] = {"price": Ticks(800_000), "qty": Sats(2_500_000)}  # 2,000 USD
    buy(memory, **whole)
    assert spending(memory) == Decimal("185.72")
    buy(memory, **(whole | {"filled": Sats(1_250_000)}))
    assert spending(memory) == Decimal("92.86")
    buy(memory, **(whole | {"price": Ticks(400_000), "was_price": Ticks(800_000)}))
    assert spending(memory) == Decimal("185.72")
    memory.pairs[USD].maker = 0.01
    buy(memory, **(whole | {"price": Ticks(796_000)}))  # 1,990 USD and 19.90 of fee: 2,050
    assert spending(memory) == Decimal("190.36")
    memory.pairs[USD].maker = None
    assert spending(memory) == Decimal("185.72")


def test_a_ladder_that_is_laid_and_not_sent_yet_counts_as_well() -> None:
    memory = dollars()
    wish = Wish(Side.BUY, Ticks(800_000), Sats(2_500_000), 1)
    memory.pairs[USD].laid = Laid((wish,), (replace(wish, side=Side.SELL),) * 2, ())
    assert spending(memory) == Decimal("185.72")
    buy(memory, price=Ticks(800_000), qty=Sats(5_000_000))
    assert spending(memory) == Decimal("371.43"), "the larger of both"


def refused(memory: Memory, usd: int = 1_950) -> str:
    return refuse(memory, memory.pairs[USD], buying(memory, 1, usd), BOOT)


@pytest.mark.parametrize(
    ("external", "waits"),
    [("818.91", False), ("818.92", True), ("999.50", True), ("999.99", True), ("1000.00", False)],
)
def test_a_buy_waits_if_it_may_carry_a_year_over_that_is_not_over_yet(
    external: str, waits: bool
) -> None:
    """1,950 USD gain 181.08 EUR, rounded up; 999.99 is the last exempt cent."""
    assert bool(refused(dollars(external_s23_net_eur=external))) is waits


def test_what_the_sells_may_gain_is_counted_beside_what_the_buys_spend() -> None:
    memory = dollars(external_s23_net_eur="500")
    pair = memory.pairs[USD]
    assert refused(memory) == ""
    lie(pair, "s1", 1_200_000, 2 * 10**6)  # gains 444 EUR: 1,071.43 less 850 a hundredth coin
    assert sells(memory, pair.slots)[0].qty == Units(2 * 10**8)
    assert "gain of the USD" in refused(memory)
    lie(pair, "s1", 1_200_000, 10**6)
    assert refused(memory) == ""
    # Other buys gain nothing on the coins' side, however dear they rest.
    pair.slots[pair.place("s1")] = make_slot("s1")
    lie(pair, "b5", 1_900_000, 10**5)
    assert sells(memory, memory.all_slots()) == []


def test_a_year_that_cannot_be_valued_stops_no_buy() -> None:
    memory = dollars()
    swap = Exchanged(
        "E1", Ns(WALL - DAY), 0, KRAKEN, "ETH", Side.BUY, Units(10**10), "GBP", Decimal(10)
    )
    memory.desk.hear(swap)
    assert look(memory).room is None, "the rate of the pound is not known"
    assert refused(memory) == ""
