"""What the desk is told at the start of a life: settings, other events, and no rate too many."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.units import DAY, Ns, Side
from strategy.core.taxdesk import HARVESTED_FACT, Taxes, needed, others_in, settings_of, taxes_from
from strategy.ledger.events import KRAKEN, Arrived, Exchanged, Origin, Units, of_trade
from strategy.ledger.rates import Rate, published_day
from strategy.ledger.tax import berlin_day
from strategy.ledger.trade import trade_of
from tests.unit.strategy.core.build import MID, WALL, make_config, make_fill, old_lots

SECOND_PAIR = {
    "pairs": [{"symbol": "BTC/EUR", "weight": 0.5}, {"symbol": "BTC/USD", "weight": 0.5}]
}


def rates_of(*currencies: str) -> list[Rate]:
    return [Rate(published_day(berlin_day(WALL)), name, Decimal("1.1")) for name in currencies]


def test_the_buffer_for_unknown_rates_is_held_back_only_where_a_pair_is_in_foreign_money() -> None:
    said: dict[str, Any] = {"tax": {"fx_buffer_eur": "5"}}
    dollars: Any = {"pair": "BTC/USD"}
    both: Any = SECOND_PAIR
    assert settings_of(make_config(**said)).buffer == 0
    assert settings_of(make_config(**said, **dollars)).buffer == 5
    assert settings_of(make_config(**said, **both)).buffer == 5


def test_a_named_year_that_is_silent_of_other_results_has_those_of_every_year() -> None:
    years = [
        {"year": 2026, "loss_carryforward_eur": "9"},
        {"year": 2027, "external_s23_net_eur": "0"},
    ]
    settings = settings_of(make_config(tax={"external_s23_net_eur": "300", "years": years}))
    assert [settings.other_results(year) for year in (2025, 2026, 2027)] == [300, 300, 0]


def test_the_trades_of_the_lots_are_not_told_twice() -> None:
    lots = old_lots()
    gift = Arrived("D1", Ns(WALL), 0, KRAKEN, "BTC", Units(5), Origin.DEPOSIT, Ns(WALL), Decimal(1))
    known = [of_trade(trade) for trade in lots.trades()]
    assert others_in([*known, gift], lots) == (gift,)
    strange = trade_of(make_fill("T-strange", Side.BUY, MID, 10**6, wall=WALL - DAY))
    assert strange is not None
    assert others_in([of_trade(strange)], lots) == (of_trade(strange),)


def test_only_rates_of_the_pairs_and_of_what_happened_are_kept() -> None:
    swapped = Exchanged(
        "E1", Ns(WALL), 0, KRAKEN, "ETH", Side.BUY, Units(10**10), "GBP", Decimal(10),
        (("CHF", Decimal("0.1")),),
    )  # fmt: skip
    came = Arrived(
        "D1", Ns(WALL), 0, KRAKEN, "CAD", Units(10**10), Origin.DEPOSIT, Ns(WALL), Decimal(1)
    )
    told = rates_of("USD", "GBP", "CHF", "CAD", "JPY")
    both: Any = SECOND_PAIR
    dollars = make_config(**both)

    def kept(*args: Any) -> list[str]:
        return [rate.currency for rate in needed(told, *args)]

    assert kept(make_config(), ()) == []
    assert kept(dollars, ()) == ["USD"]
    assert kept(dollars, (came,)) == ["USD", "CAD"]
    assert kept(make_config(), (swapped,)) == ["GBP", "CHF"]


def test_a_new_life_knows_how_many_harvests_the_day_had() -> None:
    assert taxes_from({HARVESTED_FACT: "2026-11-21 2"}) == Taxes(harvested=("2026-11-21", 2))
    assert taxes_from({}) == taxes_from({HARVESTED_FACT: "2026-11-21"}) == Taxes()
