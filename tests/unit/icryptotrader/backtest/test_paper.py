"""Ten prices, worked out on paper: every fill, fee, lot and the tax, to the cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from icryptotrader.backtest.figures import Figures, figures_of
from icryptotrader.backtest.money import Frame, events_of, grid_profit, outcome
from shared.config import Config, Home, load
from shared.orders import Filled
from shared.units import DAY, SECOND, Ns, Sats, Side, Ticks, cost_of
from sim.backtest.data import History
from sim.backtest.parts import Terms
from sim.backtest.run import Played, play
from sim.engine.instruments import LISTINGS
from strategy.ledger.rates import Rates

D = Decimal
PAIR = LISTINGS["BTC/EUR"].pair
PRICES = (10_000, 10_000, 9_890, 9_950, 10_010, 10_120, 10_050, 10_230, 10_100, 9_990)
SETTINGS = """
pair = "BTC/EUR"
[grid]
levels = 1
order_size_quote = "1000"
min_spacing_bps = "100"
anchor = "mid"
spacing_quantum_bps = "5"
[bollinger]
enabled = false
[demo]
quote_balance = "10000"
opening_lots = ["400:10000"]
[tax]
pace_days = 0
"""
# A quarter of a per cent for the maker, 0.4 % for the taker.
TERMS = Terms(maker=2_500, taker=4_000)


def config(tmp_path: Path) -> Config:
    settings = tmp_path / "ten.toml"
    settings.write_text(SETTINGS)
    return load(Home(tmp_path), settings)


def ten(tmp_path: Path) -> tuple[Played, Figures]:
    tape = tmp_path / "ten.txt"
    tape.write_text("\n".join(map(str, PRICES)))
    cfg = config(tmp_path)
    history = History([tape], PAIR, prices=True)
    played = play(history, cfg, TERMS, (0, 1 << 62), lambda rows, wall: True)
    return played, figures_of(played, history, cfg, TERMS, (D("0.42"), Rates()))


def test_the_fills_are_those_on_paper(tmp_path: Path) -> None:
    """The grid hangs on the first mid, 10,000.05; a rung is one per cent.

    Price 3 (9,890) goes through the buy at 10,000.05 / 1.01 = 9,900.9..., down: 9,901.0.
    The anchor moves there; its sell stands at 10,000.05, up: 10,000.1; price 5 goes through it.
    The next sell, 10,000.05 x 1.01 = 10,100.0505, up: 10,100.1, is passed by price 6 and the
    one after it, 10,201.1, by price 8. A trend was seen before that one: three quarters in size.
    """
    played, _ = ten(tmp_path)
    fills = [(f.side.value, int(f.price), int(f.qty)) for f in played.runs[0].course.fills]
    assert fills == [
        ("buy", 99_010, 10_099_989),  # 1,000 / 9,901.0 = 0.10099989 8...
        ("sell", 100_001, 9_999_900),  # 1,000 / 10,000.1
        ("sell", 101_001, 9_900_892),  # 1,000 / 10,100.1
        ("sell", 102_011, 7_352_148),  # 750 / 10,201.1
    ]
    assert [sum(fee for _, fee in f.fees) for f in played.runs[0].course.fills] == [
        D("2.5000"), D("2.5000"), D("2.5000"), D("1.8750"),
    ]  # fmt: skip


def test_money_lots_and_result_are_those_on_paper(tmp_path: Path) -> None:
    _, figures = ten(tmp_path)
    # 10,000.00 - 999.9999 - 2.50 + 999.99999 + 999.99999 + 749.99997 - 2.50 - 2.50 - 1.875,
    # each leg booked with four decimals.
    assert figures.money == D("11740.63")  # 11,740.6250, half up
    # 1.0 + 0.10099989 - 0.09999900 - 0.09900892 - 0.07352148
    assert figures.coins == D("0.82847049")
    # The last price is 9,990: 0.82847049 x 9,990 = 8,276.4201951; with the money 20,017.0451...
    assert figures.equity == D("20017.05")
    assert figures.start_equity == D("20000.00")
    assert figures.fills == 4
    # The old lot is sold first: 1.0 - 0.2725294 = 0.7274706 of it are left, then the new one.
    assert [(lot.qty, lot.cost) for lot in figures.lots] == [
        (D("0.72747060"), D("5834.31")),  # of 8,020.00: 8,000 and a fee of 20
        (D("0.10099989"), D("1002.50")),
    ]


def test_grid_profit_pairs_sells_with_the_cheaper_buy(tmp_path: Path) -> None:
    """0.09999900 of the buy are answered at 10,000.1, the last 0.00100089 at 10,100.1.

    Gross 0.09999900 x 99.1 + 0.00100089 x 199.1 = 9.9099009 + 0.199277199 = 10.109178099.
    Fees 0.25 % of what both legs of it cost: 0.09999900 x 19,901.1 x 0.0025 = 4.975225...,
    and 0.00100089 x 20,001.1 x 0.0025 = 0.050047...; left 5.083905...
    """
    _, figures = ten(tmp_path)
    assert figures.profit.grid == D("5.08")
    assert figures.profit.inventory == D("11.96")  # of 17.0451... in all, 5.0839... are the grid's
    assert figures.profit.fees == D("9.38")  # 9.3750


def test_tax_is_nothing_on_old_coins_and_full_above_the_limit(tmp_path: Path) -> None:
    _, figures = ten(tmp_path)
    mine = figures.outcomes[0]
    assert (mine.tax, mine.after_tax) == (D("0.00"), D("20017.05"))
    # Sold at 9,990 on the last day: 8,276.42 less 0.4 % = 33.1057; the young coins made a loss.
    assert mine.sold_out == D("19983.94")


def fill(name: str, side: Side, price: int, qty: int, wall: Ns, fee: str) -> Filled:
    return Filled(
        name, name, name, "BTC/EUR", side, Ticks(price), Sats(qty), cost_of(PAIR, price, qty),
        (("EUR", D(fee)),), wall, 1, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sold_at", "tax", "after"),
    [
        # Bought one coin for 50,000 + 50. Sold for 51,099.9 - 50: a gain of 999.90, exempt.
        (510_999, "0.00", "51049.90"),
        # Sold for 51,100.0 - 50: a gain of 1,000.00 is taxable in full: 420.00.
        (511_000, "420.00", "50630.00"),
    ],
)
def test_the_freigrenze_decides_by_a_cent(sold_at: int, tax: str, after: str) -> None:
    begin = Ns(1_790_000_000 * SECOND)
    one = 100_000_000
    opening = fill("a", Side.BUY, 500_000, one, begin, "50")
    sale = fill("b", Side.SELL, sold_at, one, Ns(begin + 30 * DAY), "50")
    frame = Frame(
        PAIR, (begin, 500_000), (sale.wall, sold_at), D("0.004"), D("0.42"), Rates(),
        tuple(events_of([opening])), one, D(0),
    )  # fmt: skip
    found = outcome(frame, "x", events_of([sale]), 0, sale.cost - 50)
    assert (str(found.tax), str(found.after_tax)) == (tax, after)


def test_a_run_without_fills_has_no_grid_profit() -> None:
    found = grid_profit(PAIR, [], D("-3.21"))
    assert (found.grid, found.inventory, found.round_trips) == (D("0.00"), D("-3.21"), 0)
