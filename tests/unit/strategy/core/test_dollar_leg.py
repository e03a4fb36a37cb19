"""BTC/USD: what resting buys spend is a disposal to come, and takes from the room of the year."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from shared.orders import Armed
from shared.units import DAY, Ns, Sats, Side, Ticks
from strategy.core import deadman
from strategy.core.gate import refuse
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory, Start
from strategy.core.slots import Add, State, Wish
from strategy.core.taxgate import look
from strategy.core.taxview import tax_data
from strategy.ledger.events import KRAKEN, Arrived, Origin, Units
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Rate, published_day
from strategy.ledger.tax import berlin_day
from tests.unit.strategy.core.build import (
    BOOT,
    BTC_EUR,
    MID,
    STAMP,
    WALL,
    make_config,
    make_fill,
    make_slot,
    make_view,
)

BTC_USD = replace(BTC_EUR, symbol="BTC/USD", quote="USD")
TODAY = berlin_day(WALL)
NOW = Ns(BOOT)


def dollars(**tax: object) -> Memory:
    """14,000 USD that came at 1.25 (11,200 EUR) and are worth 1.12 now: a gain of 1,300 EUR."""
    config = make_config(
        pair="BTC/USD",  # type: ignore[arg-type]
        regime={"range_bound": {"btc_max_pct": 0.9}},
        tax={"annual_exemption_eur": "1000", "fx_buffer_eur": "0"} | tax,
    )
    came = Ns(WALL - 100 * DAY)
    deposit = Arrived(
        "D1", came, 0, KRAKEN, "USD", Units(14_000 * 10**10), Origin.DEPOSIT, came, Decimal(11_200)
    )
    rates = [Rate(published_day(TODAY - timedelta(days=n)), "USD", Decimal("1.12")) for n in (0, 1)]
    rates.append(Rate(published_day(berlin_day(came)), "USD", Decimal("1.25")))
    lots = Lots("BTC")
    euros = make_fill("T-0", Side.BUY, MID, 10**7, wall=Ns(WALL - 50 * DAY), trade_id=1)
    lots.book(replace(euros, pair="BTC/EUR"))
    start = Start(BOOT, WALL, STAMP, others=(deposit,), ecb=tuple(rates))
    memory = Memory(config, start, lots)
    memory.phase, memory.system, memory.line = Phase.TRADING, "online", "up"
    memory.balances = {"USD": Decimal(14_000), "BTC": Decimal("0.1")}
    memory.switch = deadman.answered(deadman.Deadman(), Armed(NOW, 60))
    pair = memory.pairs["BTC/USD"]
    pair.tape.pair, pair.maker = BTC_USD, 0.0
    pair.view = replace(make_view(), pair=BTC_USD)
    return memory


def buying(memory: Memory, number: int, usd: int) -> Add:
    price = MID - 3_000 - 10 * number
    slot = replace(make_slot(f"b{number}"), pair="BTC/USD")
    return Add(slot, Wish(Side.BUY, Ticks(price), Sats(usd * 10**9 // price), number))


def rest(memory: Memory, intent: Add) -> None:
    pair = memory.pairs["BTC/USD"]
    slot = replace(
        intent.slot, state=State.LIVE, cl_ord_id=f"g{intent.slot.name}",
        price=intent.wish.price, qty=intent.wish.qty,
    )  # fmt: skip
    pair.slots[pair.place(slot.name)] = slot


def test_what_a_resting_buy_may_spend_lowers_the_room_for_sells_and_is_told() -> None:
    memory = dollars()
    assert look(memory).room == Decimal("999.99")
    rest(memory, buying(memory, 1, 2_000))
    # 2,000 USD cost 1,600 EUR and are worth 1,785.71.
    gate = look(memory)
    assert (gate.spending, gate.room) == (Decimal("185.72"), Decimal("814.27"))
    told = tax_data(memory)
    assert (told["worst_spending"], told["room_after_resting"]) == ("185.72", "814.27")


def test_a_buy_that_might_carry_the_year_over_its_limit_waits() -> None:
    memory = dollars()
    pair = memory.pairs["BTC/USD"]
    for number in (1, 2, 3, 4, 5):
        intent = buying(memory, number, 1_950)
        assert refuse(memory, pair, intent, NOW) == ""
        rest(memory, intent)
    more = replace(buying(memory, 1, 1_950), slot=replace(make_slot("b6"), pair="BTC/USD"))
    assert "gain of the USD it spends" in refuse(memory, pair, more, NOW)
    # A year that is over its limit anyway does not stop the grid.
    over = dollars(external_s23_net_eur="2000")
    assert refuse(over, over.pairs["BTC/USD"], buying(over, 1, 1_950), NOW) == ""


def test_without_the_dollar_leg_only_coins_count() -> None:
    memory = dollars(usd_leg="off")
    rest(memory, buying(memory, 1, 2_000))
    assert look(memory).room == Decimal("999.99")
