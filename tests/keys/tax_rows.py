"""Trying [tax]: what may be sold, what is said of the year, when rates are fetched."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import httpx

from icryptotrader.tax.report import settings_of as report_settings
from monitor.rates import Fetcher, Wanted, is_wanted
from monitor.rates import address as rates_address
from monitor.view import RatesSeen
from shared import log
from shared.config import Config
from shared.control import AskTax
from shared.units import DAY, SECOND, Ns, Side
from strategy.core.risk import Pause
from strategy.core.taxdesk import settings_of
from strategy.ledger.desk import Desk as TaxDesk
from strategy.ledger.desk import Gate
from strategy.ledger.events import KRAKEN, Exchanged, units_of
from strategy.ledger.lots import Lots
from strategy.ledger.rates import Rate, Rates
from tests.keys.trying import Row, about, exactly, less, more
from tests.unit.strategy.core.build import MID, WALL, make_fill
from tests.unit.strategy.core.desk import Desk
from tests.unit.strategy.core.test_exits import CRASHED, exits_of, tell

COINS: Final = 16 * 10**6
ONE: Final = units_of(Decimal(1))


def bought(*lots: tuple[int, int, int]) -> Lots:
    """(days ago, Sats, Ticks) of each purchase; its ids are none of the desk's."""
    queue = Lots("BTC")
    for number, (days, sats, price) in enumerate(lots):
        wall = WALL - days * DAY
        queue.book(make_fill(f"L-{number}", Side.BUY, price, sats, wall=wall, trade_id=number + 1))
    return queue


def holding(config: Config, *lots: tuple[int, int, int]) -> Desk:
    """A desk whose coins were bought so: (days ago, Sats, Ticks)."""
    desk = Desk(config, bought(*lots))
    desk.begin()
    desk.run(2)
    return desk


def told(desk: Desk) -> dict[str, Any]:
    """The answer to `strategy-ctl tax`."""
    data: Any = desk.ask(AskTax).data
    return dict(data)


def year(config: Config) -> dict[str, Any]:
    return told(holding(config, (400, COINS, MID)))


def of(name: str) -> Any:
    """A figure of the tax year, as people are told it."""
    return lambda config: float(year(config)[name])


TAX, CARRIED = of("tax"), of("carried_loss")


def notes(config: Config) -> str:
    return "; ".join(year(config)["notes"])


def free_at(days: int) -> Any:
    """Coins that are free of tax, bought so many days ago."""
    return lambda config: holding(config, (days, COINS, MID)).memory.free() / 1e8


FREE_385, FREE_380 = free_at(385), free_at(380)


def sells(days: int, part: float) -> Any:
    """Sells that rest, of coins bought so many days ago at a part of today's price."""

    def see(config: Config) -> int:
        return len(holding(config, (days, COINS, int(MID * part))).side(Side.SELL))

    return see


NEARLY_FREE, YOUNG, CHEAP = sells(340, 0.95), sells(100, 0.97), sells(100, 0.5)


def sold_in_a_day(config: Config) -> int:
    """Rungs that are sold one after the other while the market climbs, before none is left."""
    desk = holding(config, (400, COINS, MID))
    for count in range(9):
        if not desk.side(Side.SELL):
            return count
        desk.fill(desk.side(Side.SELL)[0].cl_ord_id)
        desk.run(2)
    return 9


