"""BTC/EUR against BTC/USD: worked out on paper, equal to the cent; and as it is typed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from icryptotrader.backtest.command import Options, other_of
from icryptotrader.backtest.money import Frame
from icryptotrader.backtest.pairs import CHANGE_FEE, Account, doubts, other_config, settled
from icryptotrader.cli import app
from shared.config import ConfigError, Home, load
from shared.units import DAY, MINUTE, SECOND, Ns, Side
from sim.backtest.converted import FIXING, Converted
from sim.backtest.data import History
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS
from strategy.ledger.events import KRAKEN, Exchanged, units_of
from strategy.ledger.rates import Rate, Rates

EUR, USD = LISTINGS["BTC/EUR"].pair, LISTINGS["BTC/USD"].pair
MONDAY = int(datetime(2024, 3, 4, 10, tzinfo=UTC).timestamp()) * SECOND
RATES = Rates(
    [
        Rate(date(2024, 3, day), "USD", Decimal(rate))
        for day, rate in ((4, "1.10"), (5, "1.08"), (6, "1.12"))
    ]
)


def trade(day: int, side: Side, price: int, currency: str) -> Exchanged:
    """One coin, for a fee of a thousandth; day after Monday."""
    return Exchanged(
        id=f"T{day}", wall=Ns(MONDAY + day * DAY), seq=1, account=KRAKEN, asset="BTC", side=side,
        qty=units_of(Decimal(1)), currency=currency, gross=Decimal(price),
        fees=((currency, Decimal(price) / 1000),),
    )  # fmt: skip


def account(symbol: str, start: int, bought: int, sold: int) -> Account:
    """Buys a coin on Tuesday, sells it on Wednesday, and nothing else."""
    pair = LISTINGS[symbol].pair
    ticks = 10**pair.price_decimals
    frame = Frame(
        pair=pair, first=(Ns(MONDAY), bought * ticks), last=(Ns(MONDAY + 2 * DAY), sold * ticks),
        taker=Decimal("0.002"), tax_rate=Decimal("0.42"), rates=RATES, opening=(), coins=0,
        money=Decimal(start),
    )  # fmt: skip
    fills = (trade(1, Side.BUY, bought, pair.quote), trade(2, Side.SELL, sold, pair.quote))
    fees = Decimal(bought + sold) / 1000
    return Account(frame, fills, 0, Decimal(start + sold - bought) - fees)


def test_in_euros_there_is_no_second_asset() -> None:
    found = settled(account("BTC/EUR", 100_000, 50_000, 55_000), "paper")
    # 55,000 - 50,000 - 50 - 55 is a gain of 4,895.
    assert (found.start, found.equity) == (Decimal("100000.00"), Decimal("104895.00"))
    assert found.tax == found.tax_all == Decimal("2055.90")
    assert found.after_tax == found.sold_out == Decimal("102839.10")
    assert found.dollars == 0


def test_dollars_are_changed_taxed_and_changed_back() -> None:
    found = settled(account("BTC/USD", 109_780, 60_000, 66_000), "paper")
    # 109,780 / 1.10 / 0.998: the fee of the change is paid by the euros.
    assert found.start == Decimal("100000.00")
    # (109,780 - 60,060 + 65,934) / 1.12
    assert found.equity == Decimal("103262.50")
    # The coin: 58,928.57 - 58.93 less 55,555.56 + 55.56, each at its own day's rate: 3,258.52.
    assert found.tax == Decimal("1368.58")
    # The dollars spent: 55,611.12 for what cost 60,060 / 109,780 of 100,000, 54,709.42: 901.70.
    assert found.tax_all == Decimal("1747.29")
    assert found.after_tax == Decimal("101515.21")
    # All changed back: 103,262.50 less 206.53, for 45,290.58 + 58,869.64: a loss of 1,104.25.
    assert found.dollars == Decimal("-202.55")
    # 103,055.975 less 42 % of 3,258.52 - 202.55
    assert found.sold_out == Decimal("101772.47")


def test_coins_that_are_left_are_sold_in_the_end() -> None:
    held = account("BTC/EUR", 100_000, 50_000, 55_000)
    held = Account(held.frame, held.fills[:1], 10**8, Decimal(49_950))
    found = settled(held, "paper")
    assert (found.equity, found.tax) == (Decimal("104950.00"), Decimal("0"))
    # 55,000 less 110; 42 % of 55,000 - 110 - 50,050
    assert found.sold_out == Decimal("102807.20")


def test_what_was_held_before_costs_the_same_euros_in_both_runs() -> None:
    found = {}
    for symbol, worth in (("BTC/EUR", 50_000), ("BTC/USD", 55_000)):
        base = account(symbol, 0, worth, worth)
        before = trade(-400, Side.BUY, worth, base.frame.pair.quote)
        frame = Frame(
            pair=base.frame.pair, first=base.frame.first, last=base.frame.last,
            taker=base.frame.taker, tax_rate=base.frame.tax_rate, rates=RATES, opening=(before,),
            coins=10**8, money=Decimal(0),
        )  # fmt: skip
        found[symbol] = settled(Account(frame, (), 10**8, Decimal(0)), "paper")
    assert found["BTC/EUR"].start == found["BTC/USD"].start == Decimal("50000.00")


def test_the_other_run_begins_with_the_same_euros(tmp_path: Path) -> None:
    config = load(Home(tmp_path))
    other = other_config(config, RATES, Ns(MONDAY))
    assert other.pair == "BTC/USD"
    assert other.demo.quote_balance == Decimal("65868.00")  # 60,000 x 1.10 x 0.998
    assert other.demo.opening_lots[0] == "400:33000.00"
    assert other.grid.order_size_quote == Decimal("550.00")
    back = other_config(other, RATES, Ns(MONDAY))
    assert back.demo.quote_balance == config.demo.quote_balance
    assert back.grid.order_size_quote == config.grid.order_size_quote


def test_days_that_differ_are_told() -> None:
    one = settled(account("BTC/EUR", 100_000, 50_000, 55_000), "paper")
    two = settled(account("BTC/USD", 109_780, 60_000, 66_000), "paper")
    assert doubts([one, two]) == []
    frame = Frame(
        pair=USD, first=(Ns(MONDAY), 1), last=(Ns(MONDAY + DAY), 1), taker=Decimal(0),
        tax_rate=Decimal(0), rates=RATES, opening=(), coins=0, money=Decimal(1),
    )  # fmt: skip
    (told,) = doubts([one, settled(Account(frame, (), 0, Decimal(1)), "x")])
    assert "2024-03-05" in told


def rows(tmp_path: Path, *walls: int) -> History:
    path = tmp_path / "tape.csv"
    path.write_text("".join(f"{wall // SECOND},50000,50100,49900,50050,2,1\n" for wall in walls))
    return History([path], EUR)


def test_between_two_fixings_the_rate_runs_in_a_line(tmp_path: Path) -> None:
    fixing = MONDAY // DAY * DAY + FIXING
    walls = (fixing, fixing + 6 * 60 * MINUTE, fixing + DAY // 2, fixing + DAY - MINUTE)
    found = list(Converted(rows(tmp_path, *walls), USD, RATES).bars())
    assert [bar[0] for bar in found] == list(walls)
    # 1.10, 1.095, 1.09 and all but 1.08, in ticks of ten cents
    assert [bar[1] for bar in found] == [550_000, 547_500, 545_000, 540_007]
    assert found[0][2:] == (551_100, 548_900, 550_550, 2 * 10**8)


def test_dollars_become_euros_by_division(tmp_path: Path) -> None:
    fixing = MONDAY // DAY * DAY + FIXING
    path = tmp_path / "trades.csv"
    path.write_text(f"{fixing // SECOND},55000,0.5\n")
    (deal,) = Converted(History([path], USD), EUR, RATES).deals()
    assert deal[:3] == (fixing, 500_000, 5 * 10**7)


def test_a_day_without_a_rate_is_named(tmp_path: Path) -> None:
    late = MONDAY + 30 * DAY
    with pytest.raises(DataError, match="USD on 2024-04-02: --rates"):
        list(Converted(rows(tmp_path, late), USD, RATES).bars())


# As it is typed.


def zigzag(by: float = 1.0) -> str:
    lines, price = [], 30_000.0
    for n in range(120):
        then = 30_000.0 * (1 + 0.03 * ((n * 7) % 40 - 20) / 20)
        high, low = max(price, then) + 20, min(price, then) - 20
        shown = ",".join(f"{each * by:.1f}" for each in (price, high, low, then))
        lines.append(f"{MONDAY // SECOND + n * 60},{shown},3.5,9")
        price = then
    return "\n".join(lines)


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    home = str(tmp_path / "home")
    (tmp_path / "tape.csv").write_text(zigzag())
    (tmp_path / "rates.csv").write_text("Date,USD\n2024-03-01,1.0000\n2024-03-04,1.0000\n")
    data = ("--data", str(tmp_path / "tape.csv"), "--pair", "BTC/EUR")
    found = CliRunner().invoke(app, ["backtest", "--home", home, *data, *words])
    return found.exit_code, found.output


def test_at_one_dollar_for_a_euro_only_the_change_costs(tmp_path: Path) -> None:
    rates, out = str(tmp_path / "rates.csv"), tmp_path / "out"
    code, text = run(tmp_path, "--against", "rates", "--rates", rates, "--out", str(out))
    assert code == 0, text
    assert "BTC/USD: a euro was 1.0000 and became 1.0000" in text
    one, two = json.loads((out / "report.json").read_bytes())["pairs"]
    assert (one["pair"], two["pair"]) == ("BTC/EUR", "BTC/USD")
    assert one["fills"] == two["fills"] > 0
    assert abs(Decimal(one["start"]) - Decimal(two["start"])) <= Decimal("0.01")
    lost = Decimal(one["sold_out"]) - Decimal(two["sold_out"])
    # 60,000 there; back what all is worth by then.
    expected = (60_000 + Decimal(two["equity"])) * CHANGE_FEE
    assert abs(lost - expected) < expected / 10
    assert "BTC/EUR against BTC/USD" in (out / "report.html").read_text()


def test_the_other_pair_has_data_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "dollars.csv").write_text(zigzag(1.1))
    words = ("--against", str(tmp_path / "dollars.csv"), "--rates", str(tmp_path / "rates.csv"))
    code, text = run(tmp_path, *words)
    assert code == 0, text
    assert "and now BTC/USD" in text


def test_data_of_other_days_leave_the_first_pair_told(tmp_path: Path) -> None:
    path = tmp_path / "dollars.csv"
    path.write_text("".join(f"{1_500_000_000 + n * 60},1,2,1,1,1,1\n" for n in range(5)))
    code, text = run(tmp_path, "--against", str(path), "--rates", str(tmp_path / "rates.csv"))
    assert code == 2
    assert "the pairs are not compared: dollars.csv: no row lies within" in text
    assert "digest" in text


def test_without_rates_it_is_refused_at_once(tmp_path: Path) -> None:
    asked = Options((tmp_path / "tape.csv",), against=(Path("rates"),))
    with pytest.raises(ConfigError, match="--against: needs --rates FILE"):
        other_of(asked, load(Home(tmp_path)), None)


def test_a_pair_without_another_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no other pair"):
        other_config(replace(load(Home(tmp_path)), pair="ETH/EUR"), RATES, Ns(MONDAY))