def emergency_exits(config: Config) -> int:
    """Exits of taxable coins in a drawdown of 30 %."""
    desk = Desk(config, bought((100, COINS, MID // 2)))
    desk.totals["EUR"] = Decimal(500)
    desk.begin()
    desk.mid = CRASHED
    tell(desk, CRASHED, 60)
    assert desk.memory.pause is Pause.EMERGENCY_SELL
    return len(exits_of(desk))


DEAR: Final = MID + 50_000
HARVEST: Final = {"tax.external_s23_net_eur": "1100", "tax.harvest_enabled": True}


def harvests(config: Config) -> int:
    """Sales for the tax: of coins that lost 5,000 EUR each."""
    desk = holding(config, (100, COINS, DEAR))
    desk.run(60)
    return len(exits_of(desk))


def net_after_harvest(config: Config) -> float:
    desk = holding(config, (100, COINS, DEAR))
    desk.run(60)
    return float(told(desk)["net"])


def at(day: str) -> Ns:
    """Noon of a day."""
    return Ns(int(datetime.fromisoformat(f"{day}T12:00+00:00").timestamp()) * SECOND)


def dollars(config: Config) -> Gate:
    """What may be sold after dollars were received, and spent at a loss: the rate had risen."""
    rates = Rates([
        Rate(date(2026, 1, 13), "USD", Decimal("1.02")),
        Rate(date(2026, 6, 30), "USD", Decimal("1.17")),
    ])  # fmt: skip

    def trade(name: str, side: str, when: str, gross: int, currency: str) -> Exchanged:
        amount = units_of(Decimal("0.1"))
        return Exchanged(
            name, at(when), 0, KRAKEN, "BTC", Side(side), amount, currency, Decimal(gross)
        )

    events = [
        trade("f", "buy", "2025-11-15", 8100, "EUR"),
        trade("s", "sell", "2026-01-13", 8400, "USD"),
        trade("b", "buy", "2026-06-30", 8400, "USD"),
    ]
    return TaxDesk(events, rates, settings_of(config)).gate(at("2026-07-01"), ONE)


def net_with_dollars(config: Config) -> Decimal:
    return dollars(config).net


def room_with_dollars(config: Config) -> Decimal:
    room = dollars(config).room
    assert room is not None
    return room


def free_under_the_reform(config: Config) -> int:
    """Coins of January 2027 that are free of tax in March 2028."""
    bought_then = Exchanged(
        "n", at("2027-01-10"), 0, KRAKEN, "BTC", Side.BUY, ONE, "EUR", Decimal(80_000)
    )
    desk = TaxDesk([bought_then], Rates(), settings_of(config))
    return desk.gate(at("2028-03-01"), ONE).free


def reported(config: Config) -> tuple[str, Decimal]:
    """What the tax report says of foreign money and of the rate, as it is made."""
    said = report_settings(config, 2026, {}, {})
    return said.usd_leg, said.marginal_rate


class UpToDate:
    """A strategy that knows every rate."""

    async def data(self, _request: object) -> dict[str, Any]:
        return {"until": {"USD": "2026-11-20"}, "due": "2026-11-20", "currencies": ["USD"]}

    async def ask(self, _request: object) -> None:
        raise AssertionError("there is nothing to hand over")


def fetched_each(config: Config) -> float:
    """Seconds until the ECB is asked again, after an answer without a rate."""
    shown: list[RatesSeen] = []
    fetcher = Fetcher(config, UpToDate(), shown.append, log.get())  # type: ignore[arg-type]
    empty = httpx.MockTransport(lambda _: httpx.Response(404))

    async def once() -> float:
        async with httpx.AsyncClient(transport=empty) as http:
            return await fetcher._once(http)

    return asyncio.run(once())


def asked_at(config: Config) -> str:
    wanted = Wanted({}, date(2026, 11, 20), ("USD",))
    url = rates_address(config.tax.rates_url, wanted.currencies, wanted.since(), wanted.due)
    return url.partition("/D.USD")[0]


EXTERNAL: Final = {"tax.external_s23_net_eur": "5000"}
CALM: Final = {
    "risk.price_velocity_freeze_pct": 1.0, "limits.daily_loss_quote": "100000",
    "limits.collar_pct": 0.5,
    "regime.chaos_volatility_pct": 100.0,
}  # fmt: skip

ROWS: Final = (
    Row("tax.holding_period_days", 400, FREE_385, exactly(0.16, 0.0)),
    Row("tax.holding_safety_days", 30, FREE_380, exactly(0.16, 0.0)),
    Row("tax.near_threshold_days", 364, NEARLY_FREE, lambda b, a: b == 0 < a),
    Row("tax.annual_exemption_eur", "0", YOUNG, lambda b, a: b == 5 and a == 0),
    Row("tax.external_s23_net_eur", "990", YOUNG, lambda b, a: b == 5 > a),
    Row("tax.loss_carryforward_eur", "500", TAX, about(2100, 1890), EXTERNAL),
    Row("tax.waive_carryback", True, notes,
        lambda b, a: "first into the year before" in b and "carry-back is waived" in a,
        {"tax.external_s23_net_eur": "-2000"}),
    Row("tax.years", ({"year": 2026, "external_s23_net_eur": "990"},), YOUNG,
        lambda b, a: b == 5 > a),
    Row("tax.marginal_rate", 0.3, TAX, about(2100, 1500), EXTERNAL),
    Row("tax.usd_leg", "section23", net_with_dollars, less),
    Row("tax.reform_enacted", True, free_under_the_reform, exactly(ONE, 0)),
    Row("tax.rates_fetch", "on", is_wanted, exactly(False, True)),
    Row("tax.rates_each_sec", 60, fetched_each, exactly(14_400.0, 60.0)),
    Row("tax.rates_url", "https://rates.example/EXR", asked_at,
        lambda b, a: b.startswith("https://data-api.ecb") and a == "https://rates.example/EXR"),
    Row("tax.beyond_limit", True, CHEAP, lambda b, a: b < 5 == a),
    Row("tax.pace_days", 0, sold_in_a_day, lambda b, a: b < 9 == a,
        {"regime.range_bound.btc_min_pct": 0.0}),
    Row("tax.fx_buffer_eur", "100", room_with_dollars, lambda b, a: b - a == 75,
        {"pair": "BTC/USD"}),
    Row("tax.emergency_dd_override_pct", 0.9, emergency_exits, lambda b, a: b > 0 == a, CALM),
    Row("tax.harvest_enabled", True, harvests, lambda b, a: b == 0 < a,
        {"tax.external_s23_net_eur": "1100"}),
    Row("tax.harvest_min_loss_eur", "5000", harvests, lambda b, a: b > 0 == a, HARVEST),
    Row("tax.harvest_max_per_day", 1, harvests, lambda b, a: b > 1 == a,
        HARVEST | {"tax.external_s23_net_eur": "9000"}),
    Row("tax.harvest_target_net_eur", "950", net_after_harvest, more, HARVEST),
    Row("tax.harvest_for_next_year", True, harvests, lambda b, a: b == 0 < a,
        HARVEST | {"tax.external_s23_net_eur": "-500"}),
)  # fmt: skip
